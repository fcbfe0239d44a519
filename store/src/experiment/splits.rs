//! Random splits of the same units in two, many at once: what an A/A simulation needs.
//!
//! A unit's hash has 64 bits, and each bit is a split. One statement answers the sums of one half for 64 splits; the other
//! half is the rest of the total.

use serde::Deserialize;

use super::Measure;
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
    /// Makes the splits of one statement differ from those of another.
    pub seed: u64,
}

/// Asks for the sums; `None` where there is no such column of units.
#[must_use]
pub fn splits(split: &Split<'_>) -> Option<Statement> {
    let unit = split.population.column(split.unit)?.storage.as_text().0;
    let values: String = split
        .measures
        .iter()
        .enumerate()
        .map(|(i, measure)| format!(", {} AS wv_v{i}", measure.number))
        .collect();
    let summed: String = (0..split.measures.len()).map(|i| format!(", sum(wv_v{i}) AS wv_s{i}")).collect();
    let less = |i: usize| format!("assumeNotNull(wv_s{i}) - ({:?})", split.origins[i]);
    let y = if split.measures.len() > 1 { less(1) } else { "0.".to_owned() };
    let known: Vec<String> = (0..split.measures.len()).map(|i| format!("isNotNull(wv_s{i})")).collect();
    let terms = ["1.", "wv_x", "wv_x * wv_x", "wv_y", "wv_y * wv_y", "wv_x * wv_y"];
    let totals: Vec<String> = terms.iter().map(|term| format!("toFloat64(sum({term}))")).collect();
    let halves: Vec<String> =
        terms.iter().map(|term| format!("sumForEach(arrayMap(bit -> bit * ({term}), wv_bits))")).collect();
    Some(
        Statement::new(format!(
            "SELECT [{}] AS total, [{}] AS half FROM (\
         SELECT {} AS wv_x, {y} AS wv_y, \
         arrayMap(i -> toFloat64(bitTest(wv_hash, i)), range({SPLITS})) AS wv_bits FROM (\
         SELECT sipHash64(wv_unit, toUInt64({})) AS wv_hash{summed} FROM (\
         SELECT {unit} AS wv_unit{values} FROM {}) WHERE isNotNull(wv_unit) GROUP BY wv_unit) WHERE {})",
            totals.join(", "),
            halves.join(", "),
            less(0),
            split.seed,
            split.population.from(),
            known.join(" AND "),
        ))
        .setting("output_format_json_quote_denormals", 1),
    )
}
