//! Order statistics of rows by arm, and how many of each unit's rows lie at or below them: what quantiles need.

use serde::Deserialize;

use super::{Frame, Measure, Question, UnitsAre};
use crate::{Real, Statement};

/// Which order statistics of one arm are wanted.
#[derive(Debug, Clone, PartialEq)]
pub struct RanksOfArm {
    /// Rows with a value.
    pub rows: u64,
    /// Ranks from 1, ascending order.
    pub ranks: Vec<u64>,
}

impl RanksOfArm {
    /// The levels that stand for the ranks; `None` where nothing is wanted.
    pub(super) fn levels(&self) -> Option<String> {
        if self.rows == 0 || self.ranks.is_empty() {
            return None;
        }
        // The middle between two ranks, so that rounding never picks the neighbour.
        let levels: Vec<String> =
            self.ranks.iter().map(|rank| format!("{:?}", (*rank as f64 - 0.5) / self.rows as f64)).collect();
        Some(levels.join(", "))
    }
}

/// The order statistics of all measures and arms.
#[derive(Debug, Clone, Deserialize)]
pub struct OrderRow {
    /// Measure → arm → rank.
    pub values: Vec<Vec<Vec<Real>>>,
}

/// Asks for order statistics: `wanted` has for each measure one entry an arm. `several` says that there are units in
/// several arms, whose rows do not count.
#[must_use]
pub fn order_statistics(question: Question<'_>, wanted: &[Vec<RanksOfArm>], several: bool) -> Statement {
    let measures: Vec<String> = wanted
        .iter()
        .enumerate()
        .map(|(measure, arms)| {
            let arms: Vec<String> =
                arms.iter().enumerate().map(|(code, wanted)| of_arm(measure, code, wanted)).collect();
            format!("[{}]", arms.join(", "))
        })
        .collect();
    Statement::new(format!(
        "SELECT CAST([{}], 'Array(Array(Array(Float64)))') AS values FROM {}",
        measures.join(", "),
        of_one_arm(&question, several),
    ))
    .setting("output_format_json_quote_denormals", 1)
}

/// One row a row, without those of units that were seen in several arms; `several` says that there are some.
pub(super) fn of_one_arm(question: &Question<'_>, several: bool) -> String {
    let unit = &question.frame.unit;
    let assigned = question.frame.assigned();
    let excluded = match several {
        false => String::new(),
        true => format!(
            " AND {unit} NOT IN (SELECT wv_unit FROM {} GROUP BY wv_unit HAVING min(wv_code) != max(wv_code))",
            rows(question, &[])
        ),
    };
    rows_where(question, question.measures, &format!("{assigned}{excluded}"))
}

fn of_arm(measure: usize, code: usize, wanted: &RanksOfArm) -> String {
    let Some(levels) = wanted.levels() else { return "emptyArrayFloat64()".to_owned() };
    let known = format!("isNotNull(wv_v{measure}) AND wv_code = {code}");
    format!("quantilesExactIf({levels})(assumeNotNull(wv_v{measure}), {known})")
}

/// How many rows lie at or below an estimate, by unit, summed over the units of an arm.
#[derive(Debug, Clone, Deserialize)]
pub struct CountedRow {
    /// Its place among the arms.
    pub arm: u32,
    /// One entry a measure.
    pub measures: Vec<Counted>,
}

/// Sums over the units of an arm: S of a unit's rows lie at or below the estimate, of N in all.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
pub struct Counted {
    /// Units with a value.
    pub n: u64,
    /// Σ S.
    pub below: f64,
    /// Σ S².
    pub below_sq: f64,
    /// Σ N.
    pub rows: f64,
    /// Σ N².
    pub rows_sq: f64,
    /// Σ S·N.
    pub cross: f64,
}

/// Asks for these counts: `estimates` has for each measure one entry an arm.
#[must_use]
pub fn counted_below(question: Question<'_>, estimates: &[Vec<f64>]) -> Statement {
    let list = |one: &dyn Fn(usize) -> String| (0..estimates.len()).map(one).collect::<String>();
    let below = |measure: usize| {
        let estimates: Vec<String> = estimates[measure].iter().map(|estimate| literal(*estimate)).collect();
        let bound = format!("arrayElement([{}], wv_code + 1)", estimates.join(", "));
        format!("ifNull(wv_v{measure} <= {bound}, 0)")
    };
    let units = match question.units_are {
        UnitsAre::Single => format!(
            "SELECT wv_code AS wv_arm{} FROM {}",
            list(&|i| format!(
                ", toFloat64({}) AS wv_s{i}, toFloat64(isNotNull(wv_v{i})) AS wv_n{i}",
                below(i)
            )),
            rows(&question, question.measures)
        ),
        UnitsAre::Repeated => format!(
            "SELECT any(wv_code) AS wv_arm{} FROM {} GROUP BY wv_unit HAVING min(wv_code) = max(wv_code)",
            list(&|i| format!(
                ", toFloat64(countIf({})) AS wv_s{i}, toFloat64(count(wv_v{i})) AS wv_n{i}",
                below(i)
            )),
            rows(&question, question.measures)
        ),
    };
    let answers: Vec<String> = (0..estimates.len())
        .map(|i| {
            let (s, n) = (format!("wv_s{i}"), format!("wv_n{i}"));
            format!(
                "tuple(countIf({n} > 0), sum({s}), sum({s} * {s}), sum({n}), sum({n} * {n}), sum({s} * {n}))"
            )
        })
        .collect();
    let named = "Array(Tuple(n UInt64, below Float64, below_sq Float64, rows Float64, rows_sq Float64, cross Float64))";
    Statement::new(format!(
        "SELECT wv_arm AS arm, CAST([{}], '{named}') AS measures FROM ({units}) GROUP BY arm ORDER BY arm",
        answers.join(", ")
    ))
    .setting("output_format_json_named_tuples_as_objects", 1)
}

/// One row a row: its unit, its arm's number and its values.
fn rows(question: &Question<'_>, measures: &[Measure]) -> String {
    rows_where(question, measures, &question.frame.assigned())
}

fn rows_where(question: &Question<'_>, measures: &[Measure], condition: &str) -> String {
    let Frame { from, unit, arm, .. } = question.frame;
    let code = super::sums::number_of_arm(&format!("assumeNotNull({arm})"), question.arms);
    let values = super::sums::list(measures, |i, measure| format!(", {} AS wv_v{i}", measure.number));
    format!(
        "(SELECT assumeNotNull({unit}) AS wv_unit, {code} AS wv_code{values} FROM {from} WHERE {condition})"
    )
}

/// A number as ClickHouse reads it.
pub(super) fn literal(number: f64) -> String {
    match number {
        number if number.is_nan() => "nan".to_owned(),
        number if number.is_infinite() => if number > 0.0 { "inf" } else { "-inf" }.to_owned(),
        number => format!("{number:?}"),
    }
}
