//! The mean of weighted numbers with its error, as a mergeable state.
//!
//! Question: what is the mean loss of a row, and how sure is that?
//! Input: numbers with weights of 0 or more, in any order; an infinite one leaves no mean, NaN must not be pushed.
//! Formula: x̄ = Σwx/Σw; variance of x̄ = Σw(x - x̄)²/Σw/(n* - 1) with n* = (Σw)²/Σw²; the interval by Student's t on n* - 1.
//! Valid when: rows are independent; the interval from some thirty rows on, more where losses are skewed.
//! Reference: West 1979, doi:10.1145/359146.359153 (updates); Kish 1965 (n*).
//! Oracle: NumPy 2 `np.average(x, weights=w)`; SciPy 1.17 `stats.t.interval` with `stats.sem` where weights are equal.
//! Cost: a few operations a push, 40 bytes.

use super::{Measured, Undefined};
use crate::{experiment::effect::Interval, survival};

/// Mergeable sums of weights, mean and squared deviations.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct WeightedMean {
    weight: f64,
    /// Σw².
    squares: f64,
    mean: f64,
    /// Σw(x - x̄)².
    m2: f64,
    infinite: bool,
}

impl WeightedMean {
    /// Adds a number.
    pub fn push(&mut self, value: f64, weight: f64) {
        self.push_many(value, weight, weight * weight);
    }

    /// Adds rows of one value: their weights and their squares summed.
    pub fn push_many(&mut self, value: f64, weight: f64, squares: f64) {
        debug_assert!(!value.is_nan(), "missing values are counted elsewhere");
        if weight <= 0.0 {
            return;
        }
        if value.is_infinite() {
            self.infinite = true;
            return;
        }
        self.weight += weight;
        self.squares += squares;
        let delta = value - self.mean;
        self.mean += delta * (weight / self.weight);
        self.m2 += weight * delta * (value - self.mean);
    }

    /// Adds other rows (Chan, Golub, LeVeque 1979).
    pub fn absorb(&mut self, other: &Self) {
        self.infinite |= other.infinite;
        if other.weight <= 0.0 {
            return;
        }
        let (before, delta) = (self.weight, other.mean - self.mean);
        self.weight += other.weight;
        self.squares += other.squares;
        self.mean += delta * (other.weight / self.weight);
        self.m2 += other.m2 + delta * delta * (before * other.weight / self.weight);
    }

    /// The state that sums make: Σw, Σw², the mean, and Σw(x - x̄)².
    #[must_use]
    pub fn of_sums(weight: f64, squares: f64, mean: f64, m2: f64) -> Self {
        let infinite = !(mean.is_finite() && m2.is_finite());
        Self { weight, squares, mean, m2: m2.max(0.0), infinite }
    }

    /// Σw.
    #[must_use]
    pub fn weight(&self) -> f64 {
        self.weight
    }

    /// The mean; `None` without weight or with an infinite number.
    #[must_use]
    pub fn mean(&self) -> Option<f64> {
        (self.weight > 0.0 && !self.infinite).then_some(self.mean)
    }

    /// How many rows of equal weight are worth as much.
    #[must_use]
    pub fn effective(&self) -> f64 {
        if self.squares > 0.0 { self.weight * self.weight / self.squares } else { 0.0 }
    }

    /// The variance of the mean; `None` below two rows.
    #[must_use]
    pub fn variance_of_mean(&self) -> Option<f64> {
        let n = self.effective();
        self.mean()?;
        (n > 1.0).then(|| self.m2 / self.weight / (n - 1.0))
    }

    /// The population variance of the numbers.
    #[must_use]
    pub fn variance(&self) -> Option<f64> {
        self.mean()?;
        Some(self.m2 / self.weight)
    }

    /// The mean with its interval.
    #[must_use]
    pub fn measured(&self, confidence: f64) -> Measured {
        let Some(mean) = self.mean() else {
            let reason = if self.infinite { Undefined::NotFinite } else { Undefined::NoRows };
            return Measured::undefined(reason);
        };
        let interval = self.variance_of_mean().map(|variance| {
            let t = survival::student_exceeded((1.0 - confidence) / 2.0, self.effective() - 1.0);
            let half = t * variance.sqrt();
            Interval { lo: mean - half, hi: mean + half }
        });
        Measured::new(mean, interval, "student")
    }
}

#[cfg(test)]
mod tests {
    use super::WeightedMean;
    use crate::performance::Undefined;

    // SciPy 1.17: stats.t.interval(0.95, 3, loc=2.5, scale=stats.sem([1, 2, 3, 4])).
    #[test]
    fn equal_weights_give_students_interval() {
        let mut mean = WeightedMean::default();
        [1.0, 2.0, 3.0, 4.0].iter().for_each(|x| mean.push(*x, 1.0));
        let found = mean.measured(0.95);
        let interval = found.interval.unwrap();
        assert_eq!(found.value, Some(2.5));
        assert!((interval.lo - 0.445_739_743_239_121).abs() < 1e-9, "{interval:?}");
    }

    #[test]
    fn nothing_and_infinity_have_no_mean() {
        let mut mean = WeightedMean::default();
        assert_eq!(mean.measured(0.95).reason, Some(Undefined::NoRows));
        mean.push(f64::INFINITY, 1.0);
        assert_eq!(mean.measured(0.95).reason, Some(Undefined::NotFinite));
    }

    #[test]
    fn two_states_make_that_of_all_rows() {
        let rows = [(3.0, 1.0), (-1.0, 2.0), (7.5, 0.5), (1e6, 1.0), (2.0, 3.0)];
        let of = |rows: &[(f64, f64)]| {
            let mut mean = WeightedMean::default();
            rows.iter().for_each(|(value, weight)| mean.push(*value, *weight));
            mean
        };
        let whole = of(&rows);
        for cut in 0..=rows.len() {
            let mut merged = of(&rows[..cut]);
            merged.absorb(&of(&rows[cut..]));
            let near = |a: Option<f64>, b: Option<f64>| (a.unwrap() / b.unwrap() - 1.0).abs() < 1e-14;
            assert!(near(merged.mean(), whole.mean()) && near(merged.variance(), whole.variance()), "{cut}");
            assert_eq!((merged.weight(), merged.effective()), (whole.weight(), whole.effective()));
        }
        let mut infinite = WeightedMean::default();
        infinite.push(f64::INFINITY, 1.0);
        let mut mean = whole;
        mean.absorb(&infinite);
        assert_eq!(mean.mean(), None);
    }

    #[test]
    fn a_weight_is_so_many_rows_of_the_mean() {
        let (mut once, mut thrice) = (WeightedMean::default(), WeightedMean::default());
        once.push(5.0, 3.0);
        once.push(1.0, 1.0);
        [5.0, 5.0, 5.0, 1.0].iter().for_each(|x| thrice.push(*x, 1.0));
        assert_eq!((once.mean(), once.variance()), (thrice.mean(), thrice.variance()));
    }
}
