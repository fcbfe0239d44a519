//! The report of a performance run as one HTML file: the verdict in words, each metric over the chunks by truth and by estimate
//! against what is usual, calibration, segments, and the document as JSON inside.

use maud::{Markup, html};
use windvane_types::drift;
use windvane_types::performance::{
    CalibrationBin, Change, Chunk, ConceptDrift, Document, Metric, Trust, TrustVerdict, Verdict,
    WeakestSegments,
};
use windvane_types::span;

use crate::chart::cut;
use crate::chart::lines::{Look, Series, by_number, lines};
use crate::listed;
use crate::numbers::{counted, interval, number, optional, percent, thousands};
use crate::page;

/// Chunks that a table lists, and rows of all tables together: 300 bytes each make half a megabyte.
const CHUNKS_MAX: usize = 200;
const ROWS_MAX: usize = 1_500;
/// Points of all charts together: 150 bytes each make 600 kB. Of more chunks every so many are drawn.
const POINTS_MAX: usize = 4_000;
/// Lines of a chart.
const LINES: usize = 4;
/// Segments that are listed.
const SEGMENTS_MAX: usize = 100;
/// Bytes of the document up to which it is embedded. So a report stays below 2 MB.
const JSON_MAX: usize = 600_000;

/// The report of a performance run: no script, and nothing to be loaded from anywhere.
#[must_use]
pub fn performance_report(document: &Document) -> String {
    let title = format!("Performance of {}", cut(&document.current.source, 60));
    page::report(&title, content(document)).into_string()
}

fn content(document: &Document) -> Markup {
    let metrics = names(&document.chunks);
    html! {
        h1 { "Performance of " (cut(&document.current.source, 80)) }
        p class=(format!("answer {}", if document.verdict == Verdict::Alert { "fail" } else { document.verdict.as_str() })) { (headline(document)) }
        p.quiet { (document.task.as_str()) ", against " (cut(&document.reference.source, 80)) "." @if is_estimated(document) { " " (trust(&document.trust)) } }
        @if let Some(found) = &document.concept_drift { p.quiet { (concept(found)) } }
        @for name in &metrics {
            section.card {
                h2 { (name) }
                (chart(document, name, metrics.len()))
                (table(document, name, (ROWS_MAX / metrics.len()).clamp(1, CHUNKS_MAX)))
            }
        }
        @if let Some(newest) = document.chunks.iter().rev().find(|chunk| !chunk.calibration.is_empty()) {
            section.card { h2 { "Calibration, newest chunk" } (calibration(&newest.calibration)) }
        }
        @if !document.weakest_segments.segments.is_empty() {
            section.card { h2 { "Where it is weakest" } (weakest(&document.weakest_segments)) }
        }
        @if !document.segments.is_empty() {
            section.card { h2 { "Segments" } (segments(document)) }
        }
        p.quiet { "Intervals hold " (percent(document.confidence)) ". What is usual: " (document.threshold_rule) "." }
        (page::embedded(&serde_json::to_string(document).unwrap_or_default(), JSON_MAX))
    }
}

/// Whether anything was estimated: else there is nothing to trust.
fn is_estimated(document: &Document) -> bool {
    document.chunks.iter().flat_map(|chunk| &chunk.metrics).any(|metric| metric.estimated.is_some())
}

/// The metrics in the order of the chunks.
fn names(chunks: &[Chunk]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for metric in chunks.iter().flat_map(|chunk| &chunk.metrics) {
        if !names.contains(&metric.metric) {
            names.push(metric.metric.clone());
        }
    }
    names
}

fn of<'a>(chunk: &'a Chunk, name: &str) -> Option<&'a Metric> {
    chunk.metrics.iter().find(|metric| metric.metric == name)
}

fn headline(document: &Document) -> String {
    let alerts: Vec<String> = names(&document.chunks)
        .into_iter()
        .filter(|name| document.chunks.iter().any(|chunk| of(chunk, name).is_some_and(|metric| metric.alert)))
        .collect();
    let chunks = counted(document.chunks.len() as u64, "chunk", "chunks");
    match document.verdict {
        Verdict::Alert if alerts.is_empty() => "A metric left what is usual within a segment".to_owned(),
        Verdict::Alert => {
            let alerting =
                document.chunks.iter().filter(|chunk| chunk.metrics.iter().any(|metric| metric.alert));
            format!(
                "{} left what is usual, in {} of {chunks}",
                alerts.join(", "),
                thousands(alerting.count() as u64)
            )
        }
        Verdict::NoAlert => format!("Every metric stayed within what is usual, in {chunks}"),
        Verdict::InsufficientData => "Too few rows with an outcome to tell".to_owned(),
    }
}

/// How far estimates can be trusted.
pub fn trust(trust: &Trust) -> String {
    let figures = match (trust.mean_absolute_error, trust.coverage_of_band) {
        (Some(error), Some(covered)) => {
            format!(": off by {} on average, the band held {} of the truths", number(error), percent(covered))
        }
        _ => String::new(),
    };
    match trust.verdict {
        TrustVerdict::Trusted => format!("Estimates of {} can be trusted{figures}.", trust.metric),
        TrustVerdict::Muted => format!("Estimates of {} are muted{figures}.", trust.metric),
        TrustVerdict::Unknown => "Whether estimates can be trusted is not known.".to_owned(),
    }
}

/// Whether the relation between features and target changed.
pub fn concept(concept: &ConceptDrift) -> String {
    let what = match concept.verdict {
        drift::Verdict::Drift => "The relation between features and target has changed",
        drift::Verdict::NoDrift => "The relation between features and target is as it was",
        drift::Verdict::InsufficientData => {
            "Whether the relation between features and target has changed is not known"
        }
    };
    let why = concept.reason.as_deref().map_or(String::new(), |reason| format!(": {reason}"));
    let effect = match (concept.reference, concept.under_new_concept, concept.by_chance()) {
        (Some(before), Some(now), Some(chance)) => format!(
            ": {} on the reference is {}, and would be {} by the relation of the newest rows; chance alone makes up to {}",
            concept.metric,
            number(before),
            number(now),
            number(chance)
        ),
        _ => why,
    };
    format!("{what}{effect}.")
}

/// Truth and estimate over the chunks, by their start where each has its own, as tables tell it, else by their number; as one of so many
/// charts. The newest chunk is among those that are drawn.
fn chart(document: &Document, name: &str, charts: usize) -> Markup {
    let drawn = (POINTS_MAX / (LINES * charts)).max(2);
    let step = document.chunks.len().div_ceil(drawn).max(1);
    let chunks: Vec<&Chunk> = document.chunks.iter().rev().step_by(step).rev().collect();
    let starts: Option<Vec<i64>> =
        chunks.iter().map(|chunk| chunk.start.as_deref().and_then(span::instant)).collect();
    let starts = starts.filter(|starts| starts.is_sorted_by(|before, after| before < after));
    let draw = if starts.is_some() { lines } else { by_number };
    let places =
        starts.unwrap_or_else(|| chunks.iter().filter_map(|chunk| i64::try_from(chunk.chunk).ok()).collect());
    let points: Vec<(i64, &Metric)> =
        places.into_iter().zip(&chunks).filter_map(|(at, chunk)| Some((at, of(chunk, name)?))).collect();
    let look = Look { title: name, unit: number, floor: None, span: None, area: false };
    html! { @if document.chunks.len() > 1 { (draw(&lines_of(&points), look)) } }
}

/// A metric's truth, its estimate, and what is usual, as lines: of numbers or times, and what was measured there. A line without a point keeps
/// its place, so that the others have the same colours in every chart.
pub fn lines_of(points: &[(i64, &Metric)]) -> Vec<Series> {
    let line = |title: &str, value: fn(&Metric) -> Option<f64>| Series {
        name: title.to_owned(),
        points: points.iter().filter_map(|(at, metric)| Some((*at, value(metric)?))).collect(),
    };
    [
        line("realised", |metric| metric.realised),
        line("estimated", |metric| metric.estimated),
        line("usual, from", |metric| metric.threshold.and_then(|[low, _]| low)),
        line("usual, to", |metric| metric.threshold.and_then(|[_, high]| high)),
    ]
    .into()
}

/// What is usual: an end that is open is any.
pub fn usual(ends: Option<[Option<f64>; 2]>) -> String {
    let [low, high] = ends.unwrap_or_default();
    let told = |end: Option<f64>| end.map_or("any".to_owned(), number);
    if low.is_none() && high.is_none() {
        "–".to_owned()
    } else {
        format!("{} to {}", told(low), told(high))
    }
}

fn table(document: &Document, name: &str, listed: usize) -> Markup {
    html! {
        div.scroll tabindex="0" role="group" aria-label="Chunks" {
            table {
                thead { tr { th scope="col" { "chunk" } th.number scope="col" { "rows" } th.number scope="col" { "labelled" } th.number scope="col" { "realised" } th.number scope="col" { "interval" } th.number scope="col" { "estimated" } th.number scope="col" { "usual" } th scope="col" { "said" } } }
                tbody {
                    @for chunk in document.chunks.iter().take(listed) {
                        @if let Some(metric) = of(chunk, name) {
                            tr {
                                th scope="row" { @if let Some(start) = &chunk.start { (page::time(start)) } @else { (thousands(chunk.chunk)) } }
                                td.number { (thousands(chunk.n)) } td.number { (thousands(chunk.labelled)) }
                                td.number { (optional(metric.realised)) } td.number { (interval(metric.ci)) }
                                td.number { (optional(metric.estimated)) } td.number { (usual(metric.threshold)) }
                                td { @if metric.alert { span.badge.fail { (unusual(metric.change)) } } @else if let Some(reason) = &metric.reason { span.quiet { (undefined(reason)) } } }
                            }
                        }
                    }
                }
            }
        }
        @if document.chunks.len() > listed { p.quiet { "The first " (listed) " of " (thousands(document.chunks.len() as u64)) " chunks; the JSON document has all." } }
    }
}

/// Why a metric is not defined. Rows that there are, and that have no target, are no rows to it.
fn undefined(reason: &str) -> String {
    match reason {
        "no_rows" => "no rows with a target".to_owned(),
        other => other.replace('_', " "),
    }
}

/// Which way a metric left what is usual, as tables tell it.
fn unusual(change: Option<Change>) -> &'static str {
    match change {
        Some(Change::Worse) => "unusual, worse",
        Some(Change::Better) => "unusual, better",
        None => "unusual",
    }
}

fn calibration(bins: &[CalibrationBin]) -> Markup {
    html! {
        p.quiet { "Where scores say what happens, the mean score and the observed share are the same." }
        div.scroll tabindex="0" role="group" aria-label="Calibration" {
            table.narrow {
                thead { tr { th scope="col" { "scores" } th.number scope="col" { "rows" } th.number scope="col" { "mean score" } th.number scope="col" { "observed" } } }
                tbody {
                    @for bin in bins {
                        tr { th scope="row" { (number(bin.low)) " to " (number(bin.high)) } td.number { (number(bin.n)) } td.number { (number(bin.mean_score)) } td.number { (number(bin.observed)) } }
                    }
                }
            }
        }
    }
}

/// The segments on which the model is wrong most.
pub fn weakest(weakest: &WeakestSegments) -> Markup {
    html! {
        p.quiet { "By " (weakest.loss.as_deref().unwrap_or("loss")) ", overall " (optional(weakest.overall)) ", of " (counted(weakest.looked_at, "segment", "segments")) " looked at." }
        div.scroll tabindex="0" role="group" aria-label="Weakest segments" {
            table.narrow {
                thead { tr { th scope="col" { "segment" } th.number scope="col" { "rows" } th.number scope="col" { "loss" } th.number scope="col" { "elsewhere" } th.number scope="col" { "p, corrected" } } }
                tbody {
                    @for segment in &weakest.segments {
                        tr {
                            th scope="row" { (cut(&segment.column, 40)) " " (cut(segment.value.as_deref().unwrap_or("(missing)"), 40)) }
                            td.number { (thousands(segment.n)) } td.number { (number(segment.loss)) } td.number { (number(segment.loss_elsewhere)) } td.number { (number(segment.p_adjusted)) }
                        }
                    }
                }
            }
        }
    }
}

fn segments(document: &Document) -> Markup {
    html! {
        ul {
            @for segment in listed::most_important(&document.segments, SEGMENTS_MAX, |segment| segment.verdict != Verdict::Alert) {
                @let values: Vec<String> = segment.segment.iter().map(|(column, value)| format!("{} {}", cut(column, 32), cut(value.as_deref().unwrap_or("(missing)"), 32))).collect();
                li { strong { (values.join(", ")) } ", " (counted(segment.rows_current, "row", "rows")) ": " (segment.verdict.as_str().replace('_', " ")) @if !segment.muted.is_empty() { ", estimates of " (segment.muted.join(", ")) " are muted" } }
            }
        }
        (listed::rest(SEGMENTS_MAX, document.segments.len(), "segments"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document() -> Document {
        let metric = |realised: f64, alert| {
            serde_json::json!({"metric": "roc_auc", "realised": realised, "ci": [realised - 0.02, realised + 0.02], "estimated": 0.9,
                "estimate_band": [0.88, 0.92], "threshold": [0.85, null], "alert": alert, "change": null, "ci_method": null, "reason": null})
        };
        let chunk = |i: u64, realised, alert| {
            serde_json::json!({"chunk": i, "start": null, "end": null, "n": 1000, "labelled": 900, "coverage": 0.9, "unscored": 0, "groups": null,
                "groups_without_relevant": null, "insufficient_data": false, "metrics": [metric(realised, alert)], "confusion_matrix": [], "calibration": [], "lift": []})
        };
        serde_json::from_value(serde_json::json!({
            "schema": "windvane.performance/1", "task": "binary", "reference": {"source": "a.parquet", "rows": 10}, "current": {"source": "<b>.parquet", "rows": 20},
            "verdict": "alert", "positive": "late", "classes": ["late"], "confidence": 0.95, "threshold_rule": "mean and 3 standard deviations",
            "chunks": [chunk(0, 0.91, false), chunk(1, 0.8, true)], "reference_chunks": [], "segments": [], "segments_left_out": 0,
            "weakest_segments": {"loss": null, "overall": null, "looked_at": 0, "columns_left_out": 0, "segments": []},
            "trust": {"metric": "roc_auc", "mean_absolute_error": 0.01, "coverage_of_band": 1.0, "verdict": "trusted", "chunks": 2}, "concept_drift": null
        }))
        .unwrap()
    }

    #[test]
    fn concept_drift_is_told_with_its_effect_or_why_there_is_none() {
        let found = |changed: serde_json::Value| concept(&serde_json::from_value(changed).unwrap());
        let drifted = serde_json::json!({"verdict": "drift", "metric": "roc_auc", "reference": 0.9, "under_new_concept": 0.7,
            "estimated_effect": -0.2, "noise": 0.01, "fitted_on": 500});
        assert_eq!(
            found(drifted),
            "The relation between features and target has changed: roc_auc on the reference is 0.9, and would be 0.7 by the relation of the newest rows; chance alone makes up to 0.03."
        );
        let steady = serde_json::json!({"verdict": "no_drift", "metric": "mae", "reference": 3.0, "under_new_concept": 3.1,
            "estimated_effect": 0.1, "noise": 0.1, "chance": 0.46, "p_value": 0.37, "fitted_on": 500});
        assert!(
            found(steady).ends_with("; chance alone makes up to 0.46."),
            "what was kept with it, not three times the noise"
        );
        let few = serde_json::json!({"verdict": "insufficient_data", "metric": "mae", "reference": null, "under_new_concept": null,
            "estimated_effect": null, "noise": null, "fitted_on": 12, "reason": "too few rows with a target"});
        assert_eq!(
            found(few),
            "Whether the relation between features and target has changed is not known: too few rows with a target."
        );
    }

    #[test]
    fn charts_tell_chunks_by_their_start_where_each_has_one() {
        let mut document = document();
        assert!(performance_report(&document).contains("realised 0.91, 0</title>"));
        for (chunk, start) in document.chunks.iter_mut().zip(["2026-03-01T00:00:00Z", "2026-03-02T00:00:00Z"])
        {
            chunk.start = Some(start.to_owned());
        }
        let html = performance_report(&document);
        assert!(html.contains("realised 0.91, 2026-03-01 00:00 UTC</title>"), "{html}");
        let row = "<th scope=\"row\"><time datetime=\"2026-03-01T00:00:00Z\">2026-03-01 00:00</time></th>";
        assert!(html.contains(row), "{html}");
        document.chunks[1].start = Some("2026-03-01T00:00:00Z".to_owned());
        assert!(performance_report(&document).contains("realised 0.91, 0</title>"));
    }

    #[test]
    fn what_is_usual_has_one_colour_whether_anything_is_estimated_or_not() {
        let mut document = document();
        let html = performance_report(&document);
        assert!(html.contains("s1\"></i>estimated") && html.contains("s2\"></i>usual, from"), "{html}");
        for metric in document.chunks.iter_mut().flat_map(|chunk| &mut chunk.metrics) {
            metric.estimated = None;
        }
        let html = performance_report(&document);
        assert!(!html.contains("</i>estimated") && html.contains("s2\"></i>usual, from"), "{html}");
    }

    #[test]
    fn rows_without_a_target_are_not_called_none() {
        let mut document = document();
        document.chunks[0].metrics[0].reason = Some("no_rows".to_owned());
        assert!(performance_report(&document).contains("no rows with a target</span>"));
    }

    #[test]
    fn a_report_says_which_way_a_metric_left_what_is_usual() {
        for (change, said) in [(Some(Change::Worse), "worse"), (Some(Change::Better), "better")] {
            let mut document = document();
            document.chunks[1].metrics[0].change = change;
            let html = performance_report(&document);
            assert!(html.contains(&format!("unusual, {said}</span>")), "{html}");
        }
    }

    #[test]
    fn a_report_says_the_verdict_and_holds_the_document() {
        let html = performance_report(&document());
        for part in [
            "roc_auc left what is usual, in 1 of 2 chunks",
            "can be trusted: off by 0.01",
            "unusual",
            "0.85 to any",
            "aria-label=\"roc_auc: realised 0.8 at last",
        ] {
            assert!(html.contains(part), "no `{part}` in {html}");
        }
        for outside in ["http://", "https://", "src=", "href=\"/", "<b>"] {
            assert!(!html.contains(outside), "`{outside}` in {html}");
        }
        let (_, rest) = html.split_once("id=\"document\">").unwrap();
        assert_eq!(
            serde_json::from_str::<Document>(rest.split_once("</script>").unwrap().0).unwrap(),
            document()
        );
    }

    #[test]
    fn a_report_of_a_thousand_chunks_and_twelve_metrics_stays_below_two_megabytes() {
        let mut long = document();
        let [first, newest] = long.chunks.as_slice() else { panic!("two chunks") };
        let (mut first, mut newest) = (first.clone(), newest.clone());
        for chunk in [&mut first, &mut newest] {
            let named = |i: usize| Metric { metric: format!("metric_{i}"), ..chunk.metrics[0].clone() };
            chunk.metrics = (0..12).map(named).collect();
        }
        newest.chunk = 999;
        let earlier = (0..999).map(|chunk| Chunk { chunk, ..first.clone() });
        long.chunks = earlier.chain([newest]).collect();
        let html = performance_report(&long);
        assert!(html.len() < 2_000_000, "{}", html.len());
        assert!(html.contains("aria-label=\"metric_11: realised 0.8 at last"), "the newest chunk is drawn");
        assert!(
            html.contains("The first 125 of 1,000 chunks; the JSON document has all."),
            "tables say what they leave out"
        );
    }
}
