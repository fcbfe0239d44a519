//! The `attribution_findings` table: the document of an attribution run as rows, the ranking first, then one feature each.

use windvane_types::attribution::Document;

use crate::findings::{self, Run};
use crate::rowbinary as rb;
use crate::wire::{Column, Wire, column};
use crate::{Store, StoreError};

const TABLE: &str = "attribution_findings";

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
    column("ci_low", Wire::OptionalNumber),
    column("ci_high", Wire::OptionalNumber),
    column("reference_statistic", Wire::OptionalNumber),
    column("threshold", Wire::OptionalNumber),
    column("place", Wire::Count),
    column("reference_place", Wire::Count),
    column("n_reference", Wire::Count),
    column("n_current", Wire::Count),
    column("verdict", Wire::Word),
];

/// One row, without what it shares with the others of its run.
struct Row<'a> {
    column: &'a str,
    method: &'a str,
    /// Statistic, ends of its interval, that of the reference, threshold.
    numbers: [Option<f64>; 5],
    /// Places and counts: of the window and the reference, of the reference and the window.
    counts: [u64; 4],
    verdict: &'a str,
}

/// Writes the findings of a run: a repeated run on the same window overwrites them, and empties those that it does not have.
///
/// # Errors
/// As [`Store::insert`]; the same run may be written again.
pub async fn write(store: &Store, run: &Run, document: &Document) -> Result<u64, StoreError> {
    let [low, high] = document.ci.map_or([None; 2], |[low, high]| [Some(low), Some(high)]);
    let ranking = Row {
        column: "",
        method: "ndcg",
        numbers: [document.ndcg, low, high, None, Some(document.threshold)],
        counts: [0, 0, document.reference.rows, document.current.rows],
        verdict: document.verdict.as_str(),
    };
    let features = document.features.iter().map(|feature| Row {
        column: &feature.feature,
        method: "importance",
        numbers: [Some(feature.importance_current), None, None, Some(feature.importance_reference), None],
        counts: [feature.rank_current, feature.rank_reference, feature.n_reference, feature.n_current],
        verdict: "",
    });
    let (mut body, mut rows) = (Vec::new(), 0);
    for row in std::iter::once(ranking).chain(features) {
        encode_row(run, &row, &mut body);
        rows += 1;
    }
    findings::record(store, (TABLE, COLUMNS), ("attribution", run), (rows, body)).await
}

/// Empties what a monitor has found in a window of which nothing is to be ranked by now.
///
/// # Errors
/// ClickHouse does not answer or refuses; it may be asked again.
pub async fn empty(store: &Store, run: &Run) -> Result<(), StoreError> {
    findings::empty_the_rest(store, (TABLE, COLUMNS), run).await
}

/// Appends the columns in the order of [`COLUMNS`].
fn encode_row(run: &Run, row: &Row<'_>, out: &mut Vec<u8>) {
    run.head(out);
    rb::string(out, row.column);
    rb::string(out, row.method);
    for number in row.numbers {
        rb::nullable(out, number, rb::f64);
    }
    for count in row.counts {
        rb::u64(out, count);
    }
    rb::string(out, row.verdict);
}
