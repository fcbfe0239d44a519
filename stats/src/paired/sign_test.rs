//! The sign test: whether one of two paired numbers tends to be larger.
//!
//! Question: in how many pairs is the second larger, whatever the size of the difference?
//! Input: differences, second minus first; ±inf count by their sign, 0 is left out.
//! Formula: the exact binomial test of the positive ones of all that are not 0, at ½.
//! Valid when: pairs are independent.
//! Degenerate: without a difference that is not 0, p is 1.
//! Reference: Dixon, Mood 1946, doi:10.1080/01621459.1946.10501898.
//! Oracle: SciPy 1.17 `scipy.stats.binomtest(positive, positive + negative, .5, alternative)`.
//! Cost: one pass.

use crate::{
    binomial::{at_least, at_most},
    experiment::effect::Alternative,
};

/// How the differences point.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SignTest {
    /// Differences above 0.
    pub positive: u64,
    /// Differences below 0.
    pub negative: u64,
    /// Differences of 0, which say nothing.
    pub zero: u64,
    /// The p-value, never 0.
    pub p_value: f64,
}

/// The test; `Greater`: differences tend to be above 0. `None` where a difference is NaN.
#[must_use]
pub fn sign_test(differences: &[f64], alternative: Alternative) -> Option<SignTest> {
    if differences.iter().any(|difference| difference.is_nan()) {
        return None;
    }
    let count = |holds: fn(&f64) -> bool| differences.iter().filter(|d| holds(d)).count() as u64;
    Some(of_counts(count(|d| *d > 0.0), count(|d| *d < 0.0), (count(|d| *d == 0.0), alternative)))
}

fn of_counts(positive: u64, negative: u64, (zero, alternative): (u64, Alternative)) -> SignTest {
    let n = positive + negative;
    let p = match alternative {
        Alternative::TwoSided => 2.0 * at_most(positive.min(negative), n, 0.5),
        Alternative::Greater => at_least(positive, n, 0.5),
        Alternative::Less => at_most(positive, n, 0.5),
    };
    SignTest { positive, negative, zero, p_value: p.clamp(f64::MIN_POSITIVE, 1.0) }
}

#[cfg(test)]
mod tests {
    use super::sign_test;
    use crate::experiment::effect::Alternative;

    // 2·(1 + 7)/2⁷ for one of seven.
    #[test]
    fn one_of_seven_points_the_other_way() {
        let test =
            sign_test(&[1.0, 2.0, 0.0, -1.0, 3.0, f64::INFINITY, 1.0, 4.0], Alternative::TwoSided).unwrap();
        assert_eq!((test.positive, test.negative, test.zero), (6, 1, 1));
        assert!((test.p_value - 0.125).abs() < 1e-14, "{test:?}");
    }

    #[test]
    fn nothing_but_zeros_is_no_difference() {
        for alternative in [Alternative::TwoSided, Alternative::Less, Alternative::Greater] {
            assert_eq!(sign_test(&[0.0, 0.0], alternative).unwrap().p_value, 1.0);
            assert_eq!(sign_test(&[], alternative).unwrap().p_value, 1.0);
        }
    }

    #[test]
    fn a_missing_difference_is_refused() {
        assert_eq!(sign_test(&[1.0, f64::NAN], Alternative::TwoSided), None);
    }
}
