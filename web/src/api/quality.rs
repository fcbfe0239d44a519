//! `GET /api/v1/models/{model}/quality`: the recorded runs of quality, the latest window first, each with its checks in the form of
//! the document that `windvane quality --format json` prints.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Path, Query, State};
use serde::{Deserialize, Serialize};
use windvane_store::{Statement, Store, StoreError};
use windvane_types::quality::{Check, Verdict};

use super::parameters::{Page, Parameters};
use super::problem::Problem;
use super::run::Key;
use crate::views;

/// Runs of a page, and the most of them.
const LIMIT: u64 = 20;
const LIMIT_MAX: u64 = 100;
/// Rows of one answer: a hundred runs of a hundred columns and five checks.
const ROWS_MAX: usize = 50_000;
/// The year 2200, beyond which DateTime64 does not go far.
const END_OF_TIME_US: i64 = 7_258_118_400_000_000;

const KNOWN: [&str; 8] = ["monitor", "column", "check", "verdict", "from", "to", "limit", "offset"];

/// The document of `/api/v1/models/{model}/quality`.
#[derive(Debug, Serialize)]
pub struct Runs {
    schema: &'static str,
    model: String,
    runs: Vec<Run>,
    next_offset: Option<u64>,
}

/// One run, as far as the filters let its checks through.
#[derive(Debug, Clone, Serialize)]
pub struct Run {
    pub run_id: String,
    pub computed_at: String,
    #[serde(flatten)]
    pub key: Key,
    pub rows_reference: u64,
    pub rows_current: u64,
    /// Of the checks below.
    pub verdict: Verdict,
    pub checks: Vec<Check>,
}

/// A row of `quality_findings`.
#[derive(Debug, Deserialize)]
struct Row {
    run_id: String,
    computed_at: String,
    #[serde(flatten)]
    key: Key,
    n_reference: u64,
    n_current: u64,
    detail: String,
}

/// Which checks are asked for: all of a model, as far as nothing is said.
#[derive(Debug, Default)]
struct Asked<'a> {
    monitor: &'a str,
    column: &'a str,
    check: &'a str,
    verdict: &'a str,
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

/// Parameters: `monitor`, `column` (empty for checks of the whole table is not asked apart), `check`, `verdict`, `from` and `to`
/// (windows that overlap the span), `limit`, `offset` (in runs).
pub async fn runs(
    State(store): State<Store>,
    Path(model): Path<String>,
    Query(sent): Query<BTreeMap<String, String>>,
) -> Result<Json<Runs>, Problem> {
    let parameters = Parameters::new(sent, &KNOWN)?;
    let page = parameters.page(LIMIT, LIMIT_MAX)?;
    let asked = Asked {
        monitor: parameters.text("monitor"),
        column: parameters.text("column"),
        check: parameters.text("check"),
        verdict: parameters.word("verdict", &["pass", "fail"])?,
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
    Ok(Json(Runs { schema: "windvane.quality_runs/1", model, runs, next_offset }))
}

fn statement(model: &str, asked: &Asked<'_>, page: Page) -> Statement {
    Statement::new(FINDINGS)
        .param("model", model)
        .param("monitor", asked.monitor)
        .param("column", asked.column)
        .param("check", asked.check)
        .param("verdict", asked.verdict)
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
        let Ok(check) = serde_json::from_str::<Check>(&row.detail) else { continue };
        if runs.last().is_none_or(|run| run.key != row.key) {
            runs.push(Run {
                run_id: row.run_id,
                computed_at: row.computed_at,
                key: row.key,
                rows_reference: row.n_reference,
                rows_current: row.n_current,
                verdict: Verdict::Pass,
                checks: Vec::new(),
            });
        }
        if let Some(run) = runs.last_mut() {
            if check.verdict == Verdict::Fail {
                run.verdict = Verdict::Fail;
            }
            run.checks.push(check);
        }
    }
    runs
}

/// The runs of the page first, then their rows. Only rows of the latest run on a window count: an earlier one may have had checks
/// that the latest has not.
const FINDINGS: &str = "
    WITH found AS (
        SELECT * FROM windvane.quality_findings FINAL
        WHERE model = {model:String}
          AND ({monitor:String} = '' OR monitor = {monitor:String})
          AND ({column:String} = '' OR column_name = {column:String})
          AND ({check:String} = '' OR splitByChar(':', toString(method))[1] = {check:String})
          AND ({verdict:String} = '' OR verdict = {verdict:String})
          AND window_end > fromUnixTimestamp64Micro({from:Int64}, 'UTC')
          AND window_start < fromUnixTimestamp64Micro({to:Int64}, 'UTC')
          AND (monitor, window_start, window_end, granularity, version, environment, reference_kind, reference_name,
               computed_at) IN (
            SELECT monitor, window_start, window_end, granularity, version, environment, reference_kind,
                   reference_name, max(computed_at)
            FROM windvane.quality_findings
            WHERE model = {model:String}
              AND ({monitor:String} = '' OR monitor = {monitor:String})
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
           found.reference_kind AS reference_kind, found.reference_name AS reference_name,
           n_reference, n_current, detail
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
             reference_kind, reference_name, column_name, method
    LIMIT {rows:UInt64}";

#[cfg(test)]
mod tests {
    use super::*;

    fn row(window: &str, verdict: &str) -> Row {
        let detail = format!(
            r#"{{"check":"row_count","column":null,"observed":3,"expected":[1,null],"verdict":"{verdict}","count":3,"examples":[]}}"#
        );
        let text = format!(
            r#"{{"run_id":"r","computed_at":"t","monitor":"","version":"","environment":"","reference_kind":"window","reference_name":"","window_start":"{window}","window_end":"z","granularity":"","n_reference":1,"n_current":2,"detail":{}}}"#,
            serde_json::to_string(&detail).unwrap()
        );
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn rows_of_a_window_are_one_run_that_fails_where_a_check_does() {
        let runs = group(vec![row("b", "pass"), row("b", "fail"), row("a", "pass")]);
        let verdicts: Vec<(usize, Verdict)> =
            runs.iter().map(|run| (run.checks.len(), run.verdict)).collect();
        assert_eq!(verdicts, [(2, Verdict::Fail), (1, Verdict::Pass)]);
    }
}
