//! A model of what a row loses, or of what is true of it, from its features: a random forest.
//!
//! Question: how large is the error of a prediction whose truth is not known, given what the model saw?
//! Input: rows of features, NaN where one is missing, and a number each; a few thousand rows.
//! Formula: the mean of [`TREES`] regression trees on squared error, of at most [`DEPTH`] levels and [`LEAF`] rows or more in each leaf.
//! Each is grown on as many rows drawn with replacement, and each split is the best of those of two thirds of the features. Missing ones lie below
//! all others. All is shifted so that the rows that the model was made of lose in the mean what they lost: their drawing would show otherwise.
//! Valid when: the relation of features and loss has not changed since.
//! Degenerate: without features, with too few rows for a split, or of losses whose sum is beyond all numbers, there is none.
//! Reference: Breiman 2001, doi:10.1023/A:1010933404324; NannyML, "direct loss estimation".
//! Oracle: none to nine digits: other libraries grow other trees. Tests compare with a loss that is known.
//! Cost: rows × features, a level of each tree; sorting each feature once.
//!
//! The trees are smartcore's, from one seed: the same rows in the same order make the same model. Why it and no other:
//! `docs/decisions/0006-a-forest-for-losses.md`.

use smartcore::ensemble::random_forest_regressor::{RandomForestRegressor, RandomForestRegressorParameters};
use smartcore::linalg::basic::matrix::DenseMatrix;

/// Trees of a model.
pub const TREES: usize = 30;
/// Levels of a tree.
pub const DEPTH: u16 = 8;
/// Rows of a leaf.
pub const LEAF: usize = 20;
/// What rows and features are drawn from.
const SEED: u64 = 7;
/// The greatest number that a feature may be: the middle of two of them, which is where a tree splits, is a number too.
const GREATEST: f64 = f64::MAX / 8.0;
/// What stands for a missing feature: the middle between it and any feature is below all features.
const MISSING: f64 = -f64::MAX / 2.0;

/// Trees on rows of numbers.
type Forest = RandomForestRegressor<f64, f64, DenseMatrix<f64>, Vec<f64>>;

/// A fitted model.
#[derive(Debug)]
pub struct LossModel {
    width: usize,
    forest: Forest,
    /// What rows lose beyond what trees say of them, in the mean of those that it was made of.
    shift: f64,
}

impl LossModel {
    /// Fits a model; `None` where there is nothing to fit.
    #[must_use]
    pub fn fit(rows: &[Vec<f64>], losses: &[f64]) -> Option<Self> {
        let width = rows.first().map(Vec::len).filter(|width| *width > 0)?;
        let whole = rows.iter().all(|row| row.len() == width) && losses.iter().all(|loss| loss.is_finite());
        if rows.len() != losses.len() || rows.len() < 2 * LEAF || !whole {
            return None;
        }
        let parameters = RandomForestRegressorParameters::default()
            .with_n_trees(TREES)
            .with_max_depth(DEPTH)
            .with_min_samples_leaf(LEAF)
            .with_min_samples_split(2 * LEAF)
            .with_m((2 * width).div_ceil(3))
            .with_seed(SEED);
        let known = matrix(rows.iter(), width)?;
        let forest = Forest::fit(&known, &losses.to_vec(), parameters).ok()?;
        let said = forest.predict(&known).ok()?;
        let shift =
            losses.iter().zip(&said).map(|(loss, said)| loss - said).sum::<f64>() / losses.len() as f64;
        // Losses near the greatest number add up to more than it.
        shift.is_finite().then_some(Self { width, forest, shift })
    }

    /// What each row is expected to lose; nothing for rows of another width.
    #[must_use]
    pub fn predict(&self, rows: &[Vec<f64>]) -> Vec<f64> {
        let known = rows.iter().filter(|row| row.len() == self.width);
        let Some(known) = matrix(known, self.width) else { return Vec::new() };
        let said =
            self.forest.predict(&known).expect("the forest is fitted, and the rows are as wide as its own");
        said.iter().map(|said| said + self.shift).collect()
    }
}

/// Rows as trees read them; `None` without any.
fn matrix<'a>(rows: impl Iterator<Item = &'a Vec<f64>>, width: usize) -> Option<DenseMatrix<f64>> {
    let number = |x: &f64| if x.is_nan() { MISSING } else { x.clamp(-GREATEST, GREATEST) };
    let numbers: Vec<f64> = rows.flatten().map(number).collect();
    if numbers.is_empty() {
        return None;
    }
    DenseMatrix::new(numbers.len() / width, width, numbers, false).ok()
}

#[cfg(test)]
mod tests {
    use super::LossModel;

    /// Rows whose loss is 1 where the first feature is above a half, else 3; the second says nothing.
    fn rows(n: u32) -> (Vec<Vec<f64>>, Vec<f64>) {
        let feature = |i: u32, step: u32| f64::from(i * step % 101) / 101.0;
        let rows: Vec<Vec<f64>> = (0..n).map(|i| vec![feature(i, 37), feature(i, 61)]).collect();
        let losses = rows.iter().map(|row| if row[0] > 0.5 { 1.0 } else { 3.0 }).collect();
        (rows, losses)
    }

    #[test]
    fn a_loss_that_hangs_on_a_feature_is_learnt() {
        let (known, losses) = rows(500);
        let model = LossModel::fit(&known, &losses).unwrap();
        let found = model.predict(&[vec![0.9, 0.1], vec![0.1, 0.9], vec![f64::NAN, 0.5]]);
        for (found, expected) in found.iter().zip([1.0, 3.0, 3.0]) {
            assert!((found - expected).abs() < 0.05, "{found} instead of {expected}");
        }
    }

    #[test]
    fn a_loss_that_hangs_on_what_is_missing_is_learnt() {
        let (mut known, mut losses) = rows(600);
        for (row, loss) in known.iter_mut().zip(&mut losses).step_by(3) {
            (row[0], *loss) = (f64::NAN, 7.0);
        }
        let model = LossModel::fit(&known, &losses).unwrap();
        let found = model.predict(&[vec![0.9, 0.1], vec![0.1, 0.9], vec![f64::NAN, 0.5]]);
        for (found, expected) in found.iter().zip([1.0, 3.0, 7.0]) {
            assert!((found - expected).abs() < 0.05, "{found} instead of {expected}");
        }
    }

    #[test]
    fn the_same_rows_make_the_same_model() {
        let (known, losses) = rows(500);
        let says = || LossModel::fit(&known, &losses).unwrap().predict(&known);
        assert_eq!(says(), says());
    }

    #[test]
    fn numbers_beyond_all_others_are_told_apart() {
        let (mut known, mut losses) = rows(600);
        let ends = [f64::NEG_INFINITY, -f64::MAX, f64::MAX, f64::INFINITY];
        for (i, (row, loss)) in known.iter_mut().zip(&mut losses).enumerate().step_by(3) {
            row[0] = ends[i / 3 % 4];
            *loss = if row[0] < 0.0 { 7.0 } else { 9.0 };
        }
        let model = LossModel::fit(&known, &losses).unwrap();
        let asked = [f64::NEG_INFINITY, 0.1, 0.9, f64::INFINITY].map(|x| vec![x, 0.5]);
        for (found, expected) in model.predict(&asked).iter().zip([7.0, 3.0, 1.0, 9.0]) {
            assert!((found - expected).abs() < 0.05, "{found} instead of {expected}");
        }
    }

    #[test]
    fn features_that_say_nothing_leave_the_mean() {
        let losses: Vec<f64> = (0..500).map(f64::from).collect();
        for nothing in [1.0, f64::NAN, f64::INFINITY] {
            let model = LossModel::fit(&vec![vec![nothing; 2]; 500], &losses).unwrap();
            let found = model.predict(&[vec![nothing; 2]])[0];
            assert!((found - 249.5).abs() < 1e-9, "{found}");
        }
    }

    #[test]
    fn rows_of_another_width_are_left_out() {
        let (known, losses) = rows(100);
        let model = LossModel::fit(&known, &losses).unwrap();
        assert_eq!(model.predict(&[vec![0.1], vec![0.1, 0.2], vec![]]).len(), 1);
        assert_eq!(model.predict(&[]), Vec::<f64>::new());
        assert_eq!(model.predict(&[vec![0.1]]), Vec::<f64>::new());
    }

    #[test]
    fn nothing_is_fitted_to_nothing() {
        assert!(LossModel::fit(&[], &[]).is_none());
        assert!(LossModel::fit(&vec![vec![]; 100], &[1.0; 100]).is_none());
        assert!(LossModel::fit(&vec![vec![1.0]; 5], &[1.0; 5]).is_none());
        assert!(LossModel::fit(&vec![vec![1.0]; 100], &[f64::NAN; 100]).is_none());
        // It was fitted, and said NaN, which counted as a loss of 0.
        let (known, losses) = rows(100);
        let losses: Vec<f64> = losses.iter().map(|loss| loss * (f64::MAX / 4.0)).collect();
        assert!(LossModel::fit(&known, &losses).is_none());
    }
}
