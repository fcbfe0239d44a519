//! `GET /api/v1/models/{model}/quality`: the recorded runs of quality, the latest window first, each with its checks in the form of
//! the document that `windvane quality --format json` prints.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Path, Query, State};
use serde::{Deserialize, Serialize};
use windvane_store::{Store, StoreError, findings};
use windvane_types::address::Named;
use windvane_types::quality::{CHECKS, Check, Verdict};

use super::parameters::Parameters;
use super::problem::Problem;
use super::run::Key;
use super::runs::{self, Filters, Kind, Runs};

const KIND: Kind<Row, Run> = Kind {
    schema: "windvane.quality_runs/1",
    findings: &findings::runs::QUALITY,
    limits: runs::USUAL,
    parameters: &["column", "check", "verdict"],
    filters,
    group,
};

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

/// The run on the newest window, as a page shows it; `None` where none is recorded.
///
/// # Errors
/// ClickHouse does not answer or refuses.
pub async fn newest(store: &Store, model: &str) -> Result<Option<Run>, StoreError> {
    Ok(KIND.newest(store, model, (&[], 1)).await?.into_iter().next())
}

/// Parameters: `monitor`, `column` (empty for checks of the whole table is not asked apart), `check`, `verdict`, `from` and `to`
/// (windows that overlap the span), `limit`, `offset` (in runs).
pub async fn runs(
    State(store): State<Store>,
    Path(Named(model)): Path<Named>,
    Query(sent): Query<BTreeMap<String, String>>,
) -> Result<Json<Runs<Run>>, Problem> {
    KIND.page(&store, model, sent).await.map(Json)
}

fn filters(parameters: &Parameters) -> Result<Filters<'_>, Problem> {
    let check = parameters.word("check", &CHECKS)?;
    let verdict = parameters.word("verdict", &["pass", "fail"])?;
    Ok(vec![("column", parameters.text("column")), ("check", check), ("verdict", verdict)])
}

/// Rows in the order of the statement, put together by run.
fn group(rows: Vec<Row>) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for row in rows {
        let Ok(check) = serde_json::from_str::<Check>(&row.detail) else { continue };
        if runs.last().is_none_or(|run| (&run.run_id, &run.key) != (&row.run_id, &row.key)) {
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

    // Three looks at the last 24 hours within a second were one run with three groups of all rows.
    #[test]
    fn two_runs_within_a_second_are_two() {
        let second = Row { run_id: "s".to_owned(), ..row("a", "fail") };
        let runs = group(vec![row("a", "pass"), row("a", "pass"), second]);
        let said: Vec<(&str, usize, Verdict)> =
            runs.iter().map(|run| (run.run_id.as_str(), run.checks.len(), run.verdict)).collect();
        assert_eq!(said, [("r", 2, Verdict::Pass), ("s", 1, Verdict::Fail)]);
    }

    #[test]
    fn rows_of_a_window_are_one_run_that_fails_where_a_check_does() {
        let runs = group(vec![row("b", "pass"), row("b", "fail"), row("a", "pass")]);
        let verdicts: Vec<(usize, Verdict)> =
            runs.iter().map(|run| (run.checks.len(), run.verdict)).collect();
        assert_eq!(verdicts, [(2, Verdict::Fail), (1, Verdict::Pass)]);
    }
}
