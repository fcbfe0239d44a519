//! Runs one window under its lease, and keeps the ledger.
//!
//! The order makes it safe to kill at any point: claim, look into the ledger again, write that it runs, run, write the
//! findings, write that it is done, give the lease back. Whoever comes after a kill finds a window that is not done and
//! whose lease has run out, and runs it again; findings have a natural key, so what was written twice is there once.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tracing::Instrument;
use uuid::Uuid;
use windvane_store::deployments;
use windvane_store::lease::{Lease, Worked};
use windvane_store::monitor_runs::{self, Asked, MonitorRun, RunState};
use windvane_store::{Store, StoreError};
use windvane_types::span::Span;

use super::error::chain;
use super::job::{Attempt, Job, Outcome};
use super::watched::together;
use super::{JobError, RunError};
use crate::drift::Deployment;

/// Runs windows on behalf of one analyzer.
#[derive(Debug, Clone)]
pub struct Runner {
    store: Store,
    holder: String,
    lease: Duration,
    cut: CancellationToken,
}

/// Whether a window that is done is run once more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Again {
    /// Only where the run that was done began before the window's events had time to arrive, as one by hand may: the scheduler's answer.
    No,
    /// Yes: what was asked for by hand.
    Yes,
    /// Where the run that was done began before this time, microseconds since 1970 UTC: more has become known since.
    IfBefore(i64),
}

/// What became of a window.
#[derive(Debug, Clone, PartialEq)]
pub enum Ran {
    /// It was run.
    Done(Box<Outcome>),
    /// Another analyzer runs it now.
    Elsewhere,
    /// It was done before.
    Before,
    /// It was cut off by a stop; whoever comes next runs it again.
    Stopped,
}

impl Runner {
    /// A runner that tells other analyzers `holder` as its name and holds leases of this length, which it renews.
    #[must_use]
    pub fn new(store: Store, holder: String, lease: Duration) -> Self {
        Self { store, holder, lease, cut: CancellationToken::new() }
    }

    /// The same, cut off by a token: a run then ends at once and gives its lease back.
    #[must_use]
    pub fn cut_off_by(self, cut: CancellationToken) -> Self {
        Self { cut, ..self }
    }

    /// The ClickHouse that it runs on.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Its name.
    #[must_use]
    pub fn holder(&self) -> &str {
        &self.holder
    }

    /// Runs one window, unless another analyzer does.
    ///
    /// # Errors
    /// The job fails, takes too long, loses its lease, or the ledger cannot be written.
    pub async fn run(&self, job: &Job, window: Span, again: Again) -> Result<Ran, RunError> {
        let key = format!("{}/{}/{}/{}", job.kind(), job.name(), window.start_us, window.end_us);
        let Some(lease) = Lease::claim(&self.store, &key, &self.holder, self.lease).await? else {
            return Ok(Ran::Elsewhere);
        };
        let span = tracing::info_span!(
            "run a monitor",
            kind = job.kind(),
            monitor = job.name(),
            model = job.model(),
            window_start_us = window.start_us,
        );
        let work = self.run_alone(job, window, again).instrument(span);
        match lease.during(work, self.cut.cancelled()).await {
            Worked::Done(ran) => ran,
            Worked::LeaseLost => Err(RunError::LeaseLost),
            Worked::Cut => Ok(Ran::Stopped),
        }
    }

    async fn run_alone(&self, job: &Job, window: Span, again: Again) -> Result<Ran, RunError> {
        let before = self.ledger(job, window).await?;
        // A monitor may watch another model by now: what it did of the one before says nothing.
        let is_done = |run: &MonitorRun| run.state == RunState::Done && run.model == job.model();
        let done = before.as_ref().is_some_and(is_done);
        let began_us = before.as_ref().map_or(0, |run| run.started_us);
        let once_more = match again {
            Again::No => began_us < job.schedule().settled_at(window),
            Again::Yes => true,
            Again::IfBefore(us) => began_us < us,
        };
        if done && !once_more {
            return Ok(Ran::Before);
        }
        let now_us = monitor_runs::now_us(&self.store).await?;
        let mut run = MonitorRun {
            kind: job.kind().to_owned(),
            monitor: job.name().to_owned(),
            window_start_us: window.start_us,
            window_end_us: window.end_us,
            model: job.model().to_owned(),
            state: RunState::Running,
            attempt: before.map_or(0, |run| run.attempt) + 1,
            run_id: Uuid::new_v4().to_string(),
            holder: self.holder.clone(),
            started_us: now_us,
            ended_us: 0,
            rows_reference: 0,
            rows_current: 0,
            findings: 0,
            verdict: String::new(),
            error: String::new(),
            note: String::new(),
        };
        monitor_runs::write(&self.store, &run).await?;
        let result = self.attempt(job, Attempt { window, run_id: &run.run_id, now_us }).await;
        run.ended_us = monitor_runs::now_us(&self.store).await?;
        match &result {
            Ok(outcome) => {
                run.state = RunState::Done;
                run.rows_reference = outcome.rows_reference;
                run.rows_current = outcome.rows_current;
                run.findings = outcome.findings;
                run.verdict.clone_from(&outcome.verdict);
                run.note.clone_from(&outcome.note);
            }
            Err(error) => {
                run.state = RunState::Failed;
                run.error = chain(error);
            }
        }
        monitor_runs::write(&self.store, &run).await?;
        log(&run);
        Ok(Ran::Done(Box::new(result?)))
    }

    /// Runs the job within its time. Where its window has no rows because nothing was ever sent under the names it watches, its note says so:
    /// one of them may be misspelt.
    async fn attempt(&self, job: &Job, attempt: Attempt<'_>) -> Result<Outcome, JobError> {
        let limit = job.timeout();
        let mut outcome = match tokio::time::timeout(limit, job.run(&self.store, attempt)).await {
            Ok(result) => result?,
            Err(_elapsed) => return Err(JobError::TimedOut { limit }),
        };
        if let Some(deployment) = job.deployment().filter(|_| outcome.rows_current == 0) {
            let narrowed = (deployment.version.as_deref(), deployment.environment.as_deref());
            let is_known = deployments::is_known(&self.store, &deployment.model, narrowed).await;
            if matches!(is_known, Ok(false)) {
                outcome.note = together(vec![outcome.note, stranger(deployment)]);
            }
        }
        Ok(outcome)
    }

    async fn ledger(&self, job: &Job, window: Span) -> Result<Option<MonitorRun>, StoreError> {
        let asked = Asked {
            kind: job.kind(),
            monitor: job.name(),
            ending_after_us: window.start_us,
            starting_before_us: window.end_us,
        };
        let runs = monitor_runs::read(&self.store, asked).await?;
        Ok(runs.into_iter().find(|run| run.window() == window))
    }
}

/// What is said of a deployment that no prediction is stored of.
fn stranger(deployment: &Deployment) -> String {
    let of = |noun: &str, name: &Option<String>| {
        name.as_ref().map_or_else(String::new, |name| format!(" of {noun} `{name}`"))
    };
    let (version, environment) =
        (of("version", &deployment.version), of("environment", &deployment.environment));
    format!(
        "model: no prediction of `{}`{version}{environment} was stored when this window was run",
        deployment.model
    )
}

/// One line a run.
fn log(run: &MonitorRun) {
    let window = run.window().to_string();
    let duration_ms = (run.ended_us - run.started_us) / 1_000;
    match run.state {
        RunState::Failed => tracing::warn!(
            kind = run.kind,
            monitor = run.monitor,
            model = run.model,
            window,
            attempt = run.attempt,
            duration_ms,
            error = run.error,
            "a monitor failed"
        ),
        RunState::Running | RunState::Done => tracing::info!(
            kind = run.kind,
            monitor = run.monitor,
            model = run.model,
            window,
            attempt = run.attempt,
            duration_ms,
            rows_reference = run.rows_reference,
            rows_current = run.rows_current,
            findings = run.findings,
            verdict = run.verdict,
            "a monitor ran"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::{Deployment, stranger};

    #[test]
    fn what_nothing_was_sent_under_is_named() {
        let of = |version: Option<&str>, environment: Option<&str>| {
            let named = |name: Option<&str>| name.map(str::to_owned);
            let (version, environment) = (named(version), named(environment));
            stranger(&Deployment { model: "delai".to_owned(), version, environment })
        };
        assert_eq!(of(None, None), "model: no prediction of `delai` was stored when this window was run");
        let told = "model: no prediction of `delai` of version `8` of environment `prod` was stored when this window was run";
        assert_eq!(of(Some("8"), Some("prod")), told);
    }
}
