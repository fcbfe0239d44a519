//! KSWIN: the last values against a sample of those before them, by Kolmogorov and Smirnov.
//!
//! Question: has the distribution changed, not only its mean?
//! Input: any finite values.
//! Formula: of a window of w values the last r against r drawn without replacement from the w - r before them; change where p ≤ α and
//! D > 0.1. After a change the last r values are kept.
//! Valid when: values are independent. It tests at every value, so α is no rate per stream.
//! Reference: Raab, Heusinger, Schleif 2020, doi:10.1016/j.neucom.2019.11.111.
//! Oracle: river 0.22 `drift.KSWIN(window_size=60, stat_size=30)`, where there is nothing to draw; with larger windows the draws
//! are those of another generator.
//! Cost: memory w; each value a sort of 2r values.

use std::collections::VecDeque;

use rand::SeedableRng;
use rand::seq::index;
use rand_chacha::ChaCha8Rng;

use super::{Detector, Signal};
use crate::walk::{Depth, Sizes, Walk};

/// The statistic below which a change is too small to tell, as in River.
const STATISTIC_MIN: f64 = 0.1;

/// How it is set.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// The p-value from which on something has changed.
    pub alpha: f64,
    /// w, values of the window.
    pub window: usize,
    /// r, values on each side; at most half of the window.
    pub recent: usize,
    /// The seed of the draws.
    pub seed: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { alpha: 0.005, window: 100, recent: 30, seed: 20_130_101 }
    }
}

/// The detector.
#[derive(Debug, Clone)]
pub struct Kswin {
    settings: Settings,
    window: VecDeque<f64>,
    draws: ChaCha8Rng,
}

impl Default for Kswin {
    fn default() -> Self {
        Self::new(Settings::default())
    }
}

impl Kswin {
    /// An empty window.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let window = VecDeque::with_capacity(settings.window);
        Self { settings, window, draws: ChaCha8Rng::seed_from_u64(settings.seed) }
    }

    fn has_changed(&mut self) -> bool {
        let Settings { alpha, window, recent, .. } = self.settings;
        let older = window - recent;
        let mut values: Vec<(f64, u64, u64)> = index::sample(&mut self.draws, older, recent)
            .into_iter()
            .map(|i| (self.window[i], 1, 0))
            .collect();
        values.extend(self.window.iter().skip(older).map(|x| (*x, 0, 1)));
        values.sort_by(|a, b| a.0.total_cmp(&b.0));
        let sizes = Sizes { a: recent as u64, b: recent as u64 };
        let mut walk = Walk::to_depth(Depth::Ranks, sizes, Vec::new());
        for (value, a, b) in values {
            walk.push(value, a, b);
        }
        let Ok(walked) = walk.finish() else { return false };
        let ks = walked.ks();
        ks.statistic.is_some_and(|d| d > STATISTIC_MIN) && ks.p_value.is_some_and(|p| p <= alpha)
    }
}

impl Detector for Kswin {
    fn push(&mut self, x: f64) -> Signal {
        if self.window.len() == self.settings.window {
            self.window.pop_front();
        }
        self.window.push_back(x);
        if self.window.len() < self.settings.window || !self.has_changed() {
            return Signal::None;
        }
        self.window.drain(..self.settings.window - self.settings.recent);
        Signal::Change
    }
}
