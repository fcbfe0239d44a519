//! `GET /api/v1/models/{model}/latency`: the recorded runs of latency, the latest window first, each with its groups and objectives in
//! the form of the document that `windvane latency --format json` prints.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Path, Query, State};
use serde::{Deserialize, Serialize};
use windvane_store::{Statement, Store, StoreError};
use windvane_types::latency::{Group, Objective};

use super::parameters::{Page, Parameters};
use super::problem::Problem;
use super::run::Key;
use crate::views;

/// Runs of a page, and the most of them.
const LIMIT: u64 = 20;
const LIMIT_MAX: u64 = 100;
/// Rows of one answer: a hundred runs of fifty groups and a few objectives.
const ROWS_MAX: usize = 20_000;
/// The year 2200, beyond which DateTime64 does not go far.
const END_OF_TIME_US: i64 = 7_258_118_400_000_000;

const KNOWN: [&str; 6] = ["monitor", "segment", "from", "to", "limit", "offset"];

/// The document of `/api/v1/models/{model}/latency`.
#[derive(Debug, Serialize)]
pub struct Runs {
    schema: &'static str,
    model: String,
    runs: Vec<Run>,
    next_offset: Option<u64>,
}

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

/// Which groups are asked for: all of a model, as far as nothing is said.
#[derive(Debug, Default)]
struct Asked<'a> {
    monitor: &'a str,
    /// What groups are cut by, `none` for all rows, empty for any cut.
    segment: &'a str,
    from: Option<i64>,
    to: Option<i64>,
}

/// The run on the newest window, as a page shows it; `None` where none is recorded.
///
/// # Errors
/// ClickHouse does not answer or refuses.
pub async fn newest(store: &Store, model: &str) -> Result<Option<Run>, StoreError> {
    let page = Page { limit: 1, offset: 0 };
    let rows = store.rows(&statement(model, &Asked::default(), page)).await?;
    Ok(group(rows).into_iter().next())
}

/// Parameters: `monitor`, `segment` (what groups are cut by, such as `version`; `none` for all rows), `from` and `to` (windows that
/// overlap the span), `limit`, `offset` (in runs).
pub async fn runs(
    State(store): State<Store>,
    Path(model): Path<String>,
    Query(sent): Query<BTreeMap<String, String>>,
) -> Result<Json<Runs>, Problem> {
    let parameters = Parameters::new(sent, &KNOWN)?;
    let page = parameters.page(LIMIT, LIMIT_MAX)?;
    let asked = Asked {
        monitor: parameters.text("monitor"),
        segment: parameters.text("segment"),
        from: parameters.instant("from")?,
        to: parameters.instant("to")?,
    };
    let rows: Vec<Row> = store.rows(&statement(&model, &asked, page)).await?;
    if rows.len() > ROWS_MAX {
        return Err(Problem::PageTooLarge(ROWS_MAX));
    }
    if rows.is_empty() && !views::is_recorded(&store, &model).await? {
        return Err(Problem::UnknownModel(model));
    }
    let mut runs = group(rows);
    let next_offset = page.next(runs.len());
    runs.truncate(usize::try_from(page.limit).unwrap_or(usize::MAX));
    Ok(Json(Runs { schema: "windvane.latency_runs/1", model, runs, next_offset }))
}

fn statement(model: &str, asked: &Asked<'_>, page: Page) -> Statement {
    let (any, segment) = match asked.segment {
        "" => (true, ""),
        "none" => (false, ""),
        key => (false, key),
    };
    Statement::new(FINDINGS)
        .param("model", model)
        .param("monitor", asked.monitor)
        .param("any", any)
        .param("segment", segment)
        .param("from", asked.from.unwrap_or(0))
        .param("to", asked.to.unwrap_or(END_OF_TIME_US))
        .param("limit", page.limit + 1)
        .param("offset", page.offset)
        .param("rows", ROWS_MAX as u64 + 1)
}

/// Rows in the order of the statement, put together by run.
fn group(rows: Vec<Row>) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for row in rows {
        if runs.last().is_none_or(|run| run.key != row.key) {
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

/// The runs of the page first, then their rows. Only rows of the latest run on a window count.
const FINDINGS: &str = "
    WITH found AS (
        SELECT * FROM windvane.latency_findings FINAL
        WHERE model = {model:String}
          AND detail != ''
          AND ({monitor:String} = '' OR monitor = {monitor:String})
          AND ({any:Bool} OR segment_key = {segment:String})
          AND window_end > fromUnixTimestamp64Micro({from:Int64}, 'UTC')
          AND window_start < fromUnixTimestamp64Micro({to:Int64}, 'UTC')
          AND (monitor, window_start, window_end, granularity, version, environment, reference_kind, reference_name,
               computed_at) IN (
            SELECT monitor, window_start, window_end, granularity, version, environment, reference_kind,
                   reference_name, max(computed_at)
            FROM windvane.latency_findings
            WHERE model = {model:String}
              AND window_end > fromUnixTimestamp64Micro({from:Int64}, 'UTC')
              AND window_start < fromUnixTimestamp64Micro({to:Int64}, 'UTC')
            GROUP BY monitor, window_start, window_end, granularity, version, environment, reference_kind,
                     reference_name
          )
    )
    SELECT found.run_id AS run_id, formatDateTime(found.computed_at, '%FT%TZ', 'UTC') AS computed_at,
           found.monitor AS monitor, formatDateTime(found.window_start, '%FT%TZ', 'UTC') AS window_start,
           formatDateTime(found.window_end, '%FT%TZ', 'UTC') AS window_end,
           found.granularity AS granularity, found.version AS version, found.environment AS environment,
           found.reference_kind AS reference_kind, found.reference_name AS reference_name, method, detail
    FROM found
    WHERE (found.monitor, found.window_start, found.window_end, found.granularity, found.version, found.environment,
           found.reference_kind, found.reference_name) IN (
        SELECT monitor, window_start, window_end, granularity, version, environment, reference_kind, reference_name
        FROM found
        GROUP BY monitor, window_start, window_end, granularity, version, environment, reference_kind, reference_name
        ORDER BY window_start DESC, window_end DESC, monitor, granularity, version, environment, reference_kind,
                 reference_name
        LIMIT {limit:UInt64} OFFSET {offset:UInt64}
    )
    ORDER BY found.window_start DESC, found.window_end DESC, monitor, granularity, version, environment,
             reference_kind, reference_name, segment_key, segment_value, method
    LIMIT {rows:UInt64}";
