//! How many rows of each arm lie below, at and above candidate values: what a quantile needs that may be looked at any time.

use serde::Deserialize;

use super::{
    Question,
    orders::{literal, of_one_arm},
};
use crate::{Real, Statement};

/// Rows of one arm about one candidate value.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
pub struct AroundRow {
    /// The arm's place.
    pub arm: u32,
    /// The largest candidate at or below the rows, or the smallest one where there is none.
    pub value: Real,
    /// -1 for rows below the smallest candidate, 0 for rows at the value, 1 for rows between it and the next one.
    pub side: i8,
    /// How many.
    pub rows: u64,
}

/// Asks for the rows of the first measure about candidate values, ascending and different. `several` says that there are units in
/// several arms, whose rows do not count.
#[must_use]
pub fn around(question: Question<'_>, candidates: &[f64], several: bool) -> Statement {
    let values: Vec<String> = candidates.iter().map(|value| literal(*value)).collect();
    Statement::new(format!(
        "SELECT wv_code AS arm, wv_at AS value, wv_side AS side, count() AS rows FROM (\
         SELECT wv_code, roundDown(assumeNotNull(wv_v0), [{}]::Array(Float64)) AS wv_at, \
         multiIf(assumeNotNull(wv_v0) < wv_at, -1, assumeNotNull(wv_v0) = wv_at, 0, 1) AS wv_side \
         FROM {} WHERE isNotNull(wv_v0) AND wv_code < {}) GROUP BY wv_code, wv_at, wv_side",
        values.join(", "),
        of_one_arm(&question, several),
        question.arms.len(),
    ))
    .setting("output_format_json_quote_denormals", 1)
}
