//! Runs what is due, again and again, until it is stopped: a thin shell around `plan` and `runner`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use windvane_store::monitor_runs::{self, Asked, MonitorRun, RunState};
use windvane_store::monitors::{self, Announced};
use windvane_store::{Store, StoreError};

use super::error::chain;
use super::plan::{self, Due, Past, RunAgain};
use super::{Again, Job, Metrics, Ran, RunError, Runner, Schedule};

/// How often monitors are announced, at least.
const ANNOUNCE_PAUSE: Duration = Duration::from_secs(60);
/// How long runs may take to end by themselves once the scheduler is stopped; then they are cut off.
const LAST_RUNS: Duration = Duration::from_secs(5);

/// How a scheduler works.
#[derive(Debug, Clone)]
pub struct Options {
    /// Windows that run at the same time.
    pub runs_max: usize,
    /// How often it looks what is due, at least.
    pub poll: Duration,
}

/// The scheduler of one analyzer.
#[derive(Debug)]
pub struct Scheduler {
    runner: Runner,
    jobs: Vec<Job>,
    options: Options,
    metrics: Metrics,
    /// What the ledger said last of each job's windows.
    past: Vec<BTreeMap<(i64, i64), Past>>,
    /// What each job has to run again.
    reopened: Vec<Reopened>,
    announced: Option<Instant>,
    /// What time it was by ClickHouse's clock when that answered last, and by ours.
    answered: Option<(i64, Instant)>,
}

/// Windows of one job that were measured, and of which more has become known.
#[derive(Debug, Clone, Default)]
struct Reopened {
    /// When the job answered last, by ClickHouse's clock.
    answered_us: i64,
    /// When it was asked last, whether it could answer or not.
    asked: Option<Instant>,
    windows: BTreeMap<(i64, i64), Found>,
}

/// That more has become known of a window.
#[derive(Debug, Clone, Copy)]
struct Found {
    /// When that was found out, by ClickHouse's clock.
    at_us: i64,
    /// Attempts at the window until then: the ledger goes on counting, and those that come may fail as often as the first ones.
    attempts: u64,
}

/// A window of a job, by the job's place in the list.
type Key = (usize, i64, i64);

impl Scheduler {
    /// A scheduler of these jobs.
    #[must_use]
    pub fn new(runner: Runner, jobs: Vec<Job>, options: Options, metrics: Metrics) -> Self {
        let past = vec![BTreeMap::new(); jobs.len()];
        let reopened = vec![Reopened::default(); jobs.len()];
        Self { runner, jobs, options, metrics, past, reopened, announced: None, answered: None }
    }

    /// Runs what is due until it is stopped. A stop lets runs end for 5 s, then cuts them off and gives their leases
    /// back; what was cut off is run again by whoever comes next.
    pub async fn run(mut self, stop: CancellationToken) {
        let cut = CancellationToken::new();
        let jobs = self.jobs.clone();
        let runner = self.runner.clone().cut_off_by(cut.clone());
        let metrics = self.metrics.clone();
        let mut running = FuturesUnordered::new();
        let mut busy: BTreeSet<Key> = BTreeSet::new();
        let mut set_aside: BTreeMap<Key, Instant> = BTreeMap::new();
        while !stop.is_cancelled() {
            let ((mut due, next), meanwhile) = tokio::select! {
                () = stop.cancelled() => break,
                looked = beside(self.look(), &mut running) => looked,
            };
            set_aside.retain(|_, since| since.elapsed() < self.options.poll);
            due.retain(|(job, due)| {
                let key = key(*job, due);
                !busy.contains(&key) && !set_aside.contains_key(&key)
            });
            for (job, due) in due.into_iter().take(self.options.runs_max.saturating_sub(busy.len())) {
                busy.insert(key(job, &due));
                let again = self.again(job, &due);
                let (runner, metrics, jobs) = (&runner, &metrics, &jobs);
                running.push(async move {
                    let begun = Instant::now();
                    let ran = runner.run(&jobs[job], due.window, again).await;
                    metrics.ran(jobs[job].kind(), &ran, begun.elapsed());
                    (key(job, &due), ran)
                });
            }
            let looks_again = !meanwhile.is_empty();
            for end in meanwhile {
                ended(end, &jobs, (&mut busy, &mut set_aside));
            }
            if looks_again {
                continue;
            }
            tokio::select! {
                () = stop.cancelled() => {}
                Some(end) = running.next(), if !running.is_empty() => {
                    ended(end, &jobs, (&mut busy, &mut set_aside));
                }
                () = tokio::time::sleep(next) => {}
            }
        }
        let last = async { while running.next().await.is_some() {} };
        if tokio::time::timeout(LAST_RUNS, last).await.is_err() {
            cut.cancel();
            while running.next().await.is_some() {}
        }
    }

    /// Whether a window that is done is run once more.
    fn again(&self, job: usize, due: &Due) -> Again {
        let found = self.reopened[job].windows.get(&(due.window.start_us, due.window.end_us));
        found.map_or(Again::No, |found| Again::IfBefore(found.at_us))
    }

    /// What is due, in order, and how long nothing more will be.
    async fn look(&mut self) -> (Vec<(usize, Due)>, Duration) {
        match self.ask().await {
            Ok(answer) => answer,
            Err(error) => {
                tracing::warn!(error = chain(&error), "cannot tell which monitors are due; trying again");
                self.tell_what_waits_on();
                (Vec::new(), self.options.poll)
            }
        }
    }

    /// Windows go on waiting, and others become due, while nobody can say what was run: by what the ledger said last.
    fn tell_what_waits_on(&self) {
        let Some((answered_us, at)) = self.answered else { return };
        let since_us = i64::try_from(at.elapsed().as_micros()).unwrap_or(i64::MAX);
        let now_us = answered_us.saturating_add(since_us);
        for (i, job) in self.jobs.iter().enumerate().filter(|(_, job)| job.is_enabled()) {
            let again = self.reopened[i].since();
            let waiting = plan::waiting(job.schedule(), now_us, &self.past[i], &again);
            tell_waiting(&self.metrics, job, (now_us, &waiting));
        }
    }

    async fn ask(&mut self) -> Result<(Vec<(usize, Due)>, Duration), StoreError> {
        let store = self.runner.store().clone();
        let now_us = monitor_runs::now_us(&store).await?;
        self.answered = Some((now_us, Instant::now()));
        if self.announced.is_none_or(|at| at.elapsed() >= ANNOUNCE_PAUSE) {
            let holder = self.runner.holder();
            let all: Vec<Announced> = self.jobs.iter().map(|job| announced(job, now_us, holder)).collect();
            monitors::announce(&store, &all, now_us).await?;
            self.announced = Some(Instant::now());
        }
        let mut due = Vec::new();
        for (i, job) in self.jobs.iter().enumerate().filter(|(_, job)| job.is_enabled()) {
            let (past, reopened) = (&mut self.past[i], &mut self.reopened[i]);
            if let Err(error) = reopened.look(job, &store, (now_us, past)).await {
                // What has never been run, of this job and of others, does not wait for that.
                let (monitor, error) = (job.name(), chain(&error));
                tracing::warn!(
                    monitor,
                    error,
                    "cannot tell which windows have to be run again; asking later"
                );
            }
            let mut waiting = plan::waiting(job.schedule(), now_us, past, &reopened.since());
            // What is done stays done, so the ledger is asked only where something seems to be left.
            if !waiting.is_empty() {
                let runs = ledger(&store, job, now_us).await?;
                *past = of_ledger(job.schedule(), &runs);
                reopened.open(&runs, past);
                waiting = plan::waiting(job.schedule(), now_us, past, &reopened.since());
            }
            tell_waiting(&self.metrics, job, (now_us, &waiting));
            due.push((i, plan::due(job.schedule(), now_us, past, &reopened.since())));
        }
        let enabled = self.jobs.iter().filter(|job| job.is_enabled());
        let next_us = enabled.map(|job| job.schedule().next_due(now_us) - now_us).min();
        let next = next_us.and_then(|us| u64::try_from(us).ok()).map(Duration::from_micros);
        Ok((plan::interleaved(due), next.unwrap_or(self.options.poll).min(self.options.poll)))
    }
}

impl Reopened {
    /// Asks a job, as often as it says, which of its windows have to be run again, and forgets that they are done.
    async fn look(
        &mut self,
        job: &Job,
        store: &Store,
        (now_us, past): (i64, &mut BTreeMap<(i64, i64), Past>),
    ) -> Result<(), StoreError> {
        let Some(reopen) = job.reopens() else { return Ok(()) };
        if self.asked.is_some_and(|asked| asked.elapsed() < reopen.every) {
            return Ok(());
        }
        self.asked = Some(Instant::now());
        let runs = ledger(store, job, now_us).await?;
        for window in job.reopened(store, &runs, (now_us, self.answered_us)).await? {
            let run = runs.iter().find(|run| run.window() == window);
            let found = Found { at_us: now_us, attempts: run.map_or(0, |run| run.attempt) };
            let key = (window.start_us, window.end_us);
            // One that runs may be the run that was asked for.
            let runs_for_it = run.is_some_and(|run| run.state == RunState::Running);
            if !(runs_for_it && self.windows.contains_key(&key)) {
                self.windows.insert(key, found);
            }
        }
        self.answered_us = now_us;
        *past = of_ledger(job.schedule(), &runs);
        self.open(&runs, past);
        Ok(())
    }

    /// Its windows, and since when more has been known of them.
    fn since(&self) -> RunAgain {
        self.windows.iter().map(|(window, found)| (*window, found.at_us)).collect()
    }

    /// Drops what was run again meanwhile, and what the ledger is no longer asked about; what is left counts as not done, and its attempts from when that was found out. The past
    /// is that of these runs.
    fn open(&mut self, runs: &[MonitorRun], past: &mut BTreeMap<(i64, i64), Past>) {
        self.windows.retain(|window, _| past.contains_key(window));
        for run in runs.iter().filter(|run| run.state == RunState::Done) {
            let window = (run.window_start_us, run.window_end_us);
            if self.windows.get(&window).is_some_and(|found| run.started_us >= found.at_us) {
                self.windows.remove(&window);
            }
        }
        past.retain(|window, state| match (self.windows.get(window), state) {
            (None, _) => true,
            (Some(_), Past::Done | Past::Early) => false,
            (Some(found), Past::Begun { attempt } | Past::Failed { attempt, .. }) => {
                *attempt = attempt.saturating_sub(found.attempts);
                *attempt > 0
            }
        });
    }
}

/// Tells how many windows of a job wait at this time, and how long the oldest has.
fn tell_waiting(metrics: &Metrics, job: &Job, (now_us, waiting): (i64, &[Due])) {
    let oldest = waiting.iter().map(|due| due.since_us).min();
    metrics.waits(job, waiting.len(), oldest.map_or(0, |us| now_us - us));
}

/// Waits for an answer, while what runs goes on: a run that is not polled does not renew its lease. Says what ended meanwhile.
async fn beside<T, R: Future>(
    answer: impl Future<Output = T>,
    running: &mut FuturesUnordered<R>,
) -> (T, Vec<R::Output>) {
    tokio::pin!(answer);
    let mut ended = Vec::new();
    loop {
        tokio::select! {
            answer = &mut answer => return (answer, ended),
            Some(end) = running.next(), if !running.is_empty() => ended.push(end),
        }
    }
}

/// Makes room for the next window; one that was not done is left alone for a while.
fn ended(
    (key, ran): (Key, Result<Ran, RunError>),
    jobs: &[Job],
    (busy, set_aside): (&mut BTreeSet<Key>, &mut BTreeMap<Key, Instant>),
) {
    busy.remove(&key);
    if let Some(error) = told(&ran) {
        tracing::warn!(monitor = jobs[key.0].name(), error, "a window was not run");
    }
    if !matches!(ran, Ok(Ran::Done(_))) {
        set_aside.insert(key, Instant::now());
    }
}

fn key(job: usize, due: &Due) -> Key {
    (job, due.window.start_us, due.window.end_us)
}

/// What the ledger has not told already.
fn told(ran: &Result<Ran, RunError>) -> Option<String> {
    match ran {
        Ok(_) | Err(RunError::Job(_)) => None,
        Err(error) => Some(chain(error)),
    }
}

/// The rows of the ledger on the windows that are caught up with, and on those that may have to be run again.
async fn ledger(store: &Store, job: &Job, now_us: i64) -> Result<Vec<MonitorRun>, StoreError> {
    let schedule = job.schedule();
    let Some(oldest) = schedule.recent(now_us).last() else { return Ok(Vec::new()) };
    let reopens_until_us = job.reopens().map_or(i64::MAX, |reopen| now_us.saturating_sub(reopen.for_us));
    let asked = Asked {
        kind: job.kind(),
        monitor: job.name(),
        ending_after_us: reopens_until_us.min(oldest.end_us - 1),
        starting_before_us: now_us,
    };
    let mut runs = monitor_runs::read(store, asked).await?;
    // A monitor may watch another model by now: what it did of the one before says nothing.
    runs.retain(|run| run.model == job.model());
    Ok(runs)
}

fn of_ledger(schedule: &Schedule, runs: &[MonitorRun]) -> BTreeMap<(i64, i64), Past> {
    let state = |run: &MonitorRun| match run.state {
        RunState::Done if run.started_us < schedule.settled_at(run.window()) => Past::Early,
        RunState::Done => Past::Done,
        RunState::Running => Past::Begun { attempt: run.attempt },
        RunState::Failed => Past::Failed { attempt: run.attempt, ended_us: run.ended_us },
    };
    runs.iter().map(|run| ((run.window_start_us, run.window_end_us), state(run))).collect()
}

fn announced(job: &Job, now_us: i64, holder: &str) -> Announced {
    Announced {
        kind: job.kind().to_owned(),
        monitor: job.name().to_owned(),
        model: job.model().to_owned(),
        settings: job.settings().to_string(),
        enabled: job.is_enabled(),
        next_due_us: job.schedule().next_due(now_us),
        holder: holder.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use prometheus::Registry;
    use serde_json::json;
    use windvane_store::{Secret, StoreOptions};

    use super::*;
    use crate::drift::Deployment;
    use crate::monitor::{LatencyMonitor, Period, Watched};

    const WINDOW: (i64, i64) = (0, 10);

    fn run(state: &str, attempt: u64, started_us: i64) -> MonitorRun {
        let run = json!({"kind": "fairness", "monitor": "fair", "window_start_us": WINDOW.0, "window_end_us": WINDOW.1,
            "model": "m", "state": state, "attempt": attempt, "run_id": "r", "holder": "h", "started_us": started_us,
            "ended_us": 60, "rows_reference": 0, "rows_current": 1, "findings": 1, "verdict": "pass", "error": "",
            "note": ""});
        serde_json::from_value(run).unwrap()
    }

    /// Windows of 10 µs, that wait for nothing.
    fn at_once() -> Schedule {
        let period = Period::Fixed(10);
        Schedule { window: period, every: period, delay_us: 0, jitter_us: 0, catch_up: 1 }
    }

    #[test]
    fn a_run_that_began_before_its_events_had_time_to_arrive_is_an_early_one() {
        let schedule = Schedule { delay_us: 20, ..at_once() };
        for (state, started_us, expected) in [
            ("done", 29, Past::Early),
            ("done", 30, Past::Done),
            ("running", 29, Past::Begun { attempt: 1 }),
            ("failed", 29, Past::Failed { attempt: 1, ended_us: 60 }),
        ] {
            let past = of_ledger(&schedule, &[run(state, 1, started_us)]);
            assert_eq!(past.get(&WINDOW), Some(&expected), "{state} {started_us}");
        }
    }

    /// A window of an hour that has been due for half an hour, where nobody answers.
    #[tokio::test]
    async fn what_waits_goes_on_waiting_while_clickhouse_is_away() {
        const MINUTE_US: i64 = 60 * 1_000_000;
        let hour = Period::Fixed(60 * MINUTE_US);
        let schedule = Schedule { window: hour, every: hour, delay_us: 0, jitter_us: 0, catch_up: 1 };
        let deployment = Deployment { model: "m".to_owned(), version: None, environment: None };
        let (name, timeout) = ("late".to_owned(), Duration::from_secs(60));
        let watched =
            Watched { name, deployment, schedule, timeout, memory_bytes_max: 1 << 30, enabled: true };
        let (reference, by, levels, objectives) = (None, Vec::new(), vec![0.5], Vec::new());
        let monitor =
            LatencyMonitor { watched, reference, by, levels, objectives, alpha: 0.05, rows_min: 30 };
        let jobs = vec![Job::Latency(monitor)];
        let (registry, url) = (Registry::new(), "http://127.0.0.1:1".to_owned());
        let (user, password, database) = (String::new(), Secret::new(""), "windvane".to_owned());
        let store = Store::connect(&StoreOptions { url, user, password, database });
        let metrics = Metrics::register(&registry, &jobs).unwrap();
        let options = Options { runs_max: 1, poll: Duration::from_secs(1) };
        let runner = Runner::new(store, "holder".to_owned(), Duration::from_secs(60));
        let mut scheduler = Scheduler::new(runner, jobs, options, metrics);
        let of = |name: &str| {
            let families = registry.gather();
            let family = families.iter().find(|family| family.name() == format!("windvane_analyzer_{name}"));
            family.unwrap().get_metric()[0].get_gauge().get_value()
        };
        assert!(scheduler.look().await.0.is_empty());
        assert_eq!((of("waiting_windows"), of("lag_seconds")), (0.0, 0.0), "nothing was ever said");
        scheduler.answered = Some((10 * 60 * MINUTE_US + 30 * MINUTE_US, Instant::now()));
        let mut last = 30.0 * 60.0;
        for _ in 0..2 {
            assert!(scheduler.look().await.0.is_empty());
            assert_eq!(of("waiting_windows"), 1.0);
            assert!(of("lag_seconds") > last, "{last}");
            last = of("lag_seconds");
        }
    }

    #[tokio::test]
    async fn what_runs_goes_on_while_it_is_asked_what_is_due() {
        let (send, receive) = tokio::sync::oneshot::channel();
        let mut running = FuturesUnordered::new();
        running.push(async move { send.send("an answer") });
        // It would wait for ever where the run was not polled.
        let asked = beside(receive, &mut running);
        let (answer, ended) = tokio::time::timeout(Duration::from_secs(30), asked).await.unwrap();
        assert_eq!((answer, ended), (Ok("an answer"), vec![Ok(())]));
    }

    #[test]
    fn a_window_that_is_measured_again_has_all_its_attempts_anew() {
        let mut reopened = Reopened::default();
        reopened.windows.insert(WINDOW, Found { at_us: 100, attempts: 6 });
        let mut past_of = |run: MonitorRun| {
            let mut past = of_ledger(&at_once(), std::slice::from_ref(&run));
            reopened.open(&[run], &mut past);
            past.get(&WINDOW).copied()
        };
        let failed = |attempt| Some(Past::Failed { attempt, ended_us: 60 });
        for (state, attempt, past) in [
            ("done", 6, None),
            ("failed", 6, None),
            ("running", 6, None),
            ("running", 7, Some(Past::Begun { attempt: 1 })),
            ("failed", 7, failed(1)),
            ("failed", 11, failed(5)),
        ] {
            assert_eq!(past_of(run(state, attempt, 50)), past, "{state} {attempt}");
        }
        // It was measured again, and is as every other from now on.
        assert_eq!(past_of(run("done", 12, 100)), Some(Past::Done));
        assert_eq!(past_of(run("failed", 13, 200)), failed(13));
    }
}
