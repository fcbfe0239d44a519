//! Clopper-Pearson: the exact interval of a share.
//!
//! Question: which true shares could have led to what was counted?
//! Input: successes and trials; the confidence, strictly between 0 and 1.
//! Formula: the shares at which the one-sided p-values equal α/2 (α where one-sided): quantiles of Beta(k, n-k+1) and
//! Beta(k+1, n-k); 0 and 1 at the ends.
//! Valid when: always; it covers at least as often as it says.
//! Reference: Clopper, Pearson 1934, doi:10.1093/biomet/26.4.404.
//! Oracle: SciPy 1.17 `scipy.stats.binomtest(k, n).proportion_ci(method='exact')`.
//! Cost: some ten binomial tails.

use super::{Share, ShareInterval};
use crate::{
    beta,
    experiment::effect::{Alternative, Interval},
};

/// The interval with both ends at half the error; `None` for a confidence outside of (0, 1).
#[must_use]
pub fn clopper_pearson(share: Share, confidence: f64) -> Option<ShareInterval> {
    bounds(share, confidence, Alternative::TwoSided)
}

/// The interval with all of the error at one end: `Less` gives an upper bound, `Greater` a lower one.
#[must_use]
pub fn bounds(share: Share, confidence: f64, alternative: Alternative) -> Option<ShareInterval> {
    if !(confidence > 0.0 && confidence < 1.0) {
        return None;
    }
    let error =
        if alternative == Alternative::TwoSided { (1.0 - confidence) / 2.0 } else { 1.0 - confidence };
    let (k, n) = (share.k() as f64, share.n() as f64);
    let lo = match alternative {
        Alternative::Less => 0.0,
        _ if share.k() == 0 => 0.0,
        _ => beta::quantile(k, n - k + 1.0, error),
    };
    let hi = match alternative {
        Alternative::Greater => 1.0,
        _ if share.k() == share.n() => 1.0,
        _ => beta::quantile_upper(k + 1.0, n - k, error),
    };
    Some(ShareInterval { estimate: share.estimate(), interval: Interval { lo, hi } })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{bounds, clopper_pearson};
    use crate::{
        binomial::{Share, at_least, at_most},
        experiment::effect::Alternative,
    };

    // Field case 33.
    #[test]
    fn case_33_five_of_a_thousand() {
        let interval = clopper_pearson(Share::new(5, 1000).unwrap(), 0.95).unwrap().interval;
        assert!((interval.lo - 0.001_625_4).abs() < 5e-8, "{interval:?}");
        assert!((interval.hi - 0.011_629_5).abs() < 5e-8, "{interval:?}");
    }

    // Field case 33; closed form 1 - .05^(1/1000).
    #[test]
    fn case_33_no_difference_in_a_thousand_bounds_the_share() {
        let interval = bounds(Share::new(0, 1000).unwrap(), 0.95, Alternative::Less).unwrap().interval;
        assert_eq!(interval.lo, 0.0);
        assert!((interval.hi - (1.0 - 0.05_f64.powf(1e-3))).abs() < 1e-14, "{interval:?}");
        assert!((interval.hi - 0.002_991_25).abs() < 5e-9);
    }

    // A gate of .99 at confidence .95 passes from 368 trials without a difference on, not from 367.
    #[test]
    fn a_gate_of_ninety_nine_in_a_hundred_needs_368() {
        let low = |n| clopper_pearson(Share::new(n, n).unwrap(), 0.95).unwrap().interval.lo;
        assert!(low(368) >= 0.99 && low(367) < 0.99);
    }

    #[test]
    fn a_confidence_that_is_none_is_refused() {
        for confidence in [0.0, 1.0, -0.5, f64::NAN] {
            assert_eq!(clopper_pearson(Share::new(1, 2).unwrap(), confidence), None);
        }
    }

    proptest! {
        // The ends are the shares whose exact p-values are half the error.
        #[test]
        fn ends_invert_the_test(n in 1_u64..5_000, k in 0_u64..5_000) {
            let k = k.min(n);
            let interval = clopper_pearson(Share::new(k, n).unwrap(), 0.9).unwrap().interval;
            prop_assert!(interval.contains(k as f64 / n as f64));
            if k > 0 {
                prop_assert!((at_least(k, n, interval.lo) / 0.05 - 1.0).abs() < 1e-7);
            }
            if k < n {
                prop_assert!((at_most(k, n, interval.hi) / 0.05 - 1.0).abs() < 1e-7);
            }
        }
    }
}
