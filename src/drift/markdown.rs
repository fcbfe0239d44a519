//! The answer of `windvane drift` as Markdown, for a pull request or a wiki.

use windvane_types::drift::{Column, Document};

use super::words;

/// Renders the document.
pub fn render(document: &Document) -> String {
    let mut text = format!("## Drift: {}\n\n", words::headline(document));
    for (role, side) in [("Reference", &document.reference), ("Current", &document.current)] {
        text +=
            &format!("- {role}: `{}`, {}\n", escape(&side.source), words::counted(side.rows, "row", "rows"));
    }
    text += "\n";
    text += &columns(&document.columns);
    for segment in &document.segments {
        text += &format!(
            "\n### {}\n\n{} and {}\n\n",
            escape(&words::segment(&segment.segment)),
            words::grouped(segment.rows_reference),
            words::counted(segment.rows_current, "row", "rows")
        );
        text += &columns(&segment.columns);
    }
    if !document.skipped.is_empty() {
        text += "\nNot compared:\n\n";
        for skipped in &document.skipped {
            text += &format!("- {}: {}\n", escape(&skipped.column), skipped.reason.as_str());
        }
    }
    text
}

fn columns(columns: &[Column]) -> String {
    let mut text = "| column | verdict | what changed | strongest evidence |\n|---|---|---|---|\n".to_owned();
    for column in words::by_strength(columns) {
        text += &format!(
            "| {} | {} | {} | {} |\n",
            escape(&words::shortened(&column.column)),
            words::verdict(column),
            escape(&words::change(column)),
            escape(&words::evidence(column))
        );
    }
    text
}

/// Names and values cannot end a cell or start markup.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '|' | '\\' | '<' | '*' | '_' | '[' | ']' => escaped.extend(['\\', c]),
            c if c.is_control() => escaped.push(' '),
            c => escaped.push(c),
        }
    }
    escaped
}
