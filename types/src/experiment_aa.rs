//! The document `windvane.experiment_aa/1`: how often a comparison finds a difference between halves that were dealt out at random.

use serde::{Deserialize, Serialize};

use crate::experiment::Kind;

/// The value of [`Document::schema`].
pub const SCHEMA: &str = "windvane.experiment_aa/1";

/// The false-positive rate on one's own data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Document {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// A file name.
    pub source: String,
    /// The metric.
    pub metric: String,
    /// What it measures.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// Units with a value.
    pub units: f64,
    /// Random splits with a p-value.
    pub splits: u64,
    /// The accepted chance of a false verdict.
    pub alpha: f64,
    /// Splits with a p-value below alpha.
    pub false_positives: u64,
    /// Their share.
    pub false_positive_rate: Option<f64>,
    /// Its exact 95 % interval.
    pub ci: Option<[f64; 2]>,
    /// Whether alpha lies within: whether the comparison keeps its promise on these data.
    pub alpha_within: Option<bool>,
    /// Which splits.
    pub seed: u64,
}
