//! Why a window could not be run.

use std::time::Duration;

use windvane_store::StoreError;

use crate::attribution::AttributionError;
use crate::drift::{DriftError, OpenError};
use crate::experiment::ExperimentError;
use crate::fairness::FairnessError;
use crate::latency::LatencyError;
use crate::performance::PerformanceError;
use crate::quality::QualityError;

/// Why a job failed on its window.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// Its populations cannot be opened.
    #[error("cannot open the window or its reference")]
    Open(#[from] OpenError),
    /// They cannot be compared.
    #[error("cannot compare the window with its reference")]
    Compare(#[from] DriftError),
    /// How features rank cannot be told.
    #[error("cannot compare the attributions of the window")]
    Attribution(#[from] AttributionError),
    /// The groups cannot be compared.
    #[error("cannot compare the groups of the window")]
    Fairness(#[from] FairnessError),
    /// The arms cannot be compared.
    #[error("cannot look at the experiment")]
    Experiment(#[source] ExperimentError),
    /// How fast the window was cannot be told.
    #[error("cannot measure the latencies of the window")]
    Latency(#[from] LatencyError),
    /// The performance of the window cannot be told.
    #[error("cannot measure the window")]
    Performance(#[from] PerformanceError),
    /// What came for its window, or what was found earlier, cannot be read.
    #[error("cannot read which outcomes are known and what was found before")]
    Read(#[source] StoreError),
    /// The quality of the window cannot be told.
    #[error("cannot check the window")]
    Quality(#[from] QualityError),
    /// What it found cannot be written.
    #[error("cannot write the findings")]
    Write(#[source] StoreError),
    /// It took too long.
    #[error("the run did not end within {} s", limit.as_secs())]
    TimedOut {
        /// How long it had.
        limit: Duration,
    },
}

/// Why a run did not come to an end that the ledger tells.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The ledger or the leases cannot be read or written.
    #[error("cannot read or write the ledger of monitors")]
    Ledger(#[from] StoreError),
    /// The lease was not renewed in time, so that another analyzer may have begun.
    #[error("the lease ran out in the middle of the run")]
    LeaseLost,
    /// The job failed; the ledger says so too.
    #[error(transparent)]
    Job(#[from] JobError),
}

/// An error with its causes, in one line.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
