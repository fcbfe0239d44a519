//! When the rows of units were seen, against when the unit was assigned and when the row arrived.

use serde::Deserialize;

use super::{ColumnFault, Question, frame};
use crate::Statement;
use crate::populations::Population;

/// Which columns say when.
#[derive(Debug, Clone, Copy)]
pub struct TimingColumns<'a> {
    /// When the row was seen.
    pub seen: &'a str,
    /// When its unit was assigned to the arm.
    pub assigned: Option<&'a str>,
    /// When the row arrived.
    pub received: Option<&'a str>,
}

/// Times of rows, microseconds since 1970 UTC.
#[derive(Debug, Clone)]
pub struct Timing {
    seen: String,
    assigned: Option<String>,
    received: Option<String>,
}

/// Takes the columns for times.
///
/// # Errors
/// The first column that is not there or holds no times.
pub fn timing_columns(population: &Population, columns: TimingColumns<'_>) -> Result<Timing, ColumnFault> {
    let micros = |name: Option<&str>| name.map(|name| frame::micros(population, name)).transpose();
    Ok(Timing {
        seen: frame::micros(population, columns.seen)?,
        assigned: micros(columns.assigned)?,
        received: micros(columns.received)?,
    })
}

/// The units of one arm by when their rows were seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct TimingRow {
    /// Its place among the arms.
    pub arm: u32,
    /// Units with rows whose times are all known.
    pub units: u64,
    /// Units with a row from before they were assigned.
    pub early: u64,
    /// Units with a row that arrived late.
    pub late: u64,
}

/// Counts units of one arm each; rows are late from `late_after_us` microseconds after they were seen on.
#[must_use]
pub fn timing(question: Question<'_>, timing: &Timing, late_after_us: i64) -> Statement {
    let super::Frame { from, unit, arm, .. } = question.frame;
    let assigned = question.frame.assigned();
    let code = super::sums::number_of_arm(&format!("assumeNotNull({arm})"), question.arms);
    let seen = &timing.seen;
    let known = |other: &Option<String>, condition: &dyn Fn(&str) -> String| {
        other.as_ref().map_or("toUInt8(0)".to_owned(), |other| format!("ifNull({}, 0)", condition(other)))
    };
    let early = known(&timing.assigned, &|assigned| format!("{seen} < {assigned}"));
    let late = known(&timing.received, &|received| format!("{received} - {seen} > {late_after_us}"));
    // A row without one of the times would count as in time.
    let all_known: String = [&timing.assigned, &timing.received]
        .into_iter()
        .flatten()
        .map(|time| format!(" AND isNotNull({time})"))
        .collect();
    Statement::new(format!(
        "SELECT wv_arm AS arm, count() AS units, countIf(wv_early) AS early, countIf(wv_late) AS late FROM (\
         SELECT any(wv_code) AS wv_arm, max(wv_e) AS wv_early, max(wv_l) AS wv_late FROM (\
         SELECT assumeNotNull({unit}) AS wv_unit, {code} AS wv_code, {early} AS wv_e, {late} AS wv_l FROM {from} \
         WHERE {assigned} AND isNotNull({seen}){all_known}) \
         GROUP BY wv_unit HAVING min(wv_code) = max(wv_code)) GROUP BY wv_arm ORDER BY arm"
    ))
}
