//! What is known of a metric before an experiment: its mean and how much one unit varies.
//!
//! Question: which two numbers of past data decide how many units an experiment needs?
//! Input: sums over past units, of the span that the experiment will take: what a unit does in a day says little of a month.
//! Formula: mean: m, s². Share: p, p(1-p), which moves with p. Ratio: R and (v_M - 2R·c + R²v_D)/μ_D². Quantile: Q and
//! n·Var(Q), or q(1-q)/f² with f the density of independent rows at Q. A covariate takes the share ρ² off the variance.
//! Valid when: units are independent.
//! Reference: Deng, Knoblich, Lu 2018, doi:10.1145/3219819.3219919; Deng, Xu, Kohavi, Walker 2013, doi:10.1145/2433396.2433413.
//! Oracle: as of the estimators.
//! Cost: constant.

use crate::experiment::{
    cuped::{self, Laws},
    quantile::QuantileArm,
    ratio,
    sums::{PairSums, Sums},
};

/// Mean and variance of one unit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Baseline {
    mean: f64,
    variance: Variance,
    /// The share of the variance that stays after the covariate.
    kept: f64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Variance {
    /// The same whatever the effect; estimated from the units, so that the test is Student's.
    Units(f64),
    /// The same whatever the effect; the test is the normal one.
    Linear(f64),
    /// p(1-p).
    Share,
}

impl Baseline {
    /// A mean with the variance of one unit; `None` unless both are finite and the variance is not negative.
    #[must_use]
    pub fn of_mean(mean: f64, variance: f64) -> Option<Self> {
        Self::of(mean, Variance::Units(variance)).filter(|_| variance >= 0.0 && variance.is_finite())
    }

    /// The same from sums.
    #[must_use]
    pub fn of_sums(sums: &Sums) -> Option<Self> {
        Self::of_mean(sums.mean(0)?, sums.variance()?)
    }

    /// A mean with the covariate that it will be adjusted by.
    #[must_use]
    pub fn of_pairs(pairs: &PairSums) -> Option<Self> {
        let adjusted = cuped::adjusted(pairs, pairs, Laws::default());
        let baseline = Self::of_mean(pairs.mean(0)?, pairs.covariance(0, 0)?)?;
        baseline.with_variance_reduction(adjusted.variance_reduction.unwrap_or(0.0).clamp(0.0, 1.0))
    }

    /// A proportion; `None` outside of [0, 1].
    #[must_use]
    pub fn of_share(share: f64) -> Option<Self> {
        Self::of(share, Variance::Share).filter(|_| (0.0..=1.0).contains(&share))
    }

    /// A ratio of sums of numerator and denominator.
    #[must_use]
    pub fn of_ratio(pairs: &PairSums) -> Option<Self> {
        let arm = ratio::of(pairs);
        Self::of(arm.mean?, Variance::Linear(arm.variance? * arm.n as f64))
    }

    /// A quantile of rows; a unit may have many.
    #[must_use]
    pub fn of_quantile(arm: &QuantileArm) -> Option<Self> {
        Self::of(arm.estimate, Variance::Linear(arm.variance()? * arm.clusters.n() as f64))
    }

    /// A quantile of units with one row each, where about a share `density` of them lies within a unit of the metric at `value`;
    /// `None` unless q is within (0, 1) and the density is above 0.
    #[must_use]
    pub fn of_density(q: f64, value: f64, density: f64) -> Option<Self> {
        let usable = q > 0.0 && q < 1.0 && density > 0.0 && density.is_finite();
        let variance = q * (1.0 - q) / density / density;
        Self::of(value, Variance::Linear(variance)).filter(|_| usable && variance.is_finite())
    }

    /// The same when a covariate explains a share of the variance: the squared correlation; `None` outside of [0, 1].
    #[must_use]
    pub fn with_variance_reduction(self, share: f64) -> Option<Self> {
        (0.0..=1.0).contains(&share).then_some(Self { kept: self.kept * (1.0 - share), ..self })
    }

    /// The mean.
    #[must_use]
    pub fn mean(&self) -> f64 {
        self.mean
    }

    /// The variance of one unit where the metric's mean is `mean`; `None` where it cannot be.
    #[must_use]
    pub fn variance_at(&self, mean: f64) -> Option<f64> {
        match self.variance {
            Variance::Units(variance) | Variance::Linear(variance) => Some(variance * self.kept),
            Variance::Share if (0.0..=1.0).contains(&mean) => Some(mean * (1.0 - mean) * self.kept),
            Variance::Share => None,
        }
    }

    /// Whether it is a proportion, which a covariate may adjust.
    pub(super) fn is_share(&self) -> bool {
        self.variance == Variance::Share
    }

    /// Satterthwaite's degrees of freedom of two arms of equal variance; `None` where the test is the normal one.
    pub(super) fn degrees_of_freedom(&self, n: f64, m: f64) -> Option<f64> {
        if !matches!(self.variance, Variance::Units(_)) {
            return None;
        }
        let sum = 1.0 / n + 1.0 / m;
        Some(sum * sum / (1.0 / (n * n * (n - 1.0)) + 1.0 / (m * m * (m - 1.0))))
    }

    fn of(mean: f64, variance: Variance) -> Option<Self> {
        mean.is_finite().then_some(Self { mean, variance, kept: 1.0 })
    }
}
