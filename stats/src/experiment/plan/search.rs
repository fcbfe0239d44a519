//! The number of units, or the effect, at which a plan has the power that is wanted.
//!
//! Question: how many units are needed for this effect, and which effect is the smallest that these units find?
//! Input: a [`Plan`] and the wanted power, above the level and below 1.
//! Formula: power rises with units and with the size of the effect, so both are found by doubling and halving.
//! Valid when: as for the plan.
//! Reference: as for the plan.
//! Oracle: statsmodels 0.15 `TTestIndPower().solve_power`; GrowthBook `power.test.ts`.
//! Cost: some sixty powers.

use super::{Plan, Scale, Stopping};
use crate::experiment::effect::Alternative;

/// Units at most: more people than there are.
const UNITS_MAX: f64 = 1e13;
/// Halvings of an interval of effects; each keeps one bit.
const HALVINGS: u32 = 100;

/// Which way the effect goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// The arm has more.
    Up,
    /// The arm has less.
    Down,
}

impl Plan {
    /// The fewest units over all arms that find `effect` with the wanted power, in whole numbers.
    ///
    /// `None` where no number does: an effect at the null hypothesis or on the side that the test does not look at, an effect that
    /// the metric cannot have, or a wanted power outside of (0, 1).
    #[must_use]
    pub fn sample_size(&self, effect: f64, wanted: f64) -> Option<u64> {
        if !(wanted > 0.0 && wanted < 1.0) {
            return None;
        }
        let enough = |total: f64| self.power(effect, total).is_some_and(|power| power >= wanted);
        let mut high = 4.0;
        while !enough(high) {
            high *= 2.0;
            if high > UNITS_MAX {
                return None;
            }
        }
        let mut low = 0.0;
        while high - low > 1.0 {
            let middle = f64::midpoint(low, high).floor();
            if enough(middle) { high = middle } else { low = middle }
        }
        #[expect(clippy::cast_sign_loss, reason = "a whole number above 0")]
        Some(high as u64)
    }

    /// The smallest effect that `total` units over all arms find with the wanted power, with its sign.
    ///
    /// `None` where no effect is found that often: too few units, an effect that the metric cannot have, or a side that the
    /// test does not look at.
    #[must_use]
    pub fn minimum_detectable_effect(&self, total: f64, wanted: f64, direction: Direction) -> Option<f64> {
        let blind = match self.level.alternative {
            Alternative::TwoSided => false,
            Alternative::Greater => direction == Direction::Down,
            Alternative::Less => direction == Direction::Up,
        };
        if blind || !(wanted > self.level.alpha && wanted < 1.0) {
            return None;
        }
        let sign = if direction == Direction::Up { 1.0 } else { -1.0 };
        let effect = |size: f64| self.null + sign * size;
        let enough = |size: f64| self.power(effect(size), total).is_some_and(|power| power >= wanted);
        // From about the right size: the standard error at the null hypothesis.
        let mut high = self.standard_error(self.null, self.allocation.units(total))?;
        let mut low = 0.0;
        while !enough(high) {
            low = high;
            high = self.larger(high, effect(high))?;
        }
        for _ in 0..HALVINGS {
            let middle = f64::midpoint(low, high);
            if middle <= low || middle >= high {
                break;
            }
            if enough(middle) { high = middle } else { low = middle }
        }
        Some(effect(high))
    }

    /// A larger effect to try; `None` where none is left.
    fn larger(&self, size: f64, tried: f64) -> Option<f64> {
        let base = self.baseline.mean().abs();
        let most = match self.scale {
            Scale::Absolute => f64::MAX.sqrt(),
            // Beyond it the control's own variance is all that is left of the standard error.
            Scale::Relative => 1e6,
        };
        let next = size * 2.0;
        if next < most && self.possible(tried + (next - size) * tried.signum(), base) {
            return Some(next);
        }
        // The last step goes to the end of what the metric can have.
        let nearer = size * 1.01;
        (nearer < most && self.possible(tried + (nearer - size) * tried.signum(), base)).then_some(nearer)
    }

    fn possible(&self, effect: f64, base: f64) -> bool {
        let change = if self.scale == Scale::Relative { effect * base } else { effect };
        self.baseline.variance_at(self.baseline.mean() + change).is_some()
    }

    /// The units that another stopping rule takes for the same effect and power, over those of one look; `None` where one of both
    /// does not find it.
    #[must_use]
    pub fn inflation(&self, effect: f64, wanted: f64) -> Option<f64> {
        let fixed = Self { stopping: Stopping::Fixed, ..*self }.sample_size(effect, wanted)?;
        Some(self.sample_size(effect, wanted)? as f64 / fixed as f64)
    }
}
