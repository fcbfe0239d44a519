//! Monitors: comparisons that run by themselves, window after window, on one or several analyzers.
//!
//! `plan` says which windows are due, and a lease of the store who runs one. `runner` runs one window
//! under its lease and keeps the ledger; `scheduler` does that for all jobs until it is stopped. What a job does with its
//! window is the job's affair: `drift` compares it with a reference, `quality` checks it against what that was, `latency` says how fast it
//! was, `performance` measures it, `fairness` compares groups, `attribution` rankings of features, `experiment` looks at an experiment as of its end, and another kind is a variant of [`Job`].

mod attribution;
mod drift;
mod error;
mod experiment;
mod fairness;
mod job;
mod latency;
mod metrics;
mod performance;
mod period;
mod plan;
mod quality;
mod reopen;
mod runner;
mod scheduler;
mod sums;
mod watched;

pub use attribution::AttributionMonitor;
pub use drift::DriftMonitor;
pub use error::{JobError, RunError};
pub use experiment::ExperimentMonitor;
pub use fairness::FairnessMonitor;
pub use job::{Answer, Job, Outcome};
pub use latency::LatencyMonitor;
pub use metrics::{DEFINITIONS, Definition, Metrics};
pub use performance::PerformanceMonitor;
pub use period::Period;
pub use plan::{ATTEMPTS_MAX, Schedule, jitter_us};
pub use quality::{Expected, QualityMonitor};
pub use reopen::Reopen;
pub use runner::{Again, Ran, Runner};
pub use scheduler::{Options, Scheduler};
pub use sums::SumsKeeper;
pub use watched::Watched;
