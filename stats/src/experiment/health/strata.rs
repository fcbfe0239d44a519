//! Strata: whether units of every stratum were dealt out alike.
//!
//! Question: does the arm of a unit depend on its stratum, so that the arms are mixed unlike by more than chance?
//! Input: units of each stratum in both arms; the level.
//! Formula: Pearson's chi-square over the 2×S table. Strata that expect fewer than five units in an arm are pooled into one rest, which
//! joins the smallest other stratum where it is still too small.
//! Valid when: units are independent, and the column was known before a unit got its arm.
//! Degenerate: fewer than two strata after pooling, or an arm without units, is undecided.
//! Reference: Fabijan et al. 2019, doi:10.1145/3292500.3330722; Cochran 1954, doi:10.2307/3001616 (at least five).
//! Oracle: SciPy 1.17 `scipy.stats.chi2_contingency(table, correction=False)` of the pooled table.
//! Cost: linear in the strata.

use super::imbalance::Balance;
use crate::{
    cells::{Cell, Cells},
    chi_square,
};

/// Units that a stratum is to expect in each arm.
const EXPECTED_MIN: f64 = 5.0;

/// Units of a stratum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Dealt {
    /// In the control.
    pub control: u64,
    /// In the arm.
    pub arm: u64,
}

/// The check's numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Strata {
    /// `None` where undecided.
    pub p_value: Option<f64>,
    /// Strata that were held against each other, the pooled rest as one of them.
    pub strata: usize,
    /// Strata that were too small and pooled.
    pub pooled: usize,
    /// What follows.
    pub balance: Balance,
}

/// The check at a level such as [`super::ALPHA`].
#[must_use]
pub fn strata(dealt: &[Dealt], alpha: f64) -> Strata {
    let (held, pooled) = pool(dealt);
    let mut cells = Cells::default();
    held.iter().for_each(|stratum| cells.push(Cell::new(stratum.control, stratum.arm)));
    let p_value = if held.len() < 2 { None } else { chi_square::chi_square(&cells).p_value };
    let balance = match p_value {
        None => Balance::Undecided,
        Some(p) if p < alpha => Balance::Imbalanced,
        Some(_) => Balance::Balanced,
    };
    Strata { p_value, strata: held.len(), pooled, balance }
}

/// Strata that are large enough, with the others as one.
fn pool(dealt: &[Dealt]) -> (Vec<Dealt>, usize) {
    let both = |stratum: &Dealt| stratum.control + stratum.arm;
    let all = merged(dealt.iter());
    let smaller_share = all.control.min(all.arm) as f64 / both(&all).max(1) as f64;
    let large = |stratum: &Dealt| both(stratum) as f64 * smaller_share >= EXPECTED_MIN;
    let mut held: Vec<Dealt> = dealt.iter().filter(|stratum| large(stratum)).copied().collect();
    let few: Vec<&Dealt> = dealt.iter().filter(|stratum| !large(stratum) && both(stratum) > 0).collect();
    let rest = merged(few.iter().copied());
    if large(&rest) {
        held.push(rest);
    } else if let Some(smallest) = held.iter_mut().min_by_key(|stratum| both(stratum)) {
        *smallest = merged([*smallest, rest].iter());
    }
    (held, few.len())
}

fn merged<'a>(dealt: impl Iterator<Item = &'a Dealt>) -> Dealt {
    dealt.fold(Dealt::default(), |sum, one| Dealt {
        control: sum.control + one.control,
        arm: sum.arm + one.arm,
    })
}

#[cfg(test)]
mod tests {
    use super::{Dealt, strata};
    use crate::experiment::health::{ALPHA, imbalance::Balance};

    fn of(counts: &[(u64, u64)]) -> super::Strata {
        let dealt: Vec<Dealt> = counts.iter().map(|&(control, arm)| Dealt { control, arm }).collect();
        strata(&dealt, ALPHA)
    }

    // chi2_contingency([[50, 30, 20], [30, 40, 30]], correction=False).pvalue and the same of larger counts.
    #[test]
    fn agrees_with_scipy() {
        let found = of(&[(50, 30), (30, 40), (20, 30)]);
        assert!((found.p_value.unwrap() - 0.014_782_877_194_839_42).abs() < 1e-12, "{found:?}");
        assert_eq!((found.balance, found.strata, found.pooled), (Balance::Balanced, 3, 0));
        let found = of(&[(500, 300), (300, 400), (200, 300)]);
        assert!((found.p_value.unwrap() / 4.984_133_785_037_731e-19 - 1.0).abs() < 1e-9, "{found:?}");
        assert_eq!(found.balance, Balance::Imbalanced);
    }

    // Twenty strata of two units each, all in one arm by chance of nothing: alone none expects five.
    #[test]
    fn small_strata_are_pooled_and_not_passed_over() {
        let mut counts = vec![(500, 480), (400, 420)];
        counts.extend([(0, 2); 20]);
        let found = of(&counts);
        assert_eq!((found.strata, found.pooled, found.balance), (3, 20, Balance::Imbalanced));
    }

    #[test]
    fn a_rest_that_is_still_small_joins_the_smallest_stratum() {
        let found = of(&[(500, 480), (400, 420), (1, 0), (0, 1)]);
        let joined = of(&[(500, 480), (401, 421)]);
        assert_eq!((found.strata, found.pooled), (2, 2));
        assert_eq!(found.p_value, joined.p_value);
    }

    #[test]
    fn what_cannot_be_held_against_another_is_undecided() {
        for counts in [&[][..], &[(9, 9)], &[(0, 0), (9, 9)], &[(50, 0), (60, 0)], &[(1, 1), (2, 1)]] {
            let found = of(counts);
            assert_eq!((found.balance, found.p_value), (Balance::Undecided, None), "{counts:?}");
        }
    }
}
