//! Experiments: rows of units in arms in, or sums of them, the document `windvane.experiment/1` out.
//!
//! The engine reduces, this decides: `gather` asks for sums by arm, `compare` hands them to the estimators of `stats`, and
//! `judge` turns estimates into words. Nothing here holds rows.

mod aa;
mod advice;
mod anytime;
mod at_once;
mod beside;
mod compare;
mod cuts;
mod deciding;
mod error;
mod facts;
mod forms;
mod gather;
mod health;
pub mod inference;
mod judge;
mod kept;
mod looks;
pub mod metric;
mod opened;
mod quantiles;
mod request;
mod sequence_method;
mod shares;
mod stored;
mod stored_timing;
mod summary;
mod traffic;
mod verdicts;

use windvane_store::Reader;
use windvane_types::{experiment::Document, experiment_summary::Summary};

pub use aa::{AaRequest, SEED, SPLITS_DEFAULT, run_aa};
pub use cuts::{Cuts, SEGMENTS_MAX, STRATA_MAX};
pub use error::ExperimentError;
pub use judge::SRM_BELOW;
pub use metric::{Before, Cap, Limits, Measured, Metric};
pub use request::{ExperimentRequest, FamilyCorrection, LookedAt, PRIMARY_SHARE, Rule, TUNING};
pub use sequence_method::SequenceMethod;
pub use stored::{StoredChecks, StoredExperiment, StoredMetric, keep_stored, run_stored};
pub use traffic::{Traffic, as_if, days_until, traffic};

/// Compares the arms of an experiment over its rows.
///
/// # Errors
/// When a column is missing or no numbers, when there is no second arm or no control, or when a statement fails.
pub async fn run(reader: &Reader, request: &ExperimentRequest) -> Result<Document, ExperimentError> {
    let facts = gather::gather(reader, request).await?;
    judged(&facts, &request.rule)
}

/// Compares the arms of an experiment over sums that another program made.
///
/// # Errors
/// When the sums are incomplete or cannot be those of any units.
pub fn run_summary(summary: &Summary, source: &str, rule: &Rule) -> Result<Document, ExperimentError> {
    let facts = summary::facts(summary, source)?;
    judged(&facts, &Rule { control: summary.control.clone(), ..rule.clone() })
}

fn judged(facts: &facts::Facts, rule: &Rule) -> Result<Document, ExperimentError> {
    let control = facts.arm(&rule.control).ok_or_else(|| ExperimentError::NoControl {
        control: rule.control.clone(),
        known: facts.arms.iter().map(|arm| arm.name.clone()).collect(),
    })?;
    Ok(judge::judge(facts, control, rule))
}
