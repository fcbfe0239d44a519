//! Always-valid comparison of two quantiles: whether the p99 moved, looked at whenever and as often as you like.
//!
//! Question: may the rollout be stopped now because its p99 is worse, without fixing the number of requests before?
//! Input: counts of both arms' rows below and up to candidate values, as [`Step`]s in ascending order; rows are independent.
//! A step is an interval of values: `below` counts rows below its start, `upto` rows up to its end; between two steps no arm
//! has a row. One step a value is exact; wider ones (a histogram) give a larger p-value, never a smaller one. Only steps from
//! the lower sample quantile to the higher one, with one more on each side, can hold the minimum; the others may be left out.
//! Formula: were x the common quantile, S = #{rows ≤ x} would count n tosses of a coin q. The evidence of an arm against that is
//! the beta-binomial ratio M(S) = B(a+S, b+n-S)/B(a, b)/(q^S(1-q)^(n-S)), a = κq, b = κ(1-q), one-sided with the mixture kept on the
//! side of the alternative. p = min(1, 1/min over x of M(S)·M(S₀)): whatever the quantile is, all looks together err at most
//! alpha of the time. A row at x itself counts on the side that has less evidence.
//! Valid when: always, at every sample size; it finds less than a test of one look, most about `tuning` rows an arm.
//! Reference: Howard, Ramdas 2022, doi:10.3150/21-BEJ1388, theorems 4, 5; Robbins 1970, doi:10.1214/aoms/1177696786.
//! Oracle: mpmath `betainc`, `beta` over a scan of all values.
//! Cost: constant a step.

use super::{
    beta_density::{mass_below, tail_fraction},
    dirichlet::{ln_beta_of, log_bayes_factor},
    effect::{Alternative, Level, never_zero},
};

/// Both arms' rows around one interval of values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// The control's rows below the interval and up to its end.
    pub control: Passed,
    /// The arm's.
    pub arm: Passed,
}

/// Rows passed before and after an interval of values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Passed {
    /// Rows below its start.
    pub below: u64,
    /// Rows up to its end.
    pub upto: u64,
}

/// What is compared.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct QuantilePlan {
    /// The quantile, above 0 and below 1.
    pub q: f64,
    /// Rows of the control.
    pub n_control: u64,
    /// Rows of the arm.
    pub n: u64,
    /// Rows an arm at which the test finds most.
    pub tuning: f64,
    /// Its level. The arm's quantile is above the control's under [`Alternative::Greater`].
    pub level: Level,
}

/// The always-valid p-value of no difference between the quantiles; `None` without steps.
#[must_use]
pub fn quantile_p_value(steps: &[Step], plan: &QuantilePlan) -> Option<f64> {
    // An arm whose quantile is higher has fewer rows below the common value.
    let (control_side, arm_side) = match plan.level.alternative {
        Alternative::TwoSided => (Side::Both, Side::Both),
        Alternative::Greater => (Side::More, Side::Fewer),
        Alternative::Less => (Side::Fewer, Side::More),
    };
    let coin = |n, side| Coin { n, q: plan.q, weight: weight(plan.tuning, plan.level.alpha), side };
    let (control, arm) = (coin(plan.n_control, control_side), coin(plan.n, arm_side));
    let least =
        steps.iter().map(|step| control.least(step.control) + arm.least(step.arm)).min_by(f64::total_cmp)?;
    never_zero((-least).exp())
}

/// Order statistics, counted from 1, between which one arm's quantile lies at all times together; `None` for an end that no row
/// bounds yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SequenceRanks {
    /// The lower end.
    pub lower: Option<u64>,
    /// The upper end.
    pub upper: Option<u64>,
}

/// The ends of the confidence sequence of the quantile `q` from `rows` rows, two-sided at `alpha`, narrowest about `tuning` rows.
///
/// The difference of two arms lies between upper minus lower and lower minus upper end, each arm at half of alpha.
#[must_use]
pub fn sequence_ranks(rows: u64, q: f64, tuning: f64, alpha: f64) -> SequenceRanks {
    let coin = Coin { n: rows, q, weight: weight(tuning, alpha), side: Side::Both };
    let inside = |successes: u64| coin.evidence(successes) < -alpha.ln();
    let middle = coin.least_successes();
    if !inside(middle) {
        return SequenceRanks { lower: None, upper: None };
    }
    // Evidence grows away from the middle: the first and the last number of successes inside by halving.
    let first = first_where(0, middle, inside);
    let last = first_where(middle, rows + 1, |successes| successes > rows || !inside(successes)) - 1;
    SequenceRanks { lower: (first > 0).then_some(first), upper: (last < rows).then_some(last + 1) }
}

/// Below this mass on one side its tail is told apart from the evidence of both sides no more.
const TAIL_BELOW: f64 = 1e-12;

/// Which shares the mixture puts weight on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Both,
    Fewer,
    More,
}

/// `n` tosses of a coin that would show `q`.
#[derive(Debug, Clone, Copy)]
struct Coin {
    n: u64,
    q: f64,
    weight: f64,
    side: Side,
}

impl Coin {
    /// ln M at this many successes.
    fn evidence(&self, successes: u64) -> f64 {
        let (s, n) = (successes as f64, self.n as f64);
        let counts = [(s, self.q), (n - s, 1.0 - self.q)];
        let both = log_bayes_factor(&counts, self.weight);
        let [a, b] = [self.weight * self.q, self.weight * (1.0 - self.q)];
        let (prior, posterior, bound) = match self.side {
            Side::Both => return both,
            Side::Fewer => ([a, b], [a + s, b + n - s], self.q),
            Side::More => ([b, a], [b + n - s, a + s], 1.0 - self.q),
        };
        let of_prior = mass_below(prior[0], prior[1], bound);
        match mass_below(posterior[0], posterior[1], bound) {
            mass if mass > TAIL_BELOW => both + (mass / of_prior).ln(),
            // Next to nothing is left of the mixture on this side, and the evidence of both sides is as large as that is small: they are
            // taken together, without the powers that cancel.
            _ => {
                let fraction = tail_fraction(posterior[0], posterior[1], bound);
                (fraction / posterior[0] / of_prior).ln() - ln_beta_of(&counts, self.weight)
            }
        }
    }

    /// The least evidence among the numbers of successes that an interval of values leaves open.
    fn least(&self, passed: Passed) -> f64 {
        let successes = match self.side {
            Side::Both => self.least_successes().clamp(passed.below, passed.upto.max(passed.below)),
            Side::Fewer => passed.upto,
            Side::More => passed.below,
        };
        self.evidence(successes.min(self.n))
    }

    /// Where the evidence of both sides together is least: the ratio of M(S+1) to M(S) passes 1 there.
    #[expect(clippy::cast_sign_loss, clippy::cast_possible_truncation, reason = "between 0 and n")]
    fn least_successes(&self) -> u64 {
        let turn = self.q * self.n as f64 - self.q;
        (turn.ceil().max(0.0) as u64).min(self.n)
    }
}

/// The weight of the prior that makes the mixture strongest about `tuning` tosses: [`super::mixture::best_rho`] over q(1-q).
fn weight(tuning: f64, alpha: f64) -> f64 {
    super::mixture::best_rho(tuning, alpha)
}

fn first_where(mut low: u64, mut high: u64, holds: impl Fn(u64) -> bool) -> u64 {
    while low < high {
        let middle = u64::midpoint(low, high);
        if holds(middle) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    low
}

#[cfg(test)]
mod tests {
    use super::{
        Coin, Passed, QuantilePlan, SequenceRanks, Side, Step, quantile_p_value, sequence_ranks, weight,
    };
    use crate::experiment::effect::{Alternative, Level};

    fn steps(control: &[f64], arm: &[f64]) -> Vec<Step> {
        let mut values: Vec<f64> = control.iter().chain(arm).copied().collect();
        values.sort_by(f64::total_cmp);
        values.dedup();
        let passed = |rows: &[f64], x: f64| Passed {
            below: rows.iter().filter(|row| **row < x).count() as u64,
            upto: rows.iter().filter(|row| **row <= x).count() as u64,
        };
        values.iter().map(|x| Step { control: passed(control, *x), arm: passed(arm, *x) }).collect()
    }

    fn p(control: &[f64], arm: &[f64], q: f64, alternative: Alternative) -> f64 {
        let plan = QuantilePlan {
            q,
            n_control: control.len() as u64,
            n: arm.len() as u64,
            tuning: 300.0,
            level: Level { alpha: 0.05, alternative },
        };
        quantile_p_value(&steps(control, arm), &plan).unwrap()
    }

    fn ladder(from: u32, n: u32) -> Vec<f64> {
        (from..from + n).map(f64::from).collect()
    }

    #[test]
    fn a_moved_median_is_found_and_the_same_one_is_not() {
        let control = ladder(0, 400);
        assert_eq!(p(&control, &control, 0.5, Alternative::TwoSided), 1.0);
        assert!(p(&control, &ladder(150, 400), 0.5, Alternative::TwoSided) < 1e-4);
        assert!(p(&control, &ladder(150, 400), 0.5, Alternative::Greater) < 1e-4);
        assert!(p(&control, &ladder(150, 400), 0.5, Alternative::Less) > 0.99);
    }

    // Oracle: SciPy 1.17 `quad` of exp((a+s-1)ln p + (b+n-s-1)ln(1-p)) below q (above it for more), over its value at q, with `betaln` and
    // `betainc`; κ = 250/(L + ln(1+L)), L = -2 ln 0.05.
    #[test]
    fn the_evidence_of_one_side_has_digits_where_its_mass_has_none() {
        for (n, q, side, successes, expected) in [
            (1500, 0.9, Side::Fewer, 1350, -1.850_654_930_5),
            (1500, 0.9, Side::Fewer, 1437, -4.079_176_535_9),
            (1500, 0.9, Side::Fewer, 1500, -4.612_377_168_9),
            (1500, 0.5, Side::Fewer, 1500, -5.822_610_041_8),
            (100_000, 0.99, Side::Fewer, 100_000, -7.365_420_966_8),
            (1500, 0.9, Side::More, 1250, -4.469_312_232_2),
            (1500, 0.9, Side::More, 0, -7.058_837_287_9),
            (1500, 0.99, Side::More, 1440, -5.213_417_101_1),
        ] {
            let found = Coin { n, q, weight: weight(250.0, 0.05), side }.evidence(successes);
            assert!((found - expected).abs() < 1e-7, "{n} {q} {side:?} {successes}: {found}");
        }
    }

    // The same at each value, the least of the sums over all of them.
    #[test]
    fn one_side_finds_a_moved_quantile_of_many_rows() {
        let control = ladder(0, 2000);
        for (by, q, expected) in
            [(300, 0.5, 1.008_168_329_9e-18), (150, 0.9, 1.185_817_981_2e-12), (40, 0.99, 3.273_005_482_6e-7)]
        {
            let found = p(&control, &ladder(by, 2000), q, Alternative::Greater);
            assert!((found / expected - 1.0).abs() < 1e-6, "{q}: {found:e} instead of {expected:e}");
            assert_eq!(p(&control, &ladder(by, 2000), q, Alternative::Less), 1.0, "{q}");
        }
    }

    // Swapping the arms turns one side into the other and leaves both.
    #[test]
    fn arms_can_be_swapped() {
        let (low, high) = (ladder(0, 300), ladder(60, 200));
        for (side, other) in
            [(Alternative::TwoSided, Alternative::TwoSided), (Alternative::Greater, Alternative::Less)]
        {
            assert!((p(&low, &high, 0.8, side) / p(&high, &low, 0.8, other) - 1.0).abs() < 1e-12);
        }
    }

    #[test]
    fn all_rows_alike_say_nothing() {
        assert_eq!(p(&[5.0; 500], &[5.0; 500], 0.99, Alternative::TwoSided), 1.0);
        assert_eq!(p(&[5.0; 500], &[5.0; 500], 0.99, Alternative::Greater), 1.0);
    }

    #[test]
    fn wider_steps_never_find_more() {
        let (control, arm) = (ladder(0, 400), ladder(100, 400));
        let fine = steps(&control, &arm);
        let plan = QuantilePlan {
            q: 0.5,
            n_control: 400,
            n: 400,
            tuning: 300.0,
            level: Level { alpha: 0.05, alternative: Alternative::TwoSided },
        };
        let wide: Vec<Step> = fine
            .chunks(20)
            .map(|chunk| {
                let (first, last) = (chunk[0], chunk[chunk.len() - 1]);
                Step {
                    control: Passed { upto: last.control.upto, ..first.control },
                    arm: Passed { upto: last.arm.upto, ..first.arm },
                }
            })
            .collect();
        let (exact, coarse) =
            (quantile_p_value(&fine, &plan).unwrap(), quantile_p_value(&wide, &plan).unwrap());
        assert!(coarse >= exact && coarse < 0.05, "{coarse} {exact}");
        assert_eq!(quantile_p_value(&[], &plan), None);
    }

    #[test]
    fn ranks_hold_the_quantile_and_close_in() {
        // Twenty rows bound a p99 from below only, and one row not at all.
        assert_eq!(sequence_ranks(20, 0.99, 1000.0, 0.05).upper, None);
        assert_eq!(sequence_ranks(1, 0.5, 1000.0, 0.05), SequenceRanks { lower: None, upper: None });
        let wide = sequence_ranks(1000, 0.5, 1000.0, 0.05);
        let (lower, upper) = (wide.lower.unwrap(), wide.upper.unwrap());
        // One look would have 469 and 532.
        assert!(lower < 469 && lower > 430 && upper > 532 && upper < 570, "{wide:?}");
        assert_eq!(lower + upper, 1001);
        let narrow = sequence_ranks(100_000, 0.5, 1000.0, 0.05);
        let width = (narrow.upper.unwrap() - narrow.lower.unwrap()) as f64 / 100_000.0;
        assert!(width < (upper - lower) as f64 / 1000.0 / 5.0);
    }
}
