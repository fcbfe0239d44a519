//! What is measured on what, and by which rule.

use std::collections::BTreeMap;

use windvane_stats::performance::ranking::WithoutRelevant;
use windvane_stats::performance::threshold::Deviations;
use windvane_store::findings::performance::Compared;
use windvane_store::performance::{Incomplete, Period, Roles};
use windvane_store::populations::Population;
use windvane_types::performance::Task;

use crate::drift::SegmentBounds;

/// Chunks of one population; more are no chunks.
pub const CHUNKS_MAX: u64 = 10_000;
/// Classes of a task.
pub const CLASSES_MAX: usize = 100;

/// A measurement to make.
#[derive(Debug, Clone)]
pub struct PerformanceRequest {
    /// The population that has targets.
    pub reference: Population,
    /// The population in question; some or all of its rows may have none.
    pub current: Population,
    /// What is predicted, and how it is read.
    pub question: Question,
    /// Earlier windows on which the main metric was estimated and measured: trust looks at them too.
    pub past: Vec<Compared>,
}

/// Everything but the rows.
#[derive(Debug, Clone)]
pub struct Question {
    /// What the model predicts.
    pub task: Task,
    /// Which columns say what.
    pub roles: Roles,
    /// The class that the score is of, where it is not plain.
    pub positive: Option<String>,
    /// The score from which on a row is predicted positive.
    pub threshold: f64,
    /// How rows are cut.
    pub cut: Cut,
    /// What becomes of rows at the end.
    pub incomplete: Incomplete,
    /// The columns that cut segments.
    pub segment_by: Vec<String>,
    /// Which of the segments are looked at.
    pub segments: SegmentBounds,
    /// How metrics become alerts.
    pub rule: Rule,
    /// How many items of a ranking are looked at.
    pub k: usize,
    /// What groups without a relevant item count as.
    pub without_relevant: WithoutRelevant,
    /// The quantile of the pinball loss.
    pub quantile: f64,
    /// Whether metrics are estimated without targets.
    pub estimate: bool,
    /// Whether the relation between features and target is looked at.
    pub concept_drift: bool,
    /// How many of the weakest segments are told; 0 to look for none.
    pub weakest: usize,
    /// The columns that loss models read; all that fit where `None`.
    pub features: Option<Vec<String>>,
}

/// How both populations are cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// Into chunks of so many rows.
    Rows(u64),
    /// Into so many chunks.
    Chunks(u64),
    /// By the calendar.
    Period(Period),
    /// Into spans of one length, one of which begins at the anchor, microseconds since 1970 UTC.
    Length {
        /// Where one begins.
        anchor_us: i64,
        /// How long they are.
        length_us: i64,
    },
}

/// How metrics become alerts.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// The level of the intervals.
    pub confidence: f64,
    /// How wide thresholds are.
    pub deviations: Deviations,
    /// Ends that were given: metric → lower, upper.
    pub fixed: BTreeMap<String, [Option<f64>; 2]>,
    /// Labelled rows that a chunk needs for an alert.
    pub min_rows: u64,
}

impl Default for Rule {
    fn default() -> Self {
        Self { confidence: 0.95, deviations: Deviations::default(), fixed: BTreeMap::new(), min_rows: 30 }
    }
}
