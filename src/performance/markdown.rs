//! The answer of `windvane performance` as Markdown, for a pull request or a wiki.

use windvane_types::performance::{Chunk, Document, Task};

use super::words;
use crate::drift::markdown::escape;
use crate::drift::words::{counted, grouped, segment};

/// Renders the document.
pub fn render(document: &Document) -> String {
    let mut text = format!("## Performance: {}\n\n", words::headline(document));
    for (role, side) in [("Reference", &document.reference), ("Current", &document.current)] {
        text += &format!("- {role}: `{}`, {}\n", escape(&side.source), counted(side.rows, "row", "rows"));
    }
    text += &format!("\n{}", chunks(&document.chunks, document.task));
    for part in &document.segments {
        text +=
            &format!("\n### {}\n\n{}", escape(&segment(&part.segment)), chunks(&part.chunks, document.task));
    }
    let lines = words::weakest(document);
    if !lines.is_empty() {
        text += "\n| weakest segments | rows | loss | elsewhere | p |\n|---|---|---|---|---|\n";
        for line in lines {
            text += &format!("| {} |\n", line.map(|cell| escape(&cell)).join(" | "));
        }
    }
    if let Some(trust) = words::trust(document) {
        text += &format!("\n{}\n", escape(&trust));
    }
    for muted in words::muted(document) {
        text += &format!("\n{}\n", escape(&muted));
    }
    if let Some(concept) = words::concept(document) {
        text += &format!("\n{}\n", escape(&concept));
    }
    text
}

fn chunks(chunks: &[Chunk], task: Task) -> String {
    let shown = words::shown(task);
    let header: Vec<String> = shown.iter().map(|name| escape(name)).collect();
    let mut text = format!("| chunk | rows | labelled | {} |\n", header.join(" | "));
    text += &format!("|---|---|---|{}\n", "---|".repeat(shown.len()));
    for chunk in chunks {
        let cells: Vec<String> = shown
            .iter()
            .map(|name| chunk.metrics.iter().find(|metric| metric.metric == *name))
            .map(|metric| metric.map_or("-".to_owned(), words::value))
            .collect();
        text += &format!(
            "| {} | {} | {} | {} |\n",
            escape(&words::name(chunk)),
            grouped(chunk.n),
            words::percent(chunk.coverage),
            cells.join(" | ")
        );
    }
    let beside = words::alerts_beside(chunks, task);
    if !beside.is_empty() {
        text += "\n";
    }
    for line in beside {
        text += &format!("- {}\n", escape(&line));
    }
    text
}
