//! `GET /api/v1/models/{model}/drift`: the recorded runs of drift, the latest window first, each with its columns in the
//! form of the document that `windvane drift --format json` prints.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Path, Query, State};
use serde::{Deserialize, Serialize};
use windvane_store::{Store, findings};
use windvane_types::address::Named;
use windvane_types::drift::{
    Change, Column, Direction, Distribution, EmbeddingChange, Kind, Method, TextChange, Verdict,
};

use super::parameters::Parameters;
use super::problem::Problem;
use super::run::Key;
use super::runs::{self, Filters, Kind as Findings, Runs};

const KIND: Findings<Row, Run> = Findings {
    schema: "windvane.drift_runs/1",
    findings: &findings::runs::DRIFT,
    limits: runs::USUAL,
    parameters: &["column", "verdict", "segment"],
    filters,
    group,
};

/// One comparison, as far as the filters let its columns through.
#[derive(Debug, Serialize)]
pub struct Run {
    run_id: String,
    computed_at: String,
    monitor: String,
    version: String,
    environment: String,
    reference: Reference,
    window: Window,
    granularity: String,
    verdict: Verdict,
    columns: Vec<Column>,
    segments: Vec<Segment>,
}

#[derive(Debug, Serialize)]
struct Reference {
    kind: String,
    name: String,
    #[serde(flatten)]
    window: Window,
}

#[derive(Debug, Serialize)]
struct Window {
    start: String,
    end: String,
}

#[derive(Debug, Serialize)]
struct Segment {
    segment: BTreeMap<String, Option<String>>,
    verdict: Verdict,
    columns: Vec<Column>,
}

/// A row of `drift_findings`.
#[derive(Debug, Deserialize)]
struct Row {
    run_id: String,
    computed_at: String,
    #[serde(flatten)]
    key: Key,
    reference_start: String,
    reference_end: String,
    segment_key: String,
    column_name: String,
    column_kind: Kind,
    method: String,
    statistic: Option<f64>,
    threshold: Option<f64>,
    p_value: Option<f64>,
    p_adjusted: Option<f64>,
    effect: Option<f64>,
    n_reference: u64,
    n_current: u64,
    missing_reference: u64,
    missing_current: u64,
    direction: Direction,
    drifted: bool,
    verdict: Verdict,
    detail: String,
}

/// What has no column of its own.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Detail {
    segment: Option<BTreeMap<String, Option<String>>>,
    mean_reference: Option<f64>,
    mean_current: Option<f64>,
    largest_change: Option<Change>,
    embedding: Option<EmbeddingChange>,
    text: Option<TextChange>,
    distribution: Option<Distribution>,
    statistic_error: Option<f64>,
    p_judged: Option<f64>,
    p_method: Option<String>,
    smoothing: Option<String>,
    bins: Option<u64>,
    reason: Option<String>,
}

/// Parameters: `monitor`, `column`, `verdict`, `segment` (`key:value`, or `none` for the whole population), `from` and `to`
/// (windows that overlap the span), `limit`, `offset` (in runs).
pub async fn runs(
    State(store): State<Store>,
    Path(Named(model)): Path<Named>,
    Query(sent): Query<BTreeMap<String, String>>,
) -> Result<Json<Runs<Run>>, Problem> {
    KIND.page(&store, model, sent).await.map(Json)
}

fn filters(parameters: &Parameters) -> Result<Filters<'_>, Problem> {
    let mut filters = runs::part(parameters)?;
    filters.push(("column", parameters.text("column")));
    filters.push(("verdict", parameters.word("verdict", &["drift", "no_drift", "insufficient_data"])?));
    Ok(filters)
}

/// Rows in the order of the statement, put together by run, segment and column.
fn group(rows: Vec<Row>) -> Vec<Run> {
    let mut runs: Vec<(Key, Run)> = Vec::new();
    for row in rows {
        let mut detail: Detail = serde_json::from_str(&row.detail).unwrap_or_default();
        if runs.last().is_none_or(|(key, run)| (&run.run_id, key) != (&row.run_id, &row.key)) {
            runs.push((row.key.clone(), Run::of(&row)));
        }
        let Some((_, run)) = runs.last_mut() else { continue };
        let columns = match (row.segment_key.is_empty(), &detail.segment) {
            (false, Some(segment)) => {
                if run.segments.last().is_none_or(|last| last.segment != *segment) {
                    let verdict = Verdict::InsufficientData;
                    run.segments.push(Segment { segment: segment.clone(), verdict, columns: Vec::new() });
                }
                match run.segments.last_mut() {
                    Some(last) => &mut last.columns,
                    None => &mut run.columns,
                }
            }
            _ => &mut run.columns,
        };
        if columns.last().is_none_or(|last| last.column != row.column_name) {
            columns.push(column(&row, &detail));
        }
        if let Some(column) = columns.last_mut() {
            // One of a column's rows has it.
            column.distribution = detail.distribution.take().or(column.distribution.take());
            column.methods.push(method(row, detail));
        }
    }
    runs.into_iter()
        .map(|(_, mut run)| {
            for segment in &mut run.segments {
                segment.verdict = overall(segment.columns.iter().map(|column| column.verdict));
            }
            let whole = run.columns.iter().map(|column| column.verdict);
            run.verdict = overall(whole.chain(run.segments.iter().map(|segment| segment.verdict)));
            run
        })
        .collect()
}

impl Run {
    fn of(row: &Row) -> Self {
        let key = &row.key;
        Self {
            run_id: row.run_id.clone(),
            computed_at: row.computed_at.clone(),
            monitor: key.monitor.clone(),
            version: key.version.clone(),
            environment: key.environment.clone(),
            reference: Reference {
                kind: key.reference_kind.clone(),
                name: key.reference_name.clone(),
                window: Window { start: row.reference_start.clone(), end: row.reference_end.clone() },
            },
            window: Window { start: key.window_start.clone(), end: key.window_end.clone() },
            granularity: key.granularity.clone(),
            verdict: Verdict::InsufficientData,
            columns: Vec::new(),
            segments: Vec::new(),
        }
    }
}

fn column(row: &Row, detail: &Detail) -> Column {
    Column {
        column: row.column_name.clone(),
        kind: row.column_kind,
        n_reference: row.n_reference,
        n_current: row.n_current,
        missing_reference: row.missing_reference,
        missing_current: row.missing_current,
        verdict: row.verdict,
        direction: row.direction,
        mean_reference: detail.mean_reference,
        mean_current: detail.mean_current,
        largest_change: detail.largest_change.clone(),
        embedding: detail.embedding.clone(),
        text: detail.text.clone(),
        distribution: None,
        methods: Vec::new(),
    }
}

fn method(row: Row, detail: Detail) -> Method {
    Method {
        method: row.method,
        statistic: row.statistic,
        threshold: row.threshold,
        p_value: row.p_value,
        p_judged: detail.p_judged,
        p_adjusted: row.p_adjusted,
        effect: row.effect,
        drifted: row.drifted,
        statistic_error: detail.statistic_error,
        p_method: detail.p_method,
        smoothing: detail.smoothing,
        bins: detail.bins,
        reason: detail.reason,
    }
}

/// Drift anywhere is drift; enough rows anywhere and no drift is no drift.
fn overall(verdicts: impl Iterator<Item = Verdict>) -> Verdict {
    verdicts.fold(Verdict::InsufficientData, |overall, verdict| match (overall, verdict) {
        (Verdict::Drift, _) | (_, Verdict::Drift) => Verdict::Drift,
        (Verdict::NoDrift, _) | (_, Verdict::NoDrift) => Verdict::NoDrift,
        _ => Verdict::InsufficientData,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_says_drift_where_any_of_its_parts_does() {
        use Verdict::{Drift, InsufficientData, NoDrift};
        for (verdicts, expected) in [
            (&[][..], InsufficientData),
            (&[InsufficientData, NoDrift], NoDrift),
            (&[NoDrift, Drift, InsufficientData], Drift),
        ] {
            assert_eq!(overall(verdicts.iter().copied()), expected);
        }
    }
}
