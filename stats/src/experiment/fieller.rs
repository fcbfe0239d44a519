//! Fieller: the interval of a relative effect that stays honest where the control's mean is near 0.
//!
//! Question: which relative differences are compatible with both means, when the one below the line is uncertain too?
//! Input: both arms' means with the variances of those means; the error and the degrees of freedom.
//! Formula: all ρ with (m - ρm₀)² ≤ c²(v + ρ²v₀), c Student's critical value; (m - m₀)/|m₀| is ρ - 1, or 1 - ρ below 0. The set is an
//! interval where m₀² > c²v₀, else everything outside of one, or all numbers.
//! Valid when: both means are about normal. The delta method's interval is its limit when m₀ is many standard errors from 0.
//! Degenerate: a missing mean or variance leaves no set.
//! Reference: Fieller 1954, doi:10.1111/j.2517-6161.1954.tb00159.x; Franz 2007, arXiv:0710.2024 (the three cases).
//! Oracle: the roots of the quadratic in mpmath 1.4.
//! Cost: constant.

use super::effect::{Arm, Interval};
use crate::survival;

/// The relative differences that are not refused.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum FiellerSet {
    /// An interval, as usual.
    Bounded(Interval),
    /// Everything up to the first number and everything from the second on: the control may have either sign, but no
    /// difference between the two fits. An infinite end means that this side is empty.
    Outside {
        /// The end of the lower part.
        up_to: f64,
        /// The start of the upper part.
        from: f64,
    },
    /// Every number: the data say nothing of the relative difference.
    Everything,
}

impl FiellerSet {
    /// Whether a relative difference is in it.
    #[must_use]
    pub fn contains(&self, value: f64) -> bool {
        match self {
            Self::Bounded(interval) => interval.contains(value),
            Self::Outside { up_to, from } => value <= *up_to || value >= *from,
            Self::Everything => true,
        }
    }

    /// The interval, where it is one.
    #[must_use]
    pub fn bounded(&self) -> Option<Interval> {
        if let Self::Bounded(interval) = self { Some(*interval) } else { None }
    }
}

/// The relative difference of the arm to the control at the two-sided error `alpha`; without `df` the normal critical value. `None`
/// without means or variances, with a control of 0, or for an error outside of (0, 1).
#[must_use]
pub fn fieller(control: Arm, arm: Arm, (alpha, df): (f64, Option<f64>)) -> Option<FiellerSet> {
    let (base, mean) = (control.mean?, arm.mean?);
    let (v_control, v_arm) = (control.variance?, arm.variance?);
    if base == 0.0 || !(alpha > 0.0 && alpha < 1.0) {
        return None;
    }
    let critical = survival::student_exceeded(alpha / 2.0, df.unwrap_or(f64::INFINITY));
    // In units of the control's mean, so that neither tiny nor huge metrics overflow: ρ²·a - 2ρ·b + c ≤ 0.
    let squared = critical * critical;
    let ratio = mean / base;
    let a = 1.0 - squared * (v_control / base / base);
    let c = ratio * ratio - squared * (v_arm / base / base);
    let root = ratio * ratio - a * c;
    if ![a, c, root].iter().all(|x| x.is_finite()) {
        return None;
    }
    Some(turned(solution(a, ratio, c), base))
}

/// The ρ with aρ² - 2bρ + c ≤ 0.
fn solution(a: f64, b: f64, c: f64) -> FiellerSet {
    let discriminant = b * b - a * c;
    if a == 0.0 {
        return match b {
            b if b > 0.0 => FiellerSet::Outside { up_to: f64::NEG_INFINITY, from: c / (2.0 * b) },
            b if b < 0.0 => FiellerSet::Outside { up_to: c / (2.0 * b), from: f64::INFINITY },
            _ => FiellerSet::Everything,
        };
    }
    if discriminant <= 0.0 && a < 0.0 {
        return FiellerSet::Everything;
    }
    // The root without cancellation first.
    let large = b + discriminant.max(0.0).sqrt() * if b >= 0.0 { 1.0 } else { -1.0 };
    let (one, other) = if large == 0.0 { (0.0, 0.0) } else { (large / a, c / large) };
    let (low, high) = (one.min(other), one.max(other));
    if a > 0.0 {
        FiellerSet::Bounded(Interval { lo: low, hi: high })
    } else {
        FiellerSet::Outside { up_to: low, from: high }
    }
}

/// From ratios to differences over the control's absolute value.
fn turned(set: FiellerSet, base: f64) -> FiellerSet {
    let positive = base > 0.0;
    let of = |low: f64, high: f64| if positive { (low - 1.0, high - 1.0) } else { (1.0 - high, 1.0 - low) };
    match set {
        FiellerSet::Bounded(interval) => {
            let (lo, hi) = of(interval.lo, interval.hi);
            FiellerSet::Bounded(Interval { lo, hi })
        }
        FiellerSet::Outside { up_to, from } => {
            let (up_to, from) = of(up_to, from);
            FiellerSet::Outside { up_to, from }
        }
        FiellerSet::Everything => FiellerSet::Everything,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{FiellerSet, fieller};
    use crate::experiment::effect::{Arm, Contrast, Level};

    fn arm(mean: f64, variance: f64) -> Arm {
        Arm { n: 100, mean: Some(mean), variance: Some(variance) }
    }

    // Oracle: mpmath `polyroots([10**2 - c**2, -2*10*12, 12**2 - 4*c**2])` minus 1, c = norm.isf(.025).
    #[test]
    fn a_control_far_from_zero_has_an_interval() {
        let set = fieller(arm(10.0, 1.0), arm(12.0, 4.0), (0.05, None)).unwrap();
        let interval = set.bounded().unwrap();
        assert!(
            (interval.lo - -0.22069929919703146).abs() < 1e-12
                && (interval.hi - 0.7165774297988091).abs() < 1e-12,
            "{set:?}"
        );
    }

    #[test]
    fn a_control_near_zero_has_two_parts_or_says_nothing() {
        let set = fieller(arm(1.0, 1.0), arm(12.0, 1.0), (0.05, None)).unwrap();
        assert!(matches!(set, FiellerSet::Outside { .. }), "{set:?}");
        assert!(set.contains(11.0) && !set.contains(0.0) && set.bounded().is_none());
        let set = fieller(arm(1.0, 1.0), arm(1.0, 1.0), (0.05, None)).unwrap();
        assert_eq!(set, FiellerSet::Everything);
        assert!(set.contains(1e9));
    }

    #[test]
    fn a_negative_control_keeps_the_sign_of_the_difference() {
        let up = fieller(arm(10.0, 1.0), arm(12.0, 1.0), (0.05, None)).unwrap().bounded().unwrap();
        let down = fieller(arm(-10.0, 1.0), arm(-12.0, 1.0), (0.05, None)).unwrap().bounded().unwrap();
        assert!((up.lo + down.hi).abs() < 1e-14 && (up.hi + down.lo).abs() < 1e-14, "{up:?} {down:?}");
    }

    #[test]
    fn what_is_missing_leaves_no_set() {
        let none = Arm { n: 1, mean: Some(1.0), variance: None };
        assert_eq!(fieller(none, arm(1.0, 1.0), (0.05, None)), None);
        assert_eq!(fieller(arm(0.0, 1.0), arm(1.0, 1.0), (0.05, None)), None);
        assert_eq!(fieller(arm(1.0, 1.0), arm(1.0, 1.0), (0.0, None)), None);
    }

    #[test]
    fn no_variance_is_a_point() {
        let set = fieller(arm(4.0, 0.0), arm(5.0, 0.0), (0.05, None)).unwrap();
        assert_eq!(set.bounded().map(|interval| (interval.lo, interval.hi)), Some((0.25, 0.25)));
    }

    proptest! {
        // The estimate is always in the set, and far from 0 the set is the delta method's interval.
        #[test]
        fn the_set_holds_the_estimate(base in -5.0_f64..5.0, mean in -5.0_f64..5.0, v in 0.0_f64..2.0, v0 in 0.0_f64..2.0) {
            prop_assume!(base.abs() > 1e-3);
            let set = fieller(arm(base, v0), arm(mean, v), (0.05, Some(30.0))).unwrap();
            let estimate = (mean - base) / base.abs();
            let slack = 1e-9 * (1.0 + estimate.abs());
            prop_assert!([estimate, estimate - slack, estimate + slack].iter().any(|x| set.contains(*x)), "{set:?}");
        }

        #[test]
        fn far_from_zero_it_is_the_delta_method(base in 50.0_f64..500.0, change in -0.2_f64..0.2) {
            let (control, arm) = (arm(base, 1e-4), arm(base * (1.0 + change), 2e-4));
            let set = fieller(control, arm, (0.05, None)).unwrap().bounded().unwrap();
            let contrast = Contrast { df: None, ..Contrast::between(control, arm) };
            let delta = contrast.relative(Level::two_sided(0.05)).unwrap().ci.unwrap();
            prop_assert!((set.lo - delta.lo).abs() < 1e-3 * (delta.hi - delta.lo));
            prop_assert!((set.hi - delta.hi).abs() < 1e-3 * (delta.hi - delta.lo));
        }
    }
}
