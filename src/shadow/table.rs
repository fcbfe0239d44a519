//! The answer of `windvane shadow run` as tables for people.

use std::io::IsTerminal;

use comfy_table::{Cell, Color, Table, presets};
use windvane_types::gate::{Document, Verdict};

use super::words;
use crate::drift::words::shortened;

/// Renders the document.
pub fn render(document: &Document) -> String {
    let mut text = format!("{}\n\n", words::headline(document));
    let mut checks =
        plain(["check", "verdict", "observed", "bound", "interval", "why"].map(str::to_owned).to_vec());
    for check in &document.checks {
        let colour = match check.verdict {
            Verdict::Pass => Color::Green,
            Verdict::Fail => Color::Red,
            Verdict::Inconclusive => Color::Yellow,
        };
        checks.add_row([
            Cell::new(&check.check),
            Cell::new(check.verdict.as_str()).fg(colour),
            Cell::new(words::maybe(check.observed)),
            Cell::new(words::maybe(check.bound)),
            Cell::new(words::interval(check.ci)),
            Cell::new(&check.reason),
        ]);
    }
    text += &format!("{checks}\n\n");
    let mut outputs = plain(
        ["output", "type", "agree", "largest difference", "relative", "not finite"]
            .map(str::to_owned)
            .to_vec(),
    );
    for output in &document.agreement.outputs {
        outputs.add_row([
            shortened(&output.output),
            output.element.clone(),
            format!("{} of {}", output.agree, output.n),
            words::maybe(output.max_abs),
            words::maybe(output.max_rel),
            output.nonfinite.to_string(),
        ]);
    }
    text += &format!("{outputs}\n\n");
    let mut latencies = plain(words::latency_heads(document).to_vec());
    words::latencies(document).into_iter().for_each(|row| {
        latencies.add_row(row);
    });
    text += &format!("{latencies}\n");
    for metric in &document.quality.metrics {
        text += &format!(
            "{} {} against {}: {} ({})\n",
            metric.metric,
            words::maybe(Some(metric.candidate)),
            words::maybe(Some(metric.champion)),
            words::maybe(Some(metric.difference)),
            words::interval(metric.ci)
        );
    }
    for note in &document.notes {
        text += &format!("note: {note}\n");
    }
    text
}

fn plain(heads: Vec<String>) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    if std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty()) || !std::io::stdout().is_terminal()
    {
        table.force_no_tty();
    }
    table.set_header(heads);
    table
}
