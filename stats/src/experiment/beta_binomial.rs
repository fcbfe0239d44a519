//! The beta-binomial posterior of two proportions, exact at any number of units.
//!
//! Question: how likely is the arm's proportion higher, where there are too few successes for a normal posterior?
//! Input: units and successes of both arms; a beta prior with both parameters ½ (Jeffreys) or more.
//! Formula: each proportion is Beta(a + s, b + n - s). Better ∫ f(x)F₀(x) dx, loss E[max(p₀ - p, 0)] = ∫ F(x)(1 - F₀(x)) dx, gain the
//! same with the arms exchanged; on x = sin²θ, where both densities are smooth at their ends.
//! Valid when: always.
//! Reference: Stucchio 2015 (Bayesian A/B testing at VWO), section 5; Gelman et al. 2013, Bayesian Data Analysis, section 2.4.
//! Oracle: mpmath `quad` over `betainc`.
//! Cost: some 2,000 evaluations of two densities.

use thiserror::Error;

use super::{beta_density::Density, proportion::Proportion, quadrature::panel};

/// A beta prior of a proportion.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BetaPrior {
    successes: f64,
    failures: f64,
}

/// Why parameters are no prior here.
#[derive(Debug, Clone, Copy, PartialEq, Error)]
#[error("a beta prior of {successes} and {failures} is not finite with both at least 0.5")]
pub struct PriorError {
    /// The first parameter.
    pub successes: f64,
    /// The second one.
    pub failures: f64,
}

impl BetaPrior {
    /// Every proportion as likely as any other.
    pub const UNIFORM: Self = Self { successes: 1.0, failures: 1.0 };
    /// Jeffreys' prior.
    pub const JEFFREYS: Self = Self { successes: 0.5, failures: 0.5 };

    /// The prior as if this many units had succeeded and failed before.
    ///
    /// # Errors
    /// Where a parameter is below ½ or not finite.
    pub fn of(successes: f64, failures: f64) -> Result<Self, PriorError> {
        let usable = |parameter: f64| parameter.is_finite() && parameter >= 0.5;
        if usable(successes) && usable(failures) {
            Ok(Self { successes, failures })
        } else {
            Err(PriorError { successes, failures })
        }
    }

    /// The posterior of an arm; without units the prior.
    pub(super) fn posterior(self, side: &Proportion) -> Density {
        let failures = side.n() as f64 - side.successes();
        Density::of(self.successes + side.successes(), self.failures + failures)
    }
}

/// The comparison of two posteriors.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BetaPosterior {
    /// The mean of the arm's proportion.
    pub mean: f64,
    /// That of the control's.
    pub mean_control: f64,
    /// P(the arm's proportion is higher).
    pub probability_better: f64,
    /// What choosing the arm costs on average where it is worse.
    pub expected_loss: f64,
    /// What choosing the control costs on average where the arm is better.
    pub expected_gain: f64,
}

/// Compares the posteriors of two arms; an arm without units has its prior.
#[must_use]
pub fn beta_binomial(control: &Proportion, arm: &Proportion, prior: BetaPrior) -> BetaPosterior {
    let (control, arm) = (prior.posterior(control), prior.posterior(arm));
    let mut edges: Vec<f64> = control.edges().chain(arm.edges()).collect();
    edges.sort_by(f64::total_cmp);
    edges.dedup();
    let panels: Vec<(f64, f64)> = edges.windows(2).map(|pair| (pair[0], pair[1])).collect();
    let (below, below_control) = (arm.tails(&panels), control.tails(&panels));
    let mut result = BetaPosterior {
        mean: arm.mean(),
        mean_control: control.mean(),
        probability_better: 0.0,
        expected_loss: 0.0,
        expected_gain: 0.0,
    };
    for (index, (from, to)) in panels.iter().enumerate() {
        for (i, point) in panel(*from, *to).iter().enumerate() {
            let (mine, other) = (below[index][i], below_control[index][i]);
            // dx = sin 2θ dθ.
            let width = point.weight * (2.0 * point.x).sin();
            result.probability_better += point.weight * mine.density * other.below;
            result.expected_loss += width * mine.below * other.above;
            result.expected_gain += width * mine.above * other.below;
        }
    }
    result.probability_better = result.probability_better.min(1.0);
    result
}

#[cfg(test)]
mod tests {
    use super::{BetaPosterior, BetaPrior, beta_binomial};
    use crate::experiment::proportion::Proportion;

    fn of(control: (u64, u64), arm: (u64, u64), prior: BetaPrior) -> BetaPosterior {
        let side = |(successes, n): (u64, u64)| Proportion::of(n, successes as f64).unwrap();
        beta_binomial(&side(control), &side(arm), prior)
    }

    fn close(actual: f64, expected: f64) {
        assert!((actual / expected - 1.0).abs() < 1e-9, "{actual:e} instead of {expected:e}");
    }

    // Two uniform proportions: better half of the time, and E[max(x - y, 0)] = 1/6.
    #[test]
    fn two_uniform_priors_are_even() {
        let result = of((0, 0), (0, 0), BetaPrior::UNIFORM);
        close(result.probability_better, 0.5);
        close(result.expected_loss, 1.0 / 6.0);
        close(result.expected_gain, 1.0 / 6.0);
    }

    // Beta(1, 2) against Beta(2, 1): ∫ 2(1-x)·x² dx = 1/6 by hand.
    #[test]
    fn one_failure_against_one_success_is_five_sixths() {
        let result = of((0, 1), (1, 1), BetaPrior::UNIFORM);
        close(result.probability_better, 5.0 / 6.0);
        close(result.expected_gain - result.expected_loss, 1.0 / 3.0);
    }

    #[test]
    fn arms_far_apart_leave_no_doubt() {
        let result = of((10, 100_000), (99_990, 100_000), BetaPrior::JEFFREYS);
        close(result.probability_better, 1.0);
        assert!(result.expected_loss >= 0.0 && result.expected_loss < 1e-30);
        close(result.expected_gain, result.mean - result.mean_control);
    }

    #[test]
    fn losses_differ_by_the_difference_of_the_means() {
        for (control, arm) in [((0, 3), (0, 50)), ((500, 1_000_000), (560, 1_000_000)), ((7, 7), (3, 3))] {
            for prior in [BetaPrior::UNIFORM, BetaPrior::JEFFREYS] {
                let result = of(control, arm, prior);
                let off = result.expected_gain - result.expected_loss - (result.mean - result.mean_control);
                assert!(off.abs() < 1e-12 * result.expected_gain.max(1e-3), "{result:?}");
            }
        }
    }

    #[test]
    fn a_prior_below_one_half_is_refused() {
        assert!(BetaPrior::of(0.1, 1.0).is_err() && BetaPrior::of(f64::NAN, 1.0).is_err());
        assert_eq!(BetaPrior::of(1.0, 1.0), Ok(BetaPrior::UNIFORM));
    }
}
