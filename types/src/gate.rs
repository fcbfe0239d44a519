//! The document `windvane.gate/1`: what `windvane shadow run` prints, and what findings of gates are made of.
//!
//! The order of the fields is the order of the output; fields may be added, never renamed or moved.

mod measured;

use serde::{Deserialize, Serialize};

pub use measured::{
    Agreement, BatchRates, Deviation, Distribution, Latencies, Latency, Metric, Model, NoiseFloor, Output,
    Placement, Provenance, Quality, RankCorrelation, Repeated, Segment, Shown, SkippedRequest,
    SkippedRequests, Throughput, TopClass,
};

/// The value of [`Document::schema`].
pub const SCHEMA: &str = "windvane.gate/1";

/// The answer to "may the candidate take the champion's place?".
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Document {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// The answer: the worst of all checks; an override changes it and is told beside it.
    pub verdict: Verdict,
    /// One entry a check, in the order in which they were made.
    pub checks: Vec<Check>,
    /// Requests that both models were asked.
    pub requests: u64,
    /// How often both answered alike.
    pub agreement: Agreement,
    /// How long answers took, in microseconds.
    pub latency_us: Latency,
    /// How many requests a second each model answered.
    pub throughput_per_s: Throughput,
    /// What outcomes say; `labelled` is 0 without any.
    pub quality: Quality,
    /// What was compared, on what, with which settings: enough to run it again.
    pub provenance: Provenance,
    /// Things that a reader should know and that decide nothing.
    pub notes: Vec<String>,
    /// Requests that were not asked any more because the gate was lost already; null if all were asked.
    pub not_asked: Option<u64>,
    /// Who decided otherwise, and why; null where nobody did.
    pub override_by: Option<Override>,
    /// Requests of the traffic that could not be asked, because they are broken or the champion does not take them.
    #[serde(default)]
    pub skipped: SkippedRequests,
    /// How many requests a second each model answers in calls of 1, 2, 4 … requests, measured shortly before the comparison.
    #[serde(default)]
    pub by_batch: Vec<BatchRates>,
}

impl Document {
    /// The worst verdict of the checks: a failure beats doubt, and doubt beats a pass; no check at all is doubt.
    #[must_use]
    pub fn worst(checks: &[Check]) -> Verdict {
        let any = |verdict| checks.iter().any(|check| check.verdict == verdict);
        match () {
            () if any(Verdict::Fail) => Verdict::Fail,
            () if checks.is_empty() || any(Verdict::Inconclusive) => Verdict::Inconclusive,
            () => Verdict::Pass,
        }
    }

    /// Puts a person's decision in the place of the verdict; what the checks said stays in them.
    #[must_use]
    pub fn overridden(mut self, who: String, why: String) -> Self {
        self.override_by = Some(Override { who, why, verdict: self.verdict });
        self.verdict = Verdict::Pass;
        self
    }
}

/// What a gate or one of its checks says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Shown to be within the bound.
    Pass,
    /// Shown to be outside of it.
    Fail,
    /// Neither is shown: more evidence is needed.
    Inconclusive,
}

impl Verdict {
    /// The word of the JSON document.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Inconclusive => "inconclusive",
        }
    }
}

/// One question of the gate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// Which: `agreement`, `outputs`, `finite`, `errors`, `latency_ratio`, `p99_us`, `min_requests`, …
    pub check: String,
    /// The answer.
    pub verdict: Verdict,
    /// What was seen; null where there was nothing to see.
    pub observed: Option<f64>,
    /// What is accepted; null where the check has no number.
    pub bound: Option<f64>,
    /// The interval that holds the true value with the policy's confidence; null where it has none.
    pub ci: Option<[f64; 2]>,
    /// How many requests the check is made over.
    pub n: u64,
    /// The answer in words.
    pub reason: String,
    /// What it is about where a gate asks the same question several times: a segment, a metric.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub subject: Option<String>,
}

/// A decision of a person against the gate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Override {
    /// Who.
    pub who: String,
    /// Why.
    pub why: String,
    /// What the gate had said.
    pub verdict: Verdict,
}

#[cfg(test)]
mod tests {
    use super::{Check, Document, Verdict};

    fn checks(verdicts: &[Verdict]) -> Vec<Check> {
        let check = |verdict: &Verdict| Check {
            check: "agreement".to_owned(),
            verdict: *verdict,
            observed: None,
            bound: None,
            ci: None,
            n: 0,
            reason: String::new(),
            subject: None,
        };
        verdicts.iter().map(check).collect()
    }

    #[test]
    fn fail_beats_inconclusive_beats_pass_and_nothing_is_no_pass() {
        use Verdict::{Fail, Inconclusive, Pass};
        for (verdicts, expected) in [
            (vec![], Inconclusive),
            (vec![Pass, Pass], Pass),
            (vec![Pass, Inconclusive], Inconclusive),
            (vec![Inconclusive, Fail, Pass], Fail),
        ] {
            assert_eq!(Document::worst(&checks(&verdicts)), expected, "{verdicts:?}");
        }
    }
}
