//! The normal posterior of a difference: how likely the arm is better, and what a wrong choice costs.
//!
//! Question: how likely is the arm better, and how much is lost on average if it is not?
//! Input: an estimated difference with its standard error; a flat or a normal prior on the same scale.
//! Formula: posterior precision 1/s² + 1/τ², mean μ the precision-weighted mean; better Φ(μ/σ); gain E[max(x, 0)] =
//! μΦ(μ/σ) + σφ(μ/σ), loss E[max(-x, 0)] = σφ(μ/σ) - μΦ(-μ/σ); credible interval μ ± zσ.
//! Valid when: the estimate is about normal. With a flat prior the credible interval is the fixed-horizon one: looking often
//! finds too much with it too.
//! Reference: Stucchio 2015 (Bayesian A/B testing at VWO), section 4; Kruschke 2018, doi:10.1177/2515245918771304 (ROPE).
//! Oracle: GrowthBook gbstats `EffectBayesianABTest`; SciPy 1.17 `norm`.
//! Cost: constant.

use super::effect::{Alternative, Estimate, Interval, finite};
use crate::survival;

/// What was believed before.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Prior {
    /// Any difference, as likely as any other.
    #[default]
    Flat,
    /// A normal distribution of differences, on the scale of the estimate; the deviation is above 0.
    Normal {
        /// Its mean.
        mean: f64,
        /// Its standard deviation.
        deviation: f64,
    },
}

/// The posterior of a difference.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Posterior {
    /// Its mean.
    pub mean: f64,
    /// Its standard deviation.
    pub deviation: f64,
    /// P(difference > 0).
    pub probability_better: f64,
    /// What choosing the arm costs on average where it is worse: E[max(-difference, 0)].
    pub expected_loss: f64,
    /// What choosing the control costs on average where the arm is better: E[max(difference, 0)].
    pub expected_gain: f64,
}

/// The posterior; `None` without a positive standard error.
#[must_use]
pub fn posterior(estimate: Estimate, prior: Prior) -> Option<Posterior> {
    let se = estimate.se.filter(|se| *se > 0.0)?;
    let (mean, deviation) = match prior {
        Prior::Flat => (estimate.value, se),
        Prior::Normal { mean, deviation } => {
            // The weight of the data, without squares that could overflow.
            let ratio = se / deviation;
            let weight = 1.0 / (1.0 + ratio * ratio);
            (mean + weight * (estimate.value - mean), se * weight.sqrt())
        }
    };
    let (mean, deviation) = (finite(mean)?, finite(deviation).filter(|deviation| *deviation > 0.0)?);
    let z = mean / deviation;
    Some(Posterior {
        mean,
        deviation,
        probability_better: survival::normal(-z),
        expected_loss: deviation * normal_loss(z),
        expected_gain: deviation * normal_loss(-z),
    })
}

impl Posterior {
    /// The equal-tailed interval that holds the difference with this probability, above 0 and below 1.
    #[must_use]
    pub fn credible(&self, probability: f64) -> Interval {
        let half_width = survival::normal_exceeded((1.0 - probability) / 2.0) * self.deviation;
        Interval::around(self.mean, half_width, Alternative::TwoSided)
    }

    /// The probability of a difference inside a region of practical equivalence.
    #[must_use]
    pub fn inside(&self, region: Interval) -> f64 {
        let above = |x: f64| survival::normal((x - self.mean) / self.deviation);
        let below = |x: f64| survival::normal((self.mean - x) / self.deviation);
        // The difference of the smaller tails keeps the digits.
        let mass = if region.lo > self.mean {
            above(region.lo) - above(region.hi)
        } else if region.hi < self.mean {
            below(region.hi) - below(region.lo)
        } else {
            1.0 - above(region.hi) - below(region.lo)
        };
        mass.clamp(0.0, 1.0)
    }
}

/// E[max(-X, 0)] for X normal with mean `z` and deviation 1.
fn normal_loss(z: f64) -> f64 {
    let density = (-0.5 * z * z).exp() / (2.0 * std::f64::consts::PI).sqrt();
    // Far out φ - zQ loses its digits; there Q = φ/(z + C) with C = 1/(z + 2/(z + 3/(z + …))), and the loss is φC/(z + C).
    if z > 3.0 {
        let c = (2..=FRACTION_TERMS).rev().fold(z, |below, i| z + f64::from(i) / below).recip();
        return density * (c / (z + c));
    }
    density - z * survival::normal(z)
}

/// Terms of Laplace's continued fraction that settle every digit from 3 on.
const FRACTION_TERMS: u32 = 60;

#[cfg(test)]
mod tests {
    use super::{Posterior, Prior, normal_loss, posterior};
    use crate::experiment::{
        effect::{Estimate, Interval},
        proportion::{Proportion, proportions},
    };

    // GrowthBook, packages/stats/tests/bayesian/test_tests.py; printed to five digits.
    #[test]
    fn case_8_agrees_with_gbstats() {
        let contrast = proportions(&Proportion::of(100, 49.0).unwrap(), &Proportion::of(100, 51.0).unwrap());
        let result = posterior(contrast.relative.unwrap(), Prior::Flat).unwrap();
        assert!((result.mean - 0.04082).abs() < 5e-6 && (result.deviation - 0.14725).abs() < 5e-6);
        assert!((result.probability_better - 0.60918).abs() < 5e-6);
        assert!((result.expected_gain - 0.0814).abs() < 5e-6);
        assert!((result.expected_loss - 0.04058).abs() < 5e-6);
        let credible = result.credible(0.95);
        assert!((credible.lo + 0.24779).abs() < 5e-6 && (credible.hi - 0.32943).abs() < 5e-6);
    }

    // Precision 1/0.04 + 1/0.09 and the mean weighted by it: exact fractions.
    #[test]
    fn a_normal_prior_shrinks_the_estimate() {
        let prior = Prior::Normal { mean: 0.0, deviation: 0.3 };
        let result = posterior(Estimate { value: 0.13, se: Some(0.2) }, prior).unwrap();
        assert!((result.mean - 0.09).abs() < 1e-15);
        assert!((result.deviation - (0.09_f64 * 0.04 / 0.13).sqrt()).abs() < 1e-15);
    }

    // mpmath at 40 digits: npdf(z) - z*erfc(z/sqrt(2))/2.
    #[test]
    fn a_far_loss_keeps_its_digits() {
        for (z, expected) in LOSSES {
            assert!((normal_loss(z) / expected - 1.0).abs() < 1e-9, "{z}: {:e}", normal_loss(z));
        }
        assert_eq!(normal_loss(-50.0), 50.0);
        assert_eq!(normal_loss(50.0), 0.0);
    }

    const LOSSES: [(f64, f64); 4] = [
        (0.0, 0.398_942_280_401_432_7),
        (3.0, 3.821_543_170_477_236e-4),
        (12.0, 1.460_520_116_984_554_8e-34),
        (33.0, 1.228_412_447_203_903_4e-240),
    ];

    #[test]
    fn no_standard_error_has_no_posterior() {
        assert_eq!(posterior(Estimate { value: 1.0, se: Some(0.0) }, Prior::Flat), None);
        assert_eq!(posterior(Estimate { value: 1.0, se: None }, Prior::Flat), None);
    }

    #[test]
    fn the_region_and_its_outside_are_everything() {
        let result = Posterior {
            mean: 0.1,
            deviation: 0.2,
            probability_better: 0.5,
            expected_loss: 0.0,
            expected_gain: 0.0,
        };
        let inside = result.inside(Interval { lo: -0.1, hi: 0.3 });
        // P(|Z| < 1).
        assert!((inside - 0.682_689_492_137_085_9).abs() < 1e-10);
        let far = result.inside(Interval { lo: 2.1, hi: f64::INFINITY });
        assert!((far / 7.619_853_024_160_526e-24 - 1.0).abs() < 1e-10);
    }
}
