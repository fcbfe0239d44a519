//! The common form of every comparison of two arms: an estimate, its standard error, interval and p-value.
//!
//! Question: how large is the difference, and could chance have made it?
//! Input: each arm's estimate with the variance of that estimate, from an estimator; the level and side of the test.
//! Formula: difference Δ = m - m₀ with variance v + v₀; relative Δ/|m₀| with v/m₀² + v₀m²/m₀⁴ by the delta method; interval
//! Δ ± t·√v and p from Student's t with Satterthwaite's (v+v₀)²/(v²/(n-1) + v₀²/(n₀-1)) degrees of freedom, which are those
//! of the absolute difference for the relative one too. Against a relative difference of t the difference is Δ - t|m₀|, and its variance the
//! one that it has where that is 0, v + (1+t)²v₀: the relative variance falls with the arm's own estimate, so that an arm with few
//! successes by chance would look sure.
//! Valid when: estimates are about normal. The relative effect also needs a control's estimate some standard errors from 0.
//! Degenerate: an empty arm has no effect; below two units in an arm there is no standard error; a control of 0 has no
//! relative effect; a standard error of 0 leaves the interval a point and no p-value.
//! Reference: Welch 1947, doi:10.1093/biomet/34.1-2.28; Deng, Knoblich, Lu 2018, doi:10.1145/3219819.3219919, section 3.
//! Oracle: SciPy 1.17 `scipy.stats.ttest_ind(equal_var=False)` and its `confidence_interval`.
//! Cost: constant.

use crate::survival;

/// Which differences the test is to find.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Alternative {
    /// Any difference: both sides share alpha.
    #[default]
    TwoSided,
    /// The arm is above the control: alpha is on one side, and the interval has no upper end.
    Greater,
    /// The arm is below the control: the interval has no lower end.
    Less,
}

/// How sure an answer has to be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Level {
    /// The chance of a false alarm, above 0 and below ½.
    pub alpha: f64,
    /// Where it lies.
    pub alternative: Alternative,
}

impl Level {
    /// A two-sided level.
    #[must_use]
    pub fn two_sided(alpha: f64) -> Self {
        Self { alpha, alternative: Alternative::TwoSided }
    }
}

/// The ends of an interval; a one-sided one has an infinite end.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// The lower end.
    pub lo: f64,
    /// The upper end.
    pub hi: f64,
}

impl Interval {
    /// `estimate` with `half_width` on the sides where the alternative asks for an end.
    #[must_use]
    pub fn around(estimate: f64, half_width: f64, alternative: Alternative) -> Self {
        let (lo, hi) = (estimate - half_width, estimate + half_width);
        match alternative {
            Alternative::TwoSided => Self { lo, hi },
            Alternative::Greater => Self { lo, hi: f64::INFINITY },
            Alternative::Less => Self { lo: f64::NEG_INFINITY, hi },
        }
    }

    /// Whether `value` lies inside or on an end.
    #[must_use]
    pub fn contains(&self, value: f64) -> bool {
        self.lo <= value && value <= self.hi
    }
}

/// One arm's estimate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Arm {
    /// Units with a value.
    pub n: u64,
    /// The estimate; `None` without units.
    pub mean: Option<f64>,
    /// The variance of the estimate (not of one unit); `None` below two units or where it is refused.
    pub variance: Option<f64>,
}

/// An estimated difference.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// The difference.
    pub value: f64,
    /// Its standard error; `None` where it is not defined.
    pub se: Option<f64>,
}

/// The differences between an arm and the control, before any test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Contrast {
    /// Units of the arm.
    pub n: u64,
    /// Units of the control.
    pub n_control: u64,
    /// The arm's estimate.
    pub mean: Option<f64>,
    /// The control's estimate.
    pub mean_control: Option<f64>,
    /// The difference; `None` with an empty arm.
    pub absolute: Option<Estimate>,
    /// The difference over the control's absolute value; `None` also where that is 0.
    pub relative: Option<Estimate>,
    /// Satterthwaite's degrees of freedom; `None` without a positive standard error.
    pub df: Option<f64>,
    /// How the control's estimate varies; `None` where the absolute difference has no standard error.
    pub control_error: Option<ControlError>,
}

/// How the control's estimate varies, alone and together with the difference to it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ControlError {
    /// Its variance.
    pub variance: f64,
    /// Its covariance with the absolute difference: minus the variance where the arms are independent and nothing is adjusted.
    pub covariance: f64,
}

/// A tested difference.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Effect {
    /// The difference.
    pub estimate: f64,
    /// Its standard error; `None` where it is not defined.
    pub se: Option<f64>,
    /// The interval; the point where the standard error is 0, `None` where it is not defined.
    pub ci: Option<Interval>,
    /// The p-value, never 0; `None` where the standard error is 0 or not defined.
    pub p_value: Option<f64>,
}

impl Contrast {
    /// The arm against the control, at two means that were estimated independently.
    #[must_use]
    pub fn between(control: Arm, arm: Arm) -> Self {
        let change = control.mean.zip(arm.mean).map(|(control, arm)| arm - control);
        Self::with_change(control, arm, change)
    }

    /// As [`Contrast::between`] where the difference is known with more digits than the two means have.
    pub(crate) fn with_change(control: Arm, arm: Arm, change: Option<f64>) -> Self {
        let variances = control.variance.zip(arm.variance);
        let se = variances.and_then(|(v0, v)| finite((v0 + v).sqrt()));
        let mut contrast = Self {
            n: arm.n,
            n_control: control.n,
            mean: arm.mean,
            mean_control: control.mean,
            absolute: None,
            relative: None,
            df: variances.and_then(|(v0, v)| satterthwaite((v0, control.n), (v, arm.n))),
            control_error: variances.map(|(v0, _)| ControlError { variance: v0, covariance: -v0 }),
        };
        let (Some(base), Some(mean), Some(change)) = (control.mean, arm.mean, change.and_then(finite)) else {
            return contrast;
        };
        contrast.absolute = Some(Estimate { value: change, se });
        // Ratios first, so that neither tiny nor huge units overflow.
        let relative_se = variances.and_then(|(v0, v)| {
            let (own, other) = (v.sqrt() / base, v0.sqrt() / base * (mean / base));
            finite(own.hypot(other))
        });
        contrast.relative = finite(change / base.abs()).map(|value| Estimate { value, se: relative_se });
        contrast
    }

    /// The tested absolute difference at a fixed horizon.
    #[must_use]
    pub fn absolute(&self, level: Level) -> Option<Effect> {
        self.absolute.map(|estimate| estimate.test(self.df, level))
    }

    /// The tested relative difference at a fixed horizon.
    #[must_use]
    pub fn relative(&self, level: Level) -> Option<Effect> {
        self.relative.map(|estimate| estimate.test(self.df, level))
    }

    /// The difference beyond a relative difference of `null`, (Δ - null·|m₀|)/|m₀|, with the standard error that it has where it is 0;
    /// `None` where there is no relative difference.
    #[must_use]
    pub fn beyond(&self, null: f64) -> Option<Estimate> {
        let (base, absolute) = (self.mean_control?, self.absolute?);
        let value = finite(absolute.value / base.abs() - null)?;
        let se = absolute.se.zip(self.control_error).and_then(|(se, error)| {
            let (shift, se) = (null * base.signum(), se / base);
            let (variance, covariance) = (error.variance / base / base, error.covariance / base / base);
            let terms = [se * se, -2.0 * shift * covariance, shift * shift * variance];
            let sum = finite(terms.iter().sum())?;
            // Terms that cancel leave rounding, which may be below 0.
            let rounding = 16.0 * f64::EPSILON * terms.iter().map(|term| term.abs()).sum::<f64>();
            Some(if sum <= rounding { 0.0 } else { sum.sqrt() })
        });
        Some(Estimate { value, se })
    }

    /// Units of both arms.
    #[must_use]
    pub fn n_total(&self) -> u64 {
        self.n + self.n_control
    }
}

impl Estimate {
    /// As many errors from 0 as the normal deviate with its tail of Student's t, for tests that take the error for known; unchanged without
    /// `df` or a positive error.
    #[must_use]
    pub fn as_normal(&self, df: Option<f64>) -> Self {
        match self.se.filter(|se| *se > 0.0).zip(df) {
            Some((se, df)) => Self { value: survival::normal_deviate(self.value / se, df) * se, ..*self },
            None => *self,
        }
    }

    /// The test of no difference by Student's t, or by the normal distribution without `df`.
    #[must_use]
    pub fn test(&self, df: Option<f64>, level: Level) -> Effect {
        self.test_at(0.0, df, level)
    }

    /// The test of a difference of `null`; the interval does not depend on it.
    #[must_use]
    pub fn test_at(&self, null: f64, df: Option<f64>, level: Level) -> Effect {
        let df = df.unwrap_or(f64::INFINITY);
        let Some(se) = self.se.filter(|se| *se > 0.0) else { return self.untested() };
        let t = (self.value - null) / se;
        let (p_value, critical) = match level.alternative {
            Alternative::TwoSided => {
                (survival::student_two_sided(t, df), survival::student_exceeded(level.alpha / 2.0, df))
            }
            Alternative::Greater => (survival::student(t, df), survival::student_exceeded(level.alpha, df)),
            Alternative::Less => (survival::student(-t, df), survival::student_exceeded(level.alpha, df)),
        };
        let ci = Interval::around(self.value, critical * se, level.alternative);
        Effect { ci: defined(ci), p_value: never_zero(p_value), ..self.untested() }
    }

    /// The effect of a standard error that is 0 or not defined.
    pub(crate) fn untested(&self) -> Effect {
        let point = Interval { lo: self.value, hi: self.value };
        let ci = self.se.filter(|se| *se == 0.0).map(|_| point);
        Effect { estimate: self.value, se: self.se, ci, p_value: None }
    }
}

/// A p-value below the smallest normal double is told as that: it is small, but it is not 0.
pub(crate) fn never_zero(p_value: f64) -> Option<f64> {
    (!p_value.is_nan()).then(|| p_value.clamp(f64::MIN_POSITIVE, 1.0))
}

/// The interval unless an end is not a number or both are infinite.
pub(crate) fn defined(interval: Interval) -> Option<Interval> {
    let usable = !interval.lo.is_nan() && !interval.hi.is_nan();
    (usable && (interval.lo.is_finite() || interval.hi.is_finite())).then_some(interval)
}

pub(crate) fn finite(value: f64) -> Option<f64> {
    // Adding zero turns a negative zero into a positive one, so that equal documents read equal.
    value.is_finite().then_some(value + 0.0)
}

fn satterthwaite(control: (f64, u64), arm: (f64, u64)) -> Option<f64> {
    // Shares of the larger variance, so that squares neither overflow nor vanish.
    let larger = control.0.max(arm.0);
    let term = |(variance, n): (f64, u64)| match variance / larger {
        share if share > 0.0 => share * share / (n as f64 - 1.0),
        _ => 0.0,
    };
    let sum = (control.0 + arm.0) / larger;
    finite(sum * sum / (term(control) + term(arm))).filter(|df| *df > 0.0)
}

#[cfg(test)]
mod tests {
    use super::{Alternative, Arm, Contrast, Estimate, Interval, Level};

    const TWO_SIDED: Level = Level { alpha: 0.05, alternative: Alternative::TwoSided };

    fn arm(n: u64, mean: f64, variance: f64) -> Arm {
        Arm { n, mean: Some(mean), variance: Some(variance) }
    }

    #[test]
    fn a_standard_error_of_zero_leaves_the_point_and_no_p_value() {
        let contrast = Contrast::between(arm(5, 2.0, 0.0), arm(5, 3.0, 0.0));
        let effect = contrast.absolute(TWO_SIDED).unwrap();
        assert_eq!((effect.estimate, effect.se), (1.0, Some(0.0)));
        assert_eq!((effect.ci, effect.p_value), (Some(Interval { lo: 1.0, hi: 1.0 }), None));
        assert_eq!(contrast.relative(TWO_SIDED).unwrap().ci, Some(Interval { lo: 0.5, hi: 0.5 }));
        assert_eq!(contrast.df, None);
    }

    #[test]
    fn an_empty_arm_has_no_effect() {
        let empty = Arm { n: 0, mean: None, variance: None };
        let contrast = Contrast::between(empty, arm(5, 3.0, 1.0));
        assert_eq!((contrast.absolute, contrast.relative, contrast.df), (None, None, None));
        assert_eq!((contrast.mean, contrast.mean_control), (Some(3.0), None));
    }

    #[test]
    fn one_unit_has_an_estimate_and_no_interval() {
        let single = Arm { n: 1, mean: Some(2.0), variance: None };
        let effect = Contrast::between(single, arm(5, 3.0, 1.0)).relative(TWO_SIDED).unwrap();
        assert_eq!((effect.estimate, effect.se, effect.ci, effect.p_value), (0.5, None, None, None));
    }

    #[test]
    fn a_control_of_zero_has_no_relative_effect() {
        let contrast = Contrast::between(arm(5, 0.0, 1.0), arm(5, 3.0, 1.0));
        assert!(contrast.relative.is_none() && contrast.absolute.is_some());
    }

    #[test]
    fn a_negative_control_keeps_the_sign_of_the_difference() {
        let contrast = Contrast::between(arm(5, -2.0, 1.0), arm(5, -1.0, 1.0));
        assert_eq!(contrast.relative.unwrap().value, 0.5);
    }

    // 10 % is held against: m - 1.1 m₀ has the variance v + 1.21 v₀; below 0 ten per cent up is m - 0.9 m₀.
    #[test]
    fn beyond_a_margin_the_control_counts_as_often_as_the_margin_says() {
        let contrast = Contrast::between(arm(50, 2.0, 0.04), arm(50, 2.5, 0.09));
        let beyond = contrast.beyond(0.1).unwrap();
        assert!((beyond.value - 0.15).abs() < 1e-15, "{beyond:?}");
        assert!((beyond.se.unwrap() - (0.09_f64 + 1.21 * 0.04).sqrt() / 2.0).abs() < 1e-15, "{beyond:?}");
        let negative = Contrast::between(arm(50, -2.0, 0.04), arm(50, -2.5, 0.09)).beyond(0.1).unwrap();
        assert!((negative.value + 0.35).abs() < 1e-15, "{negative:?}");
        assert!((negative.se.unwrap() - (0.09_f64 + 0.81 * 0.04).sqrt() / 2.0).abs() < 1e-15, "{negative:?}");
        let none = contrast.beyond(0.0).unwrap();
        assert_eq!(none.value, contrast.relative.unwrap().value);
        assert!((none.se.unwrap() - contrast.absolute.unwrap().se.unwrap() / 2.0).abs() < 1e-15);
    }

    #[test]
    fn beyond_a_margin_nothing_is_known_that_the_difference_does_not_tell() {
        let sure = Contrast::between(arm(5, 2.0, 0.0), arm(5, 3.0, 0.0));
        assert_eq!(sure.beyond(0.1).unwrap().se, Some(0.0));
        // An arm that is surely 0, against a loss of everything.
        let lost = Contrast::between(arm(5, 2.0, 1.0), arm(5, 0.0, 0.0));
        assert_eq!(lost.beyond(-1.0).unwrap(), Estimate { value: 0.0, se: Some(0.0) });
        assert_eq!(Contrast::between(arm(5, 0.0, 1.0), arm(5, 3.0, 1.0)).beyond(0.1), None);
        let single = Arm { n: 1, mean: Some(2.0), variance: None };
        assert_eq!(Contrast::between(single, arm(5, 3.0, 1.0)).beyond(0.1).unwrap().se, None);
    }

    // growthbook#1320: 2(1 - cdf) is 0 from t = 8.3 on.
    #[test]
    fn a_huge_effect_keeps_a_p_value_above_zero() {
        let p = |t: f64| {
            let estimate = Estimate { value: t, se: Some(1.0) };
            estimate.test(Some(1e7), TWO_SIDED).p_value.unwrap()
        };
        assert!(p(12.0) < 1e-30 && p(12.0) > 1e-33);
        assert!(p(1e6) > 0.0);
    }

    #[test]
    fn one_sided_tests_share_the_two_sided_one() {
        let estimate = Estimate { value: 1.3, se: Some(0.7) };
        let test = |alternative| estimate.test(Some(9.0), Level { alpha: 0.05, alternative });
        let (both, greater, less) =
            (test(Alternative::TwoSided), test(Alternative::Greater), test(Alternative::Less));
        assert!((2.0 * greater.p_value.unwrap() - both.p_value.unwrap()).abs() < 1e-15);
        assert!((greater.p_value.unwrap() + less.p_value.unwrap() - 1.0).abs() < 1e-15);
        let greater = greater.ci.unwrap();
        assert_eq!(greater.hi, f64::INFINITY);
        let wide = estimate.test(Some(9.0), Level { alpha: 0.1, alternative: Alternative::TwoSided });
        assert_eq!(greater.lo, wide.ci.unwrap().lo);
    }
}
