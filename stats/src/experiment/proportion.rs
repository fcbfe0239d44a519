//! Comparison of two proportions.
//!
//! Question: by how much does the share of units that did something differ from the control's?
//! Input: units and successes of each arm.
//! Formula: p = successes/n with variance p(1-p)/n, not pooled, so that the interval and the p-value agree; the rest is
//! [`Contrast`]'s.
//! Valid when: both arms expect some ten successes and ten failures; below that use an exact test. Of arms of unlike size the small one
//! may have no success by chance, and then no variance: [`beyond`] has the error of p₁ - (1 + t)·p₀ if that is 0, by the shares
//! of the largest likelihood; for t = 0 that of the pooled z.
//! Degenerate: an arm with p of 0 or 1 has variance 0; where both do, there is no p-value.
//! Reference: Newcombe 1998, doi:10.1002/(SICI)1097-0258(19980430)17:8<873::AID-SIM779>3.0.CO;2-I, method 1; Miettinen, Nurminen
//! 1985, doi:10.1002/sim.4780040211 (shares of one likelihood); Farrington, Manning 1990, doi:10.1002/sim.4780091208.
//! Oracle: GrowthBook gbstats `TwoSidedTTest` on `ProportionStatistic`; statsmodels 0.15 `proportions_ztest`, SciPy 1.17 `minimize_scalar`.
//! Cost: constant.

use super::{
    effect::{Arm, Contrast, Estimate},
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

/// The arm's proportion beyond 1 + `null` times the control's, with the error that it has if that is 0; `None` without units, or for a
/// `null` of -1 or less.
#[must_use]
pub fn beyond(control: &Proportion, arm: &Proportion, null: f64) -> Option<Estimate> {
    let counts = |side: &Proportion| [side.n as f64, side.successes];
    let ([n_control, _], [n, _]) = (counts(control), counts(arm));
    let [base, share] = likeliest(counts(control), counts(arm), null)?;
    let factor = 1.0 + null;
    let value = arm.share()? - factor * control.share()?;
    let variance = share * (1.0 - share) / n + factor * factor * base * (1.0 - base) / n_control;
    Some(Estimate { value, se: Some(variance.sqrt()) })
}

/// The shares of control and arm of the largest likelihood where the arm's is 1 + `null` times the control's, from units and successes of
/// each; `None` as for [`beyond`].
pub(crate) fn likeliest(control: [f64; 2], arm: [f64; 2], null: f64) -> Option<[f64; 2]> {
    let factor = Some(1.0 + null).filter(|factor| *factor > 0.0)?;
    let ([n_control, of_control], [n, of_arm]) = (control, arm);
    if !(n_control > 0.0 && n > 0.0) {
        return None;
    }
    // The likelihood is largest at the smaller root of a·p² - b·p + c, written without cancellation.
    let a = factor * (n_control + n);
    let b = n_control + factor * n + of_arm + factor * of_control;
    let c = of_control + of_arm;
    let base = (2.0 * c / (b + (b * b - 4.0 * a * c).max(0.0).sqrt())).clamp(0.0, 1.0);
    Some([base, (factor * base).min(1.0)])
}

#[cfg(test)]
mod tests {
    use super::{Proportion, beyond, proportions};
    use crate::experiment::{effect::Level, sums::SumsError};

    fn z(control: (u64, f64), arm: (u64, f64), null: f64) -> Option<f64> {
        let of = |(n, successes)| Proportion::of(n, successes).unwrap();
        let found = beyond(&of(control), &of(arm), null)?;
        Some(found.value / found.se?)
    }

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

    // statsmodels `proportions_ztest`, and the shares with p₁ = (1 + t)·p₀ by SciPy's `minimize_scalar` of the likelihood.
    #[test]
    fn the_error_beyond_a_margin_is_that_of_shares_at_the_margin() {
        for (control, arm, null, expected) in [
            ((53, 19.0), (47, 13.0), 0.0, -0.876_221_404_794_926_3),
            ((900, 9.0), (100, 0.0), 0.0, -1.004_530_604_621_176),
            ((900, 9.0), (100, 0.0), -0.2, -0.897_731_560_035_678_1),
            ((500, 300.0), (200, 150.0), 0.1, 2.227_530_150_643_081_4),
            ((1000, 990.0), (50, 50.0), 0.005, 0.503_646_291_242_158_3),
        ] {
            let found = z(control, arm, null).unwrap();
            assert!((found - expected).abs() < 1e-9, "{control:?} {arm:?} {null}: {found}");
        }
        assert_eq!(z((9, 3.0), (9, 4.0), -1.0), None);
        assert_eq!(z((0, 0.0), (9, 4.0), 0.0), None);
    }
}
