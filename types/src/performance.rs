//! The document `windvane.performance/1`: what `windvane performance` prints, and what findings of performance are made of.
//!
//! The order of the fields is the order of the output; fields may be added, never renamed or moved.

mod change;
mod metrics;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use change::{Change, deciding};
pub use metrics::METRICS;

use crate::drift::Side;

/// The value of [`Document::schema`].
pub const SCHEMA: &str = "windvane.performance/1";

/// The answer to "is the model still right?".
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Document {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// What the model predicts.
    pub task: Task,
    /// The population that thresholds, calibration and loss models come from.
    pub reference: Side,
    /// The population in question.
    pub current: Side,
    /// Alert if any metric of any chunk, also of a segment, left its threshold.
    pub verdict: Verdict,
    /// The class that the score is of; only of binary tasks.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub positive: Option<String>,
    /// The classes, in the order of confusion matrices; none of regression and ranking.
    pub classes: Vec<String>,
    /// The level of the intervals.
    pub confidence: f64,
    /// How thresholds were made.
    pub threshold_rule: String,
    /// The current population, chunk by chunk.
    pub chunks: Vec<Chunk>,
    /// The reference, chunk by chunk: what thresholds were made of.
    pub reference_chunks: Vec<Chunk>,
    /// The same by segment, for segments asked for.
    pub segments: Vec<Segment>,
    /// Segments that were left out: the smallest ones beyond the bound on their number.
    pub segments_left_out: u64,
    /// Where the model is wrong most, found by itself among all columns.
    pub weakest_segments: WeakestSegments,
    /// Whether estimates of this model have been near the truth.
    pub trust: Trust,
    /// Whether the relation between features and target changed, where that was asked.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub concept_drift: Option<ConceptDrift>,
}

/// What a model predicts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// One of two classes.
    Binary,
    /// One of several classes.
    Multiclass,
    /// A number.
    Regression,
    /// An order of items.
    Ranking,
}

impl Task {
    /// The word of the JSON document.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Binary => "binary",
            Self::Multiclass => "multiclass",
            Self::Regression => "regression",
            Self::Ranking => "ranking",
        }
    }

    /// Whether a metric of [`METRICS`] is one of this task.
    #[must_use]
    pub fn has(self, metric: &str) -> bool {
        match metric {
            "accuracy" | "log_loss" | "brier" | "ece" => matches!(self, Self::Binary | Self::Multiclass),
            "roc_auc" | "pr_auc" | "precision" | "recall" | "specificity" | "f1" => self == Self::Binary,
            "ndcg" | "map" | "mrr" | "hit_rate" | "precision_at_k" | "recall_at_k" => self == Self::Ranking,
            averaged if ["_macro", "_micro", "_weighted"].iter().any(|of| averaged.ends_with(of)) => {
                self == Self::Multiclass
            }
            _ => self == Self::Regression,
        }
    }
}

/// What the run says in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// A metric left its threshold.
    Alert,
    /// Enough rows, and none did.
    NoAlert,
    /// No chunk had enough rows and a threshold.
    InsufficientData,
}

impl Verdict {
    /// The word of the JSON document.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Alert => "alert",
            Self::NoAlert => "no_alert",
            Self::InsufficientData => "insufficient_data",
        }
    }
}

/// A part of a population: rows in order, or a span of time.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Chunk {
    /// Its number, from 0.
    pub chunk: u64,
    /// Its start: of the period, or the time of its earliest row; null where rows have no time.
    pub start: Option<String>,
    /// Its end: of the period (excluded), or the time of its latest row.
    pub end: Option<String>,
    /// Its rows.
    pub n: u64,
    /// Rows with a target.
    pub labelled: u64,
    /// Their share.
    pub coverage: Option<f64>,
    /// Rows without a prediction: of no use even with a target.
    pub unscored: u64,
    /// Rows with a target and a prediction: what realised metrics are of.
    #[serde(default)]
    pub measured: u64,
    /// Groups of items, of ranking.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub groups: Option<u64>,
    /// Groups without a relevant item, which are left out.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub groups_without_relevant: Option<u64>,
    /// Too few rows for an alert.
    pub insufficient_data: bool,
    /// One entry a metric.
    pub metrics: Vec<Metric>,
    /// Rows by true class (outer) and predicted class (inner); weights where rows have them.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub confusion_matrix: Vec<Vec<f64>>,
    /// How often what was said with some probability came true.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub calibration: Vec<CalibrationBin>,
    /// How much richer in positives the highest scores are.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub lift: Vec<Lift>,
}

/// One metric of one chunk.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Metric {
    /// Its name in the contract.
    pub metric: String,
    /// Its value on rows with a target; null where it is not defined there.
    pub realised: Option<f64>,
    /// Its interval.
    pub ci: Option<[f64; 2]>,
    /// Its value as estimated without targets; null where no estimator has it.
    pub estimated: Option<f64>,
    /// Three sampling errors around the estimate.
    pub estimate_band: Option<[f64; 2]>,
    /// What is usual: an end is null where it is open.
    pub threshold: Option<[Option<f64>; 2]>,
    /// How many chunks of the reference its ends were learnt from; null where both were given.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub threshold_chunks: Option<u64>,
    /// Whether the realised value left the threshold; without one, or where it is of too few rows, the estimated value of an
    /// estimator that is not muted.
    pub alert: bool,
    /// Which way it left.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub change: Option<Change>,
    /// How the interval was made.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ci_method: Option<String>,
    /// Why the realised value is null.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
}

/// A bin of the calibration curve: probabilities above `low` up to `high`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CalibrationBin {
    /// Excluded, but for 0.
    pub low: f64,
    /// Included.
    pub high: f64,
    /// Rows, or their weight.
    pub n: f64,
    /// The mean probability that was said.
    pub mean_score: f64,
    /// The share that came true.
    pub observed: f64,
    /// The share's interval.
    #[serde(default)]
    pub ci: Option<[f64; 2]>,
}

/// The highest scores.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Lift {
    /// Which share of all rows.
    pub share: f64,
    /// The share of all positives among them.
    pub gain: f64,
    /// How much richer in positives they are than all rows.
    pub lift: f64,
    /// Its interval; the gain's is this times the share.
    #[serde(default)]
    pub ci: Option<[f64; 2]>,
}

/// The chunks of the rows that share the values of the segment's columns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Segment {
    /// Column → value; null for missing.
    pub segment: BTreeMap<String, Option<String>>,
    /// Rows of the reference in it.
    pub rows_reference: u64,
    /// Rows of the current population in it.
    pub rows_current: u64,
    /// Alert if any of its chunks alerts.
    pub verdict: Verdict,
    /// The current population, chunk by chunk.
    pub chunks: Vec<Chunk>,
    /// The reference, chunk by chunk.
    pub reference_chunks: Vec<Chunk>,
    /// Metrics whose estimates raise no alert within it: on its own chunks they have been wrong, whatever they are elsewhere.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub muted: Vec<String>,
}

/// Where the model is wrong most.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct WeakestSegments {
    /// What a row loses: `error_rate` or `absolute_error`; null where none was looked for.
    pub loss: Option<String>,
    /// Its mean over all labelled rows.
    pub overall: Option<f64>,
    /// How many segments were looked at: p-values are corrected for that many looks.
    pub looked_at: u64,
    /// Columns that were not looked at, because they have too many values or another type.
    pub columns_left_out: u64,
    /// The weakest ones, the surest first.
    pub segments: Vec<WeakSegment>,
}

/// A segment on which the model loses more than elsewhere.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WeakSegment {
    /// The column.
    pub column: String,
    /// Its value, or a range of it; null for missing.
    pub value: Option<String>,
    /// Labelled rows that count anything.
    pub n: u64,
    /// Their mean loss, by their weights.
    pub loss: f64,
    /// The mean loss of all others.
    pub loss_elsewhere: f64,
    /// The interval of the difference.
    pub difference_ci: Option<[f64; 2]>,
    /// The chance of at least this difference if there were none: the larger of Welch's and Student's.
    pub p_value: f64,
    /// The same after Holm's correction over all segments that were looked at.
    pub p_adjusted: f64,
}

/// Whether an estimator has been near the truth, on chunks that have both.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trust {
    /// The metric that is compared.
    pub metric: String,
    /// The mean distance of estimate and truth.
    pub mean_absolute_error: Option<f64>,
    /// The share of chunks whose truth lies in the band of the estimate, widened by the truth's own interval.
    pub coverage_of_band: Option<f64>,
    /// `muted`: the estimator has been wrong and raises no alert.
    pub verdict: TrustVerdict,
    /// Chunks with both.
    pub chunks: u64,
}

/// Whether an estimator may raise alerts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrustVerdict {
    /// Truth and estimate agreed.
    Trusted,
    /// They did not: estimates are shown and raise no alert.
    Muted,
    /// Too few chunks have both.
    Unknown,
}

impl TrustVerdict {
    /// The word of the JSON document.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Trusted => "trusted",
            Self::Muted => "muted",
            Self::Unknown => "unknown",
        }
    }
}

/// Whether the relation between features and target changed, by a model of the monitored window.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ConceptDrift {
    /// `drift`, `no_drift` or `insufficient_data`.
    pub verdict: crate::drift::Verdict,
    /// The metric of the effect.
    pub metric: String,
    /// What the monitored model has on the reference.
    pub reference: Option<f64>,
    /// What it would have there if the relation were that of the monitored window.
    pub under_new_concept: Option<f64>,
    /// The second minus the first.
    pub estimated_effect: Option<f64>,
    /// The standard deviation of that difference without any change, by models of parts of the reference.
    pub noise: Option<f64>,
    /// What chance alone goes beyond in one window of a hundred: a greater effect is drift.
    #[serde(default)]
    pub chance: Option<f64>,
    /// The chance of so great an effect without any change; null where the models of the reference say the same.
    #[serde(default)]
    pub p_value: Option<f64>,
    /// Rows that the models were fitted on.
    pub fitted_on: u64,
    /// Why there is no answer.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
}

impl ConceptDrift {
    /// What chance alone makes; three times the noise where it was kept before it was told.
    #[must_use]
    pub fn by_chance(&self) -> Option<f64> {
        self.chance.or_else(|| self.noise.map(|noise| 3.0 * noise))
    }
}
