//! What outcomes say: both models' answers to the same requests against what came true, pair by pair.
//!
//! What both get right or wrong alike cancels in the difference, so that intervals are those of pairs, not of two samples.

mod calibration;
mod metrics;

use std::collections::BTreeMap;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use windvane_types::gate::Quality;

use crate::answer::Answer;
use crate::policy::QualityBounds;
use crate::port::Port;
use crate::tensor::Element;

/// Requests with an outcome that are kept for metrics of ranks and of calibration: 32 MB. Beyond it a seeded sample stands for all.
const KEPT_MAX: usize = 1_000_000;

/// Outcomes below which a metric has no interval: errors of means and of ranks hold from some dozens, and where the first few do not vary
/// they are 0, which would prove everything. Of ranks so many of each class. The interval of accuracy holds for any number.
const OUTCOMES_MIN: usize = 30;

/// Where predictions are in the outputs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Predictions {
    /// The output with labels.
    label: Option<String>,
    /// The output with scores or values, and which of its elements is the score.
    score: Option<(String, usize)>,
    /// The outcome that scores are the chance of.
    positive: Option<String>,
}

impl Predictions {
    /// As the policy says; what it leaves out is found by type: the first output with texts or integers holds labels, the first
    /// with floats scores.
    #[must_use]
    pub fn find(outputs: &[Port], bounds: &QualityBounds) -> Self {
        let first = |is: fn(Element) -> bool| {
            outputs.iter().find(|port| is(port.element)).map(|port| port.name.clone())
        };
        let label = bounds
            .label_output
            .clone()
            .or_else(|| first(|element| !element.is_float() && element != Element::Bool));
        let score = bounds.score_output.clone().or_else(|| first(Element::is_float));
        Self {
            label,
            score: score.map(|name| (name, bounds.score_index.unwrap_or(0))),
            positive: bounds.positive.clone(),
        }
    }

    fn label_of(&self, answer: &Answer) -> Option<String> {
        answer.output(self.label.as_deref()?)?.word(0)
    }

    fn score_of(&self, answer: &Answer) -> Option<f64> {
        let (name, index) = self.score.as_ref()?;
        answer.output(name)?.number(*index)
    }
}

/// Both scores of one request, and what came true: 1 and 0 of a class, or a number.
#[derive(Debug, Clone, Copy)]
struct Pair {
    champion: f64,
    candidate: f64,
    truth: f64,
}

/// Outcomes of all requests so far.
#[derive(Debug)]
pub struct Outcomes {
    predictions: Predictions,
    labelled: u64,
    /// Of both labels: only the champion's right, only the candidate's, and requests.
    labels: (u64, u64, u64),
    right: (u64, u64),
    pairs: Vec<Pair>,
    pairs_seen: u64,
    rng: ChaCha8Rng,
}

impl Outcomes {
    /// Nothing seen yet.
    #[must_use]
    pub fn new(predictions: Predictions, seed: u64) -> Self {
        Self {
            predictions,
            labelled: 0,
            labels: (0, 0, 0),
            right: (0, 0),
            pairs: Vec::new(),
            pairs_seen: 0,
            rng: ChaCha8Rng::seed_from_u64(seed),
        }
    }

    /// Adds a request whose outcome is known.
    pub fn push(&mut self, truth: &str, champion: &Answer, candidate: &Answer) {
        self.labelled += 1;
        let of = &self.predictions;
        if let (Some(a), Some(b)) = (of.label_of(champion), of.label_of(candidate)) {
            let (a, b) = (same(&a, truth), same(&b, truth));
            self.right.0 += u64::from(a);
            self.right.1 += u64::from(b);
            self.labels.0 += u64::from(a && !b);
            self.labels.1 += u64::from(b && !a);
            self.labels.2 += 1;
        }
        let value = match &of.positive {
            Some(positive) => Some(f64::from(u8::from(same(positive, truth)))),
            None => plain(truth).parse::<f64>().ok().filter(|value| value.is_finite()),
        };
        let (Some(a), Some(b), Some(truth)) = (of.score_of(champion), of.score_of(candidate), value) else {
            return;
        };
        if a.is_finite() && b.is_finite() {
            self.keep(Pair { champion: a, candidate: b, truth });
        }
    }

    /// Algorithm R: every pair so far is kept with the same chance.
    fn keep(&mut self, pair: Pair) {
        self.pairs_seen += 1;
        if self.pairs.len() < KEPT_MAX {
            self.pairs.push(pair);
            return;
        }
        let at = self.rng.random_range(0..self.pairs_seen);
        if let Some(slot) = usize::try_from(at).ok().and_then(|at| self.pairs.get_mut(at)) {
            *slot = pair;
        }
    }

    /// The metrics that the outcomes allow.
    #[must_use]
    pub fn finish(&self, confidence: f64) -> Quality {
        let mut metrics = Vec::new();
        metrics.extend(metrics::accuracy(self.labels, self.right, confidence));
        let classes = self.pairs.iter().all(|pair| pair.truth == 0.0 || pair.truth == 1.0);
        let chances = self
            .pairs
            .iter()
            .all(|pair| (0.0..=1.0).contains(&pair.champion) && (0.0..=1.0).contains(&pair.candidate));
        if classes && !self.pairs.is_empty() {
            metrics.extend(metrics::roc_auc(&self.pairs, confidence));
            if chances {
                metrics.extend(metrics::log_loss(&self.pairs, confidence));
                metrics.extend(metrics::brier(&self.pairs, confidence));
                metrics.extend(calibration::ece(&self.pairs, confidence));
            }
        } else {
            metrics.extend(metrics::rmse(&self.pairs, confidence));
            metrics.extend(metrics::mae(&self.pairs, confidence));
        }
        let positives = self.pairs.iter().filter(|pair| pair.truth == 1.0).count();
        let rarer = positives.min(self.pairs.len() - positives);
        for metric in metrics.iter_mut().filter(|metric| metric.metric != "accuracy") {
            let outcomes = if metric.metric == "roc_auc" { rarer } else { self.pairs.len() };
            if outcomes < OUTCOMES_MIN {
                (metric.ci, metric.p_value) = (None, None);
            }
        }
        Quality { labelled: self.labelled, metrics }
    }
}

/// A truth value as the number that stands for it; any other word as it is.
fn plain(word: &str) -> &str {
    match word {
        "true" | "True" => "1",
        "false" | "False" => "0",
        word => word,
    }
}

/// Whether two words name one class: `1` and `1.0` do, and `true`.
fn same(a: &str, b: &str) -> bool {
    let (a, b) = (plain(a), plain(b));
    // Of whole numbers every digit counts, and 64-bit floats do not hold all of them beyond 2⁵³.
    match (a.parse::<i128>(), b.parse::<i128>()) {
        (Ok(a), Ok(b)) => a == b,
        _ => a == b || matches!((a.parse::<f64>(), b.parse::<f64>()), (Ok(a), Ok(b)) if a == b),
    }
}

/// The outcome of a request, by the name of the column.
#[must_use]
pub fn truth_of<'w>(
    extras: &'w BTreeMap<String, Vec<Option<String>>>,
    target: Option<&str>,
    at: usize,
) -> Option<&'w str> {
    extras.get(target?)?.get(at)?.as_deref()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::{Outputs, Tensor, Values};

    #[test]
    fn words_are_one_class_where_they_are_one_number() {
        for (a, b, expected) in [
            ("1", "1.0", true),
            ("late", "late", true),
            ("1", "2", false),
            ("1", "late", false),
            ("true", "1", true),
            ("False", "0.0", true),
            ("true", "late", false),
            // 2⁵³ and the next number, which are one 64-bit float.
            ("9007199254740992", "9007199254740993", false),
        ] {
            assert_eq!(same(a, b), expected, "{a} and {b}");
        }
    }

    /// What comes of so many outcomes, every second of them positive, where both models are right and certain.
    fn metrics_of(outcomes: usize) -> Vec<windvane_types::gate::Metric> {
        let ports = [Port { name: "y".to_owned(), element: Element::F32, shape: vec![None, Some(1)] }];
        let mut found = Outcomes::new(Predictions::find(&ports, &QualityBounds::default()), 1);
        for at in 0..outcomes {
            let truth = (at % 2) as f32;
            let answer = |score: f32| {
                let tensor = Tensor::new(vec![1, 1], Values::F32(vec![score]));
                Answer::split(Outputs(vec![("y".to_owned(), tensor)]), 1).unwrap().remove(0)
            };
            found.push(if at % 2 == 1 { "true" } else { "0" }, &answer(truth), &answer(truth));
        }
        found.finish(0.95).metrics
    }

    // Two alike models differ by nothing at all, which is proved by some outcomes and not by one of each class.
    #[test]
    fn too_few_outcomes_prove_nothing() {
        for (outcomes, without) in [
            (2, vec!["roc_auc", "log_loss", "brier", "ece"]),
            (29, vec!["roc_auc", "log_loss", "brier", "ece"]),
            (59, vec!["roc_auc"]),
            (60, vec![]),
        ] {
            let metrics = metrics_of(outcomes);
            assert_eq!(metrics.len(), 4, "{metrics:?}");
            let open =
                metrics.iter().filter(|metric| metric.ci.is_none()).map(|metric| metric.metric.as_str());
            assert_eq!(open.collect::<Vec<_>>(), without, "{outcomes} outcomes");
        }
    }
}
