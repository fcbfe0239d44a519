//! Quality for a person: the checks that fail in words, then all of them. The same content is a section of a model's page and a
//! file that needs nothing else.

mod words;

use maud::{Markup, html};
use windvane_types::quality::{Check, Document, Verdict};

use crate::chart::cut;
use crate::listed;
use crate::numbers::{counted, form, percent, thousands};
use crate::page;

pub use words::{headline, sentence};

/// Checks that have a sentence of their own; the table has more.
const SENTENCES_MAX: usize = 20;
/// Checks that the table lists.
const LISTED_MAX: usize = 1_000;
/// Bytes of the document up to which it is embedded. So a report stays below 2 MB.
const JSON_MAX: usize = 600_000;
/// Characters of a name.
const NAME_MAX: usize = 80;

/// The report of a quality run: no script, and nothing to be loaded from anywhere.
#[must_use]
pub fn quality_report(document: &Document) -> String {
    let title = format!("Quality of {}", cut(&document.current.source, 60));
    page::report(&title, content(document)).into_string()
}

fn content(document: &Document) -> Markup {
    html! {
        h1 { "Quality of " (cut(&document.current.source, NAME_MAX)) }
        p class=(format!("answer {}", document.verdict.as_str())) { (headline(&document.checks)) }
        p.quiet {
            (counted(document.current.rows, "row", "rows"))
            @if document.is_written_by_hand() { ", against limits written by hand." }
            @else {
                ", against what " (counted(document.reference.rows, "row", "rows")) " of "
                (cut(&document.reference.source, NAME_MAX)) " " (form(document.reference.rows, "was.", "were."))
            }
        }
        section.card { h2 { "Checks" } (checks(&document.checks)) }
        @if document.is_learnt_from_nothing() { p { "The reference has no rows, so nothing was learnt about values." } }
        p.quiet {
            @if document.tests == 0 { "No bound was learnt from rows, so none allows for chance." }
            @else {
                (counted(document.tests as u64, "bound knows how many rows it was", "bounds know how many rows they were")) " learnt from; unchanged data break any of them in at most "
                (percent(document.alpha)) " of runs."
            }
        }
        (page::embedded(&serde_json::to_string(document).unwrap_or_default(), JSON_MAX))
    }
}

/// The checks that fail in words, and all of them as a table, those that fail first.
pub fn checks(checks: &[Check]) -> Markup {
    let (failed, passed): (Vec<&Check>, Vec<&Check>) =
        checks.iter().partition(|check| check.verdict == Verdict::Fail);
    let all: Vec<&Check> = failed.iter().chain(&passed).copied().collect();
    html! {
        @if !failed.is_empty() {
            ul.lately { @for check in failed.iter().take(SENTENCES_MAX) { li.alarm { (words::sentence(check)) } } }
        }
        @if failed.len() > SENTENCES_MAX && failed.len() <= LISTED_MAX { p.quiet { "The table has all " (thousands(failed.len() as u64)) " that fail." } }
        @if !all.is_empty() {
            details open[passed.len() < SENTENCES_MAX] {
                summary { @if all.len() <= LISTED_MAX { "All " } (thousands(all.len() as u64)) " checks" }
                (table(&all))
            }
        }
    }
}

fn table(checks: &[&Check]) -> Markup {
    html! {
        div.scroll tabindex="0" role="group" aria-label="Checks" {
            table {
                thead { tr { th scope="col" { "column" } th scope="col" { "check" } th scope="col" { "verdict" } th scope="col" { "found" } th scope="col" { "expected" } th scope="col" { "which" } } }
                tbody {
                    @for check in checks.iter().take(LISTED_MAX) {
                        tr {
                            th scope="row" { @match &check.column { Some(column) => (cut(column, NAME_MAX)), None => span.quiet { "all rows" } } }
                            td { (words::what(check.check)) }
                            td { span class=(format!("badge {}", check.verdict.as_str())) { (check.verdict.as_str()) } }
                            td { (words::observed(check)) }
                            td { (words::expected(check)) }
                            td { (words::evidence(check)) }
                        }
                    }
                }
            }
        }
        (listed::rest(LISTED_MAX, checks.len(), "checks"))
    }
}

#[cfg(test)]
mod tests;
