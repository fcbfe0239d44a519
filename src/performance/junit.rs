//! The answer of `windvane performance` as JUnit XML: one test case a metric of a chunk, a failure where it left its threshold.

use windvane_types::performance::{Chunk, Document};

use super::words;
use crate::drift::junit::escape;
use crate::drift::words::segment;

/// Renders the document.
pub fn render(document: &Document) -> String {
    let mut text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n".to_owned();
    text += &suites("performance", &document.chunks);
    for part in &document.segments {
        text += &suites(&format!("performance in {}", segment(&part.segment)), &part.chunks);
    }
    text += "</testsuites>\n";
    text
}

fn suites(name: &str, chunks: &[Chunk]) -> String {
    chunks.iter().map(|chunk| suite(&format!("{name}, chunk {}", words::name(chunk)), chunk)).collect()
}

fn suite(name: &str, chunk: &Chunk) -> String {
    let failures = chunk.metrics.iter().filter(|metric| metric.alert).count();
    let unknown = |metric: &windvane_types::performance::Metric| {
        metric.realised.is_none() && metric.estimated.is_none()
    };
    let skipped = chunk.metrics.iter().filter(|metric| unknown(metric)).count();
    let mut text = format!(
        "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{failures}\" errors=\"0\" skipped=\"{skipped}\">\n",
        escape(name),
        chunk.metrics.len(),
    );
    for metric in &chunk.metrics {
        let case =
            format!("    <testcase classname=\"windvane.performance\" name=\"{}\"", escape(&metric.metric));
        text += &match (metric.alert, unknown(metric)) {
            (true, _) => {
                format!(
                    "{case}>\n      <failure message=\"{}\"/>\n    </testcase>\n",
                    escape(&words::why(metric))
                )
            }
            (false, true) => {
                let reason = metric.reason.as_deref().unwrap_or("not measured");
                format!("{case}>\n      <skipped message=\"{}\"/>\n    </testcase>\n", escape(reason))
            }
            (false, false) => format!("{case}/>\n"),
        };
    }
    text + "  </testsuite>\n"
}
