//! The answer of `windvane quality` as a table for people.

use std::io::IsTerminal;

use comfy_table::{Cell, Color, Table, presets};
use windvane_types::quality::{Document, Verdict};

use super::words;
use crate::drift::words::{counted, shortened};

/// Checks that a table shows whatever they say; of more, only those that fail.
const CHECKS_SHOWN: usize = 40;

/// Renders the document.
pub fn render(document: &Document) -> String {
    let mut text = format!("{}\n\n", words::headline(document));
    for (role, side) in [("reference", &document.reference), ("current", &document.current)] {
        if role == "reference" && document.is_written_by_hand() {
            text += &format!("{role:<10} {}\n", words::BY_HAND);
            continue;
        }
        text += &format!("{role:<10} {} ({})\n", side.source, counted(side.rows, "row", "rows"));
    }
    text += "\n";
    let checks = words::by_verdict(document);
    let shown: Vec<_> = match checks.len() {
        0..=CHECKS_SHOWN => checks.clone(),
        _ => checks.iter().copied().filter(|check| check.verdict == Verdict::Fail).collect(),
    };
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    if std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty()) || !std::io::stdout().is_terminal()
    {
        table.force_no_tty();
    }
    table.set_header(["column", "check", "verdict", "found", "expected", "which"]);
    for check in &shown {
        let colour = match check.verdict {
            Verdict::Fail => Color::Red,
            Verdict::Pass => Color::Green,
        };
        table.add_row([
            Cell::new(check.column.as_deref().map(shortened).unwrap_or_default()),
            Cell::new(check.check.as_str()),
            Cell::new(check.verdict.as_str()).fg(colour),
            Cell::new(words::observed(check)),
            Cell::new(words::expected(check)),
            Cell::new(words::evidence(check)),
        ]);
    }
    if !shown.is_empty() {
        let lines: Vec<String> = table.to_string().lines().map(|line| line.trim_end().to_owned()).collect();
        text += &format!("{}\n\n", lines.join("\n"));
    }
    let hidden = checks.len() - shown.len();
    if hidden > 0 {
        text += &format!(
            "{} not shown\n",
            counted(hidden as u64, "check that passes is", "checks that pass are")
        );
    }
    text += &format!("{}\n", words::promise(document));
    text
}
