//! The document `windvane.attribution/1`: what `windvane attribution` prints.
//!
//! The order of the fields is the order of the output; fields may be added, never renamed or moved.

use serde::{Deserialize, Serialize};

use crate::drift::{Side, Verdict};

/// The value of [`Document::schema`].
pub const SCHEMA: &str = "windvane.attribution/1";

/// The answer to "does the model still decide by the same features?".
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Document {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// What the current rows are compared with.
    pub reference: Side,
    /// The rows in question.
    pub current: Side,
    /// Drift where `ndcg` is below the threshold and chance does not explain that, or a feature has vanished or is new.
    pub verdict: Verdict,
    /// How well the current ranking of features keeps the reference's; 1 where it does, null where nothing was attributed.
    pub ndcg: Option<f64>,
    /// The 2.5 % and 97.5 % quantiles of it under the error of the mean attributions, seeded draws, with `ndcg` between; up to 1 where chance
    /// explains `ndcg`.
    pub ci: Option<[f64; 2]>,
    /// Below this it is drift, where `p_value` is below 0.01.
    pub threshold: f64,
    /// The seed of the draws.
    pub seed: u64,
    /// One entry a feature, the most important of the reference first.
    pub features: Vec<Feature>,
    /// Features without any attribution in the current rows, of which the reference has so many that there should be enough.
    #[serde(default)]
    pub vanished_features: Vec<String>,
    /// Features without any in the reference, of which the current rows have as many.
    #[serde(default)]
    pub new_features: Vec<String>,
    /// The chance of a ranking that is kept no better where both sides attribute alike; seeded draws. Null where nothing was attributed.
    #[serde(default)]
    pub p_value: Option<f64>,
}

/// A feature.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Feature {
    /// Its name, without the prefix of its column.
    pub feature: String,
    /// The mean of the absolute attributions in the reference; 0 where it has none.
    pub importance_reference: f64,
    /// The same in the current rows.
    pub importance_current: f64,
    /// Its place in the reference, from 1.
    pub rank_reference: u64,
    /// Its place in the current rows.
    pub rank_current: u64,
    /// Attributions in the reference.
    pub n_reference: u64,
    /// Attributions in the current rows.
    pub n_current: u64,
}

/// The names of the features that only the reference has attributions of, and of those that only the current rows have.
#[must_use]
pub fn one_sided(features: &[Feature]) -> [Vec<&str>; 2] {
    let names = |is: fn(&Feature) -> bool| {
        features.iter().filter(|feature| is(feature)).map(|feature| feature.feature.as_str()).collect()
    };
    [
        names(|feature| feature.n_reference > 0 && feature.n_current == 0),
        names(|feature| feature.n_reference == 0 && feature.n_current > 0),
    ]
}
