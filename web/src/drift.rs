//! The report of a drift run as one HTML file: the verdict in words, every column as a histogram of reference and current,
//! and the whole document as JSON inside, so that a program can read what a person was sent.

mod words;

use maud::{Markup, html};
use windvane_types::drift::{Column, Document, Segment, Verdict};

use crate::chart::cut;
use crate::chart::histogram::{Missing, histogram, legend};
use crate::listed;
use crate::numbers::{counted, optional, p_value, thousands};
use crate::page;

/// Columns that are drawn, those that drifted furthest: 7 kB each make 700 kB.
const DRAWN_MAX: usize = 100;
/// Columns, and methods of all columns, that the table lists: 400 bytes each make 400 kB.
const LISTED_MAX: usize = 1_000;
/// Columns that could not be compared and are listed, and characters of why.
const SKIPPED_MAX: usize = 200;
const DETAIL_MAX: usize = 200;
/// Columns of a segment that are listed.
const SEGMENT_COLUMNS_MAX: usize = 20;
/// Segments that are listed.
const SEGMENTS_MAX: usize = 60;
/// Bytes of JSON up to which the document is embedded with its counts, and at all. So a report stays below 2 MB.
const JSON_MAX: usize = 500_000;

/// The report of a drift run: no script, and nothing to be loaded from anywhere.
#[must_use]
pub fn drift_report(document: &Document) -> String {
    let title = format!("Drift of {}", cut(&document.current.source, 60));
    page::report(&title, content(document)).into_string()
}

fn content(document: &Document) -> Markup {
    let sorted = words::by_strength(&document.columns);
    html! {
        h1 { "Drift of " (cut(&document.current.source, 80)) }
        p class=(format!("answer {}", document.verdict.as_str())) { (words::headline(document)) }
        @let said = words::lately(&sorted);
        @if !said.is_empty() { ul.lately { @for sentence in &said { li.alarm { (sentence) } } } }
        (sides(document))
        @if !sorted.is_empty() {
            h2 { "Columns" }
            (legend())
            (pictures(&sorted))
            h2 { "All columns and methods" }
            section.card { (table(&sorted[..sorted.len().min(LISTED_MAX)])) (listed::rest(LISTED_MAX, sorted.len(), "columns")) }
        }
        @if !document.segments.is_empty() {
            h2 { "Segments" }
            (segments(document))
        }
        @if !document.skipped.is_empty() {
            h2 { "Not compared" }
            section.card { ul { @for skipped in document.skipped.iter().take(SKIPPED_MAX) { li { strong { (cut(&skipped.column, 80)) } ": " (skipped.reason.as_str().replace('_', " ")) " (" (cut(&skipped.detail, DETAIL_MAX)) ")" } } } (listed::rest(SKIPPED_MAX, document.skipped.len(), "columns that were not compared")) }
        }
        h2 { "How it was judged" }
        p.quiet { (words::rule(document)) }
        (embedded(document))
    }
}

fn sides(document: &Document) -> Markup {
    html! {
        ul.tiles {
            li { span.of { "reference" } span.figure { (thousands(document.reference.rows)) } span.note { (cut(&document.reference.source, 60)) @if document.reference.stored_profile { ", its stored profile" } } }
            li { span.of { "current" } span.figure { (thousands(document.current.rows)) } span.note { (cut(&document.current.source, 60)) } }
            li { span.of { "columns drifted" } span.figure { (words::drifted(&document.columns)) } span.note { "of " (thousands(document.columns.len() as u64)) } }
            @if !document.segments.is_empty() {
                li { span.of { "segments drifted" } span.figure { (document.segments.iter().filter(|part| part.verdict == Verdict::Drift).count()) } span.note { "of " (document.segments.len()) } }
            }
        }
    }
}

fn pictures(sorted: &[&Column]) -> Markup {
    html! {
        div.plots {
            @for column in sorted.iter().take(DRAWN_MAX) {
                section {
                    h3 { (cut(&column.column, 80)) }
                    p { (verdict(column)) " " span.quiet { (words::change(column)) } }
                    @if let Some(distribution) = &column.distribution {
                        (histogram(&column.column, distribution, Missing { reference: column.missing_reference, current: column.missing_current }))
                    } @else { p.quiet { (words::undrawn(column)) } }
                }
            }
        }
        @if sorted.len() > DRAWN_MAX { p.quiet { "Drawn are the " (DRAWN_MAX) " columns that drifted furthest, of " (thousands(sorted.len() as u64)) "; the table goes on." } }
    }
}

fn verdict(column: &Column) -> Markup {
    html! { span class=(format!("badge {}", column.verdict.as_str())) { (column.verdict.as_str().replace('_', " ")) (words::arrow(column)) } }
}

/// A row a method, or a row a column where they have many.
fn table(sorted: &[&Column]) -> Markup {
    let every = sorted.iter().map(|column| column.methods.len()).sum::<usize>() <= LISTED_MAX;
    html! {
        div.scroll tabindex="0" role="group" aria-label="Columns and methods" {
            table {
                thead {
                    tr {
                        th scope="col" { "column" } th scope="col" { "verdict" } th.number scope="col" { "reference" } th.number scope="col" { "current" }
                        th scope="col" { "method" } th.number scope="col" { "statistic" } th.number scope="col" { "effect" } th.number scope="col" { "floor" } th.number scope="col" { "p" } th.number scope="col" { "p, corrected" }
                    }
                }
                tbody {
                    @for column in sorted {
                        @let methods: Vec<_> = if every { column.methods.iter().collect() } else { words::strongest(column).into_iter().collect() };
                        @for (i, method) in methods.iter().enumerate() {
                            tr {
                                @if i == 0 {
                                    th scope="row" { (cut(&column.column, 48)) }
                                    td { (verdict(column)) }
                                    td.number { (thousands(column.n_reference)) } td.number { (thousands(column.n_current)) }
                                } @else { td {} td {} td {} td {} }
                                td { @if method.drifted { strong { (method.method) } } @else { (method.method) } @if let Some(reason) = &method.reason { " " span.quiet { (reason) } } }
                                td.number { (optional(method.statistic)) }
                                td.number { (optional(method.effect)) }
                                td.number { (optional(method.threshold)) }
                                td.number { (p_value(method.p_value).trim_start_matches("p ")) @if method.p_judged.is_some() { br; span.quiet { "judged " (p_value(method.p_judged).trim_start_matches("p ")) } } }
                                td.number { (p_value(method.p_adjusted).trim_start_matches("p ")) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn segments(document: &Document) -> Markup {
    let mut sorted: Vec<&Segment> = document.segments.iter().collect();
    sorted.sort_by_key(|segment| std::cmp::Reverse(words::drifted(&segment.columns)));
    html! {
        section.card {
            @for segment in sorted.iter().take(SEGMENTS_MAX) {
                @let drifted: Vec<&Column> = words::by_strength(&segment.columns).into_iter().filter(|column| column.verdict == Verdict::Drift).collect();
                details {
                    summary { strong { (words::segment(segment)) } ", " (thousands(segment.rows_reference)) " against " (counted(segment.rows_current, "row", "rows")) ": " @if drifted.is_empty() { (segment.verdict.as_str().replace('_', " ")) } @else { (drifted.len()) " columns drifted" } }
                    ul { @for column in drifted.iter().take(SEGMENT_COLUMNS_MAX) { li { strong { (cut(&column.column, 60)) } (words::arrow(column)) " " (words::change(column)) } } }
                }
            }
            @if sorted.len() > SEGMENTS_MAX { p.quiet { "The " (SEGMENTS_MAX) " with most drift, of " (sorted.len()) "." } }
            @if document.segments_left_out > 0 { p.quiet { (counted(document.segments_left_out, "segment was", "segments were")) " left out: too few rows, or not among the largest." } }
        }
    }
}

/// The document, or what is left of it where it is very large.
fn embedded(document: &Document) -> Markup {
    let whole = serde_json::to_string(document).unwrap_or_default();
    page::embedded(&if whole.len() <= JSON_MAX { whole } else { reduced(document) }, JSON_MAX)
}

/// The document without counts, then without segments, where it is very large.
fn reduced(document: &Document) -> String {
    let mut small = document.clone();
    for column in &mut small.columns {
        column.distribution = None;
    }
    match serde_json::to_string(&small) {
        Ok(text) if text.len() <= JSON_MAX => text,
        _ => {
            small.segments = Vec::new();
            let furthest = words::by_strength(&document.columns).into_iter();
            let drifted = furthest.filter(|column| column.verdict == Verdict::Drift).take(DRAWN_MAX);
            small.columns = drifted.cloned().collect();
            for column in &mut small.columns {
                column.distribution = None;
            }
            small.skipped.truncate(DRAWN_MAX);
            serde_json::to_string(&small).unwrap_or_default()
        }
    }
}

#[cfg(test)]
mod tests;
