//! `GET /api/v1/models/{model}/latency`: the recorded runs of latency, the latest window first, each with its groups and objectives in
//! the form of the document that `windvane latency --format json` prints.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Path, Query, State};
use serde::{Deserialize, Serialize};
use windvane_store::{Store, StoreError, findings};
use windvane_types::address::Named;
use windvane_types::latency::{Group, Objective};

use super::parameters::Parameters;
use super::problem::Problem;
use super::run::Key;
use super::runs::{self, Filters, Kind, Runs};

const KIND: Kind<Row, Run> = Kind {
    schema: "windvane.latency_runs/1",
    findings: &findings::runs::LATENCY,
    limits: runs::USUAL,
    parameters: &["segment"],
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
    pub groups: Vec<Group>,
    pub objectives: Vec<Objective>,
}

/// A row of `latency_findings` that tells a group or an objective.
#[derive(Debug, Deserialize)]
struct Row {
    run_id: String,
    computed_at: String,
    #[serde(flatten)]
    key: Key,
    method: String,
    detail: String,
}

/// The run on the newest window, as a page shows it; `None` where none is recorded.
///
/// # Errors
/// ClickHouse does not answer or refuses.
pub async fn newest(store: &Store, model: &str) -> Result<Option<Run>, StoreError> {
    Ok(KIND.newest(store, model, (&[], 1)).await?.into_iter().next())
}

/// Parameters: `monitor`, `segment` (what groups are cut by, such as `version`; `none` for all rows), `from` and `to` (windows that
/// overlap the span), `limit`, `offset` (in runs).
pub async fn runs(
    State(store): State<Store>,
    Path(Named(model)): Path<Named>,
    Query(sent): Query<BTreeMap<String, String>>,
) -> Result<Json<Runs<Run>>, Problem> {
    KIND.page(&store, model, sent).await.map(Json)
}

/// The statement knows `none` itself.
fn filters(parameters: &Parameters) -> Result<Filters<'_>, Problem> {
    Ok(vec![("segment", parameters.text("segment"))])
}

/// Rows in the order of the statement, put together by run.
fn group(rows: Vec<Row>) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for row in rows {
        if runs.last().is_none_or(|run| (&run.run_id, &run.key) != (&row.run_id, &row.key)) {
            let Row { run_id, computed_at, key, .. } = &row;
            let (run_id, computed_at, key) = (run_id.clone(), computed_at.clone(), key.clone());
            runs.push(Run { run_id, computed_at, key, groups: Vec::new(), objectives: Vec::new() });
        }
        let Some(run) = runs.last_mut() else { continue };
        if row.method.starts_with("burn ") {
            run.objectives.extend(serde_json::from_str::<Objective>(&row.detail));
        } else {
            run.groups.extend(serde_json::from_str::<Group>(&row.detail));
        }
    }
    for run in &mut runs {
        run.groups.sort_by(|a, b| {
            let key = |group: &Group| group.group.keys().next().cloned().unwrap_or_default();
            key(a).cmp(&key(b)).then(b.n.cmp(&a.n))
        });
    }
    runs
}
