//! The answer of `windvane performance` as a table for people.

use std::io::IsTerminal;

use comfy_table::{Cell, Color, Table, presets};
use windvane_types::performance::{Change, Chunk, Document, Task, Verdict};

use super::words;
use crate::drift::words::{counted, grouped, segment};

/// Chunks that a table shows; of more only those that alert.
const CHUNKS_SHOWN: usize = 60;
/// Segments that are shown, those with an alert first.
const SEGMENTS_SHOWN: usize = 10;

/// Renders the document.
pub fn render(document: &Document) -> String {
    let mut text = format!("{}\n\n", words::headline(document));
    for (role, side) in [("reference", &document.reference), ("current", &document.current)] {
        text += &format!("{role:<10} {} ({})\n", side.source, counted(side.rows, "row", "rows"));
    }
    text += &format!("\n{}", chunks(&document.chunks, document.task));
    let mut segments: Vec<_> = document.segments.iter().collect();
    segments.sort_by_key(|segment| segment.verdict != Verdict::Alert);
    for part in segments.iter().take(SEGMENTS_SHOWN) {
        text += &format!(
            "\n{} ({} and {})\n\n{}",
            segment(&part.segment),
            grouped(part.rows_reference),
            counted(part.rows_current, "row", "rows"),
            chunks(&part.chunks, document.task)
        );
    }
    let hidden = segments.len().saturating_sub(SEGMENTS_SHOWN) as u64 + document.segments_left_out;
    if hidden > 0 {
        text += &format!("\n{} in --format json\n", counted(hidden, "more segment is", "more segments are"));
    }
    text += &weakest(document);
    if let Some(trust) = words::trust(document) {
        text += &format!("\n{trust}\n");
    }
    for muted in words::muted(document) {
        text += &format!("{muted}\n");
    }
    if let Some(concept) = words::concept(document) {
        text += &format!("\n{concept}\n");
    }
    text += &format!("\nusual is the {}\n", document.threshold_rule);
    text
}

fn plain() -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    if std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty()) || !std::io::stdout().is_terminal()
    {
        table.force_no_tty();
    }
    table
}

fn chunks(chunks: &[Chunk], task: Task) -> String {
    let mut table = plain();
    let header = ["chunk", "rows", "labelled"].into_iter().chain(words::shown(task).iter().copied());
    table.set_header(header);
    let shown: Vec<&Chunk> = match chunks.len() {
        0..=CHUNKS_SHOWN => chunks.iter().collect(),
        _ => chunks.iter().filter(|chunk| words::alerts(chunk)).collect(),
    };
    for chunk in &shown {
        let mut cells = vec![
            Cell::new(words::name(chunk)),
            Cell::new(grouped(chunk.n)),
            Cell::new(words::percent(chunk.coverage)),
        ];
        for name in words::shown(task) {
            let metric = chunk.metrics.iter().find(|metric| metric.metric == *name);
            let cell = Cell::new(metric.map_or("-".to_owned(), words::value));
            cells.push(match metric.and_then(|metric| metric.change) {
                Some(Change::Worse) => cell.fg(Color::Red),
                Some(Change::Better) => cell.fg(Color::Yellow),
                None => cell,
            });
        }
        table.add_row(cells);
    }
    let hidden = chunks.len() - shown.len();
    let mut text = match shown.is_empty() {
        true => String::new(),
        false => trimmed(&table),
    };
    if hidden > 0 {
        text += &format!(
            "{} not shown\n",
            counted(hidden as u64, "chunk without an alert is", "chunks without an alert are")
        );
    }
    for line in words::alerts_beside(chunks, task) {
        text += &format!("{line}\n");
    }
    text
}

fn weakest(document: &Document) -> String {
    let lines = words::weakest(document);
    let Some(loss) = document.weakest_segments.loss.as_ref().filter(|_| !lines.is_empty()) else {
        return String::new();
    };
    let mut table = plain();
    table.set_header(["weakest segments", "rows", &loss.replace('_', " "), "elsewhere", "p"]);
    lines.into_iter().for_each(|line| {
        table.add_row(line);
    });
    format!(
        "\n{}{} looked at; p is corrected for that\n",
        trimmed(&table),
        counted(document.weakest_segments.looked_at, "segment was", "segments were")
    )
}

/// A table without spaces at the ends of its lines.
fn trimmed(table: &Table) -> String {
    let lines: Vec<String> = table.to_string().lines().map(|line| line.trim_end().to_owned()).collect();
    format!("{}\n", lines.join("\n"))
}
