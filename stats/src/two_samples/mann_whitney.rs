//! Mann-Whitney: whether one sample's values tend to be larger than the other's.
//!
//! Question: did the values move up or down, whatever their distribution?
//! Input: the sorted merge of both samples; ±inf are ordinary values; missing ones are left out.
//! Formula: U = R - n(n+1)/2 with R the sum of the reference's midranks; z = (max(U, nm-U) - nm/2 - ½)/σ with the variance
//! nm/12·(N+1 - Σ(t³-t)/(N(N-1))). Effect: Cliff's delta of current over reference, 1 - 2U/(nm).
//! Valid when: values are independent; exact without ties where a side has at most eight values.
//! Reference: Mann, Whitney 1947, doi:10.1214/aoms/1177730491; Lehmann 1975, section 1.4 (ties, continuity).
//! Oracle: SciPy 1.17 `scipy.stats.mannwhitneyu(reference, current, alternative='two-sided', method='auto')`.
//! Cost: a few integer operations a value.

use crate::{
    comparison::{Comparison, PMethod},
    survival,
    walk::{Sizes, Step},
};

/// The smaller size up to which the exact distribution is used, as in SciPy.
const EXACT_MIN: u64 = 8;
/// Values of U up to which the exact distribution is counted: some 20 ms, and up to here the counts of eight values among as many as that
/// leaves fit 128 bits.
const EXACT_STATES: u64 = 1_600_000;

/// The sum of the reference's ranks so far, doubled to stay an integer, and the ties.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct RankState {
    twice_ranks: u128,
    ties: f64,
    tied: bool,
}

impl RankState {
    pub(crate) fn push(&mut self, step: Step) {
        let (below, here) = (step.below_a + step.below_b, step.a + step.b);
        self.twice_ranks += u128::from(step.a) * u128::from(2 * below + here + 1);
        if here > 1 {
            let t = here as f64;
            self.ties += t * t * t - t;
            self.tied = true;
        }
    }

    /// Adds what was seen of other values of the same samples.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.twice_ranks += other.twice_ranks;
        self.ties += other.ties;
        self.tied |= other.tied;
    }
}

/// The test on a finished walk.
pub(crate) fn test(state: &RankState, sizes: Sizes) -> Comparison {
    if sizes.a == 0 || sizes.b == 0 {
        return Comparison::UNDEFINED;
    }
    let (n, m, total) = (sizes.a as f64, sizes.b as f64, sizes.total() as f64);
    let twice_u = state.twice_ranks - u128::from(sizes.a) * u128::from(sizes.a + 1);
    let u = twice_u as f64 / 2.0;
    let comparison = Comparison::of(u, 1.0 - 2.0 * u / (n * m));
    let larger = u.max(n * m - u);
    if is_exact(state, sizes) {
        return comparison.with_p(2.0 * exact_tail(sizes, larger), PMethod::Exact);
    }
    let variance = n * m / 12.0 * (total + 1.0 - state.ties / (total * (total - 1.0)));
    if variance <= 0.0 {
        return comparison.with_p(1.0, PMethod::Exact);
    }
    let z = (larger - n * m / 2.0 - 0.5) / variance.sqrt();
    comparison.with_p(2.0 * survival::normal(z), PMethod::Asymptotic)
}

/// Whether the exact distribution is used.
fn is_exact(state: &RankState, sizes: Sizes) -> bool {
    !state.tied && sizes.a.min(sizes.b) <= EXACT_MIN && sizes.a * sizes.b <= EXACT_STATES
}

/// The one-sided test that the reference's values tend to be smaller; for tools that ask only that.
pub(crate) fn test_less(state: &RankState, sizes: Sizes) -> Comparison {
    let two_sided = test(state, sizes);
    let (Some(u), Some(p)) = (two_sided.statistic, two_sided.p_value) else { return two_sided };
    let middle = sizes.a as f64 * sizes.b as f64 / 2.0;
    if is_exact(state, sizes) {
        let less = match u {
            u if u < middle => p / 2.0,
            u if u < 2.0 * middle => 1.0 - exact_tail(sizes, u + 1.0),
            _ => 1.0,
        };
        return Comparison { p_value: Some(less), ..two_sided };
    }
    let total = sizes.total() as f64;
    let variance = middle / 6.0 * (total + 1.0 - state.ties / (total * (total - 1.0)));
    // Where all values are alike that is below anything.
    let z = (middle - u - 0.5) / variance.max(0.0).sqrt();
    Comparison { p_value: Some(survival::normal(z)), ..two_sided }
}

/// P(U ≥ u) without ties, for a u of half the values or more: P(U ≤ nm - u), since U is symmetric.
///
/// The orders by their U are the coefficients of the Gaussian binomial ∏ (1 - q^(L + j)) / (1 - q^j) over the values j of the smaller
/// side, L being the size of the larger one, of which only the lowest are needed. After each j they are counts again; what is below 0 in
/// between wraps, and back.
fn exact_tail(sizes: Sizes, u: f64) -> f64 {
    let (small, large) = (sizes.a.min(sizes.b), sizes.a.max(sizes.b));
    let most = (sizes.a * sizes.b) as f64 - u;
    let last = (0..small * large).take_while(|at| *at as f64 <= most).count().saturating_sub(1);
    let mut orders = vec![0_u128; last + 1];
    orders[0] = 1;
    let mut all = 1.0;
    for j in 1..=small {
        let times = usize::try_from(large + j).expect("bounded by EXACT_STATES");
        for at in (times..=last).rev() {
            orders[at] = orders[at].wrapping_sub(orders[at - times]);
        }
        let over = usize::try_from(j).expect("at most EXACT_MIN");
        for at in over..=last {
            orders[at] = orders[at].wrapping_add(orders[at - over]);
        }
        all *= (large + j) as f64 / j as f64;
    }
    orders.iter().sum::<u128>() as f64 / all
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The ranks of values 0, 1, … among some between them.
    fn walked(reference: u32, current: &[f64]) -> (RankState, Sizes) {
        let mut state = RankState::default();
        let (mut below_a, mut below_b) = (0, 0);
        let mut merged: Vec<(f64, u64)> = (0..reference).map(|value| (f64::from(value), 1)).collect();
        merged.extend(current.iter().map(|value| (*value, 0)));
        merged.sort_by(|x, y| x.0.total_cmp(&y.0));
        for (value, a) in merged {
            state.push(Step { value, a, b: 1 - a, below_a, below_b });
            (below_a, below_b) = (below_a + a, below_b + 1 - a);
        }
        (state, Sizes { a: u64::from(reference), b: current.len() as u64 })
    }

    fn p_value(reference: u32, current: &[f64]) -> f64 {
        let (state, sizes) = walked(reference, current);
        test(&state, sizes).p_value.unwrap()
    }

    /// SciPy 1.17.1 `mannwhitneyu(range(5000), current)`; by the normal limit they would be .298, .00276 and .3928.
    #[test]
    fn a_few_values_among_thousands_have_the_exact_p_value() {
        let cases: [(&[f64], f64); 3] = [
            (&[1000.5, 4200.5, 4900.5], 0.313_450_389_055_916_1),
            (&[4990.5, 4995.5, 4998.5], 1.409_507_970_184_615_3e-8),
            (&[100.5, 900.5, 1500.5, 2000.5, 2200.5, 2600.5, 3100.5, 4100.5], 0.399_779_543_375_534_7),
        ];
        for (current, expected) in cases {
            let p = p_value(5_000, current);
            assert!((p / expected - 1.0).abs() < 1e-12, "{p} for {expected}");
        }
    }

    /// SciPy 1.17.1 `mannwhitneyu(range(8), current, alternative='less')`.
    #[test]
    fn the_one_sided_test_is_exact_on_both_sides_of_the_middle() {
        for (current, expected) in [
            ([0.5, 1.5, 2.5], 0.903_030_303_030_303_1),
            ([-3.0, -2.0, -1.0], 1.0),
            ([1.5, 3.5, 5.5], 0.539_393_939_393_939_4),
            ([3.5, 5.5, 6.5], 0.187_878_787_878_787_9),
        ] {
            let (state, sizes) = walked(8, &current);
            let p = test_less(&state, sizes).p_value.unwrap();
            assert!((p - expected).abs() < 1e-12, "{p} for {expected}");
        }
    }

    /// One value among `n`: each of its n + 1 places is as likely.
    #[test]
    fn one_value_is_as_likely_anywhere() {
        for n in [1, 7, 200_000] {
            assert_eq!(p_value(n, &[-0.5]), (2.0 / f64::from(n + 1)).min(1.0));
        }
    }

    /// The counts of the most values that are counted still fit.
    #[test]
    fn the_most_values_that_are_counted_fit() {
        let sizes = Sizes { a: EXACT_STATES / EXACT_MIN, b: EXACT_MIN };
        let middle = exact_tail(sizes, (EXACT_STATES / 2) as f64);
        assert!((middle - 0.5).abs() < 1e-5, "{middle}");
        assert!(middle > 0.5);
    }
}
