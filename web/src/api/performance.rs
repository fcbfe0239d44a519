//! `GET /api/v1/models/{model}/performance`: the recorded windows of performance, the latest first, each with its metrics in the form
//! of the document that `windvane performance --format json` prints.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Path, Query, State};
use serde::{Deserialize, Serialize};
use windvane_store::{Store, StoreError, findings};
use windvane_types::address::Named;
use windvane_types::performance::{
    Change, ConceptDrift, METRICS, Metric, Task, Trust, Verdict, WeakestSegments,
};

use super::parameters::Parameters;
use super::problem::Problem;
use super::run::Key;
use super::runs::{self, Filters, Kind, Runs};

const KIND: Kind<Row, Window> = Kind {
    schema: "windvane.performance_windows/1",
    findings: &findings::runs::PERFORMANCE,
    limits: (50, 500),
    parameters: &["metric", "verdict", "segment"],
    filters,
    group,
};

/// The document of `/api/v1/models/{model}/performance`.
#[derive(Debug, Serialize)]
pub struct Windows {
    schema: &'static str,
    model: String,
    windows: Vec<Window>,
    next_offset: Option<u64>,
}

/// One window, as far as the filters let its metrics through.
#[derive(Debug, Clone, Serialize)]
pub struct Window {
    pub run_id: String,
    pub computed_at: String,
    pub monitor: String,
    pub version: String,
    pub environment: String,
    pub task: Task,
    pub reference: Reference,
    pub start: String,
    pub end: String,
    pub granularity: String,
    pub verdict: Verdict,
    pub n: u64,
    pub labelled: u64,
    pub coverage: Option<f64>,
    pub trust: Option<Trust>,
    /// Whether the relation between features and target changed, where it was asked.
    pub concept_drift: Option<ConceptDrift>,
    /// Where the model is wrong most, where it was asked.
    pub weakest_segments: Option<WeakestSegments>,
    pub metrics: Vec<Metric>,
    pub segments: Vec<Segment>,
}

#[derive(Debug, Clone, Serialize)]
pub struct Reference {
    pub kind: String,
    pub name: String,
    pub start: String,
    pub end: String,
}

/// A part of a window's rows.
#[derive(Debug, Clone, Serialize)]
pub struct Segment {
    pub segment: BTreeMap<String, Option<String>>,
    pub verdict: Verdict,
    pub n: u64,
    pub labelled: u64,
    pub coverage: Option<f64>,
    pub metrics: Vec<Metric>,
}

/// A row of `performance_findings`.
#[derive(Debug, Deserialize)]
struct Row {
    run_id: String,
    computed_at: String,
    #[serde(flatten)]
    key: Key,
    reference_start: String,
    reference_end: String,
    segment_key: String,
    task: Task,
    metric: String,
    realised: Option<f64>,
    ci_low: Option<f64>,
    ci_high: Option<f64>,
    estimated: Option<f64>,
    band_low: Option<f64>,
    band_high: Option<f64>,
    threshold_low: Option<f64>,
    threshold_high: Option<f64>,
    n: u64,
    labelled: u64,
    coverage: Option<f64>,
    alert: bool,
    verdict: Verdict,
    detail: String,
}

/// What has no column of its own.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Detail {
    segment: Option<BTreeMap<String, Option<String>>>,
    threshold_chunks: Option<u64>,
    change: Option<Change>,
    ci_method: Option<String>,
    reason: Option<String>,
    trust: Option<Trust>,
    concept_drift: Option<ConceptDrift>,
    weakest_segments: Option<WeakestSegments>,
}

/// The newest windows, the latest first, without their segments, as a page shows them.
///
/// # Errors
/// ClickHouse does not answer or refuses.
pub async fn newest(store: &Store, model: &str, limit: u64) -> Result<Vec<Window>, StoreError> {
    KIND.newest(store, model, (&runs::WHOLE, limit)).await
}

/// Parameters: `monitor`, `metric`, `verdict`, `segment` (`key:value`, or `none` for the whole population), `from` and `to`
/// (windows that overlap the span), `limit`, `offset` (in windows).
pub async fn windows(
    State(store): State<Store>,
    Path(Named(model)): Path<Named>,
    Query(sent): Query<BTreeMap<String, String>>,
) -> Result<Json<Windows>, Problem> {
    let Runs { schema, model, runs: windows, next_offset } = KIND.page(&store, model, sent).await?;
    Ok(Json(Windows { schema, model, windows, next_offset }))
}

fn filters(parameters: &Parameters) -> Result<Filters<'_>, Problem> {
    let mut filters = runs::part(parameters)?;
    filters.push(("metric", parameters.word("metric", &METRICS)?));
    filters.push(("verdict", parameters.word("verdict", &["alert", "no_alert", "insufficient_data"])?));
    Ok(filters)
}

/// Rows in the order of the statement, put together by window and segment.
fn group(rows: Vec<Row>) -> Vec<Window> {
    let mut windows: Vec<(Key, Window)> = Vec::new();
    for row in rows {
        if windows.last().is_none_or(|(key, window)| (&window.run_id, key) != (&row.run_id, &row.key)) {
            windows.push((row.key.clone(), Window::of(&row)));
        }
        if let Some((_, window)) = windows.last_mut() {
            window.take(row);
        }
    }
    windows.into_iter().map(|(_, window)| window).collect()
}

impl Window {
    fn of(row: &Row) -> Self {
        let key = &row.key;
        Self {
            run_id: row.run_id.clone(),
            computed_at: row.computed_at.clone(),
            monitor: key.monitor.clone(),
            version: key.version.clone(),
            environment: key.environment.clone(),
            task: row.task,
            reference: Reference {
                kind: key.reference_kind.clone(),
                name: key.reference_name.clone(),
                start: row.reference_start.clone(),
                end: row.reference_end.clone(),
            },
            start: key.window_start.clone(),
            end: key.window_end.clone(),
            granularity: key.granularity.clone(),
            verdict: Verdict::InsufficientData,
            n: 0,
            labelled: 0,
            coverage: None,
            trust: None,
            concept_drift: None,
            weakest_segments: None,
            metrics: Vec::new(),
            segments: Vec::new(),
        }
    }

    fn take(&mut self, row: Row) {
        let detail: Detail = serde_json::from_str(&row.detail).unwrap_or_default();
        self.verdict = worst(self.verdict, row.verdict);
        let (n, labelled, coverage) = (row.n, row.labelled, row.coverage);
        let (metrics, verdict) = match detail.segment.clone().filter(|_| !row.segment_key.is_empty()) {
            None => {
                (self.n, self.labelled, self.coverage) = (n, labelled, coverage);
                self.trust = detail.trust.clone().or(self.trust.take());
                self.concept_drift = detail.concept_drift.clone().or(self.concept_drift.take());
                self.weakest_segments = detail.weakest_segments.clone().or(self.weakest_segments.take());
                (&mut self.metrics, None)
            }
            Some(segment) => {
                if self.segments.last().is_none_or(|last| last.segment != segment) {
                    let (verdict, metrics) = (Verdict::InsufficientData, Vec::new());
                    self.segments.push(Segment { segment, verdict, n, labelled, coverage, metrics });
                }
                let Some(last) = self.segments.last_mut() else { return };
                (&mut last.metrics, Some(&mut last.verdict))
            }
        };
        if let Some(verdict) = verdict {
            *verdict = worst(*verdict, row.verdict);
        }
        metrics.push(metric(row, detail));
    }
}

fn metric(row: Row, detail: Detail) -> Metric {
    let pair = |low: Option<f64>, high: Option<f64>| Some([low?, high?]);
    let threshold = [row.threshold_low, row.threshold_high];
    Metric {
        metric: row.metric,
        realised: row.realised,
        ci: pair(row.ci_low, row.ci_high),
        estimated: row.estimated,
        estimate_band: pair(row.band_low, row.band_high),
        threshold: threshold.iter().any(Option::is_some).then_some(threshold),
        threshold_chunks: detail.threshold_chunks,
        alert: row.alert,
        change: detail.change,
        ci_method: detail.ci_method,
        reason: detail.reason,
    }
}

/// An alert anywhere is an alert; enough rows anywhere and no alert is none.
fn worst(a: Verdict, b: Verdict) -> Verdict {
    match (a, b) {
        (Verdict::Alert, _) | (_, Verdict::Alert) => Verdict::Alert,
        (Verdict::NoAlert, _) | (_, Verdict::NoAlert) => Verdict::NoAlert,
        _ => Verdict::InsufficientData,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_alerts_where_any_of_its_parts_does() {
        use Verdict::{Alert, InsufficientData, NoAlert};
        for (verdicts, expected) in [
            (&[][..], InsufficientData),
            (&[InsufficientData, NoAlert], NoAlert),
            (&[NoAlert, Alert, InsufficientData], Alert),
        ] {
            assert_eq!(verdicts.iter().copied().fold(InsufficientData, worst), expected);
        }
    }
}
