//! The binomial distribution and the exact test of one share.
//!
//! Question: is the share of successes what it should be, or at least, or at most?
//! Input: `k` successes of `n` trials, and the share under the null hypothesis.
//! Formula: P(X ≤ k) and P(X ≥ k) as incomplete beta functions; two-sided: the sum of all probabilities that are not above
//! that of `k`.
//! Valid when: trials are independent with one share; for any n.
//! Reference: Clopper, Pearson 1934, doi:10.1093/biomet/26.4.404; DLMF 8.17.5 (tails).
//! Oracle: SciPy 1.17 `scipy.stats.binomtest(k, n, p, alternative)`.
//! Cost: one-sided about √n; two-sided some forty tails more.

pub mod clopper_pearson;
pub mod early_stopping;
pub mod every_look;
pub mod wilson;

use crate::{
    beta,
    experiment::effect::{Alternative, Interval},
};

/// Probabilities that differ by less than this factor count as equal, as in SciPy.
const TIE: f64 = 1.0 + 1e-7;

/// Successes out of trials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    k: u64,
    n: u64,
}

/// A share with the interval that holds the true one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ShareInterval {
    /// k/n.
    pub estimate: f64,
    /// The interval, inside [0, 1].
    pub interval: Interval,
}

impl Share {
    /// `k` of `n`; `None` without trials or with more successes than trials.
    #[must_use]
    pub fn new(k: u64, n: u64) -> Option<Self> {
        (n > 0 && k <= n).then_some(Self { k, n })
    }

    /// The successes.
    #[must_use]
    pub fn k(self) -> u64 {
        self.k
    }

    /// The trials.
    #[must_use]
    pub fn n(self) -> u64 {
        self.n
    }

    /// k/n.
    #[must_use]
    pub fn estimate(self) -> f64 {
        self.k as f64 / self.n as f64
    }

    /// The p-value of the hypothesis that the true share is `share`; `None` if that is no number of 0 to 1. Never 0.
    #[must_use]
    pub fn p_value(self, share: f64, alternative: Alternative) -> Option<f64> {
        if !(0.0..=1.0).contains(&share) {
            return None;
        }
        let p = match alternative {
            Alternative::Less => at_most(self.k, self.n, share),
            Alternative::Greater => at_least(self.k, self.n, share),
            Alternative::TwoSided => self.two_sided(share),
        };
        Some(p.clamp(f64::MIN_POSITIVE, 1.0))
    }

    #[expect(clippy::cast_sign_loss, reason = "a mean of counts")]
    fn two_sided(self, share: f64) -> f64 {
        let Self { k, n } = self;
        let most = probability(k, n, share) * TIE;
        let mean = n as f64 * share;
        // Probabilities fall on either side of the mode, so the far end of those not above k's is found by halving.
        if (k as f64) < mean {
            let first = partition(mean.ceil() as u64, n, |i| probability(i, n, share) <= most);
            return at_most(k, n, share) + if first > n { 0.0 } else { at_least(first, n, share) };
        }
        if k as f64 > mean {
            let below = partition(0, mean.floor() as u64, |i| probability(i, n, share) > most);
            return at_least(k, n, share) + if below == 0 { 0.0 } else { at_most(below - 1, n, share) };
        }
        1.0
    }
}

/// The first of `low..=high` for which `holds`, which stays true from there on; `high + 1` if none.
fn partition(low: u64, high: u64, holds: impl Fn(u64) -> bool) -> u64 {
    let (mut low, mut end) = (low, high + 1);
    while low < end {
        let middle = low + (end - low) / 2;
        if holds(middle) { end = middle } else { low = middle + 1 }
    }
    low
}

/// P(X = k) for X binomial of `n` trials at the chance `p`.
#[must_use]
pub fn probability(k: u64, n: u64, p: f64) -> f64 {
    if k > n {
        return 0.0;
    }
    if p <= 0.0 {
        return if k == 0 { 1.0 } else { 0.0 };
    }
    if p >= 1.0 {
        return if k == n { 1.0 } else { 0.0 };
    }
    match k {
        0 => (n as f64 * (-p).ln_1p()).exp(),
        k if k == n => (n as f64 * p.ln()).exp(),
        k => beta::binomial_inside(k as f64, n as f64, p),
    }
}

/// P(X ≤ k).
#[must_use]
pub fn at_most(k: u64, n: u64, p: f64) -> f64 {
    if k >= n { 1.0 } else { beta::tails(k as f64 + 1.0, (n - k) as f64, p).upper }
}

/// P(X ≥ k).
#[must_use]
pub fn at_least(k: u64, n: u64, p: f64) -> f64 {
    if k == 0 {
        return 1.0;
    }
    if k > n { 0.0 } else { beta::tails(k as f64, (n - k) as f64 + 1.0, p).lower }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Share, at_least, at_most, probability};
    use crate::experiment::effect::Alternative;

    // Field case 33: 1985 of 2000 where at least .99 should be: the chance of 1985 or more at .99.
    #[test]
    fn case_33_a_share_above_its_bound_by_chance() {
        let p = Share::new(1985, 2000).unwrap().p_value(0.99, Alternative::Greater).unwrap();
        assert!((p - 0.155_217).abs() < 5e-7, "{p}");
    }

    // Oracle: SciPy 1.17 `binomtest(3, 20, .3).pvalue`, `binomtest(30, 40, .5)`, `binomtest(0, 7, .1)`, `binomtest(7, 10, .7)`.
    #[test]
    fn the_two_sided_test_agrees_with_scipy() {
        for (k, n, p, expected) in [
            (3, 20, 0.3, 0.220_418_267_380_709_13),
            (30, 40, 0.5, 0.002_221_433_773_229_364_3),
            (0, 7, 0.1, 1.0),
            (7, 10, 0.7, 1.0),
        ] {
            let actual = Share::new(k, n).unwrap().p_value(p, Alternative::TwoSided).unwrap();
            assert!((actual - expected).abs() < 1e-12, "{k} of {n} at {p}: {actual}");
        }
    }

    #[test]
    fn impossible_shares_are_refused() {
        assert_eq!(Share::new(3, 2), None);
        assert_eq!(Share::new(0, 0), None);
        assert_eq!(Share::new(1, 2).unwrap().p_value(f64::NAN, Alternative::Less), None);
        assert_eq!(Share::new(1, 2).unwrap().p_value(1.5, Alternative::Less), None);
    }

    #[test]
    fn a_certain_share_has_only_two_answers() {
        let one = Share::new(5, 5).unwrap();
        assert_eq!(one.p_value(1.0, Alternative::TwoSided), Some(1.0));
        assert_eq!(Share::new(4, 5).unwrap().p_value(1.0, Alternative::TwoSided), Some(f64::MIN_POSITIVE));
        assert_eq!(Share::new(0, 5).unwrap().p_value(0.0, Alternative::Greater), Some(1.0));
    }

    proptest! {
        // Tails are sums of probabilities.
        #[test]
        fn tails_are_sums(n in 1_u64..60, k in 0_u64..60, p in 0.0_f64..=1.0) {
            let k = k.min(n);
            let below: f64 = (0..=k).map(|i| probability(i, n, p)).sum();
            let above: f64 = (k..=n).map(|i| probability(i, n, p)).sum();
            prop_assert!((at_most(k, n, p) - below).abs() < 1e-12);
            prop_assert!((at_least(k, n, p) - above).abs() < 1e-12);
        }

        // The two-sided p-value is the sum over all outcomes that are not likelier.
        #[test]
        fn two_sided_is_the_sum_of_the_less_likely(n in 1_u64..60, k in 0_u64..60, p in 0.01_f64..0.99) {
            let k = k.min(n);
            let most = probability(k, n, p) * super::TIE;
            let sum: f64 = (0..=n).map(|i| probability(i, n, p)).filter(|q| *q <= most).sum();
            let actual = Share::new(k, n).unwrap().p_value(p, Alternative::TwoSided).unwrap();
            prop_assert!((actual - sum).abs() < 1e-11, "{actual} instead of {sum}");
        }
    }
}
