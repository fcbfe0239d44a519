//! Comparison of two ratios of sums.
//!
//! Question: by how much does revenue per order, clicks per view or errors per request differ, where the unit of assignment
//! (a user) has many of what is counted below the line?
//! Input: [`PairSums`] of each unit's numerator and denominator.
//! Formula: R = ΣM/ΣD with variance (v_M - 2R·c_MD + R²v_D)/(n·μ_D²), covariances over n - 1.
//! Valid when: units are independent and the mean denominator is some standard errors from 0.
//! This is also the cluster-robust variance of a mean over rows whose units were assigned: M the sum of a unit's rows, D their
//! number. Treating the rows as independent is wrong by the factor 1 + (rows per unit - 1)·(correlation within a unit).
//! Reference: Deng, Knoblich, Lu 2018, doi:10.1145/3219819.3219919, section 3.2; Liang, Zeger 1986, doi:10.1093/biomet/73.1.13.
//! Oracle: GrowthBook gbstats `RatioStatistic`; statsmodels 0.14 `OLS(...).fit(cov_type='cluster')` up to n/(n - 1).
//! Cost: constant.

use super::{
    effect::{Arm, Contrast, finite},
    sums::PairSums,
};

/// The arm's ratio against the control's; a denominator that sums to 0 leaves no ratio.
#[must_use]
pub fn ratios(control: &PairSums, arm: &PairSums) -> Contrast {
    Contrast::between(of(control), of(arm))
}

/// The same of what was there before units that were dealt out at random were treated, as [`super::mean::alike`]: a unit's part varies about the
/// ratio of all units as much in both arms.
#[must_use]
pub fn alike(control: &PairSums, arm: &PairSums) -> Contrast {
    let mut joint = *control;
    joint.merge(arm);
    let n = joint.n() as f64;
    let one = of(&joint).variance.map(|variance| variance * n);
    let side = |sums: &PairSums| {
        let own = of(sums);
        Arm { variance: own.variance.and(one).map(|one| one / own.n as f64), ..own }
    };
    let contrast = Contrast::between(side(control), side(arm));
    Contrast { df: contrast.df.map(|_| n - 2.0).filter(|df| *df > 0.0), ..contrast }
}

/// The ratio of one arm and its variance.
#[must_use]
pub fn of(sums: &PairSums) -> Arm {
    let n = sums.n();
    let empty = Arm { n, mean: None, variance: None };
    let (Some(numerator), Some(denominator)) = (sums.mean(0), sums.mean(1)) else { return empty };
    let Some(ratio) = finite(numerator / denominator) else { return empty };
    Arm { n, mean: Some(ratio), variance: variance(sums, ratio, denominator).map(|one| one / n as f64) }
}

/// The variance of one unit's part in the ratio.
fn variance(sums: &PairSums, ratio: f64, denominator: f64) -> Option<f64> {
    let (v_m, v_d, c) = (sums.covariance(0, 0)?, sums.covariance(1, 1)?, sums.covariance(0, 1)?);
    let residual = v_m - 2.0 * ratio * c + ratio * ratio * v_d;
    // Three terms that cancel leave rounding, which may be below 0.
    let scale = v_m + ratio * ratio * v_d;
    let rounding = scale.is_finite() && residual <= 16.0 * f64::EPSILON * scale;
    let residual = if rounding { 0.0 } else { residual };
    finite(residual / denominator / denominator)
}

#[cfg(test)]
mod tests {
    use super::{alike, ratios};
    use crate::experiment::{
        bayes,
        effect::Level,
        sums::{PairSums, PairTotals, SumsError},
    };

    /// Half of the last printed digit.
    const PRINTED: f64 = 5e-10;

    fn sums(n: u64, m: (f64, f64), d: (f64, f64), cross_sum: f64) -> PairSums {
        let totals = PairTotals { n, sum: m.0, sum_sq: m.1, other_sum: d.0, other_sum_sq: d.1, cross_sum };
        PairSums::of(&totals).unwrap()
    }

    // Of 18 clicks in 900 views of one each and none in 100 the part of a unit is its click less .018, with the variance .018·.982·1000/999; by the
    // arms' own errors the difference is 4.3 of them.
    #[test]
    fn what_was_before_varies_about_the_ratio_of_all_units() {
        let (control, arm) =
            (sums(900, (18.0, 18.0), (900.0, 900.0), 18.0), sums(100, (0.0, 0.0), (100.0, 100.0), 0.0));
        let level = Level::two_sided(0.05);
        let found = alike(&control, &arm).absolute(level).unwrap();
        let expected = (0.018 * 0.982 * 1000.0 / 999.0 * (1.0 / 900.0 + 1.0 / 100.0_f64)).sqrt();
        assert!(
            (found.estimate + 0.02).abs() < 1e-15 && (found.se.unwrap() - expected).abs() < 1e-12,
            "{found:?}"
        );
        assert!(found.p_value.unwrap() > 0.15, "{found:?}");
        assert!(ratios(&control, &arm).absolute(level).unwrap().p_value.unwrap() < 1e-4);
    }

    // GrowthBook gbstats, packages/stats/tests/test_gbstats.py, `test_get_metric_df_frequentist_ratio`. Its sums belong to no
    // units: 100 denominators that sum to 510 have squares of at least 2601, not 810. So they are refused as sums, and the
    // peer's number is only that of the formula with a negative variance of the denominator inside.
    #[test]
    fn case_11_agrees_with_gbstats_by_formula() {
        let totals = |n, sum, sum_sq, other_sum, other_sum_sq, cross_sum| PairTotals {
            n,
            sum,
            sum_sq,
            other_sum,
            other_sum_sq,
            cross_sum,
        };
        let control = totals(100, 270.0, 848.79, 510.0, 810.0, -900.0);
        let arm = totals(120, 300.0, 869.0, 500.0, 800.0, -905.0);
        assert!(matches!(PairSums::of(&control), Err(SumsError::NegativeVariance { .. })));
        let contrast = ratios(&PairSums::unchecked(&control), &PairSums::unchecked(&arm));
        assert!((contrast.mean_control.unwrap() - 0.529_411_765).abs() < PRINTED);
        assert!((contrast.mean.unwrap() - 0.6).abs() < PRINTED);
        let effect = contrast.relative(Level::two_sided(0.05)).unwrap();
        assert!((effect.estimate - 0.133_333_333).abs() < PRINTED);
        assert!((effect.p_value.unwrap() - 0.610_663_339).abs() < PRINTED);
        let posterior = bayes::posterior(contrast.relative.unwrap(), bayes::Prior::Flat).unwrap();
        assert!((posterior.probability_better - 0.694_926_359).abs() < PRINTED);
    }

    #[test]
    fn a_denominator_of_zero_leaves_no_ratio() {
        let zero = sums(10, (5.0, 5.0), (0.0, 0.0), 0.0);
        let contrast = ratios(&zero, &sums(10, (5.0, 5.0), (20.0, 44.0), 10.0));
        assert_eq!((contrast.mean_control, contrast.absolute, contrast.relative), (None, None, None));
    }

    // R = 4e100 and R²·v_D = 1.8e401, which no double holds: that is no certainty.
    #[test]
    fn what_is_too_large_to_be_squared_has_no_variance() {
        let mut large = PairSums::default();
        [[1e200, 1e100], [1e200, -5e99]].into_iter().for_each(|unit| large.push(unit));
        let found = super::of(&large);
        assert!(found.mean.is_some() && found.variance.is_none(), "{found:?}");
    }

    // With a denominator of 1 the ratio is the mean, to the last digit.
    #[test]
    fn a_constant_denominator_is_the_mean() {
        let contrast = ratios(&sums(3, (6.0, 14.0), (3.0, 3.0), 6.0), &sums(3, (9.0, 29.0), (3.0, 3.0), 9.0));
        let se = contrast.absolute.unwrap().se.unwrap();
        assert!((se - (2.0_f64 / 3.0).sqrt()).abs() < 1e-15);
    }
}
