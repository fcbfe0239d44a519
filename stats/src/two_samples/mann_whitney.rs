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
/// Values of U up to which the exact distribution is summed (some 30 ms); beyond that the limit is good to many digits.
const EXACT_STATES: u64 = 8_000;

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
    if !state.tied && sizes.a.min(sizes.b) <= EXACT_MIN && sizes.a * sizes.b <= EXACT_STATES {
        return comparison.with_p(2.0 * exact_tail(sizes, larger), PMethod::Exact);
    }
    let variance = n * m / 12.0 * (total + 1.0 - state.ties / (total * (total - 1.0)));
    if variance <= 0.0 {
        return comparison.with_p(1.0, PMethod::Exact);
    }
    let z = (larger - n * m / 2.0 - 0.5) / variance.sqrt();
    comparison.with_p(2.0 * survival::normal(z), PMethod::Asymptotic)
}

/// The one-sided test that the reference's values tend to be smaller; for tools that ask only that.
pub(crate) fn test_less(state: &RankState, sizes: Sizes) -> Comparison {
    let two_sided = test(state, sizes);
    let (Some(u), Some(p)) = (two_sided.statistic, two_sided.p_value) else { return two_sided };
    let middle = sizes.a as f64 * sizes.b as f64 / 2.0;
    if u <= middle {
        return Comparison { p_value: Some(p / 2.0), ..two_sided };
    }
    // On the other side of the middle the correction for continuity moves the other way.
    let total = sizes.total() as f64;
    let variance = middle / 6.0 * (total + 1.0 - state.ties / (total * (total - 1.0)));
    let z = (2.0 * middle - u - middle - 0.5) / variance.sqrt();
    Comparison { p_value: Some(survival::normal(z)), ..two_sided }
}

/// P(U ≥ u) without ties: U counts partitions into a box of n×m, whose numbers are built value by value.
fn exact_tail(sizes: Sizes, u: f64) -> f64 {
    let (small, large) = (sizes.a.min(sizes.b), sizes.a.max(sizes.b));
    let states = usize::try_from(small * large + 1).expect("bounded by EXACT_STATES");
    let least = (0..states).find(|i| *i as f64 >= u).unwrap_or(states);
    // P(U = u) for `j` small values among the first `i`: the i-th value is a small one with probability j/i, and then
    // it lies above the i - j large ones before it.
    let width = usize::try_from(small).expect("at most EXACT_MIN") + 1;
    let mut rows = vec![vec![0.0; states]; width];
    rows[0][0] = 1.0;
    for i in 1..=small + large {
        let most = usize::try_from(i.min(small)).expect("at most EXACT_MIN");
        for j in (0..=most).rev() {
            let larges = i - j as u64;
            let share = j as f64 / i as f64;
            let shift = usize::try_from(larges).unwrap_or(states);
            let (before, from) = rows.split_at_mut(j);
            let row = &mut from[0];
            if larges > large {
                row.fill(0.0);
                continue;
            }
            for state in row.iter_mut() {
                *state *= 1.0 - share;
            }
            if let Some(smaller) = before.last() {
                for at in shift..states {
                    row[at] += share * smaller[at - shift];
                }
            }
        }
    }
    rows[width - 1][least..].iter().rev().sum()
}
