//! A gate for a person: what it says and why, how alike the answers are, and how long they took. The same content is a page of
//! the service and a file that needs nothing else.

mod list;
mod plot;

use std::cmp::Reverse;

use maud::{Markup, html};
use windvane_store::findings::gate::Latest;
use windvane_store::views::{Asked, GATE_CHECKS};
use windvane_types::gate::{
    Agreement, Check, Deviation, Document, Latencies, NoiseFloor, Output, Segment, Verdict,
};
use windvane_types::span;

pub use list::list;

use crate::address;
use crate::chart::cut;
use crate::listed::{self, most_important};
use crate::numbers::{bytes, counted, form, interval, number, optional, thousands};
use crate::page::{self, Part};

/// Characters of a name.
const NAME_MAX: usize = 80;
/// Segments that are drawn.
const SEGMENTS_DRAWN: usize = 20;
/// Checks and outputs that are listed, outputs that are drawn, metrics of outcomes, and notes. All of a report is below 2 MB.
const CHECKS_MAX: usize = 500;
const OUTPUTS_MAX: usize = 500;
const OUTPUTS_DRAWN: usize = 100;
const METRICS_MAX: usize = 200;
const NOTES_MAX: usize = 50;
/// Requests that were left out, requests whose answers are shown, and characters of these answers.
const SKIPPED_MAX: usize = 100;
const WORST_MAX: usize = 20;
const ANSWERS_MAX: usize = 4_000;
/// Characters of a reason, and checks that the verdict names.
const REASON_MAX: usize = 400;
const NAMED_MAX: usize = 12;

/// The report of a gate as one HTML file: no script, and nothing to be loaded from anywhere.
#[must_use]
pub fn gate_report(document: &Document) -> String {
    page::report("Gate", content(document, &html! {})).into_string()
}

/// The page of a gate: the latest run, and whose it is.
pub fn gate_page(latest: &Latest, document: &Document) -> Markup {
    let name = cut(&latest.gate, NAME_MAX);
    let (json, evaluation) = (address::gate_document(&latest.gate), address::gate_evaluation(&latest.gate));
    let asked = Asked::from([("gate", latest.gate.clone())]);
    page::page(
        Part::Gates,
        &format!("Gate {name}"),
        html! {
            p.crumbs {
                a href="/gates" { "Gates" } " · " (name) " · ran " (page::time(&span::shown(latest.computed_at_us)))
                @if !latest.model.is_empty() { " · " (model(latest)) }
                " · " a href=(evaluation) { "what a roll-out is told" } " · " (address::source_beside(&json, &GATE_CHECKS, &asked))
            }
            (content(document, &html! { p.from { (address::document(&json)) } }))
        },
    )
}

/// The model that is to be replaced, and the version that the candidate would be, as far as somebody said.
fn model(latest: &Latest) -> Markup {
    html! {
        a href=(address::model(&latest.model)) { (cut(&latest.model, NAME_MAX)) }
        @if !latest.version.is_empty() { " " (cut(&latest.version, NAME_MAX)) }
    }
}

/// `source` leads to the document that all of it is taken from; a report leads nowhere.
fn content(document: &Document, source: &Markup) -> Markup {
    html! {
        h1 { "May the candidate take the champion's place?" }
        p class=(format!("answer {}", class(document.verdict))) { (answer(document)) }
        @for note in document.notes.iter().take(NOTES_MAX) { p { (cut(note, REASON_MAX)) } }
        h2 { "Why" }
        (checks(&document.checks))
        h2 { "How alike are the answers?" }
        p { (thousands(document.agreement.agree)) " of " (counted(document.agreement.n, "request agrees", "requests agree")) " in every output." }
        @if let Some(noise) = &document.agreement.noise { (noise_floor(noise)) }
        (outputs(&document.agreement.outputs))
        (source)
        @if !document.agreement.segments.is_empty() { (segments(&document.agreement)) }
        @if !document.quality.metrics.is_empty() {
            h2 { "What do outcomes say?" }
            (quality(document))
            (source)
        }
        h2 { "How long do answers take?" }
        (latencies(document))
        (source)
        @if !document.agreement.worst.is_empty() {
            h2 { "Where are they furthest apart?" }
            (worst(document))
            (source)
        }
        @if document.skipped.n > 0 {
            h2 { "What could not be asked?" }
            (skipped(document))
            (source)
        }
        h2 { "What was compared" }
        (provenance(document))
        (source)
    }
}

fn skipped(document: &Document) -> Markup {
    let skipped = &document.skipped;
    let first = &skipped.first[..skipped.first.len().min(SKIPPED_MAX)];
    html! {
        p {
            (counted(skipped.n, "request was", "requests were")) " left out"
            @if first.len() as u64 != skipped.n { "; the first " (first.len()) " of them" }
            ":"
        }
        ul {
            @for request in first {
                li { code { (cut(&request.id, NAME_MAX)) } ": " (cut(&request.reason, REASON_MAX)) }
            }
        }
    }
}

fn class(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "better",
        Verdict::Fail => "worse",
        Verdict::Inconclusive => "inconclusive",
    }
}

fn badge(verdict: Verdict) -> Markup {
    html! { span class=(format!("badge {}", class(verdict))) { (verdict.as_str()) } }
}

fn answer(document: &Document) -> String {
    if let Some(by) = &document.override_by {
        return format!(
            "Yes, by decision of {} ({}); the gate itself said {}.",
            by.who,
            by.why,
            by.verdict.as_str()
        );
    }
    let of = |verdict| {
        let named = document.checks.iter().filter(|check| check.verdict == verdict);
        listed::names(named.map(|check| check.check.clone()).collect(), NAMED_MAX)
    };
    match document.verdict {
        Verdict::Pass => {
            format!("Yes: every check passes on {}.", counted(document.requests, "request", "requests"))
        }
        Verdict::Fail => format!("No: {}.", of(Verdict::Fail)),
        Verdict::Inconclusive => format!("Not enough is known: {}.", of(Verdict::Inconclusive)),
    }
}

fn checks(checks: &[Check]) -> Markup {
    let rank = |check: &Check| match check.verdict {
        Verdict::Fail => 0,
        Verdict::Inconclusive => 1,
        Verdict::Pass => 2,
    };
    html! {
        div.scroll tabindex="0" role="group" aria-label="Checks" {
            table {
                thead { tr { th scope="col" { "check" } th scope="col" { "verdict" } th.number scope="col" { "observed" } th.number scope="col" { "bound" } th scope="col" { "interval" } th scope="col" { "why" } } }
                tbody {
                    @for check in most_important(checks, CHECKS_MAX, rank) {
                        tr {
                            th scope="row" { (check.check) @if let Some(subject) = &check.subject { " " (cut(subject, NAME_MAX)) } }
                            td { (badge(check.verdict)) }
                            td.number { (optional(check.observed)) }
                            td.number { (optional(check.bound)) }
                            td { (interval(check.ci)) }
                            td.words { (cut(&check.reason, REASON_MAX)) }
                        }
                    }
                }
            }
        }
        (listed::rest(CHECKS_MAX, checks.len(), "checks"))
    }
}

/// How far the champion agrees with itself.
fn noise_floor(noise: &NoiseFloor) -> Markup {
    let again = |agree: u64, n: u64, max_abs: Option<f64>| {
        html! { (thousands(agree)) " of " (thousands(n)) ", largest difference " (optional(max_abs)) }
    };
    html! {
        p {
            "The champion with itself, in calls of " (thousands(noise.batch)) ": " (again(noise.agree, noise.n, noise.max_abs))
            @if let Some(same) = &noise.again { "; in calls of the same size: " (again(same.agree, same.n, same.max_abs)) }
            "."
        }
    }
}

fn outputs(outputs: &[Output]) -> Markup {
    let apart = |output: &Output| Reverse(output.n.saturating_sub(output.agree));
    let shown = most_important(outputs, OUTPUTS_MAX, apart);
    let bars = most_important(outputs, OUTPUTS_DRAWN, apart)
        .into_iter()
        .filter_map(|output| Some((output.output.clone(), output.rate?, None)))
        .collect::<Vec<_>>();
    html! {
        (plot::shares("Requests that agree, by output", &bars))
        div.scroll tabindex="0" role="group" aria-label="Outputs" {
            table {
                thead { tr { th scope="col" { "output" } th scope="col" { "type" } th scope="col" { "agree" } th scope="col" { "largest difference" } th scope="col" { "relative" } th scope="col" { "not finite" } th scope="col" { "largest class differs" } th scope="col" { "drift" } } }
                tbody {
                    @for output in shown {
                        tr {
                            th scope="row" { (cut(&output.output, NAME_MAX)) }
                            td { (output.element) }
                            td { (thousands(output.agree)) " of " (thousands(output.n)) }
                            td { (optional(output.max_abs)) }
                            td { (optional(output.max_rel)) }
                            td { (thousands(output.nonfinite)) }
                            td { @if let Some(top) = &output.top_class { (thousands(top.flips)) " of " (thousands(top.n)) } }
                            td { (optional(output.drift)) }
                        }
                    }
                }
            }
        }
        (listed::rest(OUTPUTS_MAX, outputs.len(), "outputs"))
    }
}

fn segments(agreement: &Agreement) -> Markup {
    let name = |segment: &Segment| {
        let part = |(key, value): (&String, &Option<String>)| {
            format!("{key}={}", value.as_deref().unwrap_or("(missing)"))
        };
        segment.segment.iter().map(part).collect::<Vec<_>>().join(", ")
    };
    let bar = |segment: &Segment| (name(segment), segment.rate, segment.ci);
    let bars: Vec<_> = agreement.segments.iter().take(SEGMENTS_DRAWN).map(bar).collect();
    // Those that the document does not list are segments, too.
    let left_out = usize::try_from(agreement.segments_left_out).unwrap_or(usize::MAX);
    let all = agreement.segments.len().saturating_add(left_out);
    html! {
        (plot::shares("Requests that agree, by segment, the worst first", &bars))
        (listed::rest(SEGMENTS_DRAWN, all, "segments"))
    }
}

fn quality(document: &Document) -> Markup {
    html! {
        p { (counted(document.quality.labelled, "request has", "requests have")) " an outcome." }
        div.scroll tabindex="0" role="group" aria-label="Outcomes" {
            table {
                thead { tr { th scope="col" { "metric" } th scope="col" { "champion" } th scope="col" { "candidate" } th scope="col" { "difference" } th scope="col" { "interval" } th scope="col" { "method" } } }
                tbody {
                    @for metric in document.quality.metrics.iter().take(METRICS_MAX) {
                        tr {
                            th scope="row" { (metric.metric) @if metric.higher_is_better { " ↑" } @else { " ↓" } }
                            td { (number(metric.champion)) }
                            td { (number(metric.candidate)) }
                            td { (number(metric.difference)) }
                            td { (interval(metric.ci)) }
                            td { (metric.method) }
                        }
                    }
                }
            }
        }
        (listed::rest(METRICS_MAX, document.quality.metrics.len(), "metrics"))
    }
}

fn latencies(document: &Document) -> Markup {
    let latency = &document.latency_us;
    let rates = &document.throughput_per_s;
    let row = |name: &str, of: &Latencies, rate: Option<f64>| {
        html! {
            tr {
                th scope="row" { (name) }
                @for value in [of.p50, of.p95, of.p99, of.max, of.cold_start, rate] { td { (optional(value)) } }
                td { @match of.steady { Some(true) => "yes", Some(false) => "no", None => "–" } }
            }
        }
    };
    html! {
        (plot::curves(&latency.champion.curve, &latency.candidate.curve))
        (plot::batches(&document.by_batch))
        div.scroll tabindex="0" role="group" aria-label="Latencies" {
            table {
                thead { tr { th scope="col" { "µs, " (latency.clock) } th scope="col" { "p50" } th scope="col" { "p95" } th scope="col" { "p99" } th scope="col" { "longest" } th scope="col" { "first" } th scope="col" { "requests/s" } th scope="col" { "steady" } } }
                tbody {
                    (row("champion", &latency.champion, rates.champion))
                    (row("candidate", &latency.candidate, rates.candidate))
                }
            }
        }
    }
}

fn worst(document: &Document) -> Markup {
    html! {
        @for deviation in document.agreement.worst.iter().take(WORST_MAX) {
            details {
                summary { "request " (deviation.request) ": " (cut(&deviation.what, REASON_MAX)) }
                pre tabindex="0" aria-label="Answers of both models" { (answers(deviation)) }
            }
        }
        (listed::rest(WORST_MAX, document.agreement.worst.len(), "requests"))
    }
}

/// What was asked and what both answered, as far as it is not too long to read.
fn answers(deviation: &Deviation) -> String {
    let whole = serde_json::to_string_pretty(deviation).unwrap_or_default();
    match whole.char_indices().nth(ANSWERS_MAX) {
        Some((at, _)) => format!("{}…\n\nThe JSON document has the rest.", &whole[..at]),
        None => whole,
    }
}

fn provenance(document: &Document) -> Markup {
    let provenance = &document.provenance;
    let models = [("champion", &provenance.champion), ("candidate", &provenance.candidate)];
    html! {
        div.scroll tabindex="0" role="group" aria-label="Provenance" {
            table {
                tbody {
                    @for (name, model) in models {
                        tr { th scope="row" { (name) } td { (model.path) " · SHA-256 " code { (model.sha256) } " · opset " (model.opset.map_or("?".to_owned(), |opset| opset.to_string())) } }
                        tr { th scope="row" { "nodes" } td { @for (provider, nodes) in &model.placement.nodes { (provider) ": " (nodes) " " } } }
                    }
                    tr { th scope="row" { "traffic" } td { (provenance.traffic) @if let Some(sha256) = &provenance.traffic_sha256 { " · SHA-256 " code { (sha256) } } } }
                    tr { th scope="row" { "policy" } td { "SHA-256 " code { (provenance.policy_sha256) } } }
                    tr { th scope="row" { "runtime" } td { (provenance.runtime) " · " (provenance.provider) @if let Some(gpu) = &provenance.gpu { " · " (gpu) } } }
                    tr { th scope="row" { "memory" } td { (provenance.memory_peak_bytes.map_or_else(|| "–".to_owned(), bytes)) " at most" @if let Some(gpu) = provenance.gpu_memory_peak_bytes { ", of graphics processors " (bytes(gpu)) } } }
                    tr { th scope="row" { "pace" } td { (provenance.pace) ", " (provenance.batch_max) " in a call, " (provenance.threads) " " (form(provenance.threads, "thread", "threads")) } }
                    tr { th scope="row" { "seeds" } td { @for (name, seed) in &provenance.seeds { (name) " " (seed) " " } } }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
