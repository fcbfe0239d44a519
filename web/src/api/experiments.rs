//! `GET /api/v1/experiments`: what the latest look at each experiment said; `GET /api/v1/experiments/{name}`: that look's
//! document as `windvane experiment NAME --format json` prints it, with every comparison over time.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use windvane_store::findings::experiment::{Point, Series};
use windvane_store::findings::{
    self,
    experiment_looks::{Asked, Latest},
};
use windvane_store::{Store, StoreError};
use windvane_types::address::Named;
use windvane_types::experiment::{Arm, Document, Effect, Kind, Role, Srm, Verdict};
use windvane_types::span;

use super::parameters::Parameters;
use super::problem::Problem;
use crate::experiment::by_comparison;

/// Experiments of a page, and the most of them.
const LIMIT: u64 = 50;
const LIMIT_MAX: u64 = 200;

/// The document of `/api/v1/experiments`.
#[derive(Debug, Serialize)]
pub struct Experiments {
    schema: &'static str,
    /// The one that was looked at last first.
    experiments: Vec<Experiment>,
    next_offset: Option<u64>,
}

/// The latest look at an experiment, in short.
#[derive(Debug, Serialize)]
struct Experiment {
    experiment: String,
    /// Exposures before this time were looked at.
    as_of: String,
    first_as_of: String,
    looks: u64,
    verdict: String,
    /// Null where another version recorded the look, whose document this one cannot read.
    control: Option<String>,
    srm: Option<Srm>,
    arms: Vec<Arm>,
    comparisons: Vec<Brief>,
}

/// A comparison in short; the whole of it is in the experiment's own document.
#[derive(Debug, Serialize)]
struct Brief {
    metric: String,
    #[serde(rename = "type")]
    kind: Kind,
    #[serde(skip_serializing_if = "Option::is_none")]
    quantile: Option<f64>,
    role: Role,
    arm: String,
    relative: Option<Effect>,
    p_adjusted: Option<f64>,
    verdict: Verdict,
}

/// What `/api/v1/experiments/{name}` adds to the document.
#[derive(Debug, Serialize)]
struct Added {
    experiment: String,
    as_of: String,
    computed_at: String,
    run_id: String,
    looks: u64,
    over_time: Vec<OverTime>,
}

/// A comparison, look after look.
#[derive(Debug, Serialize)]
struct OverTime {
    metric: String,
    #[serde(rename = "type")]
    kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    quantile: Option<f64>,
    arm: String,
    looks: Vec<LookAt>,
}

/// What one look said of a comparison; estimate and intervals are relative to the control.
#[derive(Debug, Serialize)]
struct LookAt {
    as_of: String,
    n: u64,
    n_control: u64,
    estimate: Option<f64>,
    ci: Option<[Option<f64>; 2]>,
    p_adjusted: Option<f64>,
    sequential_ci: Option<[Option<f64>; 2]>,
    sequential_p_value: Option<f64>,
    srm_p_value: Option<f64>,
    verdict: String,
}

/// Parameters: `verdict`, `srm`, `limit`, `offset`.
pub async fn list(
    State(store): State<Store>,
    Query(sent): Query<BTreeMap<String, String>>,
) -> Result<Json<Experiments>, Problem> {
    let parameters = Parameters::new(sent, &["verdict", "srm", "limit", "offset"])?;
    let page = parameters.page(LIMIT, LIMIT_MAX)?;
    let asked = Asked {
        experiment: "",
        verdict: parameters.word("verdict", &["better", "worse", "equivalent", "inconclusive"])?,
        srm: parameters.word("srm", &["ok", "mismatch"])?,
        limit: page.limit + 1,
        offset: page.offset,
    };
    let rows = findings::experiment_looks::latest(&store, asked).await?;
    let next_offset = page.next(rows.len());
    let limit = usize::try_from(page.limit).unwrap_or(usize::MAX);
    let experiments = rows.into_iter().take(limit).map(Experiment::of).collect();
    Ok(Json(Experiments { schema: "windvane.experiments/1", experiments, next_offset }))
}

/// Parameters, of the looks: `metric`, `arm`, `from`, `to`.
pub async fn one(
    State(store): State<Store>,
    Path(Named(name)): Path<Named>,
    Query(sent): Query<BTreeMap<String, String>>,
) -> Result<Response, Problem> {
    let parameters = Parameters::new(sent, &["metric", "arm", "from", "to"])?;
    let [from_us, to_us] = parameters.span()?;
    let all = Series::of(&name);
    let series = Series {
        metric: parameters.text("metric"),
        arm: parameters.text("arm"),
        from_us: from_us.unwrap_or(all.from_us),
        to_us: to_us.unwrap_or(all.to_us),
        ..all
    };
    let Some(latest) = latest(&store, &name).await? else { return Err(Problem::UnknownExperiment(name)) };
    let points = findings::experiment::over_time(&store, series).await?;
    let added = Added {
        experiment: latest.experiment,
        as_of: span::shown(latest.as_of_us),
        computed_at: span::shown(latest.computed_at_us),
        run_id: latest.run_id,
        looks: latest.looks,
        over_time: by_comparison(&points).into_iter().map(OverTime::of).collect(),
    };
    let body = grown(&latest.document, &serde_json::to_string(&added).unwrap_or_default());
    Ok(([(header::CONTENT_TYPE, "application/json")], body).into_response())
}

/// The latest look at an experiment, where there is one.
///
/// # Errors
/// ClickHouse does not answer or refuses.
pub async fn latest(store: &Store, name: &str) -> Result<Option<Latest>, StoreError> {
    let asked = Asked { experiment: name, limit: 1, ..Asked::default() };
    // No experiment has an empty name, which would ask for all.
    match name {
        "" => Ok(None),
        _ => Ok(findings::experiment_looks::latest(store, asked).await?.into_iter().next()),
    }
}

/// One object with the fields of two, those of the first as they were written.
fn grown(document: &str, added: &str) -> String {
    match (document.trim_end().strip_suffix('}'), added.strip_prefix('{')) {
        (Some(first), Some(second)) if first.len() > 1 => format!("{first},{second}"),
        _ => added.to_owned(),
    }
}

impl Experiment {
    fn of(latest: Latest) -> Self {
        let document: Option<Document> = serde_json::from_str(&latest.document).ok();
        let (control, srm, arms, comparisons) = match document {
            None => (None, None, Vec::new(), Vec::new()),
            Some(document) => {
                let brief = document.comparisons.into_iter().map(|found| Brief {
                    metric: found.metric,
                    kind: found.kind,
                    quantile: found.quantile,
                    role: found.role,
                    arm: found.arm,
                    relative: found.relative,
                    p_adjusted: found.p_adjusted,
                    verdict: found.verdict,
                });
                (Some(document.control), Some(document.srm), document.arms, brief.collect())
            }
        };
        Self {
            experiment: latest.experiment,
            as_of: span::shown(latest.as_of_us),
            first_as_of: span::shown(latest.first_as_of_us),
            looks: latest.looks,
            verdict: latest.verdict,
            control,
            srm,
            arms,
            comparisons,
        }
    }
}

impl OverTime {
    fn of(points: &[Point]) -> Self {
        let first = &points[0];
        let ends = |lo: Option<f64>, hi: Option<f64>| (lo.is_some() || hi.is_some()).then_some([lo, hi]);
        let looks = points.iter().map(|point| LookAt {
            as_of: span::shown(point.as_of_us),
            n: point.n,
            n_control: point.n_control,
            estimate: point.relative,
            ci: ends(point.relative_low, point.relative_high),
            p_adjusted: point.p_adjusted,
            sequential_ci: ends(point.sequential_low, point.sequential_high),
            sequential_p_value: point.sequential_p_value,
            srm_p_value: point.srm_p_value,
            verdict: point.verdict.clone(),
        });
        Self {
            metric: first.metric.clone(),
            kind: first.metric_kind.clone(),
            quantile: (first.metric_kind == "quantile").then_some(first.quantile),
            arm: first.arm.clone(),
            looks: looks.collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_grows_at_its_end_and_keeps_every_digit() {
        let grown = grown(r#"{"p":0.30000000000000004}"#, r#"{"looks":2}"#);
        assert_eq!(grown, r#"{"p":0.30000000000000004,"looks":2}"#);
        assert_eq!(super::grown("", r#"{"looks":2}"#), r#"{"looks":2}"#);
    }
}
