//! Fisher's exact test of a 2×2 table.
//!
//! Question: do two samples of two categories have one distribution, however few values there are?
//! Input: counts of both categories on both sides.
//! Formula: sample odds ratio a₁b₂/(a₂b₁); p: the sum of the hypergeometric probabilities not above that of the table.
//! Valid when: always; the odds ratio needs a₂b₁ above 0.
//! Reference: Fisher 1922, doi:10.2307/2340521.
//! Oracle: SciPy 1.17 `scipy.stats.fisher_exact([[a1, b1], [a2, b2]])`.
//! Cost: linear in the smallest margin.

use statrs::function::gamma::ln_gamma;

use crate::{
    binomial::Share,
    cells::{Cell, Cells},
    comparison::{Comparison, PMethod},
};

/// Probabilities that differ by less than this factor count as equal, as in SciPy.
const TIE: f64 = 1.0 + 1e-14;

/// The test; undefined unless there are exactly two categories. The effect is the change of the first one's share.
#[must_use]
pub fn fisher_exact(cells: &Cells) -> Comparison {
    let (one, two) = match cells.as_slice() {
        [one, two] if one.times == 1 && two.times == 1 => (one, two),
        // Two that occur equally often are one cell.
        [both] if both.times == 2 => (both, both),
        _ => return Comparison::UNDEFINED,
    };
    if !cells.comparable() {
        return Comparison::UNDEFINED;
    }
    let odds = (one.a as f64 * two.b as f64) / (two.a as f64 * one.b as f64);
    let sizes = cells.sizes();
    let change = one.b as f64 / sizes.b as f64 - one.a as f64 / sizes.a as f64;
    Comparison {
        statistic: Some(odds).filter(|odds| odds.is_finite()),
        p_value: Some(two_sided(*one, *two)),
        p_method: Some(PMethod::Exact),
        effect: Some(change),
    }
}

/// The two-sided p-value.
#[must_use]
pub fn two_sided(one: Cell, two: Cell) -> f64 {
    tail(one, two, |Point { weight, observed, .. }| weight <= observed * TIE)
}

/// The one-sided p-value: the chance that the reference has at least as many of the first category as it has, so that the share of
/// the first category fell.
#[must_use]
pub fn one_sided_fall(one: Cell, two: Cell) -> f64 {
    tail(one, two, |Point { count, .. }| count >= one.a)
}

/// A table with the same margins.
struct Point {
    /// Its first cell.
    count: u64,
    /// Its probability, relative to the mode's.
    weight: f64,
    /// That of the observed table.
    observed: f64,
}

/// The probability of all tables with the margins of the observed one that `counts` accepts.
fn tail(one: Cell, two: Cell, counts: impl Fn(Point) -> bool) -> f64 {
    let (n, m) = (one.a + two.a, one.b + two.b);
    let drawn = one.a + one.b;
    let low = drawn.saturating_sub(m);
    let high = drawn.min(n);
    if low == high {
        return 1.0;
    }
    let ln_choose =
        |n: u64, k: u64| ln_gamma(n as f64 + 1.0) - ln_gamma(k as f64 + 1.0) - ln_gamma((n - k) as f64 + 1.0);
    // Probabilities relative to the mode's, by recurrence in both directions, so that nothing under- or overflows.
    let mode = u128::from(drawn + 1) * u128::from(n + 1) / u128::from(n + m + 2);
    let mode = u64::try_from(mode).unwrap_or(u64::MAX).clamp(low, high);
    let ln_mode = ln_choose(n, mode) + ln_choose(m, drawn - mode) - ln_choose(n + m, drawn);
    let up = |k: u64| (n - k) as f64 * (drawn - k) as f64 / ((k + 1) as f64 * (m + k + 1 - drawn) as f64);
    let mut observed = 1.0;
    if one.a > mode {
        (mode..one.a).for_each(|k| observed *= up(k));
    } else {
        (one.a..mode).rev().for_each(|k| observed /= up(k));
    }
    let mut sum = 0.0;
    let mut add = |count, weight| {
        if counts(Point { count, weight, observed }) {
            sum += weight;
        }
    };
    add(mode, 1.0);
    let mut weight = 1.0;
    for k in mode..high {
        weight *= up(k);
        add(k + 1, weight);
    }
    weight = 1.0;
    for k in (low..mode).rev() {
        weight /= up(k);
        add(k, weight);
    }
    (sum.ln() + ln_mode).exp().min(1.0)
}

/// The one-sided p-value: the chance of at most `one`'s successes when all successes fall at random on the trials of both.
#[must_use]
pub fn at_most(one: Share, other: Share) -> f64 {
    let (n, m) = (one.n(), other.n());
    let drawn = one.k() + other.k();
    let (low, high) = (drawn.saturating_sub(m), drawn.min(n));
    let mode = u128::from(drawn + 1) * u128::from(n + 1) / u128::from(n + m + 2);
    let mode = u64::try_from(mode).unwrap_or(u64::MAX).clamp(low, high);
    // P(k + 1)/P(k). Weights are relative to the mode's, so their sum is the only norm that is needed.
    let up = |k: u64| (n - k) as f64 * (drawn - k) as f64 / ((k + 1) as f64 * (m + k + 1 - drawn) as f64);
    let (mut tail, mut rest) = (0.0, 0.0);
    let mut add = |k: u64, weight: f64| if k <= one.k() { tail += weight } else { rest += weight };
    add(mode, 1.0);
    let mut weight = 1.0;
    for k in mode..high {
        weight *= up(k);
        add(k + 1, weight);
    }
    weight = 1.0;
    for k in (low..mode).rev() {
        weight /= up(k);
        add(k, weight);
    }
    tail / (tail + rest)
}

#[cfg(test)]
mod tests {
    use super::{at_most, fisher_exact, two_sided};
    use crate::{
        binomial::Share,
        cells::{Cell, Cells},
        comparison::Comparison,
    };

    // Oracle: Python's `fractions` of `math.comb(…)`, exact.
    #[test]
    fn one_sided_tails_are_exact_sums() {
        for ((k, n), (l, m), expected) in
            [((1, 9), (6, 15), 0.14874141876430205), ((0, 100_000), (7, 100_000), 0.007811679703906537)]
        {
            let p = at_most(Share::new(k, n).unwrap(), Share::new(l, m).unwrap());
            assert!((p / expected - 1.0).abs() < 1e-11, "{p}");
        }
    }

    // tea-tasting, test_proportion, 19/53 against 13/47.
    #[test]
    fn agrees_with_a_published_value() {
        let p = two_sided(Cell::new(19, 13), Cell::new(34, 34));
        assert!((p - 0.399_994_89).abs() < 5e-9, "{p}");
    }

    #[test]
    fn three_categories_have_no_odds_ratio() {
        let cells: Cells = [Cell::new(1, 2), Cell::new(3, 4), Cell::new(5, 6)].into_iter().collect();
        assert_eq!(fisher_exact(&cells), Comparison::UNDEFINED);
    }

    // Oracle: SciPy 1.17 `fisher_exact([[20, 30], [20, 30]])`.
    #[test]
    fn two_categories_that_occur_equally_often_have_an_odds_ratio_of_one() {
        for both in [Cell::new(20, 30), Cell::new(20, 20)] {
            let test = fisher_exact(&[Cell { times: 2, ..both }].into_iter().collect());
            assert_eq!((test.statistic, test.effect), (Some(1.0), Some(0.0)));
            assert!((test.p_value.unwrap() - 1.0).abs() < 1e-12);
        }
        for cells in [Cell { times: 3, ..Cell::new(20, 30) }, Cell::new(20, 30)] {
            assert_eq!(fisher_exact(&[cells].into_iter().collect()), Comparison::UNDEFINED);
        }
    }

    #[test]
    fn an_infinite_odds_ratio_keeps_its_p() {
        let cells: Cells = [Cell::new(5, 0), Cell::new(0, 7)].into_iter().collect();
        let test = fisher_exact(&cells);
        assert_eq!(test.statistic, None);
        assert!((test.p_value.unwrap() - 1.0 / 792.0).abs() < 1e-12);
    }
}
