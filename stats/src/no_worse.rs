//! No worse: whether a few measured values of a candidate show harm, show none, or show neither.
//!
//! Question: are the candidate's values larger (errors, milliseconds), when there are few of them, many alike, most of them 0?
//! Input: both sides' values, finite; the margin that is accepted; the error.
//! Formula: the chance that the candidate's sum is at least this large when the labels are exchanged, by counting all
//! exchanges up to [`COUNTED_MAX`] and by simulation above, p = (k+1)/(N+1). Worse: below the error. Not worse: the same test of
//! incumbent + margin against candidate, in the other direction, is below it. Otherwise nothing is shown: too little data must
//! not look like safety. Mann-Whitney's one-sided p stands beside it for comparison: with ties its limit is too small.
//! Valid when: values are exchangeable where there is no difference.
//! Degenerate: an empty side shows nothing.
//! Reference: Pitman 1937, doi:10.2307/2984124; Phipson, Smyth 2010, doi:10.2202/1544-6115.1585.
//! Oracle: SciPy 1.17 `permutation_test((candidate, incumbent), sum of the first, alternative='greater')`, `mannwhitneyu(candidate,
//! incumbent, alternative='greater')`.
//! Cost: at most [`COUNTED_MAX`] sums, or the simulation's bound.

use rand::Rng;

use crate::{
    comparison::PMethod,
    permutation::Relabelling,
    walk::{Sizes, Walk},
};

/// Exchanges of labels up to which all are counted: ten against ten.
pub const COUNTED_MAX: f64 = 200_000.0;

/// What the values show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Showing {
    /// The candidate is worse.
    Worse,
    /// The candidate is not worse by more than the margin.
    NotWorse,
    /// Neither: more values are needed.
    Inconclusive,
}

/// The tests and what follows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NoWorse {
    /// What the values show.
    pub showing: Showing,
    /// The p-value of "the candidate is not larger"; small means worse.
    pub worse_p_value: f64,
    /// The p-value of "the candidate is larger by more than the margin"; small means not worse.
    pub not_worse_p_value: f64,
    /// Mann-Whitney's one-sided p-value of "the candidate is not larger", by the limit with ties.
    pub mann_whitney_p_value: f64,
    /// How the first two were computed.
    pub p_method: PMethod,
}

/// What is accepted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tolerance {
    /// By how much the candidate may be larger, in the unit of the values; 0 or more.
    pub margin: f64,
    /// The error of either answer, strictly between 0 and 1.
    pub alpha: f64,
}

/// The candidate against the incumbent where larger is worse; `None` with values that are not finite or a tolerance that is none.
pub fn no_worse(
    incumbent: &[f64],
    candidate: &[f64],
    tolerance: Tolerance,
    rng: &mut impl Rng,
) -> Option<NoWorse> {
    let Tolerance { margin, alpha } = tolerance;
    let finite = incumbent.iter().chain(candidate).all(|value| value.is_finite());
    let accepted = margin >= 0.0 && margin.is_finite() && alpha > 0.0 && alpha < 1.0;
    if !(finite && accepted) {
        return None;
    }
    let shifted: Vec<f64> = incumbent.iter().map(|value| value + margin).collect();
    let worse = larger(candidate, incumbent, rng);
    let not_worse = larger(&shifted, candidate, rng);
    let showing = match (worse.p_value < alpha, not_worse.p_value < alpha) {
        (true, _) => Showing::Worse,
        (false, true) => Showing::NotWorse,
        (false, false) => Showing::Inconclusive,
    };
    Some(NoWorse {
        showing,
        worse_p_value: worse.p_value,
        not_worse_p_value: not_worse.p_value,
        mann_whitney_p_value: mann_whitney(incumbent, candidate),
        p_method: worse.p_method,
    })
}

struct Exchanged {
    p_value: f64,
    p_method: PMethod,
}

/// The chance that the sum of `one` is at least what it is when labels are exchanged with `other`.
fn larger(one: &[f64], other: &[f64], rng: &mut impl Rng) -> Exchanged {
    if one.is_empty() || other.is_empty() {
        return Exchanged { p_value: 1.0, p_method: PMethod::Exact };
    }
    let mut all: Vec<f64> = one.iter().chain(other).copied().collect();
    all.sort_by(|a, b| b.total_cmp(a));
    let groups: Vec<(f64, u64)> =
        all.chunk_by(|a, b| a == b).map(|group| (group[0], group.len() as u64)).collect();
    // Relative to the smallest, so that a large offset costs no digits.
    let least = all[all.len() - 1];
    let sum: f64 = one.iter().map(|value| value - least).sum();
    let observed = sum - sum.abs() * 1e-12;
    let chosen = one.len() as u64;
    if ways(all.len() as u64, chosen) <= COUNTED_MAX {
        let counted = count(&groups, Choice { left: chosen, missing: observed, least, ways: 1.0 });
        let p_value = counted / ways(all.len() as u64, chosen);
        return Exchanged { p_value: p_value.min(1.0), p_method: PMethod::Exact };
    }
    let pooled = Relabelling { totals: groups.iter().map(|group| group.1).collect(), size_a: chosen };
    let p_value = pooled.p_value(rng, sum, |labels| {
        labels.iter().zip(&groups).map(|(label, group)| *label as f64 * (group.0 - least)).sum()
    });
    Exchanged { p_value, p_method: PMethod::Permutation }
}

/// A choice that has begun: values still to take, how much of the sum is missing, in how many ways so far.
#[derive(Clone, Copy)]
struct Choice {
    left: u64,
    missing: f64,
    least: f64,
    ways: f64,
}

/// In how many ways the values to take reach the sum; groups from the largest value down.
fn count(groups: &[(f64, u64)], choice: Choice) -> f64 {
    let Some(((value, here), rest)) = groups.split_first() else {
        return if choice.left == 0 && choice.missing <= 0.0 { choice.ways } else { 0.0 };
    };
    let value = value - choice.least;
    // Even the largest value everywhere would not do.
    if choice.missing > value * choice.left as f64 * (1.0 + 1e-12) {
        return 0.0;
    }
    (0..=choice.left.min(*here))
        .map(|taken| {
            let missing = choice.missing - value * taken as f64;
            let ways = choice.ways * ways(*here, taken);
            count(rest, Choice { left: choice.left - taken, missing, ways, ..choice })
        })
        .sum()
}

/// Binomial coefficients, exact while they fit into a double's digits.
fn ways(n: u64, k: u64) -> f64 {
    (0..k.min(n - k)).fold(1.0, |product, i| (product * (n - i) as f64 / (i + 1) as f64).round())
}

/// The one-sided p-value that the candidate's values are not larger.
fn mann_whitney(incumbent: &[f64], candidate: &[f64]) -> f64 {
    let sizes = Sizes { a: incumbent.len() as u64, b: candidate.len() as u64 };
    let mut values: Vec<(f64, u64, u64)> =
        incumbent.iter().map(|x| (*x, 1, 0)).chain(candidate.iter().map(|x| (*x, 0, 1))).collect();
    values.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut walk = Walk::new(sizes, Vec::new());
    values.into_iter().for_each(|(value, a, b)| walk.push(value, a, b));
    walk.finish().ok().and_then(|walked| walked.mann_whitney_less().p_value).unwrap_or(1.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::{NoWorse, Showing, Tolerance, no_worse};
    use crate::comparison::PMethod;

    fn run(incumbent: &[f64], candidate: &[f64], margin: f64) -> NoWorse {
        let mut rng = ChaCha8Rng::seed_from_u64(11);
        no_worse(incumbent, candidate, Tolerance { margin, alpha: 0.05 }, &mut rng).unwrap()
    }

    // kayenta#426: sparse errors of the canary, which its Mann-Whitney passes. Three values that are not 0, all on one side:
    // C(9, 3)/C(12, 6) = 84/924 by labels. The limit of Mann-Whitney says .0366: with so many ties it is too small.
    #[test]
    fn case_32_sparse_errors_are_inconclusive_and_no_pass() {
        let found = run(&[0.0; 6], &[0.0, 1.0, 2.0, 1.0, 0.0, 0.0], 0.0);
        assert_eq!((found.showing, found.p_method), (Showing::Inconclusive, PMethod::Exact));
        assert!((found.worse_p_value - 84.0 / 924.0).abs() < 1e-14, "{found:?}");
        assert!((found.mann_whitney_p_value - 0.0366).abs() < 5e-5, "{found:?}");
    }

    // spinnaker#6278: seven of ten values are a hundred times as large. C(13, 3)/C(20, 10) = 286/184,756.
    #[test]
    fn case_32_seven_of_ten_a_hundred_times_as_large_fail() {
        let mut candidate = [100.0; 10];
        candidate[7..].fill(1.0);
        let found = run(&[1.0; 10], &candidate, 0.0);
        assert_eq!(found.showing, Showing::Worse);
        assert!((found.worse_p_value - 286.0 / 184_756.0).abs() < 1e-14, "{found:?}");
        assert!((found.mann_whitney_p_value - 0.00081).abs() < 5e-6, "{found:?}");
    }

    // C(6, 6)/C(12, 6): all of incumbent + margin lie above.
    #[test]
    fn equal_values_are_not_worse_by_a_margin_only() {
        let found = run(&[0.0; 6], &[0.0; 6], 1.0);
        assert_eq!(found.showing, Showing::NotWorse);
        assert!((found.not_worse_p_value - 1.0 / 924.0).abs() < 1e-14, "{found:?}");
        assert_eq!(run(&[0.0; 6], &[0.0; 6], 0.0).showing, Showing::Inconclusive);
    }

    #[test]
    fn too_few_values_show_nothing() {
        assert_eq!(run(&[0.0], &[100.0], 0.0).showing, Showing::Inconclusive);
        assert_eq!(run(&[], &[1.0, 2.0], 0.0).showing, Showing::Inconclusive);
        assert_eq!(run(&[1.0, 2.0], &[], 5.0).showing, Showing::Inconclusive);
    }

    #[test]
    fn many_values_are_simulated() {
        let incumbent: Vec<f64> = (0..200).map(|i| f64::from(i % 20)).collect();
        let candidate: Vec<f64> = incumbent.iter().map(|x| x + 3.0).collect();
        let found = run(&incumbent, &candidate, 0.0);
        assert_eq!((found.showing, found.p_method), (Showing::Worse, PMethod::Permutation));
        assert_eq!(run(&incumbent, &incumbent, 3.0).showing, Showing::NotWorse);
    }

    #[test]
    fn values_that_are_none_are_refused() {
        let mut rng = ChaCha8Rng::seed_from_u64(11);
        let tolerance = Tolerance { margin: 0.0, alpha: 0.05 };
        assert_eq!(no_worse(&[f64::NAN], &[1.0], tolerance, &mut rng), None);
        assert_eq!(no_worse(&[1.0], &[1.0], Tolerance { margin: -1.0, ..tolerance }, &mut rng), None);
    }

    proptest! {
        // Counting by groups is the count over all subsets.
        #[test]
        fn groups_count_as_subsets_do(values in prop::collection::vec(0_u8..5, 2..12), cut in 1_usize..11) {
            let cut = cut.min(values.len() - 1);
            let values: Vec<f64> = values.iter().map(|x| f64::from(*x) / 4.0).collect();
            let found = run(&values[cut..], &values[..cut], 0.0);
            let observed: f64 = values[..cut].iter().sum();
            let (mut all, mut reached) = (0.0, 0.0);
            for mask in 0_u32..1 << values.len() {
                if mask.count_ones() as usize == cut {
                    let chosen = (0..values.len()).filter(|i| mask >> i & 1 == 1);
                    let sum: f64 = chosen.map(|i| values[i]).sum();
                    all += 1.0;
                    reached += if sum >= observed - 1e-9 { 1.0 } else { 0.0 };
                }
            }
            prop_assert!((found.worse_p_value - reached / all).abs() < 1e-12);
        }
    }
}
