//! The looks that were taken at an experiment with planned looks, as its findings keep them: what a later look shares its alpha with.

use serde::Deserialize;

use crate::{Param, Statement};

/// One look at one metric of one arm over all units.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct LookTaken {
    /// The metric.
    pub metric: String,
    /// The arm.
    pub arm: String,
    /// Exposures before this time were looked at, microseconds since 1970 UTC.
    pub as_of_us: i64,
    /// Units of all arms but those that were named.
    pub units: u64,
    /// Units of the arm with a value.
    pub n: u64,
    /// Units of the control with a value.
    pub n_control: u64,
    /// Estimate of the arm.
    pub mean: Option<f64>,
    /// Estimate of the control.
    pub mean_control: Option<f64>,
    /// The difference.
    pub absolute: Option<f64>,
    /// `ok` or `mismatch`.
    pub srm_verdict: String,
    /// How many standard errors would have decided; `None` where the look had nothing to spend.
    pub boundary: Option<f64>,
    /// The repeated p-value.
    #[serde(rename = "repeated")]
    pub p_value: Option<f64>,
    /// What was compared; empty where it was not recorded yet.
    pub definition: String,
    /// By which plan; empty where it was not recorded yet.
    pub plan: String,
}

/// Asks for every look at an experiment that had a boundary, and for the one as of this time also where it had none, in time. The rows are
/// [`LookTaken`]; units of the arms `without` do not count.
#[must_use]
pub fn looks_taken(experiment: &str, as_of_us: i64, without: &[&str]) -> Statement {
    Statement::new(TAKEN)
        .param("experiment", experiment)
        .param("as_of", as_of_us)
        .param("without", Param::texts(without))
}

/// Of two looks as of one time the later one counts. A look is known by its document, which is written last.
const TAKEN: &str = "
    SELECT metric, arm, toUnixTimestamp64Micro(found.as_of) AS as_of_us, looks.dealt AS units, n, n_control, mean, mean_control,
           absolute, srm_verdict, JSONExtract(detail, 'group_sequential', 'boundary', 'Nullable(Float64)') AS boundary,
           JSONExtract(detail, 'group_sequential', 'p_value', 'Nullable(Float64)') AS repeated,
           JSONExtractString(detail, 'group_sequential', 'definition') AS definition,
           JSONExtractString(detail, 'group_sequential', 'plan') AS plan
    FROM windvane.experiment_findings AS found FINAL
    INNER JOIN (
        SELECT as_of, max(computed_at) AS last,
               argMax(JSONExtract(document, 'arms', 'Array(Tuple(arm String, n UInt64))'), computed_at) AS arms,
               arraySum(came -> if(has({without:Array(String)}, tupleElement(came, 'arm')), 0, tupleElement(came, 'n')), arms) AS dealt
        FROM windvane.experiment_looks WHERE experiment = {experiment:String} GROUP BY as_of
    ) AS looks ON looks.as_of = found.as_of AND looks.last = found.computed_at
    WHERE found.experiment = {experiment:String} AND segment_key = '' AND JSONHas(detail, 'group_sequential')
      AND (boundary IS NOT NULL OR found.as_of = fromUnixTimestamp64Micro({as_of:Int64}, 'UTC'))
    ORDER BY as_of_us, metric, arm";

/// Looks at one metric of one arm over all units that decided by another inference, with an error of its own.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct LooksByAnother {
    /// The metric.
    pub metric: String,
    /// The arm.
    pub arm: String,
    /// By what they decided, such as `fixed`.
    pub inference: String,
    /// How many they are.
    pub times: u64,
}

/// Asks how many looks with a difference there were as of times between both, microseconds since 1970 UTC, by another inference than this.
/// The rows are [`LooksByAnother`].
#[must_use]
pub fn looks_by_another(experiment: &str, inference: &str, (after_us, before_us): (i64, i64)) -> Statement {
    Statement::new(BY_ANOTHER)
        .param("experiment", experiment)
        .param("own", inference)
        .param("after", after_us)
        .param("before", before_us)
}

const BY_ANOTHER: &str = "
    SELECT metric, arm, JSONExtractString(detail, 'decision', 'inference') AS inference, uniqExact(found.as_of) AS times
    FROM windvane.experiment_findings AS found FINAL
    INNER JOIN (
        SELECT as_of, max(computed_at) AS last
        FROM windvane.experiment_looks WHERE experiment = {experiment:String} GROUP BY as_of
    ) AS looks ON looks.as_of = found.as_of AND looks.last = found.computed_at
    WHERE found.experiment = {experiment:String} AND segment_key = '' AND absolute IS NOT NULL
      AND inference NOT IN ('', {own:String})
      AND found.as_of > fromUnixTimestamp64Micro({after:Int64}, 'UTC')
      AND found.as_of < fromUnixTimestamp64Micro({before:Int64}, 'UTC')
    GROUP BY metric, arm, inference
    ORDER BY metric, arm, inference";
