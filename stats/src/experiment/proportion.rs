//! Comparison of two proportions.
//!
//! Question: by how much does the share of units that did something differ from the control's?
//! Input: units and successes of each arm.
//! Formula: p = successes/n with variance p(1-p)/n, not pooled, so that the interval and the p-value agree; the rest is
//! [`Contrast`]'s.
//! Valid when: both arms expect some ten successes and ten failures; below that use an exact test.
//! Degenerate: an arm with p of 0 or 1 has variance 0; where both do, there is no p-value.
//! Reference: Newcombe 1998, doi:10.1002/(SICI)1097-0258(19980430)17:8<873::AID-SIM779>3.0.CO;2-I, method 1.
//! Oracle: GrowthBook gbstats `TwoSidedTTest` on `ProportionStatistic`.
//! Cost: constant.

use super::{
    effect::{Arm, Contrast},
    sums::SumsError,
};

/// Units and how many of them succeeded.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Proportion {
    n: u64,
    successes: f64,
}

impl Proportion {
    /// `successes` of `n` units.
    ///
    /// # Errors
    /// Where successes are negative or more than the units.
    pub fn of(n: u64, successes: f64) -> Result<Self, SumsError> {
        if !(successes >= 0.0 && successes <= n as f64) {
            return Err(SumsError::NotAProportion { n, successes });
        }
        Ok(Self { n, successes })
    }

    /// Adds one unit.
    pub fn push(&mut self, success: bool) {
        self.n += 1;
        self.successes += f64::from(u8::from(success));
    }

    /// Adds every unit of `other`.
    pub fn merge(&mut self, other: &Self) {
        self.n += other.n;
        self.successes += other.successes;
    }

    /// The number of units.
    #[must_use]
    pub fn n(&self) -> u64 {
        self.n
    }

    /// How many units succeeded.
    #[must_use]
    pub fn successes(&self) -> f64 {
        self.successes
    }

    /// The share that succeeded; `None` without units.
    #[must_use]
    pub fn share(&self) -> Option<f64> {
        (self.n > 0).then(|| self.successes / self.n as f64)
    }

    /// p(1-p), the variance of one unit; `None` without units.
    #[must_use]
    pub fn variance(&self) -> Option<f64> {
        self.share().map(|p| p * (1.0 - p))
    }
}

/// The arm's proportion against the control's.
#[must_use]
pub fn proportions(control: &Proportion, arm: &Proportion) -> Contrast {
    let of = |side: &Proportion| {
        let variance = side.variance().filter(|_| side.n > 1).map(|variance| variance / side.n as f64);
        Arm { n: side.n, mean: side.share(), variance }
    };
    Contrast::between(of(control), of(arm))
}

#[cfg(test)]
mod tests {
    use super::{Proportion, proportions};
    use crate::experiment::{effect::Level, sums::SumsError};

    // GrowthBook, packages/stats/tests/frequentist/test_tests.py; printed to five digits.
    #[test]
    fn case_3_agrees_with_gbstats() {
        let contrast = proportions(&Proportion::of(28, 14.0).unwrap(), &Proportion::of(30, 16.0).unwrap());
        let effect = contrast.relative(Level::two_sided(0.05)).unwrap();
        assert!((effect.estimate - 0.06667).abs() < 5e-6);
        assert!((effect.se.unwrap() - 0.2717).abs() < 5e-6);
        assert!((effect.p_value.unwrap() - 0.80707).abs() < 5e-6);
        let ci = effect.ci.unwrap();
        assert!((ci.lo + 0.47767).abs() < 5e-6 && (ci.hi - 0.61101).abs() < 5e-6);
    }

    #[test]
    fn shares_of_zero_and_one_have_no_p_value() {
        let contrast = proportions(&Proportion::of(9, 0.0).unwrap(), &Proportion::of(9, 9.0).unwrap());
        let effect = contrast.absolute(Level::two_sided(0.05)).unwrap();
        assert_eq!((effect.estimate, effect.se, effect.p_value), (1.0, Some(0.0), None));
        assert_eq!(contrast.relative, None);
    }

    #[test]
    fn more_successes_than_units_are_refused() {
        assert_eq!(Proportion::of(3, 4.0), Err(SumsError::NotAProportion { n: 3, successes: 4.0 }));
        assert!(Proportion::of(3, -1.0).is_err());
        assert!(Proportion::of(3, f64::NAN).is_err());
    }
}
