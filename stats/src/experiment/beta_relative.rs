//! The relative difference of two proportions by their beta posteriors, exact at any number of units.
//!
//! Question: between which relative differences does the true one lie, and how likely is it within a region, where there are too few
//! successes for a normal posterior?
//! Input: units and successes of both arms; a beta prior.
//! Formula: P(p/p₀ - 1 ≤ r) = ∫ f₀(x)F((1 + r)x) dx for r ≤ 0, else 1 - ∫ f(x)F₀(x/(1 + r)) dx; on x = sin²θ, where the inner share is
//! sin²φ with sin φ = √t sin θ, t ≤ 1 the factor. Quantiles by halving ln(1 + r).
//! Valid when: always.
//! Degenerate: an arm without units has its prior.
//! Reference: Stucchio 2015 (Bayesian A/B testing at VWO), section 5; Gelman et al. 2013, Bayesian Data Analysis, section 2.4.
//! Oracle: SciPy 1.17 `quad` over `scipy.stats.beta`.
//! Cost: some 3,000 evaluations of two densities, sixty times for a quantile.

use super::{
    beta_binomial::BetaPrior,
    beta_density::Density,
    proportion::Proportion,
    quadrature::{ORDER, cumulative, panel},
};

/// How far the logarithm of the ratio of two proportions may be from 0: beyond it there is no mass.
const LOG_MAX: f64 = 300.0;
/// Halvings of 2·[`LOG_MAX`], after which 1e-15 is left.
const HALVINGS: u32 = 60;

/// The posterior of the arm's proportion over the control's, less 1.
#[derive(Debug, Clone, Copy)]
pub struct BetaRelative {
    control: Density,
    arm: Density,
}

impl BetaRelative {
    /// That of two arms with the same prior.
    #[must_use]
    pub fn of(control: &Proportion, arm: &Proportion, prior: BetaPrior) -> Self {
        Self { control: prior.posterior(control), arm: prior.posterior(arm) }
    }

    /// The probability that the difference is at most this one.
    #[must_use]
    pub fn below(&self, relative: f64) -> f64 {
        let times = 1.0 + relative;
        if times <= 0.0 {
            0.0
        } else if times <= 1.0 {
            at_most(&self.arm, &self.control, times)
        } else {
            1.0 - at_most(&self.control, &self.arm, times.recip())
        }
    }

    /// The difference below which this probability lies, strictly between 0 and 1.
    #[must_use]
    pub fn quantile(&self, probability: f64) -> f64 {
        let (mut low, mut high) = (-LOG_MAX, LOG_MAX);
        for _ in 0..HALVINGS {
            let middle = f64::midpoint(low, high);
            if self.below(middle.exp_m1()) < probability {
                low = middle;
            } else {
                high = middle;
            }
        }
        f64::midpoint(low, high).exp_m1()
    }
}

/// The probability that the inner proportion is at most `times` the outer one; `times` above 0 and at most 1.
fn at_most(inner: &Density, outer: &Density, times: f64) -> f64 {
    let slope = times.sqrt();
    let back = |phi: f64| (phi.sin() / slope).min(1.0).asin();
    let mut edges: Vec<f64> = outer.edges().chain(inner.edges().map(back)).collect();
    edges.sort_by(f64::total_cmp);
    edges.dedup();
    let (mut before, mut both, mut all) = (0.0_f64, 0.0_f64, 0.0_f64);
    for pair in edges.windows(2) {
        let points = panel(pair[0], pair[1]);
        // The inner density by θ: that by φ times dφ/dθ = √t cos θ/cos φ.
        let values: [f64; ORDER] = std::array::from_fn(|i| {
            let (sine, cosine) = points[i].x.sin_cos();
            let rest = (cosine * cosine + (1.0 - times) * sine * sine).sqrt();
            inner.at((slope * sine).atan2(rest)) * slope * cosine / rest
        });
        let parts = cumulative(&values, pair[1] - pair[0]);
        let mut mass = 0.0;
        for ((point, value), (below, _)) in points.iter().zip(values).zip(parts) {
            let weight = point.weight * outer.at(point.x);
            both += weight * (before + below.max(0.0));
            all += weight;
            mass += point.weight * value;
        }
        before += mass;
    }
    (both / (all * inner.total())).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::BetaRelative;
    use crate::experiment::{beta_binomial::BetaPrior, proportion::Proportion};

    fn of((k, n): (f64, u64), (successes, units): (f64, u64), (a, b): (f64, f64)) -> BetaRelative {
        let prior = BetaPrior::of(a, b).unwrap();
        BetaRelative::of(&Proportion::of(n, k).unwrap(), &Proportion::of(units, successes).unwrap(), prior)
    }

    // By hand: of two uniform proportions the ratio is at most t ≤ 1 with t/2, and at most t > 1 with 1 - 1/(2t).
    #[test]
    fn the_ratio_of_two_uniform_proportions_has_a_closed_form() {
        let found = of((0.0, 0), (0.0, 0), (1.0, 1.0));
        for (relative, expected) in [(-1.0, 0.0), (-0.5, 0.25), (0.0, 0.5), (1.0, 0.75), (9.0, 0.95)] {
            assert!(
                (found.below(relative) - expected).abs() < 1e-12,
                "{relative}: {}",
                found.below(relative)
            );
        }
        for (probability, expected) in [(0.025, -0.95), (0.975, 19.0)] {
            let quantile = found.quantile(probability);
            assert!((quantile - expected).abs() < 1e-9, "{probability}: {quantile}");
        }
    }

    /// Successes and units.
    type Arm = (f64, u64);
    /// Control and arm, the prior, and the ends.
    type Case = (Arm, Arm, (f64, f64), [f64; 2]);

    // Oracle: at these ends the integral by SciPy 1.17 `quad` of `beta.pdf` of the control times `beta.cdf` of the arm is .025 and .975
    // within 2e-13.
    const CASES: [Case; 5] = [
        ((1.0, 18), (6.0, 15), (1.0, 2.0), [0.231_695_815_717_150_26, 31.492_165_101_348_164]),
        ((9.0, 500), (2.0, 500), (0.5, 0.5), [-0.958_353_047_315_059_2, -0.128_412_193_843_711_72]),
        ((0.0, 500), (6.0, 500), (0.5, 0.5), [1.034_099_055_808_012, 12_724.173_263_463_152]),
        ((0.0, 20), (20.0, 20), (0.5, 0.5), [7.353_632_283_181_162, 40_248.427_998_1]),
        (
            (500.0, 1_000_000),
            (560.0, 1_000_000),
            (1.0, 1.0),
            [-0.007_163_165_135_520_2, 0.263_435_650_604_850_64],
        ),
    ];

    #[test]
    fn intervals_agree_with_scipy() {
        for (control, arm, prior, expected) in CASES {
            let found = of(control, arm, prior);
            for (probability, end) in [0.025, 0.975].into_iter().zip(expected) {
                let quantile = found.quantile(probability);
                assert!(
                    (quantile / end - 1.0).abs() < 1e-8,
                    "{control:?} {arm:?}: {quantile} instead of {end}"
                );
            }
        }
    }
}
