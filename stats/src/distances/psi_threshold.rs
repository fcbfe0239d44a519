//! The population stability index that chance alone exceeds with a given probability.
//!
//! Question: how large must a stability index be, on so many bins and rows, before it means anything?
//! Input: the probability alpha, the number of bins, and 1/n + 1/m; for a reference that is taken as known, 1/m alone.
//! Formula: h·χ²₁₋ₐ(B-1) with h = 1/n + 1/m; or by the normal limit of χ²: h·(B - 1 + z₁₋ₐ·√(2(B-1))).
//! Valid when: every bin expects about 5 rows on either side; the normal form needs some 30 bins and is for comparison.
//! Reference: Yurdakul 2018, "Statistical properties of population stability index", Western Michigan University, section 3.2.
//! Oracle: SciPy 1.17 `scipy.stats.chi2.ppf(1 - alpha, B - 1) * h`, `scipy.stats.norm.ppf(1 - alpha)`.
//! Cost: some hundred evaluations of a tail.

use crate::survival;

/// The threshold by the limiting chi-square distribution; `None` where there are fewer than two bins or `alpha` is not between 0
/// and 1.
#[must_use]
pub fn chi_square(alpha: f64, bins: u32, harmonic: f64) -> Option<f64> {
    let df = degrees(alpha, bins)?;
    Some(harmonic * solve(alpha, |x| survival::chi_square(x, df)))
}

/// The threshold by the normal limit of chi-square; `None` as for [`chi_square`].
#[must_use]
pub fn normal(alpha: f64, bins: u32, harmonic: f64) -> Option<f64> {
    let df = degrees(alpha, bins)?;
    let z = if alpha < 0.5 { solve(alpha, survival::normal) } else { -solve(1.0 - alpha, survival::normal) };
    Some((harmonic * (df + z * (2.0 * df).sqrt())).max(0.0))
}

fn degrees(alpha: f64, bins: u32) -> Option<f64> {
    (bins >= 2 && alpha > 0.0 && alpha < 1.0).then(|| f64::from(bins - 1))
}

/// The x at or above 0 whose tail is `alpha`: doubled until it is enclosed, then halved until doubles end.
fn solve(alpha: f64, tail: impl Fn(f64) -> f64) -> f64 {
    let mut high = 1.0;
    while tail(high) > alpha && high < 1e300 {
        high *= 2.0;
    }
    let mut low = 0.0;
    loop {
        let middle = low + (high - low) / 2.0;
        if middle <= low || middle >= high {
            return high;
        }
        if tail(middle) > alpha { low = middle } else { high = middle }
    }
}

#[cfg(test)]
mod tests {
    use super::{chi_square, normal};

    #[test]
    fn a_threshold_is_where_the_tail_is_alpha() {
        for (alpha, bins) in [(0.5, 2), (0.05, 12), (0.01, 100), (1e-9, 10)] {
            let threshold = chi_square(alpha, bins, 1.0).unwrap();
            let tail = crate::survival::chi_square(threshold, f64::from(bins - 1));
            assert!((tail / alpha - 1.0).abs() < 1e-9, "{alpha} {bins}: {tail}");
        }
        assert!((normal(0.5, 10, 1.0).unwrap() - 9.0).abs() < 1e-9);
    }

    #[test]
    fn one_bin_or_no_alpha_has_no_threshold() {
        for (alpha, bins) in [(0.05, 1), (0.0, 10), (1.0, 10), (f64::NAN, 10)] {
            assert_eq!((chi_square(alpha, bins, 0.01), normal(alpha, bins, 0.01)), (None, None));
        }
    }
}
