//! Logistic regression with a ridge, for rows that may have more features than there are rows.
//!
//! Question: which weighting of the features tells rows of one label from rows of the other?
//! Input: rows of features, and a label each.
//! Formula: minimises mean(ln(1 + exp(-y·(w·x + c)))) + λ/2·‖w‖², y = ±1, with λ = mean(‖x‖²)/n: the strength at which weights
//! expect, before the data, scores of about one standard deviation. [`STEPS`] accelerated gradient steps of 1/L, where L is a
//! quarter of the largest eigenvalue of XᵀX/n (by [`POWER_STEPS`] power iterations, and three tenths more) plus λ.
//! Valid when: always defined; a classifier that is scored on other rows need not have converged.
//! Reference: le Cessie, van Houwelingen 1992, doi:10.2307/2347628; Nesterov 1983 (the steps).
//! Oracle: scikit-learn 1.9 `LogisticRegression(C=1/(n·λ))`, near the optimum.
//! Cost: two passes over the rows a step.

use crate::vectors::Features;

/// Gradient steps. Out-of-sample scores hardly move after some twenty.
const STEPS: usize = 30;
/// Power iterations; a small error only changes the length of the steps.
const POWER_STEPS: usize = 6;

/// A linear score.
#[derive(Debug, Clone, PartialEq)]
pub struct Weights {
    /// One weight a feature.
    pub weights: Vec<f64>,
    /// Added to every score.
    pub intercept: f64,
}

impl Weights {
    /// How much a row looks like the second label.
    pub fn score(&self, rows: &impl Features, row: usize) -> f64 {
        rows.dot(row, &self.weights) + self.intercept
    }
}

/// Learns to tell the rows `chosen` apart, where `true` is the second label.
#[must_use]
pub fn learn(rows: &impl Features, chosen: &[(usize, bool)]) -> Weights {
    let (n, width) = (chosen.len().max(1) as f64, rows.width());
    let (curvature, length) = curvature(rows, chosen);
    let ridge = (length / n).max(1e-12);
    // The intercept counts as one more feature, of value 1.
    let step = 1.0 / (0.25 * (1.3 * curvature + 1.0) + ridge);
    let mut at = Weights { weights: vec![0.0; width], intercept: 0.0 };
    let mut ahead = at.clone();
    let mut momentum = 1.0_f64;
    for _ in 0..STEPS {
        let mut gradient = vec![0.0; width];
        let mut of_intercept = 0.0;
        for (row, second) in chosen {
            let share = 1.0 / (1.0 + (-ahead.score(rows, *row)).exp());
            let off = (share - f64::from(u8::from(*second))) / n;
            rows.add(*row, off, &mut gradient);
            of_intercept += off;
        }
        let next_momentum = (1.0 + (1.0 + 4.0 * momentum * momentum).sqrt()) / 2.0;
        let push = (momentum - 1.0) / next_momentum;
        momentum = next_momentum;
        for ((at, ahead), gradient) in at.weights.iter_mut().zip(&mut ahead.weights).zip(&gradient) {
            let next = *ahead - step * (gradient + ridge * *ahead);
            *ahead = next + push * (next - *at);
            *at = next;
        }
        let next = ahead.intercept - step * of_intercept;
        ahead.intercept = next + push * (next - at.intercept);
        at.intercept = next;
    }
    at
}

/// About the largest eigenvalue of XᵀX/n, and the mean squared length of a row.
fn curvature(rows: &impl Features, chosen: &[(usize, bool)]) -> (f64, f64) {
    let (n, width) = (chosen.len().max(1) as f64, rows.width());
    let length = chosen.iter().map(|(row, _)| rows.squared_length(*row)).sum::<f64>() / n;
    let mut direction = vec![0.0; width];
    for (i, (row, _)) in chosen.iter().enumerate() {
        // Signs without a pattern: the sum leans towards the largest eigenvector, and nothing cancels but by chance.
        let sign = if (i as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 63 == 0 { 1.0 } else { -1.0 };
        rows.add(*row, sign, &mut direction);
    }
    let mut largest = length;
    for _ in 0..POWER_STEPS {
        let norm = direction.iter().map(|x| x * x).sum::<f64>().sqrt();
        if norm <= 0.0 || !norm.is_finite() {
            return (length, length);
        }
        direction.iter_mut().for_each(|x| *x /= norm);
        let mut next = vec![0.0; width];
        for (row, _) in chosen {
            rows.add(*row, rows.dot(*row, &direction) / n, &mut next);
        }
        largest = next.iter().map(|x| x * x).sum::<f64>().sqrt();
        direction = next;
    }
    (largest, length)
}

#[cfg(test)]
mod tests {
    use super::learn;
    use crate::vectors::Vectors;

    fn rows(values: &[[f32; 2]]) -> Vectors {
        let mut rows = Vectors::new(2);
        values.iter().for_each(|value| assert!(rows.push(value)));
        rows
    }

    // Oracle: scikit-learn 1.9 `LogisticRegression(C=1/(n*ridge), tol=1e-12)`, ridge = mean(x0² + x1²)/n = 0.38671875.
    #[test]
    fn weights_agree_with_scikit_learn() {
        let rows = rows(&[
            [1.0, 0.5],
            [2.0, -1.0],
            [0.5, 1.5],
            [-1.0, 0.0],
            [-2.0, 1.0],
            [-0.5, -1.5],
            [1.5, 2.0],
            [-1.0, 0.5],
        ]);
        let labels = [true, true, false, false, false, true, true, false];
        let chosen: Vec<(usize, bool)> = labels.into_iter().enumerate().collect();
        let learnt = learn(&rows, &chosen);
        for (actual, expected) in learnt.weights.iter().chain([&learnt.intercept]).zip(ORACLE) {
            assert!((actual - expected).abs() < UNFINISHED, "{learnt:?}");
        }
    }

    /// What is left of the way to the optimum after thirty steps.
    const UNFINISHED: f64 = 1e-3;
    const ORACLE: [f64; 3] = [0.618_418_99, -0.301_176_11, 0.080_311_77];

    #[test]
    fn without_rows_or_features_every_score_is_nought() {
        let learnt = learn(&rows(&[]), &[]);
        assert_eq!((learnt.weights, learnt.intercept), (vec![0.0, 0.0], 0.0));
        let constant = rows(&[[0.0, 0.0], [0.0, 0.0]]);
        let learnt = learn(&constant, &[(0, true), (1, false)]);
        assert_eq!(learnt.score(&constant, 0), 0.0);
    }
}
