//! Barnard's unconditional exact test of two proportions.
//!
//! Question: do two groups share one proportion of successes, when only the group sizes are fixed?
//! Input: successes and trials of both groups; how the statistic estimates its variance.
//! Formula: T = (q-p)/√V with V pooled, p̄(1-p̄)(1/n+1/m), or not, p(1-p)/n + q(1-q)/m; p-value: the largest probability over
//! the common share of all tables whose T is at least as far out. T is 0 where both shares are equal, infinite where they are
//! 0 and 1.
//! Valid when: always; the level is kept whatever the common share is.
//! Reference: Barnard 1947, doi:10.1093/biomet/34.1-2.123; Suissa, Shuster 1985, doi:10.2307/2981892 (pooled and not).
//! Oracle: SciPy 1.17 `scipy.stats.barnard_exact([[l, k], [m-l, n-k]], pooled=…, alternative=…, n=…)`.
//! Cost: about 16(n+m)² multiplications; `None` above [`TABLES_MAX`] tables.

use super::{
    TABLES_MAX, Table, Variance,
    nuisance::{Region, Runs},
};
use crate::experiment::effect::Alternative;

/// Statistics closer than this are equal: they are quotients of small integers.
const TIE: f64 = 1e-10;

/// The test's answer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Barnard {
    /// T; `None` where it is infinite or no value of it is defined.
    pub statistic: Option<f64>,
    /// The p-value, never 0.
    pub p_value: f64,
}

/// The test; `None` where there are too many tables. Where no group has a success, or none a failure, nothing is to be
/// compared and p is 1.
#[must_use]
pub fn barnard(table: &Table, variance: Variance, alternative: Alternative) -> Option<Barnard> {
    if table.tables() > TABLES_MAX {
        return None;
    }
    let (n, m) = (table.control.n(), table.treatment.n());
    let successes = table.control.k() + table.treatment.k();
    if successes == 0 || successes == n + m {
        return Some(Barnard { statistic: None, p_value: 1.0 });
    }
    let statistic = |x: u64, y: u64| wald((x, n), (y, m), variance);
    let observed = statistic(table.control.k(), table.treatment.k());
    let far = if alternative == Alternative::TwoSided { observed.abs() } else { observed };
    let slack = if far.is_finite() { TIE * far.abs() } else { 0.0 };
    let least = far - slack;
    // T falls with the control's number and rises with the treatment's, so each run's end only moves up.
    let (mut from, mut up_to) = (0, 0);
    let runs = (0..=n).map(|x| {
        if alternative != Alternative::Less {
            while from <= m && statistic(x, from) < least {
                from += 1;
            }
        } else {
            from = m + 1;
        }
        let below = match alternative {
            Alternative::Greater => f64::NEG_INFINITY,
            Alternative::Less => far + slack,
            Alternative::TwoSided => -least,
        };
        while alternative != Alternative::Greater && up_to <= m && statistic(x, up_to) <= below {
            up_to += 1;
        }
        runs(up_to, from, m)
    });
    let region = Region { n, m, runs: runs.collect() };
    Some(Barnard { statistic: Some(observed).filter(|t| t.is_finite()), p_value: region.supremum() })
}

/// The first `up_to` numbers and those from `from` on; where they meet, all.
fn runs(up_to: u64, from: u64, m: u64) -> Runs {
    let index = |at: u64| usize::try_from(at).expect("bounded by TABLES_MAX");
    if up_to > from {
        return Runs { up_to: None, from: Some(0) };
    }
    Runs { up_to: up_to.checked_sub(1).map(index), from: (from <= m).then(|| index(from)) }
}

fn wald((x, n): (u64, u64), (y, m): (u64, u64), variance: Variance) -> f64 {
    // Equal shares are compared as integers.
    if u128::from(x) * u128::from(m) == u128::from(y) * u128::from(n) {
        return 0.0;
    }
    let (p, q) = (x as f64 / n as f64, y as f64 / m as f64);
    let (n, m) = (n as f64, m as f64);
    let pooled = (x + y) as f64 / (n + m);
    let variance = match variance {
        Variance::Pooled => pooled * (1.0 - pooled) * (1.0 / n + 1.0 / m),
        Variance::Unpooled => p * (1.0 - p) / n + q * (1.0 - q) / m,
    };
    (q - p) / variance.sqrt()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::barnard;
    use crate::{
        binomial::{Share, probability},
        experiment::effect::Alternative,
        two_proportions::{Table, Variance},
    };

    fn table(k: u64, n: u64, l: u64, m: u64) -> Table {
        Table { control: Share::new(k, n).unwrap(), treatment: Share::new(l, m).unwrap() }
    }

    // Field case 20 (tea-tasting, test_proportion).
    #[test]
    fn case_20_agrees_with_a_published_value() {
        let test = barnard(&table(19, 53, 13, 47), Variance::Unpooled, Alternative::TwoSided).unwrap();
        assert!((test.p_value - 0.530_637_10).abs() < 5e-9, "{test:?}");
    }

    // Mehta, Senchaudhuri 2003: 7 of 15 vaccinated against 12 of 15. SciPy 1.17 `barnard_exact([[7, 12], [8, 3]],
    // alternative='less')` answers .0340767: it compares rounded statistics, and so it misses the table 3 against 8, whose T is
    // the same, since both differ by 5 of 15 with 11·19/900 for p̄(1-p̄). With it, the maximum over a grid of 20,001 shares
    // of `binom.pmf` is .0341091546.
    #[test]
    fn a_tied_table_is_counted() {
        let test = barnard(&table(12, 15, 7, 15), Variance::Pooled, Alternative::Less).unwrap();
        assert!((test.statistic.unwrap() + 1.894_338_076_060_206_4).abs() < 1e-14, "{test:?}");
        assert!((test.p_value - 0.034_109_154_66).abs() < 1e-11, "{test:?}");
    }

    #[test]
    fn groups_without_any_difference_have_p_one() {
        for (k, n, l, m) in [(0, 3, 0, 9), (3, 3, 9, 9), (1, 2, 2, 4)] {
            let test = barnard(&table(k, n, l, m), Variance::Unpooled, Alternative::TwoSided).unwrap();
            assert!((test.p_value - 1.0).abs() < 1e-12, "{test:?}");
        }
    }

    #[test]
    fn an_infinite_statistic_keeps_its_p() {
        let test = barnard(&table(0, 4, 5, 5), Variance::Unpooled, Alternative::TwoSided).unwrap();
        assert_eq!(test.statistic, None);
        // π⁵(1-π)⁴ + π⁴(1-π)⁵ = (π(1-π))⁴ at most.
        assert!((test.p_value - 0.25_f64.powi(4)).abs() < 1e-12, "{test:?}");
    }

    #[test]
    fn too_many_tables_are_refused() {
        assert_eq!(barnard(&table(1, 2_000, 2, 2_000), Variance::Pooled, Alternative::TwoSided), None);
    }

    proptest! {
        // The supremum is no less than the sum over all tables at any share, and is reached at some share.
        #[test]
        fn no_share_makes_the_tables_likelier(n in 1_u64..14, m in 1_u64..14, k in 0_u64..14, l in 0_u64..14) {
            let (k, l) = (k.min(n), l.min(m));
            prop_assume!(k + l > 0 && k + l < n + m);
            for variance in [Variance::Pooled, Variance::Unpooled] {
                for alternative in [Alternative::TwoSided, Alternative::Less, Alternative::Greater] {
                    let p = barnard(&table(k, n, l, m), variance, alternative).unwrap().p_value;
                    let t = |x, y| super::wald((x, n), (y, m), variance);
                    let seen = t(k, l);
                    let slack = if seen.is_finite() { 1e-10 * seen.abs() } else { 0.0 };
                    let far = |value: f64| match alternative {
                        Alternative::TwoSided => value.abs() >= seen.abs() - slack,
                        Alternative::Less => value <= seen + slack,
                        Alternative::Greater => value >= seen - slack,
                    };
                    let mut highest = 0.0_f64;
                    for i in 0..=400 {
                        let share = f64::from(i) / 400.0;
                        let tables = (0..=n).flat_map(|x| (0..=m).map(move |y| (x, y)));
                        let chance: f64 = tables
                            .filter(|(x, y)| far(t(*x, *y)))
                            .map(|(x, y)| probability(x, n, share) * probability(y, m, share))
                            .sum();
                        highest = highest.max(chance);
                    }
                    prop_assert!(p >= highest * (1.0 - 1e-12), "{p} below {highest}");
                    prop_assert!(p <= highest * 1.01, "{p} above {highest}");
                }
            }
        }
    }
}
