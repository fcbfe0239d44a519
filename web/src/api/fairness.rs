//! `GET /api/v1/models/{model}/fairness`: the recorded runs of fairness, the latest window first, each with its groups in the form of
//! the document that `windvane fairness --format json` prints.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Path, Query, State};
use serde::{Deserialize, Serialize};
use windvane_store::{Store, StoreError, findings};
use windvane_types::address::Named;
use windvane_types::fairness::{Gap, Group, METRICS, Verdict};

use super::parameters::Parameters;
use super::problem::Problem;
use super::run::Key;
use super::runs::{self, Filters, Kind, Runs};

const KIND: Kind<Row, Run> = Kind {
    schema: "windvane.fairness_runs/1",
    findings: &findings::runs::FAIRNESS,
    limits: runs::USUAL,
    parameters: &["segment", "metric", "verdict"],
    filters,
    group,
};

/// One run, as far as the filters let its gaps through.
#[derive(Debug, Clone, Serialize)]
pub struct Run {
    pub run_id: String,
    pub computed_at: String,
    #[serde(flatten)]
    pub key: Key,
    /// What groups are cut by; several columns are joined by commas.
    pub group_by: String,
    /// The values of the group that the others are compared with, joined likewise; none where there is no such group.
    pub reference_group: Option<String>,
    /// The gap up to which no difference is called one.
    pub max_gap: Option<f64>,
    /// Of the gaps below.
    pub verdict: Verdict,
    /// The largest first.
    pub groups: Vec<Group>,
}

/// A row of `fairness_findings`.
#[derive(Debug, Deserialize)]
struct Row {
    run_id: String,
    computed_at: String,
    #[serde(flatten)]
    key: Key,
    segment_key: String,
    reference_value: String,
    method: String,
    statistic: Option<f64>,
    ci_low: Option<f64>,
    ci_high: Option<f64>,
    value: Option<f64>,
    reference_statistic: Option<f64>,
    threshold: Option<f64>,
    p_value: Option<f64>,
    p_adjusted: Option<f64>,
    n_reference: u64,
    n_current: u64,
    verdict: Verdict,
    detail: String,
}

/// What has no column of its own.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Detail {
    group: BTreeMap<String, Option<String>>,
    n: u64,
    labelled: u64,
}

/// The run on the newest window, as a page shows it; `None` where none is recorded.
///
/// # Errors
/// ClickHouse does not answer or refuses.
pub async fn newest(store: &Store, model: &str) -> Result<Option<Run>, StoreError> {
    Ok(KIND.newest(store, model, (&[], 1)).await?.into_iter().next())
}

/// Parameters: `monitor`, `segment` (what groups are cut by, such as `sex`), `metric`, `verdict`, `from` and `to` (windows that overlap
/// the span), `limit`, `offset` (in runs).
pub async fn runs(
    State(store): State<Store>,
    Path(Named(model)): Path<Named>,
    Query(sent): Query<BTreeMap<String, String>>,
) -> Result<Json<Runs<Run>>, Problem> {
    KIND.page(&store, model, sent).await.map(Json)
}

fn filters(parameters: &Parameters) -> Result<Filters<'_>, Problem> {
    let metric = parameters.word("metric", &METRICS)?;
    let verdict = parameters.word("verdict", &["pass", "fail", "insufficient_data"])?;
    Ok(vec![("segment", parameters.text("segment")), ("metric", metric), ("verdict", verdict)])
}

/// Rows in the order of the statement, put together by run and group.
fn group(rows: Vec<Row>) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for row in rows {
        if runs.last().is_none_or(|run| (&run.run_id, &run.key) != (&row.run_id, &row.key)) {
            runs.push(Run::of(&row));
        }
        if let Some(run) = runs.last_mut() {
            run.take(row);
        }
    }
    for run in &mut runs {
        run.verdict = overall(&run.groups);
        run.groups.sort_by_key(|group| std::cmp::Reverse(group.n));
    }
    runs
}

impl Run {
    fn of(row: &Row) -> Self {
        Self {
            run_id: row.run_id.clone(),
            computed_at: row.computed_at.clone(),
            key: row.key.clone(),
            group_by: row.segment_key.clone(),
            reference_group: None,
            max_gap: row.threshold,
            verdict: Verdict::InsufficientData,
            groups: Vec::new(),
        }
    }

    fn take(&mut self, row: Row) {
        // Calibration is of a group alone, and names none.
        if !row.reference_value.is_empty() {
            self.reference_group = Some(row.reference_value);
        }
        let Detail { group, n, labelled } = serde_json::from_str(&row.detail).unwrap_or_default();
        if self.groups.last().is_none_or(|last| last.group != group) {
            self.groups.push(Group { group, n, labelled, gaps: Vec::new() });
        }
        let Some(last) = self.groups.last_mut() else { return };
        last.gaps.push(Gap {
            metric: row.method,
            value: row.value,
            reference: row.reference_statistic,
            gap: row.statistic,
            ci: row.ci_low.zip(row.ci_high).map(|(low, high)| [low, high]),
            p_value: row.p_value,
            p_adjusted: row.p_adjusted,
            n: row.n_current,
            n_reference: row.n_reference,
            verdict: row.verdict,
        });
    }
}

/// As the document of a run says it: a gap that fails is a fail; calibration alone compares no groups, so that it passes none.
fn overall(groups: &[Group]) -> Verdict {
    let gaps = || groups.iter().flat_map(|group| &group.gaps);
    if gaps().any(|gap| gap.verdict == Verdict::Fail) {
        return Verdict::Fail;
    }
    match gaps().any(|gap| gap.verdict == Verdict::Pass && gap.metric != "calibration") {
        true => Verdict::Pass,
        false => Verdict::InsufficientData,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn row(window: &str, (group, method, verdict): (&str, &str, &str)) -> Row {
        let detail =
            json!({"group": {"sex": group}, "n": if group == "a" { 50 } else { 90 }, "labelled": 40});
        let reference = if method == "calibration" { "" } else { "c" };
        serde_json::from_value(json!({
            "run_id": "r", "computed_at": "t", "monitor": "fair", "version": "", "environment": "", "reference_kind": "", "reference_name": "",
            "window_start": window, "window_end": "z", "granularity": "1d", "segment_key": "sex", "reference_value": reference, "method": method,
            "statistic": -0.2, "ci_low": -0.3, "ci_high": -0.1, "value": 0.3, "reference_statistic": 0.5, "threshold": 0.05,
            "p_value": 0.001, "p_adjusted": 0.002, "n_reference": 100, "n_current": 50, "verdict": verdict, "detail": detail.to_string(),
        }))
        .unwrap()
    }

    #[test]
    fn rows_of_a_window_are_one_run_by_group() {
        let runs = group(vec![
            row("b", ("a", "calibration", "pass")),
            row("b", ("a", "demographic_parity", "fail")),
            row("b", ("b", "demographic_parity", "pass")),
            row("a", ("a", "calibration", "pass")),
        ]);
        let said: Vec<(&str, Option<&str>, Verdict)> = runs
            .iter()
            .map(|run| (run.group_by.as_str(), run.reference_group.as_deref(), run.verdict))
            .collect();
        assert_eq!(said, [("sex", Some("c"), Verdict::Fail), ("sex", None, Verdict::InsufficientData)]);
        let groups: Vec<(u64, usize)> =
            runs[0].groups.iter().map(|group| (group.n, group.gaps.len())).collect();
        assert_eq!(groups, [(90, 1), (50, 2)]);
        assert_eq!(runs[0].groups[1].gaps[1].ci, Some([-0.3, -0.1]));
    }
}
