//! Predictions of both models as two samples: whether they drift apart, and whether they put requests in the same order.

use std::collections::BTreeMap;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use windvane_stats::cells::{Cell, Cells};
use windvane_stats::divergence::total_variation;
use windvane_stats::paired::spearman::spearman;
use windvane_stats::quantile_sketch::QuantileSketch;
use windvane_types::gate::RankCorrelation;

use crate::answer::View;
use crate::tensor::Element;

/// Requests of the sample that ranks are compared on.
const SAMPLE: usize = 4_096;
/// Categories that are told apart.
const CATEGORIES_MAX: usize = 1_000;

/// Both models' predictions: of floats the first number of an answer, of other types its first word.
#[derive(Debug)]
pub(super) struct Prediction {
    sketches: (QuantileSketch, QuantileSketch),
    categories: BTreeMap<String, (u64, u64)>,
    sample: Vec<(f64, f64)>,
    seen: u64,
    rng: ChaCha8Rng,
}

impl Prediction {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            sketches: (QuantileSketch::default(), QuantileSketch::default()),
            categories: BTreeMap::new(),
            sample: Vec::new(),
            seen: 0,
            rng: ChaCha8Rng::seed_from_u64(seed),
        }
    }

    pub(super) fn push(&mut self, a: &View<'_>, b: &View<'_>) {
        if a.is_empty() {
            return;
        }
        if !a.element().is_float() {
            self.category(a, |counts| counts.0 += 1);
            self.category(b, |counts| counts.1 += 1);
            return;
        }
        let (Some(x), Some(y)) = (a.number(0), b.number(0)) else { return };
        if !x.is_nan() {
            self.sketches.0.push(x, 1);
        }
        if !y.is_nan() {
            self.sketches.1.push(y, 1);
        }
        if a.len() <= 2 && x.is_finite() && y.is_finite() {
            self.keep(x, y);
        }
    }

    /// Algorithm R: every pair so far is in the sample with the same chance.
    fn keep(&mut self, x: f64, y: f64) {
        self.seen += 1;
        if self.sample.len() < SAMPLE {
            self.sample.push((x, y));
            return;
        }
        let at = self.rng.random_range(0..self.seen);
        if let Some(slot) = usize::try_from(at).ok().and_then(|at| self.sample.get_mut(at)) {
            *slot = (x, y);
        }
    }

    fn category(&mut self, view: &View<'_>, count: impl Fn(&mut (u64, u64))) {
        if view.element() == Element::Text || view.len() == 1 {
            let word = view.word(0).unwrap_or_default();
            let known = self.categories.len() < CATEGORIES_MAX || self.categories.contains_key(&word);
            count(self.categories.entry(if known { word } else { String::new() }).or_default());
        }
    }

    pub(super) fn rank(&self) -> Option<RankCorrelation> {
        let (x, y): (Vec<f64>, Vec<f64>) = self.sample.iter().copied().unzip();
        (x.len() > 1).then(|| RankCorrelation { spearman: spearman(&x, &y), n: x.len() as u64 })
    }

    pub(super) fn drift(&self) -> Option<f64> {
        if self.categories.is_empty() {
            return self.sketches.0.ks(&self.sketches.1).map(|found| found.statistic);
        }
        let mut cells = Cells::default();
        for (a, b) in self.categories.values() {
            cells.push(Cell::new(*a, *b));
        }
        total_variation(&cells).statistic
    }
}
