//! Wilson: the score interval of a share.
//!
//! Question: which true shares are compatible with what was counted, by the normal approximation that holds for small shares?
//! Input: successes and trials; the confidence, strictly between 0 and 1.
//! Formula: (p̂ + z²/2n ± z√(p̂(1-p̂)/n + z²/4n²))/(1 + z²/n).
//! Valid when: always defined; covers about as often as it says from some ten trials on, not always at least.
//! Reference: Wilson 1927, doi:10.1080/01621459.1927.10502953.
//! Oracle: SciPy 1.17 `scipy.stats.binomtest(k, n).proportion_ci(method='wilson')`.
//! Cost: constant.

use super::{Share, ShareInterval};
use crate::{experiment::effect::Interval, survival};

/// The interval; `None` for a confidence outside of (0, 1).
#[must_use]
pub fn wilson(share: Share, confidence: f64) -> Option<ShareInterval> {
    if !(confidence > 0.0 && confidence < 1.0) {
        return None;
    }
    let z = survival::normal_exceeded((1.0 - confidence) / 2.0);
    let (p, n) = (share.estimate(), share.n() as f64);
    Some(ShareInterval { estimate: p, interval: within(p, (n, z)) })
}

/// The shares of which a share of `n` trials, above 0 and not always a whole number, is at most so many standard errors off.
pub(crate) fn within(p: f64, (n, errors): (f64, f64)) -> Interval {
    let square = errors * errors / n;
    let middle = (p + square / 2.0) / (1.0 + square);
    let half = (square * (p * (1.0 - p) + square / 4.0)).max(0.0).sqrt() / (1.0 + square);
    let lo = if p <= 0.0 { 0.0 } else { (middle - half).max(0.0) };
    let hi = if p >= 1.0 { 1.0 } else { (middle + half).min(1.0) };
    Interval { lo, hi }
}

#[cfg(test)]
mod tests {
    use super::wilson;
    use crate::binomial::Share;

    // Field case 33.
    #[test]
    fn case_33_five_of_a_thousand() {
        let interval = wilson(Share::new(5, 1000).unwrap(), 0.95).unwrap().interval;
        assert!((interval.lo - 0.002_137_5).abs() < 5e-8, "{interval:?}");
        assert!((interval.hi - 0.011_651_0).abs() < 5e-8, "{interval:?}");
    }

    #[test]
    fn the_ends_stay_inside() {
        for (k, n) in [(0, 1), (1, 1), (0, 1000), (1000, 1000)] {
            let interval = wilson(Share::new(k, n).unwrap(), 0.99).unwrap().interval;
            assert!(interval.lo >= 0.0 && interval.hi <= 1.0 && interval.lo < interval.hi);
            assert!(interval.contains(k as f64 / n as f64));
        }
    }
}
