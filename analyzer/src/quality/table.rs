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

/// Late events, those out of order, and those of the future. Where rows say nothing of when they were, or came in, and should, no such check
/// passes.
pub(super) fn times((row, rows): (&TimesRow, u64), times: &TimeExpectations, bounds: &Bounds) -> Vec<Check> {
    let column = Some(times.timestamp.clone());
    let from_none = |bound: &Option<ShareBound>| matches!(bound, Some(ShareBound::Seen { of: 0, .. }));
    let timeless = rows > 0 && row.timed == 0 && !from_none(&times.out_of_order);
    let mut checks = vec![Check {
        column: column.clone(),
        observed: share(row.future, row.timed),
        expected: json!([0.0, 0.0]),
        count: row.future,
        examples: row.future_examples.iter().map(|us| json!(span::shown(*us))).collect(),
        reason: timeless.then(|| "no row has a time".to_owned()),
        ..check(CheckName::FutureTimestamps, row.future == 0 && !timeless)
    }];
    if let Some(bound) = &times.late {
        let unknown = row.timed > 0 && row.with_arrival == 0 && !from_none(&times.late);
        let of = if unknown { row.timed } else { row.with_arrival };
        let counts = bounds.counts(bound, of, Ends::Upper);
        checks.push(Check {
            column: column.clone(),
            observed: share(row.late, row.with_arrival),
            expected: band(counts, of),
            count: row.late,
            examples: lengths(&row.late_examples),
            reason: unknown.then(|| "no row says when it came in".to_owned()),
            ..check(CheckName::LateEvents, row.late <= counts.high && !unknown)
        });
    }
    if let Some(bound) = &times.out_of_order {
        let counts = bounds.counts(bound, row.timed, Ends::Upper);
        checks.push(Check {
            column,
            observed: share(row.disordered, row.timed),
            expected: band(counts, row.timed),
            count: row.disordered,
            examples: lengths(&row.disordered_most),
            ..check(CheckName::OutOfOrder, row.disordered <= counts.high)
        });
    }
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

#[cfg(test)]
mod tests {
    use windvane_store::populations::TimesRow;
    use windvane_types::quality::{ShareBound, TimeExpectations, Verdict};

    use super::super::bounds::Bounds;
    use super::super::tests::expecting;
    use super::times;

    // A file that a person wrote names columns of times that no type is expected of: where none of their values read as a time, nothing was
    // late, out of order or to come.
    #[test]
    fn times_that_should_be_there_are_missed() {
        let none = ShareBound::Limits { min: 0.0, max: 0.0 };
        let unlearnt = ShareBound::Seen { seen: 0, of: 0 };
        let row = |timed, with_arrival| TimesRow { timed, with_arrival, ..TimesRow::default() };
        for (row, rows, bound, expected) in [
            (row(0, 0), 50, none, ["fail", "pass", "pass"]),
            (row(0, 0), 50, unlearnt, ["pass", "pass", "pass"]),
            (row(50, 0), 50, none, ["pass", "fail", "pass"]),
            (row(50, 1), 50, none, ["pass", "pass", "pass"]),
            (row(0, 0), 0, none, ["pass", "pass", "pass"]),
        ] {
            let times_expected = TimeExpectations {
                timestamp: "ts".to_owned(),
                arrival: Some("came".to_owned()),
                ahead_us: 0,
                late_us: 0,
                late: Some(bound),
                out_of_order: Some(bound),
            };
            let found = times((&row, rows), &times_expected, &Bounds::of(&expecting(Vec::new())));
            let verdicts: Vec<&str> = found.iter().map(|check| check.verdict.as_str()).collect();
            assert_eq!(verdicts, expected, "{row:?} {bound:?}");
            assert_eq!(
                found.iter().filter(|check| check.reason.is_some()).count(),
                found.iter().filter(|check| check.verdict == Verdict::Fail).count()
            );
        }
    }
}
