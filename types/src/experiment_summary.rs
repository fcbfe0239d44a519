//! The document `windvane.experiment_summary/1`: sufficient statistics of an experiment, made by another program.

use serde::{Deserialize, Serialize};

use crate::experiment::Kind;

/// The value of [`Summary::schema`].
pub const SCHEMA: &str = "windvane.experiment_summary/1";

/// Sums by metric and arm.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// The arm that the others are compared with.
    pub control: String,
    /// One entry a metric; the weights of the first one's arms say how units were to be dealt out.
    pub metrics: Vec<SummaryMetric>,
}

/// The sums of a metric.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SummaryMetric {
    /// Its name.
    pub metric: String,
    /// `mean`, `proportion` or `ratio`.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// Which way is better; more, unless said otherwise.
    #[serde(default)]
    pub better: crate::experiment::Better,
    /// The relative margin of equivalence; none, unless given.
    #[serde(default)]
    pub margin: Option<f64>,
    /// What it is for; it decides, unless said otherwise.
    #[serde(default)]
    pub role: crate::experiment::Role,
    /// One entry an arm.
    pub arms: Vec<SummaryArm>,
}

/// The sums of one arm: Σ over its units.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SummaryArm {
    /// Its name.
    pub arm: String,
    /// The share of units that it should get.
    #[serde(default)]
    pub weight: Option<f64>,
    /// Units with a value: a whole number.
    pub n: f64,
    /// Σ value (of a ratio: of the numerator).
    pub sum: f64,
    /// Σ value²; a proportion does without.
    #[serde(default)]
    pub sum_sq: Option<f64>,
    /// Σ denominator.
    #[serde(default)]
    pub den_sum: Option<f64>,
    /// Σ denominator².
    #[serde(default)]
    pub den_sum_sq: Option<f64>,
    /// Σ covariate.
    #[serde(default)]
    pub cov_sum: Option<f64>,
    /// Σ covariate².
    #[serde(default)]
    pub cov_sum_sq: Option<f64>,
    /// Σ numerator·denominator, or Σ value·covariate.
    #[serde(default)]
    pub cross_sum: Option<f64>,
}
