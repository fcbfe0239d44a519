//! Covariate imbalance: whether the arms were alike before the experiment.
//!
//! Question: does something that was known before a unit got its arm differ between the arms?
//! Input: [`Sums`] of the covariate over the units of both arms; the level.
//! Formula: d = (m - m₀)/√((s² + s₀²)/2); p by Student's test, for units that were dealt out at random have one law in both arms; by Welch's a
//! small arm without a rare value is sure to differ (of 900 and 100 units and a share of 2 %, in 12 of 100 at .001). Imbalanced below the
//! level, whatever d is: randomisation that works makes no such difference, however small. d says whether it matters: from 0.1 on.
//! Valid when: means are about normal; the covariate must not depend on the arm.
//! Degenerate: below two units an arm is undecided; two different constants are imbalanced without a p-value.
//! Reference: Austin 2009, doi:10.1002/sim.3697 (standardised difference); Fabijan et al. 2019, doi:10.1145/3292500.3330722.
//! Oracle: SciPy 1.17 `scipy.stats.ttest_ind(equal_var=True)`.
//! Cost: constant.

use crate::experiment::{
    effect::{Contrast, Level},
    mean::alike,
    sums::Sums,
};

/// What the covariate says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Balance {
    /// No difference that chance would not make.
    Balanced,
    /// A difference that chance makes less often than the level.
    Imbalanced,
    /// Too few units to say.
    Undecided,
}

/// The check's numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Imbalance {
    /// The difference in standard deviations; `None` where there are none.
    pub standardised_difference: Option<f64>,
    /// Student's p-value; `None` where there is no standard error.
    pub p_value: Option<f64>,
    /// What follows.
    pub balance: Balance,
}

/// The check at a level such as [`super::ALPHA`].
#[must_use]
pub fn imbalance(control: &Sums, arm: &Sums, alpha: f64) -> Imbalance {
    let contrast: Contrast = alike(control, arm);
    let Some((variance, effect)) = control
        .variance()
        .zip(arm.variance())
        .map(|(a, b)| f64::midpoint(a, b))
        .zip(contrast.absolute(Level::two_sided(alpha)))
    else {
        return Imbalance { standardised_difference: None, p_value: None, balance: Balance::Undecided };
    };
    let standardised_difference = match (effect.estimate, variance) {
        (0.0, 0.0) => Some(0.0),
        (difference, variance) => Some(difference / variance.sqrt()).filter(|d| d.is_finite()),
    };
    let imbalanced = match effect.p_value {
        Some(p) => p < alpha,
        None => effect.estimate != 0.0,
    };
    let balance = if imbalanced { Balance::Imbalanced } else { Balance::Balanced };
    Imbalance { standardised_difference, p_value: effect.p_value, balance }
}

#[cfg(test)]
mod tests {
    use super::{Balance, imbalance};
    use crate::experiment::{health::ALPHA, sums::Sums};

    fn sums(values: impl IntoIterator<Item = f64>) -> Sums {
        let mut sums = Sums::default();
        values.into_iter().for_each(|value| sums.push([value]));
        sums
    }

    #[test]
    fn arms_that_were_alike_are_balanced() {
        let found = imbalance(&sums([1.0, 2.0, 3.0, 4.0]), &sums([2.0, 1.0, 4.0, 3.0]), ALPHA);
        assert_eq!((found.standardised_difference, found.balance), (Some(0.0), Balance::Balanced));
        assert_eq!(found.p_value, Some(1.0));
    }

    #[test]
    fn a_covariate_that_moved_by_half_a_deviation_is_found() {
        let of = |shift: f64| sums((0..1_000).map(|i| f64::from(i % 10) + shift));
        let found = imbalance(&of(0.0), &of(1.5), ALPHA);
        assert!((found.standardised_difference.unwrap() - 1.5 / 2.873_718_8).abs() < 1e-6, "{found:?}");
        assert_eq!(found.balance, Balance::Imbalanced);
    }

    // 18 of 900 and none of 100, as chance has it in one of eight experiments.
    #[test]
    fn a_small_arm_without_a_rare_value_is_balanced() {
        let share = |n: u64, successes: f64| Sums::of(n, successes, successes).unwrap();
        let found = imbalance(&share(900, 18.0), &share(100, 0.0), ALPHA);
        assert_eq!(found.balance, Balance::Balanced, "{found:?}");
        assert!(found.p_value.unwrap() > 0.15, "{found:?}");
    }

    #[test]
    fn constants_are_told_without_a_p_value() {
        let found = imbalance(&sums([1.0, 1.0]), &sums([2.0, 2.0]), ALPHA);
        assert_eq!((found.standardised_difference, found.p_value), (None, None));
        assert_eq!(found.balance, Balance::Imbalanced);
        let found = imbalance(&sums([1.0, 1.0]), &sums([1.0, 1.0]), ALPHA);
        assert_eq!((found.standardised_difference, found.balance), (Some(0.0), Balance::Balanced));
    }

    #[test]
    fn too_few_units_are_undecided() {
        for control in [sums([]), sums([1.0])] {
            assert_eq!(imbalance(&control, &sums([1.0, 2.0]), ALPHA).balance, Balance::Undecided);
        }
    }
}
