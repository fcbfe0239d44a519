//! Asymptotic confidence sequence: an interval that may be looked at whenever and as often as you like.
//!
//! Question: may the experiment stop now, having been looked at every hour?
//! Input: an estimated difference with its standard error, the units of both arms, and the number of units at which the
//! sequence is to be narrowest (`tuning`: from the experiment's own plan; 5,000 without one).
//! Formula: with σ the standard error, N units and ρ² = (-2 ln α + ln(1 - 2 ln α))/tuning the half-width is
//! σ√(2(Nρ²+1)/(Nρ²)·ln(√(Nρ²+1)/α)), and p = min(1, 1/E) with ln E = L - ½ln(Nρ²+1), L = z²Nρ²/(2(Nρ²+1)), z = Δ/σ. One-sided: ρ with
//! 2α, ln(1 + √(Nρ²+1)/(2α)) in the width, and p = √(Nρ²+1)/(2(e^L - 1)), the α at which the end of the interval is 0.
//! Valid when: the first look has some hundred units; the error holds at all later times together.
//! Statsig's rescaled mSPRT is not offered: its mixing variance shrinks as units come, so its p-value is no always-valid one.
//! Reference: Waudby-Smith, Arbour, Sinha, Kennedy, Ramdas 2021, arXiv:2103.06476, theorem 2.2, proposition B.1, section B.2.
//! Oracle: GrowthBook gbstats `SequentialTwoSidedTTest`; one-sided p by mpmath.
//! Cost: constant.

use super::effect::{Alternative, Effect, Estimate, Interval, Level, defined, never_zero};

/// Units at which the sequence is narrowest where no plan says better.
pub const TUNING: f64 = 5_000.0;

/// The always-valid interval and p-value of a difference between arms with `n_total` units together.
///
/// `tuning` must be above 0. The p-value is that of this look; at many looks the smallest so far is valid too.
#[must_use]
pub fn confidence_sequence(estimate: Estimate, n_total: u64, tuning: f64, level: Level) -> Effect {
    let untested = estimate.untested();
    let Some(se) = estimate.se.filter(|se| *se > 0.0 && n_total > 0) else { return untested };
    let sides = if level.alternative == Alternative::TwoSided { 1.0 } else { 2.0 };
    let information = n_total as f64 * rho_squared(sides * level.alpha, tuning);
    let root = (information + 1.0).sqrt();
    let log = match level.alternative {
        Alternative::TwoSided => (root / level.alpha).ln(),
        _ => (root / (2.0 * level.alpha)).ln_1p(),
    };
    let half_width = se * (2.0 * (information + 1.0) / information * log).sqrt();
    let z = estimate.value / se;
    let evidence = |z: f64| z * z * information / (2.0 * (information + 1.0));
    let p_value = match level.alternative {
        Alternative::TwoSided => (root.ln() - evidence(z)).exp(),
        Alternative::Greater => one_sided(root, z, evidence(z)),
        Alternative::Less => one_sided(root, -z, evidence(z)),
    };
    let ci = defined(Interval::around(estimate.value, half_width, level.alternative));
    Effect { ci, p_value: never_zero(p_value), ..untested }
}

/// How strongly the mixture weighs early looks; narrowest about `tuning` units.
#[must_use]
pub fn rho_squared(alpha: f64, tuning: f64) -> f64 {
    let log = -2.0 * alpha.ln();
    (log + log.ln_1p()) / tuning
}

fn one_sided(root: f64, z: f64, evidence: f64) -> f64 {
    // √(Nρ²+1)/(2(e^L - 1)), written so that a huge L does not overflow; on the wrong side there is no evidence.
    if z > 0.0 { root / 2.0 * (-evidence).exp() / -(-evidence).exp_m1() } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use super::{TUNING, confidence_sequence, rho_squared};
    use crate::experiment::{
        effect::{Alternative, Effect, Estimate, Interval, Level},
        mean::welch,
        sums::Sums,
    };

    const BOTH: Level = Level { alpha: 0.05, alternative: Alternative::TwoSided };

    fn case_4() -> (Sums, Sums) {
        (Sums::of(3000, 1396.87, 52377.9767).unwrap(), Sums::of(3461, 2422.7, 134698.29).unwrap())
    }

    // GrowthBook, packages/stats/tests/frequentist/test_tests.py; printed to five digits.
    #[test]
    fn case_4_agrees_with_gbstats() {
        assert!((rho_squared(0.05, 1000.0).sqrt() - 0.089_085_1).abs() < 5e-8);
        let (control, arm) = case_4();
        let contrast = welch(&control, &arm);
        let effect = confidence_sequence(contrast.relative.unwrap(), contrast.n_total(), 1000.0, BOTH);
        let ci = effect.ci.unwrap();
        assert!((effect.estimate - 0.50336).abs() < 5e-6 && (effect.se.unwrap() - 0.33341).abs() < 5e-6);
        assert!((ci.lo + 0.55844).abs() < 5e-6 && (ci.hi - 1.56516).abs() < 5e-6);
        assert_eq!(effect.p_value, Some(1.0));
    }

    // gbstats publishes 0.46316491943 here: its bisection stops at the midpoint after the one that it tested. The end of the
    // interval is 0 where ln(1 + √(Nρ²+1)/(2α)) = L, so α = √(Nρ²+1)/(2(e^L - 1)); mpmath.findroot on the width gives 0.46304736.
    #[test]
    fn the_one_sided_p_value_is_the_root() {
        let (control, arm) = case_4();
        let contrast = welch(&control, &arm);
        let greater = Level { alpha: 0.05, alternative: Alternative::Greater };
        let look = |alpha| {
            confidence_sequence(
                contrast.absolute.unwrap(),
                contrast.n_total(),
                TUNING,
                Level { alpha, ..greater },
            )
        };
        let effect = look(0.05);
        assert!((effect.p_value.unwrap() - 0.463_047_36).abs() < 5e-9);
        assert!((effect.ci.unwrap().lo + 0.126_568_441_728).abs() < 1e-12);
        assert_eq!(effect.ci.unwrap().hi, f64::INFINITY);
    }

    #[test]
    fn the_interval_excludes_zero_where_p_is_below_alpha() {
        for alternative in [Alternative::TwoSided, Alternative::Greater, Alternative::Less] {
            let level = Level { alpha: 0.05, alternative };
            let look =
                |z: f64| confidence_sequence(Estimate { value: z, se: Some(1.0) }, 3000, TUNING, level);
            for i in -80..80 {
                let Effect { ci, p_value, .. } = look(f64::from(i) / 10.0);
                assert_eq!(p_value.unwrap() < 0.05, !ci.unwrap().contains(0.0), "{alternative:?} {i}");
            }
            let huge = look(if alternative == Alternative::Less { -1e6 } else { 1e6 });
            assert_eq!(huge.p_value, Some(f64::MIN_POSITIVE));
        }
    }

    #[test]
    fn a_standard_error_of_zero_leaves_the_point() {
        let look = |se| confidence_sequence(Estimate { value: 2.0, se }, 100, TUNING, BOTH);
        assert_eq!(
            (look(Some(0.0)).ci, look(Some(0.0)).p_value),
            (Some(Interval { lo: 2.0, hi: 2.0 }), None)
        );
        assert_eq!((look(None).ci, look(None).p_value), (None, None));
    }

    // A sequence is wider than the interval of one look, and narrowest in its own units about where it was tuned to.
    #[test]
    fn tuning_pays_at_its_own_size() {
        let width = |tuning| {
            let ci =
                confidence_sequence(Estimate { value: 0.0, se: Some(1.0) }, 20_000, tuning, BOTH).ci.unwrap();
            (ci.hi - ci.lo) / 2.0
        };
        assert!(width(20_000.0) < width(5_000.0) && width(20_000.0) < width(100_000.0));
        assert!(width(20_000.0) > 1.96 && width(20_000.0) < 3.2);
    }
}
