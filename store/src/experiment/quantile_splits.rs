//! Random splits of the same units in two, some at once, for a quantile of their rows: what its A/A simulation needs.
//!
//! As in `splits`, each bit of a unit's hash is a split. A quantile takes three statements: how many rows each half has, the order
//! statistics around its quantile, and how many of each unit's rows lie below the estimate.

use serde::Deserialize;

use super::{Measure, RanksOfArm, orders::literal};
use crate::populations::Population;
use crate::{Real, Statement};

/// Splits that one statement answers: each holds the rows of both halves, eight bytes a row.
pub const QUANTILE_SPLITS: usize = 8;

/// The halves of a split: units whose bit is not set, and units whose bit is.
pub const HALVES: usize = 2;

/// Which rows are split.
#[derive(Debug, Clone)]
pub struct QuantileSplit<'a> {
    /// The rows.
    pub population: &'a Population,
    /// The column of units.
    pub unit: &'a str,
    /// The value of a row.
    pub measure: &'a Measure,
    /// Makes the splits of one statement differ from those of another.
    pub seed: u64,
}

/// How many rows there are.
#[derive(Debug, Clone, Deserialize)]
pub struct HalfRowsRow {
    /// Units with a value.
    pub units: u64,
    /// Rows with a value.
    pub rows: u64,
    /// Those of the half whose bit is set, one entry a split; empty without rows.
    pub half: Vec<u64>,
}

/// Sums over the units of each half: S of a unit's rows lie at or below the estimate, of N in all.
#[derive(Debug, Clone, Deserialize)]
pub struct HalfCountedRow {
    /// For each half n, Σ S, Σ S², Σ N, Σ N², Σ S·N: six lists with one entry a split.
    pub halves: Vec<Vec<Vec<Real>>>,
}

impl QuantileSplit<'_> {
    /// Rows with a unit and a value; `None` where there is no such column of units.
    fn rows(&self) -> Option<String> {
        let unit = self.population.column(self.unit)?.storage.as_text().0;
        Some(format!(
            "(SELECT wv_unit, sipHash64(wv_unit, toUInt64({})) AS wv_hash, wv_v FROM (\
             SELECT {unit} AS wv_unit, {} AS wv_v FROM {}) WHERE isNotNull(wv_unit) AND isNotNull(wv_v))",
            self.seed,
            self.measure.number,
            self.population.from(),
        ))
    }

    /// Asks how many rows each half has; `None` where there is no such column of units.
    #[must_use]
    pub fn half_rows(&self) -> Option<Statement> {
        Some(Statement::new(format!(
            "SELECT uniqExact(wv_unit) AS units, count() AS rows, \
             sumForEach(arrayMap(i -> toUInt64(bitTest(wv_hash, i)), range({QUANTILE_SPLITS}))) AS half FROM {}",
            self.rows()?,
        )))
    }

    /// Asks for order statistics: `wanted` has for each split one entry a half. The answer has splits where that of
    /// [`super::order_statistics`] has measures, and halves where it has arms.
    #[must_use]
    pub fn half_orders(&self, wanted: &[[RanksOfArm; HALVES]]) -> Option<Statement> {
        let of = |split: usize, half: usize, wanted: &RanksOfArm| match wanted.levels() {
            None => "emptyArrayFloat64()".to_owned(),
            Some(levels) => {
                format!("quantilesExactIf({levels})(assumeNotNull(wv_v), bitTest(wv_hash, {split}) = {half})")
            }
        };
        let splits: Vec<String> = wanted
            .iter()
            .enumerate()
            .map(|(split, [not_set, set])| format!("[{}, {}]", of(split, 0, not_set), of(split, 1, set)))
            .collect();
        let statement = Statement::new(format!(
            "SELECT CAST([{}], 'Array(Array(Array(Float64)))') AS values FROM {}",
            splits.join(", "),
            self.rows()?,
        ));
        Some(statement.setting("output_format_json_quote_denormals", 1))
    }

    /// Asks for counts below the estimates of each half, one entry a split.
    #[must_use]
    pub fn half_counted(&self, estimates: &[[f64; HALVES]]) -> Option<Statement> {
        let of_half = |half: usize| {
            let bounds: Vec<String> = estimates.iter().map(|halves| literal(halves[half])).collect();
            format!("[{}]::Array(Float64)", bounds.join(", "))
        };
        let terms = ["1.", "s", "s * s", "wv_n", "wv_n * wv_n", "s * wv_n"];
        let halves: Vec<String> = (0..HALVES)
            .map(|half| {
                let sum = |term: &str| {
                    format!("sumForEach(arrayMap((i, s) -> if(bitTest(wv_hash, i) = {half}, {term}, 0.), range({QUANTILE_SPLITS}), wv_s))")
                };
                format!("[{}]", terms.map(sum).join(", "))
            })
            .collect();
        let statement = Statement::new(format!(
            "SELECT CAST([{}], 'Array(Array(Array(Float64)))') AS halves FROM (\
             SELECT wv_hash, toFloat64(count()) AS wv_n, \
             sumForEach(arrayMap((i, low, high) -> toFloat64(ifNull(wv_v <= if(bitTest(wv_hash, i), high, low), 0)), \
             range({QUANTILE_SPLITS}), {}, {})) AS wv_s FROM {} GROUP BY wv_unit, wv_hash)",
            halves.join(", "),
            of_half(0),
            of_half(1),
            self.rows()?,
        ));
        Some(statement.setting("output_format_json_quote_denormals", 1))
    }
}
