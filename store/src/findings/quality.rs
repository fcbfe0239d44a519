//! The `quality_findings` table: the document of a quality run as rows, one check of one column each.

use serde_json::Value;
use windvane_types::quality::{Check, CheckName, Document};

use crate::findings::{self, Run};
use crate::rowbinary as rb;
use crate::wire::{Column, Wire, column};
use crate::{Store, StoreError};

const TABLE: &str = "quality_findings";

const COLUMNS: &[Column] = &[
    column("run_id", Wire::Text),
    column("computed_at", Wire::Micros),
    column("model", Wire::Word),
    column("version", Wire::Word),
    column("environment", Wire::Word),
    column("monitor", Wire::Word),
    column("reference_kind", Wire::Word),
    column("reference_name", Wire::Text),
    column("window_start", Wire::Micros),
    column("window_end", Wire::Micros),
    column("granularity", Wire::Word),
    column("column_name", Wire::Word),
    column("method", Wire::Word),
    column("statistic", Wire::OptionalNumber),
    column("threshold_low", Wire::OptionalNumber),
    column("threshold", Wire::OptionalNumber),
    column("occurrences", Wire::Count),
    column("n_reference", Wire::Count),
    column("n_current", Wire::Count),
    column("verdict", Wire::Word),
    column("detail", Wire::Text),
];

/// Writes the findings of a run: a repeated run on the same window overwrites them, and empties those that it does not have.
///
/// # Errors
/// As [`Store::insert`]; the same run may be written again.
pub async fn write(store: &Store, run: &Run, document: &Document) -> Result<u64, StoreError> {
    let (rows, mut body) = (document.checks.len() as u64, Vec::new());
    for check in &document.checks {
        encode_row(run, (document, check), &mut body);
    }
    findings::record(store, (TABLE, COLUMNS), ("quality", run), (rows, body)).await
}

/// Empties what a monitor has found in a window that there is nothing to compare with by now.
///
/// # Errors
/// ClickHouse does not answer or refuses; it may be asked again.
pub async fn empty(store: &Store, run: &Run) -> Result<(), StoreError> {
    findings::empty_the_rest(store, (TABLE, COLUMNS), run).await
}

/// Appends the columns in the order of [`COLUMNS`].
fn encode_row(run: &Run, (document, check): (&Document, &Check), out: &mut Vec<u8>) {
    run.head(out);
    rb::string(out, check.column.as_deref().unwrap_or_default());
    rb::string(out, &method(check));
    let end = |i: usize| check.expected.as_array().and_then(|ends| ends.get(i)).and_then(Value::as_f64);
    for number in [check.observed.as_f64(), end(0), end(1)] {
        rb::nullable(out, number, rb::f64);
    }
    for count in [check.count, document.reference.rows, document.current.rows] {
        rb::u64(out, count);
    }
    rb::string(out, check.verdict.as_str());
    rb::string(out, &serde_json::to_string(check).expect("texts and numbers are JSON"));
}

/// The name of a check, with the version where there is one check a version.
fn method(check: &Check) -> String {
    let name = check.check.as_str();
    match (check.check, check.observed.get("version").and_then(Value::as_str)) {
        (CheckName::VersionSchema, Some(version)) => format!("{name}:{version}"),
        _ => name.to_owned(),
    }
}
