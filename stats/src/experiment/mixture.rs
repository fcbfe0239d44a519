//! Normal mixture boundary: always-valid inference that does not need the number of units, and the classical mSPRT.
//!
//! Question: may the experiment stop now, where the plan is a smallest effect of interest or a standard error to reach?
//! Input: an estimated difference Δ with its standard error σ; the mixing precision ρ, in 1/difference².
//! Formula: with V = 1/σ² and x = (Δ/σ²)/√(V+ρ) the evidence is ln E = ½ln(ρ/(V+ρ)) + x²/2, one-sided ½ln(4ρ/(V+ρ)) + x²/2 + ln Φ(x);
//! p = min(1, 1/E); the interval holds the differences with E below 1/α, two-sided Δ ± σ²√((V+ρ)ln((V+ρ)/(ρα²))).
//! With ρ = 1/τ² this is the mixture sequential probability ratio test with a normal prior of constant variance τ² on the
//! difference: Λ = √(σ²/(σ²+τ²))·exp(τ²Δ²/(2σ²(σ²+τ²))).
//! Valid when: the estimate is about normal from the first look on; then at all looks together.
//! Statsig's variant is not offered. Its τ² = z²(v + v₀)/(n + n₀) shrinks as units come, so the ratio above is no martingale, and
//! its p-value is a rescaled normal tail: neither has the guarantee that looking often needs.
//! Reference: Howard, Ramdas, McAuliffe, Sekhon 2021, doi:10.1214/20-AOS1991, eq. 3.7 and propositions 5, 6 (ρ); Johari, Koomen,
//! Pekelis, Walsh 2022, doi:10.1287/opre.2021.2135 (mSPRT).
//! Oracle: mpmath; confseq `normal_mixture_bound`.
//! Cost: constant; one-sided a root of one variable.

use super::effect::{Alternative, Effect, Estimate, Interval, Level, defined, never_zero};
use crate::survival;

/// A normal mixture, by its precision.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NormalMixture {
    rho: f64,
}

impl NormalMixture {
    /// Narrowest where the standard error is `se`, for example that of the planned end.
    #[must_use]
    pub fn best_at(se: f64, level: Level) -> Self {
        let alpha = match level.alternative {
            Alternative::TwoSided => level.alpha,
            _ => 2.0 * level.alpha,
        };
        Self { rho: best_rho(1.0 / (se * se), alpha) }
    }

    /// The mSPRT with this variance of the difference under its prior, above 0.
    #[must_use]
    pub fn of_variance(variance: f64) -> Self {
        Self { rho: 1.0 / variance }
    }

    /// The always-valid interval and p-value.
    #[must_use]
    pub fn test(&self, estimate: Estimate, level: Level) -> Effect {
        let untested = estimate.untested();
        let Some(se) = estimate.se.filter(|se| *se > 0.0) else { return untested };
        // ρ/V: how much the mixture weighs against the data.
        let share = self.rho * se * se;
        let x = estimate.value / se / (1.0 + share).sqrt();
        let log_prior = 0.5 * (share / (1.0 + share)).ln();
        let (evidence, x_at_alpha) = match level.alternative {
            Alternative::TwoSided => {
                (log_prior + 0.5 * x * x, (2.0 * (-level.alpha.ln() - log_prior)).sqrt())
            }
            Alternative::Greater => (one_sided(log_prior, x), root(log_prior, -level.alpha.ln())),
            Alternative::Less => (one_sided(log_prior, -x), root(log_prior, -level.alpha.ln())),
        };
        let half_width = x_at_alpha * se * (1.0 + share).sqrt();
        let ci = defined(Interval::around(estimate.value, half_width, level.alternative));
        Effect { ci, p_value: never_zero((-evidence).exp()), ..untested }
    }
}

/// The precision that makes the boundary lowest at the intrinsic time `v`; one-sided boundaries take twice their alpha.
#[must_use]
pub fn best_rho(v: f64, alpha: f64) -> f64 {
    let log = -2.0 * alpha.ln();
    v / (log + log.ln_1p())
}

fn one_sided(log_prior: f64, x: f64) -> f64 {
    std::f64::consts::LN_2 + log_prior + 0.5 * x * x + survival::normal(-x).ln()
}

/// The x with `one_sided` evidence of `target`; it grows with x.
fn root(log_prior: f64, target: f64) -> f64 {
    let (mut low, mut high) = (-40.0, (2.0 * (target - log_prior)).sqrt().max(1.0));
    while high - low > 2.0 * f64::EPSILON * high.max(1.0) {
        let middle = f64::midpoint(low, high);
        if middle <= low || middle >= high {
            break;
        }
        if one_sided(log_prior, middle) < target {
            low = middle;
        } else {
            high = middle;
        }
    }
    high
}

#[cfg(test)]
mod tests {
    use super::{NormalMixture, best_rho};
    use crate::experiment::effect::{Alternative, Estimate, Level};

    const BOTH: Level = Level { alpha: 0.05, alternative: Alternative::TwoSided };
    const GREATER: Level = Level { alpha: 0.05, alternative: Alternative::Greater };

    // The likelihood ratio of the mSPRT written out: σ² = 0.04, τ² = 0.09, Δ = 0.7.
    #[test]
    fn it_is_the_textbook_msprt() {
        let effect = NormalMixture::of_variance(0.09).test(Estimate { value: 0.7, se: Some(0.2) }, BOTH);
        let ratio = (0.04_f64 / 0.13).sqrt() * (0.09_f64 * 0.49 / (2.0 * 0.04 * 0.13)).exp();
        assert!((effect.p_value.unwrap() * ratio - 1.0).abs() < 1e-12);
    }

    // Howard's boundary for sums at V = 25, ρ = 11: √((V+ρ)ln((V+ρ)/(ρα²))), with the mean's interval that over V.
    #[test]
    fn it_is_howards_boundary() {
        let effect = NormalMixture { rho: 11.0 }.test(Estimate { value: 0.0, se: Some(0.2) }, BOTH);
        let bound = (36.0 * (36.0 / (11.0 * 0.0025_f64)).ln()).sqrt();
        assert!((effect.ci.unwrap().hi - bound / 25.0).abs() < 1e-12);
    }

    // confseq's best_rho(1000, 0.05): 1000/(2 ln 20 + ln(1 + 2 ln 20)).
    #[test]
    fn the_best_precision_makes_the_boundary_lowest_there() {
        assert!(
            (best_rho(1000.0, 0.05) - 1000.0 / (5.991_464_547_107_982 + 6.991_464_547_107_982_f64.ln()))
                .abs()
                < 1e-9
        );
        for level in [BOTH, GREATER] {
            let best = NormalMixture::best_at(0.1, level);
            let width = |rho: f64| {
                let ci =
                    NormalMixture { rho }.test(Estimate { value: 0.0, se: Some(0.1) }, level).ci.unwrap();
                -ci.lo
            };
            assert!(width(best.rho) < width(best.rho * 2.0) && width(best.rho) < width(best.rho / 2.0));
        }
    }

    #[test]
    fn the_interval_excludes_zero_where_p_is_below_alpha() {
        for alternative in [Alternative::TwoSided, Alternative::Greater, Alternative::Less] {
            let level = Level { alpha: 0.05, alternative };
            for i in -80..80 {
                let estimate = Estimate { value: f64::from(i) / 10.0, se: Some(1.0) };
                let effect = NormalMixture::of_variance(0.5).test(estimate, level);
                assert_eq!(
                    effect.p_value.unwrap() < 0.05,
                    !effect.ci.unwrap().contains(0.0),
                    "{alternative:?} {i}"
                );
            }
        }
    }

    #[test]
    fn one_side_needs_less_evidence_than_two() {
        let estimate = Estimate { value: 3.0, se: Some(1.0) };
        let mixture = NormalMixture::of_variance(0.5);
        assert!(mixture.test(estimate, GREATER).p_value < mixture.test(estimate, BOTH).p_value);
        let against = Estimate { value: -3.0, se: Some(1.0) };
        assert_eq!(mixture.test(against, GREATER).p_value, Some(1.0));
    }

    #[test]
    fn a_standard_error_of_zero_has_no_p_value() {
        let effect = NormalMixture::of_variance(1.0).test(Estimate { value: 3.0, se: Some(0.0) }, BOTH);
        assert_eq!((effect.p_value, effect.ci.map(|ci| ci.lo)), (None, Some(3.0)));
    }
}
