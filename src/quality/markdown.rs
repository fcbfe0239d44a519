//! The answer of `windvane quality` as Markdown, for a pull request or a wiki.

use windvane_types::quality::{Document, Verdict};

use super::words;
use crate::drift::markdown::escape;
use crate::drift::words::counted;

/// Renders the document: every check that fails, and how many pass.
pub fn render(document: &Document) -> String {
    let mut text = format!("## Quality: {}\n\n", words::headline(document));
    for (role, side) in [("Reference", &document.reference), ("Current", &document.current)] {
        if role == "Reference" && document.is_written_by_hand() {
            text += &format!("- {role}: {}\n", words::BY_HAND);
            continue;
        }
        text += &format!("- {role}: `{}`, {}\n", escape(&side.source), counted(side.rows, "row", "rows"));
    }
    if document.verdict == Verdict::Fail {
        text += "\n| column | check | found | expected | which |\n|---|---|---|---|---|\n";
        for check in document.failed() {
            text += &format!(
                "| {} | {} | {} | {} | {} |\n",
                escape(check.column.as_deref().unwrap_or_default()),
                escape(check.check.as_str()),
                escape(&words::observed(check)),
                escape(&words::expected(check)),
                escape(&words::evidence(check)),
            );
        }
    }
    text + &format!("\n{}.\n", words::promise(document))
}
