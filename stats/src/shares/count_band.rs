//! How often something may occur in new rows, given how often it occurred in earlier ones.
//!
//! Question: `x` of `n` earlier rows had a property; which counts among `m` new rows are no surprise?
//! Input: the earlier share, the number of new rows, the chance of a false alarm on each side.
//! Formula: K given x + K is hypergeometric when old and new rows are exchangeable; the band ends at the largest k with
//! P(K ≥ k) > alpha, and by the complement at the smallest one with P(K ≤ k) > alpha.
//! Valid when: rows are exchangeable, for any counts. Because the test is conditional, its false alarms stay below alpha.
//! Reference: Fisher 1922, doi:10.2307/2340521; as a prediction interval: Thatcher 1964, doi:10.1111/j.2517-6161.1964.tb00550.x.
//! Oracle: SciPy 1.17 `scipy.stats.hypergeom.sf(k - 1, n + m, x + k, m)`.
//! Cost: √m terms at each of log₂ m steps.

use statrs::function::gamma::ln_gamma;

use crate::binomial::Share;

/// Terms below this share of the sum end it.
const NEGLIGIBLE: f64 = 1e-17;

/// Counts that are no surprise, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CountBand {
    /// The smallest one.
    pub low: u64,
    /// The largest one.
    pub high: u64,
}

/// The band of counts among `m` new rows; `alpha` is the chance of a false alarm on each of its sides.
#[must_use]
pub fn count_band(seen: Share, m: u64, alpha: f64) -> CountBand {
    let others = Share::new(seen.n() - seen.k(), seen.n());
    CountBand { low: others.map_or(0, |others| m - highest(others, m, alpha)), high: highest(seen, m, alpha) }
}

/// The largest count among `m` new rows that is no surprise.
#[must_use]
pub fn highest(seen: Share, m: u64, alpha: f64) -> u64 {
    // The tail falls as the count grows: the last count above alpha is found by halving.
    let (mut no_surprise, mut surprise) = (0, m + 1);
    while surprise - no_surprise > 1 {
        let middle = no_surprise + (surprise - no_surprise) / 2;
        if at_least(seen, middle, m) > alpha { no_surprise = middle } else { surprise = middle }
    }
    no_surprise
}

/// The chance of `k` or more among `m` new rows, given that `x + k` of all rows have the property.
#[must_use]
pub fn at_least(seen: Share, k: u64, m: u64) -> f64 {
    let (x, n) = (seen.k(), seen.n());
    let (all, with) = (n + m, x + k);
    // Up to the mean of the conditional distribution the tail is about a half or more.
    if u128::from(k) * u128::from(all) <= u128::from(m) * u128::from(with) {
        return 1.0;
    }
    let ln_choose =
        |n: u64, k: u64| ln_gamma(n as f64 + 1.0) - ln_gamma(k as f64 + 1.0) - ln_gamma((n - k) as f64 + 1.0);
    let first = ln_choose(m, k) + ln_choose(n, x) - ln_choose(all, with);
    let (mut sum, mut weight, mut j) = (1.0, 1.0, k);
    while j < m.min(with) {
        weight *= (with - j) as f64 * (m - j) as f64 / ((j + 1) as f64 * (all + j + 1 - with - m) as f64);
        sum += weight;
        j += 1;
        if weight < sum * NEGLIGIBLE {
            break;
        }
    }
    (first + sum.ln()).exp().min(1.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{CountBand, at_least, count_band, highest};
    use crate::binomial::Share;

    fn share(k: u64, n: u64) -> Share {
        Share::new(k, n).unwrap()
    }

    // Oracle: SciPy 1.17 `hypergeom.sf(k - 1, n + m, x + k, m)`.
    #[test]
    fn tails_agree_with_scipy() {
        for ((x, n), k, m, expected) in [
            ((521, 27_004), 1_400, 24_951, 1.286_313_111_623_716e-112),
            ((10, 1_000), 25, 1_000, 0.007_874_852_761_073_203),
            ((0, 1_000), 3, 1_000, 0.124_812_406_203_101_55),
            ((3, 50), 20, 40, 1.820_299_720_055_130_8e-06),
        ] {
            let p = at_least(share(x, n), k, m);
            assert!((p / expected - 1.0).abs() < 1e-8, "{k} of {m} after {x} of {n}: {p}");
        }
    }

    #[test]
    fn a_band_narrows_as_rows_grow_and_holds_what_was_seen() {
        let band = |x, n, m| count_band(share(x, n), m, 0.0005);
        assert_eq!(band(0, 1_000, 0), CountBand { low: 0, high: 0 });
        assert_eq!(band(1_000, 1_000, 500).high, 500);
        let (small, large) = (band(100, 1_000, 1_000), band(100_000, 1_000_000, 1_000_000));
        assert!(small.low < 65 && small.high > 140, "{small:?}");
        assert!(large.low > 98_500 && large.high < 101_500, "{large:?}");
        // Nothing seen in a hundred rows says little about a million.
        assert!(highest(share(0, 100), 1_000_000, 0.0005) > 50_000);
    }

    proptest! {
        // The band is symmetric: what holds of a property holds of its absence.
        #[test]
        fn the_complement_mirrors_the_band(x in 0_u64..200, more in 0_u64..200, m in 0_u64..300) {
            prop_assume!(x + more > 0);
            let n = x + more;
            let (band, mirrored) = (count_band(share(x, n), m, 0.01), count_band(share(more, n), m, 0.01));
            prop_assert_eq!((m - band.low, m - band.high), (mirrored.high, mirrored.low));
        }

        // The tail falls as the count grows.
        #[test]
        fn the_tail_falls(x in 0_u64..50, more in 1_u64..200, m in 1_u64..100) {
            let tails: Vec<f64> = (0..=m).map(|k| at_least(share(x, x + more), k, m)).collect();
            prop_assert!(tails.windows(2).all(|pair| pair[1] <= pair[0] + 1e-12), "{:?}", tails);
        }
    }
}
