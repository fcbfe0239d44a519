//! Metrics of a regression from sums over its rows.
//!
//! Question: how far are predicted numbers from the true ones, and which way?
//! Input: Σw, Σw² and, of each kind of loss x, Σwx and Σwx²; of the target, sums around an origin near its mean; all of them by w² in place of
//! w, too, for the errors of means. e = ŷ - y.
//! Formula: MAE mean|e|; MAPE mean|e|/max(|y|, ε), ε = 2⁻⁵²; MSE mean e²; MSLE mean(ln(1 + ŷ) - ln(1 + y))²; RMSE, RMSLE their roots;
//! mean error mean e, above 0 where predictions are too high; pinball mean max(q(y - ŷ), (q - 1)(y - ŷ));
//! R² = 1 - Σwe²/Σw(y - ȳ)².
//! Intervals: Student's for means, and through the root for RMSE and RMSLE; for R² the delta method, with the influence
//! ψ = (SSE/SST·(y - ȳ)² - e²)/σ² of a row. Its variance is Σwψ²/Σw/(n* - 1), n* = (Σw)²/Σw², or Σw²ψ²/Σw²/(n* - 1) where that is larger, as
//! that of means is.
//! Valid when: rows are independent; intervals from some dozens of rows on, more where errors are skewed.
//! Degenerate: R² of a constant target, logarithms at or below -1, infinite numbers give none.
//! Reference: Hyndman, Koehler 2006, doi:10.1016/j.ijforecast.2006.03.001 (losses); Koenker, Bassett 1978, doi:10.2307/1913643 (pinball).
//! Oracle: scikit-learn 1.7 `mean_absolute_error`, `mean_absolute_percentage_error`, `mean_squared_error`,
//! `mean_squared_log_error`, `mean_pinball_loss`, `r2_score`, with `sample_weight`.
//! Cost: constant.

use super::{
    Measured, Undefined,
    mean::{Sums, WeightedMean},
};
use crate::{experiment::effect::Interval, survival};

/// Σwx and Σwx² of a loss.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct LossSums {
    /// Σwx.
    pub sum: f64,
    /// Σwx².
    pub sum_sq: f64,
}

/// Sums over rows with a target and a prediction.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct ErrorSums {
    /// Σw.
    pub weight: f64,
    /// Σw².
    pub squares: f64,
    /// Rows with a number at or below -1.
    pub below_minus_one: u64,
    /// By their weights.
    pub by_weight: Moments,
    /// By the squares of their weights: w stands for w².
    pub by_square: Moments,
}

/// What rows add up to.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Moments {
    /// Of |e|.
    pub absolute: LossSums,
    /// Of |e|/max(|y|, ε).
    pub percentage: LossSums,
    /// Of e².
    pub squared: LossSums,
    /// Of e.
    pub signed: LossSums,
    /// Of the squared difference of logarithms.
    pub logarithmic: LossSums,
    /// Of the pinball loss.
    pub pinball: LossSums,
    /// Of t = y less the origin: Σwt, Σwt².
    pub target: LossSums,
    /// Σwt³, Σwt⁴.
    pub target_higher: [f64; 2],
    /// Σwe²t, Σwe²t².
    pub cross: [f64; 2],
}

impl Moments {
    /// Σw(a·(y - ȳ)² - e²)² for a `ratio` a, ȳ being `d` above the origin and Σw `weight`.
    fn spread(&self, ratio: f64, (d, weight): (f64, f64)) -> f64 {
        let fourth = self.target_higher[1] - 4.0 * d * self.target_higher[0]
            + 6.0 * d * d * self.target.sum_sq
            - 4.0 * d.powi(3) * self.target.sum
            + d.powi(4) * weight;
        let cross = self.cross[1] - 2.0 * d * self.cross[0] + d * d * self.squared.sum;
        ratio * ratio * fourth - 2.0 * ratio * cross + self.squared.sum_sq
    }
}

impl ErrorSums {
    fn mean(&self, of: fn(&Moments) -> LossSums) -> WeightedMean {
        let [by_weight, by_square] =
            [&self.by_weight, &self.by_square].map(of).map(|loss| [loss.sum, loss.sum_sq]);
        WeightedMean::of_sums(Sums {
            weight: self.weight,
            squares: self.squares,
            values: by_weight,
            by_square,
        })
    }

    /// Mean absolute error.
    #[must_use]
    pub fn mae(&self, confidence: f64) -> Measured {
        self.mean(|sums| sums.absolute).measured(confidence).within(0.0, f64::INFINITY)
    }

    /// Mean absolute percentage error, as a share.
    #[must_use]
    pub fn mape(&self, confidence: f64) -> Measured {
        self.mean(|sums| sums.percentage).measured(confidence).within(0.0, f64::INFINITY)
    }

    /// Mean squared error.
    #[must_use]
    pub fn mse(&self, confidence: f64) -> Measured {
        self.mean(|sums| sums.squared).measured(confidence).within(0.0, f64::INFINITY)
    }

    /// Mean squared logarithmic error.
    #[must_use]
    pub fn msle(&self, confidence: f64) -> Measured {
        match self.below_minus_one {
            0 => self.mean(|sums| sums.logarithmic).measured(confidence).within(0.0, f64::INFINITY),
            _ => Measured::undefined(Undefined::BelowMinusOne),
        }
    }

    /// The mean of prediction minus target.
    #[must_use]
    pub fn mean_error(&self, confidence: f64) -> Measured {
        self.mean(|sums| sums.signed).measured(confidence)
    }

    /// Mean pinball loss.
    #[must_use]
    pub fn pinball(&self, confidence: f64) -> Measured {
        self.mean(|sums| sums.pinball).measured(confidence).within(0.0, f64::INFINITY)
    }

    /// The standard deviations of the losses of a row: of |e|, |e|/|y|, e², and the logarithmic one.
    #[must_use]
    pub fn deviations(&self) -> [Option<f64>; 4] {
        let losses: [fn(&Moments) -> LossSums; 4] =
            [|sums| sums.absolute, |sums| sums.percentage, |sums| sums.squared, |sums| sums.logarithmic];
        losses.map(|loss| self.mean(loss).variance().map(f64::sqrt))
    }

    /// The share of the target's variance that the predictions explain.
    #[must_use]
    pub fn r2(&self, confidence: f64) -> Measured {
        let n = if self.squares > 0.0 { self.weight * self.weight / self.squares } else { 0.0 };
        if self.weight <= 0.0 {
            return Measured::undefined(Undefined::NoRows);
        }
        let (w, Moments { target, squared, .. }) = (self.weight, self.by_weight);
        let d = target.sum / w;
        let variance = target.sum_sq / w - d * d;
        // What rounding leaves of a constant target.
        let noise = 1e-14 * (target.sum_sq / w);
        if !variance.is_finite() {
            return Measured::undefined(Undefined::NotFinite);
        }
        if variance <= noise {
            return Measured::undefined(Undefined::ConstantTarget);
        }
        let ratio = squared.sum / w / variance;
        let [even, own] = [(&self.by_weight, w), (&self.by_square, self.squares)]
            .map(|(sums, weight)| sums.spread(ratio, (d, weight)) / weight);
        let spread = even.max(own);
        let interval = (n > 2.0 && spread >= 0.0).then(|| {
            let half = survival::student_exceeded((1.0 - confidence) / 2.0, n - 1.0)
                * (spread / (variance * variance) / (n - 1.0)).sqrt();
            Interval { lo: 1.0 - ratio - half, hi: 1.0 - ratio + half }
        });
        Measured::new(1.0 - ratio, interval, "delta").within(f64::NEG_INFINITY, 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::{ErrorSums, LossSums, Moments};
    use crate::performance::Undefined;

    fn of(rows: &[(f64, f64)], origin: f64) -> ErrorSums {
        let weighted: Vec<(f64, f64, f64)> =
            rows.iter().map(|(y, predicted)| (*y, *predicted, 1.0)).collect();
        of_weighted(&weighted, origin)
    }

    fn of_weighted(rows: &[(f64, f64, f64)], origin: f64) -> ErrorSums {
        let mut sums = ErrorSums::default();
        for (y, predicted, w) in rows {
            sums.weight += w;
            sums.squares += w * w;
            add(&mut sums.by_weight, [predicted - y, y - origin], *w);
            add(&mut sums.by_square, [predicted - y, y - origin], w * w);
        }
        sums
    }

    fn add(sums: &mut Moments, [e, t]: [f64; 2], w: f64) {
        let add = |loss: &mut LossSums, x: f64| {
            loss.sum += w * x;
            loss.sum_sq += w * x * x;
        };
        add(&mut sums.absolute, e.abs());
        add(&mut sums.squared, e * e);
        add(&mut sums.signed, e);
        add(&mut sums.target, t);
        sums.target_higher[0] += w * t.powi(3);
        sums.target_higher[1] += w * t.powi(4);
        sums.cross[0] += w * e * e * t;
        sums.cross[1] += w * e * e * t * t;
    }

    // scikit-learn 1.7: r2_score([3, -0.5, 2, 7], [2.5, 0.0, 2, 8]).
    #[test]
    fn the_usual_example_has_its_numbers() {
        let rows = [(3.0, 2.5), (-0.5, 0.0), (2.0, 2.0), (7.0, 8.0)];
        for origin in [0.0, 2.875, 100.0] {
            let sums = of(&rows, origin);
            assert!((sums.r2(0.95).value.unwrap() - 0.948_608_137_044_967_9).abs() < 1e-9);
            assert!((sums.mae(0.95).value.unwrap() - 0.5).abs() < 1e-15);
            assert!((sums.mean_error(0.95).value.unwrap() - 0.25).abs() < 1e-15);
        }
        let (near, far) = (of(&rows, 2.875).r2(0.95), of(&rows, 0.0).r2(0.95));
        assert!((near.interval.unwrap().lo - far.interval.unwrap().lo).abs() < 1e-9);
    }

    // NumPy 2: `m = np.average(y, weights=w)`, `s = np.average((y - m)**2, weights=w)`, `r = np.average(e * e, weights=w) / s`,
    // `n = w.sum()**2 / (w**2).sum()`, `v = (w**2 * (r * (y - m)**2 - e * e)**2).sum() / (w**2).sum() / s**2 / (n - 1)`; SciPy 1.17:
    // `1 - r - stats.t.ppf(0.975, n - 1) * v**0.5`.
    #[test]
    fn weights_that_go_with_the_target_make_its_share_less_sure() {
        let rows = [
            (1.0, 1.5, 1.0),
            (2.0, 2.5, 2.0),
            (3.0, 2.0, 1.0),
            (4.0, 4.5, 2.0),
            (5.0, 5.5, 2.0),
            (9.0, 6.0, 8.0),
            (12.0, 12.5, 8.0),
        ];
        for origin in [0.0, 8.0] {
            let found = of_weighted(&rows, origin).r2(0.95);
            assert!((found.value.unwrap() - 0.768_709_191_361_125).abs() < 1e-9, "{found:?}");
            assert!((found.interval.unwrap().lo + 0.089_180_079_742_955_61).abs() < 1e-9, "{found:?}");
        }
    }

    #[test]
    fn a_constant_target_has_no_share_to_explain() {
        let reason = |rows: &[(f64, f64)]| of(rows, 1.0).r2(0.95).reason;
        assert_eq!(reason(&[(5.0, 4.0), (5.0, 5.0)]), Some(Undefined::ConstantTarget));
        assert_eq!(reason(&[(5.0, 4.0)]), Some(Undefined::ConstantTarget));
        assert_eq!(reason(&[]), Some(Undefined::NoRows));
        assert_eq!(reason(&[(f64::INFINITY, 4.0)]), Some(Undefined::NotFinite));
    }
}
