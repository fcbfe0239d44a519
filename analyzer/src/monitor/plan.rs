//! Which windows are due: a pure function of the time, the schedule, and what the ledger says of earlier runs.
//!
//! A window is due once its events had time to arrive. The newest window comes first, because people want to know about
//! now; what a pause has left behind follows, newest first, never more than [`Schedule::catch_up`] windows of one
//! monitor. Older ones are left to a backfill. So a week of downtime costs a bounded number of runs, and a monitor that
//! cannot keep up still says how things are. A window that was run and has to be run once more is due however old it is.

use std::collections::BTreeMap;

use windvane_types::span::Span;

use super::Period;

/// Runs of one window that may fail before it is given up.
pub const ATTEMPTS_MAX: u64 = 5;
/// The wait after the first failure; it doubles with each further one, up to [`RETRY_US_MAX`].
const RETRY_US: i64 = 30 * 1_000_000;
/// The longest wait between two attempts.
const RETRY_US_MAX: i64 = 3_600 * 1_000_000;
/// The longest time by which monitors are moved apart.
const JITTER_US_MAX: i64 = 60 * 1_000_000;

/// When a monitor runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schedule {
    /// The length of a window.
    pub window: Period,
    /// From the end of one window to the end of the next.
    pub every: Period,
    /// How long after its end a window waits for late events, microseconds.
    pub delay_us: i64,
    /// How much later still, microseconds; see [`jitter_us`].
    pub jitter_us: i64,
    /// How many of the latest windows are run; older ones are left to a backfill.
    pub catch_up: u32,
}

/// How the last run of a window went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Past {
    /// Its findings are written.
    Done,
    /// They are, and it was run by hand before its events had time to arrive: what came after that is not in them.
    Early,
    /// It was begun, and nothing is known of its end. Whether it still runs, its lease tells.
    Begun {
        /// Which attempt, from 1.
        attempt: u64,
    },
    /// It failed.
    Failed {
        /// Which attempt, from 1.
        attempt: u64,
        /// When, microseconds since 1970 UTC.
        ended_us: i64,
    },
}

/// A window that waits for its run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// The window.
    pub window: Span,
    /// Which attempt the next one will be, from 1.
    pub attempt: u64,
    /// Since when it has been due, microseconds since 1970 UTC.
    pub since_us: i64,
}

impl Schedule {
    /// The window that ends at a boundary.
    #[must_use]
    pub fn window_ending(&self, end_us: i64) -> Span {
        Span { start_us: self.window.back_from(end_us), end_us }
    }

    /// The latest window that had ended at an instant.
    #[must_use]
    pub fn latest(&self, at_us: i64) -> Span {
        self.window_ending(self.every.boundary_before(at_us))
    }

    /// When the window becomes due.
    #[must_use]
    pub fn due_at(&self, window: Span) -> i64 {
        self.settled_at(window).saturating_add(self.jitter_us)
    }

    /// From when on a window's events have had time to arrive: a run that began before may lack some of them.
    #[must_use]
    pub fn settled_at(&self, window: Span) -> i64 {
        window.end_us.saturating_add(self.delay_us)
    }

    /// Whether it is a window of this schedule.
    fn has(&self, window: Span) -> bool {
        self.latest(window.end_us) == window
    }

    /// The windows that are due by now whatever became of them, newest first, as many as are caught up with. None ends before 1971 or so, from
    /// when on events are taken: catching up with windows of ten years would go back to the year 1780.
    pub fn recent(&self, now_us: i64) -> impl Iterator<Item = Span> {
        let latest = self.every.boundary_before(now_us - self.delay_us - self.jitter_us);
        let ends = std::iter::successors(Some(latest), |end| Some(self.every.boundary_before(end - 1)));
        ends.take(self.catch_up as usize).take_while(|end| *end > 0).map(|end| self.window_ending(end))
    }

    /// When the next window becomes due that is not yet, microseconds since 1970 UTC.
    #[must_use]
    pub fn next_due(&self, now_us: i64) -> i64 {
        let latest = self.every.boundary_before(now_us - self.delay_us - self.jitter_us);
        self.due_at(self.window_ending(self.every.after(latest)))
    }

    /// The windows between two instants, oldest first: those that lie within them as a whole.
    pub fn within(&self, span: Span) -> impl Iterator<Item = Span> {
        let first = self.every.boundary_before(span.start_us);
        std::iter::successors(Some(first), |end| Some(self.every.after(*end)))
            .take_while(move |end| *end <= span.end_us)
            .map(|end| self.window_ending(end))
            .filter(move |window| window.start_us >= span.start_us)
    }
}

/// Windows that were run and have to be run once more, and since when that has been known, microseconds since 1970 UTC.
pub type RunAgain = BTreeMap<(i64, i64), i64>;

/// What is due and neither done nor given up, in order: what is to be run now, what runs, and what pauses after a failure.
#[must_use]
pub fn waiting(
    schedule: &Schedule,
    now_us: i64,
    past: &BTreeMap<(i64, i64), Past>,
    again: &RunAgain,
) -> Vec<Due> {
    let recent: Vec<Span> = schedule.recent(now_us).collect();
    let oldest_us = recent.last().map_or(i64::MAX, |window| window.end_us);
    let older = again
        .keys()
        .rev()
        .map(|(start_us, end_us)| Span { start_us: *start_us, end_us: *end_us })
        .filter(|window| window.end_us < oldest_us && schedule.has(*window));
    recent
        .iter()
        .copied()
        .chain(older)
        .filter_map(|window| {
            let key = (window.start_us, window.end_us);
            let attempt = match past.get(&key) {
                None | Some(Past::Early) => 1,
                Some(Past::Done) => return None,
                Some(Past::Begun { attempt } | Past::Failed { attempt, .. }) => attempt + 1,
            };
            // A clock that was set back must not make it wait for less than nothing.
            let since_us = again.get(&key).map_or_else(|| schedule.due_at(window), |us| now_us.min(*us));
            (attempt <= ATTEMPTS_MAX).then_some(Due { window, attempt, since_us })
        })
        .collect()
}

/// What to run now, in order.
#[must_use]
pub fn due(
    schedule: &Schedule,
    now_us: i64,
    past: &BTreeMap<(i64, i64), Past>,
    again: &RunAgain,
) -> Vec<Due> {
    let pauses = |due: &Due| match past.get(&(due.window.start_us, due.window.end_us)) {
        // A clock that was set back must not make a failure of the future wait for ever.
        Some(Past::Failed { attempt, ended_us }) => {
            (now_us - ended_us).unsigned_abs() < retry_us(*attempt).unsigned_abs()
        }
        _ => false,
    };
    waiting(schedule, now_us, past, again).into_iter().filter(|due| !pauses(due)).collect()
}

fn retry_us(attempt: u64) -> i64 {
    let doublings = u32::try_from(attempt.saturating_sub(1)).unwrap_or(u32::MAX).min(10);
    (RETRY_US << doublings).min(RETRY_US_MAX)
}

/// Puts the due windows of several monitors in one order: each one's newest first, then each one's second, and so on, so
/// that no monitor's catching up holds up another's present. Within a rank the one that has waited longest comes first.
#[must_use]
pub fn interleaved<T>(due: Vec<(T, Vec<Due>)>) -> Vec<(T, Due)>
where
    T: Clone,
{
    let mut ranked: Vec<(usize, T, Due)> = due
        .into_iter()
        .flat_map(|(job, due)| {
            due.into_iter().enumerate().map(move |(rank, due)| (rank, job.clone(), due)).collect::<Vec<_>>()
        })
        .collect();
    ranked.sort_by_key(|(rank, _, due)| (*rank, due.since_us));
    ranked.into_iter().map(|(_, job, due)| (job, due)).collect()
}

/// By how much a monitor is moved apart from others that end at the same boundary: fixed by its name, at most a tenth of
/// its period and a minute.
#[must_use]
pub fn jitter_us(name: &str, every: Period) -> i64 {
    // FNV-1a, 64 bits: any spread that is the same on every machine does.
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let most = (every.about_us() / 10).min(JITTER_US_MAX);
    i64::try_from(hash % most.max(1).unsigned_abs()).unwrap_or_default()
}

#[cfg(test)]
mod tests;
