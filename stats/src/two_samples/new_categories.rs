//! The share of current values whose category the reference lacks.
//!
//! Question: does the current sample hold categories that were never seen?
//! Input: counts of each category on both sides, missing values left out.
//! Formula: S = values of the current sample in categories that the reference lacks; statistic S/m. p = P(S ≥ s) when the
//! labels are exchanged at random: a category of t values falls wholly into the current sample with
//! probability Π (m-i)/(N-i) over i < t, independently of the others to first order; the distribution of the sum is
//! carried exactly up to [`SUM_MAX`], beyond that by its normal limit.
//! Valid when: both sides have values. Rare categories come and go by chance; that is in the p-value.
//! Reference: conditional on the pooled counts, Fisher 1922, doi:10.2307/2340521; for one new category the p-value is his.
//! Oracle: SciPy 1.17 `scipy.stats.hypergeom.sf` for one category; permutation otherwise.
//! Cost: at most about [`SUM_MAX`]²·ln.

use std::collections::BTreeMap;

use statrs::function::{beta::beta_reg, gamma::ln_gamma};

use crate::{
    cells::Cells,
    comparison::{Comparison, PMethod},
    survival,
    walk::Sizes,
};

/// The largest count of new values whose distribution is summed exactly.
pub const SUM_MAX: u64 = 1_500;

/// The test.
#[must_use]
pub fn new_categories(cells: &Cells) -> Comparison {
    if !cells.comparable() {
        return Comparison::UNDEFINED;
    }
    let sizes = cells.sizes();
    let new: u64 = cells.as_slice().iter().filter(|cell| cell.a == 0).map(|cell| cell.b * cell.times).sum();
    let share = new as f64 / sizes.b as f64;
    let comparison = Comparison::of(share, share);
    if new == 0 {
        return comparison.with_p(1.0, PMethod::Exact);
    }
    let mut by_total: BTreeMap<u64, u64> = BTreeMap::new();
    for cell in cells.as_slice() {
        *by_total.entry(cell.a + cell.b).or_default() += cell.times;
    }
    if new <= SUM_MAX {
        comparison.with_p(exact_tail(&by_total, sizes, new), PMethod::Exact)
    } else {
        comparison.with_p(normal_tail(&by_total, sizes, new), PMethod::Asymptotic)
    }
}

/// The probability that all of `t` values carry the label of the current sample.
fn all_current(t: u64, sizes: Sizes) -> f64 {
    if t > sizes.b {
        return 0.0;
    }
    let (m, total, t) = (sizes.b as f64, sizes.total() as f64, t as f64);
    (ln_gamma(m + 1.0) - ln_gamma(m - t + 1.0) + ln_gamma(total - t + 1.0) - ln_gamma(total + 1.0)).exp()
}

fn exact_tail(by_total: &BTreeMap<u64, u64>, sizes: Sizes, new: u64) -> f64 {
    let size = usize::try_from(new).expect("bounded by SUM_MAX");
    let mut below = vec![0.0; size];
    below[0] = 1.0;
    let mut reached = 0.0;
    for (t, times) in by_total {
        let p = all_current(*t, sizes);
        if p == 0.0 {
            continue;
        }
        let step = usize::try_from(*t).unwrap_or(usize::MAX);
        let jumps = (size.div_ceil(step)).min(usize::try_from(*times).unwrap_or(usize::MAX));
        let pmf: Vec<f64> = (0..=jumps).map(|j| binomial(j as f64, *times as f64, p)).collect();
        let tail: Vec<f64> = (0..=jumps + 1).map(|j| binomial_tail(j as f64, *times as f64, p)).collect();
        let mut next = vec![0.0; size];
        for (at, mass) in below.iter().enumerate().filter(|(_, mass)| **mass > 0.0) {
            let needed = (size - at).div_ceil(step);
            if needed <= jumps + 1 {
                reached += mass * tail[needed];
            }
            for (j, weight) in pmf.iter().enumerate().take(needed) {
                next[at + j * step] += mass * weight;
            }
        }
        below = next;
    }
    reached.min(1.0)
}

fn binomial(j: f64, n: f64, p: f64) -> f64 {
    if p >= 1.0 {
        return if j == n { 1.0 } else { 0.0 };
    }
    let ln_choose = ln_gamma(n + 1.0) - ln_gamma(j + 1.0) - ln_gamma(n - j + 1.0);
    (ln_choose + j * p.ln() + (n - j) * (-p).ln_1p()).exp()
}

fn binomial_tail(j: f64, n: f64, p: f64) -> f64 {
    match j {
        j if j <= 0.0 => 1.0,
        j if j > n => 0.0,
        _ if p >= 1.0 => 1.0,
        j => beta_reg(j, n - j + 1.0, p),
    }
}

fn normal_tail(by_total: &BTreeMap<u64, u64>, sizes: Sizes, new: u64) -> f64 {
    let (mut mean, mut variance) = (0.0, 0.0);
    for (t, times) in by_total {
        let (t_f, times) = (*t as f64, *times as f64);
        let p = all_current(*t, sizes);
        mean += t_f * times * p;
        variance += t_f * t_f * times * p * (1.0 - p);
    }
    if variance <= 0.0 {
        // No category can be new by chance to any precision that is left.
        return if mean >= new as f64 - 0.5 { 1.0 } else { 0.0 };
    }
    survival::normal((new as f64 - 0.5 - mean) / variance.sqrt())
}

#[cfg(test)]
mod tests {
    use super::new_categories;
    use crate::cells::{Cell, Cells};

    // Oracle: SciPy 1.17 `scipy.stats.hypergeom.pmf(5, 2000, 5, 1000)` = C(1000, 5)/C(2000, 5).
    #[test]
    fn one_new_category_has_the_hypergeometric_p() {
        let cells: Cells = [Cell::new(1000, 995), Cell::new(0, 5)].into_iter().collect();
        let expected: f64 = (0..5).map(|i| f64::from(1000 - i) / f64::from(2000 - i)).product();
        let test = new_categories(&cells);
        assert!((test.p_value.unwrap() / expected - 1.0).abs() < 1e-9);
        assert_eq!(test.statistic, Some(0.005));
    }

    #[test]
    fn identifiers_are_expected_to_be_new() {
        // Every value occurs once: all current values are new, as they would be after any relabelling.
        let cells: Cells =
            [Cell { a: 1, b: 0, times: 500 }, Cell { a: 0, b: 1, times: 500 }].into_iter().collect();
        assert!(new_categories(&cells).p_value.unwrap() > 0.4);
    }

    #[test]
    fn without_new_categories_p_is_one() {
        let cells: Cells = [Cell::new(10, 10), Cell::new(5, 0)].into_iter().collect();
        assert_eq!(
            (new_categories(&cells).statistic, new_categories(&cells).p_value),
            (Some(0.0), Some(1.0))
        );
    }
}
