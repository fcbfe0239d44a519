//! One row a unit where every unit has a single prediction, which exposes it and is measured: nothing has to be put together.
//!
//! To group predictions by unit takes more than twice as long as to sum them by arm. Whether each unit has one is asked first, by 64
//! bits of its name: as many of these as predictions prove as many units. Where units come back often the first predictions show it,
//! and no more of them are read for an answer that is known.
//!
//! An event that was sent again is a second row until ClickHouse merges the two. `FINAL` leaves the older one out, at the price of
//! merging while it reads wherever parts lie over each other. There the question is put without it as well, together with whether any
//! event is there twice: where none is, `FINAL` would leave out nothing.

use serde::Deserialize;

use super::{
    ARM, ARMS_MAX, ByPart, Exposed, ExposedBy, RecordColumn, RecordTable, Recorded, UNIT, When,
    stored::columns,
    units::{MAP_AS_A_WHOLE, key, number_or_zero},
};
use crate::{Statement, local::quote, populations::Population};

/// Predictions that are looked at first: of units with two each among a hundred million predictions, these hold some twenty pairs.
const FIRST_PREDICTIONS: u64 = 65_536;

/// How often parts lie over each other from which on a look for repeated events takes less time than `FINAL`.
const DEPTH_MIN: f64 = 2.0;

/// Two ways to the same rows. Each holds where its own statement says so.
#[derive(Debug, Clone)]
pub struct Alone {
    /// The same rows without `FINAL`, part by part.
    pub by_part: ByPart,
    /// Asks how often the parts of the table lie over each other ([`DepthRow`]).
    pub depth: Statement,
    /// Without `FINAL`; its statement says more units than rows also where an event is there twice.
    pub unmerged: Single,
    /// With `FINAL`.
    pub merged: Single,
}

/// A population that holds where a statement says so.
#[derive(Debug, Clone)]
pub struct Single {
    /// Asks for the arms, as [`super::probe`] does; rows and units are as many where every unit has a single prediction, and only there.
    pub asked: Statement,
    /// The units then: as many as those rows.
    pub population: Population,
}

/// How often parts lie over each other.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
pub struct DepthRow {
    /// The time that parts span, one after another, in the time that their partitions span: 1 where each part has a time of its own. 0
    /// where the parts are not to be seen, as on a cluster.
    pub depth: f64,
}

impl DepthRow {
    /// Whether a look for repeated events takes less time than `FINAL`.
    #[must_use]
    pub fn is_deep(self) -> bool {
        self.depth >= DEPTH_MIN
    }
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
    let since = exposed
        .start_us
        .map_or(String::new(), |start| format!(" AND ts >= fromUnixTimestamp64Micro(toInt64({start}))"));
    let rows = Rows {
        exposes: format!("mapContains(arms, {experiment})"),
        arm: format!("toString(arms[{experiment}])"),
        is: format!("model = {}", quote(model)),
        unit: key(exposed, "unit_id"),
        span: format!("ts < fromUnixTimestamp64Micro(toInt64({})){since}", exposed.end_us),
    };
    let number = |column: &RecordColumn| number_or_zero(&recorded.table, &column.column);
    let numbers: Vec<String> = recorded.columns.iter().map(number).collect::<Option<_>>()?;
    let of_any = |(i, number): (usize, &String)| format!(", if({}, {number}, 0.) AS wv_c{i}", rows.is);
    let of_model = |(i, number): (usize, &String)| format!(", {number} AS wv_c{i}");
    let segments: String = exposed
        .segment_by
        .iter()
        .filter_map(|by| exposed.by.segment_expression(by))
        .enumerate()
        .map(|(i, expression)| format!(", {expression} AS wv_segment{i}"))
        .collect();
    let told = format!("{segments}{}", numbers.iter().enumerate().map(of_any).collect::<String>());
    let told_of_model = format!("{segments}{}", numbers.iter().enumerate().map(of_model).collect::<String>());
    let population = |from| Population::of_sql(exposed.experiment.clone(), from, columns(exposed, recorded));
    Some(Alone {
        by_part: ByPart::new(exposed, rows.clone(), told_of_model),
        depth: depth(),
        unmerged: Single {
            asked: rows.asked_unmerged(),
            population: population(rows.units("predictions", &told)),
        },
        merged: Single {
            asked: rows.asked_merged(),
            population: population(rows.units("predictions FINAL", &told)),
        },
    })
}

/// What tells an event of a model from its others: its part of the sorting key.
pub(super) const EVENT: &str = "cityHash64(version, ts, event_id)";

/// Whether predictions have a unit and an event each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(super) struct AloneRow {
    /// 1 where they have.
    pub(super) alone: u8,
}

/// What is known of the events of rows before they are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Events {
    /// Nothing: one may be there twice.
    Any,
    /// Each is there once.
    Apart,
}

/// What is looked at of a prediction, as SQL.
#[derive(Debug, Clone)]
pub(super) struct Rows {
    /// Whether it exposes its unit.
    pub(super) exposes: String,
    /// To which arm.
    pub(super) arm: String,
    /// Whether it is one of the model that is measured.
    pub(super) is: String,
    /// What tells its unit from others.
    pub(super) unit: String,
    /// Whether it lies within the time that is looked at.
    pub(super) span: String,
}

impl Rows {
    /// One row a prediction that exposes its unit.
    pub(super) fn units(&self, table: &str, told: &str) -> String {
        let Self { exposes, arm, unit, span, .. } = self;
        format!(
            "(SELECT {unit} AS {UNIT}, {arm} AS {ARM}, ts AS wv_first{told} FROM {table} \
             WHERE {exposes} AND unit_id != '' AND {span} SETTINGS {MAP_AS_A_WHOLE})"
        )
    }

    /// Whether the first of these predictions have a unit each.
    fn first_alone(&self, table: &str, which: &str) -> String {
        let Self { unit, span, .. } = self;
        format!(
            "(SELECT count() = uniqExact(wv_key) FROM (SELECT {unit} AS wv_key FROM {table} \
             WHERE {which} AND unit_id != '' AND {span} LIMIT {FIRST_PREDICTIONS}))"
        )
    }

    fn asked_merged(&self) -> Statement {
        let Self { exposes, arm, is, unit, span } = self;
        let first_alone = self.first_alone("predictions FINAL", &format!("({is} OR {exposes})"));
        answered(
            &format!("{first_alone} AND uniqExact(wv_key) = count()"),
            "wv_exposes",
            &format!(
                "SELECT {unit} AS wv_key, {exposes} AS wv_exposes, {arm} AS wv_one FROM predictions FINAL \
                 WHERE ({is} OR {exposes}) AND unit_id != '' AND {span} AND {first_alone} SETTINGS {MAP_AS_A_WHOLE}"
            ),
        )
    }

    /// A copy of an event has its model, version, time and id, and may have another unit or no arm: so predictions of the model are told
    /// apart whatever else they say. Those of other models may have copies that are not read; where one exposes a unit, nothing is said.
    fn asked_unmerged(&self) -> Statement {
        let Self { exposes, arm, is, unit, span } = self;
        let first_alone = self.first_alone("predictions", &format!("({is} OR {exposes})"));
        answered(
            &format!(
                "{first_alone} AND countIf(NOT wv_is) = 0 AND uniqExact(wv_event) = count() \
                 AND uniqExactIf(wv_key, wv_has_unit) = countIf(wv_has_unit)"
            ),
            "wv_exposes AND wv_has_unit",
            &format!(
                "SELECT {EVENT} AS wv_event, {is} AS wv_is, unit_id != '' AS wv_has_unit, \
                 {unit} AS wv_key, {exposes} AS wv_exposes, {arm} AS wv_one FROM predictions \
                 WHERE ({is} OR {exposes}) AND {span} AND {first_alone} SETTINGS {MAP_AS_A_WHOLE}"
            ),
        )
    }

    /// Asks whether that holds ([`AloneRow`]) and nothing else. Arms are read of the predictions of other models alone, and the sorting key
    /// tells where there are some.
    pub(super) fn are_alone(&self, events: Events) -> Statement {
        let Self { exposes, is, unit, span, .. } = self;
        let first_alone = self.first_alone("predictions", is);
        let others = format!(
            "(SELECT count() FROM (SELECT 1 FROM predictions WHERE NOT ({is}) AND {exposes} AND {span} LIMIT 1))"
        );
        let begun = format!("{first_alone} AND {others} = 0");
        let from = format!("FROM predictions WHERE {is} AND {span} AND {begun}");
        Statement::new(match events {
            Events::Any => format!(
                "SELECT ifNull({begun} AND uniqExact(wv_event) = count() \
                 AND uniqExactIf(wv_key, wv_has_unit) = countIf(wv_has_unit), 0) AS alone \
                 FROM (SELECT {EVENT} AS wv_event, unit_id != '' AS wv_has_unit, {unit} AS wv_key {from})"
            ),
            Events::Apart => format!(
                "SELECT ifNull({begun} AND uniqExact(wv_key) = count(), 0) AS alone \
                 FROM (SELECT {unit} AS wv_key {from} AND unit_id != '')"
            ),
        })
    }
}

/// The answer of [`super::probe`] over the predictions that are `exposing`; `single` says whether each unit has one.
fn answered(single: &str, exposing: &str, from: &str) -> Statement {
    Statement::new(format!(
        "SELECT countIf({exposing}) AS rows, toUInt64(0) AS unassigned, if({single}, rows, rows + 1) AS units, \
         groupUniqArrayIf({})(wv_one, {exposing}) AS arms, \
         CAST([], 'Array(Tuple(values UInt64, example String))') AS unreadable FROM ({from})",
        ARMS_MAX + 1,
    ))
    .setting("output_format_json_named_tuples_as_objects", 1)
}

/// The times of parts are whole seconds: one more for each keeps the quotient a number.
fn depth() -> Statement {
    Statement::new(
        "SELECT toFloat64(if(count() = 0, 0, sum(wv_own) / sum(wv_all))) AS depth FROM (\
         SELECT sum(toUnixTimestamp(max_time) - toUnixTimestamp(min_time) + 1) AS wv_own, \
         toUnixTimestamp(max(max_time)) - toUnixTimestamp(min(min_time)) + 1 AS wv_all \
         FROM system.parts WHERE active AND database = currentDatabase() AND table = 'predictions' GROUP BY partition_id)",
    )
}

#[cfg(test)]
mod tests {
    use super::super::{Exposed, ExposedBy, RecordColumn, RecordTable, Recorded, When, Without};
    use super::{Alone, DepthRow, Events, alone};

    fn asked(by: ExposedBy, when: When) -> Option<Alone> {
        let exposed = Exposed {
            experiment: "e".to_owned(),
            by,
            start_us: Some(3),
            end_us: 5,
            window_us: 7,
            segment_by: Vec::new(),
        };
        let column = RecordColumn {
            name: "num.x #0".to_owned(),
            column: "num.x".to_owned(),
            without: Without::Zero,
            when,
        };
        let table = RecordTable::Predictions { model: "m".to_owned() };
        alone(&exposed, &Recorded { table, columns: vec![column] })
    }

    #[test]
    fn only_predictions_that_expose_units_and_nothing_before_them_can_stand_alone() {
        assert!(asked(ExposedBy::Predictions, When::After).is_some());
        assert!(asked(ExposedBy::Predictions, When::Before(1)).is_none());
        assert!(asked(ExposedBy::Exposures, When::After).is_none());
    }

    #[test]
    fn what_is_read_without_final_tells_events_apart_and_what_is_read_with_it_need_not() {
        let Alone { unmerged, merged, .. } = asked(ExposedBy::Predictions, When::After).unwrap();
        for (single, has_final) in [(&unmerged, false), (&merged, true)] {
            let texts = [single.asked.sql().to_owned(), single.population.from()];
            for sql in &texts {
                let reads = sql.matches("FROM predictions").count();
                let expected = if has_final { reads } else { 0 };
                assert_eq!(sql.matches("FROM predictions FINAL").count(), expected, "{sql}");
                assert!(sql.contains("ts >= fromUnixTimestamp64Micro(toInt64(3))"), "{sql}");
            }
            assert_eq!(texts[0].contains("uniqExact(wv_event) = count()"), !has_final, "{}", texts[0]);
        }
        // A copy of an event may have no unit: it is looked at all the same.
        assert!(unmerged.asked.sql().contains("unit_id != '' AS wv_has_unit"));
    }

    #[test]
    fn of_parts_arms_are_read_of_other_models_predictions_alone_and_events_where_they_may_be_there_twice() {
        let Alone { by_part, .. } = asked(ExposedBy::Predictions, When::After).unwrap();
        for (events, tells_events) in [(Events::Any, true), (Events::Apart, false)] {
            let asked = by_part.are_alone(&[], events);
            let sql = asked.sql();
            let arms = sql.matches("mapContains(arms, 'e')").count();
            assert!(arms > 0, "{sql}");
            assert_eq!(sql.matches("NOT (model = 'm') AND mapContains(arms, 'e')").count(), arms, "{sql}");
            assert_eq!(sql.contains("uniqExact(wv_event) = count()"), tells_events, "{sql}");
        }
    }

    #[test]
    fn parts_side_by_side_and_parts_that_are_not_to_be_seen_are_not_deep() {
        for (depth, expected) in [(0.0, false), (1.0, false), (1.9, false), (2.0, true), (10.0, true)] {
            assert_eq!(DepthRow { depth }.is_deep(), expected, "{depth}");
        }
    }
}
