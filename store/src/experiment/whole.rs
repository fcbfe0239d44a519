//! One row a unit where all of its records count: they are summed first, and only sums meet the first exposures.
//!
//! A join of every record with the exposure of its unit is most of the work of `units`. Where no record of a unit lies outside of the
//! window after its first exposure, the sums of all its records are the sums that count. A unit with one outside is in the arm
//! [`STRAY`], so that the statement that answers also says whether the answer holds.

use super::{
    ARM, Exposed, ExposedBy, RecordColumn, RecordTable, Recorded, UNIT, When,
    stored::{columns, records},
    units::{MAP_AS_A_WHOLE, SEVERAL, different, in_one_arm, key, measured, number_or_zero, place},
};
use crate::{ReadError, local::quote, populations::Population};

/// The arm of units with records that do not count, as SQL: no name of an arm.
pub(super) const STRAY: &str = "char(0, 1)";

/// ClickHouse's code for a statement that needs more memory than it may take.
const MEMORY_LIMIT_EXCEEDED: i32 = 241;

/// The population of one source with one row a unit, as [`super::stored()`] has it as long as no unit has a record that does not
/// count; such units are in an arm of their own, which [`super::SumsRow::arm`] tells. `None` where sums of all records are not what
/// is asked.
#[must_use]
pub fn whole(exposed: &Exposed, recorded: &Recorded) -> Option<Population> {
    let after = |column: &RecordColumn| column.when == When::After;
    if !exposed.segments_known() || !recorded.of_units() || !recorded.columns.iter().all(after) {
        return None;
    }
    let names = different(recorded);
    let units = match (&recorded.table, exposed.by) {
        (RecordTable::Predictions { model }, ExposedBy::Predictions) => {
            at_once(exposed, &recorded.table, (model.as_str(), names.as_slice()))?
        }
        _ => beside(exposed, recorded, &names)?,
    };
    let sums: String = recorded
        .columns
        .iter()
        .enumerate()
        .map(|(i, column)| format!(", wv_s{} AS wv_c{i}", place(&names, column)))
        .collect();
    let outside = format!(
        "wv_n > 0 AND (wv_lo < wv_first OR wv_hi >= wv_first + toIntervalMicrosecond({}))",
        exposed.window_us
    );
    let from = format!(
        "(SELECT wv_key AS {UNIT}, multiIf(wv_seen = {SEVERAL}, {SEVERAL}, {outside}, {STRAY}, wv_seen) AS {ARM}, \
         wv_first{}{sums} FROM ({units}) SETTINGS join_use_nulls = 0)",
        exposed.of_segments(|i| format!(", wv_segment{i}")),
    );
    Some(Population::of_sql(exposed.experiment.clone(), from, columns(exposed, recorded)))
}

/// Whether what was asked of [`whole`]'s population failed because units have more than fits in memory: unlike
/// [`super::stored()`]'s it holds a row of each unit that has records, exposed or not.
#[must_use]
pub fn too_many_units(error: &ReadError) -> bool {
    error.code() == Some(MEMORY_LIMIT_EXCEEDED)
}

/// Records by unit, joined with the units' exposures.
fn beside(exposed: &Exposed, recorded: &Recorded, names: &[&str]) -> Option<String> {
    let (read, summed) = match recorded.table {
        RecordTable::Measurements => {
            let summed = names.iter().enumerate().map(|(i, name)| match *name {
                "rows" => format!(", toFloat64(count()) AS wv_s{i}"),
                // Numbers of names are held against each other faster than the names.
                _ => format!(", sumIf(wv_value, wv_metric = {}) AS wv_s{i}", i + 1),
            });
            (measured(recorded).read, summed.collect::<String>())
        }
        RecordTable::Predictions { .. } | RecordTable::Outcomes { .. } => {
            let summed = (0..names.len()).map(|i| format!(", sum(wv_r{i}) AS wv_s{i}"));
            (read(&recorded.table, names)?, summed.collect())
        }
    };
    let carried: String = (0..names.len()).map(|i| format!(", r.wv_s{i} AS wv_s{i}")).collect();
    Some(format!(
        "SELECT e.wv_unit AS wv_key, e.wv_first AS wv_first, e.wv_seen AS wv_seen{}, r.wv_n AS wv_n, r.wv_lo AS wv_lo, \
         r.wv_hi AS wv_hi{carried} FROM (SELECT {} AS wv_key, count() AS wv_n, min(wv_ts) AS wv_lo, max(wv_ts) AS wv_hi{summed} \
         FROM ({}) GROUP BY wv_key) AS r RIGHT JOIN ({}) AS e ON r.wv_key = e.wv_unit",
        exposed.of_segments(|i| format!(", e.wv_segment{i} AS wv_segment{i}")),
        key(exposed, "wv_unit"),
        records(exposed, recorded, &read),
        in_one_arm(exposed, recorded),
    ))
}

/// Predictions that expose units and those that are measured in one grouping: no join.
fn at_once(exposed: &Exposed, table: &RecordTable, (model, names): (&str, &[&str])) -> Option<String> {
    let experiment = quote(&exposed.experiment);
    let segments: Vec<String> =
        exposed.segment_by.iter().filter_map(|by| exposed.by.segment_expression(by)).collect();
    let cut = match segments.as_slice() {
        [] => String::new(),
        segments => format!(", event_id, tuple({}) AS wv_segments", segments.join(", ")),
    };
    let since = exposed
        .start_us
        .map_or(String::new(), |start| format!(" AND ts >= fromUnixTimestamp64Micro(toInt64({start}))"));
    let summed: String = (0..names.len()).map(|i| format!(", sumIf(wv_r{i}, wv_is) AS wv_s{i}")).collect();
    let first = exposed.of_segments(|i| {
        format!(
            ", tupleElement(argMinIf(wv_segments, (ts, event_id), wv_exposes), {}) AS wv_segment{i}",
            i + 1
        )
    });
    Some(format!(
        "SELECT wv_key, minIf(ts, wv_exposes) AS wv_first, \
         if(minIf(one, wv_exposes) = maxIf(one, wv_exposes), minIf(one, wv_exposes), {SEVERAL}) AS wv_seen{first}, \
         countIf(wv_is) AS wv_n, minIf(ts, wv_is) AS wv_lo, maxIf(ts, wv_is) AS wv_hi{summed} FROM (\
         SELECT {} AS wv_key, ts, model = {model} AS wv_is, mapContains(arms, {experiment}) AS wv_exposes, \
         toString(arms[{experiment}]) AS one{cut}{} FROM predictions FINAL \
         WHERE (model = {model} OR mapContains(arms, {experiment})) AND unit_id != '' \
         AND ts < fromUnixTimestamp64Micro(toInt64({})){since} SETTINGS {MAP_AS_A_WHOLE}) GROUP BY wv_key HAVING max(wv_exposes) = 1",
        key(exposed, "unit_id"),
        read(table, names)?,
        exposed.end_us,
        model = quote(model),
    ))
}

/// Each number of a record, 0 where it has none.
fn read(table: &RecordTable, names: &[&str]) -> Option<String> {
    names
        .iter()
        .enumerate()
        .map(|(i, name)| Some(format!(", {} AS wv_r{i}", number_or_zero(table, name)?)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::{Exposed, ExposedBy, RecordColumn, RecordTable, Recorded, When, Without};
    use super::whole;

    fn asked(by: ExposedBy, table: RecordTable, whens: &[When]) -> Option<String> {
        let exposed = Exposed {
            experiment: "e".to_owned(),
            by,
            start_us: None,
            end_us: 5,
            window_us: 7,
            segment_by: Vec::new(),
        };
        let column = |when: &When| RecordColumn {
            name: "rows #0".to_owned(),
            column: "rows".to_owned(),
            without: Without::Zero,
            when: *when,
        };
        let recorded = Recorded { table, columns: whens.iter().map(column).collect() };
        Some(whole(&exposed, &recorded)?.from())
    }

    #[test]
    fn sums_from_before_an_exposure_are_not_those_of_all_records() {
        let of = |whens: &[When]| asked(ExposedBy::Exposures, RecordTable::Measurements, whens);
        assert!(of(&[When::After]).is_some());
        assert_eq!(of(&[When::After, When::Before(1)]), None);
    }

    #[test]
    fn predictions_that_expose_units_are_joined_with_nothing_where_they_are_what_is_measured() {
        let model = || "m".to_owned();
        let joined = |by, table| asked(by, table, &[When::After]).unwrap().contains("JOIN");
        assert!(!joined(ExposedBy::Predictions, RecordTable::Predictions { model: model() }));
        assert!(joined(ExposedBy::Exposures, RecordTable::Predictions { model: model() }));
        assert!(joined(ExposedBy::Predictions, RecordTable::Outcomes { model: model() }));
    }

    #[test]
    fn a_unit_with_a_record_outside_of_its_window_is_in_no_arm() {
        let sql = asked(ExposedBy::Exposures, RecordTable::Measurements, &[When::After]).unwrap();
        assert!(sql.contains("wv_hi >= wv_first + toIntervalMicrosecond(7)), char(0, 1), wv_seen)"), "{sql}");
    }
}
