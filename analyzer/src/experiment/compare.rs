//! Two arms of one metric: the estimator that fits, and what it says. Pure.

use windvane_stats::experiment::{
    bayes::{self, Prior},
    cuped::{self, Laws},
    effect::{self, Alternative, Contrast, Interval, Level},
    mean, proportion, quantile, ratio, sequence,
};
use windvane_types::experiment::{Bayesian, Better, Cuped, Effect, MarginTest, Sequential};

use super::{
    facts::{ArmMetric, ArmSums},
    request::Rule,
};

/// What an estimator made of two arms.
#[derive(Debug, Clone)]
pub(super) struct Compared {
    pub(super) contrast: Contrast,
    pub(super) cuped: Option<Cuped>,
    pub(super) method: &'static str,
}

/// Compares an arm with the control.
pub(super) fn compare(control: &ArmMetric, arm: &ArmMetric) -> Compared {
    let plain = |contrast, method| Compared { contrast, cuped: None, method };
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
            let laws = Laws {
                value: laws.value,
                covariate: if laws.covariate == other.covariate { laws.covariate } else { cuped::Law::Mean },
            };
            let adjusted = cuped::adjusted(control, arm, laws);
            let cuped = Cuped { theta: adjusted.theta, variance_reduction: adjusted.variance_reduction };
            Compared { contrast: adjusted.contrast, cuped: Some(cuped), method: "cuped" }
        }
        (control_sums, arm_sums) => {
            let of = |sums: &ArmSums, n: u64| match sums {
                ArmSums::Ratio(sums) => ratio::of(sums),
                ArmSums::Estimated(arm) => *arm,
                _ => effect::Arm { n, mean: None, variance: None },
            };
            plain(Contrast::between(of(control_sums, control.n), of(arm_sums, arm.n)), "ratio")
        }
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
pub(super) fn sequential(contrast: &Contrast, rule: &Rule) -> Option<Sequential> {
    let relative = contrast.relative?;
    let tested = sequence::confidence_sequence(relative, contrast.n_total(), rule.tuning, level(rule));
    Some(Sequential {
        estimate: tested.estimate,
        ci: tested.ci.map(ends),
        p_value: tested.p_value,
        tuning: rule.tuning,
    })
}

/// The relative effect with a prior; better is the metric's good way.
pub(super) fn bayesian(contrast: &Contrast, better: Better, rule: &Rule) -> Option<Bayesian> {
    let posterior = bayes::posterior(contrast.relative?, Prior::Flat)?;
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
        prior: "flat".to_owned(),
        probability_in_rope: None,
    })
}

/// The one-sided tests of the relative effect against the margin.
pub(super) fn margin_test(contrast: &Contrast, better: Better, margin: Option<f64>) -> Option<MarginTest> {
    let (relative, margin) = (contrast.relative?, margin?);
    let p = |null: f64, alternative| {
        // The level matters for the interval alone, which is not used.
        let level = Level { alpha: 0.05, alternative };
        relative.test_at(null, contrast.df, level).p_value
    };
    let above = p(-margin, Alternative::Greater);
    let below = p(margin, Alternative::Less);
    Some(MarginTest {
        non_inferiority_p_value: if better == Better::Higher { above } else { below },
        equivalence_p_value: above.zip(below).map(|(above, below)| above.max(below)),
    })
}

pub(super) fn level(rule: &Rule) -> Level {
    Level { alpha: rule.alpha, alternative: rule.alternative }
}

fn ends(interval: Interval) -> [Option<f64>; 2] {
    [interval.lo, interval.hi].map(|end| end.is_finite().then_some(end))
}
