//! Windows that are measured again, because outcomes came for them late.
//!
//! Outcomes come late and are corrected, so a window of a monitor that asks what was true is measured more than once: when it is due,
//! and again after outcomes came for it, as long and as often as [`Reopen`] says. Findings have a natural key, so that the latest
//! measurement takes the place of the earlier ones.

use std::time::Duration;

use windvane_store::findings::outcomes::{self, Measured, Seen};
use windvane_store::monitor_runs::{MonitorRun, RunState};
use windvane_store::{Store, StoreError};
use windvane_types::span::Span;

use super::{ATTEMPTS_MAX, Watched};

/// How long what was received may wait in a spool before it is stored.
const STORED_WITHIN_US: i64 = 86_400 * 1_000_000;

/// How long and how often a monitor measures windows again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reopen {
    /// How long after its end a window is measured again when outcomes come, microseconds.
    pub for_us: i64,
    /// The least time between two measurements of a window that was re-opened.
    pub every: Duration,
}

impl Reopen {
    /// The windows of a monitor that have had outcomes that their measurements have not seen: they are to be measured again. `since_us`
    /// is when this was asked last, 0 for never.
    pub(super) async fn late(
        &self,
        store: &Store,
        (watched, measured): (&Watched, Measured),
        (runs, now_us, since_us): (&[MonitorRun], i64, i64),
    ) -> Result<Vec<Span>, StoreError> {
        let open = self.open(runs, now_us);
        let Some(first_us) = open.iter().map(|run| run.window_start_us).min() else { return Ok(Vec::new()) };
        let model = watched.deployment.model.as_str();
        let seen = outcomes::seen(store, measured, (model, watched.name.as_str()), first_us).await?;
        let windows: Vec<Seen> = open.iter().filter_map(|run| has_seen(run, &seen)).collect();
        outcomes::late(store, model, (&windows, since_us.saturating_sub(STORED_WITHIN_US))).await
    }

    /// The windows that are done and may be measured again, and those that were given up.
    fn open<'a>(&self, runs: &'a [MonitorRun], now_us: i64) -> Vec<&'a MonitorRun> {
        let open = |run: &&MonitorRun| {
            let settled = run.state == RunState::Done || run.attempt >= ATTEMPTS_MAX;
            settled && run.window_end_us.saturating_add(self.for_us) > now_us
        };
        runs.iter().filter(open).collect()
    }
}

/// What a window has seen. One that saw none was measured when it was: what was received before then has had time to be stored.
/// One that was given up and was never measured has no findings, and stays given up.
fn has_seen(run: &MonitorRun, seen: &[Seen]) -> Option<Seen> {
    let found =
        seen.iter().find(|seen| (seen.start_us, seen.end_us) == (run.window_start_us, run.window_end_us));
    if found.is_none() && run.state != RunState::Done {
        return None;
    }
    let until_us = found.map_or(0, |seen| seen.until_us);
    Some(Seen {
        start_us: run.window_start_us,
        end_us: run.window_end_us,
        until_us: if until_us > 0 { until_us } else { run.started_us - STORED_WITHIN_US },
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;
    use windvane_store::findings::outcomes::Seen;
    use windvane_store::monitor_runs::MonitorRun;

    use super::{ATTEMPTS_MAX, Reopen, STORED_WITHIN_US, has_seen};

    const DAY_US: i64 = 86_400 * 1_000_000;

    fn run(state: &str, day: i64) -> MonitorRun {
        let run = json!({"kind": "fairness", "monitor": "fair", "window_start_us": day * DAY_US,
            "window_end_us": (day + 1) * DAY_US, "model": "m", "state": state, "attempt": 1, "run_id": "r", "holder": "h",
            "started_us": 9 * DAY_US, "ended_us": 9 * DAY_US, "rows_reference": 0, "rows_current": 1, "findings": 1,
            "verdict": "pass", "error": "", "note": ""});
        serde_json::from_value(run).unwrap()
    }

    #[test]
    fn windows_are_open_once_they_are_done_and_as_long_as_is_asked() {
        let reopen = Reopen { for_us: 2 * DAY_US, every: Duration::from_secs(3_600) };
        let mut runs = [run("done", 6), run("done", 7), run("failed", 8), run("running", 8)];
        let open = |runs: &[MonitorRun], now_us| -> Vec<i64> {
            reopen.open(runs, now_us).iter().map(|run| run.window_start_us / DAY_US).collect()
        };
        assert_eq!(open(&runs, 9 * DAY_US - 1), [6, 7]);
        assert_eq!(open(&runs, 9 * DAY_US), [7]);
        assert!(open(&runs, 10 * DAY_US).is_empty());
        // Nobody would run what was given up once more.
        runs[2..].iter_mut().for_each(|run| run.attempt = ATTEMPTS_MAX);
        assert_eq!(open(&runs, 9 * DAY_US), [7, 8, 8]);
    }

    #[test]
    fn a_window_has_seen_what_its_findings_say_else_what_was_stored_when_it_was_measured() {
        let day = |day: i64, until_us| Seen { start_us: day * DAY_US, end_us: (day + 1) * DAY_US, until_us };
        let seen = [day(6, 8 * DAY_US), day(7, 0)];
        let until_us = |run: &MonitorRun| has_seen(run, &seen).map(|seen| seen.until_us);
        for state in ["done", "failed", "running"] {
            assert_eq!(until_us(&run(state, 6)), Some(8 * DAY_US), "{state}");
            assert_eq!(until_us(&run(state, 7)), Some(9 * DAY_US - STORED_WITHIN_US), "{state}");
        }
        assert_eq!(until_us(&run("done", 5)), Some(9 * DAY_US - STORED_WITHIN_US));
        for never_done in ["failed", "running"] {
            assert_eq!(until_us(&run(never_done, 5)), None, "{never_done}");
        }
    }
}
