//! `GET /api/v1/alerts`: what is pending, firing or recovering; `GET /api/v1/alerts/events`: every change of state;
//! `POST /api/v1/alerts/{fingerprint}/acknowledge`: somebody looks after one.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, Query, State};
use serde::{Deserialize, Serialize};
use windvane_store::alerts::{
    self,
    events::{AlertEvent, Asked},
};
use windvane_store::{Store, StoreError};
use windvane_types::alert::{Severity, Standing};
use windvane_types::span;

use super::parameters::Parameters;
use super::problem::Problem;
use super::silences::TEXT_MAX;

/// Alerts and changes of a page, and the most of them.
const LIMIT: u64 = 100;
const LIMIT_MAX: u64 = 1_000;
/// The year 2200, beyond which DateTime64 does not go far.
const END_OF_TIME_US: i64 = 7_258_118_400_000_000;

/// The document of `/api/v1/alerts`.
#[derive(Debug, Serialize)]
pub struct Alerts {
    schema: &'static str,
    alerts: Vec<Standing>,
    next_offset: Option<u64>,
}

/// The document of `/api/v1/alerts/events`.
#[derive(Debug, Serialize)]
pub struct Events {
    schema: &'static str,
    events: Vec<Event>,
    next_offset: Option<u64>,
}

/// A change as it is shown.
#[derive(Debug, Serialize)]
struct Event {
    at: String,
    rule: String,
    fingerprint: String,
    from_state: String,
    to_state: String,
    reason: String,
    severity: String,
    labels: BTreeMap<String, String>,
    value: Option<f64>,
    summary: String,
    link: Option<String>,
}

/// Parameters: `state`, `severity`, `model`, `rule`, `limit`, `offset`.
pub async fn list(
    State(store): State<Store>,
    Query(sent): Query<BTreeMap<String, String>>,
) -> Result<Json<Alerts>, Problem> {
    let parameters = Parameters::new(sent, &["state", "severity", "model", "rule", "limit", "offset"])?;
    let page = parameters.page(LIMIT, LIMIT_MAX)?;
    let state = parameters.word("state", &["pending", "firing", "recovering"])?;
    let severity = parameters.word("severity", Severity::WORDS)?;
    let (model, rule) = (parameters.text("model"), parameters.text("rule"));
    let standing = standing(&store).await?;
    let is = |asked: &str, found: Option<&str>| asked.is_empty() || found == Some(asked);
    let label = |alert: &Standing, name: &str| alert.labels.get(name).cloned();
    let found = standing.into_iter().filter(|alert| {
        is(state, Some(alert.state.as_str()))
            && is(severity, label(alert, "severity").as_deref())
            && is(model, label(alert, "model").as_deref())
            && is(rule, Some(&alert.rule))
    });
    let size = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    let found = found.map(Standing::told);
    let mut alerts: Vec<Standing> = found.skip(size(page.offset)).take(size(page.limit + 1)).collect();
    let next_offset = page.next(alerts.len());
    alerts.truncate(size(page.limit));
    Ok(Json(Alerts { schema: "windvane.alerts/1", alerts, next_offset }))
}

/// Parameters: `rule`, `model`, `from`, `to`, `limit`, `offset`.
pub async fn events(
    State(store): State<Store>,
    Query(sent): Query<BTreeMap<String, String>>,
) -> Result<Json<Events>, Problem> {
    let parameters = Parameters::new(sent, &["rule", "model", "from", "to", "limit", "offset"])?;
    let page = parameters.page(LIMIT, LIMIT_MAX)?;
    let [from_us, to_us] = parameters.span()?;
    let asked = Asked {
        rule: parameters.text("rule"),
        model: parameters.text("model"),
        from_us: from_us.unwrap_or(0),
        to_us: to_us.unwrap_or(END_OF_TIME_US),
        limit: page.limit + 1,
        offset: page.offset,
    };
    let found = alerts::events::read(&store, asked).await?;
    let next_offset = page.next(found.len());
    let limit = usize::try_from(page.limit).unwrap_or(usize::MAX);
    let events = found.into_iter().take(limit).map(Event::of).collect();
    Ok(Json(Events { schema: "windvane.alert_events/1", events, next_offset }))
}

/// What somebody says who looks after an alert.
#[derive(Debug, Deserialize)]
pub struct Acknowledged {
    /// Who looks after it.
    pub by: String,
    /// What they say.
    #[serde(default)]
    pub comment: String,
}

/// The document of an acknowledgement.
#[derive(Debug, Serialize)]
pub struct Acknowledgement {
    fingerprint: String,
    acknowledged_by: String,
    comment: String,
}

/// Until it has ended, the alert is neither repeated nor escalated. A body that is no JSON by its content type is refused.
pub async fn acknowledge(
    State(store): State<Store>,
    Path(fingerprint): Path<String>,
    body: Result<Json<Acknowledged>, JsonRejection>,
) -> Result<Json<Acknowledgement>, Problem> {
    let Json(said) = body?;
    acknowledged(&store, &fingerprint, &said).await.map(Json)
}

/// Acknowledges an alert that is pending, firing or recovering.
///
/// # Errors
/// There is no such alert, nobody is named, or ClickHouse does not answer.
pub async fn acknowledged(
    store: &Store,
    fingerprint: &str,
    said: &Acknowledged,
) -> Result<Acknowledgement, Problem> {
    let by = said.by.trim();
    if by.is_empty() {
        return Err(Problem::InvalidBody("`by` is empty; say who looks after the alert".to_owned()));
    }
    for (name, text) in [("by", by), ("comment", said.comment.as_str())] {
        if text.chars().count() > TEXT_MAX {
            return Err(Problem::InvalidBody(format!("`{name}` has more than {TEXT_MAX} characters")));
        }
    }
    if !standing(store).await?.iter().any(|alert| alert.fingerprint == fingerprint) {
        return Err(Problem::UnknownAlert(fingerprint.to_owned()));
    }
    alerts::acknowledgements::write(store, fingerprint, by, &said.comment).await?;
    Ok(Acknowledgement {
        fingerprint: fingerprint.to_owned(),
        acknowledged_by: by.to_owned(),
        comment: said.comment.clone(),
    })
}

/// What is pending, firing or recovering. Another version may have written it; then there is nothing that this one could show.
///
/// # Errors
/// ClickHouse does not answer or refuses.
pub async fn standing(store: &Store) -> Result<Vec<Standing>, StoreError> {
    Ok(serde_json::from_str(&alerts::state::standing(store).await?).unwrap_or_default())
}

impl Event {
    fn of(event: AlertEvent) -> Self {
        Self {
            at: span::shown(event.at_us),
            rule: event.rule,
            fingerprint: event.fingerprint,
            from_state: event.from_state,
            to_state: event.to_state,
            reason: event.reason,
            severity: event.severity,
            labels: event.labels,
            value: event.value,
            summary: event.summary,
            link: Some(event.link).filter(|link| !link.is_empty()),
        }
    }
}
