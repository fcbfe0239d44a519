//! The paired t test: whether the mean of differences is 0.
//!
//! Question: how much larger is the second of each pair on average?
//! Input: differences, second minus first, finite.
//! Formula: t = d̄/(s/√n) with n - 1 degrees of freedom; the interval is d̄ ± t·s/√n.
//! Valid when: the mean is about normal, which holds from some dozens of pairs without heavy tails.
//! Degenerate: below two pairs there is no standard error; where it is 0 the interval is the point and there is no p-value.
//! Reference: Student 1908, doi:10.1093/biomet/6.1.1.
//! Oracle: SciPy 1.17 `scipy.stats.ttest_rel(second, first)` and its `confidence_interval`.
//! Cost: one pass.

use crate::{
    experiment::effect::{Effect, Estimate, Level},
    moments::Moments,
};

/// The test; `None` without pairs or with a difference that is not finite.
#[must_use]
pub fn paired_t(differences: &[f64], level: Level) -> Option<Effect> {
    if differences.iter().any(|difference| !difference.is_finite()) {
        return None;
    }
    let mut moments = Moments::default();
    differences.iter().for_each(|difference| moments.push(*difference, 1));
    let n = differences.len() as f64;
    let se = moments.variance(1).map(|variance| (variance / n).sqrt());
    Some(Estimate { value: moments.mean()?, se }.test(Some(n - 1.0).filter(|df| *df > 0.0), level))
}

#[cfg(test)]
mod tests {
    use super::paired_t;
    use crate::experiment::effect::{Interval, Level};

    const LEVEL: Level = Level { alpha: 0.05, alternative: crate::experiment::effect::Alternative::TwoSided };

    // Student 1908, hours of sleep gained by one drug over the other. Oracle: SciPy 1.17
    // `ttest_rel([1.9, .8, …], [.7, -1.6, …])`.
    #[test]
    fn hours_of_sleep() {
        let gained = [1.2, 2.4, 1.3, 1.3, 0.0, 1.0, 1.8, 0.8, 4.6, 1.4];
        let test = paired_t(&gained, LEVEL).unwrap();
        assert!((test.estimate - 1.58).abs() < 1e-14);
        assert!((test.p_value.unwrap() - 0.002832890197384273).abs() < 1e-12, "{test:?}");
        let ci = test.ci.unwrap();
        assert!(
            (ci.lo - 0.7001142367230174).abs() < 1e-10 && (ci.hi - 2.4598857632769824).abs() < 1e-10,
            "{test:?}"
        );
    }

    #[test]
    fn equal_differences_have_no_p_value() {
        let test = paired_t(&[2.0, 2.0, 2.0], LEVEL).unwrap();
        assert_eq!((test.se, test.p_value, test.ci), (Some(0.0), None, Some(Interval { lo: 2.0, hi: 2.0 })));
    }

    #[test]
    fn a_huge_offset_keeps_its_digits() {
        let test = paired_t(&[1e9 - 1.0, 1e9, 1e9 + 1.0], LEVEL).unwrap();
        assert!((test.se.unwrap() - (1.0_f64 / 3.0).sqrt()).abs() < 1e-12);
    }

    #[test]
    fn too_few_pairs_have_no_interval() {
        assert_eq!(paired_t(&[], LEVEL), None);
        let one = paired_t(&[3.0], LEVEL).unwrap();
        assert_eq!((one.estimate, one.se, one.p_value), (3.0, None, None));
        assert_eq!(paired_t(&[1.0, f64::INFINITY], LEVEL), None);
    }
}
