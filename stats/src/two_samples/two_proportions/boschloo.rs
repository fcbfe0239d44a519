//! Boschloo's unconditional exact test of two proportions.
//!
//! Question: as Barnard's, ordering tables by Fisher's p-value instead of a z.
//! Input: successes and trials of both groups.
//! Formula: the largest probability over the common share of all tables whose one-sided Fisher p is at most the observed
//! one; two-sided: twice the smaller of both directions.
//! Valid when: always; never less powerful than Fisher's test where one-sided.
//! Reference: Boschloo 1970, doi:10.1111/j.1467-9574.1970.tb00104.x.
//! Oracle: SciPy 1.17 `scipy.stats.boschloo_exact([[l, k], [m-l, n-k]], alternative=…, n=…)`.
//! Cost: about 16(n+m)² multiplications; `None` above [`TABLES_MAX`] tables.

use super::{
    TABLES_MAX, Table,
    nuisance::{Region, Runs},
};
use crate::{binomial::Share, experiment::effect::Alternative, fisher_exact};

/// Fisher p-values closer than this factor are equal.
const TIE: f64 = 1.0 + 1e-10;

/// The test's answer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Boschloo {
    /// Fisher's one-sided p-value, of the smaller direction where two-sided.
    pub statistic: f64,
    /// The p-value, never 0.
    pub p_value: f64,
}

/// The test; `None` where there are too many tables. `Greater`: the treatment's share is larger.
#[must_use]
pub fn boschloo(table: &Table, alternative: Alternative) -> Option<Boschloo> {
    if table.tables() > TABLES_MAX {
        return None;
    }
    match alternative {
        Alternative::Greater => Some(greater(table.control, table.treatment)),
        // A larger share of the control is a smaller one of the treatment.
        Alternative::Less => Some(greater(table.treatment, table.control)),
        Alternative::TwoSided => {
            let more = greater(table.control, table.treatment);
            let less = greater(table.treatment, table.control);
            let smaller = if more.p_value <= less.p_value { more } else { less };
            Some(Boschloo { p_value: (2.0 * smaller.p_value).min(1.0), ..smaller })
        }
    }
}

fn greater(one: Share, other: Share) -> Boschloo {
    let (n, m) = (one.n(), other.n());
    let statistic = fisher_exact::at_most(one, other);
    let most = statistic * TIE;
    let inside = |x: u64, y: u64| {
        let (Some(one), Some(other)) = (Share::new(x, n), Share::new(y, m)) else { return false };
        fisher_exact::at_most(one, other) <= most
    };
    // Fisher's p rises with the one's number and falls with the other's, so the first number inside only moves up.
    let mut from = 0;
    let runs = (0..=n).map(|x| {
        while from <= m && !inside(x, from) {
            from += 1;
        }
        let start = usize::try_from(from).expect("bounded by TABLES_MAX");
        Runs { up_to: None, from: (from <= m).then_some(start) }
    });
    let region = Region { n, m, runs: runs.collect() };
    Boschloo { statistic, p_value: region.supremum() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::boschloo;
    use crate::{binomial::Share, experiment::effect::Alternative, fisher_exact, two_proportions::Table};

    fn table(k: u64, n: u64, l: u64, m: u64) -> Table {
        Table { control: Share::new(k, n).unwrap(), treatment: Share::new(l, m).unwrap() }
    }

    // Field case 20 (tea-tasting, test_proportion).
    #[test]
    fn case_20_agrees_with_a_published_value() {
        let test = boschloo(&table(19, 53, 13, 47), Alternative::TwoSided).unwrap();
        assert!((test.p_value - 0.400_016_94).abs() < 5e-9, "{test:?}");
    }

    #[test]
    fn groups_without_any_difference_have_p_one() {
        for (k, n, l, m) in [(0, 3, 0, 9), (3, 3, 9, 9)] {
            let test = boschloo(&table(k, n, l, m), Alternative::TwoSided).unwrap();
            assert!((test.p_value - 1.0).abs() < 1e-12, "{test:?}");
        }
    }

    #[test]
    fn too_many_tables_are_refused() {
        assert_eq!(boschloo(&table(1, 2_000, 2, 2_000), Alternative::TwoSided), None);
    }

    proptest! {
        // It is never above Fisher's one-sided p, whose tables it takes at their worst share.
        #[test]
        fn never_above_fisher(n in 1_u64..25, m in 1_u64..25, k in 0_u64..25, l in 0_u64..25) {
            let (k, l) = (k.min(n), l.min(m));
            let test = boschloo(&table(k, n, l, m), Alternative::Greater).unwrap();
            let fisher = fisher_exact::at_most(Share::new(k, n).unwrap(), Share::new(l, m).unwrap());
            prop_assert_eq!(test.statistic, fisher);
            prop_assert!(test.p_value <= fisher * (1.0 + 1e-9), "{} above {}", test.p_value, fisher);
        }
    }
}
