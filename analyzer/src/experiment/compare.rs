//! Two arms of one metric: the estimator that fits, and what it says. Pure.

use windvane_stats::experiment::{
    cuped::{self, Laws},
    effect::{self, Contrast, Interval, Level},
    mean,
    post_stratified::{self, Stratum},
    proportion, quantile, ratio,
    sums::Sums,
};
use windvane_types::experiment::{Bayesian, Better, Cuped, Effect, SequenceKind, Sequential, Stratified};

use super::{
    deciding::Deciding,
    facts::{ArmMetric, ArmSums},
    inference::{Belief, Rope},
    request::Rule,
};

/// What an estimator made of two arms.
#[derive(Debug, Clone)]
pub(super) struct Compared {
    pub(super) contrast: Contrast,
    pub(super) cuped: Option<Cuped>,
    pub(super) stratified: Option<Stratified>,
    pub(super) method: &'static str,
}

/// Compares an arm with the control.
pub(super) fn compare(control: &ArmMetric, arm: &ArmMetric) -> Compared {
    let plain = |contrast, method| Compared { contrast, cuped: None, stratified: None, method };
    match (&control.sums, &arm.sums) {
        (ArmSums::Mean(control), ArmSums::Mean(arm)) => plain(mean::welch(control, arm), "welch"),
        (ArmSums::Proportion(control), ArmSums::Proportion(arm)) => {
            plain(proportion::proportions(control, arm), "proportion")
        }
        (ArmSums::Ratio(control), ArmSums::Ratio(arm)) => plain(ratio::ratios(control, arm), "ratio"),
        (ArmSums::Quantile(control), ArmSums::Quantile(arm)) => {
            plain(quantile::quantiles(control.as_ref(), arm.as_ref()), "quantile")
        }
        (ArmSums::Adjusted(control, laws), ArmSums::Adjusted(arm, other)) => {
            adjusted(&cuped::adjusted(control, arm, of_both(*laws, *other)))
        }
        (ArmSums::AdjustedRatio(control), ArmSums::AdjustedRatio(arm)) => {
            adjusted(&cuped::adjusted_ratio(control, arm))
        }
        (control_sums, arm_sums) => {
            let of = |sums: &ArmSums, n: u64| match sums {
                ArmSums::Ratio(sums) => ratio::of(sums),
                ArmSums::AdjustedRatio(sums) => ratio::of(&sums.select([0, 1])),
                ArmSums::Estimated(arm) => *arm,
                _ => effect::Arm { n, mean: None, variance: None },
            };
            plain(Contrast::between(of(control_sums, control.n), of(arm_sums, arm.n)), "ratio")
        }
    }
}

/// The laws of two arms; a covariate that is 0 or 1 in one of them alone is any number.
pub(super) fn of_both(laws: Laws, other: Laws) -> Laws {
    let covariate = if laws.covariate == other.covariate { laws.covariate } else { cuped::Law::Mean };
    Laws { value: laws.value, covariate }
}

fn adjusted(found: &cuped::Adjusted) -> Compared {
    let cuped = Cuped { theta: found.theta, variance_reduction: found.variance_reduction };
    Compared { contrast: found.contrast, cuped: Some(cuped), stratified: None, method: "cuped" }
}

/// An arm and the control within strata: for each, the sums by arm.
pub(super) fn strata(strata: &[Vec<Sums>], (control, arm): (usize, usize)) -> Vec<Stratum> {
    let of = |sums: &[Sums]| Stratum {
        control: sums.get(control).copied().unwrap_or_default(),
        arm: sums.get(arm).copied().unwrap_or_default(),
    };
    strata.iter().map(|sums| of(sums)).collect()
}

/// Compares an arm with the control within strata.
pub(super) fn stratified(strata: &[Stratum]) -> Compared {
    let found = post_stratified::post_stratified(strata);
    let stratified = Stratified {
        strata: found.strata as u64,
        merged: found.merged as u64,
        variance_reduction: found.variance_reduction,
    };
    Compared {
        contrast: found.contrast,
        cuped: None,
        stratified: Some(stratified),
        method: "post_stratified",
    }
}

/// The fixed-horizon effect in the document's form.
pub(super) fn effect(tested: Option<effect::Effect>) -> Effect {
    tested.map_or_else(Effect::default, |tested| Effect {
        estimate: Some(tested.estimate),
        se: tested.se,
        ci: tested.ci.map(ends),
        p_value: tested.p_value,
    })
}

/// The relative effect at any time.
pub(super) fn sequential(deciding: &Deciding<'_>) -> Option<Sequential> {
    let (contrast, rule) = (deciding.contrast, deciding.rule);
    let relative = contrast.relative?;
    if let Some(anytime) = deciding.anytime {
        return Some(Sequential {
            estimate: relative.value,
            ci: anytime.relative.map(ends),
            p_value: anytime.p_value,
            tuning: rule.tuning,
            method: SequenceKind::QuantileRanks,
        });
    }
    let tested = rule.sequence.mode(contrast, (rule.tuning, level(rule))).test(relative, level(rule));
    Some(Sequential {
        estimate: tested.estimate,
        ci: tested.ci.map(ends),
        p_value: tested.p_value,
        tuning: rule.tuning,
        method: rule.sequence.kind(),
    })
}

/// The relative effect with a prior; better is the metric's good way.
pub(super) fn bayesian(deciding: &Deciding<'_>, better: Better) -> Option<Bayesian> {
    let rule = deciding.rule;
    let posterior = deciding.posterior()?;
    let (probability_better, expected_loss, expected_gain) = match better {
        Better::Higher => (posterior.probability_better, posterior.expected_loss, posterior.expected_gain),
        Better::Lower => (
            windvane_stats::survival::normal(posterior.mean / posterior.deviation),
            posterior.expected_gain,
            posterior.expected_loss,
        ),
    };
    Some(Bayesian {
        probability_better,
        expected_loss,
        expected_gain,
        mean: posterior.mean,
        sd: posterior.deviation,
        ci: Some(ends(posterior.credible(1.0 - rule.alpha))),
        prior: match rule.belief {
            Belief::Beta { .. } => Belief::Flat.name(),
            belief => belief.name(),
        },
        probability_in_rope: rule.rope.map(|Rope { lo, hi }| posterior.inside(Interval { lo, hi })),
    })
}

pub(super) fn level(rule: &Rule) -> Level {
    Level { alpha: rule.alpha, alternative: rule.alternative }
}

/// The ends of an interval in the document's form: null where one is infinite.
pub(super) fn ends(interval: Interval) -> [Option<f64>; 2] {
    [interval.lo, interval.hi].map(|end| end.is_finite().then_some(end))
}
