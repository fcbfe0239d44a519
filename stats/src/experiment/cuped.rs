//! CUPED: the part of a difference that a covariate from before the experiment explains is taken out.
//!
//! Question: how large is the difference among units that were alike before?
//! Input: [`PairSums`] of value and covariate, or [`RatioSums`] of numerator, denominator and the same two before the
//! experiment. The covariate must not depend on the arm: it is measured before the unit saw it.
//! Formula: Ȳ - θX̄ with variance (v_Y + θ²v_X - 2θc)/n. θ = c/v_X over the units of both arms together, as one sample. The
//! relative effect divides by the control's *unadjusted* mean m₀: its gradient is (1/m₀, -θ/m₀) in the arm's (Ȳ, X̄) and
//! (-m/m₀², θ/m₀) in the control's, at the unadjusted means m and m₀, since the expected covariates are the same. A ratio is
//! adjusted through its linear form (M - R·D)/μ_D, with θ over the units of both arms as one sample as well, about ratios of both: about those
//! of each arm it would fit the noise of few units, and of arms that are alike 13 of 100 would differ with three units each.
//! A share over many looks and against margins has the error of shares p₁ = (1 + t)·p₀ of the largest likelihood, as [`proportion::beyond`] says:
//! of their spreads v the covariate tells as much as of the spread V of all units together, ρ² of it, so that an arm's is
//! f²v - 2fρ²√(vV) + ρ²V, with f of 1 for the arm and 1 + t for the control.
//! Valid when: as for the estimator without covariate; θ costs nothing worth counting from some hundred units on.
//! Degenerate: a covariate without variance, or a ratio that was not defined before in one of the arms, leaves θ = 0 and the
//! estimate unadjusted. Where the covariate explains every value (it is the metric itself), the difference d is the same in every sample
//! and only the mean that it is divided by varies: the relative effect d/m₀ has the variance (d/m₀²)²·v_Y/n of the control. It is 0
//! with d. The gradient above would take the unadjusted m - m₀, which equals d in expectation only, for d.
//! Reference: Deng, Xu, Kohavi, Walker 2013, doi:10.1145/2433396.2433413, eq. 4; ratios: Deng, Knoblich, Lu 2018,
//! doi:10.1145/3219819.3219919.
//! Oracle: GrowthBook gbstats `RegressionAdjustedStatistic`; for ratios mpmath.
//! Cost: constant.

use super::{
    effect::{Arm, Contrast, ControlError, Estimate, finite},
    proportion, ratio,
    sums::{PairSums, RatioSums},
};

/// By which variance a value counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Law {
    /// Any number: deviations over n - 1.
    #[default]
    Mean,
    /// 0 or 1: p(1-p).
    Proportion,
}

/// Value and covariate, and by which variances they count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Laws {
    /// Of the value.
    pub value: Law,
    /// Of the covariate. With two proportions the covariance too is over n.
    pub covariate: Law,
}

/// An adjusted contrast and what the adjustment did.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Adjusted {
    /// The adjusted differences. `mean` and `mean_control` are the unadjusted ones, by which the relative effect divides.
    pub contrast: Contrast,
    /// How much of the covariate is subtracted.
    pub theta: f64,
    /// The share of the variance of the absolute difference that is gone; `None` where there was none.
    pub variance_reduction: Option<f64>,
}

/// A mean or a proportion with a covariate.
#[must_use]
pub fn adjusted(control: &PairSums, arm: &PairSums, laws: Laws) -> Adjusted {
    let mut joint = *control;
    joint.merge(arm);
    let theta = Spread::of(&joint, laws).map_or(0.0, |spread| spread.theta());
    let side = |sums: &PairSums| {
        let spread = Spread::of(sums, laws)?;
        Some(Side { n: sums.n() as f64, base: sums.mean(0)?, spread })
    };
    let change = (control.n() > 0 && arm.n() > 0)
        .then(|| control.change_to(arm, 0) - theta * control.change_to(arm, 1));
    let ends = |sums: &PairSums| (sums.n(), sums.mean(0));
    assemble(ends(control), ends(arm), Adjustment { theta, change, sides: side(control).zip(side(arm)) })
}

/// The arm's proportion beyond 1 + `null` times the control's, adjusted, with the error that it has if that is 0; `None` as for
/// [`proportion::beyond`], and below two units.
#[must_use]
pub fn shares_beyond(control: &PairSums, arm: &PairSums, laws: Laws, null: f64) -> Option<Estimate> {
    let mut joint = *control;
    joint.merge(arm);
    let spread = Spread::of(&joint, laws)?;
    let theta = spread.theta();
    let counts = |sums: &PairSums| Some([sums.n() as f64, sums.mean(0)? * sums.n() as f64]);
    let [base, share] = proportion::likeliest(counts(control)?, counts(arm)?, null)?;
    let told = ratio_or_zero(theta * spread.covariance, spread.value).min(1.0);
    let error = |share: f64, factor: f64| {
        let own = share * (1.0 - share);
        factor * factor * own - 2.0 * factor * told * (own * spread.value).sqrt() + told * spread.value
    };
    let change = control.change_to(arm, 0) - theta * control.change_to(arm, 1);
    let variance = error(share, 1.0) / arm.n() as f64 + error(base, 1.0 + null) / control.n() as f64;
    Some(Estimate { value: change - null * control.mean(0)?, se: finite(variance.max(0.0).sqrt()) })
}

/// A ratio whose numerator and denominator are known from before the experiment too.
#[must_use]
pub fn adjusted_ratio(control: &RatioSums, arm: &RatioSums) -> Adjusted {
    let after = |sums: &RatioSums| ratio::of(&sums.select([0, 1]));
    let before = |sums: &RatioSums| ratio::of(&sums.select([2, 3]));
    if before(control).mean.is_none() || before(arm).mean.is_none() {
        let contrast = ratio::ratios(&control.select([0, 1]), &arm.select([0, 1]));
        let variance = contrast.absolute.and_then(|absolute| absolute.se).filter(|se| *se > 0.0);
        return Adjusted { contrast, theta: 0.0, variance_reduction: variance.map(|_| 0.0) };
    }
    let sides = side_of_ratio(control).zip(side_of_ratio(arm));
    let mut joint = *control;
    joint.merge(arm);
    let theta = sides.and(side_of_ratio(&joint)).map_or(0.0, |both| both.spread.theta());
    let change_of = |of: &dyn Fn(&RatioSums) -> Arm| Some(of(arm).mean? - of(control).mean?);
    let change = change_of(&after).map(|raw| raw - theta * change_of(&before).unwrap_or(0.0));
    let ends = |sums: &RatioSums| (sums.n(), after(sums).mean);
    assemble(ends(control), ends(arm), Adjustment { theta, change, sides })
}

/// Variances of one unit of an arm.
#[derive(Debug, Clone, Copy)]
struct Spread {
    value: f64,
    covariate: f64,
    covariance: f64,
}

#[derive(Debug, Clone, Copy)]
struct Side {
    n: f64,
    /// The unadjusted estimate.
    base: f64,
    spread: Spread,
}

struct Adjustment {
    theta: f64,
    change: Option<f64>,
    /// Control and arm.
    sides: Option<(Side, Side)>,
}

impl Spread {
    fn of(sums: &PairSums, laws: Laws) -> Option<Self> {
        let law = |law: Law, variable: usize| match law {
            Law::Mean => sums.covariance(variable, variable),
            Law::Proportion => {
                sums.covariance(0, 0).and(sums.mean(variable)).map(|p| (p * (1.0 - p)).max(0.0))
            }
        };
        let scale = match laws {
            Laws { value: Law::Proportion, covariate: Law::Proportion } => 1.0 - 1.0 / sums.n() as f64,
            _ => 1.0,
        };
        Some(Self {
            value: law(laws.value, 0)?,
            covariate: law(laws.covariate, 1)?,
            covariance: sums.covariance(0, 1)? * scale,
        })
    }

    fn theta(&self) -> f64 {
        if self.value > 0.0 { ratio_or_zero(self.covariance, self.covariate) } else { 0.0 }
    }

    /// The variance of `a`·value + `b`·covariate.
    fn combined(&self, a: f64, b: f64) -> f64 {
        let (value, covariate) = (a * a * self.value, b * b * self.covariate);
        let sum = value + covariate + 2.0 * a * b * self.covariance;
        // Terms that cancel leave rounding, which may be below 0.
        let scale = value + covariate;
        if scale.is_finite() && sum <= 16.0 * f64::EPSILON * scale { 0.0 } else { sum }
    }
}

fn side_of_ratio(sums: &RatioSums) -> Option<Side> {
    let gradient = |numerator: usize| {
        let (m, d) = (sums.mean(numerator)?, sums.mean(numerator + 1)?);
        finite(m / d).map(|ratio| (ratio, [1.0 / d, -ratio / d]))
    };
    let (base, after) = gradient(0)?;
    let (_, before) = gradient(2)?;
    let form = |left: (usize, [f64; 2]), right: (usize, [f64; 2])| {
        let mut sum = 0.0;
        for (i, weight) in left.1.into_iter().enumerate() {
            for (j, other) in right.1.into_iter().enumerate() {
                sum += weight * other * sums.covariance(left.0 + i, right.0 + j)?;
            }
        }
        finite(sum)
    };
    let spread = Spread {
        value: form((0, after), (0, after))?.max(0.0),
        covariate: form((2, before), (2, before))?.max(0.0),
        covariance: form((0, after), (2, before))?,
    };
    Some(Side { n: sums.n() as f64, base, spread })
}

fn assemble(control: (u64, Option<f64>), arm: (u64, Option<f64>), found: Adjustment) -> Adjusted {
    let theta = found.theta;
    let variance = |side: &Side| side.spread.combined(1.0, -theta) / side.n;
    let of =
        |(n, mean): (u64, Option<f64>), side: Option<&Side>| Arm { n, mean, variance: side.map(variance) };
    let (control_side, arm_side) = found.sides.unzip();
    let mut contrast =
        Contrast::with_change(of(control, control_side.as_ref()), of(arm, arm_side.as_ref()), found.change);
    let explained = found.sides.is_some_and(|(control, arm)| variance(&control) + variance(&arm) <= 0.0);
    contrast.relative = contrast.relative.map(|relative| Estimate {
        se: found.sides.and_then(|(control, arm)| {
            let base = control.base;
            if explained {
                return finite((relative.value / base).abs() * (control.spread.value / control.n).sqrt());
            }
            let own = arm.spread.combined(1.0 / base, -theta / base) / arm.n;
            let other = control.spread.combined(arm.base / base / base, -theta / base) / control.n;
            finite((own + other).sqrt())
        }),
        ..relative
    });
    // The unadjusted mean of the control varies with its adjusted one, from which the arm's is taken.
    contrast.control_error = found.sides.map(|(control, _)| ControlError {
        variance: control.spread.value / control.n,
        covariance: (theta * control.spread.covariance - control.spread.value) / control.n,
    });
    let variance_reduction = found.sides.and_then(|(control, arm)| {
        let sum = |f: &dyn Fn(&Side) -> f64| f(&control) + f(&arm);
        let before = sum(&|side| side.spread.value / side.n);
        finite(1.0 - sum(&variance) / before)
    });
    Adjusted { contrast, theta, variance_reduction }
}

fn ratio_or_zero(above: f64, below: f64) -> f64 {
    if below > 0.0 { finite(above / below).unwrap_or(0.0) } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;
    use rand_distr::{Distribution, StandardNormal};

    use super::{Law, Laws, adjusted, adjusted_ratio, shares_beyond};
    use crate::experiment::{
        effect::Level,
        mean::welch,
        proportion::{self, Proportion},
        ratio::ratios,
        sums::{PairSums, PairTotals, RatioSums, Sums},
    };

    fn case_12(value_sq: (f64, f64), covariate_sq: (f64, f64)) -> (PairSums, PairSums) {
        let control = PairTotals {
            n: 3001,
            sum: 300.0,
            sum_sq: value_sq.0,
            other_sum: 210.0,
            other_sum_sq: covariate_sq.0,
            cross_sum: -20.0,
        };
        let arm = PairTotals {
            n: 3000,
            sum: 222.0,
            sum_sq: value_sq.1,
            other_sum: 120.0,
            other_sum_sq: covariate_sq.1,
            cross_sum: -10.0,
        };
        (PairSums::of(&control).unwrap(), PairSums::of(&arm).unwrap())
    }

    // GrowthBook gbstats, packages/stats/tests/test_gbstats.py, regression adjustment.
    #[test]
    fn case_12_means_agree_with_gbstats() {
        let (control, arm) = case_12((600.0, 555.0), (415.0, 405.0));
        let result = adjusted(&control, &arm, Laws::default());
        let effect = result.contrast.relative(Level::two_sided(0.05)).unwrap();
        assert!((result.theta + 0.073_211_9).abs() < 5e-8);
        assert!((effect.estimate + 0.281_707_154).abs() < 5e-10);
        assert!((effect.se.unwrap() - 0.097_104_9).abs() < 5e-8);
        assert!((effect.p_value.unwrap() - 0.003_732_549).abs() < 5e-10);
    }

    // The same without the squares: both are proportions.
    #[test]
    fn case_12_proportions_agree_with_gbstats() {
        let (control, arm) = case_12((300.0, 222.0), (210.0, 120.0));
        let laws = Laws { value: Law::Proportion, covariate: Law::Proportion };
        let effect = adjusted(&control, &arm, laws).contrast.relative(Level::two_sided(0.05)).unwrap();
        assert!((effect.estimate + 0.316_202_16).abs() < 5e-9);
        assert!((effect.p_value.unwrap() - 3.53e-7).abs() < 5e-10);
    }

    #[test]
    fn a_constant_covariate_changes_nothing() {
        let values = |values: [f64; 4]| {
            let (mut pair, mut single) = (PairSums::default(), Sums::default());
            values.iter().for_each(|value| {
                pair.push([*value, 7.0]);
                single.push([*value]);
            });
            (pair, single)
        };
        let (control, arm) = (values([1.0, 2.0, 3.0, 5.0]), values([2.0, 4.0, 4.0, 9.0]));
        let result = adjusted(&control.0, &arm.0, Laws::default());
        assert_eq!((result.theta, result.variance_reduction), (0.0, Some(0.0)));
        assert_eq!(result.contrast.absolute, welch(&control.1, &arm.1).absolute);
    }

    #[test]
    fn a_perfect_covariate_leaves_no_variance() {
        let pair = |values: [f64; 4], shift: f64| {
            let mut sums = PairSums::default();
            values.iter().for_each(|value| sums.push([2.0 * value + shift, *value]));
            sums
        };
        let result =
            adjusted(&pair([1.0, 2.0, 3.0, 6.0], 0.0), &pair([1.0, 2.0, 3.0, 6.0], 0.0), Laws::default());
        assert_eq!(result.theta, 2.0);
        assert_eq!(result.contrast.absolute(Level::two_sided(0.05)).unwrap().se, Some(0.0));
        assert_eq!(result.variance_reduction, Some(1.0));
    }

    // Y = X and θ = 1: every sample has the difference (m - m₀) - (m - m₀) = 0, and 0/m₀ is 0 whatever m₀ is. Of Y = 2X in the control
    // and 2X + 1.5 in the arm, with the same X in both, θ = 2, d = 1.5 and m₀ = 6, where m₀ has the variance (56/3)/4: the standard error
    // of d/m₀ is 1.5/36·√(14/3), as by the general gradient, whose m - m₀ is d here.
    #[test]
    fn a_metric_that_is_its_own_covariate_has_no_relative_effect_either() {
        let pair = |values: [f64; 4], of: fn(f64) -> f64| {
            let mut sums = PairSums::default();
            values.iter().for_each(|value| sums.push([of(*value), *value]));
            sums
        };
        let level = Level::two_sided(0.05);
        let (a, b) = ([1.0, 2.0, 3.0, 6.0], [2.0, 4.0, 4.0, 10.0]);
        let itself = adjusted(&pair(a, |x| x), &pair(b, |x| x), Laws::default());
        assert_eq!((itself.theta, itself.variance_reduction), (1.0, Some(1.0)));
        for effect in [itself.contrast.absolute(level).unwrap(), itself.contrast.relative(level).unwrap()] {
            assert_eq!((effect.estimate, effect.se, effect.p_value), (0.0, Some(0.0), None));
        }
        let moved = adjusted(&pair(a, |x| 2.0 * x), &pair(a, |x| 2.0 * x + 1.5), Laws::default());
        let relative = moved.contrast.relative(level).unwrap();
        assert_eq!((moved.theta, relative.estimate), (2.0, 0.25));
        let expected = 1.5 / 36.0 * (14.0_f64 / 3.0).sqrt();
        assert!((relative.se.unwrap() - expected).abs() < 1e-12, "{relative:?}");
    }

    // Δ - t·m₀ is the adjusted arm's mean less the control's (1+t)Ȳ - θX̄: (1+t)²v_Y - 2(1+t)θc + θ²v_X over its units.
    #[test]
    fn beyond_a_margin_the_unadjusted_control_counts() {
        let fill = |rows: [[f64; 2]; 5]| {
            let mut sums = PairSums::default();
            rows.into_iter().for_each(|row| sums.push(row));
            sums
        };
        let control = fill([[1.0, 0.5], [2.0, 2.5], [3.0, 2.0], [5.0, 6.0], [4.0, 3.0]]);
        let arm = fill([[2.0, 1.5], [3.0, 2.5], [4.0, 2.0], [6.0, 5.0], [7.0, 4.0]]);
        let found = adjusted(&control, &arm, Laws::default());
        let (theta, n) = (found.theta, 5.0);
        let variance = |sums: &PairSums, a: f64| {
            let of = |i, j| sums.covariance(i, j).unwrap();
            (a * a * of(0, 0) - 2.0 * a * theta * of(0, 1) + theta * theta * of(1, 1)) / n
        };
        for margin in [-0.3, 0.0, 0.2] {
            let beyond = found.contrast.beyond(margin).unwrap();
            let expected = (variance(&arm, 1.0) + variance(&control, 1.0 + margin)).sqrt() / 3.0;
            assert!((beyond.se.unwrap() - expected).abs() < 1e-12, "{margin}: {beyond:?}, {expected}");
        }
    }

    // 9 of 900 and none of 100 succeed, which tells nothing of the arm's spread: of shares that are alike it is .009·.991 in both. The covariate is 1
    // of 405 of the control, 6 of whose successes are among them, and of 50 of the arm: its spread is .455·.545, the covariance .006 - .009·.455.
    #[test]
    fn an_adjusted_share_has_the_error_of_shares_that_are_alike() {
        let of = |n: u64, successes: f64, before: f64, both: f64| {
            let totals = PairTotals {
                n,
                sum: successes,
                sum_sq: successes,
                other_sum: before,
                other_sum_sq: before,
                cross_sum: both,
            };
            PairSums::of(&totals).unwrap()
        };
        let (control, arm) = (of(900, 9.0, 405.0, 6.0), of(100, 0.0, 50.0, 0.0));
        let laws = Laws { value: Law::Proportion, covariate: Law::Proportion };
        let (own, before, both): (f64, f64, f64) = (0.009 * 0.991, 0.455 * 0.545, 0.006 - 0.009 * 0.455);
        let theta = both / before;
        let kept = own - theta * both;
        let found = shares_beyond(&control, &arm, laws, 0.0).unwrap();
        assert!((found.value - (-0.01 - theta * (0.5 - 0.45))).abs() < 1e-12, "{found:?}");
        let expected = (kept * (1.0 / 900.0 + 1.0 / 100.0)).sqrt();
        assert!((found.se.unwrap() - expected).abs() < 1e-12, "{found:?} {expected}");
        let plain = adjusted(&control, &arm, laws).contrast.absolute.unwrap();
        assert!((plain.value - found.value).abs() < 1e-12 && plain.se.unwrap() < 0.5 * expected, "{plain:?}");
        // A covariate that tells nothing leaves the shares as they are.
        let (control, arm) = (of(900, 9.0, 0.0, 0.0), of(100, 0.0, 0.0, 0.0));
        for null in [-0.2, 0.0, 0.3] {
            let found = shares_beyond(&control, &arm, laws, null).unwrap();
            let share = |n, successes| Proportion::of(n, successes).unwrap();
            let plain = proportion::beyond(&share(900, 9.0), &share(100, 0.0), null).unwrap();
            assert!((found.value - plain.value).abs() < 1e-12, "{null}: {found:?}");
            assert!((found.se.unwrap() - plain.se.unwrap()).abs() < 1e-12, "{null}: {found:?}");
        }
    }

    // Three units an arm, 2,000 times: levels that differ by a deviation of the noise, before as after.
    #[test]
    fn few_units_of_a_ratio_differ_no_more_often_than_alpha_says() {
        let mut rng = ChaCha8Rng::seed_from_u64(23);
        let mut differs = || {
            let mut arms = [RatioSums::default(); 2];
            for i in 0..6 {
                let [level, after, before]: [f64; 3] =
                    std::array::from_fn(|_| StandardNormal.sample(&mut rng));
                let views =
                    [1.0 + f64::from(rng.random_range(0..9_u8)), 1.0 + f64::from(rng.random_range(0..9_u8))];
                let of = |views: f64, noise: f64| views * (3.0 + level) + views.sqrt() * noise;
                arms[i % 2].push([of(views[0], after), views[0], of(views[1], before), views[1]]);
            }
            let effect =
                adjusted_ratio(&arms[0], &arms[1]).contrast.absolute(Level::two_sided(0.05)).unwrap();
            effect.p_value.is_some_and(|p| p < 0.05)
        };
        let found = (0..2000).filter(|_| differs()).count();
        assert!(found <= 130, "{found} of 2000");
    }

    // With denominators of 1 the adjusted ratio is the adjusted mean.
    #[test]
    fn constant_denominators_adjust_as_a_mean() {
        let fill = |rows: [[f64; 2]; 5]| {
            let (mut four, mut pair) = (RatioSums::default(), PairSums::default());
            for [value, before] in rows {
                four.push([value, 1.0, before, 1.0]);
                pair.push([value, before]);
            }
            (four, pair)
        };
        let control = fill([[1.0, 0.5], [2.0, 2.5], [3.0, 2.0], [5.0, 6.0], [4.0, 4.0]]);
        let arm = fill([[2.0, 0.5], [3.0, 2.5], [4.0, 2.0], [6.0, 6.0], [5.0, 4.0]]);
        let (ratio, mean) =
            (adjusted_ratio(&control.0, &arm.0), adjusted(&control.1, &arm.1, Laws::default()));
        assert!((ratio.theta - mean.theta).abs() < 1e-12);
        let (a, b) = (ratio.contrast.relative.unwrap(), mean.contrast.relative.unwrap());
        assert!((a.value - b.value).abs() < 1e-12 && (a.se.unwrap() - b.se.unwrap()).abs() < 1e-12);
    }

    // Nobody of the control was seen before: 0 over 0 is no ratio.
    #[test]
    fn a_ratio_without_a_past_is_compared_as_it_is() {
        let fill = |rows: [[f64; 4]; 3]| {
            let (mut four, mut pair) = (RatioSums::default(), PairSums::default());
            for row in rows {
                four.push(row);
                pair.push([row[0], row[1]]);
            }
            (four, pair)
        };
        let control = fill([[1.0, 2.0, 0.0, 0.0], [2.0, 3.0, 0.0, 0.0], [4.0, 5.0, 0.0, 0.0]]);
        let arm = fill([[2.0, 2.0, 1.0, 1.0], [2.0, 4.0, 2.0, 3.0], [5.0, 5.0, 0.0, 1.0]]);
        for (control, arm) in [(&control, &arm), (&arm, &control)] {
            let result = adjusted_ratio(&control.0, &arm.0);
            assert_eq!((result.theta, result.variance_reduction), (0.0, Some(0.0)));
            assert_eq!(result.contrast, ratios(&control.1, &arm.1));
        }
    }

    #[test]
    fn an_empty_arm_has_no_effect() {
        let (control, _) = case_12((600.0, 555.0), (415.0, 405.0));
        let result = adjusted(&control, &PairSums::default(), Laws::default());
        assert_eq!((result.contrast.absolute, result.variance_reduction), (None, None));
    }
}
