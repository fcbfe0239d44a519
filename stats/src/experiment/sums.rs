//! Sufficient statistics of units: count, means and centred products of one, two or four variables, mergeable.
//!
//! Question: what must be kept of an arm's units so that every estimator can be computed later?
//! Input: one value of each variable a unit, finite, any order; or sums over the units, plain or of values minus an origin.
//! Formula: means and Σ(x - x̄)(y - ȳ), updated by Welford and merged by Chan, all relative to an origin, so that a large
//! offset costs no digits. From sums: Σxy - ΣxΣy/n.
//! Valid when: always. Plain sums cancel where the mean is large against the deviation; centre them on any value near the
//! mean (`Joint::of_shifted`) and they do not.
//! Reference: Chan, Golub, LeVeque 1983, doi:10.1080/00031305.1983.10483115, eq. 2.1; Pébay 2008, doi:10.2172/1028931.
//! Oracle: NumPy 2 `np.cov`.
//! Cost: K² operations a unit, no allocation.

use thiserror::Error;

/// Below this share of the sum of squares a sum of centred squares is rounding.
const RESOLUTION: f64 = 8.0 * f64::EPSILON;
/// Share of the sums by which sums written with some ten digits may contradict each other.
const PRINTED: f64 = 1e-9;

/// Count, means and centred products of `K` variables of the same units.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Joint<const K: usize> {
    n: u64,
    /// Means are kept relative to it.
    origin: [f64; K],
    mean: [f64; K],
    products: [[f64; K]; K],
}

/// One variable.
pub type Sums = Joint<1>;
/// Two variables: numerator and denominator, or value and covariate.
pub type PairSums = Joint<2>;
/// Four variables: numerator, denominator, and the same two before the experiment.
pub type RatioSums = Joint<4>;

/// Why sums cannot be those of any units.
#[derive(Debug, Clone, Copy, PartialEq, Error)]
pub enum SumsError {
    /// A sum is infinite or not a number.
    #[error("a sum is not a finite number")]
    NotFinite,
    /// Sums of no units must be 0.
    #[error("there are no units, but a sum is not 0")]
    NoUnits,
    /// Σx² is below (Σx)²/n.
    #[error("sum of squares {sum_sq} is too small for sum {sum} over {n} units")]
    NegativeVariance {
        /// The number of units.
        n: u64,
        /// The sum.
        sum: f64,
        /// The sum of squares.
        sum_sq: f64,
    },
    /// The covariance is larger than both variances allow.
    #[error("sum of products {cross_sum} is impossible for the sums of squares beside it")]
    ImpossibleCovariance {
        /// The sum of products.
        cross_sum: f64,
    },
    /// A proportion above 1 or below 0.
    #[error("{successes} successes of {n} units")]
    NotAProportion {
        /// The number of units.
        n: u64,
        /// How many of them succeeded.
        successes: f64,
    },
}

impl<const K: usize> Default for Joint<K> {
    fn default() -> Self {
        Self { n: 0, origin: [0.0; K], mean: [0.0; K], products: [[0.0; K]; K] }
    }
}

impl<const K: usize> Joint<K> {
    /// Adds one unit; its values must be finite.
    pub fn push(&mut self, values: [f64; K]) {
        debug_assert!(values.iter().all(|value| value.is_finite()), "missing values are left out earlier");
        if self.n == 0 {
            self.origin = values;
        }
        self.n += 1;
        let n = self.n as f64;
        let delta: [f64; K] = std::array::from_fn(|i| values[i] - self.origin[i] - self.mean[i]);
        self.add_products(|i, j| delta[i] * (delta[j] * ((n - 1.0) / n)));
        self.mean = std::array::from_fn(|i| self.mean[i] + delta[i] / n);
    }

    /// Adds every unit that `other` has seen.
    pub fn merge(&mut self, other: &Self) {
        if other.n == 0 {
            return;
        }
        if self.n == 0 {
            *self = *other;
            return;
        }
        let total = self.n + other.n;
        let share = other.n as f64 / total as f64;
        let delta: [f64; K] = std::array::from_fn(|i| self.change_to(other, i));
        let weight = self.n as f64 * share;
        self.add_products(|i, j| other.products[i][j] + delta[i] * (delta[j] * weight));
        self.mean = std::array::from_fn(|i| self.mean[i] + delta[i] * share);
        self.n = total;
    }

    /// From sums of the values minus `origin`: `sums[i]` is Σ(xᵢ-oᵢ), `products[i][j]` is Σ(xᵢ-oᵢ)(xⱼ-oⱼ).
    ///
    /// # Errors
    /// Where no units have these sums, beyond what printing them with ten digits explains.
    pub fn of_shifted(
        n: u64,
        origin: [f64; K],
        sums: [f64; K],
        products: [[f64; K]; K],
    ) -> Result<Self, SumsError> {
        let numbers = origin.iter().chain(&sums).chain(products.iter().flatten());
        if numbers.clone().any(|number| !number.is_finite()) {
            return Err(SumsError::NotFinite);
        }
        if n == 0 {
            let empty = sums.iter().chain(products.iter().flatten()).all(|sum| *sum == 0.0);
            return if empty { Ok(Self::default()) } else { Err(SumsError::NoUnits) };
        }
        let mut centred = [[0.0; K]; K];
        for i in 0..K {
            centred[i][i] = centred_squares(n, sums[i], products[i][i])?;
        }
        for i in 0..K {
            for j in 0..i {
                let bound = (centred[i][i] * centred[j][j]).sqrt();
                let product = products[i][j] - sums[i] / n as f64 * sums[j];
                let slack = PRINTED * (products[i][i] * products[j][j]).sqrt();
                if product.abs() > bound * (1.0 + PRINTED) + slack || product.is_nan() {
                    return Err(SumsError::ImpossibleCovariance { cross_sum: products[i][j] });
                }
                centred[i][j] = product.clamp(-bound, bound);
                centred[j][i] = centred[i][j];
            }
        }
        Ok(Self { n, origin, mean: sums.map(|sum| sum / n as f64), products: centred })
    }

    /// The number of units.
    #[must_use]
    pub fn n(&self) -> u64 {
        self.n
    }

    /// The mean of a variable; `None` without units.
    #[must_use]
    pub fn mean(&self, variable: usize) -> Option<f64> {
        (self.n > 0).then_some(self.origin[variable] + self.mean[variable]).filter(|mean| mean.is_finite())
    }

    /// The sample covariance of two variables, or the variance of one, over n - 1; `None` below two units.
    #[must_use]
    pub fn covariance(&self, i: usize, j: usize) -> Option<f64> {
        (self.n > 1).then(|| self.products[i][j] / (self.n - 1) as f64).filter(|found| found.is_finite())
    }

    /// The other's mean minus this one's, without the digits that both have in common. Both must have units.
    pub(crate) fn change_to(&self, other: &Self, variable: usize) -> f64 {
        (other.origin[variable] - self.origin[variable]) + (other.mean[variable] - self.mean[variable])
    }

    fn add_products(&mut self, more: impl Fn(usize, usize) -> f64) {
        let old = self.products;
        self.products = std::array::from_fn(|i| std::array::from_fn(|j| old[i][j] + more(i, j)));
    }

    /// Some of the variables, in this order.
    #[must_use]
    pub fn select<const L: usize>(&self, variables: [usize; L]) -> Joint<L> {
        Joint {
            n: self.n,
            origin: variables.map(|i| self.origin[i]),
            mean: variables.map(|i| self.mean[i]),
            products: variables.map(|i| variables.map(|j| self.products[i][j])),
        }
    }
}

impl Sums {
    /// From n, Σx and Σx².
    ///
    /// # Errors
    /// Where no units have these sums.
    pub fn of(n: u64, sum: f64, sum_sq: f64) -> Result<Self, SumsError> {
        Self::of_shifted(n, [0.0], [sum], [[sum_sq]])
    }

    /// The sample variance over n - 1; `None` below two units.
    #[must_use]
    pub fn variance(&self) -> Option<f64> {
        self.covariance(0, 0)
    }
}

/// Plain sums over pairs (x, y).
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct PairTotals {
    /// The number of units.
    pub n: u64,
    /// Σx.
    pub sum: f64,
    /// Σx².
    pub sum_sq: f64,
    /// Σy: the denominator's or the covariate's.
    pub other_sum: f64,
    /// Σy².
    pub other_sum_sq: f64,
    /// Σxy.
    pub cross_sum: f64,
}

impl PairSums {
    /// From plain sums.
    ///
    /// # Errors
    /// Where no units have these sums.
    pub fn of(totals: &PairTotals) -> Result<Self, SumsError> {
        let PairTotals { n, sum, sum_sq, other_sum, other_sum_sq, cross_sum } = *totals;
        Self::of_shifted(n, [0.0; 2], [sum, other_sum], [[sum_sq, cross_sum], [cross_sum, other_sum_sq]])
    }

    /// Plain sums as they are, for published numbers that belong to no units.
    #[cfg(test)]
    pub(crate) fn unchecked(totals: &PairTotals) -> Self {
        let PairTotals { n, sum, sum_sq, other_sum, other_sum_sq, cross_sum } = *totals;
        let mean = [sum / n as f64, other_sum / n as f64];
        let cross = cross_sum - sum * mean[1];
        let products = [[sum_sq - sum * mean[0], cross], [cross, other_sum_sq - other_sum * mean[1]]];
        Self { n, origin: [0.0; 2], mean, products }
    }
}

fn centred_squares(n: u64, sum: f64, sum_sq: f64) -> Result<f64, SumsError> {
    let squares = sum_sq - sum / n as f64 * sum;
    if sum_sq < 0.0 || squares < -PRINTED * sum_sq || !squares.is_finite() {
        return Err(SumsError::NegativeVariance { n, sum, sum_sq });
    }
    // One unit has no deviation, and what is below the resolution of the sums is none either.
    Ok(if n == 1 || squares <= RESOLUTION * sum_sq { 0.0 } else { squares })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Joint, PairSums, PairTotals, Sums, SumsError};

    fn of(values: &[[f64; 2]]) -> PairSums {
        let mut sums = PairSums::default();
        values.iter().for_each(|value| sums.push(*value));
        sums
    }

    #[test]
    fn variance_survives_a_large_offset() {
        let mut sums = Sums::default();
        [1e9 - 1.0, 1e9, 1e9 + 1.0, 1e9].into_iter().for_each(|value| sums.push([value]));
        assert_eq!((sums.mean(0), sums.variance()), (Some(1e9), Some(2.0 / 3.0)));
        let shifted = Sums::of_shifted(4, [1e9], [0.0], [[2.0]]).unwrap();
        assert_eq!((shifted.mean(0), shifted.variance()), (Some(1e9), Some(2.0 / 3.0)));
    }

    #[test]
    fn plain_sums_that_lost_the_variance_have_none() {
        // Σx² of 1e9 ± 1 keeps no digit of the deviations: better none than a random one.
        let sums = Sums::of(4, 4e9, 4e18 + 2.0).unwrap();
        assert_eq!(sums.variance(), Some(0.0));
        let tenths = Sums::of(3, 0.1 + 0.1 + 0.1, 0.1 * 0.1 + 0.1 * 0.1 + 0.1 * 0.1).unwrap();
        assert_eq!(tenths.variance(), Some(0.0));
    }

    #[test]
    fn impossible_sums_are_refused() {
        assert_eq!(
            Sums::of(10, 10.0, 9.0),
            Err(SumsError::NegativeVariance { n: 10, sum: 10.0, sum_sq: 9.0 })
        );
        assert_eq!(Sums::of(0, 1.0, 1.0), Err(SumsError::NoUnits));
        assert_eq!(Sums::of(3, f64::NAN, 1.0), Err(SumsError::NotFinite));
        assert_eq!(Sums::of(3, 0.0, f64::INFINITY), Err(SumsError::NotFinite));
        assert!(Sums::of(1, 5.0, 26.0).is_err() || Sums::of(1, 5.0, 26.0).unwrap().variance().is_none());
        let pair =
            PairTotals { n: 4, sum: 0.0, sum_sq: 4.0, other_sum: 0.0, other_sum_sq: 4.0, cross_sum: 4.1 };
        assert_eq!(PairSums::of(&pair), Err(SumsError::ImpossibleCovariance { cross_sum: 4.1 }));
        assert!(PairSums::of(&PairTotals { cross_sum: -4.0, ..pair }).is_ok());
        assert_eq!(Sums::of(0, 0.0, 0.0), Ok(Sums::default()));
    }

    proptest! {
        // Merging the parts gives what pushing the whole gives.
        #[test]
        fn merge_is_whole(
            values in prop::collection::vec(prop::array::uniform2(-1e6_f64..1e6), 2..100),
            cut in 0_usize..100,
        ) {
            let cut = cut.min(values.len());
            let mut merged = of(&values[..cut]);
            merged.merge(&of(&values[cut..]));
            let whole = of(&values);
            let scale = (whole.covariance(0, 0).unwrap() * whole.covariance(1, 1).unwrap()).sqrt() + 1e-9;
            for (i, j) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
                let off = (merged.covariance(i, j).unwrap() - whole.covariance(i, j).unwrap()).abs();
                prop_assert!(off < 1e-9 * scale.max(whole.covariance(i, j).unwrap().abs()));
            }
            prop_assert!((merged.mean(0).unwrap() - whole.mean(0).unwrap()).abs() < 1e-6);
        }

        // Sums of the pushed values give the same statistics as pushing them.
        #[test]
        fn sums_are_pushes(values in prop::collection::vec(prop::array::uniform2(-100.0_f64..100.0), 2..60)) {
            let total = |f: fn(&[f64; 2]) -> f64| values.iter().map(f).sum::<f64>();
            let from_sums = PairSums::of(&PairTotals {
                n: values.len() as u64,
                sum: total(|v| v[0]),
                sum_sq: total(|v| v[0] * v[0]),
                other_sum: total(|v| v[1]),
                other_sum_sq: total(|v| v[1] * v[1]),
                cross_sum: total(|v| v[0] * v[1]),
            }).unwrap();
            let pushed = of(&values);
            for (i, j) in [(0, 0), (0, 1), (1, 1)] {
                prop_assert!((from_sums.covariance(i, j).unwrap() - pushed.covariance(i, j).unwrap()).abs() < 1e-8);
            }
        }

        // Whatever the sums, the answer is an error or finite statistics.
        #[test]
        fn any_sums_are_refused_or_finite(n in 0_u64..5, numbers in prop::array::uniform4(any::<f64>())) {
            if let Ok(sums) = Joint::<2>::of_shifted(
                n, [0.0; 2], [numbers[0], numbers[1]], [[numbers[2], numbers[0]], [numbers[0], numbers[3]]],
            ) {
                prop_assert!(sums.mean(0).is_none_or(f64::is_finite));
                prop_assert!(sums.covariance(0, 0).is_none_or(|variance| variance.is_finite() && variance >= 0.0));
                prop_assert!(sums.covariance(0, 1).is_none_or(f64::is_finite));
            }
        }
    }
}
