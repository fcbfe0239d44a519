//! Random splits of the same units in two, many at once: what an A/A simulation needs.
//!
//! A unit's hash has 64 bits, and each bit is a split. One statement answers the sums of one half for 64 splits; the other
//! half is the rest of the total.

use serde::Deserialize;

use super::{Form, Measure};
use crate::populations::Population;
use crate::{Real, Statement};

/// Splits that one statement answers.
pub const SPLITS: usize = 64;

/// Sums over the units of one half, one entry a split; over all units in [`SplitsRow::total`].
#[derive(Debug, Clone, Deserialize)]
pub struct SplitsRow {
    /// n, Σx, Σx², Σy, Σy², Σxy of all units, of values less their origins.
    pub total: Vec<Real>,
    /// The same of the half whose bit is set: six lists with one entry a split.
    pub half: Vec<Vec<Real>>,
    /// Units whose sum of the first measure is neither 0 nor 1.
    pub fractional: u64,
}

/// Which values of units are split, and what is taken from them first.
#[derive(Debug, Clone)]
pub struct Split<'a> {
    /// The rows.
    pub population: &'a Population,
    /// The column of units.
    pub unit: &'a str,
    /// The value or numerator, and the denominator.
    pub measures: &'a [Measure],
    /// What is taken from the units' sums of each measure.
    pub origins: [f64; 2],
    /// The cap and the floor of the units' sums of the first measure.
    pub limits: [Option<f64>; 2],
    /// Makes the splits of one statement differ from those of another.
    pub seed: u64,
}

/// Asks for the sums; `None` where there is no such column of units.
#[must_use]
pub fn splits(split: &Split<'_>) -> Option<Statement> {
    let [cap, floor] = split.limits;
    let within = Form { cap, floor, ..Form::default() }.within("assumeNotNull(wv_s0)");
    let x = format!("{within} - ({:?})", split.origins[0]);
    let y = match split.measures.len() {
        0 | 1 => "0.".to_owned(),
        _ => format!("assumeNotNull(wv_s1) - ({:?})", split.origins[1]),
    };
    let terms = ["1.", "wv_x", "wv_x * wv_x", "wv_y", "wv_y * wv_y", "wv_x * wv_y"];
    let totals: Vec<String> = terms.iter().map(|term| format!("toFloat64(sum({term}))")).collect();
    let halves: Vec<String> =
        terms.iter().map(|term| format!("sumForEach(arrayMap(bit -> bit * ({term}), wv_bits))")).collect();
    Some(
        Statement::new(format!(
            "SELECT [{}] AS total, [{}] AS half, countIf(wv_other) AS fractional FROM (\
         SELECT {x} AS wv_x, {y} AS wv_y, assumeNotNull(wv_s0) NOT IN (0, 1) AS wv_other, \
         arrayMap(i -> toFloat64(bitTest(wv_hash, i)), range({SPLITS})) AS wv_bits FROM {})",
            totals.join(", "),
            halves.join(", "),
            units(split)?,
        ))
        .setting("output_format_json_quote_denormals", 1),
    )
}

/// Asks for quantiles of the units' sums of the first measure, as they are; the answer is a [`super::UnitQuantilesRow`]. `None` where
/// there is no such column of units.
#[must_use]
pub fn split_quantiles(split: &Split<'_>, levels: &[f64]) -> Option<Statement> {
    let quantiles: Vec<String> = levels
        .iter()
        .map(|q| format!("ifNull(quantileExactInclusive({q:?})(assumeNotNull(wv_s0)), nan)"))
        .collect();
    Some(
        Statement::new(format!(
            "SELECT CAST([{}], 'Array(Float64)') AS quantiles FROM {}",
            quantiles.join(", "),
            units(split)?
        ))
        .setting("output_format_json_quote_denormals", 1),
    )
}

/// The hash of each unit and its sums, of the units that have all of them.
fn units(split: &Split<'_>) -> Option<String> {
    let unit = split.population.column(split.unit)?.storage.as_text().0;
    let values: String = split
        .measures
        .iter()
        .enumerate()
        .map(|(i, measure)| format!(", {} AS wv_v{i}", measure.number))
        .collect();
    let summed: String = (0..split.measures.len()).map(|i| format!(", sum(wv_v{i}) AS wv_s{i}")).collect();
    let known: Vec<String> = (0..split.measures.len()).map(|i| format!("isNotNull(wv_s{i})")).collect();
    Some(format!(
        "(SELECT sipHash64(wv_unit, toUInt64({})) AS wv_hash{summed} FROM (\
         SELECT {unit} AS wv_unit{values} FROM {}) WHERE isNotNull(wv_unit) GROUP BY wv_unit) WHERE {}",
        split.seed,
        split.population.from(),
        known.join(" AND "),
    ))
}
