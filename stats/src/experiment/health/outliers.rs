//! Outlier influence: how much of an effect the few largest units carry.
//!
//! Question: would the answer be the same without the most extreme units of either arm?
//! Input: [`Sums`] of both arms, and the values of the units farthest from the mean, most extreme first, from each arm.
//! Formula: the sums without those units, by Chan's formula backwards; the effect of the rest; carried = 1 - rest/all. The
//! jackknife influence of one unit is (x - x̄)/(n - 1), told in standard errors of the effect. Units decide where the effect over its
//! standard error moves by half or more and past the level: one that lies at the level crosses it for any unit less. And one unit is farther
//! from the others of its arm than the farthest of as many normal values in ninety-nine of a hundred arms: of ten units any one moves the
//! effect by as much. That is n times the two-sided tail of Student's t with n - 2 degrees of freedom at (x - x̄)/(s√(1 + 1/(n-1))), mean and
//! deviation those of the others.
//! Valid when: the values belong to the sums. The rest is no estimate of its own: cutting what is extreme biases it; cap instead.
//! Degenerate: an arm that would be left with fewer than two units is undecided.
//! Reference: Efron, Tibshirani 1993, chapter 11 (jackknife); Cook, Weisberg 1982, section 3.4 (deletion);
//! Grubbs 1969, doi:10.1080/00401706.1969.10490657 (the farthest value).
//! Oracle: NumPy 2 on the values without the extreme ones; SciPy 1.17 `t.sf`.
//! Cost: one pass over the extreme units.

use crate::{
    experiment::{
        effect::{Effect, Level},
        mean::welch,
        sums::Sums,
    },
    survival,
};

/// How far an effect over its standard error has to move before units are said to decide.
const MOVED_MIN: f64 = 0.5;

/// How seldom the farthest of normal values is as far from the others as a unit that is said to decide.
const FARTHEST_BELOW: f64 = 0.01;

/// What the largest units do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Influence {
    /// The answer is the same without them.
    Small,
    /// Without them the effect is significant where it was not, or is not where it was.
    Decides,
    /// Without them the effect is significant the other way.
    Reverses,
    /// Too few units to say.
    Undecided,
}

/// The check's numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Outliers {
    /// The absolute effect of all units.
    pub all: Option<Effect>,
    /// The absolute effect without the extreme ones.
    pub rest: Option<Effect>,
    /// The share of the effect that they carry: 1 is all of it, above 1 the rest points the other way; `None` without an effect.
    pub carried: Option<f64>,
    /// How far leaving out the single most influential unit moves the effect, in standard errors.
    pub largest_influence: Option<f64>,
    /// What follows.
    pub influence: Influence,
}

/// One arm with its extreme units.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ArmExtremes<'a> {
    /// All units.
    pub sums: &'a Sums,
    /// The values of the extreme ones among them.
    pub extremes: &'a [f64],
}

/// The check at the level of the experiment.
#[must_use]
pub fn outliers(control: ArmExtremes, arm: ArmExtremes, level: Level) -> Outliers {
    let all = welch(control.sums, arm.sums).absolute(level);
    let se = all.and_then(|effect| effect.se).filter(|se| *se > 0.0);
    let largest_influence = se.and_then(|se| {
        let single = [control, arm].iter().filter_map(influence).fold(None, largest)?;
        Some(single / se).filter(|influence| influence.is_finite())
    });
    let rests = [control, arm].map(without);
    let rest = match &rests {
        [Some(control), Some(arm)] => welch(control, arm).absolute(level),
        _ => None,
    };
    let far =
        [control, arm].iter().zip(&rests).any(|(arm, rest)| rest.is_some_and(|rest| is_far(arm, &rest)));
    let carried = all.zip(rest).and_then(|(all, rest)| {
        Some(1.0 - rest.estimate / all.estimate).filter(|carried| carried.is_finite())
    });
    let significant = |effect: Effect| Some((effect.p_value? < level.alpha, effect.estimate > 0.0));
    let influence = match (all.and_then(significant), rest.and_then(significant)) {
        (Some((true, up)), Some((true, still_up))) if up != still_up => Influence::Reverses,
        (Some((before, _)), Some((after, _))) if before != after && far && moved(all, rest) => {
            Influence::Decides
        }
        (Some(_), Some(_)) => Influence::Small,
        _ => Influence::Undecided,
    };
    Outliers { all, rest, carried, largest_influence, influence }
}

fn moved(all: Option<Effect>, rest: Option<Effect>) -> bool {
    let errors = |effect: Option<Effect>| effect.and_then(|effect| Some(effect.estimate / effect.se?));
    errors(all).zip(errors(rest)).is_some_and(|(all, rest)| (all - rest).abs() >= MOVED_MIN)
}

fn largest(so_far: Option<f64>, next: f64) -> Option<f64> {
    Some(so_far.map_or(next, |so_far| so_far.max(next)))
}

/// Whether the most extreme unit is farther from the others than chance puts one of so many.
fn is_far(arm: &ArmExtremes, rest: &Sums) -> bool {
    let (Some(value), Some(mean), Some(variance)) = (arm.extremes.first(), rest.mean(0), rest.variance())
    else {
        return false;
    };
    let (gap, others) = (value - mean, rest.n() as f64);
    if variance <= 0.0 {
        return gap != 0.0;
    }
    let t = gap / (variance * (1.0 + 1.0 / others)).sqrt();
    (others + 1.0) * survival::student_two_sided(t.abs(), others - 1.0) < FARTHEST_BELOW
}

/// How far the arm's mean moves without its most extreme unit.
fn influence(arm: &ArmExtremes) -> Option<f64> {
    let mean = arm.sums.mean(0)?;
    let others = arm.sums.n().checked_sub(1).filter(|others| *others > 0)? as f64;
    arm.extremes.iter().map(|value| (value - mean).abs() / others).fold(None, largest)
}

/// The sums of the other units; `None` below two of them or where the extremes cannot be among the units.
fn without(arm: ArmExtremes) -> Option<Sums> {
    let mut top = Sums::default();
    for value in arm.extremes {
        if !value.is_finite() {
            return None;
        }
        top.push([*value]);
    }
    if top.n() == 0 {
        return Some(*arm.sums);
    }
    let left = arm.sums.n().checked_sub(top.n()).filter(|left| *left >= 2)? as f64;
    let (n, k) = (arm.sums.n() as f64, top.n() as f64);
    let mean = arm.sums.mean(0)?;
    // Everything relative to the mean, so that a large offset costs no digits.
    let gap = arm.sums.change_to(&top, 0);
    let rest = -k * gap / left;
    let inside = top.variance().map_or(0.0, |variance| variance * (k - 1.0));
    let squares = arm.sums.variance()? * (n - 1.0) - inside - k * gap * gap - left * rest * rest;
    Sums::of_shifted(arm.sums.n() - top.n(), [mean + rest], [0.0], [[squares.max(0.0)]]).ok()
}

#[cfg(test)]
mod tests {
    use super::{ArmExtremes, Influence, outliers};
    use crate::experiment::{
        effect::{Alternative, Effect, Level},
        mean::welch,
        sums::Sums,
    };

    const LEVEL: Level = Level { alpha: 0.05, alternative: Alternative::TwoSided };

    fn sums(values: &[f64]) -> Sums {
        let mut sums = Sums::default();
        values.iter().for_each(|value| sums.push([*value]));
        sums
    }

    fn ramp(count: u32, extreme: &[f64]) -> Vec<f64> {
        (0..count).map(|i| f64::from(i % 7)).chain(extreme.iter().copied()).collect()
    }

    // The sums without the extremes are those of the other values, also far from 0.
    #[test]
    fn taking_units_out_is_not_having_put_them_in() {
        for offset in [0.0, 1e9] {
            let shifted = |values: &[f64]| values.iter().map(|x| x + offset).collect::<Vec<f64>>();
            let (control, extremes) = (shifted(&ramp(70, &[40.0, -30.0])), shifted(&[40.0, -30.0]));
            let (rest, arm) = (shifted(&ramp(70, &[])), shifted(&ramp(60, &[])));
            let found = outliers(
                ArmExtremes { sums: &sums(&control), extremes: &extremes },
                ArmExtremes { sums: &sums(&arm), extremes: &[] },
                LEVEL,
            );
            let expected = welch(&sums(&rest), &sums(&arm)).absolute(LEVEL).unwrap();
            let actual = found.rest.unwrap();
            assert!((actual.estimate - expected.estimate).abs() < 1e-6, "{offset}: {actual:?} {expected:?}");
            assert!((actual.se.unwrap() / expected.se.unwrap() - 1.0).abs() < 1e-6, "{offset}");
        }
    }

    #[test]
    fn one_unit_can_carry_the_effect() {
        let (control, arm) = (sums(&ramp(700, &[])), sums(&ramp(700, &[4_000.0])));
        let found = outliers(
            ArmExtremes { sums: &control, extremes: &[6.0] },
            ArmExtremes { sums: &arm, extremes: &[4_000.0] },
            LEVEL,
        );
        assert!((found.carried.unwrap() - 1.0).abs() < 0.01, "{found:?}");
        assert!((found.largest_influence.unwrap() - 1.0).abs() < 0.01, "{found:?}");
        assert_eq!(found.influence, Influence::Small);
    }

    #[test]
    fn units_that_hide_an_effect_decide() {
        let up: Vec<f64> = ramp(700, &[]).iter().map(|x| x + 1.0).collect();
        let arm: Vec<f64> = up.iter().copied().chain([-5_000.0]).collect();
        let found = outliers(
            ArmExtremes { sums: &sums(&ramp(700, &[])), extremes: &[] },
            ArmExtremes { sums: &sums(&arm), extremes: &[-5_000.0] },
            LEVEL,
        );
        assert_eq!(found.influence, Influence::Decides);
        assert!(found.carried.unwrap() > 1.0, "{found:?}");
    }

    // Means of 1,000 units with a variance of 1: 0.085 is 1.90 errors, p 0.0575 by SciPy's t.sf; without a unit 3.3 from the mean in each arm
    // 2.06 of them, p 0.0398.
    #[test]
    fn an_effect_at_the_level_hangs_on_no_unit() {
        let of = |mean: f64| Sums::of(1000, 1000.0 * mean, 1000.0 * mean * mean + 999.0).unwrap();
        let found = outliers(
            ArmExtremes { sums: &of(10.0), extremes: &[13.3] },
            ArmExtremes { sums: &of(10.085), extremes: &[6.785] },
            LEVEL,
        );
        let p = |effect: Option<Effect>| effect.unwrap().p_value.unwrap();
        assert!(p(found.all) > 0.05 && p(found.rest) < 0.05, "{found:?}");
        assert_eq!(found.influence, Influence::Small);
    }

    /// Ten units of each arm, whose farthest ones are left out.
    fn of_ten(control: [f64; 10], arm: [f64; 10]) -> Influence {
        let farthest = |values: &[f64; 10]| {
            let mean = values.iter().sum::<f64>() / 10.0;
            let far = |value: &&f64| (**value - mean).abs();
            *values.iter().max_by(|a, b| far(a).total_cmp(&far(b))).unwrap()
        };
        let (of_control, of_arm) = ([farthest(&control)], [farthest(&arm)]);
        outliers(
            ArmExtremes { sums: &sums(&control), extremes: &of_control },
            ArmExtremes { sums: &sums(&arm), extremes: &of_arm },
            LEVEL,
        )
        .influence
    }

    // SciPy's ttest_ind(equal_var=False) has p 0.0564 of all units and 0.0016 without both farthest, 1.75 errors on. Ten times twice its t.sf
    // of these is 0.38 and 0.14, as of many normal values. With -9 in place of -1.4 the p-values are 0.82 and 0.0016, and it is 1.7e-5.
    #[test]
    fn a_unit_that_is_no_farther_than_one_of_ten_is_decides_nothing() {
        let control = [0.2, 1.1, 0.6, -0.9, -1.1, 0.1, -0.7, -0.6, -1.7, 2.0];
        let arm = |farthest| [1.9, 0.0, 1.9, 2.3, farthest, 0.5, 0.6, 1.6, 0.9, 0.8];
        assert_eq!(of_ten(control, arm(-1.4)), Influence::Small);
        assert_eq!(of_ten(control, arm(-9.0)), Influence::Decides);
    }

    #[test]
    fn too_few_units_are_undecided() {
        let (few, many) = (sums(&[1.0, 2.0, 9.0]), sums(&ramp(70, &[])));
        let found = outliers(
            ArmExtremes { sums: &few, extremes: &[9.0, 2.0] },
            ArmExtremes { sums: &many, extremes: &[] },
            LEVEL,
        );
        assert_eq!((found.influence, found.rest), (Influence::Undecided, None));
        let none = outliers(
            ArmExtremes { sums: &sums(&[]), extremes: &[] },
            ArmExtremes { sums: &many, extremes: &[] },
            LEVEL,
        );
        assert_eq!((none.influence, none.all, none.largest_influence), (Influence::Undecided, None, None));
    }
}
