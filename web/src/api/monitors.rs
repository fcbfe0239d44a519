//! `GET /api/v1/monitors`: the monitors that analyzers have announced, each with its last run and its next one.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Query, State};
use serde::{Deserialize, Serialize};
use windvane_store::{Statement, Store};

use super::parameters::Parameters;
use super::problem::Problem;

/// Monitors of a page, and the most of them.
const LIMIT: u64 = 100;
const LIMIT_MAX: u64 = 1_000;

/// The document of `/api/v1/monitors`.
#[derive(Debug, Serialize)]
pub struct Monitors {
    schema: &'static str,
    monitors: Vec<Monitor>,
    next_offset: Option<u64>,
}

/// A monitor.
#[derive(Debug, Serialize)]
struct Monitor {
    kind: String,
    monitor: String,
    model: String,
    enabled: bool,
    /// `ok`, `waiting` (no run yet), `running`, `failing`, `disabled`, or `unattended`: no analyzer has announced it lately.
    state: String,
    next_due: String,
    seen_at: String,
    settings: serde_json::Value,
    last_run: Option<Run>,
}

/// The run on its latest window.
#[derive(Debug, Serialize, Deserialize)]
struct Run {
    window_start: String,
    window_end: String,
    state: String,
    attempt: u64,
    started_at: String,
    rows_reference: u64,
    rows_current: u64,
    findings: u64,
    verdict: String,
    error: String,
    /// What is odd about a run that is done: a name of the monitor that no prediction has.
    note: String,
}

#[derive(Debug, Deserialize)]
struct Row {
    kind: String,
    monitor: String,
    model: String,
    enabled: bool,
    state: String,
    next_due: String,
    seen_at: String,
    settings: String,
    #[serde(flatten)]
    run: RunColumns,
}

/// A run as the statement has it: without one its state is empty.
#[derive(Debug, Deserialize)]
struct RunColumns {
    run_window_start: String,
    run_window_end: String,
    run_state: String,
    run_attempt: u64,
    run_started_at: String,
    run_rows_reference: u64,
    run_rows_current: u64,
    run_findings: u64,
    run_verdict: String,
    run_error: String,
    run_note: String,
}

/// Parameters: `model`, `limit`, `offset`.
pub async fn list(
    State(store): State<Store>,
    Query(sent): Query<BTreeMap<String, String>>,
) -> Result<Json<Monitors>, Problem> {
    let parameters = Parameters::new(sent, &["model", "limit", "offset"])?;
    let page = parameters.page(LIMIT, LIMIT_MAX)?;
    let statement = Statement::new(MONITORS)
        .param("model", parameters.text("model"))
        .param("limit", page.limit + 1)
        .param("offset", page.offset);
    let rows: Vec<Row> = store.rows(&statement).await?;
    let next_offset = page.next(rows.len());
    let limit = usize::try_from(page.limit).unwrap_or(usize::MAX);
    let monitors = rows.into_iter().take(limit).map(Monitor::of).collect();
    Ok(Json(Monitors { schema: "windvane.monitors/1", monitors, next_offset }))
}

impl Monitor {
    fn of(row: Row) -> Self {
        let Row { kind, monitor, model, enabled, state, next_due, seen_at, settings, run } = row;
        let last_run = (!run.run_state.is_empty()).then_some(Run {
            window_start: run.run_window_start,
            window_end: run.run_window_end,
            state: run.run_state,
            attempt: run.run_attempt,
            started_at: run.run_started_at,
            rows_reference: run.run_rows_reference,
            rows_current: run.run_rows_current,
            findings: run.run_findings,
            verdict: run.run_verdict,
            error: run.run_error,
            note: run.run_note,
        });
        let settings = serde_json::from_str(&settings).unwrap_or_default();
        Self { kind, monitor, model, enabled, state, next_due, seen_at, settings, last_run }
    }
}

/// An analyzer announces its monitors each minute; a quarter of an hour without that is no hiccup.
const MONITORS: &str = "
    SELECT kind, monitor, model, enabled,
           multiIf(NOT enabled, 'disabled', announced.seen_at < now64(6, 'UTC') - INTERVAL 15 MINUTE, 'unattended',
                   run.state = 'running', 'running', run.state = 'failed', 'failing', run.state = 'done', 'ok',
                   'waiting') AS state,
           if(enabled, formatDateTime(announced.next_due, '%FT%TZ', 'UTC'), '') AS next_due,
           formatDateTime(announced.seen_at, '%FT%TZ', 'UTC') AS seen_at, settings,
           formatDateTime(run.window_start, '%FT%TZ', 'UTC') AS run_window_start,
           formatDateTime(run.window_end, '%FT%TZ', 'UTC') AS run_window_end,
           toString(run.state) AS run_state, run.attempt AS run_attempt,
           formatDateTime(run.started_at, '%FT%TZ', 'UTC') AS run_started_at,
           run.rows_reference AS run_rows_reference, run.rows_current AS run_rows_current,
           run.findings AS run_findings, toString(run.verdict) AS run_verdict, run.error AS run_error,
           run.note AS run_note
    FROM (SELECT * FROM windvane.monitors FINAL WHERE {model:String} IN ('', model)) AS announced
    LEFT JOIN (
        SELECT * FROM windvane.monitor_runs FINAL ORDER BY window_end DESC, window_start DESC LIMIT 1 BY kind, monitor
    ) AS run ON run.kind = announced.kind AND run.monitor = announced.monitor AND run.model = announced.model
    ORDER BY announced.model, announced.monitor, announced.kind
    LIMIT {limit:UInt64} OFFSET {offset:UInt64}";
