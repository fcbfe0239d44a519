//! One row a unit where every unit has a single prediction, which exposes it and is measured: nothing has to be put together.
//!
//! To group predictions by unit takes more than twice as long as to sum them by arm. Whether each unit has one is asked first, by 64
//! bits of its name: as many of these as predictions prove as many units. Where units come back often the first predictions show it,
//! and no more of them are read for an answer that is known.

use super::{
    ARM, ARMS_MAX, Exposed, ExposedBy, RecordColumn, RecordTable, Recorded, UNIT, When,
    stored::columns,
    units::{key, number_or_zero},
};
use crate::{Statement, local::quote, populations::Population};

/// Predictions that are looked at first: of units with two each among a hundred million predictions, these hold some twenty pairs.
const FIRST_PREDICTIONS: u64 = 65_536;

/// A population that holds where a statement says so.
#[derive(Debug, Clone)]
pub struct Alone {
    /// Asks for the arms, as [`super::probe`] does; rows and units are as many where every unit has a single prediction, and only there.
    pub asked: Statement,
    /// The units then: as many as those rows.
    pub population: Population,
}

/// The population of one source as [`super::stored()`] has it as long as every unit has a single prediction; `None` where that cannot
/// be, or where a unit's past is asked for.
#[must_use]
pub fn alone(exposed: &Exposed, recorded: &Recorded) -> Option<Alone> {
    let RecordTable::Predictions { model } = &recorded.table else { return None };
    let after = |column: &RecordColumn| column.when == When::After;
    let by_prediction =
        exposed.by == ExposedBy::Predictions && exposed.segments_known() && exposed.window_us > 0;
    if !by_prediction || !recorded.of_units() || !recorded.columns.iter().all(after) {
        return None;
    }
    let experiment = quote(&exposed.experiment);
    let exposes = format!("mapContains(arms, {experiment})");
    let arm = format!("toString(arms[{experiment}])");
    let is = format!("model = {}", quote(model));
    let unit = key(exposed, "unit_id");
    let since = exposed
        .start_us
        .map_or(String::new(), |start| format!(" AND ts >= fromUnixTimestamp64Micro(toInt64({start}))"));
    let seen = format!("unit_id != '' AND ts < fromUnixTimestamp64Micro(toInt64({})){since}", exposed.end_us);
    let counted = format!("({is} OR {exposes}) AND {seen}");
    let first_alone = format!(
        "(SELECT count() = uniqExact(wv_key) FROM (\
         SELECT {unit} AS wv_key FROM predictions FINAL WHERE {counted} LIMIT {FIRST_PREDICTIONS}))"
    );
    let asked = Statement::new(format!(
        "SELECT countIf(wv_exposes) AS rows, toUInt64(0) AS unassigned, \
         if({first_alone} AND uniqExact(wv_key) = count(), rows, rows + 1) AS units, \
         groupUniqArrayIf({})(wv_one, wv_exposes) AS arms, \
         CAST([], 'Array(Tuple(values UInt64, example String))') AS unreadable \
         FROM (SELECT {unit} AS wv_key, {exposes} AS wv_exposes, {arm} AS wv_one FROM predictions FINAL \
         WHERE {counted} AND {first_alone})",
        ARMS_MAX + 1,
    ))
    .setting("output_format_json_named_tuples_as_objects", 1);
    let segments: String = exposed
        .segment_by
        .iter()
        .filter_map(|by| exposed.by.segment_expression(by))
        .enumerate()
        .map(|(i, expression)| format!(", {expression} AS wv_segment{i}"))
        .collect();
    let number = |(i, column): (usize, &RecordColumn)| {
        Some(format!(", if({is}, {}, 0.) AS wv_c{i}", number_or_zero(&recorded.table, &column.column)?))
    };
    let numbers: String = recorded.columns.iter().enumerate().map(number).collect::<Option<_>>()?;
    let from = format!(
        "(SELECT {unit} AS {UNIT}, {arm} AS {ARM}, ts AS wv_first{segments}{numbers} FROM predictions FINAL \
         WHERE {exposes} AND {seen})"
    );
    let population = Population::of_sql(exposed.experiment.clone(), from, columns(exposed, recorded));
    Some(Alone { asked, population })
}
