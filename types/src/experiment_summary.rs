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
    /// `mean`, `proportion`, `ratio` or `quantile`.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// Which quantile, above 0 and below 1.
    #[serde(default)]
    pub quantile: Option<f64>,
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
    /// The same units again within each value of something that was known before they got their arm, for post-stratification of a mean
    /// or a proportion; none, unless given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub strata: Vec<SummaryStratum>,
}

/// The sums of one stratum.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SummaryStratum {
    /// Its name.
    pub stratum: String,
    /// One entry an arm that has units in it.
    pub arms: Vec<StratumArm>,
}

/// The sums of one arm's units in one stratum.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StratumArm {
    /// The arm's name.
    pub arm: String,
    /// Units with a value: a whole number.
    pub n: f64,
    /// Σ value.
    pub sum: f64,
    /// Σ value²; a proportion does without.
    #[serde(default)]
    pub sum_sq: Option<f64>,
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
    /// Σ value (of a ratio: of the numerator; of a quantile: of a unit's rows at or below the estimate).
    pub sum: f64,
    /// Σ value²; a proportion does without.
    #[serde(default)]
    pub sum_sq: Option<f64>,
    /// Σ denominator; of a quantile the denominator is a unit's rows.
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
    /// The quantile of the arm's rows: linear between the two order statistics around rank 1 + (rows - 1)·q.
    #[serde(default)]
    pub estimate: Option<f64>,
    /// The order statistic of rank ⌊rows·q - 1.96·√(rows·q·(1 - q))⌋, 1 at least; without it and `high` there is no interval.
    #[serde(default)]
    pub low: Option<f64>,
    /// The order statistic of rank ⌈rows·q + 1.96·√(rows·q·(1 - q))⌉, the number of rows at most.
    #[serde(default)]
    pub high: Option<f64>,
    /// What the ratio was before the experiment, for its adjustment: in every arm or in none.
    #[serde(default)]
    pub before: Option<SummaryBefore>,
}

/// The sums of a ratio's numerator and denominator before the experiment, over the same units.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SummaryBefore {
    /// Σ numerator before.
    pub sum: f64,
    /// Σ (numerator before)².
    pub sum_sq: f64,
    /// Σ denominator before.
    pub den_sum: f64,
    /// Σ (denominator before)².
    pub den_sum_sq: f64,
    /// Σ numerator before·denominator before.
    pub cross_sum: f64,
    /// Σ numerator·numerator before.
    pub num_num_sum: f64,
    /// Σ numerator·denominator before.
    pub num_den_sum: f64,
    /// Σ denominator·numerator before.
    pub den_num_sum: f64,
    /// Σ denominator·denominator before.
    pub den_den_sum: f64,
}
