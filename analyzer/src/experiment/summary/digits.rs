//! Whether sums that another program made hold the digits of a variance.
//!
//! Σx² - (Σx)²/n takes two numbers apart that agree in nearly all digits where a mean is large against its spread. What is left then is
//! rounding, which looks like a variance, or like none.

use windvane_stats::experiment::effect;
use windvane_types::experiment::Kind;
use windvane_types::experiment_summary::{SummaryArm, SummaryMetric};

use crate::experiment::facts::{ArmMetric, ArmSums};

/// Of the sum of squares: what is left below this share is rounding. A sum of 10⁷ doubles is good to some 3e-13 of itself.
const NONE_BELOW: f64 = 1e-12;
/// What is left below this share has fewer than three digits.
const FEW_BELOW: f64 = 1e-9;
/// Doubles up to 2⁵³ hold every whole number, and sums of whole numbers are exact.
const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;
/// Below this share of the sum of squares what is left is taken for none at all: a constant, by which nothing is adjusted.
const CONSTANT_BELOW: f64 = 8.0 * f64::EPSILON;

/// How many digits of a variance sums hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Digits {
    None,
    Few,
    Enough,
}

/// What is left of the sum of squares as a share of it; `None` where nothing is taken from it, or all sums are exact.
fn left(n: u64, sum: f64, sum_sq: f64) -> Option<f64> {
    let whole = |number: f64| number.fract() == 0.0 && number.abs() <= WHOLE_MAX;
    let exact = n < 2 || sum == 0.0 || (whole(sum) && whole(sum_sq));
    (!exact && sum_sq > 0.0).then(|| (sum_sq - sum / n as f64 * sum) / sum_sq)
}

fn digits(left: Option<f64>) -> Digits {
    match left {
        Some(share) if share < NONE_BELOW => Digits::None,
        Some(share) if share < FEW_BELOW => Digits::Few,
        _ => Digits::Enough,
    }
}

fn of_arm(kind: Kind, arm: &SummaryArm, n: u64) -> Digits {
    let own = match kind {
        Kind::Mean | Kind::Ratio => digits(arm.sum_sq.and_then(|sum_sq| left(n, arm.sum, sum_sq))),
        // The variance of a share is that of its mean, and a quantile's sums are counts.
        Kind::Proportion | Kind::Quantile => Digits::Enough,
    };
    let covariate = arm.cov_sum.zip(arm.cov_sum_sq).and_then(|(sum, sum_sq)| left(n, sum, sum_sq));
    own.min(digits(covariate.filter(|share| *share > CONSTANT_BELOW)))
}

/// Looks at the sums of each arm: what the ledger says of those that hold few digits, and, where one holds none, why there is no
/// standard error. The arms keep their means then, and nothing else.
pub(super) fn look(
    metric: &SummaryMetric,
    names: &[&str],
    (arms, notes): (&mut [ArmMetric], &mut Vec<String>),
) -> Option<String> {
    let mut worst = Digits::Enough;
    for (name, facts) in names.iter().zip(arms.iter()) {
        let Some(arm) = metric.arms.iter().find(|arm| arm.arm == **name) else { continue };
        let found = of_arm(metric.kind, arm, facts.n);
        worst = worst.min(found);
        let so = match found {
            Digits::Enough => continue,
            Digits::Few => "fewer than three digits of a variance, and the standard error is as rough",
            Digits::None => "no digit of a variance, so there is no standard error",
        };
        notes.push(format!(
            "taken as given: the sums of arm `{name}` hold {so}; sums of values less one number near the means, the same in every \
             arm, hold them all"
        ));
    }
    if worst > Digits::None {
        return None;
    }
    for (name, facts) in names.iter().zip(arms) {
        let Some(arm) = metric.arms.iter().find(|arm| arm.arm == **name) else { continue };
        let below = if metric.kind == Kind::Ratio { arm.den_sum } else { Some(facts.n as f64) };
        let mean = below.filter(|below| *below != 0.0).map(|below| arm.sum / below);
        facts.sums = ArmSums::Estimated(effect::Arm { n: facts.n, mean, variance: None });
    }
    let reason =
        "the sums hold no digit of a variance: all units of an arm have one same value, or digits were lost";
    Some(reason.to_owned())
}

#[cfg(test)]
mod tests {
    use super::{Digits, digits, left};

    #[test]
    fn sums_that_cancel_hold_no_variance_and_those_of_whole_numbers_hold_theirs() {
        for (n, sum, sum_sq, expected) in [
            // 1e9 ± 1, of which doubles keep nothing.
            (4, 4e9, 4e18 + 2.0, Digits::None),
            (1_000, 1e12, 1e21 + 1e3, Digits::None),
            (1_000, 1e12 + 0.5, 1e21 * (1.0 + 1e-10), Digits::Few),
            (3, 0.1 + 0.1 + 0.1, 0.1 * 0.1 * 3.0, Digits::None),
            (3, 30.1, 302.9, Digits::Enough),
            (100, 500.0, 2_500.0, Digits::Enough),
            (4, 4e6, 4e12 + 2.0, Digits::Enough),
            (4, 0.0, 1e-30, Digits::Enough),
            (1, 1.1, 1.21, Digits::Enough),
        ] {
            assert_eq!(digits(left(n, sum, sum_sq)), expected, "{n} {sum} {sum_sq}");
        }
    }
}
