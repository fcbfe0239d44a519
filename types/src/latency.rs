//! The document `windvane.latency/1`: what `windvane latency` prints, and what findings of latency are made of.
//!
//! The order of the fields is the order of the output; fields may be added, never renamed or moved. Lengths of time are microseconds.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::drift::Side;

/// The value of [`Document::schema`].
pub const SCHEMA: &str = "windvane.latency/1";

/// The answer to "is the model still fast?".
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Document {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// What the current rows are compared with; null where there is nothing.
    pub reference: Option<Side>,
    /// The rows in question.
    pub current: Side,
    /// Slower if any group is slower than its reference, breached if any objective burns too fast.
    pub verdict: Verdict,
    /// The confidence of each interval.
    pub confidence: f64,
    /// The relative error of each quantile, beside the interval.
    pub accuracy: f64,
    /// The bound on the chance that latencies without any change are called slower or faster.
    pub alpha: f64,
    /// All rows first, then each cut by its groups, the largest first.
    pub groups: Vec<Group>,
    /// Groups beyond the bound on their number, over all cuts.
    pub groups_left_out: u64,
    /// The service level objectives.
    pub objectives: Vec<Objective>,
}

/// What latencies say in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// An objective burns too fast.
    Breached,
    /// Slower than the reference.
    Slower,
    /// Faster than the reference.
    Faster,
    /// Otherwise spread than the reference, at about the same median.
    Changed,
    /// As the reference.
    Steady,
    /// Too few rows, or nothing to compare with.
    InsufficientData,
}

impl Verdict {
    /// The word of the JSON document.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Breached => "breached",
            Self::Slower => "slower",
            Self::Faster => "faster",
            Self::Changed => "changed",
            Self::Steady => "steady",
            Self::InsufficientData => "insufficient_data",
        }
    }
}

/// Rows that share a value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Group {
    /// What they share, such as `{"version":"8"}`; empty for all rows.
    pub group: BTreeMap<String, Option<String>>,
    /// Rows with a latency that is finite.
    pub n: u64,
    /// Rows whose latency is infinite: neither the mean nor a quantile has them.
    #[serde(default)]
    pub infinite: u64,
    /// The mean.
    pub mean: Option<f64>,
    /// Some quantiles, ascending.
    pub quantiles: Vec<Quantile>,
    /// The comparison with the same group of the reference; null where there is none.
    pub drift: Option<Drift>,
}

impl Group {
    /// Whether it is slower than its reference.
    #[must_use]
    pub fn is_slower(&self) -> bool {
        self.drift.as_ref().is_some_and(|drift| drift.verdict == Verdict::Slower)
    }
}

/// A quantile.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Quantile {
    /// `p50`, `p99.9`.
    pub quantile: String,
    /// The estimate.
    pub value: f64,
    /// The interval; an end is null where so few rows leave it open.
    pub ci: [Option<f64>; 2],
    /// The same quantile of the reference.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reference: Option<f64>,
    /// Its interval.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reference_ci: Option<[Option<f64>; 2]>,
}

/// How a group's latencies changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Drift {
    /// Rows of the reference with a latency that is finite.
    pub n_reference: u64,
    /// Those whose latency is infinite.
    #[serde(default)]
    pub infinite_reference: u64,
    /// Kolmogorov's and Smirnov's distance.
    pub statistic: Option<f64>,
    /// Its floor: a smaller distance is no drift however sure.
    pub threshold: f64,
    /// The chance of such a distance without any change.
    pub p_value: Option<f64>,
    /// The same after correction over all groups.
    pub p_adjusted: Option<f64>,
    /// The quantiles' ratio to the reference, at the levels of the group.
    pub ratios: Vec<Option<f64>>,
    /// In a word.
    pub verdict: Verdict,
}

/// A service level objective.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Objective {
    /// The share of events that are to be good.
    pub objective: f64,
    /// The longest good latency.
    pub threshold_us: f64,
    /// The end of all windows.
    pub as_of: String,
    /// One entry a rule, the most urgent first.
    pub rules: Vec<Rule>,
    /// The urgency of the most urgent rule that fires; `ok` where none does.
    pub verdict: String,
}

impl Objective {
    /// Whether a rule fires.
    #[must_use]
    pub fn burns(&self) -> bool {
        self.verdict != "ok"
    }
}

/// What a rule says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    /// `page` or `ticket`.
    pub urgency: String,
    /// The burn that both windows must exceed.
    pub factor: f64,
    /// The long window.
    pub long: Window,
    /// The short window.
    pub short: Window,
    /// The chance of so many bad events in the long window at a burn of just that factor.
    pub p_value: Option<f64>,
    /// Whether it fires.
    pub fires: bool,
}

/// A window that ends now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Window {
    /// Its length, seconds.
    pub window_s: u64,
    /// Its events.
    pub events: u64,
    /// Those that were too slow or failed.
    pub bad: u64,
    /// How many times as fast as allowed the budget is used up; null without events.
    pub burn: Option<f64>,
}
