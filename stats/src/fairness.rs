//! Gaps between groups: who is selected, found and rightly suspected how often, and whose scores mean what they say.
//!
//! Question: is a decision, or a score, another one for one group than for another?
//! Input: counts of two groups, and of one group the sums of its scores and outcomes.
//! Formula: the difference of two shares d = q - p with Newcombe's interval d - √((q-l_q)² + (u_p-p)²), d + √((u_q-q)² + (p-l_p)²)
//! of Wilson's intervals [l, u]; its p-value is that of the two shares (pooled z, exact where counts are small). Calibration: mean
//! outcome minus mean score, z = (Σy - Σs)/√Σs(1-s), its interval ± z√(Σs(1-s))/n.
//! Valid when: rows are independent. Shares: demographic parity is of all rows, equal opportunity of those with a positive outcome,
//! predictive parity of those that were selected.
//! Reference: Newcombe 1998, doi:10.1002/(SICI)1097-0258(19980430)17:8<873::AID-SIM779>3.0.CO;2-I, method 10; Hardt, Price, Srebro 2016,
//! arXiv:1610.02413 (equal opportunity); Chouldechova 2017, doi:10.1089/big.2016.0047 (predictive parity); Spiegelhalter 1986,
//! doi:10.1002/sim.4780050506 (the test of calibration, here of its mean).
//! Oracle: statsmodels 0.14 `confint_proportions_2indep(k, n, l, m, method='newcomb')`.
//! Cost: constant.

use crate::{
    binomial::{Share, wilson::wilson},
    experiment::effect::{Alternative, Interval},
    survival,
    two_proportions::Table,
};

/// A difference with its interval and the chance of it where there is none.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Gap {
    /// The group's value minus the other's.
    pub gap: f64,
    /// Its interval.
    pub interval: Interval,
    /// Two-sided.
    pub p_value: f64,
}

/// The difference of the share of a group and that of the reference group.
#[must_use]
pub fn difference(reference: Share, group: Share, confidence: f64) -> Option<Gap> {
    let (p, q) = (wilson(reference, confidence)?, wilson(group, confidence)?);
    let gap = q.estimate - p.estimate;
    let lo = gap - (q.estimate - q.interval.lo).hypot(p.interval.hi - p.estimate);
    let hi = gap + (q.interval.hi - q.estimate).hypot(p.estimate - p.interval.lo);
    let p_value = Table { control: reference, treatment: group }.test(Alternative::TwoSided).p_value;
    Some(Gap { gap, interval: Interval { lo, hi }, p_value })
}

/// Scores of a group, and what came true.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Scores {
    /// Rows with a score from 0 to 1 and an outcome.
    pub n: u64,
    /// Σs.
    pub sum: f64,
    /// Σs(1-s).
    pub variance: f64,
    /// Positive outcomes.
    pub positives: u64,
}

/// By how much more often a group's outcome is positive than its scores say. `None` without rows, or where no score leaves anything to
/// chance.
#[must_use]
pub fn calibration(scores: &Scores, confidence: f64) -> Option<Gap> {
    if scores.n == 0 || scores.variance <= 0.0 || !(confidence > 0.0 && confidence < 1.0) {
        return None;
    }
    let n = scores.n as f64;
    let gap = (scores.positives as f64 - scores.sum) / n;
    let deviation = scores.variance.sqrt() / n;
    let half = survival::normal_exceeded((1.0 - confidence) / 2.0) * deviation;
    Some(Gap {
        gap,
        interval: Interval { lo: gap - half, hi: gap + half },
        // Beyond 38 deviations the tail is less than the least number.
        p_value: survival::normal_two_sided(gap / deviation).max(f64::MIN_POSITIVE),
    })
}

#[cfg(test)]
mod tests {
    use super::{Scores, calibration, difference};
    use crate::binomial::Share;

    // Newcombe 1998, table II, case (a): 56/70 and 48/80, method 10: 0.0524 to 0.3339.
    #[test]
    fn the_interval_is_newcombes() {
        let gap = difference(Share::new(48, 80).unwrap(), Share::new(56, 70).unwrap(), 0.95).unwrap();
        assert!((gap.gap - 0.2).abs() < 1e-12);
        assert!(
            (gap.interval.lo - 0.0524).abs() < 5e-5 && (gap.interval.hi - 0.3339).abs() < 5e-5,
            "{gap:?}"
        );
    }

    // A hundred scores of ½: fifty positives are right, sixty are two standard deviations too many.
    #[test]
    fn scores_that_say_what_comes_true_have_no_gap() {
        let scores = |positives| Scores { n: 100, sum: 50.0, variance: 25.0, positives };
        let right = calibration(&scores(50), 0.95).unwrap();
        assert_eq!((right.gap, right.p_value), (0.0, 1.0));
        let wrong = calibration(&scores(60), 0.95).unwrap();
        assert!(
            (wrong.gap - 0.1).abs() < 1e-12 && (wrong.p_value - 0.045_500_263_896_358_42).abs() < 1e-9,
            "{wrong:?}"
        );
        let never = Scores { n: 10_000, sum: 5_000.0, variance: 2_500.0, positives: 0 };
        assert_eq!(calibration(&never, 0.95).unwrap().p_value, f64::MIN_POSITIVE);
        assert_eq!(calibration(&Scores::default(), 0.95), None);
    }
}
