//! An experiment in the tables, one row a unit: its arm, its first exposure, its segments then, and its sums.
//!
//! The records are read once, each meets its unit's first exposure in a join and is added to the sums that it counts for. Only
//! what the sums need goes through the join: the name of a measurement as a number and its value, not a column a metric.

use super::{
    ARM, ARMS_MAX, Exposed, ExposedBy, RecordColumn, RecordTable, Recorded, UNIT, When,
    exposed::exposed_units,
    stored::{columns, exposures_seen, records},
};
use crate::{Statement, local::quote, populations::Population};

/// The arm of units that were seen in several: no name of an arm.
pub(super) const SEVERAL: &str = "char(0)";

/// The population of one source with one row a unit; `None` where a column is none of its table's.
pub(super) fn stored_units(exposed: &Exposed, recorded: &Recorded) -> Option<Population> {
    let numbers = match recorded.table {
        RecordTable::Measurements => measured(recorded),
        RecordTable::Predictions { .. } | RecordTable::Outcomes { .. } => told(recorded)?,
    };
    let mut whens: Vec<When> = Vec::new();
    let mut sums = String::new();
    for (i, (column, (condition, value))) in recorded.columns.iter().zip(&numbers.summed).enumerate() {
        let when = whens.iter().position(|known| *known == column.when).unwrap_or_else(|| {
            whens.push(column.when);
            whens.len() - 1
        });
        sums += &format!(", sum(if(wv_in{when}{condition}, {value}, 0.)) AS wv_c{i}");
    }
    // Each record is placed in time once, however many sums ask where it lies.
    let placed: String = whens
        .iter()
        .enumerate()
        .map(|(i, when)| format!(", {} AS wv_in{i}", during(*when, exposed.window_us)))
        .collect();
    let from = format!(
        "(SELECT wv_unit AS {UNIT}, any(wv_seen) AS {ARM}, any(wv_at) AS wv_first{}{sums} FROM (\
         SELECT e.wv_unit AS wv_unit, e.wv_seen AS wv_seen, e.wv_first AS wv_at{}{}{placed} \
         FROM (SELECT *, {} AS wv_key FROM ({})) AS r RIGHT JOIN ({}) AS e ON r.wv_key = e.wv_unit) GROUP BY {UNIT} \
         SETTINGS join_use_nulls = 0)",
        exposed.of_segments(|i| format!(", any(wv_cut{i}) AS wv_segment{i}")),
        exposed.of_segments(|i| format!(", e.wv_segment{i} AS wv_cut{i}")),
        numbers.carried,
        key(exposed, "wv_unit"),
        records(exposed, recorded, &numbers.read),
        in_one_arm(exposed, recorded),
    );
    Some(Population::of_sql(exposed.experiment.clone(), from, columns(exposed, recorded)))
}

/// Asks for the arms of [`super::stored()`]'s population where it has one row a unit, without a look at its records. All else
/// that [`super::probe`] asks is known.
#[must_use]
pub fn arms_of_units(exposed: &Exposed, recorded: &Recorded) -> Statement {
    Statement::new(format!(
        "SELECT toUInt64(0) AS rows, toUInt64(0) AS unassigned, toUInt64(0) AS units, \
         groupUniqArray({})(one) AS arms, CAST([], 'Array(Tuple(values UInt64, example String))') AS unreadable FROM ({})",
        ARMS_MAX + 1,
        exposures_seen(exposed, recorded),
    ))
    .setting("output_format_json_named_tuples_as_objects", 1)
}

/// What units are told apart by. Eight bytes meet faster than texts; of ten million units two share theirs with a chance of three in a
/// million, and count as one then.
pub(super) fn key(exposed: &Exposed, unit: &str) -> String {
    match exposed.by {
        ExposedBy::Exposures | ExposedBy::Predictions => format!("cityHash64({unit})"),
        // Random splits are made of the unit's name.
        ExposedBy::Records => unit.to_owned(),
    }
}

/// One row an exposed unit: its key, its arm, its first exposure in any, and its segments then.
pub(super) fn in_one_arm(exposed: &Exposed, recorded: &Recorded) -> String {
    format!(
        "SELECT {} AS wv_unit, wv_first, wv_seen{} FROM ({})",
        key(exposed, "unit_id"),
        exposed.of_segments(|i| format!(", wv_segment{i}")),
        exposed_units(exposed, recorded, &format!("if(min(one) = max(one), min(one), {SEVERAL})")),
    )
}

/// Whether a record counts. A unit without records meets one of 1970 whose numbers are 0.
fn during(when: When, window_us: i64) -> String {
    match when {
        When::After => {
            format!("r.wv_ts >= e.wv_first AND r.wv_ts < e.wv_first + toIntervalMicrosecond({window_us})")
        }
        When::Before(us) => {
            format!("r.wv_ts < e.wv_first AND r.wv_ts >= e.wv_first - toIntervalMicrosecond({us})")
        }
    }
}

/// What is taken of a record.
pub(super) struct Numbers {
    /// The expressions that are read.
    pub(super) read: String,
    /// Their names on the other side of the join.
    carried: String,
    /// For each column what else has to hold of a record, and what it adds.
    summed: Vec<(String, String)>,
}

/// The numbers of measurements: a name and a value each.
pub(super) fn measured(recorded: &Recorded) -> Numbers {
    let names = different(recorded);
    let quoted: Vec<String> = names.iter().map(|name| quote(name)).collect();
    let numbers: Vec<String> = (1..=names.len()).map(|number| number.to_string()).collect();
    let summed = |column: &RecordColumn| match column.column.as_str() {
        "rows" => (String::new(), "wv_counted".to_owned()),
        _ => (format!(" AND wv_metric = {}", place(&names, column) + 1), "wv_value".to_owned()),
    };
    Numbers {
        read: format!(
            ", transform(metric, [{}]::Array(String), [{}]::Array(UInt16), toUInt16(0)) AS wv_metric, \
             value AS wv_value, 1. AS wv_counted",
            quoted.join(", "),
            numbers.join(", ")
        ),
        carried: ", r.wv_metric AS wv_metric, r.wv_value AS wv_value, r.wv_counted AS wv_counted".to_owned(),
        summed: recorded.columns.iter().map(summed).collect(),
    }
}

/// The numbers of predictions and outcomes: one a column, each read once.
fn told(recorded: &Recorded) -> Option<Numbers> {
    let names = different(recorded);
    let (mut read, mut carried) = (String::new(), String::new());
    for (i, name) in names.iter().enumerate() {
        read += &format!(", {} AS wv_r{i}", number_or_zero(&recorded.table, name)?);
        carried += &format!(", r.wv_r{i} AS wv_r{i}");
    }
    let summed = |column: &RecordColumn| (String::new(), format!("wv_r{}", place(&names, column)));
    Some(Numbers { read, carried, summed: recorded.columns.iter().map(summed).collect() })
}

/// One `num['NAME']` after another reads the whole map once; rewritten to a column a name, which the engine does by itself, it is taken
/// apart once a name.
pub(super) const MAP_AS_A_WHOLE: &str = "optimize_functions_to_subcolumns = 0";

/// A number of a prediction or outcome, 0 where it has none. A feature that is missing reads as 0 by itself, in half the time.
pub(super) fn number_or_zero(table: &RecordTable, name: &str) -> Option<String> {
    match (table, name.strip_prefix("num.")) {
        (RecordTable::Predictions { .. }, Some(feature)) => Some(format!("num[{}]", quote(feature))),
        _ => Some(format!("ifNull({}, 0.)", table.expression(name)?)),
    }
}

pub(super) fn place(names: &[&str], column: &RecordColumn) -> usize {
    names.iter().position(|name| *name == column.column).unwrap_or(0)
}

/// What the columns tell, each once.
pub(super) fn different(recorded: &Recorded) -> Vec<&str> {
    let mut found: Vec<&str> = recorded.columns.iter().map(|column| column.column.as_str()).collect();
    found.sort_unstable();
    found.dedup();
    found
}
