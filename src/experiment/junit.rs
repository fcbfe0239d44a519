//! The answer of `windvane experiment` as JUnit XML: one test case a comparison, a failure where the arm is worse, and one
//! for the sample ratio.

use windvane_types::experiment::{Comparison, Document, GuardrailVerdict, SrmVerdict, Verdict};

use super::words;
use crate::drift::junit::escape;

/// Renders the document.
pub fn render(document: &Document) -> String {
    let mismatch = document.srm.verdict == SrmVerdict::Mismatch;
    let mut text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n".to_owned();
    text += &format!(
        "  <testsuite name=\"experiment health\" tests=\"1\" failures=\"{}\" errors=\"0\" skipped=\"0\">\n",
        u8::from(mismatch)
    );
    let case = "    <testcase classname=\"windvane.experiment\" name=\"sample ratio\"";
    let said = escape(&words::sample_ratio(document));
    text += &match mismatch {
        true => format!("{case}>\n      <failure message=\"{said}\"/>\n    </testcase>\n"),
        false => format!("{case}/>\n"),
    };
    text += "  </testsuite>\n";
    text += &suite(&document.comparisons);
    text + "</testsuites>\n"
}

/// How a comparison is told to a build server.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Case {
    Passed,
    Failed,
    Skipped,
}

impl Case {
    /// A guardrail passes where it holds; everything else where it is no worse.
    fn of(comparison: &Comparison) -> Self {
        match (comparison.guardrail.as_ref().map(|guardrail| guardrail.verdict), comparison.verdict) {
            (Some(GuardrailVerdict::Held), _) | (None, Verdict::Better | Verdict::Equivalent) => Self::Passed,
            (Some(GuardrailVerdict::Broken), _) | (None, Verdict::Worse) => Self::Failed,
            (Some(GuardrailVerdict::Undecided), _) | (None, Verdict::Inconclusive) => Self::Skipped,
        }
    }
}

fn suite(comparisons: &[Comparison]) -> String {
    let count = |case| comparisons.iter().filter(|comparison| Case::of(comparison) == case).count();
    let mut text = format!(
        "  <testsuite name=\"experiment\" tests=\"{}\" failures=\"{}\" errors=\"0\" skipped=\"{}\">\n",
        comparisons.len(),
        count(Case::Failed),
        count(Case::Skipped)
    );
    for comparison in comparisons {
        let name =
            format!("{} of {} against {}", words::metric(comparison), comparison.arm, comparison.control);
        let case = format!("    <testcase classname=\"windvane.experiment\" name=\"{}\"", escape(&name));
        let said = escape(&words::sentence(comparison));
        text += &match Case::of(comparison) {
            Case::Passed => format!("{case}/>\n"),
            Case::Failed => format!("{case}>\n      <failure message=\"{said}\"/>\n    </testcase>\n"),
            Case::Skipped => {
                format!("{case}>\n      <skipped message=\"{said}\"/>\n    </testcase>\n")
            }
        };
    }
    text + "  </testsuite>\n"
}
