//! The classifier on rows of features: each half of the rows is scored by weights that were learnt on the other half.

use super::{Score, both, rank};
use crate::{
    comparison::Comparison,
    ridge_logistic::learn,
    vectors::{Features, Vectors},
};

/// Rows that each side needs, so that each half has something to learn from.
const SIZE_MIN: usize = 8;
/// Standard deviations at which a component is cut off, so that one row cannot decide alone.
const CUT: f64 = 4.0;

/// The test on rows of both sides, those of the reference first, each side in random order.
///
/// Scores of a half come from the other half only, so under no change their ranks are those of any exchange of labels, however
/// many features there are and however well they were learnt.
#[must_use]
pub fn cross_fitted(rows: &impl Features, reference: usize) -> Comparison {
    let total = rows.rows();
    if reference.min(total.saturating_sub(reference)) < SIZE_MIN {
        return Comparison::UNDEFINED;
    }
    let second = |row: usize| row >= reference;
    // The order is random already: every other row of a side makes a half of it.
    let half = |which: usize| -> Vec<(usize, bool)> {
        (0..total)
            .filter(|row| (row - if second(*row) { reference } else { 0 }) % 2 == which)
            .map(|row| (row, second(row)))
            .collect()
    };
    let scored = [(0, 1), (1, 0)].map(|(learnt, tested)| {
        let weights = learn(rows, &half(learnt));
        let scores = half(tested)
            .into_iter()
            .map(|(row, second)| {
                let b = f64::from(u8::from(second));
                Score { score: weights.score(rows, row), a: 1.0 - b, b }
            })
            .collect();
        rank(scores)
    });
    both(scored)
}

/// The vectors of both sides as rows of features: each component in standard deviations of both sides together, and its square,
/// so that a change of spread is seen too. Labels play no part.
#[must_use]
pub fn standardised(a: &Vectors, b: &Vectors) -> Vectors {
    let width = a.width();
    let total = (a.len() + b.len()).max(1) as f64;
    let (mut mean, mut squares) = (vec![0.0_f64; width], vec![0.0_f64; width]);
    for row in a.rows().chain(b.rows()) {
        mean.iter_mut().zip(row).for_each(|(mean, x)| *mean += f64::from(*x) / total);
    }
    for row in a.rows().chain(b.rows()) {
        for ((squares, mean), x) in squares.iter_mut().zip(&mean).zip(row) {
            *squares += (f64::from(*x) - mean).powi(2) / total;
        }
    }
    let mut rows = Vectors::new(2 * width);
    for row in a.rows().chain(b.rows()) {
        let standard = row.iter().zip(mean.iter().zip(&squares)).map(|(x, (mean, variance))| {
            if *variance > 0.0 { ((f64::from(*x) - mean) / variance.sqrt()).clamp(-CUT, CUT) } else { 0.0 }
        });
        let mut features: Vec<f32> = standard.map(|z| z as f32).collect();
        let squared: Vec<f32> =
            features.iter().map(|z| (z * z - 1.0) * std::f32::consts::FRAC_1_SQRT_2).collect();
        features.extend(squared);
        rows.push(&features);
    }
    rows
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;
    use rand_distr::{Distribution, StandardNormal};

    use super::{cross_fitted, standardised};
    use crate::{comparison::Comparison, vectors::Vectors};

    fn normal(count: usize, width: usize, change: (f64, f64), rng: &mut ChaCha8Rng) -> Vectors {
        let mut vectors = Vectors::new(width);
        for _ in 0..count {
            let row: Vec<f32> = (0..width)
                .map(|_| {
                    let x: f64 = StandardNormal.sample(rng);
                    (x * change.1 + change.0) as f32
                })
                .collect();
            vectors.push(&row);
        }
        vectors
    }

    fn test(a: &Vectors, b: &Vectors) -> Comparison {
        cross_fitted(&standardised(a, b), a.len())
    }

    #[test]
    fn without_change_small_p_values_are_no_more_frequent_than_they_say() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        for (size, width) in [(20, 3), (60, 30)] {
            let small = (0..500)
                .filter(|_| {
                    let (a, b) = (
                        normal(size, width, (0.0, 1.0), &mut rng),
                        normal(size, width, (0.0, 1.0), &mut rng),
                    );
                    test(&a, &b).p_value.unwrap() < 0.1
                })
                .count();
            // At most 50 are expected, with a standard error of 6.7.
            assert!(small < 71, "{small} of 500 at {size} rows of {width}");
        }
    }

    #[test]
    fn a_shift_and_a_change_of_spread_are_found() {
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        for change in [(0.3, 1.0), (0.0, 1.3)] {
            let (a, b) = (normal(400, 20, (0.0, 1.0), &mut rng), normal(300, 20, change, &mut rng));
            let said = test(&a, &b);
            assert!(said.statistic.unwrap() > 0.7 && said.p_value.unwrap() < 1e-6, "{change:?}: {said:?}");
        }
    }

    #[test]
    fn more_features_than_rows_and_constant_ones_do_no_harm() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let (a, b) = (normal(40, 300, (0.0, 1.0), &mut rng), normal(40, 300, (0.5, 1.0), &mut rng));
        assert!(test(&a, &b).p_value.unwrap() < 1e-3, "{:?}", test(&a, &b));
        let constant = normal(50, 4, (7.0, 0.0), &mut rng);
        let said = test(&constant, &constant);
        assert_eq!((said.statistic, said.p_value), (Some(0.5), Some(0.5)));
        let few = normal(7, 4, (0.0, 1.0), &mut rng);
        assert_eq!(test(&few, &a), Comparison::UNDEFINED);
    }
}
