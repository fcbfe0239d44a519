//! Alerts for a person: what fires and who looks after it, what is silenced, and what happened lately.

pub mod forms;
mod standing;
mod timeline;

use std::collections::BTreeMap;

use maud::{Markup, html};
use serde::Deserialize;
use windvane_store::alerts::{self, acknowledgements::Acknowledgement};
use windvane_store::views::{ALERT_EVENTS, ALERTS, Asked, SILENCES};
use windvane_store::{Store, StoreError};
use windvane_types::alert::{Standing, State};
use windvane_types::{Clock, SystemClock};

use crate::listed::full;
use crate::numbers::optional;
use crate::page::{Part, card, empty, page, time};
use crate::{Rights, address, api};

/// Silences that the page shows at once; the read API pages through all.
const SILENCES_MAX: u64 = 200;

/// A change of state.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Change {
    changed_at: String,
    rule: String,
    fingerprint: String,
    model: String,
    severity: String,
    from_state: String,
    to_state: String,
    reason: String,
    value: Option<f64>,
    summary: String,
    link: String,
}

/// A silence that holds or will.
#[derive(Debug, Clone, Deserialize)]
struct Silence {
    id: String,
    state: String,
    matchers: Vec<String>,
    starts_at: String,
    ends_at: String,
    created_by: String,
    comment: String,
}

/// What the page shows.
#[derive(Debug)]
pub struct Alerts {
    standing: Vec<Standing>,
    silences: Vec<Silence>,
    changes: Vec<Change>,
    now_us: i64,
}

/// Everything for the page.
///
/// # Errors
/// ClickHouse does not answer or refuses.
pub async fn read(store: &Store) -> Result<Alerts, StoreError> {
    let none = Asked::new();
    let first = Asked::from([("limit", SILENCES_MAX.to_string())]);
    let (mut standing, acknowledged, silences, changes) = tokio::try_join!(
        api::alerts::standing(store),
        alerts::acknowledgements::read(store),
        SILENCES.rows::<Silence>(store, &first),
        ALERT_EVENTS.rows::<Change>(store, &none),
    )?;
    looked_after(&mut standing, &acknowledged);
    Ok(Alerts { standing, silences, changes, now_us: SystemClock.now().as_microsecond() })
}

/// An acknowledgement shows at once, also where the alerter has not yet seen it. One that it has seen it has judged: times of alerts are
/// by its clock, and those of acknowledgements by that of ClickHouse.
fn looked_after(standing: &mut [Standing], acknowledged: &[Acknowledgement]) {
    let by: BTreeMap<&str, &Acknowledgement> =
        acknowledged.iter().map(|one| (one.fingerprint.as_str(), one)).collect();
    for alert in standing.iter_mut().filter(|alert| alert.acknowledged_by.is_none()) {
        let heard_us = alert.heard_until_us.unwrap_or(i64::MAX);
        let found = by.get(alert.fingerprint.as_str()).filter(|one| one.at_us > heard_us);
        alert.acknowledged_by = found.map(|one| one.acknowledged_by.clone());
    }
}

/// The page as HTML.
pub fn render(alerts: &Alerts, rights: Rights) -> Markup {
    let none = Asked::new();
    let now = address::source_beside("/api/v1/alerts", &ALERTS, &none);
    let content = html! {
        h1 { "Alerts" }
        p class=(format!("answer {}", class(&alerts.standing))) { (answer(&alerts.standing)) }
        @if rights == Rights::Read {
            p.quiet { "Your token reads only: acknowledging an alert, silencing some and ending a silence takes a token with the scope " code { "admin" } "." }
        }
        @if alerts.standing.is_empty() && alerts.changes.is_empty() {
            (nothing_yet())
        } @else {
            (card("Now", &now, &standing::table(&alerts.standing, rights)))
        }
        (card("Silences", &address::source(&SILENCES, &none), &silences(&alerts.silences, rights)))
        @if !alerts.changes.is_empty() {
            (card("Lately", &address::source(&ALERT_EVENTS, &none), &html! {
                (timeline::chart(&alerts.changes, alerts.now_us))
                (changes(&alerts.changes))
            }))
        }
    };
    page(Part::Alerts, "Alerts", content)
}

fn counted(standing: &[Standing], state: State) -> usize {
    standing.iter().filter(|alert| alert.state == state).count()
}

fn class(standing: &[Standing]) -> &'static str {
    match (counted(standing, State::Firing), standing.is_empty()) {
        (0, true) => "pass",
        (0, false) => "",
        _ => "fail",
    }
}

fn answer(standing: &[Standing]) -> String {
    let told = |state, word: &str| match counted(standing, state) {
        0 => None,
        1 => Some(format!("1 alert is {word}")),
        n => Some(format!("{n} alerts are {word}")),
    };
    let parts: Vec<String> = [
        told(State::Firing, "firing"),
        told(State::Pending, "pending: not for long enough yet"),
        told(State::Recovering, "recovering"),
    ]
    .into_iter()
    .flatten()
    .collect();
    if parts.is_empty() { "Nothing fires.".to_owned() } else { format!("{}.", parts.join("; ")) }
}

/// What a newcomer does next.
fn nothing_yet() -> Markup {
    empty(&html! {
        h2 { "No alert has ever fired" }
        p { "Rules that warn of drift, failing monitors, broken data and stalled ingestion are on by default; " code { "windvane alerts lint" } " lists them. Say who is told:" }
        pre tabindex="0" aria-label="Configuration" { "[alerts.receivers.team]\ntype = \"email\"\nhost = \"smtp.example.org\"\nfrom = \"windvane@example.org\"\nto = [\"ml@example.org\"]\n\n$ windvane alerts test --receiver team" }
    })
}

fn silences(silences: &[Silence], rights: Rights) -> Markup {
    let may_change = rights == Rights::Change;
    html! {
        @if silences.is_empty() { p.quiet { "No alert is silenced." } } @else {
            div.scroll tabindex="0" role="group" aria-label="Silences" {
                table {
                    thead { tr { th scope="col" { "alerts with" } th scope="col" { "state" } th scope="col" { "from" } th scope="col" { "until" } th scope="col" { "why" } @if may_change { th scope="col" { "end" } } } }
                    tbody {
                        @for silence in silences {
                            tr {
                                th scope="row" { @for (i, matcher) in silence.matchers.iter().enumerate() { @if i > 0 { " " } code { (matcher) } } }
                                td { span.badge { (silence.state) } }
                                td { (time(&silence.starts_at)) } td { (time(&silence.ends_at)) }
                                td { (silence.comment) " " span.quiet { "(" (silence.created_by) ")" } }
                                @if may_change { td { (forms::end(&silence.id)) } }
                            }
                        }
                    }
                }
            }
        }
        (full(silences.len(), SILENCES_MAX, "silences that end first", "/api/v1/silences"))
        @if may_change { details { summary { "New silence" } (forms::silence("new", "")) } }
    }
}

fn changes(changes: &[Change]) -> Markup {
    html! {
        div.scroll tabindex="0" role="group" aria-label="Changes of state" {
            table {
                thead { tr { th scope="col" { "when" } th scope="col" { "alert" } th scope="col" { "change" } th scope="col" { "severity" } th.number scope="col" { "value" } th scope="col" { "what it said" } } }
                tbody {
                    @for change in changes {
                        tr {
                            td { (time(&change.changed_at)) }
                            th scope="row" { (change.rule) @if !change.model.is_empty() { " " a href=(address::model(&change.model)) { (change.model) } } }
                            td { (change.from_state) " → " span class=(format!("badge {}", change.to_state)) { (change.to_state) } " " span.quiet { (change.reason.replace('_', " ")) } }
                            td { (change.severity) }
                            td.number { (optional(change.value)) }
                            td.words { @match link(&change.link) { Some(link) => { a href=(link) { (change.summary) } } None => { (change.summary) } } }
                        }
                    }
                }
            }
        }
    }
}

/// The address of a finding; only one of the web, whatever a rule wrote into it.
fn link(address: &str) -> Option<&str> {
    let is_web =
        address.starts_with('/') || address.starts_with("https://") || address.starts_with("http://");
    is_web.then_some(address)
}

#[cfg(test)]
mod tests;
