//! McNemar: whether two models are right equally often on the same requests.
//!
//! Question: of the requests that only one of both gets right, does it favour one?
//! Input: the pairs that only the first and only the second gets right; all pairs.
//! Formula: exact: twice the smaller binomial tail of b of b + c at ½, at most 1; mid-p: less the probability of b itself;
//! corrected: (|b-c| - 1)²/(b+c) against χ² with 1 degree of freedom. Change of the share right: (c-b)/n; its interval
//! is that of the score: all Δ with |c - b - nΔ| ≤ z√(n(2q + Δ(1 - Δ))), where q is the likeliest share of pairs that only the first gets right
//! if the difference is Δ, the larger root of 2n·q² - (b + c - (2n - c + b)Δ)q - bΔ(1 - Δ).
//! Valid when: pairs are independent; the corrected one from some 25 discordant pairs on.
//! Degenerate: without discordant pairs p is 1.
//! Reference: McNemar 1947, doi:10.1007/BF02295996; Edwards 1948 (correction); Fagerland, Lydersen, Laake 2013,
//! doi:10.1186/1471-2288-13-91 (mid-p); Tango 1998, doi:10.1002/(SICI)1097-0258(19980430)17:8<891::AID-SIM780>3.0.CO;2-B (interval).
//! Oracle: statsmodels 0.15 `mcnemar(table, exact=True|False, correction=True)`.
//! Cost: one binomial tail.

use crate::{
    binomial::{at_most, probability},
    experiment::effect::Interval,
    survival,
};

/// After so many the ends of an interval are neighbouring doubles.
const HALVINGS: usize = 60;

/// Paired answers, right or wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pairs {
    first_only: u64,
    second_only: u64,
    n: u64,
}

/// The test's answer. No p-value is 0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct McNemar {
    /// The exact p-value, two-sided.
    pub exact: f64,
    /// The exact one less half of its discreteness.
    pub mid: f64,
    /// The corrected chi-square statistic; `None` without discordant pairs.
    pub corrected_statistic: Option<f64>,
    /// Its p-value; 1 without discordant pairs.
    pub corrected: f64,
    /// The second's share right minus the first's; `None` without pairs.
    pub difference: Option<f64>,
    /// Pairs on which the two differ.
    pub discordant: u64,
}

impl Pairs {
    /// Pairs that only the first and only the second gets right, of `n`; `None` where those are more than `n`.
    #[must_use]
    pub fn new(first_only: u64, second_only: u64, n: u64) -> Option<Self> {
        let discordant = first_only.checked_add(second_only)?;
        (discordant <= n).then_some(Self { first_only, second_only, n })
    }

    /// The test.
    #[must_use]
    pub fn test(&self) -> McNemar {
        let (b, c) = (self.first_only, self.second_only);
        let discordant = b + c;
        let never_zero = |p: f64| p.clamp(f64::MIN_POSITIVE, 1.0);
        let tail = at_most(b.min(c), discordant, 0.5);
        let here = probability(b.min(c), discordant, 0.5);
        let statistic = (discordant > 0).then(|| {
            let off = (b.abs_diff(c) as f64 - 1.0).max(0.0);
            off * off / discordant as f64
        });
        McNemar {
            exact: never_zero(2.0 * tail),
            mid: never_zero(2.0 * tail - here),
            corrected_statistic: statistic,
            corrected: never_zero(statistic.map_or(1.0, |x| survival::chi_square(x, 1.0))),
            difference: (self.n > 0).then(|| (c as f64 - b as f64) / self.n as f64),
            discordant,
        }
    }

    /// The interval of the second's share right minus the first's; `None` without pairs or for a confidence outside of (0, 1).
    #[must_use]
    pub fn interval(&self, confidence: f64) -> Option<Interval> {
        if self.n == 0 || !(confidence > 0.0 && confidence < 1.0) {
            return None;
        }
        let z = survival::normal_exceeded((1.0 - confidence) / 2.0);
        let found = (self.second_only as f64 - self.first_only as f64) / self.n as f64;
        // The score falls as the difference grows.
        let end = |mut below: f64, mut above: f64, score: f64| {
            for _ in 0..HALVINGS {
                let middle = f64::midpoint(below, above);
                if self.score(middle) > score {
                    below = middle;
                } else {
                    above = middle;
                }
            }
            f64::midpoint(below, above)
        };
        Some(Interval { lo: end(-1.0, found, z), hi: end(found, 1.0, -z) })
    }

    /// How many standard errors the change of the share right is above this one.
    fn score(&self, difference: f64) -> f64 {
        let (b, c, n) = (self.first_only as f64, self.second_only as f64, self.n as f64);
        let linear = (2.0 * n - c + b) * difference - b - c;
        let constant = b * difference * (1.0 - difference);
        let root = (linear * linear + 8.0 * n * constant).max(0.0).sqrt();
        let share = ((root - linear) / (4.0 * n)).max(-difference).max(0.0);
        let variance = n * (2.0 * share + difference * (1.0 - difference)).max(0.0);
        let off = c - b - n * difference;
        if off == 0.0 { 0.0 } else { off / variance.sqrt() }
    }
}

#[cfg(test)]
mod tests {
    use super::Pairs;

    // Field case 33.
    #[test]
    fn case_33_fifteen_against_five() {
        let test = Pairs::new(15, 5, 100).unwrap().test();
        assert!((test.exact - 0.041_389_5).abs() < 5e-8, "{test:?}");
        assert!((test.corrected - 0.044_171_3).abs() < 5e-8, "{test:?}");
        assert!((test.corrected_statistic.unwrap() - 4.05).abs() < 1e-12);
        assert_eq!((test.difference, test.discordant), (Some(-0.1), 20));
        // 2·P(X ≤ 5) - P(X = 5) of 20 at ½: (2·21,700 - 15,504)/2²⁰.
        assert!((test.mid - 27_896.0 / 1_048_576.0).abs() < 1e-12, "{test:?}");
    }

    #[test]
    fn models_that_never_differ_are_alike() {
        let test = Pairs::new(0, 0, 50).unwrap().test();
        assert_eq!((test.exact, test.corrected, test.corrected_statistic), (1.0, 1.0, None));
        let interval = Pairs::new(0, 0, 50).unwrap().interval(0.95).unwrap();
        // z²/(n + z²).
        let end = 3.841_458_820_694_124 / 53.841_458_820_694_12;
        assert!((interval.lo + end).abs() < 1e-9 && (interval.hi - end).abs() < 1e-9, "{interval:?}");
    }

    // NumPy 2 by halving; SciPy 1.17 `optimize.minimize_scalar` of the likelihood given the difference puts both ends 1.959964 errors away.
    #[test]
    fn ends_of_the_interval_are_those_of_the_score() {
        for (pairs, lo, hi) in INTERVALS {
            let interval = Pairs::new(pairs[0], pairs[1], pairs[2]).unwrap().interval(0.95).unwrap();
            assert!((interval.lo - lo).abs() < 1e-9 && (interval.hi - hi).abs() < 1e-9, "{interval:?}");
        }
        let all = Pairs::new(7, 0, 7).unwrap().interval(0.95).unwrap();
        assert!(all.lo == -1.0 && all.hi > -1.0 && all.hi < 0.0, "{all:?}");
    }

    const INTERVALS: [([u64; 3], f64, f64); 4] = [
        ([15, 5, 100], -0.192_396_505_063_975_76, -0.013_446_760_868_584_623),
        ([9, 12, 100], -0.063_188_530_787_592_96, 0.124_516_181_838_646_93),
        ([2, 0, 40], -0.165_038_773_691_409_68, 0.042_002_681_257_150_995),
        ([300, 280, 5_000], -0.013_472_261_492_064_687, 0.005_455_152_082_548_997),
    ];

    #[test]
    fn no_pairs_have_no_difference() {
        let none = Pairs::new(0, 0, 0).unwrap();
        assert_eq!((none.test().exact, none.test().difference), (1.0, None));
        assert_eq!(none.interval(0.95), None);
        assert_eq!(Pairs::new(3, 4, 6), None);
        assert_eq!(Pairs::new(u64::MAX, 1, u64::MAX), None);
    }

    #[test]
    fn a_p_value_too_small_for_doubles_is_not_zero() {
        let test = Pairs::new(0, 100_000, 100_000).unwrap().test();
        assert!(test.exact > 0.0 && test.mid > 0.0 && test.corrected > 0.0);
    }
}
