//! HDDM-A and HDDM-W: an average that rises above the lowest it has had by more than a bound for any distribution.
//!
//! Question: has the mean of bounded values risen (or, asked for both sides, moved)?
//! Input: values of 0 to 1.
//! Formula: A: averages x̄ up to the best cut of n values and z̄ over all N; change where z̄ - x̄ ≥ √(1/n - 1/N)/2·ln(2/ε), under the
//! root: (N-n)/(n·N)/2·ln(2/ε). W: exponentially weighted averages before and after the cut, change where they differ by more than
//! √((c₁ + c₂)/2·ln(1/ε)), c the sum of squared weights.
//! Valid when: values are independent and within 0 and 1; ε is per value, not per stream.
//! Reference: Frías-Blanco et al. 2015, doi:10.1109/TKDE.2014.2345382, corollary 2 and theorem 3.
//! Oracle: river 0.22 `drift.binary.HDDM_A()`, `HDDM_W()`.
//! Cost: constant.

use super::{Detector, Mean, Signal};

/// How both are set.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// ε of a change.
    pub drift: f64,
    /// ε of a warning.
    pub warning: f64,
    /// λ, the weight of the newest value; of HDDM-W.
    pub weight: f64,
    /// Whether a fall counts too.
    pub sides: Sides,
}

/// Which moves count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sides {
    /// A rise.
    #[default]
    Rise,
    /// A rise and a fall.
    Both,
}

impl Default for Settings {
    fn default() -> Self {
        Self { drift: 0.001, warning: 0.005, weight: 0.05, sides: Sides::Rise }
    }
}

/// What a rise and a fall say together: as in MOA, a fall never takes back what a rise said.
fn said(rise: Signal, fall: Signal) -> Signal {
    match (rise, fall) {
        (Signal::Change, _) | (_, Signal::Change) => Signal::Change,
        (Signal::Warning, _) | (_, Signal::Warning) => Signal::Warning,
        _ => Signal::None,
    }
}

fn graded(settings: &Settings, exceeds: impl Fn(f64) -> bool) -> Signal {
    match (exceeds(settings.drift), exceeds(settings.warning)) {
        (true, _) => Signal::Change,
        (false, true) => Signal::Warning,
        (false, false) => Signal::None,
    }
}

/// HDDM-A: by averages.
#[derive(Debug, Clone, Copy, Default)]
pub struct HddmA {
    settings: Settings,
    all: Mean,
    lowest: Mean,
    highest: Mean,
}

impl HddmA {
    /// Nothing seen yet.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self { settings, ..Self::default() }
    }

    fn hoeffding(&self, n: f64) -> f64 {
        ((1.0 / self.settings.drift).ln() / (2.0 * n)).sqrt()
    }
}

impl Detector for HddmA {
    fn push(&mut self, x: f64) -> Signal {
        self.all.push(x);
        if self.lowest.n == 0.0 {
            (self.lowest, self.highest) = (self.all, self.all);
        }
        let slack = self.hoeffding(self.all.n);
        if self.lowest.mean + self.hoeffding(self.lowest.n) >= self.all.mean + slack {
            self.lowest = self.all;
        }
        if self.highest.mean - self.hoeffding(self.highest.n) <= self.all.mean - slack {
            self.highest = self.all;
        }
        let beyond = |cut: Mean, by: f64, epsilon: f64| {
            let m = (self.all.n - cut.n) / cut.n / self.all.n;
            cut.n != self.all.n && by >= (m / 2.0 * (2.0 / epsilon).ln()).sqrt()
        };
        let rise = graded(&self.settings, |e| beyond(self.lowest, self.all.mean - self.lowest.mean, e));
        let fall = match self.settings.sides {
            Sides::Rise => Signal::None,
            Sides::Both => {
                graded(&self.settings, |e| beyond(self.highest, self.highest.mean - self.all.mean, e))
            }
        };
        let signal = said(rise, fall);
        if signal == Signal::Change {
            *self = Self::new(self.settings);
        }
        signal
    }
}

/// An exponentially weighted average with the sum of its squared weights.
#[derive(Debug, Clone, Copy)]
struct Weighted {
    average: Option<f64>,
    squares: f64,
}

impl Weighted {
    const EMPTY: Self = Self { average: None, squares: 1.0 };

    fn push(&mut self, x: f64, weight: f64) {
        self.average = Some(self.average.map_or(x, |average| weight * x + (1.0 - weight) * average));
        self.squares = weight * weight + (1.0 - weight).powi(2) * self.squares;
    }
}

/// HDDM-W: by weighted averages.
#[derive(Debug, Clone, Copy)]
pub struct HddmW {
    settings: Settings,
    all: Weighted,
    rise: [Weighted; 2],
    fall: [Weighted; 2],
    lowest: f64,
    highest: f64,
}

impl Default for HddmW {
    fn default() -> Self {
        Self::new(Settings::default())
    }
}

impl HddmW {
    /// Nothing seen yet.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let empty = [Weighted::EMPTY; 2];
        Self {
            settings,
            all: Weighted::EMPTY,
            rise: empty,
            fall: empty,
            lowest: f64::INFINITY,
            highest: f64::NEG_INFINITY,
        }
    }

    fn mcdiarmid(squares: f64, epsilon: f64) -> f64 {
        (squares * (1.0 / epsilon).ln() / 2.0).sqrt()
    }

    /// Whether the second average lies above the first one by more than the bound.
    fn exceeds(low: Weighted, high: Weighted, epsilon: f64) -> bool {
        let (Some(a), Some(b)) = (low.average, high.average) else { return false };
        b - a > Self::mcdiarmid(low.squares + high.squares, epsilon)
    }
}

impl Detector for HddmW {
    fn push(&mut self, x: f64) -> Signal {
        let weight = self.settings.weight;
        self.all.push(x, weight);
        let slack = Self::mcdiarmid(self.all.squares, self.settings.drift);
        let average = self.all.average.unwrap_or(x);
        if average + slack < self.lowest {
            self.lowest = average + slack;
            self.rise = [self.all, Weighted::EMPTY];
        } else {
            self.rise[1].push(x, weight);
        }
        if average - slack > self.highest {
            self.highest = average - slack;
            self.fall = [self.all, Weighted::EMPTY];
        } else {
            self.fall[1].push(x, weight);
        }
        let rise = graded(&self.settings, |e| Self::exceeds(self.rise[0], self.rise[1], e));
        let fall = match self.settings.sides {
            Sides::Rise => Signal::None,
            Sides::Both => graded(&self.settings, |e| Self::exceeds(self.fall[1], self.fall[0], e)),
        };
        let signal = said(rise, fall);
        if signal == Signal::Change {
            *self = Self::new(self.settings);
        }
        signal
    }
}
