//! One output of both models, over all requests so far.

use windvane_types::gate::Output;

use super::classes::Classes;
use super::numbers::Numbers;
use super::sketch::Prediction;
use super::{interval, sequence};
use crate::answer::{Answer, View};
use crate::policy::{Policy, Tolerance};
use crate::port::Port;
use crate::tensor::Element;

/// How far apart two answers are.
#[derive(Debug)]
pub(crate) struct Apart {
    /// Whether they count as alike.
    pub(crate) agrees: bool,
    /// The largest difference over what is tolerated; infinite where it is no number.
    pub(crate) times: f64,
    /// What differs, in words that follow the name of the output.
    pub(crate) what: String,
}

/// The comparison of one output.
#[derive(Debug)]
pub(crate) struct OutputComparison {
    name: String,
    element: Element,
    tolerance: Option<Tolerance>,
    n: u64,
    agree: u64,
    shape_differs: u64,
    numbers: Numbers,
    classes: Classes,
    prediction: Prediction,
}

impl OutputComparison {
    pub(crate) fn new(port: &Port, policy: &Policy) -> Self {
        let tolerance = port.element.is_float().then(|| policy.tolerance(&port.name, port.element));
        Self {
            name: port.name.clone(),
            element: port.element,
            tolerance,
            n: 0,
            agree: 0,
            shape_differs: 0,
            numbers: Numbers::default(),
            classes: Classes::default(),
            prediction: Prediction::new(policy.gate.seed),
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn max_abs(&self) -> Option<f64> {
        self.numbers.max_abs()
    }

    /// Whether it was seen to be of no use: another shape, or values that are not finite.
    pub(crate) fn is_broken(&self) -> bool {
        self.shape_differs > 0 || self.numbers.nonfinite() > 0
    }

    /// Compares the answers to one request; `None` if one of them lacks the output.
    pub(crate) fn push(&mut self, champion: &Answer, candidate: &Answer) -> Option<Apart> {
        let (a, b) = (champion.output(&self.name)?, candidate.output(&self.name)?);
        self.n += 1;
        let apart = self.compare(&a, &b);
        self.agree += u64::from(apart.agrees);
        Some(apart)
    }

    fn compare(&mut self, a: &View<'_>, b: &View<'_>) -> Apart {
        if a.element() != b.element() || !a.same_shape(b) {
            self.shape_differs += 1;
            self.numbers.count_nonfinite(a, b);
            let what = format!("is {} {:?} and was {} {:?}", b.element(), b.shape(), a.element(), a.shape());
            return Apart { agrees: false, times: f64::INFINITY, what };
        }
        self.prediction.push(a, b);
        let Some(tolerance) = self.tolerance else { return same(a, b) };
        self.classes.push(a, b);
        self.numbers.push(a, b, tolerance)
    }

    /// `all` is the confidence at which intervals of all outputs hold together.
    pub(crate) fn finish(&self, confidence: f64, all: f64) -> Output {
        let numbers = self.numbers.finish();
        let drift = self.prediction.drift(all);
        Output {
            output: self.name.clone(),
            rate: (self.n > 0).then(|| self.agree as f64 / self.n as f64),
            max_abs: numbers.max_abs,
            max_rel: numbers.max_rel,
            nonfinite: numbers.nonfinite,
            element: self.element.as_str().to_owned(),
            atol: self.tolerance.map(|tolerance| tolerance.atol),
            rtol: self.tolerance.map(|tolerance| tolerance.rtol),
            agree: self.agree,
            n: self.n,
            nonfinite_champion: numbers.nonfinite_champion,
            shape_differs: self.shape_differs,
            mean_abs: numbers.mean_abs,
            max_ulp: numbers.max_ulp,
            min_cosine: self.classes.min_cosine(),
            top_class: self.classes.top_class(
                |flips, n| interval(flips, n, confidence),
                |flips, n| sequence(flips, n, confidence),
            ),
            distribution: self.classes.distribution(),
            rank: self.prediction.rank(),
            drift: drift.map(|drift| drift.distance),
            drift_ci: drift.map(|drift| drift.ci),
        }
    }
}

/// Elements that must be equal.
fn same(a: &View<'_>, b: &View<'_>) -> Apart {
    match (0..a.len()).find(|at| !a.same(b, *at)) {
        None => Apart { agrees: true, times: 0.0, what: String::new() },
        Some(at) => {
            let word =
                |view: &View<'_>| view.word(at).unwrap_or_default().chars().take(40).collect::<String>();
            let what = format!("is `{}` and was `{}` (element {at})", word(b), word(a));
            Apart { agrees: false, times: f64::INFINITY, what }
        }
    }
}
