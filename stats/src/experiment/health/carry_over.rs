//! Carry-over: whether an earlier experiment still shows in the units of this one.
//!
//! Question: did the arms differ in this metric before the experiment began?
//! Input: the contrast of the same estimator over a span before the start, by the arms of this experiment; or, where every unit
//! saw both versions in one order or the other, [`Sums`](crate::experiment::sums::Sums) of each unit's total over both periods, by order.
//! Formula: the test of no difference by the contrast's error: of units that were dealt out at random that of both arms together
//! ([`mean::alike`](crate::experiment::mean::alike), [`ratio::alike`](crate::experiment::ratio::alike)). In the second design the totals of
//! both orders differ exactly where what came first changes what comes after.
//! Valid when: as for the estimator; the span before must be long enough to show it.
//! Degenerate: without a standard error undecided.
//! Reference: Kohavi, Tang, Xu 2020, doi:10.1017/9781108653985, chapter 23; Grizzle 1965, doi:10.2307/2528104 (two periods).
//! Oracle: as of the estimator.
//! Cost: constant.

use crate::experiment::effect::{Contrast, Effect, Level};

/// What the span before says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Before {
    /// No difference that chance would not make.
    Clean,
    /// The arms differed already.
    CarriedOver,
    /// Too few units to say.
    Undecided,
}

/// The check's numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CarryOver {
    /// The absolute difference before; `None` without one.
    pub difference: Option<Effect>,
    /// The difference in standard errors; compare it with that of the experiment itself.
    pub z: Option<f64>,
    /// What follows.
    pub before: Before,
}

/// The check at a level such as [`super::ALPHA`].
#[must_use]
pub fn carry_over(before: &Contrast, alpha: f64) -> CarryOver {
    let difference = before.absolute(Level::two_sided(alpha));
    let z = difference.and_then(|effect| Some(effect.estimate / effect.se?)).filter(|z| z.is_finite());
    let before = match difference.and_then(|effect| effect.p_value) {
        None => Before::Undecided,
        Some(p) if p < alpha => Before::CarriedOver,
        Some(_) => Before::Clean,
    };
    CarryOver { difference, z, before }
}

#[cfg(test)]
mod tests {
    use super::{Before, carry_over};
    use crate::experiment::{mean::welch, sums::Sums};

    fn sums(values: impl IntoIterator<Item = f64>) -> Sums {
        let mut sums = Sums::default();
        values.into_iter().for_each(|value| sums.push([value]));
        sums
    }

    #[test]
    fn a_difference_before_the_start_is_told() {
        let of = |shift: f64| sums((0..500).map(|i| f64::from(i % 10) + shift));
        assert_eq!(carry_over(&welch(&of(0.0), &of(0.0)), 0.001).before, Before::Clean);
        let found = carry_over(&welch(&of(0.0), &of(1.0)), 0.001);
        assert_eq!(found.before, Before::CarriedOver);
        assert!(found.z.unwrap() > 5.0);
    }

    #[test]
    fn without_units_nothing_is_said() {
        let found = carry_over(&welch(&sums([]), &sums([1.0, 2.0])), 0.001);
        assert_eq!((found.before, found.z, found.difference), (Before::Undecided, None, None));
        let constant = carry_over(&welch(&sums([1.0, 1.0]), &sums([2.0, 2.0])), 0.001);
        assert_eq!((constant.before, constant.z), (Before::Undecided, None));
    }
}
