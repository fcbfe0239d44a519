//! What can be run by schedule: the kinds of jobs, and what the scheduler asks of each.

use std::time::Duration;

use windvane_store::findings::outcomes::Measured;
use windvane_store::monitor_runs::MonitorRun;
use windvane_store::{Store, StoreError};
use windvane_types::span::Span;
use windvane_types::{attribution, drift, experiment, fairness, latency, performance, quality};

use super::{
    AttributionMonitor, DriftMonitor, ExperimentMonitor, FairnessMonitor, JobError, LatencyMonitor,
    PerformanceMonitor, QualityMonitor, Reopen, Schedule, Watched,
};
use crate::drift::Deployment;

/// A job with a schedule. A new kind of job is a new variant; the scheduler, the ledger and the leases stay as they are.
#[derive(Debug, Clone)]
pub enum Job {
    /// Says whether windows of a model's attributions rank features as a reference does.
    Attribution(AttributionMonitor),
    /// Compares windows of a model's predictions with a reference.
    Drift(DriftMonitor),
    /// Looks at an experiment.
    Experiment(ExperimentMonitor),
    /// Compares groups within windows of a model's predictions.
    Fairness(FairnessMonitor),
    /// Says how fast windows of a model's predictions were.
    Latency(LatencyMonitor),
    /// Measures windows of a model's predictions with the outcomes that are known.
    Performance(PerformanceMonitor),
    /// Checks windows of a model's predictions against what they should be.
    Quality(QualityMonitor),
}

/// The whole answer of a job.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// Of an attribution monitor.
    Attribution(Box<attribution::Document>),
    /// Of a drift monitor.
    Drift(Box<drift::Document>),
    /// Of a look at an experiment.
    Experiment(Box<experiment::Document>),
    /// Of a fairness monitor.
    Fairness(Box<fairness::Document>),
    /// Of a latency monitor.
    Latency(Box<latency::Document>),
    /// Of a performance monitor.
    Performance(Box<performance::Document>),
    /// Of a quality monitor.
    Quality(Box<quality::Document>),
}

/// What came out of one window.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Outcome {
    /// Rows of the reference; units of the control.
    pub rows_reference: u64,
    /// Rows of the window; units of the other arms.
    pub rows_current: u64,
    /// Rows that were written into the table of findings.
    pub findings: u64,
    /// What was found, in a word.
    pub verdict: String,
    /// What people should know besides: names of the monitor that nothing has. Empty for nothing.
    pub note: String,
    /// The whole answer, where there was something to answer.
    pub answer: Option<Answer>,
}

impl Outcome {
    /// Of a window that cannot be judged: there is no answer.
    pub(super) fn insufficient_data(note: String) -> Self {
        Self { verdict: "insufficient_data".to_owned(), note, ..Self::default() }
    }
}

/// One attempt at one window.
#[derive(Debug, Clone, Copy)]
pub(super) struct Attempt<'a> {
    pub(super) window: Span,
    /// Unique among attempts.
    pub(super) run_id: &'a str,
    /// What time it is, microseconds since 1970 UTC.
    pub(super) now_us: i64,
}

impl Job {
    /// Its kind, a word of a closed set: the first part of its key in ledger and leases.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Attribution(_) => "attribution",
            Self::Drift(_) => "drift",
            Self::Experiment(_) => "experiment",
            Self::Fairness(_) => "fairness",
            Self::Latency(_) => "latency",
            Self::Performance(_) => "performance",
            Self::Quality(_) => "quality",
        }
    }

    /// What it watches; the experiment where it watches no model.
    fn watched(&self) -> Result<&Watched, &ExperimentMonitor> {
        match self {
            Self::Attribution(monitor) => Ok(&monitor.watched),
            Self::Drift(monitor) => Ok(&monitor.watched),
            Self::Experiment(monitor) => Err(monitor),
            Self::Fairness(monitor) => Ok(&monitor.watched),
            Self::Latency(monitor) => Ok(&monitor.watched),
            Self::Performance(monitor) => Ok(&monitor.watched),
            Self::Quality(monitor) => Ok(&monitor.watched),
        }
    }

    /// Its name, unique within its kind.
    #[must_use]
    pub fn name(&self) -> &str {
        match self.watched() {
            Ok(watched) => &watched.name,
            Err(monitor) => &monitor.experiment.exposed.experiment,
        }
    }

    /// The model that it is about; empty where it is about none, or several.
    #[must_use]
    pub fn model(&self) -> &str {
        self.watched().map_or("", |watched| watched.deployment.model.as_str())
    }

    /// Whose predictions it watches; `None` where it is about no model.
    pub(super) fn deployment(&self) -> Option<&Deployment> {
        self.watched().ok().map(|watched| &watched.deployment)
    }

    /// When it runs.
    #[must_use]
    pub fn schedule(&self) -> &Schedule {
        match self.watched() {
            Ok(watched) => &watched.schedule,
            Err(monitor) => &monitor.schedule,
        }
    }

    /// How long one window may take.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        match self.watched() {
            Ok(watched) => watched.timeout,
            Err(monitor) => monitor.timeout,
        }
    }

    /// Whether it runs by itself.
    #[must_use]
    pub fn is_enabled(&self) -> bool {
        match self.watched() {
            Ok(watched) => watched.enabled,
            Err(monitor) => monitor.enabled,
        }
    }

    /// Its settings, for people and pages.
    #[must_use]
    pub fn settings(&self) -> serde_json::Value {
        match self {
            Self::Attribution(monitor) => monitor.settings(),
            Self::Drift(monitor) => monitor.settings(),
            Self::Experiment(monitor) => monitor.settings(),
            Self::Fairness(monitor) => monitor.settings(),
            Self::Latency(monitor) => monitor.settings(),
            Self::Performance(monitor) => monitor.settings(),
            Self::Quality(monitor) => monitor.settings(),
        }
    }

    /// The windows that are done and have to be run again, because more has become known of them; `since_us` is when this was
    /// asked last, 0 for never.
    pub(super) async fn reopened(
        &self,
        store: &Store,
        runs: &[MonitorRun],
        (now_us, since_us): (i64, i64),
    ) -> Result<Vec<Span>, StoreError> {
        let (reopen, watched) = match self {
            Self::Fairness(monitor) => (monitor.reopen, (&monitor.watched, Measured::Fairness)),
            Self::Performance(monitor) => (monitor.reopen, (&monitor.watched, Measured::Performance)),
            Self::Attribution(_)
            | Self::Drift(_)
            | Self::Experiment(_)
            | Self::Latency(_)
            | Self::Quality(_) => return Ok(Vec::new()),
        };
        reopen.late(store, watched, (runs, now_us, since_us)).await
    }

    /// How long and how often windows that are done have to be run again; `None` for never.
    pub(super) fn reopens(&self) -> Option<Reopen> {
        match self {
            Self::Fairness(monitor) => Some(monitor.reopen),
            Self::Performance(monitor) => Some(monitor.reopen),
            Self::Attribution(_)
            | Self::Drift(_)
            | Self::Experiment(_)
            | Self::Latency(_)
            | Self::Quality(_) => None,
        }
    }

    /// Runs one window and writes what it finds; a repeated run overwrites that.
    pub(super) async fn run(&self, store: &Store, attempt: Attempt<'_>) -> Result<Outcome, JobError> {
        match self {
            Self::Attribution(monitor) => monitor.run(store, attempt).await,
            Self::Drift(monitor) => monitor.run(store, attempt).await,
            Self::Experiment(monitor) => monitor.run(store, attempt).await,
            Self::Fairness(monitor) => monitor.run(store, attempt).await,
            Self::Latency(monitor) => monitor.run(store, attempt).await,
            Self::Performance(monitor) => monitor.run(store, attempt).await,
            Self::Quality(monitor) => monitor.run(store, attempt).await,
        }
    }
}
