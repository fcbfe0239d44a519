//! An experiment for a person: what the latest look says, how sure it is, and how that came over time. The same content is a
//! page of the service and a file that needs nothing else.

mod forest;
mod history;
mod list;
mod words;

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};

use maud::{Markup, html};
use windvane_store::findings::experiment::Point;
use windvane_store::views::{Asked, EXPERIMENT_COMPARISONS};
use windvane_types::experiment::{
    Advice, Arm, Check, CheckVerdict, Comparison, Document, GuardrailVerdict, Role, Segment, SrmVerdict,
    Verdict,
};

pub use history::by_comparison;
pub use list::list;

use crate::address;
use crate::chart::cut;
use crate::listed::{self, most_important};
use crate::numbers::{counted, p_value, percent, signed_percent, thousands};
use crate::page::{self, Part};

/// Comparisons that have a sentence of their own.
const SENTENCES_MAX: usize = 12;
/// Looks that the view of comparisons takes at most.
const VIEW_LOOKS_MAX: usize = 10_000;
/// Comparisons that are drawn, and that the table lists: 900 bytes each, a quarter of a megabyte at the most.
const DRAWN_MAX: usize = 60;
const LISTED_MAX: usize = 250;
/// Comparisons whose looks are drawn, and what all of their charts and tables hold together: half a megabyte.
const HISTORIES_MAX: usize = 30;
const POINTS_MAX: usize = 4_000;
const LOOKS_MAX: usize = 1_000;
/// Segments that are shown, and what all of them list together: half a megabyte.
const SEGMENTS_MAX: usize = 50;
const SEGMENT_ROWS_MAX: usize = 200;
/// What else there may be many of: arms, checks, metrics with advice, lines of the ledger, and characters of such a line.
const ARMS_MAX: usize = 100;
const CHECKS_MAX: usize = 100;
const ADVICE_MAX: usize = 20;
const LEDGER_MAX: usize = 100;
const LINE_MAX: usize = 600;
/// Findings of a segment that its line names.
const NAMED_MAX: usize = 6;

/// The report of an experiment as one HTML file: no script, and nothing to be loaded from anywhere. `points` are its
/// comparisons over time as [`windvane_store::findings::experiment::over_time`] reads them, none without a store.
#[must_use]
pub fn experiment_report(document: &Document, points: &[Point]) -> String {
    let title = format!("Experiment {}", words::name(&document.source));
    page::report(&title, content(document, points, &Sources::default())).into_string()
}

/// The page of an experiment; `as_of` is when its latest look was.
pub fn experiment_page(name: &str, as_of: &str, (document, points): (&Document, &[Point])) -> Markup {
    let asked = Asked::from([("experiment", name.to_owned())]);
    let source = address::source_beside(&address::experiment_document(name), &EXPERIMENT_COMPARISONS, &asked);
    let sources = Sources::of(name, points);
    let name = words::name(name);
    page::page(
        Part::Experiments,
        &format!("Experiment {name}"),
        html! {
            p.crumbs { a href="/experiments" { "Experiments" } " · as of " (page::time(as_of)) " · " (source) }
            (content(document, points, &sources))
        },
    )
}

/// Where the numbers come from: links on a page, nothing in a report, which leads nowhere.
#[derive(Debug, Default)]
struct Sources {
    /// The document of the latest look, which alone has arms, checks and advice.
    document: Markup,
    /// The comparisons of the latest look.
    comparisons: Markup,
    /// The comparisons of all looks that are drawn.
    looks: Markup,
}

impl Sources {
    fn of(name: &str, points: &[Point]) -> Self {
        let json = address::experiment_document(name);
        let asked = |looks: usize| {
            Asked::from([
                ("experiment", name.to_owned()),
                ("looks", looks.clamp(1, VIEW_LOOKS_MAX).to_string()),
            ])
        };
        let looks: BTreeSet<i64> = points.iter().map(|point| point.as_of_us).collect();
        let from = |source: Markup| html! { p.from { (source) } };
        Self {
            document: from(address::document(&json)),
            comparisons: from(address::source_beside(&json, &EXPERIMENT_COMPARISONS, &asked(1))),
            looks: from(address::source(&EXPERIMENT_COMPARISONS, &asked(looks.len()))),
        }
    }
}

fn content(document: &Document, points: &[Point], sources: &Sources) -> Markup {
    html! {
        h1 { (words::name(&document.source)) }
        (answer(document))
        h2 { "Is the experiment healthy?" }
        (health(document))
        (sources.document)
        h2 { "How large is the difference?" }
        (forest::forest(&most_important(&document.comparisons, DRAWN_MAX, importance)))
        (comparisons(&most_important(&document.comparisons, LISTED_MAX, importance)))
        (listed::rest(LISTED_MAX, document.comparisons.len(), "comparisons"))
        (sources.comparisons)
        @if !points.is_empty() {
            h2 { "Over time" }
            p.quiet { "Dark: the interval of one look at a planned end. Light: the interval that holds however often you look." }
            (over_time(document, points))
            (sources.looks)
        }
        @if !document.segments.is_empty() {
            h2 { "Within segments" }
            @let shown = most_important(&document.segments, SEGMENTS_MAX, telling);
            @let rows = (SEGMENT_ROWS_MAX / shown.len()).max(1);
            @for segment in &shown { (self::segment(segment, rows)) }
            (listed::rest(SEGMENTS_MAX, document.segments.len(), "segments"))
            (sources.comparisons)
            @if let Some(left_out) = document.segments_left_out.filter(|left_out| *left_out > 0) {
                p.quiet { (counted(left_out, "segment is", "segments are")) " not compared: too few units, or not among the largest." }
            }
        }
        @if !document.advice.is_empty() {
            h2 { "How to deal out the next units" }
            @for advice in document.advice.iter().take(ADVICE_MAX) { (self::advice(advice)) }
            (listed::rest(ADVICE_MAX, document.advice.len(), "metrics with advice"))
            (sources.document)
        }
        h2 { "What was done" }
        @let ledger = words::ledger(document);
        ol.ledger { @for line in ledger.iter().take(LEDGER_MAX) { li { (cut(line, LINE_MAX)) } } }
        (listed::rest(LEDGER_MAX, ledger.len(), "lines"))
        p.quiet { (words::rule(document)) }
    }
}

/// Which comparisons come first where there are many: by role, then those that say something.
fn importance(found: &Comparison) -> (u8, bool) {
    (rank(found.role), found.verdict == Verdict::Inconclusive && !is_broken(found))
}

fn is_broken(found: &Comparison) -> bool {
    found.guardrail.as_ref().is_some_and(|guardrail| guardrail.verdict == GuardrailVerdict::Broken)
}

fn rank(role: Role) -> u8 {
    match role {
        Role::Primary => 0,
        Role::Guardrail => 1,
        Role::Secondary => 2,
    }
}

/// Which segments come first where there are many: those that say something, then the largest.
fn telling(segment: &Segment) -> Reverse<(bool, u64)> {
    let told = segment.srm.verdict == SrmVerdict::Mismatch
        || segment.comparisons.iter().any(|found| said(found).is_some());
    Reverse((told, segment.arms.iter().map(|arm| arm.n).sum()))
}

/// The looks at each comparison; those at the most important ones, and with fewer points each, where there are many.
fn over_time(document: &Document, points: &[Point]) -> Markup {
    let ranks: HashMap<(&str, &str), (u8, bool)> = document
        .comparisons
        .iter()
        .map(|found| ((found.metric.as_str(), found.arm.as_str()), importance(found)))
        .collect();
    let of_looks = |series: &&[Point]| {
        let last = series.last();
        let known = last.and_then(|last| ranks.get(&(last.metric.as_str(), last.arm.as_str())));
        known.copied().unwrap_or((u8::MAX, true))
    };
    let all = history::by_comparison(points);
    let shown = most_important(&all, HISTORIES_MAX, of_looks);
    let each = |together: usize| together / shown.len().max(1);
    html! {
        @for series in &shown { (history::history(series, (each(POINTS_MAX), each(LOOKS_MAX)))) }
        (listed::rest(HISTORIES_MAX, all.len(), "comparisons over time"))
    }
}

/// The verdict in words, the primary metrics first.
fn answer(document: &Document) -> Markup {
    let mut sorted: Vec<&Comparison> = document.comparisons.iter().collect();
    sorted.sort_by_key(|found| rank(found.role));
    let class = match document.srm.verdict {
        SrmVerdict::Mismatch => "worse",
        SrmVerdict::Ok => document.overall().as_str(),
    };
    html! {
        p class=(format!("answer {class}")) { (words::headline(document)) }
        ul {
            @for found in sorted.iter().take(SENTENCES_MAX) { li { (words::sentence(found, document.alpha)) } }
        }
        @if sorted.len() > SENTENCES_MAX && sorted.len() <= LISTED_MAX { p.quiet { "The table below has all " (sorted.len()) "." } }
    }
}

fn health(document: &Document) -> Markup {
    let class = if document.srm.verdict == SrmVerdict::Mismatch { "mismatch" } else { "" };
    let checks: Vec<&Check> = document
        .health
        .iter()
        .filter(|check| check.check != "sample_ratio" || check.subject.is_some())
        .collect();
    let (well, found): (Vec<&Check>, Vec<&Check>) =
        checks.iter().copied().partition(|check| check.verdict == CheckVerdict::Ok);
    let told = most_important(&found, CHECKS_MAX, |check| check.verdict != CheckVerdict::Failure);
    html! {
        p class=(class) { (words::sample_ratio(document)) }
        (arms(&document.arms, &document.control))
        @if !checks.is_empty() {
            ul {
                @for check in &told {
                    li {
                        strong class=(if check.verdict == CheckVerdict::Failure { "worse" } else { "" }) { (words::capital(check.verdict.as_str())) }
                        @if let Some(subject) = &check.subject { " (" (words::name(subject)) ")" }
                        ": " (check.meaning) " " (check.advice)
                    }
                }
            }
            (listed::rest(CHECKS_MAX, found.len(), "checks that found something"))
            @if !well.is_empty() {
                details {
                    summary { (well.len()) " of " (checks.len()) " further checks found nothing" }
                    ul {
                        @for check in well.iter().take(CHECKS_MAX) {
                            li { @if let Some(subject) = &check.subject { (words::name(subject)) ": " } (check.meaning) }
                        }
                    }
                }
            }
        }
    }
}

fn arms(arms: &[Arm], control: &str) -> Markup {
    let units: u64 = arms.iter().map(|arm| arm.n).sum();
    let weights: f64 = arms.iter().map(|arm| arm.weight).sum();
    let share = |part: f64, whole: f64| if whole > 0.0 { percent(part / whole) } else { "–".to_owned() };
    html! {
        div.scroll tabindex="0" role="group" aria-label="Figures" {
            table.narrow {
                thead {
                    tr { th scope="col" { "arm" } th.number scope="col" { "units" } th.number scope="col" { "share" } th.number scope="col" { "planned" } }
                }
                tbody {
                    @for arm in arms.iter().take(ARMS_MAX) {
                        tr {
                            th scope="row" { (words::name(&arm.arm)) @if arm.arm == control { span.quiet { " control" } } }
                            td.number { (thousands(arm.n)) }
                            td.number { (share(arm.n as f64, units as f64)) }
                            td.number { (share(arm.weight, weights)) }
                        }
                    }
                }
            }
        }
        (listed::rest(ARMS_MAX, arms.len(), "arms"))
    }
}

fn comparisons(comparisons: &[&Comparison]) -> Markup {
    html! {
        div.scroll tabindex="0" role="group" aria-label="Figures" {
            table {
                thead {
                    tr {
                        th scope="col" { "metric" } th scope="col" { "arm" } th scope="col" { "verdict" }
                        th.number scope="col" { "units" } th.number scope="col" { "control" } th.number scope="col" { "arm" }
                        th.number scope="col" { "change" } th.number scope="col" { "p, corrected" }
                        th.number scope="col" { "at any time" } th.number scope="col" { "better with" }
                    }
                }
                tbody { @for found in comparisons { (comparison(found)) } }
            }
        }
    }
}

fn comparison(found: &Comparison) -> Markup {
    let [control, arm] = words::levels(found);
    let always = found.sequential.and_then(|sequential| sequential.ci);
    let change = match (&found.relative, found.absolute.estimate) {
        (Some(relative), _) => relative.estimate.map_or("–".to_owned(), signed_percent),
        (None, Some(absolute)) => crate::numbers::signed(absolute),
        (None, None) => "–".to_owned(),
    };
    html! {
        tr {
            th scope="row" {
                (words::metric(found))
                @if found.role != Role::Primary { span.quiet { " " (found.role.as_str()) } }
            }
            td { (words::name(&found.arm)) }
            td {
                (verdict(found.verdict))
                @if let Some(guardrail) = &found.guardrail {
                    br;
                    span class=(if guardrail.verdict == GuardrailVerdict::Broken { "badge worse" } else { "quiet" }) {
                        "guardrail " (guardrail.verdict.as_str())
                    }
                }
                @if let Some(reason) = &found.reason { br; span.quiet { (reason) } }
            }
            td.number { (thousands(found.n + found.n_control)) }
            td.number { (control) }
            td.number { (arm) }
            td.number { (change) }
            td.number { (p_value(words::deciding_p(found)).trim_start_matches("p ")) }
            td.number { (always.map_or("–".to_owned(), |ends| words::interval(ends, signed_percent))) }
            td.number { (words::chance(found)) }
        }
    }
}

/// The word, coloured as well.
fn verdict(verdict: Verdict) -> Markup {
    html! { span class=(format!("badge {}", verdict.as_str())) { (verdict.as_str()) } }
}

/// What a comparison of a segment says, if anything: that it breaks a guardrail, else its verdict.
fn said(found: &Comparison) -> Option<String> {
    let (arm, metric) = (words::name(&found.arm), words::metric(found));
    match found.verdict {
        _ if is_broken(found) => Some(format!("{arm} breaks the guardrail {metric}")),
        Verdict::Inconclusive => None,
        verdict => Some(format!("{arm} {} on {metric}", verdict.as_str())),
    }
}

fn segment(segment: &Segment, rows: usize) -> Markup {
    let shown = most_important(&segment.comparisons, rows, importance);
    let values: Vec<String> = segment
        .segment
        .iter()
        .map(|(column, value)| {
            format!("{} {}", words::name(column), words::name(value.as_deref().unwrap_or("(missing)")))
        })
        .collect();
    let said: Vec<String> = segment.comparisons.iter().filter_map(said).collect();
    let units: u64 = segment.arms.iter().map(|arm| arm.n).sum();
    html! {
        details {
            summary {
                strong { (values.join(", ")) } ", " (counted(units, "unit", "units")) ": "
                @if said.is_empty() { "nothing is shown" } @else { (listed::names(said, NAMED_MAX)) }
                @if segment.srm.verdict == SrmVerdict::Mismatch { "; its arms do not have their share of units" }
            }
            (forest::forest(&shown[..shown.len().min(DRAWN_MAX)]))
            (comparisons(&shown))
            (listed::rest(shown.len(), segment.comparisons.len(), "comparisons"))
        }
    }
}

/// Advice, not a verdict.
fn advice(advice: &Advice) -> Markup {
    html! {
        p { strong { (words::advised(advice)) } ": " (advice.caution) }
        div.scroll tabindex="0" role="group" aria-label="Figures" {
            table.narrow {
                thead {
                    tr {
                        th scope="col" { "arm" } th.number scope="col" { "best with" }
                        th.number scope="col" { "share by Thompson" } th.number scope="col" { "by top-two" }
                    }
                }
                tbody {
                    @for arm in advice.arms.iter().take(ADVICE_MAX) {
                        tr {
                            th scope="row" { (words::name(&arm.arm)) }
                            td.number { (words::likely(Some(arm.probability_best))) }
                            td.number { (percent(arm.thompson)) }
                            td.number { (percent(arm.top_two)) }
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
