//! How traffic would be dealt out next if earning mattered more than knowing: advice, never a verdict.

use serde::{Deserialize, Serialize};

/// Advice by one metric.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Advice {
    /// The metric.
    pub metric: String,
    /// The column below the line of a ratio.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub denominator: Option<String>,
    /// The level of a quantile.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub quantile: Option<f64>,
    /// One entry an arm, the control among them.
    pub arms: Vec<ArmAdvice>,
    /// What following it costs, in one sentence.
    pub caution: String,
}

/// Advice for one arm.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ArmAdvice {
    /// The arm.
    pub arm: String,
    /// The chance that it is the best of all arms.
    pub probability_best: f64,
    /// Its share of the next units by Thompson's rule, at least a hundredth.
    pub thompson: f64,
    /// Its share by the top-two rule, which keeps testing the runner-up.
    pub top_two: f64,
}
