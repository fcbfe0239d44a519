//! Counts: what a population holds, its chunks, and how true and predicted classes go together.

use serde::Deserialize;

use super::Frame;
use super::frame::place;
use crate::{Real, Statement};

/// Different classes that a survey tells; more are no classes.
pub const CLASSES_TOLD: usize = 1_001;

/// What a population holds.
#[derive(Debug, Clone, Deserialize)]
pub struct SurveyRow {
    /// Its rows.
    pub rows: u64,
    /// Rows with a target.
    pub labelled: u64,
    /// Rows with a time.
    pub timed: u64,
    /// Different targets as text, in no order.
    pub targets: Vec<String>,
    /// Different predicted classes.
    pub labels: Vec<String>,
    /// The mean of numeric targets; NaN without any.
    pub target_mean: Real,
    /// A column that holds text where a number is needed, or empty.
    pub unreadable: String,
    /// Targets that are text where a number is needed.
    pub targets_not_numeric: u64,
}

/// Asks what a population holds.
#[must_use]
pub fn survey(frame: &Frame) -> Statement {
    frame.statement(&format!(
        "SELECT count() AS rows, count(wv_t) AS labelled, count(wv_time) AS timed, \
         groupUniqArray({CLASSES_TOLD})(wv_t) AS targets, groupUniqArray({CLASSES_TOLD})(wv_l) AS labels, \
         ifNull(avgIf(wv_y, isFinite(wv_y)), nan) AS target_mean, \
         anyIf(wv_unreadable, wv_unreadable != '') AS unreadable, countIf(isNotNull(wv_t) AND isNull(wv_y)) AS targets_not_numeric \
         FROM {{frame}}"
    ))
}

/// One segment of one chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct OutlineRow {
    /// The key of the chunk: ascending, with gaps where periods have no rows.
    pub chunk: i32,
    /// The number of the segment.
    pub segment: u16,
    /// Rows.
    pub rows: u64,
    /// Rows with a target.
    pub labelled: u64,
    /// Rows without a prediction.
    pub unscored: u64,
    /// The earliest time, microseconds since 1970 UTC; null without one.
    pub first_us: Option<i64>,
    /// The latest.
    pub last_us: Option<i64>,
}

/// Asks for the rows of each chunk and segment; `predicted` is what makes a prediction, an expression of the frame.
#[must_use]
pub fn outline(frame: &Frame, predicted: &'static str) -> Statement {
    frame.statement(&format!(
        "SELECT wv_chunk AS chunk, wv_segment AS segment, count() AS rows, count(wv_t) AS labelled, \
         countIf(NOT ({predicted})) AS unscored, min(wv_time) AS first_us, max(wv_time) AS last_us \
         FROM {{frame}} GROUP BY chunk, segment ORDER BY chunk, segment"
    ))
}

/// Rows of one true and one predicted class.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
pub struct CountRow {
    /// The key of the chunk.
    pub chunk: i32,
    /// The number of the segment.
    pub segment: u16,
    /// The place of the true class.
    pub truth: u16,
    /// The place of the predicted class.
    pub predicted: u16,
    /// Σ weight.
    pub weight: f64,
    /// Σ weight².
    pub squares: f64,
}

/// What is counted.
#[derive(Debug, Clone, Copy)]
pub struct ClassCount<'a> {
    /// The classes.
    pub classes: &'a [String],
    /// How a class is predicted where rows do not say so: of two classes from the score, of several the most probable one.
    pub from_label: bool,
    /// The score from which on a row is predicted positive.
    pub threshold: f64,
}

impl ClassCount<'_> {
    /// The place of the predicted class, as an expression of the frame; the number of classes where there is none.
    pub(super) fn predicted(&self) -> String {
        let none = self.classes.len();
        if self.from_label {
            return format!("if(isNull(wv_l), toUInt16({none}), {})", place("wv_l", self.classes));
        }
        format!(
            "if(notEmpty(wv_p), if(arrayExists(x -> isNull(x), wv_p), toUInt16({none}), \
             toUInt16(indexOf(wv_p, arrayMax(wv_p)) - 1)), if(isNull(wv_s), toUInt16({none}), toUInt16(wv_s >= {:?})))",
            self.threshold
        )
    }

    /// The place of the true class.
    pub(super) fn truth(&self) -> String {
        format!("if(isNull(wv_t), toUInt16({}), {})", self.classes.len(), place("wv_t", self.classes))
    }
}

/// Asks how true and predicted classes go together, of rows that have both.
#[must_use]
pub fn class_counts(frame: &Frame, asked: ClassCount<'_>) -> Statement {
    let none = asked.classes.len();
    frame.statement(&format!(
        "SELECT chunk, segment, truth, predicted, sum(wv_w) AS weight, sum(wv_w * wv_w) AS squares FROM (\
         SELECT wv_chunk AS chunk, wv_segment AS segment, wv_w, assumeNotNull({}) AS truth, assumeNotNull({}) AS predicted \
         FROM {{frame}}) WHERE truth < {none} AND predicted < {none} \
         GROUP BY chunk, segment, truth, predicted ORDER BY chunk, segment, truth, predicted",
        asked.truth(),
        asked.predicted(),
    ))
}
