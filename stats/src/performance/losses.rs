//! Losses of probabilities: log loss, Brier's score and calibration, as a mergeable state.
//!
//! Question: how wrong are scores that are read as probabilities?
//! Input: scores with the weight of positive and of negative rows, in any order.
//! Formula: log loss = mean of -ln p where it came true, else of -ln(1 - p), p kept within [ε, 1 - ε], ε = 2⁻⁵²; Brier's score the mean of
//! (p - y)².
//! Valid when: rows are independent.
//! Degenerate: a score outside of 0 to 1 leaves none of it.
//! Reference: Gneiting, Raftery 2007, doi:10.1198/016214506000001437, section 3.
//! Oracle: scikit-learn 1.7 `log_loss`, `brier_score_loss`, with `sample_weight`.
//! Cost: a logarithm a push.

use super::{Measured, Undefined, calibration::Calibration, mean::WeightedMean};

/// Mergeable losses.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Losses {
    log_loss: WeightedMean,
    brier: WeightedMean,
    calibration: Calibration,
    outside: bool,
}

impl Losses {
    /// Adds rows of one score: the weight, and the sum of its squares, of positive and of negative ones.
    pub fn push(&mut self, score: f64, positives: [f64; 2], negatives: [f64; 2]) {
        self.outside |= !(0.0..=1.0).contains(&score);
        if !self.outside {
            let p = score.clamp(f64::EPSILON, 1.0 - f64::EPSILON);
            if positives[0] > 0.0 {
                self.log_loss.push_many(-p.ln(), positives[0], positives[1]);
                self.brier.push_many((1.0 - score) * (1.0 - score), positives[0], positives[1]);
            }
            if negatives[0] > 0.0 {
                self.log_loss.push_many(-(1.0 - p).ln(), negatives[0], negatives[1]);
                self.brier.push_many(score * score, negatives[0], negatives[1]);
            }
        }
        self.calibration.push(score, positives, negatives);
    }

    /// Adds those of other rows.
    pub fn absorb(&mut self, other: &Self) {
        self.log_loss.absorb(&other.log_loss);
        self.brier.absorb(&other.brier);
        self.calibration.absorb(&other.calibration);
        self.outside |= other.outside;
    }

    /// The mean negative logarithm of the probability given to what came true.
    #[must_use]
    pub fn log_loss(&self, confidence: f64) -> Measured {
        self.of_probabilities(&self.log_loss, confidence)
    }

    /// The mean squared distance of probability and truth.
    #[must_use]
    pub fn brier(&self, confidence: f64) -> Measured {
        self.of_probabilities(&self.brier, confidence)
    }

    fn of_probabilities(&self, mean: &WeightedMean, confidence: f64) -> Measured {
        match self.outside {
            true => Measured::undefined(Undefined::ScoreOutsideUnit),
            false => mean.measured(confidence).within(0.0, f64::INFINITY),
        }
    }

    /// The calibration.
    #[must_use]
    pub fn calibration(&self) -> &Calibration {
        &self.calibration
    }
}
