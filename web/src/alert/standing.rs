//! Alerts that are pending, firing or recovering, each with what can be done about it.

use maud::{Markup, html};
use windvane_types::alert::{Standing, State};
use windvane_types::matcher::Matcher;

use super::{forms, link};
use crate::Rights;
use crate::numbers::{optional, thousands};
use crate::page::time;

/// Alerts that the page shows at once, each with two forms; there may be 10,000, and the read API pages through all.
const SHOWN_MAX: usize = 200;

/// The table, what fires first; with forms for whoever may send them.
pub fn table(standing: &[Standing], rights: Rights) -> Markup {
    let mut ordered: Vec<&Standing> = standing.iter().collect();
    ordered.sort_by_key(|alert| (order(alert.state), alert.rule.as_str(), alert.fingerprint.as_str()));
    html! {
        @if ordered.is_empty() { p.quiet { "Nothing is pending, firing or recovering." } } @else {
            div.scroll tabindex="0" role="group" aria-label="Alerts" {
                table {
                    thead { tr { th scope="col" { "alert" } th scope="col" { "state" } th scope="col" { "severity" } th.number scope="col" { "value" } th scope="col" { "since" } th scope="col" { "told" } @if rights == Rights::Change { th scope="col" { "do" } } } }
                    tbody { @for alert in ordered.iter().take(SHOWN_MAX) { (row(alert, rights)) } }
                }
            }
            @if ordered.len() > SHOWN_MAX {
                p.quiet { "Shown are " (thousands(SHOWN_MAX as u64)) " of " (thousands(ordered.len() as u64)) " alerts, those that fire before others; the " a href="/api/v1/alerts" { "read API" } " pages through all." }
            }
        }
    }
}

const fn order(state: State) -> u8 {
    match state {
        State::Firing => 0,
        State::Pending => 1,
        State::Recovering => 2,
        State::Resolved => 3,
    }
}

fn row(alert: &Standing, rights: Rights) -> Markup {
    let summary = alert.annotations.get("summary").map_or(alert.rule.as_str(), String::as_str);
    let severity = alert.labels.get("severity").map_or("", String::as_str);
    html! {
        tr id=(format!("alert-{}", alert.fingerprint)) {
            th scope="row" {
                @match alert.link.as_deref().and_then(link) { Some(link) => { a href=(link) { (summary) } } None => { (summary) } }
                @if let Some(description) = alert.annotations.get("description") { br; span.quiet { (description) } }
                br; @for (name, value) in &alert.labels { code { (name) "=" (value) } " " }
            }
            td { span class=(format!("badge {}", alert.state.as_str())) { (alert.state.as_str()) } }
            td { (severity) }
            td.number { (optional(alert.value)) }
            td { (time(&alert.since)) }
            td { (told(alert)) }
            @if rights == Rights::Change { td { (acts(alert)) } }
        }
    }
}

/// What can be done about it.
fn acts(alert: &Standing) -> Markup {
    html! {
        @if alert.acknowledged_by.is_none() && alert.state == State::Firing {
            details { summary { "Acknowledge" } (forms::acknowledge(&alert.fingerprint)) }
        }
        @if alert.silenced_by.is_none() {
            details { summary { "Silence" } (forms::silence(&alert.fingerprint, &matchers(alert))) }
        }
    }
}

/// Who is told, or what keeps it from being told.
fn told(alert: &Standing) -> Markup {
    html! {
        @if let Some(by) = &alert.acknowledged_by { "looked after by " (by) br; }
        @if alert.silenced_by.is_some() { "silenced" }
        @else if let Some(by) = &alert.inhibited_by { "kept quiet by " code { (by) } }
        @else if alert.receivers.is_empty() { span.quiet { "nobody" } }
        @else { (alert.receivers.join(", ")) }
    }
}

/// Matchers of exactly this alert, a line each.
fn matchers(alert: &Standing) -> String {
    let of = |(name, value): (&String, &String)| Matcher::equal(name, value).to_string();
    alert.labels.iter().map(of).collect::<Vec<_>>().join("\n")
}
