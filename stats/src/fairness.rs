//! Gaps between groups: who is selected, found and rightly suspected how often, and whose scores mean what they say.
//!
//! Question: is a decision, or a score, another one for one group than for another?
//! Input: counts of two groups, and of one group the sums of its scores and outcomes.
//! Formula: the difference of two shares d = q - p with Newcombe's interval d - √((q-l_q)² + (u_p-p)²), d + √((u_q-q)² + (p-l_p)²)
//! of Wilson's intervals [l, u]; its p-value is that of the two shares (pooled z, exact where counts are small). Calibration: mean
//! outcome minus mean score, z = (Σy - Σs)/√Σs(1-s), which holds where scores are right; where fewer than five positives or negatives are
//! expected, the p-value is not below the exact one of rows that all have the mean score, whose tails are the heavier ones. Its interval is
//! Wilson's of the mean outcome ȳ less the mean score, of as many rows as y - s scatters like, n·ȳ(1-ȳ)/var(y - s), which holds where scores
//! are wrong, too.
//! Valid when: rows are independent. Shares: demographic parity is of all rows, equal opportunity of those with a positive outcome,
//! predictive parity of those that were selected.
//! Reference: Newcombe 1998, doi:10.1002/(SICI)1097-0258(19980430)17:8<873::AID-SIM779>3.0.CO;2-I, method 10; Hardt, Price, Srebro 2016,
//! arXiv:1610.02413 (equal opportunity); Chouldechova 2017, doi:10.1089/big.2016.0047 (predictive parity); Spiegelhalter 1986,
//! doi:10.1002/sim.4780050506 (the test of calibration, here of its mean); Hoeffding 1956, doi:10.1214/aoms/1177728178 (equal chances).
//! Oracle: statsmodels 0.14 `confint_proportions_2indep(k, n, l, m, method='newcomb')`.
//! Cost: constant.

use crate::{
    binomial::{
        Share,
        wilson::{wilson, within},
    },
    experiment::effect::{Alternative, Interval},
    survival,
    two_proportions::Table,
};

/// Positives or negatives that scores expect, below which the normal distribution has too light a tail.
const FEW_EXPECTED: f64 = 5.0;

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
    /// Σs of these.
    pub sum_of_positives: f64,
}

/// By how much more often a group's outcome is positive than its scores say. `None` without rows, or where no score leaves anything to
/// chance.
#[must_use]
pub fn calibration(scores: &Scores, confidence: f64) -> Option<Gap> {
    if scores.n == 0 || scores.variance <= 0.0 || !(confidence > 0.0 && confidence < 1.0) {
        return None;
    }
    let n = scores.n as f64;
    let (share, mean) = (scores.positives as f64 / n, scores.sum / n);
    let gap = (scores.positives as f64 - scores.sum) / n;
    let squares = scores.positives as f64 - 2.0 * scores.sum_of_positives + scores.sum - scores.variance;
    let scatter = squares / n - gap * gap;
    let worth = n * share * (1.0 - share) / scatter;
    // Where all outcomes are alike, so many rows are what there is.
    let rows = if worth.is_finite() && worth >= 1.0 { worth } else { n };
    let few = scores.sum.min(n - scores.sum) < FEW_EXPECTED;
    let equal = Share::new(scores.positives, scores.n).filter(|_| few);
    let exact = equal.and_then(|share| share.p_value(mean, Alternative::TwoSided)).unwrap_or(0.0);
    let Interval { lo, hi } = within(share, (rows, survival::normal_exceeded((1.0 - confidence) / 2.0)));
    Some(Gap {
        gap,
        interval: Interval { lo: lo - mean, hi: hi - mean },
        // Beyond 38 deviations the tail is less than the least number.
        p_value: survival::normal_two_sided(gap * n / scores.variance.sqrt())
            .max(exact)
            .max(f64::MIN_POSITIVE),
    })
}

#[cfg(test)]
mod tests {
    use super::{Scores, calibration, difference};
    use crate::{binomial::Share, experiment::effect::Interval};

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
        let scores = |positives: u64| {
            let sum_of_positives = 0.5 * positives as f64;
            Scores { n: 100, sum: 50.0, variance: 25.0, positives, sum_of_positives }
        };
        let right = calibration(&scores(50), 0.95).unwrap();
        assert_eq!((right.gap, right.p_value), (0.0, 1.0));
        let wrong = calibration(&scores(60), 0.95).unwrap();
        assert!(
            (wrong.gap - 0.1).abs() < 1e-12 && (wrong.p_value - 0.045_500_263_896_358_42).abs() < 1e-9,
            "{wrong:?}"
        );
        let never =
            Scores { n: 10_000, sum: 5_000.0, variance: 2_500.0, positives: 0, sum_of_positives: 0.0 };
        assert_eq!(calibration(&never, 0.95).unwrap().p_value, f64::MIN_POSITIVE);
        assert_eq!(calibration(&Scores::default(), 0.95), None);
    }

    // By the variance that scores promise the interval of wrong ones was too narrow: 24 positives of 200 rows that all have 0.02 are 10 points
    // too many, 8.1 to 11.9 it said. SciPy 1.17: `binomtest(24, 200).proportion_ci(method='wilson')` less 0.02.
    #[test]
    fn an_interval_of_wrong_scores_goes_by_what_came_true() {
        let wrong = Scores { n: 200, sum: 4.0, variance: 3.92, positives: 24, sum_of_positives: 0.48 };
        let found = calibration(&wrong, 0.95).unwrap();
        assert!((found.gap - 0.1).abs() < 1e-12, "{found:?}");
        assert!(
            (found.interval.lo - 0.061_979_927_063_755_13).abs() < 1e-9
                && (found.interval.hi - 0.152_342_520_982_967_5).abs() < 1e-9,
            "{found:?}"
        );
        // Scores of .01 and .99 that are right tell nearly all outcomes: their interval is as narrow as that makes it.
        let sharp = Scores { n: 200, sum: 100.0, variance: 1.98, positives: 100, sum_of_positives: 98.02 };
        let Interval { lo, hi } = calibration(&sharp, 0.95).unwrap().interval;
        assert!(lo < 0.0 && hi > 0.0 && hi - lo < 0.04, "{lo} {hi}");
    }

    // Two positives of a hundred scores of .001 are six standard deviations too many, and come in 1 of 200 samples. SciPy 1.17:
    // `binomtest(2, 100, .001).pvalue`.
    #[test]
    fn few_expected_positives_have_the_exact_tail() {
        let rare = Scores { n: 100, sum: 0.1, variance: 0.0999, positives: 2, sum_of_positives: 0.002 };
        let found = calibration(&rare, 0.95).unwrap();
        assert!((found.p_value - 0.004_638_068_390_424_184).abs() < 1e-9, "{found:?}");
    }
}
