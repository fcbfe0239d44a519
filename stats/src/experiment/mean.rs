//! Welch's comparison of two means.
//!
//! Question: by how much does an arm's mean per unit differ from the control's?
//! Input: [`Sums`] of one value a unit; several rows of a unit are summed first; units without a value are left out.
//! Formula: the variance of a mean is s²/n with s² over n - 1; the rest is [`Contrast`]'s.
//! Valid when: units are independent and means about normal: some hundred units with moderate tails, more with heavy ones.
//! Reference: Welch 1947, doi:10.1093/biomet/34.1-2.28.
//! Oracle: SciPy 1.17 `scipy.stats.ttest_ind(arm, control, equal_var=False)`; GrowthBook gbstats `TwoSidedTTest`.
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

fn of(sums: &Sums) -> Arm {
    let n = sums.n();
    Arm { n, mean: sums.mean(0), variance: sums.variance().map(|variance| variance / n as f64) }
}

#[cfg(test)]
mod tests {
    use crate::experiment::{
        effect::{Alternative, Level},
        mean::welch,
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
