//! `GET /api/v1/gates`: what each gate said last; `GET /api/v1/gates/{name}`: that run's document as `windvane shadow run --format
//! json` prints it; `/api/v1/gates/{name}/evaluate`: may the roll-out go on?
//!
//! Evaluation is for roll-out controllers. By POST, as Flagger's webhooks ask, the status is the answer: 200 to go on, 409 not
//! to. By GET, as Argo Rollouts' web metrics ask, the answer is in the body. Nothing that is not known goes on: no run, an old
//! run, a run on another candidate, and a store that does not answer all hold.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, Query, State};
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use windvane_store::findings::{
    self,
    gate::{Asked, Latest},
};
use windvane_store::{Store, StoreError};
use windvane_types::address::Named;
use windvane_types::gate::{Document, Verdict};
use windvane_types::span;
use windvane_types::{Clock, SystemClock};

use super::parameters::Parameters;
use super::problem::Problem;

/// Gates of a page, and the most of them.
const LIMIT: u64 = 50;
const LIMIT_MAX: u64 = 200;
/// How old a run may be that lets a roll-out go on.
const AGE_MAX: Duration = Duration::from_secs(24 * 3600);
/// The shares of traffic through which a roll-out goes, in percent.
const STEPS: [u64; 5] = [1, 5, 25, 50, 100];
/// Parameters of an evaluation, in the query or in the `metadata` of a webhook.
const EVALUATION: [&str; 4] = ["candidate_sha256", "max_age_s", "weight", "experiment"];

/// The document of `/api/v1/gates`.
#[derive(Debug, Serialize)]
pub struct Gates {
    schema: &'static str,
    /// The one that ran last first.
    gates: Vec<Gate>,
    next_offset: Option<u64>,
}

/// The latest run of a gate, in short.
#[derive(Debug, Serialize)]
struct Gate {
    gate: String,
    run_id: String,
    computed_at: String,
    model: String,
    version: String,
    candidate_sha256: String,
    verdict: String,
}

/// Parameters: `limit`, `offset`.
pub async fn list(
    State(store): State<Store>,
    Query(sent): Query<BTreeMap<String, String>>,
) -> Result<Json<Gates>, Problem> {
    let page = Parameters::new(sent, &["limit", "offset"])?.page(LIMIT, LIMIT_MAX)?;
    let asked = Asked { limit: page.limit + 1, offset: page.offset, ..Asked::default() };
    let rows = findings::gate::latest(&store, asked).await?;
    let next_offset = page.next(rows.len());
    let limit = usize::try_from(page.limit).unwrap_or(usize::MAX);
    let brief = |latest: Latest| Gate {
        computed_at: span::shown(latest.computed_at_us),
        gate: latest.gate,
        run_id: latest.run_id,
        model: latest.model,
        version: latest.version,
        candidate_sha256: latest.candidate_sha256,
        verdict: latest.verdict,
    };
    let gates = rows.into_iter().take(limit).map(brief).collect();
    Ok(Json(Gates { schema: "windvane.gates/1", gates, next_offset }))
}

/// The latest run of a gate, as a whole.
pub async fn one(State(store): State<Store>, Path(Named(name)): Path<Named>) -> Result<Response, Problem> {
    match latest(&store, &name, "").await? {
        None => Err(Problem::UnknownGate(name)),
        Some(latest) => Ok(([(header::CONTENT_TYPE, "application/json")], latest.document).into_response()),
    }
}

/// The latest run of a gate, on this candidate unless that is empty; `None` where there is none.
///
/// # Errors
/// ClickHouse does not answer or refuses.
pub async fn latest(store: &Store, gate: &str, candidate_sha256: &str) -> Result<Option<Latest>, StoreError> {
    let asked = Asked { gate, candidate_sha256, limit: 1, offset: 0 };
    // No gate has an empty name, which would ask for all.
    match gate {
        "" => Ok(None),
        _ => Ok(findings::gate::latest(store, asked).await?.pop()),
    }
}

/// What Flagger's webhooks send; other fields are of no use here.
#[derive(Debug, Deserialize)]
struct Webhook {
    #[serde(default)]
    metadata: Option<BTreeMap<String, Value>>,
}

/// The parameters of an evaluation that a webhook names. One that cannot be read may have named a candidate or an experiment, and without
/// those a roll-out might go on: it is refused.
fn named(body: &[u8]) -> Result<BTreeMap<String, String>, Problem> {
    if body.is_empty() {
        return Ok(BTreeMap::new());
    }
    let refused = |what: String| {
        let accepted = r#"accepted are no body and a JSON object such as {"metadata": {"weight": "5"}}"#;
        Problem::InvalidBody(format!("{what}; {accepted}"))
    };
    let webhook: Webhook =
        serde_json::from_slice(body).map_err(|error| refused(format!("the body is no webhook: {error}")))?;
    let mut parameters = BTreeMap::new();
    for (key, value) in webhook.metadata.unwrap_or_default() {
        let word = match value {
            _ if !EVALUATION.contains(&key.as_str()) => continue,
            Value::String(word) => word,
            Value::Number(number) => number.to_string(),
            other => return Err(refused(format!("`{key}` of `metadata` is {other}, which is no text"))),
        };
        parameters.insert(key, word);
    }
    Ok(parameters)
}

/// The document of an evaluation.
#[derive(Debug, Serialize)]
pub struct Evaluation {
    schema: &'static str,
    gate: String,
    /// `pass`, `fail` or `inconclusive`.
    verdict: Verdict,
    /// Whether the roll-out may go on.
    passed: bool,
    reasons: Vec<String>,
    run_id: Option<String>,
    computed_at: Option<String>,
    /// What to do with the candidate's share of traffic.
    ramp: Ramp,
}

/// Advice about the candidate's share of traffic, in percent.
#[derive(Debug, Serialize, PartialEq, Eq)]
struct Ramp {
    steps: [u64; 5],
    /// What the candidate has now, as the caller says; 0 where it does not.
    weight: u64,
    /// What it should get next.
    next: u64,
}

/// Parameters: `candidate_sha256`, `max_age_s`, `weight`, `experiment`; a webhook may send them as its `metadata`.
pub async fn evaluate(
    State(store): State<Store>,
    (Path(Named(name)), method): (Path<Named>, Method),
    Query(mut sent): Query<BTreeMap<String, String>>,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    match body.map_err(Problem::from).and_then(|body| named(&body)) {
        Ok(named) => named.into_iter().for_each(|(key, value)| {
            sent.entry(key).or_insert(value);
        }),
        Err(problem) => return problem.into_response(),
    }
    let evaluation = match evaluated(&store, &name, sent).await {
        Ok(evaluation) => evaluation,
        Err(problem) => return problem.into_response(),
    };
    let status =
        if evaluation.passed || method == Method::GET { StatusCode::OK } else { StatusCode::CONFLICT };
    (status, Json(evaluation)).into_response()
}

async fn evaluated(store: &Store, name: &str, sent: BTreeMap<String, String>) -> Result<Evaluation, Problem> {
    let parameters = Parameters::new(sent, &EVALUATION)?;
    let age_max_s = parameters.count("max_age_s", AGE_MAX.as_secs())?;
    let weight = parameters.count("weight", 0)?.min(100);
    let candidate = parameters.text("candidate_sha256");
    let found = latest(store, name, candidate).await?;
    let now_us = SystemClock.now().as_microsecond();
    let (mut verdict, mut reasons) = standing(found.as_ref(), age_max_s, now_us);
    let experiment = parameters.text("experiment");
    // What harms under live traffic takes the candidate back also while the gate is in doubt.
    if !experiment.is_empty() && verdict != Verdict::Fail {
        let asked = findings::experiment_looks::Asked {
            experiment,
            limit: 1,
            ..findings::experiment_looks::Asked::default()
        };
        let look = findings::experiment_looks::latest(store, asked).await?.pop();
        let (live, reason) = live(experiment, look.as_ref().map(|look| look.verdict.as_str()));
        verdict = worse(verdict, live);
        reasons.push(reason);
    }
    Ok(Evaluation {
        schema: "windvane.gate_evaluation/1",
        gate: name.to_owned(),
        verdict,
        passed: verdict == Verdict::Pass,
        reasons,
        run_id: found.as_ref().map(|latest| latest.run_id.clone()),
        computed_at: found.as_ref().map(|latest| span::shown(latest.computed_at_us)),
        ramp: ramp(verdict, weight),
    })
}

/// What the latest run says, if it may be relied on.
fn standing(found: Option<&Latest>, age_max_s: u64, now_us: i64) -> (Verdict, Vec<String>) {
    let Some(latest) = found else {
        return (Verdict::Inconclusive, vec!["no run of this gate on this candidate is recorded".to_owned()]);
    };
    let age_s = u64::try_from(now_us.saturating_sub(latest.computed_at_us) / 1_000_000).unwrap_or(0);
    if age_s > age_max_s {
        let reason = format!("the latest run is {age_s} s old, and {age_max_s} s are allowed");
        return (Verdict::Inconclusive, vec![reason]);
    }
    let Ok(document) = serde_json::from_str::<Document>(&latest.document) else {
        return (Verdict::Inconclusive, vec!["the latest run was recorded by another version".to_owned()]);
    };
    let told = document.checks.iter().filter(|check| check.verdict != Verdict::Pass);
    let mut reasons: Vec<String> = told.map(|check| format!("{}: {}", check.check, check.reason)).collect();
    reasons.extend(document.override_by.map(|by| format!("overridden by {}: {}", by.who, by.why)));
    (document.verdict, reasons)
}

/// What an experiment under live traffic says about going on.
fn live(experiment: &str, verdict: Option<&str>) -> (Verdict, String) {
    match verdict {
        Some("worse") => {
            (Verdict::Fail, format!("experiment `{experiment}` shows that the candidate is worse"))
        }
        Some(word @ ("better" | "equivalent")) => {
            (Verdict::Pass, format!("experiment `{experiment}` says {word}"))
        }
        Some(_) => (Verdict::Inconclusive, format!("experiment `{experiment}` does not tell yet")),
        None => (Verdict::Inconclusive, format!("nobody has looked at experiment `{experiment}`")),
    }
}

/// A fail beats doubt, and doubt beats a pass.
fn worse(gate: Verdict, live: Verdict) -> Verdict {
    match (gate, live) {
        (Verdict::Fail, _) | (_, Verdict::Fail) => Verdict::Fail,
        (Verdict::Inconclusive, _) | (_, Verdict::Inconclusive) => Verdict::Inconclusive,
        (Verdict::Pass, Verdict::Pass) => Verdict::Pass,
    }
}

/// The next step up after a pass, none after a fail, and the same share where nothing is shown.
fn ramp(verdict: Verdict, weight: u64) -> Ramp {
    let next = match verdict {
        Verdict::Pass => STEPS.into_iter().find(|step| *step > weight).unwrap_or(100),
        Verdict::Fail => 0,
        Verdict::Inconclusive => weight,
    };
    Ramp { steps: STEPS, weight, next }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_does_not_go_on() {
        let latest = |computed_at_us, document: &str| Latest {
            gate: "g".to_owned(),
            run_id: "r".to_owned(),
            computed_at_us,
            model: String::new(),
            version: String::new(),
            candidate_sha256: String::new(),
            verdict: "pass".to_owned(),
            document: document.to_owned(),
        };
        for found in [None, Some(latest(0, "{}")), Some(latest(99_000_000, "{}"))] {
            assert_eq!(standing(found.as_ref(), 60, 100_000_000).0, Verdict::Inconclusive, "{found:?}");
        }
        assert_eq!(live("x", None).0, Verdict::Inconclusive);
        assert_eq!(live("x", Some("inconclusive")).0, Verdict::Inconclusive);
        assert_eq!(live("x", Some("worse")).0, Verdict::Fail);
    }

    #[test]
    fn a_webhook_names_parameters_or_is_refused_and_never_read_by_half() {
        let read = |body: &str| named(body.as_bytes()).map_err(|problem| problem.to_string());
        let one = |key: &str, word: &str| Ok(BTreeMap::from([(key.to_owned(), word.to_owned())]));
        for body in ["", "{}", r#"{"name": "delay", "metadata": null}"#, r#"{"metadata": {"other": [1]}}"#] {
            assert_eq!(read(body), Ok(BTreeMap::new()), "{body}");
        }
        assert_eq!(read(r#"{"metadata": {"candidate_sha256": "00"}}"#), one("candidate_sha256", "00"));
        assert_eq!(read(r#"{"metadata": {"weight": 5}}"#), one("weight", "5"));
        for body in ["no JSON", "[1]", r#"{"metadata": 5}"#, r#"{"metadata": {"candidate_sha256": ["00"]}}"#]
        {
            let refused = read(body).unwrap_err();
            assert!(refused.contains("accepted are no body"), "{body}: {refused}");
        }
    }

    #[test]
    fn what_harms_under_live_traffic_fails_a_gate_in_doubt() {
        use Verdict::{Fail, Inconclusive, Pass};
        for (gate, word, expected) in [
            (Pass, Some("better"), Pass),
            (Pass, None, Inconclusive),
            (Inconclusive, Some("better"), Inconclusive),
            (Inconclusive, Some("worse"), Fail),
            (Pass, Some("worse"), Fail),
            (Fail, Some("better"), Fail),
        ] {
            assert_eq!(worse(gate, live("x", word).0), expected, "{gate:?} and {word:?}");
        }
    }

    #[test]
    fn a_ramp_goes_up_by_steps_and_down_at_once() {
        for (verdict, weight, next) in [
            (Verdict::Pass, 0, 1),
            (Verdict::Pass, 5, 25),
            (Verdict::Pass, 60, 100),
            (Verdict::Pass, 100, 100),
            (Verdict::Inconclusive, 25, 25),
            (Verdict::Fail, 50, 0),
        ] {
            assert_eq!(ramp(verdict, weight).next, next, "{verdict:?} at {weight}");
        }
    }
}
