//! A model of what a row loses, or of what is true of it, from its features: gradient-boosted trees.
//!
//! Question: how large is the error of a prediction whose truth is not known, given what the model saw?
//! Input: rows of features, NaN where one is missing, and a number each; a few thousand rows.
//! Formula: [`TREES`] regression trees of depth [`DEPTH`] on squared error, shrunk by [`RATE`], around the mean. Features are cut at
//! [`CUTS`] quantiles; missing ones lie below all others; a split leaves [`LEAF`] rows or more on each side and is the one that takes away
//! most squared error, the first of equals.
//! Valid when: the relation of features and loss has not changed since.
//! Degenerate: without features, or with too few rows for a split, there is none.
//! Reference: Friedman 2001, doi:10.1214/aos/1013203451; NannyML, "direct loss estimation".
//! Oracle: none to nine digits: other libraries grow other trees. Tests compare with a loss that is known.
//! Cost: rows × features, a level of each tree.

/// Trees of a model.
pub const TREES: usize = 60;
/// Levels of a tree.
pub const DEPTH: usize = 4;
/// What of each tree is added.
pub const RATE: f64 = 0.1;
/// Rows of a leaf.
pub const LEAF: usize = 20;
/// Places where a feature may be cut.
pub const CUTS: usize = 31;

/// A fitted model.
#[derive(Debug, Clone, PartialEq)]
pub struct LossModel {
    width: usize,
    mean: f64,
    trees: Vec<Node>,
}

/// A tree, or what is below a split.
#[derive(Debug, Clone, PartialEq)]
enum Node {
    Leaf(f64),
    Split {
        feature: usize,
        /// Rows at or below it, and rows without the feature, go to the first.
        cut: f64,
        sides: Box<[Node; 2]>,
    },
}

/// Sums of the rows between two cuts.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    rows: usize,
    sum: f64,
}

/// What trees are grown on: of each feature its cuts, and of each row between which of them it lies.
struct Binned {
    cuts: Vec<Vec<f64>>,
    /// By feature, then by row.
    bins: Vec<Vec<u8>>,
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
        let binned = Binned::of(rows, width);
        let mean = losses.iter().sum::<f64>() / losses.len() as f64;
        let mut rest: Vec<f64> = losses.iter().map(|loss| loss - mean).collect();
        let all: Vec<usize> = (0..rows.len()).collect();
        let mut trees = Vec::with_capacity(TREES);
        for _ in 0..TREES {
            let tree = binned.grow(&all, &rest, DEPTH);
            for (row, rest) in rows.iter().zip(&mut rest) {
                *rest -= RATE * tree.at(row);
            }
            trees.push(tree);
        }
        Some(Self { width, mean, trees })
    }

    /// What each row is expected to lose; nothing for rows of another width.
    #[must_use]
    pub fn predict(&self, rows: &[Vec<f64>]) -> Vec<f64> {
        let of = |row: &Vec<f64>| self.mean + RATE * self.trees.iter().map(|tree| tree.at(row)).sum::<f64>();
        rows.iter().filter(|row| row.len() == self.width).map(of).collect()
    }
}

impl Node {
    fn at(&self, row: &[f64]) -> f64 {
        match self {
            Self::Leaf(value) => *value,
            Self::Split { feature, cut, sides } => sides[usize::from(row[*feature] > *cut)].at(row),
        }
    }
}

impl Binned {
    fn of(rows: &[Vec<f64>], width: usize) -> Self {
        let cuts: Vec<Vec<f64>> = (0..width).map(|feature| cuts(rows, feature)).collect();
        // A missing value is above no cut, so that it lies in the first bin.
        let bin = |row: &Vec<f64>, feature: usize| {
            let above = cuts[feature].iter().take_while(|cut| row[feature] > **cut).count();
            u8::try_from(above).unwrap_or(u8::MAX)
        };
        let bins = (0..width).map(|feature| rows.iter().map(|row| bin(row, feature)).collect()).collect();
        Self { cuts, bins }
    }

    fn grow(&self, rows: &[usize], rest: &[f64], depth: usize) -> Node {
        let sum: f64 = rows.iter().map(|row| rest[*row]).sum();
        let leaf = Node::Leaf(sum / rows.len() as f64);
        if depth == 0 || rows.len() < 2 * LEAF {
            return leaf;
        }
        let Some((feature, cut)) = self.best(rows, rest) else { return leaf };
        let is_low = |row: &usize| usize::from(self.bins[feature][*row]) <= cut;
        let (low, high): (Vec<usize>, Vec<usize>) = rows.iter().partition(|row| is_low(row));
        let sides = [&low, &high].map(|side| self.grow(side, rest, depth - 1));
        Node::Split { feature, cut: self.cuts[feature][cut], sides: Box::new(sides) }
    }

    /// The feature and the place of the cut that take away most squared error.
    fn best(&self, rows: &[usize], rest: &[f64]) -> Option<(usize, usize)> {
        let total: f64 = rows.iter().map(|row| rest[*row]).sum();
        let nothing = total * total / rows.len() as f64;
        let mut best: Option<(f64, (usize, usize))> = None;
        for (feature, cuts) in self.cuts.iter().enumerate() {
            let mut bins = vec![Sums::default(); cuts.len() + 1];
            for row in rows {
                let bin = &mut bins[usize::from(self.bins[feature][*row])];
                bin.rows += 1;
                bin.sum += rest[*row];
            }
            let mut low = Sums::default();
            for (cut, bin) in bins.iter().take(cuts.len()).enumerate() {
                low.rows += bin.rows;
                low.sum += bin.sum;
                let high = Sums { rows: rows.len() - low.rows, sum: total - low.sum };
                if low.rows < LEAF || high.rows < LEAF {
                    continue;
                }
                let explained = low.sum * low.sum / low.rows as f64 + high.sum * high.sum / high.rows as f64;
                // What rounding alone explains is no reason to split.
                let gain = explained - nothing;
                if gain > 1e-12 * explained.abs() && best.is_none_or(|(most, _)| gain > most) {
                    best = Some((gain, (feature, cut)));
                }
            }
        }
        best.map(|(_, split)| split)
    }
}

/// Where a feature may be cut: at its quantiles, each once; not above its greatest value.
fn cuts(rows: &[Vec<f64>], feature: usize) -> Vec<f64> {
    let mut values: Vec<f64> = rows.iter().map(|row| row[feature]).filter(|value| !value.is_nan()).collect();
    values.sort_by(f64::total_cmp);
    let Some(greatest) = values.last().copied() else { return Vec::new() };
    let mut cuts: Vec<f64> =
        (1..=CUTS).map(|i| values[(i * values.len() / (CUTS + 1)).min(values.len() - 1)]).collect();
    // Below the least value lie the rows without one.
    cuts.insert(0, f64::NEG_INFINITY);
    cuts.dedup();
    cuts.retain(|cut| *cut < greatest);
    cuts
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
    fn nothing_is_fitted_to_nothing() {
        assert!(LossModel::fit(&[], &[]).is_none());
        assert!(LossModel::fit(&vec![vec![]; 100], &[1.0; 100]).is_none());
        assert!(LossModel::fit(&vec![vec![1.0]; 5], &[1.0; 5]).is_none());
    }
}
