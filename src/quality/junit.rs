//! The answer of `windvane quality` as JUnit XML: one test case a check, a failure where it fails.

use windvane_types::quality::{Document, Verdict};

use super::words;
use crate::drift::junit::escape;

/// Renders the document.
pub fn render(document: &Document) -> String {
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n  <testsuite name=\"quality\" tests=\"{}\" failures=\"{}\" errors=\"0\" skipped=\"0\">\n",
        document.checks.len(),
        document.failed().count()
    );
    for check in &document.checks {
        let column = check.column.as_deref().unwrap_or("the table");
        let name = format!("{} of {column}", check.check.as_str());
        let case = format!("    <testcase classname=\"windvane.quality\" name=\"{}\"", escape(&name));
        text += &match check.verdict {
            Verdict::Pass => format!("{case}/>\n"),
            Verdict::Fail => {
                let said = format!(
                    "found {}, expected {}; {}",
                    words::observed(check),
                    words::expected(check),
                    words::evidence(check)
                );
                format!("{case}>\n      <failure message=\"{}\"/>\n    </testcase>\n", escape(&said))
            }
        };
    }
    text + "  </testsuite>\n</testsuites>\n"
}
