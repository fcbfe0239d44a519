//! The answer of `windvane shadow run` as Markdown, for the comment on a pull request.

use windvane_types::gate::{Document, Verdict};

use super::words;

/// Renders the document.
pub fn render(document: &Document) -> String {
    let mark = |verdict| match verdict {
        Verdict::Pass => "✅",
        Verdict::Fail => "❌",
        Verdict::Inconclusive => "❔",
    };
    let mut text = format!("## {} Gate: {}\n\n", mark(document.verdict), document.verdict.as_str());
    text += &format!("{}.\n\n", cell(&words::headline(document)));
    text += "| check | verdict | observed | bound | interval | why |\n|---|---|---:|---:|---|---|\n";
    for check in &document.checks {
        text += &format!(
            "| {} | {} {} | {} | {} | {} | {} |\n",
            cell(&check.check),
            mark(check.verdict),
            check.verdict.as_str(),
            words::maybe(check.observed),
            words::maybe(check.bound),
            words::interval(check.ci),
            cell(&check.reason)
        );
    }
    text += &format!("\n| {} |\n|---|---:|---:|---:|---:|\n", words::latency_heads(document).join(" | "));
    for row in words::latencies(document) {
        text += &format!("| {} |\n", row.join(" | "));
    }
    if !document.quality.metrics.is_empty() {
        text += "\n| metric | champion | candidate | difference | interval |\n|---|---:|---:|---:|---|\n";
    }
    for metric in &document.quality.metrics {
        let of = |value| words::maybe(Some(value));
        let (champion, candidate, difference) =
            (of(metric.champion), of(metric.candidate), of(metric.difference));
        let ci = words::interval(metric.ci);
        text += &format!("| {} | {champion} | {candidate} | {difference} | {ci} |\n", metric.metric);
    }
    for note in &document.notes {
        text += &format!("\n> {}\n", cell(note));
    }
    let provenance = &document.provenance;
    text += &format!(
        "\n<sub>champion `{:.12}`, candidate `{:.12}`, policy `{:.12}`, {} on {}, windvane {}</sub>\n",
        provenance.champion.sha256,
        provenance.candidate.sha256,
        provenance.policy_sha256,
        cell(&provenance.traffic),
        provenance.provider,
        provenance.windvane
    );
    text
}

/// Text in a cell: nothing in it ends the cell or begins markup.
fn cell(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '|' | '<' | '>' | '*' | '_' | '[' | ']' | '\\' => escaped.extend(['\\', c]),
            c if c.is_control() => escaped.push(' '),
            c => escaped.push(c),
        }
    }
    escaped
}
