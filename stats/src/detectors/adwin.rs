//! ADWIN: a window that shrinks when its older part has another mean than its younger part.
//!
//! Question: does the recent past still have the mean of the longer past? Which part of it still counts?
//! Input: any finite values; the bound is meant for values of 0 to 1.
//! Formula: the window is kept as buckets of 1, 2, 4, … values, at most M + 1 of a size. For each cut between buckets into n₀ older
//! and n₁ younger values, |mean₀ - mean₁| > √(2/m·σ²·ln(2·ln n/δ)) + 2/(3m)·ln(2·ln n/δ), 1/m = 1/(n₀-5+1) + 1/(n₁-5+1), drops
//! the oldest bucket, until no cut does.
//! Valid when: values are independent; δ is a bound per window length, not per stream.
//! Reference: Bifet, Gavaldà 2007, doi:10.1137/1.9781611972771.42; variance in buckets: Babcock et al. 2003, doi:10.1145/773153.773176.
//! Oracle: river 0.22 `drift.ADWIN()`, river 0.21 `drift.ADWIN()`, and the loop of MOA written out in tests/golden/detectors.py.
//! Cost: memory (M + 1)·log₂ n buckets; every 32nd value as many steps.

use std::collections::VecDeque;

use super::{Detector, Signal};

/// Whose loop over the cuts is followed; they differ in which cuts are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Semantics {
    /// MOA's: every cut with more than six values on both sides.
    #[default]
    Moa,
    /// River's from 0.22 on: every cut with five values or more on both sides; after a change the window starts over.
    River,
    /// River's up to 0.21: the same, without the cut after the last bucket of each size.
    River21,
}

/// How it is set.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// δ, the chance of a false cut that is accepted.
    pub delta: f64,
    /// Values between two looks.
    pub clock: u64,
    /// M, buckets of a size before two of them are merged, less one.
    pub buckets_max: usize,
    /// Values of either part in the bound.
    pub part_min: u64,
    /// Values before the first look.
    pub grace: u64,
    /// Whose loop is followed.
    pub semantics: Semantics,
}

impl Default for Settings {
    fn default() -> Self {
        Self { delta: 0.002, clock: 32, buckets_max: 5, part_min: 5, grace: 10, semantics: Semantics::Moa }
    }
}

/// The sum of some values and of their squared deviations from their mean.
#[derive(Debug, Clone, Copy, Default)]
struct Bucket {
    total: f64,
    variance: f64,
}

/// The detector.
#[derive(Debug, Clone)]
pub struct Adwin {
    settings: Settings,
    /// Buckets of 2^i values, the oldest first.
    rows: Vec<VecDeque<Bucket>>,
    width: f64,
    total: f64,
    variance: f64,
    ticks: u64,
    /// Whether the last value was a change: River starts over at the next one.
    has_changed: bool,
}

impl Default for Adwin {
    fn default() -> Self {
        Self::new(Settings::default())
    }
}

impl Adwin {
    /// An empty window.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            rows: vec![VecDeque::new()],
            width: 0.0,
            total: 0.0,
            variance: 0.0,
            ticks: 0,
            has_changed: false,
        }
    }

    /// How many values the window holds.
    #[must_use]
    pub fn width(&self) -> f64 {
        self.width
    }

    /// Their mean; `None` without values.
    #[must_use]
    pub fn mean(&self) -> Option<f64> {
        (self.width > 0.0).then(|| self.total / self.width)
    }

    /// How many buckets are kept.
    #[must_use]
    pub fn buckets(&self) -> usize {
        self.rows.iter().map(VecDeque::len).sum()
    }

    fn insert(&mut self, x: f64) {
        self.rows[0].push_back(Bucket { total: x, variance: 0.0 });
        self.width += 1.0;
        if self.width > 1.0 {
            let before = self.width - 1.0;
            let from_mean = x - self.total / before;
            self.variance += before * from_mean * from_mean / self.width;
        }
        self.total += x;
        self.compress();
    }

    /// Merges the two oldest buckets of a size that has too many.
    fn compress(&mut self) {
        let mut i = 0;
        while i < self.rows.len() && self.rows[i].len() > self.settings.buckets_max {
            let size = size_of(i);
            let (Some(one), Some(two)) = (self.rows[i].pop_front(), self.rows[i].pop_front()) else { return };
            let apart = one.total / size - two.total / size;
            let variance = one.variance + two.variance + size * size * apart * apart / (2.0 * size);
            if i + 1 == self.rows.len() {
                self.rows.push(VecDeque::new());
            }
            self.rows[i + 1].push_back(Bucket { total: one.total + two.total, variance });
            i += 1;
        }
    }

    /// Drops the oldest bucket.
    fn drop_oldest(&mut self) {
        let last = self.rows.len() - 1;
        let Some(oldest) = self.rows[last].pop_front() else { return };
        let n = size_of(last);
        self.width -= n;
        self.total -= oldest.total;
        let apart = oldest.total / n - self.total / self.width;
        self.variance -= oldest.variance + n * self.width * apart * apart / (n + self.width);
        while self.rows.len() > 1 && self.rows.last().is_some_and(VecDeque::is_empty) {
            self.rows.pop();
        }
    }

    /// Whether any cut tells two means apart.
    fn has_cut(&self) -> bool {
        let (mut n0, mut u0) = (0.0, 0.0);
        for (i, row) in self.rows.iter().enumerate().rev() {
            let looked_at = match self.settings.semantics {
                Semantics::River21 => row.len().saturating_sub(1),
                Semantics::Moa | Semantics::River => row.len(),
            };
            for (k, bucket) in row.iter().take(looked_at).enumerate() {
                n0 += size_of(i);
                u0 += bucket.total;
                if i == 0 && k + 1 == row.len() {
                    return false;
                }
                if self.is_cut(n0, u0) {
                    return true;
                }
            }
        }
        false
    }

    fn is_cut(&self, n0: f64, u0: f64) -> bool {
        let (n1, u1) = (self.width - n0, self.total - u0);
        let part_min = self.settings.part_min as f64;
        let least = match self.settings.semantics {
            Semantics::Moa => part_min + 2.0,
            Semantics::River | Semantics::River21 => part_min,
        };
        if n0 < least || n1 < least {
            return false;
        }
        let log = (2.0 * self.width.ln() / self.settings.delta).ln();
        let m = 1.0 / (n0 - part_min + 1.0) + 1.0 / (n1 - part_min + 1.0);
        let bound = (2.0 * m * (self.variance / self.width) * log).sqrt() + 2.0 / 3.0 * log * m;
        (u0 / n0 - u1 / n1).abs() > bound
    }
}

impl Detector for Adwin {
    fn push(&mut self, x: f64) -> Signal {
        if self.has_changed && self.settings.semantics != Semantics::Moa {
            *self = Self::new(self.settings);
        }
        self.insert(x);
        self.ticks += 1;
        if !self.ticks.is_multiple_of(self.settings.clock) || self.width <= self.settings.grace as f64 {
            return Signal::None;
        }
        let mut signal = Signal::None;
        while self.width > 0.0 && self.has_cut() {
            self.drop_oldest();
            signal = Signal::Change;
        }
        self.has_changed = signal == Signal::Change;
        signal
    }
}

/// Values of a bucket of the i-th size.
fn size_of(i: usize) -> f64 {
    f64::from(i32::try_from(i).unwrap_or(i32::MAX)).exp2()
}
