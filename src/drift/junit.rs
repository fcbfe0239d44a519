//! The answer of `windvane drift` as JUnit XML: one test case a column, a failure where it drifted.

use windvane_types::drift::{Column, Document, Verdict};

use super::words;

/// Renders the document.
pub fn render(document: &Document) -> String {
    let mut text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n".to_owned();
    text += &suite("drift", &document.columns);
    for segment in &document.segments {
        text += &suite(&format!("drift in {}", words::segment(&segment.segment)), &segment.columns);
    }
    text += "</testsuites>\n";
    text
}

fn suite(name: &str, columns: &[Column]) -> String {
    let count = |verdict| columns.iter().filter(|column| column.verdict == verdict).count();
    let mut text = format!(
        "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"0\" skipped=\"{}\">\n",
        escape(name),
        columns.len(),
        count(Verdict::Drift),
        count(Verdict::InsufficientData)
    );
    for column in columns {
        let case = format!("    <testcase classname=\"windvane.drift\" name=\"{}\"", escape(&column.column));
        let said = escape(&format!("{}; {}", words::change(column), words::evidence(column)));
        text += &match column.verdict {
            Verdict::NoDrift => format!("{case}/>\n"),
            Verdict::Drift => format!("{case}>\n      <failure message=\"{said}\"/>\n    </testcase>\n"),
            Verdict::InsufficientData => {
                format!("{case}>\n      <skipped message=\"too few rows\"/>\n    </testcase>\n")
            }
        };
    }
    text + "  </testsuite>\n"
}

/// Text in an attribute; characters that XML 1.0 does not have become blanks.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' => escaped.push_str("&#10;"),
            '\t' => escaped.push_str("&#9;"),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => escaped.push(' '),
            c => escaped.push(c),
        }
    }
    escaped
}
