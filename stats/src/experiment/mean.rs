//! Welch's comparison of two means.
//!
//! Question: by how much does an arm's mean per unit differ from the control's?
//! Input: [`Sums`] of one value a unit; several rows of a unit are summed first; units without a value are left out.
//! Formula: the variance of a mean is s²/n with s² over n - 1; the rest is [`Contrast`]'s. What was there before the arms were treated has one law in
//! both, whose variance is that within the arms together: Student's test, with n + n₀ - 2 degrees of freedom ([`alike`]).
//! Valid when: units are independent and means about normal: some hundred units with moderate tails, more with heavy ones.
//! Reference: Welch 1947, doi:10.1093/biomet/34.1-2.28.
//! Oracle: SciPy 1.17 `scipy.stats.ttest_ind(arm, control, equal_var=False)`, of [`alike`] `equal_var=True`; GrowthBook gbstats `TwoSidedTTest`.
//! Cost: constant.

use super::{
    effect::{Arm, Contrast},
    sums::Sums,
};

/// The arm's mean against the control's.
#[must_use]
pub fn welch(control: &Sums, arm: &Sums) -> Contrast {
    let change = (control.n() > 0 && arm.n() > 0).then(|| control.change_to(arm, 0));
    Contrast::with_change(of(control), of(arm), change)
}

/// The same of what was there before units that were dealt out at random were treated. Where a small arm has few of a rare value by chance,
/// Welch's error would be that of the control alone.
#[must_use]
pub fn alike(control: &Sums, arm: &Sums) -> Contrast {
    let (n_control, n) = (control.n() as f64, arm.n() as f64);
    let df = n_control + n - 2.0;
    let within = control.variance().zip(arm.variance());
    let within = within.map(|(v0, v)| ((n_control - 1.0) * v0 + (n - 1.0) * v) / df);
    let side = |sums: &Sums| Arm { variance: within.map(|one| one / sums.n() as f64), ..of(sums) };
    let change = (n_control > 0.0 && n > 0.0).then(|| control.change_to(arm, 0));
    let contrast = Contrast::with_change(side(control), side(arm), change);
    Contrast { df: contrast.df.map(|_| df), ..contrast }
}

fn of(sums: &Sums) -> Arm {
    let n = sums.n();
    Arm { n, mean: sums.mean(0), variance: sums.variance().map(|variance| variance / n as f64) }
}

#[cfg(test)]
mod tests {
    use crate::experiment::{
        effect::{Alternative, Level},
        mean::{alike, welch},
        sums::Sums,
    };

    /// Half of the last printed digit.
    const PRINTED: f64 = 5e-6;

    // GrowthBook, packages/stats/tests/frequentist/test_tests.py.
    #[test]
    fn case_1_agrees_with_gbstats() {
        let control = Sums::of(3407, 1396.87, 52377.9767).unwrap();
        let arm = Sums::of(3461, 2422.7, 134698.29).unwrap();
        let contrast = welch(&control, &arm);
        let effect = contrast.relative(Level::two_sided(0.05)).unwrap();
        assert!((effect.estimate - 0.70732).abs() < PRINTED);
        assert!((effect.se.unwrap() - 0.37879).abs() < PRINTED);
        assert!((effect.p_value.unwrap() - 0.06191).abs() < PRINTED);
        let ci = effect.ci.unwrap();
        assert!((ci.lo + 0.03526).abs() < PRINTED && (ci.hi - 1.44989).abs() < PRINTED);
        assert!((contrast.df.unwrap() - 5841.742).abs() < 5e-4);
    }

    // SciPy's ttest_ind of 1, 2, 3, 6 and 2, 4, 4, 10, 11, and of 18 of 900 and none of 100; by Welch's test p would be 2.1e-5.
    #[test]
    fn what_was_before_has_the_variance_of_both_arms() {
        let sums = |values: &[f64]| {
            let mut sums = Sums::default();
            values.iter().for_each(|value| sums.push([*value]));
            sums
        };
        let level = Level::two_sided(0.05);
        let few = alike(&sums(&[1.0, 2.0, 3.0, 6.0]), &sums(&[2.0, 4.0, 4.0, 10.0, 11.0]));
        assert!((few.absolute(level).unwrap().p_value.unwrap() - 0.198_080_684_233).abs() < 1e-9, "{few:?}");
        assert_eq!(few.df, Some(7.0));
        let (control, arm) = (Sums::of(900, 18.0, 18.0).unwrap(), Sums::of(100, 0.0, 0.0).unwrap());
        let rare = alike(&control, &arm).absolute(level).unwrap();
        assert!((rare.p_value.unwrap() - 0.153_851_716_491).abs() < 1e-9, "{rare:?}");
        assert!(welch(&control, &arm).absolute(level).unwrap().p_value.unwrap() < 1e-4);
        assert_eq!(alike(&sums(&[1.0]), &arm).absolute(level).unwrap().se, None);
        assert_eq!(alike(&sums(&[]), &arm).absolute, None);
    }

    // 1e9 - 1, 1e9, 1e9 + 1 against the same and one unit more: SciPy on the values minus 1e9 gives t = 1.224744871391589,
    // p = 0.28786413472669; on the values themselves it gives the same to seven digits.
    #[test]
    fn a_huge_mean_keeps_the_difference() {
        let sums = |values: [f64; 3]| {
            let mut sums = Sums::default();
            values.iter().for_each(|value| sums.push([*value]));
            sums
        };
        let contrast = welch(&sums([1e9 - 1.0, 1e9, 1e9 + 1.0]), &sums([1e9, 1e9 + 1.0, 1e9 + 2.0]));
        let effect = contrast.absolute(Level { alpha: 0.05, alternative: Alternative::TwoSided }).unwrap();
        assert_eq!(effect.estimate, 1.0);
        assert!((effect.p_value.unwrap() - 0.287_864_134_726_69).abs() < 1e-12);
    }
}
