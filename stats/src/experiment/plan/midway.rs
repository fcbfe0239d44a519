//! Power in the middle: how many more units a running experiment needs.
//!
//! Question: with the variances seen so far, how much longer until the target effect would be found?
//! Input: the running comparison's sums, the target effect, the stopping rule.
//! Formula: the standard error at the target effect shrinks with √(1 + s) when s times the units so far are added; s is where the
//! power reaches the wanted one. Power counts the side of the target only: an answer the wrong way finds nothing. The seen effect plays no part: power at the seen effect says nothing that the p-value does not.
//! Valid when: units to come are like those so far.
//! Reference: Hoenig, Heisey 2001, doi:10.1198/000313001300339897 (why not the seen effect).
//! Oracle: GrowthBook `power.test.ts`, mid-experiment power.
//! Cost: some sixty powers.

use super::{Moment, Plan, Scale, delta_variance};
use crate::{experiment::effect::Alternative, survival};

/// What the running experiment has.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Running {
    /// The control: mean, variance of one unit, units.
    pub control: Moment,
    /// The arm.
    pub arm: Moment,
}

/// Units to come as a multiple of those so far; more than this is "never".
const SCALE_MAX: f64 = 1e9;
/// Halvings of the multiple.
const HALVINGS: u32 = 80;

impl Plan {
    /// The power at `effect` once the units so far have been multiplied by `times`; baseline and allocation of the plan are
    /// replaced by what was seen. `None` as for [`Plan::power`].
    #[must_use]
    pub fn power_after(&self, running: &Running, effect: f64, times: f64) -> Option<f64> {
        let base = running.control.mean;
        let weighed = if self.null == 0.0 { effect } else { self.null };
        let change = if self.scale == Scale::Relative { weighed * base.abs() } else { weighed };
        let (n, m) = (running.control.n * times, running.arm.n * times);
        let control = Moment { n, ..running.control };
        let arm = Moment { n: m, mean: base + change, ..running.arm };
        let se = delta_variance(control, arm, self.scale).sqrt();
        if !(se > 0.0 && se.is_finite() && n >= 2.0 && m >= 2.0) {
            return None;
        }
        let shift = (effect - self.null) / se;
        let towards = match self.level.alternative {
            Alternative::TwoSided => shift.abs(),
            Alternative::Greater => shift,
            Alternative::Less => -shift,
        };
        Some(survival::normal(self.critical(n + m)? - towards))
    }

    /// Units to come as a multiple of those so far, until `effect` is found with the wanted power; 0 where it already would be.
    #[must_use]
    pub fn remaining(&self, running: &Running, effect: f64, wanted: f64) -> Option<f64> {
        let wrong_side = match self.level.alternative {
            Alternative::TwoSided => effect == self.null,
            Alternative::Greater => effect <= self.null,
            Alternative::Less => effect >= self.null,
        };
        if wrong_side || !(wanted > 0.0 && wanted < 1.0) {
            return None;
        }
        let enough = |times: f64| Some(self.power_after(running, effect, times)? >= wanted);
        if enough(1.0)? {
            return Some(0.0);
        }
        let (mut low, mut high) = (1.0, 2.0);
        while !enough(high)? {
            (low, high) = (high, 2.0 * high);
            if high > SCALE_MAX {
                return None;
            }
        }
        for _ in 0..HALVINGS {
            let middle = f64::midpoint(low, high);
            if enough(middle)? { high = middle } else { low = middle }
        }
        Some(high - 1.0)
    }
}
