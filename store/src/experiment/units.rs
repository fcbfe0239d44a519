//! An experiment in the tables, one row a unit: its arm, its first exposure and its sums.
//!
//! The records are read once, each meets its unit's first exposure in a join and is added to the sums that it counts for. Only
//! what the sums need goes through the join: the name of a measurement as a number and its value, not a column a metric.

use super::{
    ARM, ARMS_MAX, Exposed, RecordColumn, RecordTable, Recorded, UNIT, When,
    stored::{columns, exposures_seen, records, window_over},
};
use crate::{Statement, local::quote, populations::Population};

/// The arm of units that were seen in several: no name of an arm.
const SEVERAL: &str = "char(0)";

/// The population of one source with one row a unit; `None` where a column is none of its table's.
pub(super) fn stored_units(exposed: &Exposed, recorded: &Recorded) -> Option<Population> {
    let numbers = match recorded.table {
        RecordTable::Measurements => measured(recorded),
        RecordTable::Predictions { .. } | RecordTable::Outcomes { .. } => told(recorded)?,
    };
    let sums: String = recorded
        .columns
        .iter()
        .enumerate()
        .map(|(i, column)| {
            let during = during(column.when, exposed.window_us);
            format!(", sum(if({during}{}, {}, 0.)) AS wv_c{i}", numbers.conditions[i], numbers.values[i])
        })
        .collect();
    let from = format!(
        "(SELECT e.wv_unit AS {UNIT}, any(e.wv_seen) AS {ARM}, any(e.wv_first) AS wv_first{sums} \
         FROM ({}) AS r RIGHT JOIN ({}) AS e ON r.wv_unit = e.wv_unit GROUP BY {UNIT} SETTINGS join_use_nulls = 0)",
        records(exposed, recorded, &numbers.read),
        exposed_units(exposed, recorded),
    );
    Some(Population::of_sql(exposed.experiment.clone(), from, columns(recorded)))
}

/// Asks for the arms of [`super::stored`]'s population where it has one row a unit, without a look at its records. All else
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

/// One row an exposed unit: its arm and its first exposure in any.
fn exposed_units(exposed: &Exposed, recorded: &Recorded) -> String {
    format!(
        "SELECT unit_id AS wv_unit, min(ts) AS wv_first, if(min(one) = max(one), min(one), {SEVERAL}) AS wv_seen \
         FROM ({}) GROUP BY unit_id{}",
        exposures_seen(exposed, recorded),
        window_over(exposed),
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

/// What is read of a record, and what is added for each column under which further condition.
struct Numbers {
    read: String,
    conditions: Vec<String>,
    values: Vec<String>,
}

/// The numbers of measurements: a name and a value each.
fn measured(recorded: &Recorded) -> Numbers {
    let names = different(recorded, |column| column.column.clone());
    let quoted: Vec<String> = names.iter().map(|name| quote(name)).collect();
    let numbers: Vec<String> = (1..=names.len()).map(|number| number.to_string()).collect();
    let read = format!(
        ", transform(metric, [{}]::Array(String), [{}]::Array(UInt16), toUInt16(0)) AS wv_metric, value AS wv_value, \
         1. AS wv_counted",
        quoted.join(", "),
        numbers.join(", ")
    );
    let place = |column: &RecordColumn| names.iter().position(|name| *name == column.column).unwrap_or(0) + 1;
    let (conditions, values) = recorded
        .columns
        .iter()
        .map(|column| match column.column.as_str() {
            "rows" => (String::new(), "r.wv_counted".to_owned()),
            _ => (format!(" AND r.wv_metric = {}", place(column)), "r.wv_value".to_owned()),
        })
        .unzip();
    Numbers { read, conditions, values }
}

/// The numbers of predictions and outcomes: one a column, each read once.
fn told(recorded: &Recorded) -> Option<Numbers> {
    let expressions: Option<Vec<String>> =
        recorded.columns.iter().map(|column| recorded.table.expression(&column.column)).collect();
    let expressions = expressions?;
    let read = different(recorded, |column| column.column.clone());
    let place = |column: &RecordColumn| read.iter().position(|name| *name == column.column).unwrap_or(0);
    let mut told = vec![String::new(); read.len()];
    for (column, expression) in recorded.columns.iter().zip(expressions) {
        let place = place(column);
        told[place] = format!(", ifNull({expression}, 0.) AS wv_r{place}");
    }
    Some(Numbers {
        read: told.concat(),
        conditions: vec![String::new(); recorded.columns.len()],
        values: recorded.columns.iter().map(|column| format!("r.wv_r{}", place(column))).collect(),
    })
}

/// What is told of the columns, each once, in the order in which it comes first.
fn different(recorded: &Recorded, of: impl Fn(&RecordColumn) -> String) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for told in recorded.columns.iter().map(of) {
        if !found.contains(&told) {
            found.push(told);
        }
    }
    found
}
