//! The answer of `windvane experiment` as JUnit XML: one test case a comparison, a failure where the arm is worse, and one
//! for the sample ratio.

use windvane_types::experiment::{Comparison, Document, SrmVerdict, Verdict};

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

fn suite(comparisons: &[Comparison]) -> String {
    let count = |verdict| comparisons.iter().filter(|comparison| comparison.verdict == verdict).count();
    let mut text = format!(
        "  <testsuite name=\"experiment\" tests=\"{}\" failures=\"{}\" errors=\"0\" skipped=\"{}\">\n",
        comparisons.len(),
        count(Verdict::Worse),
        count(Verdict::Inconclusive)
    );
    for comparison in comparisons {
        let name =
            format!("{} of {} against {}", words::metric(comparison), comparison.arm, comparison.control);
        let case = format!("    <testcase classname=\"windvane.experiment\" name=\"{}\"", escape(&name));
        let said = escape(&words::sentence(comparison));
        text += &match comparison.verdict {
            Verdict::Better | Verdict::Equivalent => format!("{case}/>\n"),
            Verdict::Worse => format!("{case}>\n      <failure message=\"{said}\"/>\n    </testcase>\n"),
            Verdict::Inconclusive => {
                format!("{case}>\n      <skipped message=\"{said}\"/>\n    </testcase>\n")
            }
        };
    }
    text + "  </testsuite>\n"
}
