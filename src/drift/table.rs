//! The answer of `windvane drift` as a table for people.

use std::io::IsTerminal;

use comfy_table::{Cell, Color, Table, presets};
use windvane_types::drift::{Column, Document, Verdict};

use super::words;

/// Columns that a table shows whatever their verdict; of wider ones only what drifted or could not be judged.
const COLUMNS_SHOWN: usize = 40;
/// Segments that are shown, drifted ones first.
const SEGMENTS_SHOWN: usize = 20;

/// Renders the document.
pub fn render(document: &Document) -> String {
    let mut text = format!("{}\n\n", words::headline(document));
    for (role, side) in [("reference", &document.reference), ("current", &document.current)] {
        text += &format!("{role:<10} {} ({})\n", side.source, words::counted(side.rows, "row", "rows"));
    }
    text += "\n";
    text += &columns(&document.columns);
    let mut segments: Vec<_> = document.segments.iter().collect();
    segments.sort_by_key(|segment| segment.verdict != Verdict::Drift);
    for segment in segments.iter().take(SEGMENTS_SHOWN) {
        text += &format!(
            "\n{} ({} and {})\n\n",
            words::segment(&segment.segment),
            words::grouped(segment.rows_reference),
            words::counted(segment.rows_current, "row", "rows")
        );
        text += &columns(&segment.columns);
    }
    let hidden = segments.len().saturating_sub(SEGMENTS_SHOWN) as u64 + document.segments_left_out;
    if hidden > 0 {
        text += &format!(
            "\n{} in --format json\n",
            words::counted(hidden, "more segment is", "more segments are")
        );
    }
    text += &match document.tests {
        0 => format!(
            "\na column is judged from {} values on either side on (--min-rows)\n",
            words::grouped(document.min_rows)
        ),
        tests => format!(
            "\n{}, corrected by {}; a column drifts where p < {} and the effect passes its floor\n",
            words::counted(tests as u64, "p-value", "p-values"),
            document.correction,
            document.alpha
        ),
    };
    text
}

fn columns(columns: &[Column]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    if std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty()) || !std::io::stdout().is_terminal()
    {
        table.force_no_tty();
    }
    table.set_header(["column", "verdict", "what changed", "strongest evidence"]);
    let sorted = words::by_strength(columns);
    let shown: Vec<_> = match sorted.len() {
        0..=COLUMNS_SHOWN => sorted.clone(),
        _ => sorted.iter().copied().filter(|column| column.verdict != Verdict::NoDrift).collect(),
    };
    for column in &shown {
        let colour = match column.verdict {
            Verdict::Drift => Color::Red,
            Verdict::NoDrift => Color::Green,
            Verdict::InsufficientData => Color::Yellow,
        };
        table.add_row([
            Cell::new(words::shortened(&column.column)),
            Cell::new(words::verdict(column)).fg(colour),
            Cell::new(words::change(column)),
            Cell::new(words::evidence(column)),
        ]);
    }
    let mut text = match shown.is_empty() {
        true => String::new(),
        false => format!("{table}\n"),
    };
    let hidden = sorted.len() - shown.len();
    if hidden > 0 {
        text += &format!(
            "{} not shown\n",
            words::counted(hidden as u64, "column without drift is", "columns without drift are")
        );
    }
    text
}
