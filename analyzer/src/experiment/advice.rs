//! Bandit weights as advice: how the next units would be dealt out by each primary metric. Pure.

use windvane_stats::experiment::{
    bandit::{self, FLOOR, Posterior},
    effect::Arm,
};
use windvane_types::experiment::{Advice, ArmAdvice, Better, Role};

use super::{
    beside,
    facts::{ArmSums, Facts, MetricFacts},
};

/// What is said beside every advice.
const CAUTION: &str = "Advice, not a verdict: weights that move while the experiment runs bias plain means, and every change of weights \
                       needs a new sample ratio.";

/// The advice by every primary metric that has an estimate with an error for each arm with units to get.
pub(super) fn advice(facts: &Facts) -> Vec<Advice> {
    let decides = |metric: &&MetricFacts| metric.metric.role == Role::Primary;
    facts.metrics.iter().filter(decides).filter_map(|metric| of_metric(facts, metric)).collect()
}

fn of_metric(facts: &Facts, metric: &MetricFacts) -> Option<Advice> {
    let dealt: Vec<usize> = (0..facts.arms.len()).filter(|arm| facts.arms[*arm].weight > 0.0).collect();
    let posteriors = dealt.iter().map(|arm| {
        let estimate = unadjusted(&metric.arms.get(*arm)?.sums)?;
        let mean = match metric.metric.better {
            Better::Higher => estimate.mean?,
            Better::Lower => -estimate.mean?,
        };
        Some(Posterior { mean, se: estimate.variance?.sqrt() })
    });
    let found = bandit::advice(&posteriors.collect::<Option<Vec<_>>>()?, FLOOR)?;
    let arms = dealt.iter().enumerate().map(|(at, arm)| ArmAdvice {
        arm: facts.arms[*arm].name.clone(),
        probability_best: found.probability_best[at],
        thompson: found.thompson[at],
        top_two: found.top_two[at],
    });
    Some(Advice {
        metric: metric.metric.name.clone(),
        denominator: metric.metric.denominator().map(str::to_owned),
        quantile: metric.metric.quantile(),
        arms: arms.collect(),
        caution: CAUTION.to_owned(),
    })
}

/// An arm's own estimate: what a covariate took out of it depends on the arm beside it.
fn unadjusted(sums: &ArmSums) -> Option<Arm> {
    match sums {
        ArmSums::Adjusted(pairs, _) => beside::estimate(&ArmSums::Mean(pairs.select([0]))),
        ArmSums::AdjustedRatio(ratio) => beside::estimate(&ArmSums::Ratio(ratio.select([0, 1]))),
        sums => beside::estimate(sums),
    }
}
