//! Calibration: how often what was said with some probability came true.
//!
//! Question: may a score be read as a probability?
//! Input: probabilities of 0 to 1 with the weight of true and of all rows, in any order.
//! Formula: ten bins of equal width, (a, b] with 0 in the first; ECE = Σ wᵦ/W·|mean(p) - mean(y)|. Its interval takes each bin's sign as
//! found (delta), and its lower end lies lower by what chance alone makes of bins that may be right, √(2/π)·σᵦ of each.
//! Valid when: some dozens of rows a bin; ECE of few rows is too large, because chance never makes a gap of 0.
//! Degenerate: a score outside of 0 to 1 leaves none of it.
//! Reference: Guo, Pleiss, Sun, Weinberger 2017, arXiv:1706.04599, eq. 3.
//! Oracle: scikit-learn 1.7 `calibration_curve(y, p, n_bins=10, strategy='uniform')`, whose bins are these.
//! Cost: ten states.

use super::{
    Measured, Undefined,
    confusion::{rows_of_share, wilson},
    mean::WeightedMean,
};
use crate::{experiment::effect::Interval, survival};

/// Bins of equal width.
pub const BINS: usize = 10;

/// Mergeable bins.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Calibration {
    bins: [Bin; BINS],
    outside: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Bin {
    weight: f64,
    scores: f64,
    positives: f64,
    /// Σw² of positives, and of the others.
    squares: [f64; 2],
    /// Of score minus truth.
    gap: WeightedMean,
}

impl Bin {
    /// Of how many rows the share of positives is.
    fn rows(&self) -> f64 {
        rows_of_share([self.positives, (self.weight - self.positives).max(0.0)], self.squares)
    }
}

/// One bin of the curve.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CurveBin {
    /// Its lower end, excluded but for 0.
    pub low: f64,
    /// Its upper end, included.
    pub high: f64,
    /// The weight of its rows.
    pub weight: f64,
    /// Their mean score.
    pub mean_score: f64,
    /// The share of them that is positive.
    pub observed: f64,
    /// Wilson's interval of that share, as of the shares of a confusion matrix.
    pub interval: Option<Interval>,
}

/// The upper end of a bin, as `np.linspace` has it.
fn edge(i: usize) -> f64 {
    if i == BINS { 1.0 } else { i as f64 * (1.0 / BINS as f64) }
}

/// The bin of a score of 0 to 1: that next to where the product puts it, by the edges themselves.
#[expect(clippy::cast_sign_loss, reason = "a score is not below 0")]
fn bin_of(score: f64) -> usize {
    let near = ((score * BINS as f64) as usize).min(BINS - 1);
    if near > 0 && score <= edge(near) {
        near - 1
    } else if score > edge(near + 1) {
        near + 1
    } else {
        near
    }
}

impl Calibration {
    /// Adds rows of one score: the weight, and its square, of positive and of negative ones.
    pub fn push(&mut self, score: f64, positives: [f64; 2], negatives: [f64; 2]) {
        if !(0.0..=1.0).contains(&score) {
            self.outside = true;
            return;
        }
        let bin = &mut self.bins[bin_of(score)];
        bin.weight += positives[0] + negatives[0];
        bin.scores += score * (positives[0] + negatives[0]);
        bin.positives += positives[0];
        bin.squares[0] += positives[1];
        bin.squares[1] += negatives[1];
        bin.gap.push_many(score - 1.0, positives[0], positives[1]);
        bin.gap.push_many(score, negatives[0], negatives[1]);
    }

    /// Adds other rows.
    pub fn absorb(&mut self, other: &Self) {
        for (bin, other) in self.bins.iter_mut().zip(&other.bins) {
            bin.weight += other.weight;
            bin.scores += other.scores;
            bin.positives += other.positives;
            bin.squares[0] += other.squares[0];
            bin.squares[1] += other.squares[1];
            bin.gap.absorb(&other.gap);
        }
        self.outside |= other.outside;
    }

    /// The bins that have rows; none where a score was no probability.
    #[must_use]
    pub fn curve(&self, confidence: f64) -> Vec<CurveBin> {
        if self.outside {
            return Vec::new();
        }
        let bins = self.bins.iter().enumerate().filter(|(_, bin)| bin.weight > 0.0);
        bins.map(|(i, bin)| CurveBin {
            low: edge(i),
            high: edge(i + 1),
            weight: bin.weight,
            mean_score: bin.scores / bin.weight,
            observed: bin.positives / bin.weight,
            interval: wilson(bin.positives / bin.weight, bin.rows(), confidence),
        })
        .collect()
    }

    /// The expected calibration error.
    #[must_use]
    pub fn ece(&self, confidence: f64) -> Measured {
        let total: f64 = self.bins.iter().map(|bin| bin.weight).sum();
        if self.outside {
            return Measured::undefined(Undefined::ScoreOutsideUnit);
        }
        if total <= 0.0 {
            return Measured::undefined(Undefined::NoRows);
        }
        let z = survival::normal_exceeded((1.0 - confidence) / 2.0);
        let (mut value, mut variance, mut by_chance) = (0.0, 0.0, 0.0);
        for bin in self.bins.iter().filter(|bin| bin.weight > 0.0) {
            let (share, gap) = (bin.weight / total, (bin.scores - bin.positives).abs() / bin.weight);
            // A bin of one row has no variance of its own; the largest there can be stands for it.
            let scatter = bin.gap.variance_of_mean().unwrap_or(0.25);
            value += share * gap;
            variance += share * share * scatter;
            // The mean distance of a gap of 0 from 0, where this one may be that.
            if gap <= z * scatter.sqrt() {
                by_chance += share * (scatter * std::f64::consts::FRAC_2_PI).sqrt();
            }
        }
        let half = z * variance.sqrt();
        let interval = Interval { lo: value - by_chance - half, hi: value + half };
        Measured::new(value, Some(interval), "delta").within(0.0, 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::{BINS, Calibration, bin_of, edge};
    use crate::performance::Undefined;

    #[test]
    fn scores_on_an_edge_belong_to_the_bin_below() {
        let mut calibration = Calibration::default();
        for score in [0.0, 0.1, 0.2, 0.3, 1.0] {
            calibration.push(score, [1.0, 1.0], [0.0, 0.0]);
        }
        let low: Vec<f64> = calibration.curve(0.95).iter().map(|bin| (bin.low * 10.0).round()).collect();
        assert_eq!(low, [0.0, 1.0, 2.0, 9.0]);
        // The two of the first bin are positive. SciPy 1.17: `binomtest(2, 2).proportion_ci(method='wilson')`.
        let first = calibration.curve(0.95)[0].interval.unwrap();
        assert!((first.lo - 0.342_380_227_506_653).abs() < 1e-9, "{first:?}");
        assert_eq!(first.hi, 1.0);
        // (0.9 + 0.9... ): |0.05 - 1|·2 + |0.2 - 1| + |0.3 - 1| + 0, over 5.
        assert!((calibration.ece(0.95).value.unwrap() - (1.9 + 0.8 + 0.7) / 5.0).abs() < 1e-12);
    }

    #[test]
    fn the_bin_of_a_score_is_the_first_whose_end_is_not_below_it() {
        for i in 0..=BINS {
            let at = edge(i);
            for score in [at.next_down(), at, at.next_up(), at + 0.03] {
                if (0.0..=1.0).contains(&score) {
                    let expected = (1..BINS).find(|i| score <= edge(*i)).unwrap_or(BINS) - 1;
                    assert_eq!(bin_of(score), expected, "{score}");
                }
            }
        }
    }

    #[test]
    fn what_is_no_probability_has_no_calibration() {
        let mut calibration = Calibration::default();
        assert_eq!(calibration.ece(0.95).reason, Some(Undefined::NoRows));
        calibration.push(1.5, [1.0, 1.0], [0.0, 0.0]);
        assert_eq!(calibration.ece(0.95).reason, Some(Undefined::ScoreOutsideUnit));
        assert!(calibration.curve(0.95).is_empty());
    }

    // An interval of 95 % held the error of scores that are right, 0, in 21 of 100 samples of any size. Here each bin has nine tenths of a standard
    // deviation more positives than it says, which is no more than chance.
    #[test]
    fn scores_that_may_be_right_have_no_sure_error() {
        let filled = |too_many: &dyn Fn(f64) -> f64| {
            let mut calibration = Calibration::default();
            for i in 0..BINS {
                let score = (i as f64 + 0.5) / BINS as f64;
                let positives = 100.0 * score + too_many(score) * (100.0 * score * (1.0 - score)).sqrt();
                calibration.push(score, [positives, positives], [100.0 - positives, 100.0 - positives]);
            }
            calibration.ece(0.95)
        };
        let right = filled(&|_| 0.9);
        let (value, interval) = (right.value.unwrap(), right.interval.unwrap());
        assert!(value > 0.03 && interval.lo == 0.0 && interval.hi > value, "{right:?}");
        // Where every bin is surely wrong the lower end is as far off as the upper one.
        let wrong = filled(&|score| if score < 0.5 { 3.0 } else { -3.0 });
        let (value, interval) = (wrong.value.unwrap(), wrong.interval.unwrap());
        assert!(
            (value - interval.lo - (interval.hi - value)).abs() < 1e-12 && interval.lo > 0.0,
            "{wrong:?}"
        );
    }
}
