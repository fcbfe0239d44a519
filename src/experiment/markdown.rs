//! The answer of `windvane experiment` as Markdown, for a pull request or a wiki.

use windvane_types::experiment::{Comparison, Document};

use super::words;
use crate::drift::markdown::escape;
use crate::drift::words::shortened;

/// Renders the document.
pub fn render(document: &Document) -> String {
    let mut text = format!("## Experiment: {}\n\n", escape(&words::headline(document)));
    text += &format!("- Source: `{}`\n", escape(&document.source));
    text += &format!("- Arms: {}\n", escape(&words::arms(document)));
    text += &format!("- Health: {}\n", escape(&words::sample_ratio(document)));
    for check in words::unwell(document) {
        text += &format!("- Health: {}\n", escape(&words::check(check)));
    }
    text += "\n";
    text += &comparisons(&document.comparisons);
    for segment in &document.segments {
        text += &format!("\n### {}\n\n", escape(&words::segment(segment, &document.inference)));
        text += &comparisons(&segment.comparisons);
    }
    if let Some(left_out) = words::left_out(document) {
        text += &format!("\n{}\n", escape(&left_out));
    }
    for line in words::advice(document) {
        text += &format!("\nAdvice for the next units: {}\n", escape(&line));
    }
    text += &format!("\n{}\n", escape(&words::rule(document)));
    let ledger = words::ledger(document);
    if !ledger.is_empty() {
        text += "\nWhat was done:\n\n";
        for line in ledger {
            text += &format!("- {}\n", escape(&line));
        }
    }
    text
}

fn comparisons(comparisons: &[Comparison]) -> String {
    let mut text = "| metric | arm | verdict | control → arm | change | p | at any time | better with |\n\
                    |---|---|---|---|---|---|---|---|\n"
        .to_owned();
    for comparison in comparisons {
        let cells = [
            words::metric(comparison),
            shortened(&comparison.arm),
            words::verdict(comparison),
            words::levels(comparison),
            words::change(comparison),
            words::deciding_p(comparison),
            words::at_any_time(comparison),
            words::chance(comparison),
        ];
        text += &format!("| {} |\n", cells.map(|cell| escape(&cell)).join(" | "));
    }
    text
}
