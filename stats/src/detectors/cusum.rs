//! CUSUM: sums of standardised deviations from a mean that was measured first.
//!
//! Question: has the mean left where it was, by about two k standard deviations?
//! Input: any finite values; the first ones are taken as they are and set the mean and the standard deviation.
//! Formula: z = (x - x̄₀)/s₀; C⁺ = max(0, C⁺ + z - k), C⁻ = max(0, C⁻ - z - k); change where either exceeds h.
//! Valid when: values are independent and the first ones are as the rest should be. With known mean and deviation k = ½, h = 5 alarm
//! once in 465 normal values; after a short measurement much more often. Here h = 8 after a hundred.
//! Reference: Page 1954, doi:10.1093/biomet/41.1-2.100; Montgomery 2012, Introduction to Statistical Quality Control, section 9.1.
//! Oracle: average run length 465 at k = ½, h = 5, known parameters: Siegmund 1985, doi:10.1007/978-1-4757-1862-1.
//! Cost: constant.

use super::{Detector, Signal};

/// How it is set.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// Values that set the mean and the standard deviation, unless both are known.
    pub warm_up: u64,
    /// The mean and the standard deviation of a stream without change, where they are known.
    pub known: Option<(f64, f64)>,
    /// k, half the move that is looked for, in standard deviations.
    pub slack: f64,
    /// h, how far a sum may go, in standard deviations.
    pub threshold: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { warm_up: 100, known: None, slack: 0.5, threshold: 8.0 }
    }
}

/// The detector.
#[derive(Debug, Clone, Copy, Default)]
pub struct Cusum {
    settings: Settings,
    n: u64,
    mean: f64,
    m2: f64,
    up: f64,
    down: f64,
}

impl Cusum {
    /// Nothing seen yet.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self { settings, ..Self::default() }
    }

    fn measure(&mut self, x: f64) {
        self.n += 1;
        let from_mean = x - self.mean;
        self.mean += from_mean / self.n as f64;
        self.m2 += from_mean * (x - self.mean);
    }
}

impl Detector for Cusum {
    fn push(&mut self, x: f64) -> Signal {
        let Settings { warm_up, known, slack, threshold } = self.settings;
        let (mean, deviation) = match known {
            Some(known) => known,
            None if self.n < warm_up.max(2) => {
                self.measure(x);
                return Signal::None;
            }
            None => (self.mean, (self.m2 / (self.n - 1) as f64).sqrt()),
        };
        // Values that were all alike: any other one is a change.
        if deviation == 0.0 {
            if x == mean {
                return Signal::None;
            }
            *self = Self::new(self.settings);
            return Signal::Change;
        }
        let z = (x - mean) / deviation;
        self.up = (self.up + z - slack).max(0.0);
        self.down = (self.down - z - slack).max(0.0);
        if self.up.max(self.down) <= threshold {
            return Signal::None;
        }
        *self = Self::new(self.settings);
        Signal::Change
    }
}
