//! What can be run by schedule: the kinds of jobs, and what the scheduler asks of each.

use std::time::Duration;

use windvane_store::Store;
use windvane_types::drift::Document;
use windvane_types::span::Span;

use super::{DriftMonitor, JobError, Schedule};

/// A job with a schedule. A new kind of job is a new variant; the scheduler, the ledger and the leases stay as they are.
#[derive(Debug, Clone)]
pub enum Job {
    /// Compares windows of a model's predictions with a reference.
    Drift(DriftMonitor),
}

/// What came out of one window.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Outcome {
    /// Rows of the reference.
    pub rows_reference: u64,
    /// Rows of the window.
    pub rows_current: u64,
    /// Rows that were written into the table of findings.
    pub findings: u64,
    /// What was found, in a word.
    pub verdict: String,
    /// The whole answer of a drift job.
    pub document: Option<Document>,
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
            Self::Drift(_) => "drift",
        }
    }

    /// Its name, unique within its kind.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Drift(monitor) => &monitor.name,
        }
    }

    /// The model that it is about.
    #[must_use]
    pub fn model(&self) -> &str {
        match self {
            Self::Drift(monitor) => &monitor.deployment.model,
        }
    }

    /// When it runs.
    #[must_use]
    pub fn schedule(&self) -> &Schedule {
        match self {
            Self::Drift(monitor) => &monitor.schedule,
        }
    }

    /// How long one window may take.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        match self {
            Self::Drift(monitor) => monitor.timeout,
        }
    }

    /// Whether it runs by itself.
    #[must_use]
    pub fn is_enabled(&self) -> bool {
        match self {
            Self::Drift(monitor) => monitor.enabled,
        }
    }

    /// Its settings, for people and pages.
    #[must_use]
    pub fn settings(&self) -> serde_json::Value {
        match self {
            Self::Drift(monitor) => monitor.settings(),
        }
    }

    /// Runs one window and writes what it finds; a repeated run overwrites that.
    pub(super) async fn run(&self, store: &Store, attempt: Attempt<'_>) -> Result<Outcome, JobError> {
        match self {
            Self::Drift(monitor) => monitor.run(store, attempt).await,
        }
    }
}
