//! The document `windvane.fairness/1`: what `windvane fairness` prints.
//!
//! The order of the fields is the order of the output; fields may be added, never renamed or moved.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The value of [`Document::schema`].
pub const SCHEMA: &str = "windvane.fairness/1";

/// What groups are compared by; calibration is of a group alone.
pub const METRICS: [&str; 4] =
    ["demographic_parity", "equal_opportunity", "predictive_parity", "calibration"];

/// The answer to "does the model treat groups alike?".
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Document {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// A file name, or a description of a part of the store.
    pub source: String,
    /// Rows.
    pub rows: u64,
    /// The group that the others are compared with.
    pub reference_group: Option<BTreeMap<String, Option<String>>>,
    /// Fail if any gap fails; pass only where groups were compared, which calibration alone does not.
    pub verdict: Verdict,
    /// The bound on the chance that groups that are treated alike fail.
    pub alpha: f64,
    /// How p-values are corrected over groups and metrics.
    pub correction: String,
    /// Rows that a share needs on both sides before it is judged.
    pub min_rows: u64,
    /// The gap up to which no difference is called one, however sure.
    pub max_gap: f64,
    /// One entry a group, the largest first.
    pub groups: Vec<Group>,
    /// Groups beyond the bound on their number.
    pub groups_left_out: u64,
}

/// What a gap says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// No gap, or none that is large and sure.
    Pass,
    /// A gap above the bound that chance does not explain.
    Fail,
    /// Too few rows to say either.
    InsufficientData,
}

impl Verdict {
    /// The word of the JSON document.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::InsufficientData => "insufficient_data",
        }
    }
}

/// A group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Group {
    /// What its rows share.
    pub group: BTreeMap<String, Option<String>>,
    /// Rows with a decision.
    pub n: u64,
    /// Those with an outcome too.
    pub labelled: u64,
    /// One entry a metric that the columns allow.
    pub gaps: Vec<Gap>,
}

/// One metric of a group against the reference group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Gap {
    /// `demographic_parity`, `equal_opportunity`, `predictive_parity` or `calibration`.
    pub metric: String,
    /// The group's share; of calibration the share of positive outcomes.
    pub value: Option<f64>,
    /// The reference group's share; of calibration the mean score.
    pub reference: Option<f64>,
    /// The difference.
    pub gap: Option<f64>,
    /// Its interval.
    pub ci: Option<[f64; 2]>,
    /// Two-sided.
    pub p_value: Option<f64>,
    /// The same after correction.
    pub p_adjusted: Option<f64>,
    /// Rows that the share is of.
    pub n: u64,
    /// Those of the reference group.
    pub n_reference: u64,
    /// In a word.
    pub verdict: Verdict,
}
