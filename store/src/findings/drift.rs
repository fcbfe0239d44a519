//! The `drift_findings` table: the document of a drift run as rows, one method on one column of one segment each.

use serde::Serialize;
use windvane_types::drift::{
    Change, Column as Compared, Distribution, Document, EmbeddingChange, Method, Segment, TextChange,
};
use windvane_types::span::Span;

use crate::findings::{self, Run};
use crate::rowbinary as rb;
use crate::wire::{Column, Wire, column};
use crate::{Store, StoreError};

const TABLE: &str = "drift_findings";

const COLUMNS: &[Column] = &[
    column("run_id", Wire::Text),
    column("computed_at", Wire::Micros),
    column("model", Wire::Word),
    column("version", Wire::Word),
    column("environment", Wire::Word),
    column("monitor", Wire::Word),
    column("reference_kind", Wire::Word),
    column("reference_name", Wire::Text),
    column("reference_start", Wire::Micros),
    column("reference_end", Wire::Micros),
    column("window_start", Wire::Micros),
    column("window_end", Wire::Micros),
    column("granularity", Wire::Word),
    column("segment_key", Wire::Word),
    column("segment_value", Wire::Text),
    column("column_name", Wire::Word),
    column("column_kind", Wire::Word),
    column("method", Wire::Word),
    column("statistic", Wire::OptionalNumber),
    column("threshold", Wire::OptionalNumber),
    column("p_value", Wire::OptionalNumber),
    column("p_adjusted", Wire::OptionalNumber),
    column("effect", Wire::OptionalNumber),
    column("n_reference", Wire::Count),
    column("n_current", Wire::Count),
    column("missing_reference", Wire::Count),
    column("missing_current", Wire::Count),
    column("direction", Wire::Word),
    column("drifted", Wire::Flag),
    column("verdict", Wire::Word),
    column("detail", Wire::Text),
];

/// Writes the findings of a run against a reference in event time: a repeated run on the same window overwrites them, and empties those that it does not have.
///
/// # Errors
/// As [`Store::insert`]; the same run may be written again.
pub async fn write(store: &Store, run: (&Run, Span), document: &Document) -> Result<u64, StoreError> {
    findings::record(store, (TABLE, COLUMNS), ("drift", run.0), encode(run, document)).await
}

fn encode(run: (&Run, Span), document: &Document) -> (u64, Vec<u8>) {
    let whole = document.columns.iter().map(|column| (None, column));
    let parts =
        document.segments.iter().flat_map(|part| part.columns.iter().map(move |column| (Some(part), column)));
    let mut out = Vec::new();
    let mut rows = 0;
    for (segment, column) in whole.chain(parts) {
        for method in &column.methods {
            encode_row(run, segment, (column, method), &mut out);
            rows += 1;
        }
    }
    (rows, out)
}

/// Appends the columns in the order of [`COLUMNS`].
fn encode_row(
    (run, reference): (&Run, Span),
    segment: Option<&Segment>,
    (column, method): (&Compared, &Method),
    out: &mut Vec<u8>,
) {
    run.whose(out);
    run.against(reference, out);
    run.when(out);
    let values = segment.map(|segment| &segment.segment);
    rb::string(out, &findings::segment_key(values));
    rb::string(out, &findings::segment_value(values));
    for word in [column.column.as_str(), column.kind.as_str(), method.method.as_str()] {
        rb::string(out, word);
    }
    for number in [method.statistic, method.threshold, method.p_value, method.p_adjusted, method.effect] {
        rb::nullable(out, number, rb::f64);
    }
    for count in [column.n_reference, column.n_current, column.missing_reference, column.missing_current] {
        rb::u64(out, count);
    }
    rb::string(out, column.direction.as_str());
    out.push(u8::from(method.drifted));
    rb::string(out, column.verdict.as_str());
    rb::string(out, &detail(segment, column, method));
}

/// What has no column of its own.
#[derive(Serialize)]
struct Detail<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    segment: Option<&'a std::collections::BTreeMap<String, Option<String>>>,
    mean_reference: Option<f64>,
    mean_current: Option<f64>,
    largest_change: Option<&'a Change>,
    #[serde(skip_serializing_if = "Option::is_none")]
    embedding: Option<&'a EmbeddingChange>,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a TextChange>,
    #[serde(skip_serializing_if = "Option::is_none")]
    distribution: Option<&'a Distribution>,
    #[serde(skip_serializing_if = "Option::is_none")]
    statistic_error: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    p_judged: Option<f64>,
    p_method: Option<&'a str>,
    smoothing: Option<&'a str>,
    bins: Option<u64>,
    reason: Option<&'a str>,
}

fn detail(segment: Option<&Segment>, column: &Compared, method: &Method) -> String {
    let detail = Detail {
        segment: segment.map(|segment| &segment.segment),
        mean_reference: column.mean_reference,
        mean_current: column.mean_current,
        largest_change: column.largest_change.as_ref(),
        embedding: column.embedding.as_ref(),
        text: column.text.as_ref(),
        // Once a column is enough.
        distribution: column.distribution.as_ref().filter(|_| column.methods.first() == Some(method)),
        statistic_error: method.statistic_error,
        p_judged: method.p_judged,
        p_method: method.p_method.as_deref(),
        smoothing: method.smoothing.as_deref(),
        bins: method.bins,
        reason: method.reason.as_deref(),
    };
    serde_json::to_string(&detail).expect("texts and numbers are JSON")
}
