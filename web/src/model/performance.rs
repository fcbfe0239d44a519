//! How right a model is: metrics by the outcomes that are known and by estimate, window by window, and how many outcomes there are.

use maud::{Markup, html};
use windvane_store::views::PERFORMANCE_METRICS;
use windvane_types::performance::{Metric, Verdict};
use windvane_types::span;

use super::findings::{Whose, in_toml, nothing_yet, quoted, source};
use super::read::{Model, WINDOWS_MAX};
use crate::api::performance::Window;
use crate::chart::lines::{Look, lines};
use crate::numbers::{counted, interval, number, optional, percent, thousands};
use crate::{address, page, performance};

/// Metrics that are drawn: those that left what is usual, else the first ones.
const DRAWN_MAX: usize = 2;

/// The card.
pub fn card(model: &Model) -> Markup {
    let name = &model.chosen.model;
    let content = match model.performance.as_slice() {
        [] => nothing_yet(
            "No measurement against outcomes is recorded",
            &format!(
                "windvane performance --model {} --task binary --reference previous --window 7d --estimate",
                quoted(name)
            ),
            Some(&format!(
                "[monitors.performance]\nkind = \"performance\"\nmodel = {model}\ntask = \"binary\"\nreference = \"baseline:usual\" # windvane baseline save usual --model {shell} --from 2013-01-01 --to 2013-04-01\nwindow = \"1d\"\nestimate = true",
                model = in_toml(name),
                shell = quoted(name)
            )),
        ),
        [newest, ..] => found(name, newest, &series(&model.performance)),
    };
    let asked = model.performance.first().map(|newest| whose(newest).asked(name, WINDOWS_MAX));
    page::card("Performance", &source(name, "performance", (&PERFORMANCE_METRICS, asked)), &content)
}

/// What makes windows comparable.
fn kind(window: &Window) -> [&str; 6] {
    let Window { monitor, granularity, version, environment, reference, .. } = window;
    [monitor, granularity, version, environment, &reference.kind, &reference.name]
}

/// The windows that are of one kind with the newest one, from the oldest.
fn series(windows: &[Window]) -> Vec<&Window> {
    let Some(newest) = windows.first() else { return Vec::new() };
    windows.iter().rev().filter(|window| kind(window) == kind(newest)).collect()
}

/// Whose window it is.
pub fn whose(window: &Window) -> Whose<'_> {
    Whose {
        monitor: &window.monitor,
        version: &window.version,
        environment: &window.environment,
        start: &window.start,
        end: &window.end,
        reference_kind: &window.reference.kind,
        reference_name: &window.reference.name,
        granularity: &window.granularity,
    }
}

fn found(name: &str, newest: &Window, windows: &[&Window]) -> Markup {
    html! {
        p class=(format!("answer {}", class(newest.verdict))) { (headline(newest)) }
        p.quiet { (whose(newest).told()) " " (coverage(newest)) @if let Some(trust) = &newest.trust { " " (performance::trust(trust)) } }
        @if let Some(concept) = &newest.concept_drift { p.quiet { (performance::concept(concept)) } }
        @for metric in drawn(&newest.metrics) { (chart(&metric.metric, windows)) }
        (table(&newest.metrics, newest.verdict))
        @if let Some(weakest) = newest.weakest_segments.as_ref().filter(|weakest| !weakest.segments.is_empty()) {
            h3 { "Where it is weakest" }
            (performance::weakest(weakest))
            p.from { (address::document(&newest_document(name, newest))) }
        }
    }
}

/// The newest window of this monitor as the read API tells it: no statement gives the segments by column.
fn newest_document(name: &str, newest: &Window) -> String {
    let pairs = [("monitor", newest.monitor.as_str()), ("segment", "none"), ("limit", "1")];
    format!("/api/v1{}/performance{}", address::model(name), address::query(pairs))
}

fn class(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Alert => "fail",
        Verdict::NoAlert => "pass",
        Verdict::InsufficientData => "",
    }
}

fn headline(window: &Window) -> String {
    let alerts: Vec<&str> =
        window.metrics.iter().filter(|metric| metric.alert).map(|metric| metric.metric.as_str()).collect();
    match window.verdict {
        Verdict::Alert if alerts.is_empty() => "A metric left what is usual".to_owned(),
        Verdict::Alert => format!("{} left what is usual", alerts.join(", ")),
        Verdict::NoAlert if window.metrics.iter().any(is_beyond) => {
            "No metric has left what is usual by more than chance explains".to_owned()
        }
        Verdict::NoAlert => "Every metric is within what is usual".to_owned(),
        Verdict::InsufficientData => "Too few predictions with an outcome to tell".to_owned(),
    }
}

fn coverage(window: &Window) -> String {
    let share = window.coverage.map_or(String::new(), |coverage| format!(" ({})", percent(coverage)));
    format!(
        "{} of {} an outcome{share}.",
        thousands(window.labelled),
        counted(window.n, "prediction has", "predictions have")
    )
}

fn drawn(metrics: &[Metric]) -> Vec<&Metric> {
    let mut sorted: Vec<&Metric> =
        metrics.iter().filter(|metric| metric.realised.is_some() || metric.estimated.is_some()).collect();
    sorted.sort_by_key(|metric| !metric.alert);
    sorted.truncate(DRAWN_MAX);
    sorted
}

/// Truth and estimate over the windows, by their start.
fn chart(name: &str, windows: &[&Window]) -> Markup {
    let at = windows.iter().filter_map(|window| {
        let metric = window.metrics.iter().find(|metric| metric.metric == name)?;
        Some((span::instant(&window.start)?, metric))
    });
    let points: Vec<(i64, &Metric)> = at.collect();
    let look = Look { title: name, unit: number, floor: None, span: None, area: false };
    html! {
        @if points.len() > 1 { h3 { (name) } (lines(&performance::lines_of(&points), look)) }
    }
}

/// What is said of a metric in a window of this verdict: one that could not be compared is not called usual.
fn said(metric: &Metric, verdict: Verdict) -> Markup {
    if metric.alert {
        return html! { span.badge.fail { "unusual" } };
    }
    let has_threshold = metric.threshold.is_some_and(|ends| ends.iter().any(Option::is_some));
    let told = match &metric.reason {
        Some(reason) => reason.replace('_', " "),
        None if !has_threshold => "nothing to compare with".to_owned(),
        None if verdict == Verdict::InsufficientData => "too few rows to tell".to_owned(),
        None if is_beyond(metric) => "chance may explain it".to_owned(),
        None => "usual".to_owned(),
    };
    html! { span.quiet { (told) } }
}

/// Whether its number lies outside of what is usual. Where that stands on few chunks this alone is no alert: its interval has to lie there, too.
fn is_beyond(metric: &Metric) -> bool {
    let [low, high] = metric.threshold.unwrap_or_default();
    let value = metric.realised.or(metric.estimated);
    let below = value.zip(low).is_some_and(|(value, low)| value < low);
    below || value.zip(high).is_some_and(|(value, high)| value > high)
}

fn table(metrics: &[Metric], verdict: Verdict) -> Markup {
    html! {
        div.scroll tabindex="0" role="group" aria-label="Metrics of the newest window" {
            table {
                thead { tr { th scope="col" { "metric" } th scope="col" { "verdict" } th.number scope="col" { "realised" } th.number scope="col" { "interval" } th.number scope="col" { "estimated" } th.number scope="col" { "band" } th.number scope="col" { "usual" } } }
                tbody {
                    @for metric in metrics {
                        tr {
                            th scope="row" { (metric.metric) }
                            td { (said(metric, verdict)) }
                            td.number { (optional(metric.realised)) } td.number { (interval(metric.ci)) }
                            td.number { (optional(metric.estimated)) } td.number { (interval(metric.estimate_band)) }
                            td.number { (performance::usual(metric.threshold)) }
                        }
                    }
                }
            }
        }
    }
}
