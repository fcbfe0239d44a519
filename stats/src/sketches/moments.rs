//! Count, mean and variance of a stream of numbers, mergeable and safe at large offsets.
//!
//! Question: where do the values lie and how far do they spread?
//! Input: numbers with multiplicities, any order; ±inf are counted apart, NaN must not be pushed.
//! Formula: Welford's update with weights on x - x₁, so that a large offset costs no digits; merge by Chan.
//! Valid when: always; [`Moments::mean`] is `None` without values or with infinite ones.
//! Reference: Chan, Golub, LeVeque 1983, doi:10.1080/00031305.1983.10483115, eq. 2.1.
//! Oracle: NumPy 2, `np.mean`, `np.var(ddof=…)`.
//! Cost: a few operations a push, 32 bytes.

/// Mergeable count, mean and sum of squared deviations.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Moments {
    n: u64,
    infinite: u64,
    /// The first value; means are kept relative to it.
    shift: f64,
    mean: f64,
    m2: f64,
}

/// Moments taken apart, so that they can be kept and put together again without losing a digit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MomentParts {
    /// How many finite values.
    pub n: u64,
    /// How many infinite ones.
    pub infinite: u64,
    /// What the mean is relative to.
    pub shift: f64,
    /// The mean of the finite values minus `shift`.
    pub mean: f64,
    /// The sum of squared deviations of the finite values.
    pub m2: f64,
}

impl Moments {
    /// The parts, to be kept.
    #[must_use]
    pub fn parts(&self) -> MomentParts {
        let Self { n, infinite, shift, mean, m2 } = *self;
        MomentParts { n, infinite, shift, mean, m2 }
    }

    /// The moments that were taken apart.
    #[must_use]
    pub fn of_parts(parts: MomentParts) -> Self {
        let MomentParts { n, infinite, shift, mean, m2 } = parts;
        Self { n, infinite, shift, mean, m2 }
    }

    /// Adds `count` copies of `value`.
    pub fn push(&mut self, value: f64, count: u64) {
        debug_assert!(!value.is_nan(), "missing values are counted elsewhere");
        if count == 0 {
            return;
        }
        if value.is_infinite() {
            self.infinite += count;
            return;
        }
        if self.n == 0 {
            self.shift = value;
        }
        self.n += count;
        let weight = count as f64;
        let shifted = value - self.shift;
        let delta = shifted - self.mean;
        self.mean += delta * (weight / self.n as f64);
        self.m2 += weight * delta * (shifted - self.mean);
    }

    /// Adds everything that `other` has seen.
    pub fn merge(&mut self, other: &Self) {
        self.infinite += other.infinite;
        if other.n == 0 {
            return;
        }
        if self.n == 0 {
            *self = Self { infinite: self.infinite, ..*other };
            return;
        }
        let total = self.n + other.n;
        let delta = (other.shift - self.shift) + (other.mean - self.mean);
        let share = other.n as f64 / total as f64;
        self.m2 += other.m2 + delta * delta * self.n as f64 * share;
        self.mean += delta * share;
        self.n = total;
    }

    /// How many values were pushed.
    #[must_use]
    pub fn n(&self) -> u64 {
        self.n + self.infinite
    }

    /// Their mean; `None` without values or with infinite ones.
    #[must_use]
    pub fn mean(&self) -> Option<f64> {
        self.finite_mean().filter(|_| self.infinite == 0)
    }

    /// The mean of the finite values; `None` without any.
    #[must_use]
    pub fn finite_mean(&self) -> Option<f64> {
        (self.n > 0).then_some(self.shift + self.mean).filter(|mean| mean.is_finite())
    }

    /// The mean of the other minus this one's, without the digits that both have in common; `None` as for [`Moments::mean`].
    #[must_use]
    pub fn change_to(&self, other: &Self) -> Option<f64> {
        self.mean().and(other.mean())?;
        Some((other.shift - self.shift) + (other.mean - self.mean))
    }

    /// The variance with `n - ddof` below the line; `None` where that is not above 0 or a value is infinite.
    #[must_use]
    pub fn variance(&self, ddof: u64) -> Option<f64> {
        let variance = self.m2 / (self.n.checked_sub(ddof).filter(|below| *below > 0)? as f64);
        (self.infinite == 0 && variance.is_finite()).then_some(variance.max(0.0))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Moments;

    fn of(values: &[f64]) -> Moments {
        let mut moments = Moments::default();
        values.iter().for_each(|value| moments.push(*value, 1));
        moments
    }

    #[test]
    fn variance_survives_a_large_offset() {
        let moments = of(&[1e9 + 4.0, 1e9 + 7.0, 1e9 + 13.0, 1e9 + 16.0]);
        assert_eq!(moments.variance(1), Some(30.0));
        assert_eq!(moments.variance(0), Some(22.5));
    }

    #[test]
    fn infinite_values_leave_no_mean() {
        let moments = of(&[1.0, f64::INFINITY]);
        assert_eq!((moments.n(), moments.mean(), moments.variance(0)), (2, None, None));
        assert_eq!(moments.finite_mean(), Some(1.0));
    }

    #[test]
    fn one_value_has_no_sample_variance() {
        assert_eq!(of(&[3.0]).variance(1), None);
        assert_eq!(of(&[]).mean(), None);
    }

    proptest! {
        // Merging the parts gives what pushing the whole gives.
        #[test]
        fn merge_is_whole(values in prop::collection::vec(-1e6_f64..1e6, 2..200), cut in 0_usize..200) {
            let cut = cut.min(values.len());
            let mut merged = of(&values[..cut]);
            merged.merge(&of(&values[cut..]));
            let whole = of(&values);
            prop_assert!((merged.mean().unwrap() - whole.mean().unwrap()).abs() < 1e-6);
            prop_assert!((merged.variance(0).unwrap() / whole.variance(0).unwrap().max(1e-300) - 1.0).abs() < 1e-9);
        }

        // A value pushed with a count is that many values.
        #[test]
        fn count_is_repetition(value in -100.0_f64..100.0, count in 1_u64..50) {
            let mut once = of(&[5.0, 7.0]);
            let mut many = once;
            once.push(value, count);
            (0..count).for_each(|_| many.push(value, 1));
            prop_assert!((once.mean().unwrap() - many.mean().unwrap()).abs() < 1e-9);
            prop_assert!((once.variance(0).unwrap() - many.variance(0).unwrap()).abs() < 1e-7);
        }
    }
}
