//! DDM: an error rate that rises above the lowest it has had.
//!
//! Question: does a model err more often than at its best?
//! Input: 1 for an error, 0 for none.
//! Formula: p is the error rate since the start, s = √(p(1-p)/n); the lowest p + s is kept; warning where p + s > p* + 2s*, change
//! where p + s > p* + 3s*.
//! Valid when: errors are independent; slow changes are missed, and long streams make it deaf.
//! Reference: Gama, Medas, Castillo, Rodrigues 2004, doi:10.1007/978-3-540-28645-5_29.
//! Oracle: river 0.22 `drift.binary.DDM()`.
//! Cost: constant.

use super::{Detector, Mean, Signal};

/// How it is set.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// Values before the first answer.
    pub warm_up: u64,
    /// Standard deviations to a warning.
    pub warning: f64,
    /// Standard deviations to a change.
    pub drift: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { warm_up: 30, warning: 2.0, drift: 3.0 }
    }
}

/// The error rate and its standard deviation where their sum was lowest.
#[derive(Debug, Clone, Copy)]
struct Best {
    rate: f64,
    deviation: f64,
}

/// The detector.
#[derive(Debug, Clone, Copy, Default)]
pub struct Ddm {
    settings: Settings,
    rate: Mean,
    best: Option<Best>,
}

impl Ddm {
    /// Nothing seen yet.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self { settings, ..Self::default() }
    }
}

impl Detector for Ddm {
    fn push(&mut self, x: f64) -> Signal {
        self.rate.push(x);
        let Mean { n, mean: rate } = self.rate;
        if n <= self.settings.warm_up as f64 {
            return Signal::None;
        }
        let deviation = (rate * (1.0 - rate) / n).max(0.0).sqrt();
        let level = rate + deviation;
        let best = match self.best {
            Some(best) if level > best.rate + best.deviation => best,
            _ => Best { rate, deviation },
        };
        self.best = Some(best);
        if level > best.rate + self.settings.drift * best.deviation {
            (self.rate, self.best) = (Mean::default(), None);
            Signal::Change
        } else if level > best.rate + self.settings.warning * best.deviation {
            Signal::Warning
        } else {
            Signal::None
        }
    }
}
