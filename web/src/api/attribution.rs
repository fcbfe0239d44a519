//! `GET /api/v1/models/{model}/attribution`: the recorded runs of attribution, the latest window first, each with its features in the
//! form of the document that `windvane attribution --format json` prints.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Path, Query, State};
use serde::{Deserialize, Serialize};
use windvane_store::{Store, StoreError, findings};
use windvane_types::address::Named;
use windvane_types::attribution::Feature;
use windvane_types::drift::Verdict;

use super::parameters::Parameters;
use super::problem::Problem;
use super::run::Key;
use super::runs::{self, Filters, Kind, Runs};

const KIND: Kind<Row, Run> = Kind {
    schema: "windvane.attribution_runs/1",
    findings: &findings::runs::ATTRIBUTION,
    limits: runs::USUAL,
    parameters: &["column", "verdict"],
    filters,
    group,
};

/// One run.
#[derive(Debug, Clone, Serialize)]
pub struct Run {
    pub run_id: String,
    pub computed_at: String,
    #[serde(flatten)]
    pub key: Key,
    pub verdict: Verdict,
    /// How well the ranking of the reference is kept.
    pub ndcg: Option<f64>,
    pub ci: Option<[f64; 2]>,
    pub threshold: Option<f64>,
    pub rows_reference: u64,
    pub rows_current: u64,
    /// The most important of the reference first.
    pub features: Vec<Feature>,
}

/// A row of `attribution_findings`: of the ranking where it has no column.
#[derive(Debug, Deserialize)]
struct Row {
    run_id: String,
    computed_at: String,
    #[serde(flatten)]
    key: Key,
    column_name: String,
    statistic: Option<f64>,
    ci_low: Option<f64>,
    ci_high: Option<f64>,
    reference_statistic: Option<f64>,
    threshold: Option<f64>,
    place: u64,
    reference_place: u64,
    n_reference: u64,
    n_current: u64,
    verdict: String,
}

/// The run on the newest window, as a page shows it; `None` where none is recorded.
///
/// # Errors
/// ClickHouse does not answer or refuses.
pub async fn newest(store: &Store, model: &str) -> Result<Option<Run>, StoreError> {
    Ok(KIND.newest(store, model, (&[], 1)).await?.into_iter().next())
}

/// Parameters: `monitor`, `column` (one feature; the ranking is told with it), `verdict` (of the ranking), `from` and `to` (windows that
/// overlap the span), `limit`, `offset` (in runs).
pub async fn runs(
    State(store): State<Store>,
    Path(Named(model)): Path<Named>,
    Query(sent): Query<BTreeMap<String, String>>,
) -> Result<Json<Runs<Run>>, Problem> {
    KIND.page(&store, model, sent).await.map(Json)
}

fn filters(parameters: &Parameters) -> Result<Filters<'_>, Problem> {
    let verdict = parameters.word("verdict", &["drift", "no_drift", "insufficient_data"])?;
    Ok(vec![("column", parameters.text("column")), ("verdict", verdict)])
}

/// Rows in the order of the statement, put together by run: the ranking comes before its features.
fn group(rows: Vec<Row>) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for row in rows {
        match runs.last_mut().filter(|run| (&run.run_id, &run.key) == (&row.run_id, &row.key)) {
            Some(run) => run.features.push(feature(row)),
            None => runs.push(Run::of(row)),
        }
    }
    runs
}

impl Run {
    fn of(row: Row) -> Self {
        Self {
            run_id: row.run_id,
            computed_at: row.computed_at,
            key: row.key,
            verdict: match row.verdict.as_str() {
                "drift" => Verdict::Drift,
                "no_drift" => Verdict::NoDrift,
                _ => Verdict::InsufficientData,
            },
            ndcg: row.statistic,
            ci: row.ci_low.zip(row.ci_high).map(|(low, high)| [low, high]),
            threshold: row.threshold,
            rows_reference: row.n_reference,
            rows_current: row.n_current,
            features: Vec::new(),
        }
    }
}

fn feature(row: Row) -> Feature {
    Feature {
        feature: row.column_name,
        importance_reference: row.reference_statistic.unwrap_or_default(),
        importance_current: row.statistic.unwrap_or_default(),
        rank_reference: row.reference_place,
        rank_current: row.place,
        n_reference: row.n_reference,
        n_current: row.n_current,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn row(window: &str, (column, place, verdict): (&str, u64, &str)) -> Row {
        serde_json::from_value(json!({
            "run_id": "r", "computed_at": "t", "monitor": "rank", "version": "", "environment": "", "reference_kind": "previous",
            "reference_name": "", "window_start": window, "window_end": "z", "granularity": "1d", "column_name": column, "statistic": 0.8,
            "ci_low": null, "ci_high": null, "reference_statistic": 0.5, "threshold": 0.9, "place": place, "reference_place": 1,
            "n_reference": 10, "n_current": 20, "verdict": verdict,
        }))
        .unwrap()
    }

    #[test]
    fn the_ranking_of_a_window_holds_its_features() {
        let runs =
            group(vec![row("b", ("", 0, "drift")), row("b", ("hour", 2, "")), row("a", ("", 0, "no_drift"))]);
        let said: Vec<(Verdict, usize)> = runs.iter().map(|run| (run.verdict, run.features.len())).collect();
        assert_eq!(said, [(Verdict::Drift, 1), (Verdict::NoDrift, 0)]);
        let feature = &runs[0].features[0];
        assert_eq!((feature.feature.as_str(), feature.rank_reference, feature.rank_current), ("hour", 1, 2));
    }
}
