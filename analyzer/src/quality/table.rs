//! Checks of a whole table: rows, columns that came and went, keys, times, versions.

use serde_json::{Value, json};
use windvane_store::populations::{RepeatedRow, TimesRow, VersionRow};
use windvane_types::quality::{
    AddedColumns, Check, CheckName, ColumnExpectations, Expectations, Holds, ShareBound, TimeExpectations,
    Verdict,
};
use windvane_types::span;

use super::bounds::{Bounds, Counts, Ends};
use super::inspect::Facts;

/// Rows that a version needs before its columns are looked at.
const VERSION_ROWS_MIN: u64 = 30;
/// Examples of a check.
pub(super) const EXAMPLES_MAX: usize = 5;

/// A check of the whole table.
pub(super) fn check(name: CheckName, passes: bool) -> Check {
    Check {
        check: name,
        column: None,
        observed: Value::Null,
        expected: Value::Null,
        verdict: if passes { Verdict::Pass } else { Verdict::Fail },
        count: 0,
        examples: Vec::new(),
        reason: None,
    }
}

/// A count of so many as a share; null where there is nothing.
pub(super) fn share(count: u64, of: u64) -> Value {
    if of == 0 { Value::Null } else { json!(count as f64 / of as f64) }
}

/// A band of counts as shares.
pub(super) fn band(counts: Counts, of: u64) -> Value {
    json!([share(counts.low, of), share(counts.high, of)])
}

/// Rows and columns.
pub(super) fn checks(facts: &Facts, expectations: &Expectations) -> Vec<Check> {
    let rows_min = expectations.table.rows_min;
    let mut checks = vec![Check {
        observed: facts.rows.into(),
        expected: json!([rows_min, null]),
        count: facts.rows,
        ..check(CheckName::RowCount, facts.rows >= rows_min)
    }];
    if expectations.table.added_columns == AddedColumns::Fail {
        for column in &facts.columns {
            if expectations.columns.iter().all(|(name, _)| *name != column.name) {
                let values = column.values().unwrap_or(facts.rows);
                checks.push(Check {
                    column: Some(column.name.clone()),
                    observed: column.holds().map_or("nothing", Holds::as_str).into(),
                    expected: "absent".into(),
                    count: values,
                    ..check(CheckName::ColumnAdded, false)
                });
            }
        }
    }
    checks
}

/// Rows that repeat a key.
pub(super) fn duplicates(row: &RepeatedRow, bound: &ShareBound, bounds: &Bounds) -> Check {
    let counts = bounds.counts(bound, row.rows, Ends::Upper);
    Check {
        observed: share(row.repeats, row.rows),
        expected: band(counts, row.rows),
        count: row.repeats,
        examples: row.examples.iter().map(|key| json!(key)).collect(),
        ..check(CheckName::DuplicateKeys, row.repeats <= counts.high)
    }
}

/// Late events, those out of order, and those of the future.
pub(super) fn times(row: &TimesRow, times: &TimeExpectations, bounds: &Bounds) -> Vec<Check> {
    let column = Some(times.timestamp.clone());
    let mut checks = vec![Check {
        column: column.clone(),
        observed: share(row.future, row.timed),
        expected: json!([0.0, 0.0]),
        count: row.future,
        examples: row.future_examples.iter().map(|us| json!(span::shown(*us))).collect(),
        ..check(CheckName::FutureTimestamps, row.future == 0)
    }];
    let mut push = |name, (count, bound): (u64, &Option<ShareBound>), examples: &[i64]| {
        let Some(bound) = bound else { return };
        let counts = bounds.counts(bound, row.timed, Ends::Upper);
        checks.push(Check {
            column: column.clone(),
            observed: share(count, row.timed),
            expected: band(counts, row.timed),
            count,
            examples: lengths(examples),
            ..check(name, count <= counts.high)
        });
    };
    push(CheckName::LateEvents, (row.late, &times.late), &row.late_examples);
    push(CheckName::OutOfOrder, (row.disordered, &times.out_of_order), &row.disordered_most);
    checks
}

/// Different lengths of time, the longest first.
fn lengths(all: &[i64]) -> Vec<Value> {
    let mut all = all.to_vec();
    all.dedup();
    all.into_iter().map(|us| json!(format!("{} s", us as f64 / 1e6))).collect()
}

/// Whether each version of a window sends what the reference has. One version alone is what the columns themselves say.
pub(super) fn versions(versions: &[VersionRow], expectations: &Expectations, bounds: &Bounds) -> Vec<Check> {
    let looked_at: Vec<&VersionRow> =
        versions.iter().filter(|version| version.rows >= VERSION_ROWS_MIN).collect();
    if looked_at.len() < 2 {
        return Vec::new();
    }
    let alpha = bounds.alpha() / (looked_at.len() * expectations.columns.len().max(1)) as f64;
    looked_at
        .into_iter()
        .map(|version| {
            let differences: Vec<Value> = expectations
                .columns
                .iter()
                .filter_map(|(name, expected)| difference(version, (name, expected), (bounds, alpha)))
                .collect();
            Check {
                observed: json!({ "version": version.version, "differences": differences.len() }),
                expected: json!({ "differences": 0 }),
                count: differences.len() as u64,
                examples: differences.iter().take(EXAMPLES_MAX).cloned().collect(),
                reason: Some(format!("version `{}`, {} rows", version.version, version.rows)),
                ..check(CheckName::VersionSchema, differences.is_empty())
            }
        })
        .collect()
}

/// What a version does otherwise with a feature.
fn difference(
    version: &VersionRow,
    (name, expected): (&str, &ColumnExpectations),
    (bounds, alpha): (&Bounds, f64),
) -> Option<Value> {
    let kind = match expected.holds? {
        Holds::Integer | Holds::Number => "number",
        Holds::Boolean | Holds::Text | Holds::Time => "text",
        Holds::Vector => "vector",
        Holds::Other => return None,
    };
    // What a model answers is no feature; its columns tell of it.
    if name.starts_with("prediction.") || name == "latency_us" {
        return None;
    }
    let sent = |kind: &str| {
        let found = version.names.iter().position(|sent| *sent == format!("{kind}:{name}"));
        found.and_then(|i| version.counts.get(i)).copied().unwrap_or(0)
    };
    if let Some(other) =
        ["number", "text", "vector"].into_iter().find(|other| *other != kind && sent(other) > 0)
    {
        return Some(json!({ "column": name, "sent_as": other, "expected": kind }));
    }
    let missing = version.rows.saturating_sub(sent(kind));
    let counts = bounds.counts_at(expected.missing.as_ref()?, version.rows, (Ends::Both, alpha));
    (missing > counts.high)
        .then(|| json!({ "column": name, "missing": share(missing, version.rows), "expected": band(counts, version.rows) }))
}
