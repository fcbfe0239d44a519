//! `GET /api/v1/models/{model}/drift`: the recorded runs of drift, the latest window first, each with its columns in the
//! form of the document that `windvane drift --format json` prints.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Path, Query, State};
use serde::{Deserialize, Serialize};
use windvane_store::{Statement, Store};
use windvane_types::drift::{
    Change, Column, Direction, Distribution, EmbeddingChange, Kind, Method, TextChange, Verdict,
};

use super::parameters::{Page, Parameters};
use super::problem::Problem;
use super::run::Key;
use crate::views;

/// Runs of a page, and the most of them.
const LIMIT: u64 = 20;
const LIMIT_MAX: u64 = 100;
/// Rows of one answer: a hundred runs of a hundred columns and five methods, or one run of a thousand columns with segments.
const ROWS_MAX: usize = 50_000;

const KNOWN: [&str; 8] = ["monitor", "column", "verdict", "segment", "from", "to", "limit", "offset"];

/// The document of `/api/v1/models/{model}/drift`.
#[derive(Debug, Serialize)]
pub struct Runs {
    schema: &'static str,
    model: String,
    runs: Vec<Run>,
    next_offset: Option<u64>,
}

/// One comparison, as far as the filters let its columns through.
#[derive(Debug, Serialize)]
struct Run {
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
    Path(model): Path<String>,
    Query(sent): Query<BTreeMap<String, String>>,
) -> Result<Json<Runs>, Problem> {
    let parameters = Parameters::new(sent, &KNOWN)?;
    let page = parameters.page(LIMIT, LIMIT_MAX)?;
    let rows: Vec<Row> = store.rows(&statement(&model, &parameters, page)?).await?;
    if rows.len() > ROWS_MAX {
        return Err(Problem::PageTooLarge(ROWS_MAX));
    }
    if rows.is_empty() && !views::is_recorded(&store, &model).await? {
        return Err(Problem::UnknownModel(model));
    }
    let mut runs = group(rows);
    let next_offset = page.next(runs.len());
    runs.truncate(usize::try_from(page.limit).unwrap_or(usize::MAX));
    Ok(Json(Runs { schema: "windvane.drift_runs/1", model, runs, next_offset }))
}

fn statement(model: &str, parameters: &Parameters, page: Page) -> Result<Statement, Problem> {
    let verdict = parameters.word("verdict", &["drift", "no_drift", "insufficient_data"])?;
    let (from, to) = (parameters.instant("from")?, parameters.instant("to")?);
    let (segment, key, value) = match parameters.text("segment") {
        "" => ("any", "", ""),
        "none" => ("none", "", ""),
        text => match text.split_once(':') {
            Some((key, value)) => ("one", key, value),
            None => {
                return Err(Problem::InvalidParameter {
                    name: "segment",
                    value: text.to_owned(),
                    allowed: "`none`, or a key and a value such as `region:east`".to_owned(),
                });
            }
        },
    };
    Ok(Statement::new(FINDINGS)
        .param("model", model)
        .param("monitor", parameters.text("monitor"))
        .param("column", parameters.text("column"))
        .param("verdict", verdict)
        .param("segment", segment)
        .param("key", key)
        .param("value", value)
        .param("from", from.unwrap_or(0))
        .param("to", to.unwrap_or(END_OF_TIME_US))
        .param("limit", page.limit + 1)
        .param("offset", page.offset)
        .param("rows", ROWS_MAX as u64 + 1))
}

/// The year 2200, beyond which DateTime64 does not go far.
const END_OF_TIME_US: i64 = 7_258_118_400_000_000;

/// Rows in the order of the statement, put together by run, segment and column.
fn group(rows: Vec<Row>) -> Vec<Run> {
    let mut runs: Vec<(Key, Run)> = Vec::new();
    for row in rows {
        let mut detail: Detail = serde_json::from_str(&row.detail).unwrap_or_default();
        if runs.last().is_none_or(|(key, _)| *key != row.key) {
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

/// The runs of the page first, then their rows. Only rows of the latest run on a window count: an earlier one may have had
/// columns that the latest has not.
const FINDINGS: &str = "
    WITH found AS (
        SELECT * FROM windvane.drift_findings FINAL
        WHERE model = {model:String}
          AND ({monitor:String} = '' OR monitor = {monitor:String})
          AND ({column:String} = '' OR column_name = {column:String})
          AND ({verdict:String} = '' OR verdict = {verdict:String})
          AND ({segment:String} = 'any' OR (segment_key = {key:String} AND segment_value = {value:String}))
          AND window_end > fromUnixTimestamp64Micro({from:Int64}, 'UTC')
          AND window_start < fromUnixTimestamp64Micro({to:Int64}, 'UTC')
          AND (monitor, window_start, window_end, granularity, version, environment, reference_kind, reference_name,
               computed_at) IN (
            SELECT monitor, window_start, window_end, granularity, version, environment, reference_kind,
                   reference_name, max(computed_at)
            FROM windvane.drift_findings
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
           formatDateTime(found.reference_start, '%FT%TZ', 'UTC') AS reference_start,
           formatDateTime(found.reference_end, '%FT%TZ', 'UTC') AS reference_end,
           segment_key, column_name, column_kind, method, statistic, threshold, p_value, p_adjusted, effect,
           n_reference, n_current, missing_reference, missing_current, direction, drifted, verdict, detail
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
             reference_kind, reference_name, segment_key, segment_value, column_name, method
    LIMIT {rows:UInt64}";

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
