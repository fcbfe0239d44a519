//! Confidence-based estimation: what a classifier's metrics would be if its calibrated probabilities were the truth.
//!
//! Question: how right is the model on rows whose truth is not known yet?
//! Input: rows by descending score, each with its calibrated probability p and whether it is predicted positive, if a class is; ties in any
//! order.
//! Formula: a row counts as p of a positive and 1 - p of a negative: expected confusion counts Σp and Σ(1 - p); the ROC curve of
//! their cumulated sums by score, its area by trapezoids; average precision of the same curve; log loss and Brier's score in expectation.
//! The sampling error of a metric is that of its mean over rows of the reference: σ/√(n·f), f the share of rows that it looks at, n the
//! number of rows, under weights the effective one.
//! Valid when: the calibration still holds, that is while the relation between features and truth has not changed. Nothing here
//! can tell; compare with the truth once it is known.
//! Reference: NannyML, "confidence-based performance estimation"; Białek et al. 2024, arXiv:2401.08348.
//! Oracle: NannyML 0.13.1 `CBPE`, which rounds the cumulated counts to five decimals before it takes areas (so 1e-5 there).
//! Cost: constant memory, a few operations a row.

use crate::experiment::effect::Interval;

/// A row of the walk.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Supposed {
    /// Not above that of the row before; not NaN.
    pub score: f64,
    /// Its calibrated probability, 0 to 1.
    pub probability: f64,
    /// Its weight.
    pub weight: f64,
    /// Whether it is predicted positive; `None` where no class is predicted.
    pub predicted: Option<bool>,
}

/// The walk.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Expected {
    tied: Option<[f64; 3]>,
    positives: f64,
    negatives: f64,
    area: f64,
    precisions: f64,
    /// Of rows predicted positive, and of those predicted negative: expected positives and negatives.
    confusion: [[f64; 2]; 2],
    log_loss: f64,
    brier: f64,
    outside: bool,
    /// Σw².
    squares: f64,
    /// The same of rows with a predicted class.
    squares_classed: f64,
}

/// Expected metrics; `None` where their denominators are 0.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Estimates {
    /// Rows; under weights the effective number, (Σw)²/Σw².
    pub rows: f64,
    /// The same of rows with a predicted class, which metrics of classes are of.
    pub rows_classed: f64,
    /// The area under the ROC curve.
    pub roc_auc: Option<f64>,
    /// Average precision.
    pub pr_auc: Option<f64>,
    /// The expected share of right predictions.
    pub accuracy: Option<f64>,
    /// Precision.
    pub precision: Option<f64>,
    /// Recall.
    pub recall: Option<f64>,
    /// Specificity.
    pub specificity: Option<f64>,
    /// F1.
    pub f1: Option<f64>,
    /// The expected share of rows that are true and predicted positive, of those with a predicted class.
    pub hit_share: Option<f64>,
    /// Log loss; of probabilities only.
    pub log_loss: Option<f64>,
    /// Brier's score; of probabilities only.
    pub brier: Option<f64>,
}

impl Expected {
    /// Takes the next row.
    pub fn push(&mut self, row: Supposed) {
        let Supposed { score, probability: p, weight, predicted } = row;
        if self.tied.is_none_or(|[tied, ..]| tied != score) {
            self.flush();
            self.tied = Some([score, 0.0, 0.0]);
        }
        let (positive, negative) = (weight * p, weight * (1.0 - p));
        if let Some([_, positives, negatives]) = &mut self.tied {
            *positives += positive;
            *negatives += negative;
        }
        if let Some(predicted) = predicted {
            let of = &mut self.confusion[usize::from(!predicted)];
            of[0] += positive;
            of[1] += negative;
            self.squares_classed += weight * weight;
        }
        self.squares += weight * weight;
        self.outside |= !(0.0..=1.0).contains(&score);
        let s = score.clamp(f64::EPSILON, 1.0 - f64::EPSILON);
        self.log_loss -= positive * s.ln() + negative * (1.0 - s).ln();
        self.brier += positive * (1.0 - score) * (1.0 - score) + negative * score * score;
    }

    fn flush(&mut self) {
        let Some([_, positives, negatives]) = self.tied.take() else { return };
        self.area += negatives * (self.positives + positives / 2.0);
        self.positives += positives;
        self.negatives += negatives;
        let all = self.positives + self.negatives;
        if all > 0.0 {
            self.precisions += positives * (self.positives / all);
        }
    }

    /// Ends the walk.
    #[must_use]
    pub fn finish(mut self) -> Estimates {
        self.flush();
        let ratio = |above: f64, below: f64| (below > 0.0).then(|| above / below).filter(|x| x.is_finite());
        let [[hits, false_alarms], [misses, rejections]] = self.confusion;
        let total = self.positives + self.negatives;
        let classed = hits + false_alarms + misses + rejections;
        let of_probabilities = |sum| ratio(sum, total).filter(|_| !self.outside);
        Estimates {
            rows: ratio(total * total, self.squares).unwrap_or(0.0),
            rows_classed: ratio(classed * classed, self.squares_classed).unwrap_or(0.0),
            roc_auc: ratio(self.area, self.positives * self.negatives),
            pr_auc: ratio(self.precisions, self.positives),
            accuracy: ratio(hits + rejections, classed),
            precision: ratio(hits, hits + false_alarms),
            recall: ratio(hits, hits + misses),
            specificity: ratio(rejections, rejections + false_alarms),
            f1: ratio(2.0 * hits, 2.0 * hits + false_alarms + misses),
            hit_share: ratio(hits, classed),
            log_loss: of_probabilities(self.log_loss),
            brier: of_probabilities(self.brier),
        }
    }
}

/// How much a metric of a few rows scatters around its expectation, learnt on the reference.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SamplingError {
    /// The standard deviation of what a row adds.
    pub deviation: f64,
    /// The share of rows that add something.
    pub share: f64,
}

impl SamplingError {
    /// Of a share `p` among the rows that add something.
    #[must_use]
    pub fn of_share(p: f64, share: f64) -> Self {
        Self { deviation: (p * (1.0 - p)).max(0.0).sqrt(), share }
    }

    /// Three sampling errors of `rows` rows around an estimate, cut to the values that the metric can have.
    #[must_use]
    pub fn band(&self, estimate: f64, rows: f64, [low, high]: [f64; 2]) -> Option<Interval> {
        let below = rows * self.share;
        let half = 3.0 * self.deviation / below.sqrt();
        let band = Interval { lo: (estimate - half).max(low), hi: (estimate + half).min(high) };
        (below > 0.0 && half.is_finite()).then_some(band)
    }
}

#[cfg(test)]
mod tests {
    use super::{Expected, SamplingError, Supposed};

    #[test]
    fn certain_rows_have_the_metrics_of_the_truth() {
        let mut expected = Expected::default();
        for (score, truth) in [(0.9, 1.0), (0.8, 0.0), (0.7, 1.0), (0.2, 0.0), (0.1, 0.0)] {
            let predicted = Some(score >= 0.5);
            expected.push(Supposed { score, probability: truth, weight: 1.0, predicted });
        }
        let found = expected.finish();
        // Of six pairs one is wrong; precision at the two positives 1 and 2/3.
        assert!((found.roc_auc.unwrap() - 5.0 / 6.0).abs() < 1e-15);
        assert!((found.pr_auc.unwrap() - 5.0 / 6.0).abs() < 1e-15);
        assert_eq!((found.accuracy, found.recall), (Some(0.8), Some(1.0)));
        assert!((found.precision.unwrap() - 2.0 / 3.0).abs() < 1e-15);
    }

    // A hundred rows of which a tenth weigh ten times as much are worth 190²/1090 rows.
    #[test]
    fn weighed_rows_are_worth_their_effective_number() {
        let rows = |heavy: f64| {
            let mut expected = Expected::default();
            for i in 0..100 {
                let weight = if i % 10 == 0 { heavy } else { 1.0 };
                expected.push(Supposed { score: 0.5, probability: 0.5, weight, predicted: Some(true) });
            }
            expected.finish().rows
        };
        assert_eq!(rows(1.0), 100.0);
        assert!((rows(10.0) - 190.0 * 190.0 / 1090.0).abs() < 1e-9, "{}", rows(10.0));
    }

    // Rows without a predicted class counted as predicted negative: recall and accuracy were as if the model had missed them.
    #[test]
    fn rows_without_a_predicted_class_are_in_no_metric_of_classes() {
        let mut expected = Expected::default();
        for (score, predicted) in [(0.9, Some(true)), (0.8, None), (0.2, Some(false)), (0.1, None)] {
            expected.push(Supposed { score, probability: score, weight: 1.0, predicted });
        }
        let found = expected.finish();
        assert_eq!((found.rows, found.rows_classed), (4.0, 2.0));
        assert!((found.accuracy.unwrap() - 0.85).abs() < 1e-15, "{found:?}");
        assert!((found.recall.unwrap() - 0.9 / 1.1).abs() < 1e-15, "{found:?}");
        assert!((found.hit_share.unwrap() - 0.45).abs() < 1e-15, "{found:?}");
        let mut none = Expected::default();
        none.push(Supposed { score: 0.9, probability: 0.9, weight: 1.0, predicted: None });
        let found = none.finish();
        assert_eq!((found.accuracy, found.recall, found.f1, found.hit_share), (None, None, None, None));
        assert!(found.roc_auc.is_some() && found.brier.is_some(), "{found:?}");
    }

    #[test]
    fn nothing_expects_nothing() {
        let found = Expected::default().finish();
        assert_eq!((found.roc_auc, found.f1, found.brier), (None, None, None));
        let error = SamplingError::of_share(0.9, 0.5);
        assert_eq!(error.band(0.9, 0.0, [0.0, 1.0]), None);
        let band = error.band(0.9, 200.0, [0.0, 1.0]).unwrap();
        assert!((band.lo - 0.81).abs() < 1e-12 && (band.hi - 0.99).abs() < 1e-12, "{band:?}");
    }
}
