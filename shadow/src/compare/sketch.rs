//! Predictions of both models as two samples: whether they drift apart, and whether they put requests in the same order.

use std::collections::BTreeMap;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use windvane_stats::cells::{Cell, Cells};
use windvane_stats::divergence::total_variation;
use windvane_stats::paired::spearman::spearman;
use windvane_stats::quantile_sketch::QuantileSketch;
use windvane_types::gate::RankCorrelation;

use super::interval;
use crate::answer::View;
use crate::tensor::Element;

/// Requests of the sample that ranks are compared on.
const SAMPLE: usize = 4_096;
/// Categories that are told apart.
const CATEGORIES_MAX: usize = 1_000;

/// How far apart the distributions of both models' predictions are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Drift {
    /// Of the requests that were asked.
    pub(super) distance: f64,
    /// Of those that they stand for.
    pub(super) ci: [f64; 2],
}

/// Both models' predictions: of floats the first number of an answer, of other types its first word.
#[derive(Debug)]
pub(super) struct Prediction {
    sketches: (QuantileSketch, QuantileSketch),
    categories: BTreeMap<String, (u64, u64)>,
    /// Requests of which both have one, and those on which they are not the same.
    n: u64,
    differ: u64,
    sample: Vec<(f64, f64)>,
    seen: u64,
    rng: ChaCha8Rng,
}

impl Prediction {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            sketches: (QuantileSketch::default(), QuantileSketch::default()),
            categories: BTreeMap::new(),
            n: 0,
            differ: 0,
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
            if a.element() == Element::Text || a.len() == 1 {
                self.count(!a.same(b, 0));
                self.category(a, |counts| counts.0 += 1);
                self.category(b, |counts| counts.1 += 1);
            }
            return;
        }
        let (Some(x), Some(y)) = (a.number(0), b.number(0)) else { return };
        if !x.is_nan() && !y.is_nan() {
            self.count(x != y);
        }
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

    fn count(&mut self, differ: bool) {
        self.n += 1;
        self.differ += u64::from(differ);
    }

    fn category(&mut self, view: &View<'_>, count: impl Fn(&mut (u64, u64))) {
        let word = view.word(0).unwrap_or_default();
        let known = self.categories.len() < CATEGORIES_MAX || self.categories.contains_key(&word);
        count(self.categories.entry(if known { word } else { String::new() }).or_default());
    }

    pub(super) fn rank(&self) -> Option<RankCorrelation> {
        let (x, y): (Vec<f64>, Vec<f64>) = self.sample.iter().copied().unzip();
        (x.len() > 1).then(|| RankCorrelation { spearman: spearman(&x, &y), n: x.len() as u64 })
    }

    /// The distance of the distributions. Its interval holds for any distributions: each model's sample is no further from what it is drawn
    /// from than √((k·ln 2 + ln(4/α))/2n), but for α/4 (Dvoretzky, Kiefer, Wolfowitz and Massart with k = 1; Bretagnolle, Huber and Carol with
    /// k classes, one of them for those that were not seen); and no distance is larger than the share of requests on which predictions are not
    /// the same, which has an exact bound but for α/2.
    pub(super) fn drift(&self, confidence: f64) -> Option<Drift> {
        let (distance, low, high, k) = if self.categories.is_empty() {
            let found = self.sketches.0.ks(&self.sketches.1)?;
            (found.statistic, found.low, found.high, 1.0)
        } else {
            let mut cells = Cells::default();
            for (a, b) in self.categories.values() {
                cells.push(Cell::new(*a, *b));
            }
            let distance = total_variation(&cells).statistic?;
            (distance, distance, distance, self.categories.len() as f64 + 1.0)
        };
        let twice_n = 2.0 * self.n.max(1) as f64;
        let off = ((k * std::f64::consts::LN_2 + (4.0 / (1.0 - confidence)).ln()) / twice_n).sqrt();
        let differ = interval(self.differ, self.n, confidence).map_or(1.0, |ci| ci[1]);
        Some(Drift {
            distance,
            ci: [(low - 2.0 * off).max(0.0), (high + 2.0 * off).min(differ).max(distance)],
        })
    }
}
