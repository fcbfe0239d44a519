//! Planning an experiment: power, sample size and the smallest effect that it would find.
//!
//! Question: how many units does the experiment need, or what can it find with the units that there are?
//! Input: a [`Baseline`] from past data, the [`Allocation`] of traffic, the level and sides of the test, and how it will be stopped.
//! Formula: the difference of the two arms over its standard error is about normal with the mean (d - d₀)/σ(d); σ² is
//! v₁/n₁ + v₀/n₀ on the absolute scale and v₁/(n₁m₀²) + v₀m₁²/(n₀m₀⁴) on the relative one, with m₁ the mean at the effect d, or where
//! the null hypothesis is a difference d₀ the mean at d₀, as in [`super::effect::Contrast::beyond`].
//! The test rejects beyond the critical value of its stopping rule: normal, or the confidence sequence's at this number of units.
//! Two shares over many looks are tested by the error of shares that are alike (the pooled z), and against a margin at any number of looks by that
//! of the likeliest shares that differ by the margin ([`super::proportion::beyond`]), so that the critical value is in that.
//! A mean at a fixed horizon has Student's t with Satterthwaite's degrees of freedom instead, non-central at the effect.
//! Two-sided power counts both sides.
//! Valid when: estimates are about normal; the past is like the future.
//! Reference: Chow, Shao, Wang, Lokhnygina 2017, doi:10.1201/9781315183084, section 3.2; Deng, Knoblich, Lu 2018,
//! doi:10.1145/3219819.3219919 (relative); Waudby-Smith et al. 2021, arXiv:2103.06476 (sequence).
//! Oracle: statsmodels 0.15 `TTestIndPower`, `NormalIndPower`; GrowthBook `power.test.ts`.
//! Cost: a few thousand operations a power; some forty powers a search.

pub mod baseline;
pub mod group_sequential;
pub mod midway;
mod noncentral;
pub mod search;

pub use baseline::Baseline;

use super::{
    effect::{Alternative, Estimate, Level},
    proportion, sequence,
};
use crate::survival;

/// Degrees of freedom above which Student's t and the normal distribution give the same power to six digits.
const NORMAL_FROM: f64 = 1e5;

/// How effects are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Scale {
    /// In units of the metric.
    Absolute,
    /// As a share of the control's absolute value.
    #[default]
    Relative,
}

/// The shares of all units that the two compared arms get; the rest goes to other arms or to none.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Allocation {
    control: f64,
    arm: f64,
}

/// How the experiment ends.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Stopping {
    /// After the planned number of units, with one look.
    Fixed,
    /// At any time, by a confidence sequence tuned to this many units of both arms.
    Sequential {
        /// See [`sequence::confidence_sequence`].
        tuning: f64,
    },
    /// At any time, by a confidence sequence tuned to the units at which the power is asked for.
    SequentialTuned,
    /// At planned looks; the factor says how many more units than with one look the same power takes
    /// ([`group_sequential::inflation`]).
    GroupSequential {
        /// At least 1.
        inflation: f64,
    },
}

/// A comparison of one arm with the control, before there are data.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Plan {
    /// What is known of the metric.
    pub baseline: Baseline,
    /// How effects are told.
    pub scale: Scale,
    /// Who gets how many units.
    pub allocation: Allocation,
    /// The error and sides of this comparison, already corrected for the number of comparisons.
    pub level: Level,
    /// The effect under the null hypothesis: 0, or minus the margin where the arm needs to be no worse.
    pub null: f64,
    /// How the experiment ends.
    pub stopping: Stopping,
}

impl Allocation {
    /// Equal shares of `arms` arms, the control among them; `None` below two.
    #[must_use]
    pub fn equal(arms: u32) -> Option<Self> {
        let share = 1.0 / f64::from(arms);
        (arms >= 2).then_some(Self { control: share, arm: share })
    }

    /// Weights of control and arm out of all weights; `None` unless both are above 0 and within `total`.
    #[must_use]
    pub fn of(control: f64, arm: f64, total: f64) -> Option<Self> {
        let usable =
            control > 0.0 && arm > 0.0 && control + arm <= total * (1.0 + 1e-12) && total.is_finite();
        usable.then(|| Self { control: control / total, arm: arm / total })
    }

    /// The shares that make all comparisons with the control most precise: the control gets √(arms - 1) times an arm's.
    #[must_use]
    pub fn square_root(arms: u32) -> Option<Self> {
        let others = f64::from(arms.checked_sub(1).filter(|others| *others > 0)?);
        Self::of(others.sqrt(), 1.0, others.sqrt() + others)
    }

    /// The units of control and arm out of `total`.
    #[must_use]
    pub fn units(&self, total: f64) -> (f64, f64) {
        (self.control * total, self.arm * total)
    }
}

impl Plan {
    /// A plan of two equal arms with a relative effect, two-sided at the level `alpha`, with one look.
    #[must_use]
    pub fn new(baseline: Baseline, alpha: f64) -> Self {
        Self {
            baseline,
            scale: Scale::Relative,
            allocation: Allocation { control: 0.5, arm: 0.5 },
            level: Level::two_sided(alpha),
            null: 0.0,
            stopping: Stopping::Fixed,
        }
    }

    /// The chance that a true effect is found with `total` units over all arms.
    ///
    /// `None` where it is not defined: an effect that the metric cannot have, a baseline of 0 on the relative scale, fewer than
    /// two units in an arm, no variance at all.
    #[must_use]
    pub fn power(&self, effect: f64, total: f64) -> Option<f64> {
        let (n_control, n_arm) = self.allocation.units(total);
        let (n_control, n_arm) = match self.stopping {
            Stopping::GroupSequential { inflation } if inflation >= 1.0 => {
                (n_control / inflation, n_arm / inflation)
            }
            _ => (n_control, n_arm),
        };
        if !(n_control >= 2.0 && n_arm >= 2.0 && effect.is_finite() && self.null.is_finite()) {
            return None;
        }
        let se = self.standard_error(effect, (n_control, n_arm))?;
        let shift = (effect - self.null) / se;
        let df = self.baseline.degrees_of_freedom(n_control, n_arm).filter(|df| *df < NORMAL_FROM);
        let one_look = matches!(self.stopping, Stopping::Fixed | Stopping::GroupSequential { .. });
        let power = match df.filter(|_| one_look) {
            Some(df) => noncentral::power(shift, df, self.level),
            None => {
                let counted = self.counted(effect, (n_control, n_arm)).map_or(1.0, |counted| counted / se);
                self.at_critical(shift, self.critical(n_control + n_arm)? * counted)
            }
        };
        Some(power.clamp(0.0, 1.0))
    }

    /// The standard error of the estimated effect at a true effect, with these units of control and arm; `None` as for
    /// [`Plan::power`].
    #[must_use]
    pub fn standard_error(&self, effect: f64, (n_control, n_arm): (f64, f64)) -> Option<f64> {
        let base = self.baseline.mean();
        let mean = match self.scale {
            Scale::Absolute => base + effect,
            Scale::Relative => base + effect * base.abs(),
        };
        let (v_control, v_arm) = (self.baseline.variance_at(base)?, self.baseline.variance_at(mean)?);
        let variance = delta_variance(
            Moment { mean: base, variance: v_control, n: n_control },
            Moment { mean: self.weighing(mean), variance: v_arm, n: n_arm },
            self.scale,
        );
        Some(variance.sqrt()).filter(|se| se.is_finite() && *se > 0.0)
    }

    /// The error by which two shares are tested over many looks or against a margin: that of shares that are alike, or differ by the margin. `None`
    /// of everything else, which is tested by the error that it has.
    fn counted(&self, effect: f64, (n_control, n_arm): (f64, f64)) -> Option<f64> {
        if !self.baseline.is_share() || (self.stopping == Stopping::Fixed && self.null == 0.0) {
            return None;
        }
        let base = self.baseline.mean();
        match self.scale {
            Scale::Absolute if self.null == 0.0 => {
                let alike = base + effect * n_arm / (n_control + n_arm);
                Some((self.baseline.variance_at(alike)? * (1.0 / n_control + 1.0 / n_arm)).sqrt())
            }
            Scale::Absolute => None,
            Scale::Relative => {
                let counts = |n: f64, share: f64| [n, n * share];
                let arm = counts(n_arm, base + effect * base);
                let [control, arm] = proportion::likeliest(counts(n_control, base), arm, self.null)?;
                let factor = 1.0 + self.null;
                let own = self.baseline.variance_at(arm)? / n_arm;
                let other = factor * factor * self.baseline.variance_at(control)? / n_control;
                Some((own + other).sqrt() / base).filter(|error| error.is_finite())
            }
        }
    }

    /// The arm's mean by which the control's error is weighed on the relative scale.
    fn weighing(&self, mean: f64) -> f64 {
        let base = self.baseline.mean();
        if self.null == 0.0 { mean } else { base + self.null * base.abs() }
    }

    /// The error on one side.
    fn tail(&self) -> f64 {
        match self.level.alternative {
            Alternative::TwoSided => self.level.alpha / 2.0,
            _ => self.level.alpha,
        }
    }

    fn at_critical(&self, shift: f64, critical: f64) -> f64 {
        match self.level.alternative {
            Alternative::TwoSided => survival::normal(critical - shift) + survival::normal(critical + shift),
            Alternative::Greater => survival::normal(critical - shift),
            Alternative::Less => survival::normal(critical + shift),
        }
    }

    /// The z, or the half-width of the confidence sequence in standard errors, that the effect has to pass with these units of
    /// both arms; `None` for a tuning that is not above 0.
    #[expect(clippy::cast_sign_loss, reason = "units are positive")]
    fn critical(&self, units: f64) -> Option<f64> {
        let tuning = match self.stopping {
            Stopping::Sequential { tuning } => tuning,
            Stopping::SequentialTuned => units,
            Stopping::Fixed | Stopping::GroupSequential { .. } => {
                return Some(survival::normal_exceeded(self.tail()));
            }
        };
        let one = Estimate { value: 0.0, se: Some(1.0) };
        let usable = tuning > 0.0 && tuning.is_finite();
        let ci =
            usable.then(|| sequence::confidence_sequence(one, units as u64, tuning, self.level).ci)??;
        Some(if ci.hi.is_finite() { ci.hi } else { -ci.lo })
    }
}

/// What enters the variance of a difference.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Moment {
    /// The mean.
    pub mean: f64,
    /// The variance of one unit.
    pub variance: f64,
    /// The units.
    pub n: f64,
}

/// The variance of the arm's difference to the control by the delta method.
#[must_use]
pub fn delta_variance(control: Moment, arm: Moment, scale: Scale) -> f64 {
    let (own, other) = (arm.variance / arm.n, control.variance / control.n);
    match scale {
        Scale::Absolute => own + other,
        Scale::Relative => {
            let ratio = arm.mean / control.mean;
            (own + other * ratio * ratio) / (control.mean * control.mean)
        }
    }
}

#[cfg(test)]
mod tests;
