//! The answer of `windvane experiment` as a table for people: health first, then what each comparison says.

use std::io::IsTerminal;

use comfy_table::{Cell, Color, Table, presets};
use windvane_types::experiment::{Comparison, Document, SrmVerdict, Verdict};

use super::words;
use crate::drift::words::{counted, shortened};

/// Renders the document.
pub fn render(document: &Document) -> String {
    let mut text = format!("{}\n\n", words::headline(document));
    let rows = document.rows.map_or(String::new(), |rows| format!(" ({})", counted(rows, "row", "rows")));
    text += &format!("source   {}{rows}\n", document.source);
    text += &format!("arms     {}\n", words::arms(document));
    let mark = if document.srm.verdict == SrmVerdict::Mismatch { "!" } else { " " };
    text += &format!("health  {mark}{}\n", words::sample_ratio(document));
    for check in words::unwell(document) {
        text += &format!("        !{}\n", words::check(check));
    }
    text += "\n";
    text += &comparisons(document, &document.comparisons);
    for segment in &document.segments {
        text += &format!("\n{}\n\n", words::segment(segment, &document.inference));
        text += &comparisons(document, &segment.comparisons);
    }
    if let Some(left_out) = words::left_out(document) {
        text += &format!("\n{left_out}\n");
    }
    let advice = words::advice(document);
    if !advice.is_empty() {
        text += "\nadvice for the next units:\n";
        for line in advice {
            text += &format!("  {line}\n");
        }
    }
    let ledger = words::ledger(document);
    if !ledger.is_empty() {
        text += "\nwhat was done:\n";
        for line in ledger {
            text += &format!("  {line}\n");
        }
    }
    text += &format!("\n{}\n", words::rule(document));
    text
}

fn comparisons(document: &Document, comparisons: &[Comparison]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    if std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty()) || !std::io::stdout().is_terminal()
    {
        table.force_no_tty();
    }
    table.set_header([
        "metric",
        "arm",
        "verdict",
        &format!("{} → arm", shortened(&document.control)),
        "change",
        "p",
        "at any time",
        "better with",
    ]);
    for comparison in comparisons {
        let colour = match comparison.verdict {
            Verdict::Better => Color::Green,
            Verdict::Worse => Color::Red,
            Verdict::Equivalent => Color::Cyan,
            Verdict::Inconclusive => Color::Yellow,
        };
        table.add_row([
            Cell::new(words::metric(comparison)),
            Cell::new(shortened(&comparison.arm)),
            Cell::new(words::verdict(comparison)).fg(colour),
            Cell::new(words::levels(comparison)),
            Cell::new(words::change(comparison)),
            Cell::new(words::deciding_p(comparison)),
            Cell::new(words::at_any_time(comparison)),
            Cell::new(words::chance(comparison)),
        ]);
    }
    let mut text = format!("{table}\n");
    for comparison in comparisons {
        if let Some(reason) = &comparison.reason {
            text += &format!("{} {}: {reason}\n", words::metric(comparison), shortened(&comparison.arm));
        }
    }
    text
}
