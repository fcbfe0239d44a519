//! Sample ratio mismatch: whether the units were dealt out to the arms as planned.
//!
//! Question: may the arms be compared at all, or did assignment, logging or filtering lose units of one of them?
//! Input: units and planned weight of each arm; weights need not sum to 1. Arms of weight 0 are left out: they were switched
//! off, and their units belong to no plan.
//! Formula: fixed: Σ(c - Nθ)²/(Nθ), chi-square with arms - 1 degrees of freedom. Sequential: p = min(1, 1/BF) with
//! ln BF = ln B(kθ + c) - ln B(kθ) - Σ c ln θ, a Dirichlet prior of weight k = 100 around the plan; it may be looked at always.
//! Valid when: fixed: every arm expects some five units, and it is looked at once. Sequential: always.
//! Reference: Fabijan et al. 2019, doi:10.1145/3292500.3330722; Lindon, Malek 2022, arXiv:2011.03567, eq. 8.
//! Oracle: SciPy 1.17 `scipy.stats.chisquare`; for the sequential one `mpmath.loggamma`.
//! Cost: a few operations an arm.

use thiserror::Error;

use super::{dirichlet::log_bayes_factor, effect::never_zero};
use crate::survival;

/// The weight of the prior around the plan, in units.
const PRIOR_WEIGHT: f64 = 100.0;

/// One arm: what came and what was planned.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Assigned {
    /// Units that came.
    pub n: u64,
    /// The planned weight, 0 or more.
    pub weight: f64,
}

/// The test of the arms' sizes. Nothing is defined below two arms with a weight or without units.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Srm {
    /// Pearson's statistic.
    pub statistic: Option<f64>,
    /// Its degrees of freedom.
    pub df: Option<u64>,
    /// The p-value of one look.
    pub p_value: Option<f64>,
    /// The p-value that holds at every look; over many looks the smallest counts.
    pub sequential_p_value: Option<f64>,
}

/// Why weights are no plan.
#[derive(Debug, Clone, Copy, PartialEq, Error)]
#[error("an arm's weight of {weight} is not a number of 0 or more")]
pub struct WeightError {
    /// The weight.
    pub weight: f64,
}

/// Both tests.
///
/// # Errors
/// Where a weight is negative or not finite.
pub fn srm(arms: &[Assigned]) -> Result<Srm, WeightError> {
    if let Some(arm) = arms.iter().find(|arm| !(arm.weight >= 0.0 && arm.weight.is_finite())) {
        return Err(WeightError { weight: arm.weight });
    }
    let planned: Vec<Assigned> = arms.iter().copied().filter(|arm| arm.weight > 0.0).collect();
    let n: u64 = planned.iter().map(|arm| arm.n).sum();
    if planned.len() < 2 || n == 0 {
        return Ok(Srm::default());
    }
    let heaviest = planned.iter().map(|arm| arm.weight).fold(0.0, f64::max);
    let total: f64 = planned.iter().map(|arm| arm.weight / heaviest).sum();
    let shares: Vec<(f64, f64)> =
        planned.iter().map(|arm| (arm.n as f64, arm.weight / heaviest / total)).collect();
    let statistic: f64 = shares
        .iter()
        .map(|(count, share)| {
            let expected = n as f64 * share;
            (count - expected) * ((count - expected) / expected)
        })
        .sum();
    let df = planned.len() as u64 - 1;
    Ok(Srm {
        statistic: Some(statistic).filter(|statistic| statistic.is_finite()),
        df: Some(df),
        p_value: never_zero(survival::chi_square(statistic, df as f64)),
        sequential_p_value: never_zero((-log_bayes_factor(&shares, PRIOR_WEIGHT)).exp()),
    })
}

#[cfg(test)]
mod tests {
    use super::{Assigned, Srm, srm};

    fn of(counts: &[u64], weights: &[f64]) -> Srm {
        let arms: Vec<Assigned> =
            counts.iter().zip(weights).map(|(n, weight)| Assigned { n: *n, weight: *weight }).collect();
        srm(&arms).unwrap()
    }

    // GrowthBook, packages/back-end/test/stats.test.ts; printed to nine digits. Its Python twin counts the units of the arm of
    // weight 0 and gives 2.88e-60 in the fourth row; without them the counts are those of the first row, and so is p.
    #[test]
    fn case_16_agrees_with_growthbook() {
        let cases: [(&[u64], &[f64], f64); 7] = [
            (&[1000, 1200], &[0.5, 0.5], 0.000_020_079),
            (&[135, 115], &[0.5, 0.5], 0.205_903_211),
            (&[310, 98], &[0.75, 0.25], 0.647_434_186),
            (&[1000, 1200, 900], &[0.5, 0.5, 0.0], 0.000_020_079),
            (&[0, 10, 10], &[0.34, 0.33, 0.33], 0.005_790_624),
            (&[500, 500, 600], &[0.34, 0.33, 0.33], 0.000_592_638),
            (&[500, 500], &[0.5, 0.5], 1.0),
        ];
        for (counts, weights, expected) in cases {
            let p = of(counts, weights).p_value.unwrap();
            assert!((p - expected).abs() < 5e-10, "{counts:?}: {p} instead of {expected}");
        }
    }

    // Statsig's documentation of sample ratio mismatch, recomputed by SciPy: chisquare([166080, 171180, 166300]).
    #[test]
    fn case_16_agrees_with_the_example_of_statsig() {
        let p = of(&[166_080, 171_180, 166_300], &[1.0, 1.0, 1.0]).p_value.unwrap();
        assert!((p / 3.1163e-22 - 1.0).abs() < 5e-5, "{p:e}");
    }

    // mpmath.loggamma at 40 digits.
    #[test]
    fn the_sequential_p_value_agrees_with_scipy() {
        for (counts, weights, expected) in SEQUENTIAL {
            let p = of(&counts, &weights).sequential_p_value.unwrap();
            assert!((p / expected - 1.0).abs() < 1e-9, "{counts:?}: {p:e} instead of {expected:e}");
        }
    }

    const SEQUENTIAL: [([u64; 2], [f64; 2], f64); 4] = [
        ([1000, 1200], [0.5, 0.5], 7.925_128_197_605_995e-4),
        ([5200, 4800], [0.5, 0.5], 3.647_864_278_731_981_4e-3),
        ([900_000, 909_000], [0.5, 0.5], 2.554_454_243_012_497_2e-8),
        ([310, 98], [0.75, 0.25], 1.0),
    ];

    #[test]
    fn a_plan_that_holds_has_a_sequential_p_value_of_one() {
        assert_eq!(of(&[5000, 5000], &[0.5, 0.5]).sequential_p_value, Some(1.0));
    }

    #[test]
    fn one_arm_or_no_units_have_no_test() {
        assert_eq!(of(&[500, 3], &[1.0, 0.0]), Srm::default());
        assert_eq!(of(&[0, 0], &[0.5, 0.5]), Srm::default());
        assert_eq!(of(&[], &[]), Srm::default());
    }

    #[test]
    fn a_negative_weight_is_refused() {
        assert!(srm(&[Assigned { n: 1, weight: -0.5 }, Assigned { n: 1, weight: 0.5 }]).is_err());
        assert!(srm(&[Assigned { n: 1, weight: f64::NAN }]).is_err());
    }

    #[test]
    fn an_impossible_split_keeps_a_p_value_above_zero() {
        let result = of(&[1_000_000, 0], &[0.5, 0.5]);
        assert_eq!(result.p_value, Some(f64::MIN_POSITIVE));
        assert!(result.sequential_p_value.unwrap() > 0.0);
    }
}
