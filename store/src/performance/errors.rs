//! Sums of the errors of predicted numbers, by chunk and segment.

use serde::Deserialize;

use super::Frame;
use crate::{Real, Statement};

/// What is asked.
#[derive(Debug, Clone, Copy)]
pub struct ErrorsAsked {
    /// The quantile of the pinball loss, above 0 and below 1.
    pub quantile: f64,
    /// What is taken from targets before they are multiplied with each other, so that a large mean costs no digits.
    pub origin: f64,
}

/// Sums over the rows of one segment of one chunk that have a target and a prediction: each entry Σwx.
#[derive(Debug, Clone, Copy, Deserialize)]
pub struct ErrorRow {
    /// The key of the chunk.
    pub chunk: i32,
    /// The number of the segment.
    pub segment: u16,
    /// Rows.
    pub rows: u64,
    /// Rows with a number at or below -1.
    pub below_minus_one: u64,
    /// Σw, Σw².
    pub weight: [Real; 2],
    /// What rows add up to by their weights.
    pub by_weight: MomentsRow,
    /// The same by the squares of their weights.
    pub by_square: MomentsRow,
}

/// Of the losses |e|, |e|/|y|, e², e, the logarithmic and the pinball one Σwx, and the same of their squares; of the target less the origin t:
/// Σwt, Σwt², Σwt³, Σwt⁴; Σwe²t, Σwe²t².
#[derive(Debug, Clone, Copy, Deserialize)]
pub struct MomentsRow(pub [Real; 6], pub [Real; 6], pub [Real; 4], pub [Real; 2]);

/// Asks for the sums.
#[must_use]
pub fn errors(frame: &Frame, asked: ErrorsAsked) -> Statement {
    let ErrorsAsked { quantile, origin } = asked;
    let losses = [
        "abs(e)".to_owned(),
        "abs(e) / greatest(abs(y), 2.220446049250313e-16)".to_owned(),
        "e * e".to_owned(),
        "e".to_owned(),
        "if(low, 0., pow(log1p(v) - log1p(y), 2))".to_owned(),
        format!("greatest({quantile:?} * -e, ({quantile:?} - 1.) * -e)"),
    ];
    let each = |of: &dyn Fn(usize) -> String| (0..losses.len()).map(of).collect::<Vec<_>>().join(", ");
    let named: Vec<String> = losses.iter().enumerate().map(|(i, loss)| format!("{loss} AS x{i}")).collect();
    let moments = |w: &str| {
        format!(
            "[[{}], [{}], [sumKahan({w} * t), sumKahan({w} * t * t), sum({w} * t * t * t), sum({w} * t * t * t * t)], \
             [sum({w} * e * e * t), sum({w} * e * e * t * t)]]",
            each(&|i| format!("sumKahan({w} * x{i})")),
            each(&|i| format!("sum({w} * x{i} * x{i})")),
        )
    };
    // Where each row counts 1 they are the same.
    let by_square = if frame.weighted { moments("(w * w)") } else { "by_weight".to_owned() };
    frame.statement(&format!(
        "SELECT chunk, segment, count() AS rows, countIf(low) AS below_minus_one, [sum(w), sum(w * w)] AS weight, \
         {} AS by_weight, {by_square} AS by_square FROM (\
         SELECT wv_chunk AS chunk, wv_segment AS segment, wv_w AS w, assumeNotNull(wv_y) AS y, assumeNotNull(wv_v) AS v, \
         v - y AS e, y - ({origin:?}) AS t, (y <= -1 OR v <= -1) AS low, {} \
         FROM {{frame}} WHERE isNotNull(wv_y) AND isNotNull(wv_v)) GROUP BY chunk, segment ORDER BY chunk, segment",
        moments("w"),
        named.join(", "),
    ))
}
