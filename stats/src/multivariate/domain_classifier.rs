//! Domain classifier: how well a value tells which sample it came from.
//!
//! Question: could a classifier tell both samples apart, and how well?
//! Input: counts of categories, bins or grid cells on both sides, which a seeded generator splits; or rows of features in random
//! order, for which see [`cross_fitted`].
//! Formula: both samples are split in two halves; on each half the classifier learns the smoothed log odds of every
//! cell, on the other it scores; the statistic is the mean of the two areas under the ROC curve, ties counted half. p: the
//! mean of the two standardised rank sums against the normal, one-sided, because a classifier cannot be worse than chance but
//! by chance. The two rank sums go up and down together, since each is about the product of both halves' differences: their mean
//! counts as one of them, not as the mean of two independent ones. Effect: 2·AUC - 1.
//! Valid when: each half of each side has some dozens of values.
//! Reference: Lopez-Paz, Oquab 2017, arXiv:1610.06545; Hanley, McNeil 1982, doi:10.1148/radiology.143.1.7063747.
//! Oracle: scikit-learn `roc_auc_score` on the same halves and scores.
//! Cost: linear in the cells, and a sort of them.

mod rows;

use rand::Rng;

pub use rows::{cross_fitted, standardised};

use crate::{
    cells::Cells,
    comparison::{Comparison, PMethod},
    permutation::split,
    survival,
};

/// Values that each side needs, so that each half has something to learn from.
const SIZE_MIN: u64 = 4;

/// The test.
#[must_use]
pub fn domain_classifier(cells: &Cells, rng: &mut impl Rng) -> Comparison {
    let sizes = cells.sizes();
    if sizes.a.min(sizes.b) < SIZE_MIN {
        return Comparison::UNDEFINED;
    }
    let expand = |side: fn(&crate::cells::Cell) -> u64| -> Vec<u64> {
        cells
            .as_slice()
            .iter()
            .flat_map(|cell| std::iter::repeat_n(side(cell), usize::try_from(cell.times).unwrap_or(0)))
            .collect()
    };
    let (a, b) = (expand(|cell| cell.a), expand(|cell| cell.b));
    let (first_a, first_b) = (split(&a, sizes.a / 2, rng), split(&b, sizes.b / 2, rng));
    let rest =
        |all: &[u64], part: &[u64]| all.iter().zip(part).map(|(all, part)| all - part).collect::<Vec<u64>>();
    let (second_a, second_b) = (rest(&a, &first_a), rest(&b, &first_b));
    both([
        score((&first_a, &first_b), (&second_a, &second_b)),
        score((&second_a, &second_b), (&first_a, &first_b)),
    ])
}

struct Scored {
    auc: f64,
    z: f64,
}

/// Learns on one half and scores the other.
fn score(learn: (&[u64], &[u64]), test: (&[u64], &[u64])) -> Scored {
    let (n, m) = (learn.0.iter().sum::<u64>() as f64, learn.1.iter().sum::<u64>() as f64);
    let odds = |i: usize| {
        ((learn.1[i] as f64 + 0.5) / (m + 0.5)).ln() - ((learn.0[i] as f64 + 0.5) / (n + 0.5)).ln()
    };
    let scores =
        (0..test.0.len()).map(|i| Score { score: odds(i), a: test.0[i] as f64, b: test.1[i] as f64 });
    rank(scores.collect())
}

/// Values of both sides with one score.
#[derive(Debug, Clone, Copy)]
struct Score {
    score: f64,
    a: f64,
    b: f64,
}

/// The area under the ROC curve, ties counted half, and the standardised rank sum.
fn rank(mut scores: Vec<Score>) -> Scored {
    scores.sort_by(|x, y| x.score.total_cmp(&y.score));
    let (size_a, size_b) = scores.iter().fold((0.0, 0.0), |sum, score| (sum.0 + score.a, sum.1 + score.b));
    let total = size_a + size_b;
    let (mut below_a, mut wins, mut ties) = (0.0, 0.0, 0.0);
    for equal in scores.chunk_by(|x, y| x.score == y.score) {
        let (a, b) = equal.iter().fold((0.0, 0.0), |sum, score| (sum.0 + score.a, sum.1 + score.b));
        wins += b * (below_a + a / 2.0);
        below_a += a;
        let t: f64 = a + b;
        ties += t * t * t - t;
    }
    let variance = size_a * size_b / 12.0 * (total + 1.0 - ties / (total * (total - 1.0)));
    let centred = wins - size_a * size_b / 2.0;
    Scored { auc: wins / (size_a * size_b), z: if variance > 0.0 { centred / variance.sqrt() } else { 0.0 } }
}

/// Both halves together.
fn both([one, other]: [Scored; 2]) -> Comparison {
    let auc = (one.auc + other.auc) / 2.0;
    let z = (one.z + other.z) / 2.0;
    Comparison::of(auc, 2.0 * auc - 1.0).with_p(survival::normal(z), PMethod::Asymptotic)
}

#[cfg(test)]
mod tests {
    use super::score;
    use crate::survival;

    // With odds = log((b + .5)/(Σb + .5)) - log((a + .5)/(Σa + .5)) of what is learnt, a = [12, 20, 8, 10] and b = [5, 10, 15, 20], and x, y
    // the odds of each tested value, a = [10, 22, 9, 9] and b = [6, 11, 14, 19]. Oracle: scikit-learn 1.9 `roc_auc_score(labels, odds)`;
    // SciPy 1.17 `mannwhitneyu(y, x, 'greater', use_continuity=False, method='asymptotic')`.
    #[test]
    fn a_half_is_scored_as_scikit_learn_and_scipy_score_it() {
        let half = score((&[12, 20, 8, 10], &[5, 10, 15, 20]), (&[10, 22, 9, 9], &[6, 11, 14, 19]));
        assert!((half.auc - 0.6546).abs() < 1e-12, "{}", half.auc);
        assert!((half.z - 2.768_967_560_586_897).abs() < 1e-9, "{}", half.z);
        assert!((survival::normal(half.z) - 0.002_811_711_695_581_901_3).abs() < 1e-12);
    }
}
