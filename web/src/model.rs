//! A model: what changed lately in words, then drift, quality, performance, segments, groups, attributions, traffic, latency and answers.

mod answers;
mod attribution;
mod drift;
mod fairness;
mod findings;
pub mod lately;
mod latency;
mod performance;
mod quality;
mod read;
mod segments;
mod sources;

use maud::{Markup, html};
use windvane_store::views::DRIFT_COLUMNS;
use windvane_types::span::shown;

use crate::address;
use crate::chart::lines::{Look, Series, lines};
use crate::numbers::{latency, number, percent, thousands};
use crate::page::{Part, card, empty, page, time, told};

pub use drift::{DriftSeries, direction};
pub use read::{Chosen, Model, read};

/// The page as HTML.
pub fn render(model: &Model) -> Markup {
    let name = &model.chosen.model;
    let content = html! {
        p.crumbs { a href="/" { "Models" } }
        div.head { h1 { (name) } (model.range.choices(&address::model(name), &model.chosen.pairs())) }
        (choices(model))
        (lately_card(model))
        (tiles(model))
        (drift_card(model))
        (quality::card(model))
        (performance::card(model))
        (segments::cards(model))
        (fairness::card(model))
        (attribution::card(model))
        (traffic(model))
        (latencies(model))
        (latency::card(model))
        (answers::card(model))
    };
    page(Part::Models, name, content)
}

/// Version and environment; without a script by a button.
fn choices(model: &Model) -> Markup {
    let chosen = &model.chosen;
    let mut versions: Vec<&str> = model.deployments.iter().map(|found| found.version.as_str()).collect();
    let mut environments: Vec<&str> =
        model.deployments.iter().map(|found| found.environment.as_str()).collect();
    for names in [&mut versions, &mut environments] {
        names.sort_unstable();
        names.dedup();
        names.retain(|name| !name.is_empty());
    }
    if versions.len() < 2 && environments.len() < 2 && model.series.len() < 2 {
        return html! {};
    }
    let series = model.series_chosen.as_ref().map(DriftSeries::key).unwrap_or_default();
    html! {
        form.choices method="get" action=(address::model(&chosen.model)) {
            input type="hidden" name="range" value=(model.range.length.word);
            @if versions.len() > 1 { (select("version", "all versions", (&versions, &chosen.version))) }
            @if environments.len() > 1 { (select("environment", "all environments", (&environments, &chosen.environment))) }
            @if model.series.len() > 1 {
                label { "comparison"
                    select name="series" {
                        @for found in &model.series {
                            option value=(found.key()) selected[found.key() == series] { (found.name()) }
                        }
                    }
                }
            }
            button { "Show" }
        }
    }
}

fn select(name: &str, all: &str, (values, chosen): (&[&str], &str)) -> Markup {
    html! {
        label { (name)
            select name=(name) {
                option value="" { (all) }
                @for value in values { option value=(value) selected[*value == chosen] { (value) } }
            }
        }
    }
}

fn lately_card(model: &Model) -> Markup {
    let said = lately::lately(model);
    html! {
        section.card {
            header { h2 { "What changed lately" } }
            @if said.is_empty() {
                p.quiet { "Nothing that the recorded findings or the traffic show." }
            } @else {
                ul.lately { @for sentence in &said { li class=(sentence.tone.class()) { (told(&sentence.text)) } } }
            }
            (sources::lately(model))
        }
    }
}

fn tiles(model: &Model) -> Markup {
    let predictions: u64 = model.traffic.iter().map(|bucket| bucket.predictions).sum();
    let failures: u64 = model.traffic.iter().map(|bucket| bucket.failures).sum();
    let recent = model.latency.last();
    let labelled = model.labelled();
    html! {
        ul.tiles {
            li {
                span.of { "predictions, " @if let Some(us) = model.traffic_from_us { "since " (time(&shown(us))) } @else { (model.range.length.name) } }
                span.figure { (thousands(predictions)) }
                span.note { @if model.traffic_from_us.is_some() { "older ones are not counted" } @else { (model.range.rate(predictions)) } }
            }
            li {
                span.of { "latency p99, newest" } span.figure { (latency(recent.map(|found| found.p99_us))) }
                span.note { "p50 " (latency(recent.map(|found| found.p50_us))) }
            }
            li {
                span.of { "failed" }
                span.figure { (if predictions > 0 { percent(failures as f64 / predictions as f64) } else { "–".to_owned() }) }
                span.note { (thousands(failures)) " predictions" }
            }
            li {
                span.of { "outcomes per prediction" } span.figure { (labelled.map_or("none".to_owned(), percent)) }
                span.note { "of all that came, corrections too" }
            }
            li { span.of { "last seen" } span.figure { (model.deployments.first().map_or(html! { "–" }, |found| time(&found.last_ts))) } span.note { (deployments(model.deployments.len())) } }
        }
        (sources::tiles(model))
    }
}

/// How many deployments there are, as far as they are read.
fn deployments(known: usize) -> String {
    match known {
        1 => "1 deployment".to_owned(),
        n if n as u64 >= read::DEPLOYMENTS_MAX => format!("{n} or more deployments"),
        n => format!("{n} deployments"),
    }
}

fn drift_card(model: &Model) -> Markup {
    let content = match &model.series_chosen {
        None => empty(&html! {
            h2 { "No comparison is recorded" }
            p { "Let a monitor compare by schedule:" }
            pre tabindex="0" aria-label="Configuration" { "[monitors.daily]\nmodel = " (findings::in_toml(&model.chosen.model)) "\nreference = \"previous\"\nwindow = \"1d\"" }
            p { "or compare once: " code { "windvane drift --model " (findings::quoted(&model.chosen.model)) " --reference previous --window 24h" } }
        }),
        Some(series) => html! {
            p.quiet { (series.sentence()) }
            (drift::map(&model.chosen.model, series, &model.drift))
            (drift::top(&model.chosen.model, series, &model.drift))
        },
    };
    card("Drift", &address::source(&DRIFT_COLUMNS, &model.drift_asked), &content)
}

fn traffic(model: &Model) -> Markup {
    let series = model.traffic_by_version();
    let look = Look {
        title: "Predictions over time",
        unit: number,
        floor: None,
        span: Some((model.range.from_us, model.range.known_us)),
        area: true,
    };
    let content = html! {
        @if model.traffic_from_us.is_some() {
            p.quiet { "There are " (thousands(read::TRAFFIC_MAX as u64)) " rows or more, one of each version in each bucket. The oldest are left out; choose a version to see all of its own." }
        }
        @if series.is_empty() { p.quiet { "No predictions in this span." } } @else { (lines(&series, look)) }
    };
    card("Traffic", &address::source(read::traffic_of(model.range), &model.bucketed), &content)
}

fn latencies(model: &Model) -> Markup {
    let line = |name: &str, of: fn(&read::Latency) -> f64| Series {
        name: name.to_owned(),
        points: model.latency.iter().map(|found| (found.at_us, of(found))).collect(),
    };
    let series = [
        line("p99", |found| found.p99_us),
        line("p95", |found| found.p95_us),
        line("p50", |found| found.p50_us),
    ];
    let look = Look {
        title: "Latency percentiles over time",
        unit: |us| latency(Some(us)),
        floor: None,
        span: Some((model.range.from_us, model.range.known_us)),
        area: false,
    };
    let content = html! {
        @if model.latency.is_empty() { p.quiet { "No prediction in this span says how long it took (" code { "latency_us" } ")." } }
        @else { (lines(&series, look)) }
    };
    card("Latency", &address::source(read::latency_of(model.range), &model.bucketed), &content)
}

#[cfg(test)]
mod tests;
