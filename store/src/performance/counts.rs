//! Counts: what a population holds, its chunks, and how true and predicted classes go together.

use serde::Deserialize;

use super::Frame;
use super::frame::{place, texts};
use crate::{Real, Statement};

/// Rows that a tally answers at most: chunks × segments × pairs of classes. More are no classes.
pub const TALLY_MAX: usize = 1_000_000;

/// How many rows there are.
#[derive(Debug, Clone, Copy, Deserialize)]
pub struct RowsRow {
    /// So many.
    pub rows: u64,
    /// So many of them have a time.
    pub timed: u64,
}

/// Asks how many rows there are, and how many of them have a time.
#[must_use]
pub fn rows(frame: &Frame) -> Statement {
    frame.statement("SELECT count() AS rows, countIf(isNotNull(wv_time)) AS timed FROM {frame}")
}

/// Asks the same of the rows that have a target.
#[must_use]
pub fn rows_with_target(frame: &Frame) -> Statement {
    frame.statement(
        "SELECT count() AS rows, countIf(isNotNull(wv_time)) AS timed FROM {frame} WHERE isNotNull(wv_t)",
    )
}

/// What says which class is predicted.
#[derive(Debug, Clone, Copy)]
pub enum Said<'a> {
    /// A column with the class.
    Label,
    /// The score, from this on: `1` or `0`.
    Score(f64),
    /// The greatest of the probabilities of these classes.
    Probabilities(&'a [(String, String)]),
    /// No class is predicted, and none is true.
    Nothing,
}

/// Rows of one chunk and segment that share the true and the predicted class.
#[derive(Debug, Clone, Deserialize)]
pub struct TallyRow {
    /// The key of the chunk: ascending, with gaps where periods have no rows.
    pub chunk: i32,
    /// The number of the segment.
    pub segment: u16,
    /// The true class; null where it is not known, and of tasks without classes.
    pub truth: Option<String>,
    /// The predicted class; null where there is none.
    pub said: Option<String>,
    /// Rows.
    pub rows: u64,
    /// Rows with a target.
    pub labelled: u64,
    /// Rows without a prediction.
    pub unscored: u64,
    /// Rows with a target and a prediction.
    pub measured: u64,
    /// The earliest time, microseconds since 1970 UTC; null without one.
    pub first_us: Option<i64>,
    /// The latest.
    pub last_us: Option<i64>,
    /// Σ weight.
    pub weight: Real,
    /// Σ weight².
    pub squares: Real,
    /// The sum of finite numeric targets.
    pub target_sum: Real,
    /// How many there are.
    pub target_rows: u64,
    /// A column that holds text where a number is needed, or empty.
    pub unreadable: String,
    /// Targets that are text where a number is needed.
    pub targets_not_numeric: u64,
}

/// Asks for the rows of each chunk and segment by true and predicted class; `predicted` is what makes a prediction, an
/// expression of the frame.
#[must_use]
pub fn tally(frame: &Frame, said: Said<'_>, predicted: &'static str) -> Statement {
    let none = "CAST(NULL, 'Nullable(String)')";
    let (truth, said) = match said {
        Said::Nothing => (none, none.to_owned()),
        Said::Label => ("wv_t", "wv_l".to_owned()),
        Said::Score(threshold) => (
            "wv_t",
            format!("if(isNull(wv_s), NULL, toString(toUInt8(assumeNotNull(wv_s) >= {threshold:?})))"),
        ),
        Said::Probabilities(classes) => (
            "wv_t",
            format!(
                "if(arrayExists(x -> isNull(x), wv_p), NULL, {}[indexOf(wv_p, arrayMax(wv_p))])",
                texts(&classes.iter().map(|(class, _)| class.clone()).collect::<Vec<_>>())
            ),
        ),
    };
    frame.statement(&format!(
        "SELECT wv_chunk AS chunk, wv_segment AS segment, {truth} AS truth, {said} AS said, count() AS rows, \
         count(wv_t) AS labelled, countIf(NOT ({predicted})) AS unscored, countIf(isNotNull(wv_t) AND ({predicted})) AS measured, \
         min(wv_time) AS first_us, max(wv_time) AS last_us, \
         sum(wv_w) AS weight, sum(wv_w * wv_w) AS squares, ifNull(sumIf(wv_y, isFinite(wv_y)), 0) AS target_sum, \
         countIf(isFinite(wv_y)) AS target_rows, anyIf(wv_unreadable, wv_unreadable != '') AS unreadable, \
         countIf(isNotNull(wv_t) AND isNull(wv_y)) AS targets_not_numeric \
         FROM {{frame}} GROUP BY chunk, segment, truth, said ORDER BY chunk, segment, truth, said LIMIT {}",
        TALLY_MAX + 1
    ))
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
