//! Two proportions by the normal limit: the pooled z test and the interval of the difference.
//!
//! Question: is the share of successes another one in the second group, and by how much?
//! Input: successes and trials of both groups; whether to correct for continuity.
//! Formula: z = (|q-p| - c)/√(p̄(1-p̄)(1/n+1/m)) with c = ½(1/n+1/m) where corrected (at most |q-p|, Yates); interval:
//! q - p ± (z√V + c), V the same or p(1-p)/n + q(1-q)/m. One-sided corrections move towards the null hypothesis, too.
//! Valid when: every cell expects at least five.
//! Reference: Fleiss, Levin, Paik 2003, doi:10.1002/0471445428, sections 3.1 and 3.2.
//! Oracle: statsmodels 0.15 `proportions_ztest`; SciPy 1.17 `chi2_contingency(table, correction=True|False)`.
//! Cost: constant.

use super::{Table, Variance};
use crate::{
    experiment::effect::{Alternative, Interval},
    survival,
};

/// Whether half a count is taken off the difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Continuity {
    /// No.
    #[default]
    None,
    /// Yates.
    Yates,
}

/// The p-value; 1 where neither group has both successes and failures. Never 0.
#[must_use]
pub fn pooled_z(table: &Table, continuity: Continuity, alternative: Alternative) -> f64 {
    let error = standard_error(table, Variance::Pooled);
    if error <= 0.0 {
        return 1.0;
    }
    let difference = table.difference();
    let correction = half_count(table, continuity);
    let p = match alternative {
        Alternative::TwoSided => {
            survival::normal_two_sided((difference.abs() - correction.min(difference.abs())) / error)
        }
        Alternative::Greater => survival::normal((difference - correction) / error),
        Alternative::Less => survival::normal((-difference - correction) / error),
    };
    p.clamp(f64::MIN_POSITIVE, 1.0)
}

/// The interval of treatment minus control, inside [-1, 1]; `None` for a confidence outside of (0, 1). With the pooled variance it
/// leaves 0 out where the test is significant.
#[must_use]
pub fn difference(
    table: &Table,
    variance: Variance,
    continuity: Continuity,
    confidence: f64,
) -> Option<Interval> {
    if !(confidence > 0.0 && confidence < 1.0) {
        return None;
    }
    let z = survival::normal_exceeded((1.0 - confidence) / 2.0);
    let half = z * standard_error(table, variance) + half_count(table, continuity);
    let difference = table.difference();
    Some(Interval { lo: (difference - half).max(-1.0), hi: (difference + half).min(1.0) })
}

fn standard_error(table: &Table, variance: Variance) -> f64 {
    let (n, m) = (table.control.n() as f64, table.treatment.n() as f64);
    let (p, q) = (table.control.estimate(), table.treatment.estimate());
    let pooled = (table.control.k() + table.treatment.k()) as f64 / (n + m);
    match variance {
        Variance::Pooled => (pooled * (1.0 - pooled) * (1.0 / n + 1.0 / m)).sqrt(),
        Variance::Unpooled => (p * (1.0 - p) / n + q * (1.0 - q) / m).sqrt(),
    }
}

fn half_count(table: &Table, continuity: Continuity) -> f64 {
    match continuity {
        Continuity::None => 0.0,
        Continuity::Yates => 0.5 * (1.0 / table.control.n() as f64 + 1.0 / table.treatment.n() as f64),
    }
}

#[cfg(test)]
mod tests {
    use super::{Continuity, difference, pooled_z};
    use crate::{
        binomial::Share,
        experiment::effect::Alternative,
        two_proportions::{Table, Variance},
    };

    /// The published values have eight digits.
    const PRINTED: f64 = 5e-9;

    fn case_20() -> Table {
        Table { control: Share::new(19, 53).unwrap(), treatment: Share::new(13, 47).unwrap() }
    }

    // Field case 20 (tea-tasting, test_proportion): the chi-square's p with and without Yates.
    #[test]
    fn case_20_agrees_with_published_values() {
        let p = |continuity| pooled_z(&case_20(), continuity, Alternative::TwoSided);
        assert!((p(Continuity::None) - 0.380_909_68).abs() < PRINTED);
        assert!((p(Continuity::Yates) - 0.508_316_55).abs() < PRINTED);
        let interval = difference(&case_20(), Variance::Pooled, Continuity::None, 0.95).unwrap();
        assert!((interval.lo + 0.265_080_14).abs() < PRINTED, "{interval:?}");
        assert!((interval.hi - 0.101_290_50).abs() < PRINTED, "{interval:?}");
    }

    #[test]
    fn both_directions_add_up() {
        let p = |alternative| pooled_z(&case_20(), Continuity::None, alternative);
        assert!((p(Alternative::Less) + p(Alternative::Greater) - 1.0).abs() < 1e-15);
        assert!((2.0 * p(Alternative::Less) - p(Alternative::TwoSided)).abs() < 1e-15);
    }

    #[test]
    fn the_correction_never_turns_the_difference() {
        let table = Table { control: Share::new(50, 100).unwrap(), treatment: Share::new(50, 100).unwrap() };
        assert_eq!(pooled_z(&table, Continuity::Yates, Alternative::TwoSided), 1.0);
    }

    #[test]
    fn no_variance_is_no_evidence() {
        let table = Table { control: Share::new(4, 4).unwrap(), treatment: Share::new(9, 9).unwrap() };
        assert_eq!(pooled_z(&table, Continuity::None, Alternative::TwoSided), 1.0);
        let interval = difference(&table, Variance::Unpooled, Continuity::None, 0.95).unwrap();
        assert_eq!((interval.lo, interval.hi), (0.0, 0.0));
    }

    #[test]
    fn a_p_value_too_small_for_doubles_is_not_zero() {
        let table = Table {
            control: Share::new(0, 1_000_000).unwrap(),
            treatment: Share::new(999_999, 1_000_000).unwrap(),
        };
        assert!(pooled_z(&table, Continuity::None, Alternative::TwoSided) > 0.0);
    }
}
