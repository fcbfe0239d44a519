//! The answer of `windvane shadow run` as JUnit XML: one test case a check, a failure where it fails, and an error where
//! nothing is shown, so that a build server never takes doubt for a pass.

use windvane_types::gate::{Document, Verdict};

use crate::drift::junit::escape;

/// Renders the document.
pub fn render(document: &Document) -> String {
    let count = |verdict| document.checks.iter().filter(|check| check.verdict == verdict).count();
    let overridden = document.override_by.is_some();
    let (failures, errors) =
        if overridden { (0, 0) } else { (count(Verdict::Fail), count(Verdict::Inconclusive)) };
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n  <testsuite name=\"gate\" tests=\"{}\" failures=\"{failures}\" errors=\"{errors}\" skipped=\"{}\">\n",
        document.checks.len(),
        if overridden { count(Verdict::Fail) + count(Verdict::Inconclusive) } else { 0 }
    );
    for check in &document.checks {
        let name = match &check.subject {
            Some(subject) => format!("{} ({subject})", check.check),
            None => check.check.clone(),
        };
        let case = format!("    <testcase classname=\"windvane.gate\" name=\"{}\"", escape(&name));
        let said = escape(&check.reason);
        let element = match (check.verdict, &document.override_by) {
            (Verdict::Pass, _) => {
                text += &format!("{case}/>\n");
                continue;
            }
            (_, Some(by)) => format!(
                "<skipped message=\"overridden by {}: {}; {said}\"/>",
                escape(&by.who),
                escape(&by.why)
            ),
            (Verdict::Fail, None) => format!("<failure message=\"{said}\"/>"),
            (Verdict::Inconclusive, None) => format!("<error type=\"inconclusive\" message=\"{said}\"/>"),
        };
        text += &format!("{case}>\n      {element}\n    </testcase>\n");
    }
    text + "  </testsuite>\n</testsuites>\n"
}
