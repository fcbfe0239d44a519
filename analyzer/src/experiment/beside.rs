//! What is told beside the estimate: exact tests of small shares, Fieller's set, the beta-binomial posterior. Pure.

use windvane_stats::{
    binomial::Share,
    experiment::{
        beta_binomial,
        beta_relative::BetaRelative,
        effect::{Alternative, Arm, Contrast},
        fieller::{self, FiellerSet},
        proportion::Proportion,
        ratio,
    },
    two_proportions::{self, EXPECTED_MIN, Table},
};
use windvane_types::experiment::{BetaBinomial, Better, Fieller};

use super::{
    facts::ArmSums,
    inference::{Belief, Rope},
    request::Rule,
    verdicts,
};

/// Tables that an exact test may enumerate: two arms of 300 take some tens of milliseconds, and there is one a comparison.
const TABLES_MAX: u64 = 90_601;

/// An exact p-value and the test that gave it.
pub(super) struct Exact {
    pub(super) p_value: f64,
    pub(super) test: &'static str,
    /// Why it is told.
    why: &'static str,
}

impl Exact {
    /// What the ledger says of it.
    pub(super) fn told(&self) -> String {
        format!(
            "beside it: {}; the exact p-value by {} is {}, and the verdict does not use it",
            self.why,
            self.test,
            verdicts::shown(self.p_value)
        )
    }
}

/// The exact p-value of two proportions where the normal limit is not to be trusted, or where there is none: each arm's share is 0 or 1.
pub(super) fn exact(control: &ArmSums, arm: &ArmSums, alternative: Alternative) -> Option<Exact> {
    let (ArmSums::Proportion(control), ArmSums::Proportion(arm)) = (control, arm) else { return None };
    let table = Table { control: share(control)?, treatment: share(arm)? };
    let alike = |share: Share| share.k() == 0 || share.k() == share.n();
    let why = if table.smallest_expected() < EXPECTED_MIN {
        "a cell expects fewer than five units, where the normal limit is poor"
    } else if alike(table.control) && alike(table.treatment) {
        "all units of each arm have one same value, where there is no normal limit"
    } else {
        return None;
    };
    let unconditional = (table.tables() <= TABLES_MAX)
        .then(|| two_proportions::boschloo::boschloo(&table, alternative))
        .flatten()
        .map(|found| (found.p_value, "boschloo"));
    let (p_value, test) =
        unconditional.unwrap_or_else(|| (two_proportions::fisher(&table, alternative), "fisher"));
    Some(Exact { p_value, test, why })
}

#[expect(
    clippy::cast_sign_loss,
    clippy::cast_possible_truncation,
    reason = "a count of 0 or more, checked below 2⁵³"
)]
fn share(proportion: &Proportion) -> Option<Share> {
    let successes = proportion.successes();
    (successes.fract() == 0.0).then(|| Share::new(successes as u64, proportion.n())).flatten()
}

/// Fieller's set of the relative difference, two-sided; for arms that were estimated independently. None where the difference has no error:
/// that of a quantile is refused with one arm's known.
pub(super) fn fieller(
    control: &ArmSums,
    arm: &ArmSums,
    (contrast, alpha): (&Contrast, f64),
) -> Option<Fieller> {
    contrast.absolute?.se?;
    let set = fieller::fieller(estimate(control)?, estimate(arm)?, (alpha, contrast.df))?;
    let end = |value: f64| value.is_finite().then_some(value);
    let (kind, ends) = match set {
        FiellerSet::Bounded(interval) => ("bounded", [end(interval.lo), end(interval.hi)]),
        FiellerSet::Outside { up_to, from } => ("outside", [end(up_to), end(from)]),
        FiellerSet::Everything => ("everything", [None, None]),
    };
    Some(Fieller { kind: kind.to_owned(), ends })
}

/// An arm's estimate with its variance, where it is no adjusted one.
pub(super) fn estimate(sums: &ArmSums) -> Option<Arm> {
    let of = |n: u64, mean: Option<f64>, variance: Option<f64>| {
        let variance = variance.filter(|_| n > 1).map(|variance| variance / n as f64);
        Arm { n, mean, variance }
    };
    match sums {
        ArmSums::Mean(sums) => Some(of(sums.n(), sums.mean(0), sums.variance())),
        ArmSums::Proportion(share) => Some(of(share.n(), share.share(), share.variance())),
        ArmSums::Ratio(sums) => Some(ratio::of(sums)),
        ArmSums::Quantile(Some(arm)) => {
            Some(Arm { n: arm.clusters.n(), mean: Some(arm.estimate), variance: arm.variance() })
        }
        ArmSums::Estimated(arm) => Some(*arm),
        ArmSums::Adjusted(..) | ArmSums::AdjustedRatio(_) | ArmSums::Quantile(None) => None,
    }
}

/// The posterior of two proportions, where a beta prior was given, and its credible interval on the side or sides that the alternative asks
/// for: of the relative difference.
pub(super) fn beta_binomial(
    (control, arm): (&ArmSums, &ArmSums),
    better: Better,
    rule: &Rule,
) -> Option<(BetaBinomial, [Option<f64>; 2])> {
    let (ArmSums::Proportion(control), ArmSums::Proportion(arm)) = (control, arm) else { return None };
    let Belief::Beta { prior, .. } = rule.belief else { return None };
    let found = beta_binomial::beta_binomial(control, arm, prior);
    // The same integral with the arms exchanged keeps the digits of a small tail.
    let (probability_better, expected_loss, expected_gain) = match better {
        Better::Higher => (found.probability_better, found.expected_loss, found.expected_gain),
        Better::Lower => {
            let exchanged = beta_binomial::beta_binomial(arm, control, prior);
            (exchanged.probability_better, found.expected_gain, found.expected_loss)
        }
    };
    let relative = BetaRelative::of(control, arm, prior);
    let ci = [rule.alpha / 2.0, 1.0 - rule.alpha / 2.0].map(|probability| relative.quantile(probability));
    let deciding = match rule.alternative {
        Alternative::TwoSided => ci.map(Some),
        Alternative::Greater => [Some(relative.quantile(rule.alpha)), None],
        Alternative::Less => [None, Some(relative.quantile(1.0 - rule.alpha))],
    };
    let told = BetaBinomial {
        prior: rule.belief.name(),
        mean: found.mean,
        mean_control: found.mean_control,
        probability_better,
        expected_loss,
        expected_gain,
        ci: Some(ci),
        probability_in_rope: rule
            .rope
            .map(|Rope { lo, hi }| (relative.below(hi) - relative.below(lo)).max(0.0)),
    };
    Some((told, deciding))
}
