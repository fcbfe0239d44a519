//! What rows lose by the value of one column: where a model is wrong most.

use serde::Deserialize;

use super::Frame;
use super::counts::ClassCount;
use crate::{Real, Statement};

/// What a row loses.
#[derive(Debug, Clone, Copy)]
pub enum Loss<'a> {
    /// 1 where the predicted class is not the true one.
    Wrong(ClassCount<'a>),
    /// The distance of the predicted number from the true one.
    Absolute,
}

/// The rows that share one value, or a range of numbers.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct LossRow {
    /// The value; null for missing.
    pub value: Option<String>,
    /// The least and the greatest number of a range; null for words.
    pub low: Option<Real>,
    /// See `low`.
    pub high: Option<Real>,
    /// Rows with target and prediction that count anything.
    pub rows: u64,
    /// Σ loss.
    pub sum: Real,
    /// Σ weight.
    pub weight: Real,
    /// Σ weight².
    pub squares: Real,
    /// Σ weight·loss.
    pub weighted: Real,
    /// Σ weight·loss².
    pub weighted_sq: Real,
    /// Σ weight of all rows, of values beyond the limit too.
    pub all_weight: Real,
    /// Σ weight·loss of these.
    pub all_weighted: Real,
}

/// Asks for the losses by the values of the frame's first column beside its roles, at most `most` of them; a numeric column with
/// more values than that is cut into `ranges` of equal counts.
#[must_use]
pub fn column_losses(frame: &Frame, loss: Loss<'_>, (most, ranges): (usize, usize)) -> Statement {
    let (loss, known) = match loss {
        Loss::Absolute => (
            "abs(assumeNotNull(wv_v) - assumeNotNull(wv_y))".to_owned(),
            "isFinite(wv_v) AND isFinite(wv_y)".to_owned(),
        ),
        Loss::Wrong(classes) => {
            let none = classes.classes.len();
            let (truth, said) = (classes.truth(), classes.predicted());
            (format!("toFloat64({truth} != {said})"), format!("{truth} < {none} AND {said} < {none}"))
        }
    };
    let levels: Vec<String> = (1..ranges).map(|i| format!("{:?}", i as f64 / ranges as f64)).collect();
    let rows = format!(
        "SELECT wv_c0 AS c, wv_n0 AS x, {loss} AS loss, wv_w AS w FROM {{frame}} WHERE {known} AND wv_w > 0"
    );
    // A column of numbers with many values is cut at its own quantiles, all others are taken as they are.
    frame.statement(&format!(
        "WITH (SELECT uniqExact(c) > {most} AND count(x) >= count(c) AND count(x) > 0 FROM ({rows})) AS wv_cut, \
         (SELECT arrayDistinct(arrayMap(q -> ifNull(q, 0.), quantilesExact({})(x))) FROM ({rows})) AS wv_edges \
         SELECT if(wv_cut, NULL, any(c)) AS value, if(wv_cut, min(x), NULL) AS low, if(wv_cut, max(x), NULL) AS high, \
         count() AS rows, sum(loss) AS sum, sum(w) AS weight, sum(w * w) AS squares, sum(w * loss) AS weighted, \
         sum(w * loss * loss) AS weighted_sq, sum(sum(w)) OVER () AS all_weight, sum(sum(w * loss)) OVER () AS all_weighted FROM ({rows}) \
         GROUP BY if(wv_cut, if(isNull(x), NULL, toString(arrayCount(e -> x > e, wv_edges))), c) \
         ORDER BY rows DESC, value, low LIMIT {}",
        levels.join(", "),
        most + 1,
    ))
}
