//! Whether a model is still fast: percentiles by group against the reference, and objectives with how fast their budget burns.

use std::time::Duration;

use maud::{Markup, html};
use windvane_store::views::LATENCY_GROUPS;
use windvane_types::latency::{Group, Objective, Verdict, Window};
use windvane_types::span::in_words;

use super::findings::{Whose, in_toml, nothing_yet, quoted, source};
use super::read::Model;
use crate::api::latency::Run;
use crate::listed::most_important;
use crate::numbers::{latency, number, optional, p_value, percent, thousands};
use crate::page;

/// Groups that are listed.
const GROUPS_MAX: usize = 50;

/// The card.
pub fn card(model: &Model) -> Markup {
    let name = &model.chosen.model;
    let content = match &model.latency_run {
        None => nothing_yet(
            "No look at latency is recorded",
            &format!(
                "windvane latency --model {} --window 24h --reference previous --by version --slo 99.9%:250ms",
                quoted(name)
            ),
            Some(&format!(
                "[monitors.latency]\nkind = \"latency\"\nmodel = {model}\nreference = \"previous\"\nwindow = \"1h\"\nsegment_by = [\"version\"]\nslo = [\"99.9%:250ms\"]",
                model = in_toml(name)
            )),
        ),
        Some(run) => latest(run),
    };
    let asked = model.latency_run.as_ref().map(|run| Whose::from(&run.key).asked(name, 1));
    page::card(
        "Latency by version, and objectives",
        &source(name, "latency", (&LATENCY_GROUPS, asked)),
        &content,
    )
}

fn latest(run: &Run) -> Markup {
    html! {
        p.quiet { (Whose::from(&run.key).told()) }
        @if !run.objectives.is_empty() {
            ul.lately {
                @for objective in &run.objectives {
                    li class=(if objective.verdict == "ok" { "good" } else { "alarm" }) { (said(objective)) }
                }
            }
        }
        (groups(&run.groups))
    }
}

/// The rule of an objective that fires, else its fastest burn: of a long window that may be above the bound, where the short one is not.
fn said(objective: &Objective) -> String {
    let promise =
        format!("{} within {}", percent(objective.objective), latency(Some(objective.threshold_us)));
    if let Some(rule) = objective.rules.iter().find(|rule| rule.fires) {
        return format!(
            "{promise}: {}. The budget burns {} and {}; {} times is the bound.",
            rule.urgency,
            burn(&rule.long),
            burn(&rule.short),
            number(rule.factor)
        );
    }
    let fastest = objective
        .rules
        .iter()
        .map(|rule| &rule.long)
        .filter(|window| window.burn.is_some())
        .max_by(|a, b| a.burn.unwrap_or(0.0).total_cmp(&b.burn.unwrap_or(0.0)));
    match fastest {
        Some(window) => format!("{promise}: no rule fires. At most it burns {}.", burn(window)),
        None => format!("{promise}: no event to judge by."),
    }
}

/// `3 times as fast as allowed over 1 h (2 of 90 events)`.
fn burn(window: &Window) -> String {
    let times = optional(window.burn);
    let (bad, events) = (thousands(window.bad), thousands(window.events));
    format!(
        "{times} times as fast as allowed over {} ({bad} of {events} events)",
        in_words(Duration::from_secs(window.window_s))
    )
}

/// Every percentile that was asked for has a column: those of the group that has most.
fn percentiles(groups: &[Group]) -> Vec<&str> {
    let most = groups.iter().max_by_key(|group| group.quantiles.len());
    most.map(|group| group.quantiles.iter().map(|found| found.quantile.as_str()).collect())
        .unwrap_or_default()
}

fn groups(groups: &[Group]) -> Markup {
    let percentiles = percentiles(groups);
    html! {
        div.scroll tabindex="0" role="group" aria-label="Latency by group" {
            table {
                thead {
                    tr {
                        th scope="col" { "group" } th.number scope="col" { "predictions" }
                        @for percentile in &percentiles { th.number scope="col" { (percentile) } }
                        th scope="col" { "against the reference" }
                    }
                }
                tbody {
                    @for group in most_important(groups, GROUPS_MAX, |group| (!group.group.is_empty(), !group.is_slower())) {
                        tr {
                            th scope="row" { (name(group)) }
                            td.number { (thousands(group.n)) }
                            @for percentile in &percentiles { td.number { (of(group, percentile)) } }
                            td { @match &group.drift { Some(drift) => { (verdict(drift.verdict)) " " span.quiet { (p_value(drift.p_adjusted)) } } None => span.quiet { "–" } } }
                        }
                    }
                }
            }
        }
        p.quiet { "Beneath each percentile are its interval and what it was in the reference." }
        @if groups.len() > GROUPS_MAX { p.quiet { "Shown are " (GROUPS_MAX) " of " (groups.len()) " groups, the slower ones first." } }
    }
}

fn name(group: &Group) -> String {
    let parts: Vec<String> = group
        .group
        .iter()
        .map(|(key, value)| format!("{key} {}", value.as_deref().unwrap_or("(missing)")))
        .collect();
    if parts.is_empty() { "all".to_owned() } else { parts.join(", ") }
}

/// A percentile, its interval, and what the reference's was, beneath each other so that five of them fit a screen.
fn of(group: &Group, percentile: &str) -> Markup {
    let Some(found) = group.quantiles.iter().find(|found| found.quantile == percentile) else {
        return html! { "–" };
    };
    html! {
        (latency(Some(found.value)))
        @if let Some(interval) = interval(found.ci) { br; span.quiet { (interval) } }
        @if let Some(reference) = found.reference { br; span.quiet { "was " (latency(Some(reference))) } }
    }
}

/// `680 µs to 720 µs`; an end that so few rows leave open is not told.
fn interval(ends: [Option<f64>; 2]) -> Option<String> {
    match ends {
        [None, None] => None,
        [Some(low), None] => Some(format!("{} or more", latency(Some(low)))),
        [None, Some(high)] => Some(format!("{} or less", latency(Some(high)))),
        [Some(low), Some(high)] => Some(format!("{} to {}", latency(Some(low)), latency(Some(high)))),
    }
}

fn verdict(verdict: Verdict) -> Markup {
    let class = match verdict {
        Verdict::Slower | Verdict::Breached => "worse",
        Verdict::Faster => "better",
        Verdict::Steady => "ok",
        Verdict::Changed | Verdict::InsufficientData => "",
    };
    html! { span class=(format!("badge {class}")) { (verdict.as_str().replace('_', " ")) } }
}
