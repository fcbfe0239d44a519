//! The `performance_findings` table: the document of a performance run as rows, one metric of one chunk of one segment each.

use serde::{Deserialize, Serialize};
use windvane_types::performance::{Change, Chunk, ConceptDrift, Document, Metric, Trust, WeakestSegments};
use windvane_types::span::{self, Span};

use crate::findings::{self, Run, Values};
use crate::rowbinary as rb;
use crate::wire::{Column, Wire, column};
use crate::{Statement, Store, StoreError};

pub(super) const TABLE: &str = "performance_findings";

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
    column("task", Wire::Word),
    column("metric", Wire::Word),
    column("realised", Wire::OptionalNumber),
    column("ci_low", Wire::OptionalNumber),
    column("ci_high", Wire::OptionalNumber),
    column("estimated", Wire::OptionalNumber),
    column("band_low", Wire::OptionalNumber),
    column("band_high", Wire::OptionalNumber),
    column("threshold_low", Wire::OptionalNumber),
    column("threshold_high", Wire::OptionalNumber),
    column("n", Wire::Count),
    column("labelled", Wire::Count),
    column("outcomes_until", Wire::Micros),
    column("coverage", Wire::OptionalNumber),
    column("alert", Wire::Flag),
    column("verdict", Wire::Word),
    column("trust", Wire::Word),
    column("detail", Wire::Text),
];

/// What a run has measured against.
#[derive(Debug, Clone, Copy)]
pub struct Against {
    /// The reference in event time.
    pub reference: Span,
    /// When the latest of the outcomes that it has seen was received, microseconds since 1970 UTC; 0 for none.
    pub outcomes_until_us: i64,
}

/// Writes the findings of a run: a repeated run on the same window overwrites them, and empties those that it does not have. Chunks
/// without a start and an end, which have no place in time, are left out.
///
/// # Errors
/// As [`Store::insert`]; the same run may be written again.
pub async fn write(
    store: &Store,
    (run, against): (&Run, Against),
    document: &Document,
) -> Result<u64, StoreError> {
    findings::record(store, (TABLE, COLUMNS), ("performance", run), encode((run, against), document)).await
}

fn encode((run, against): (&Run, Against), document: &Document) -> (u64, Vec<u8>) {
    let whole = document.chunks.iter().map(|chunk| (None, chunk));
    let parts = document
        .segments
        .iter()
        .flat_map(|part| part.chunks.iter().map(move |chunk| (Some(&part.segment), chunk)));
    let (mut out, mut rows) = (Vec::new(), 0);
    for (segment, chunk) in whole.chain(parts) {
        let instant = |text: &Option<String>| text.as_deref().and_then(span::instant);
        let (Some(start_us), Some(end_us)) = (instant(&chunk.start), instant(&chunk.end)) else { continue };
        for metric in &chunk.metrics {
            let window = Span { start_us, end_us };
            let found = Found { run, against, document, segment, chunk, window };
            found.encode(metric, &mut out);
            rows += 1;
        }
    }
    (rows, out)
}

/// Where a metric was found.
struct Found<'a> {
    run: &'a Run,
    against: Against,
    document: &'a Document,
    segment: Option<&'a Values>,
    chunk: &'a Chunk,
    window: Span,
}

impl Found<'_> {
    /// Appends the columns in the order of [`COLUMNS`].
    fn encode(&self, metric: &Metric, out: &mut Vec<u8>) {
        let Self { run, against, document, segment, chunk, window } = self;
        run.whose(out);
        run.against(against.reference, out);
        rb::i64(out, window.start_us);
        rb::i64(out, window.end_us);
        rb::string(out, &run.granularity);
        rb::string(out, &findings::segment_key(*segment));
        rb::string(out, &findings::segment_value(*segment));
        rb::string(out, document.task.as_str());
        rb::string(out, &metric.metric);
        let [ci_low, ci_high] = ends(metric.ci);
        let [band_low, band_high] = ends(metric.estimate_band);
        let [low, high] = metric.threshold.unwrap_or_default();
        for number in [metric.realised, ci_low, ci_high, metric.estimated, band_low, band_high, low, high] {
            rb::nullable(out, number, rb::f64);
        }
        rb::u64(out, chunk.n);
        rb::u64(out, chunk.labelled);
        rb::i64(out, against.outcomes_until_us);
        rb::nullable(out, chunk.coverage, rb::f64);
        out.push(u8::from(metric.alert));
        rb::string(out, verdict(chunk, metric));
        rb::string(out, document.trust.verdict.as_str());
        // What is said of the whole run is told once, with the main metric; of several chunks with the last.
        let tells = metric.metric == document.trust.metric && segment.is_none();
        let is_last = document.chunks.last().is_some_and(|last| last.chunk == chunk.chunk);
        let weakest = &document.weakest_segments;
        let detail = Detail {
            segment: *segment,
            unscored: chunk.unscored,
            measured: chunk.measured,
            threshold_chunks: metric.threshold_chunks,
            change: metric.change,
            ci_method: metric.ci_method.as_deref(),
            reason: metric.reason.as_deref(),
            trust: Some(&document.trust).filter(|_| tells),
            concept_drift: document.concept_drift.as_ref().filter(|_| tells && is_last),
            weakest_segments: Some(weakest).filter(|weakest| weakest.loss.is_some() && tells && is_last),
        };
        rb::string(out, &serde_json::to_string(&detail).expect("texts and numbers are JSON"));
    }
}

fn ends(pair: Option<[f64; 2]>) -> [Option<f64>; 2] {
    pair.map_or([None; 2], |[low, high]| [Some(low), Some(high)])
}

fn verdict(chunk: &Chunk, metric: &Metric) -> &'static str {
    match (metric.alert, metric.realised.or(metric.estimated)) {
        (true, _) => "alert",
        (false, Some(_)) if !chunk.insufficient_data && metric.threshold.is_some() => "no_alert",
        _ => "insufficient_data",
    }
}

/// What has no column of its own.
#[derive(Serialize)]
struct Detail<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    segment: Option<&'a Values>,
    unscored: u64,
    measured: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    threshold_chunks: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    change: Option<Change>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ci_method: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trust: Option<&'a Trust>,
    #[serde(skip_serializing_if = "Option::is_none")]
    concept_drift: Option<&'a ConceptDrift>,
    #[serde(skip_serializing_if = "Option::is_none")]
    weakest_segments: Option<&'a WeakestSegments>,
}

/// What an estimate and the truth were on the same rows.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
pub struct Compared {
    /// The truth.
    pub realised: f64,
    /// The estimate.
    pub estimated: f64,
    /// The estimate less three sampling errors.
    pub band_low: f64,
    /// The estimate and three sampling errors.
    pub band_high: f64,
    /// Rows with a prediction.
    pub n: u64,
    /// Those whose truth is known.
    pub labelled: u64,
}

/// A metric's estimate and truth on the latest windows of a monitor that begin before that of the run and have both, at most `limit`. Only
/// those with the run's own reference: an estimate from another one says nothing of this, and would count a window twice.
///
/// # Errors
/// ClickHouse does not answer or refuses.
pub async fn compared(
    store: &Store,
    run: &Run,
    (metric, limit): (&str, u64),
) -> Result<Vec<Compared>, StoreError> {
    let statement = Statement::new(
        "SELECT assumeNotNull(realised) AS realised, assumeNotNull(estimated) AS estimated, \
         assumeNotNull(band_low) AS band_low, assumeNotNull(band_high) AS band_high, scored AS n, measured AS labelled \
         FROM (SELECT window_start, realised, estimated, band_low, band_high, \
         toUInt64(n - least(n, JSONExtractUInt(detail, 'unscored'))) AS scored, \
         if(JSONHas(detail, 'measured'), JSONExtractUInt(detail, 'measured'), labelled) AS measured FROM performance_findings FINAL \
         WHERE model = {model:String} AND monitor = {monitor:String} \
         AND window_start < fromUnixTimestamp64Micro({before:Int64}, 'UTC') AND granularity = {granularity:String} \
         AND version = {version:String} AND environment = {environment:String} \
         AND reference_kind = {reference_kind:String} AND reference_name = {reference_name:String} \
         AND segment_key = '' AND metric = {metric:String}) AS kept \
         WHERE isNotNull(kept.realised) AND isNotNull(kept.estimated) AND isNotNull(kept.band_low) \
         AND isNotNull(kept.band_high) ORDER BY window_start DESC LIMIT {limit:UInt64}",
    )
    .param("model", run.model.as_str())
    .param("monitor", run.monitor.as_str())
    .param("before", run.window.start_us)
    .param("granularity", run.granularity.as_str())
    .param("version", run.version.as_str())
    .param("environment", run.environment.as_str())
    .param("reference_kind", run.reference_kind.as_str())
    .param("reference_name", run.reference_name.as_str())
    .param("metric", metric)
    .param("limit", limit);
    store.rows(&statement).await
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Against, Run, Span, encode};

    #[test]
    fn what_is_said_of_the_whole_run_is_told_once() {
        let metric = |name: &str| {
            json!({"metric": name, "realised": 0.9, "ci": null, "estimated": null, "estimate_band": null,
            "threshold": null, "alert": false})
        };
        let chunk = |i: u64| {
            let (start, end) =
                (format!("2026-01-0{}T00:00:00Z", i + 1), format!("2026-01-0{}T00:00:00Z", i + 2));
            json!({"chunk": i, "start": start, "end": end, "n": 10, "labelled": 9, "coverage": 0.9, "unscored": 0, "groups": null,
                "groups_without_relevant": null, "insufficient_data": false, "metrics": [metric("roc_auc"), metric("brier")],
                "confusion_matrix": [], "calibration": [], "lift": []})
        };
        let weak = json!({"column": "region", "value": "west", "n": 5, "loss": 0.5, "loss_elsewhere": 0.1, "difference_ci": null,
            "p_value": 0.001, "p_adjusted": 0.01});
        let document = serde_json::from_value(json!({
            "schema": "windvane.performance/1", "task": "binary", "reference": {"source": "a", "rows": 10}, "current": {"source": "b", "rows": 20},
            "verdict": "no_alert", "classes": ["0", "1"], "confidence": 0.95, "threshold_rule": "", "chunks": [chunk(0), chunk(1)],
            "reference_chunks": [], "segments": [], "segments_left_out": 0,
            "weakest_segments": {"loss": "error_rate", "overall": 0.2, "looked_at": 7, "columns_left_out": 0, "segments": [weak]},
            "trust": {"metric": "roc_auc", "mean_absolute_error": null, "coverage_of_band": null, "verdict": "unknown", "chunks": 0},
            "concept_drift": {"verdict": "drift", "metric": "roc_auc", "reference": 0.9, "under_new_concept": 0.7, "estimated_effect": -0.2,
                "noise": 0.01, "fitted_on": 500}
        }))
        .unwrap();
        let span = Span { start_us: 0, end_us: 1 };
        let empty = String::new;
        let run = Run {
            run_id: empty(),
            computed_at_us: 0,
            model: empty(),
            version: empty(),
            environment: empty(),
            monitor: empty(),
            reference_kind: empty(),
            reference_name: empty(),
            window: span,
            granularity: empty(),
        };
        let (rows, body) = encode((&run, Against { reference: span, outcomes_until_us: 0 }), &document);
        let text = String::from_utf8_lossy(&body);
        assert_eq!(rows, 4);
        for (part, times) in [
            (r#""trust":{"metric":"roc_auc""#, 2),
            (r#""concept_drift":{"verdict":"drift""#, 1),
            (r#""weakest_segments":{"loss":"error_rate""#, 1),
        ] {
            assert_eq!(text.matches(part).count(), times, "{part} in {text}");
        }
    }
}
