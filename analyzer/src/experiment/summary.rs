//! Sums that another program made, as facts.

use windvane_stats::experiment::{
    cuped::{Law, Laws},
    effect,
    proportion::Proportion,
    sums::{PairSums, PairTotals, Sums, SumsError},
};
use windvane_types::{
    experiment::Kind,
    experiment_summary::{SCHEMA, Summary, SummaryArm, SummaryMetric},
};

use super::{
    ExperimentError, Metric,
    facts::{ArmMetric, ArmSums, Facts, MetricFacts, Parts},
    gather::share_out,
    metric::Measured,
};

/// Takes a summary for what is known of an experiment.
pub(super) fn facts(summary: &Summary, source: &str) -> Result<Facts, ExperimentError> {
    let wrong = |problem: String| ExperimentError::Summary { problem };
    if summary.schema != SCHEMA {
        return Err(wrong(format!("`schema` is `{}`; it should be `{SCHEMA}`", summary.schema)));
    }
    let Some(first) = summary.metrics.first() else {
        return Err(wrong("there is no metric in `metrics`".to_owned()));
    };
    let mut names: Vec<&str> = first.arms.iter().map(|arm| arm.arm.as_str()).collect();
    names.sort_unstable();
    if let Some(twice) = names.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(wrong(format!("arm `{}` is there twice in metric `{}`", twice[0], first.metric)));
    }
    if names.len() < 2 {
        return Err(ExperimentError::OneArm { known: names.into_iter().map(str::to_owned).collect() });
    }
    let weights = weights(first)?;
    let arms = names
        .iter()
        .map(|name| Ok(((*name).to_owned(), whole(first, of_arm(first, name)?)?)))
        .collect::<Result<Vec<_>, ExperimentError>>()?;
    let arms = share_out(arms, &weights)?;
    if arms.iter().all(|arm| arm.name != summary.control) {
        return Err(ExperimentError::NoControl {
            control: summary.control.clone(),
            known: names.into_iter().map(str::to_owned).collect(),
        });
    }
    let metrics = summary
        .metrics
        .iter()
        .map(|metric| metric_facts(metric, &names))
        .collect::<Result<Vec<_>, ExperimentError>>()?;
    Ok(Facts {
        source: source.to_owned(),
        rows: None,
        unassigned: 0,
        units: arms.iter().map(|arm| arm.units).sum(),
        several: 0,
        arms,
        metrics,
        parts: Parts::default(),
    })
}

/// The weights of the first metric's arms: all or none.
fn weights(first: &SummaryMetric) -> Result<Vec<(String, f64)>, ExperimentError> {
    let given: Vec<(String, f64)> =
        first.arms.iter().filter_map(|arm| Some((arm.arm.clone(), arm.weight?))).collect();
    if let Some((arm, weight)) = given.iter().find(|(_, weight)| !(weight.is_finite() && *weight >= 0.0)) {
        return Err(ExperimentError::Summary {
            problem: format!("the weight {weight} of arm `{arm}` is no share: 0 or more"),
        });
    }
    if !given.is_empty() && given.iter().all(|(_, weight)| *weight == 0.0) {
        return Err(ExperimentError::Summary { problem: "all weights are 0".to_owned() });
    }
    match first.arms.iter().find(|arm| arm.weight.is_none()) {
        Some(arm) if !given.is_empty() => Err(ExperimentError::Summary {
            problem: format!(
                "arm `{}` has no `weight`, but others have; give one to every arm or to none",
                arm.arm
            ),
        }),
        _ => Ok(given),
    }
}

fn of_arm<'a>(metric: &'a SummaryMetric, name: &str) -> Result<&'a SummaryArm, ExperimentError> {
    metric.arms.iter().find(|arm| arm.arm == name).ok_or_else(|| ExperimentError::Summary {
        problem: format!("metric `{}` has no arm `{name}`; the first metric has", metric.metric),
    })
}

#[expect(
    clippy::cast_sign_loss,
    clippy::cast_possible_truncation,
    reason = "checked to be whole and within range"
)]
fn whole(metric: &SummaryMetric, arm: &SummaryArm) -> Result<u64, ExperimentError> {
    // Above 2⁵³ a double does not count units.
    if arm.n >= 0.0 && arm.n.fract() == 0.0 && arm.n <= 9_007_199_254_740_992.0 {
        return Ok(arm.n as u64);
    }
    Err(ExperimentError::Summary {
        problem: format!(
            "`n` of arm `{}` in metric `{}` is {}; it counts units",
            arm.arm, metric.metric, arm.n
        ),
    })
}

fn metric_facts(metric: &SummaryMetric, names: &[&str]) -> Result<MetricFacts, ExperimentError> {
    let measured = match metric.kind {
        Kind::Mean => Measured::Mean,
        Kind::Proportion => Measured::Proportion,
        Kind::Ratio => Measured::Ratio { denominator: "denominator".to_owned() },
        Kind::Quantile => {
            return Err(ExperimentError::Summary {
                problem: format!(
                    "metric `{}` is a quantile, which sums do not tell; give the rows",
                    metric.metric
                ),
            });
        }
    };
    let mut notes = Vec::new();
    let mut arms = Vec::new();
    for name in names {
        let arm = of_arm(metric, name)?;
        let n = whole(metric, arm)?;
        let sums = arm_sums(metric, arm, n)?;
        if let ArmSums::Estimated(_) = sums {
            notes.push(format!(
                "taken as given: the sums of the denominator in arm `{name}` contradict each other, so the standard error is that of the formula alone"
            ));
        }
        arms.push(ArmMetric { sums, n, missing: 0, partial: 0, capped: 0, floored: 0, values: n });
    }
    let with_covariate = arms.iter().any(|arm| matches!(arm.sums, ArmSums::Adjusted(..)));
    if with_covariate && !arms.iter().all(|arm| matches!(arm.sums, ArmSums::Adjusted(..))) {
        return Err(ExperimentError::Summary {
            problem: format!("metric `{}` has `cov_sum` in some arms only", metric.metric),
        });
    }
    let mut metric_of = Metric::new(&metric.metric, measured);
    metric_of.better = metric.better;
    metric_of.role = metric.role;
    metric_of.margin = metric.margin.filter(|margin| *margin > 0.0 && margin.is_finite());
    let covariate = with_covariate.then(|| "covariate".to_owned());
    Ok(MetricFacts { metric: metric_of, covariate, arms, notes, reason: None })
}

fn arm_sums(metric: &SummaryMetric, arm: &SummaryArm, n: u64) -> Result<ArmSums, ExperimentError> {
    let impossible = |source: SumsError| ExperimentError::Sums {
        metric: metric.metric.clone(),
        arm: arm.arm.clone(),
        source,
    };
    let needed = |value: Option<f64>, name: &str| {
        value.ok_or_else(|| ExperimentError::Summary {
            problem: format!("arm `{}` of metric `{}` has no `{name}`", arm.arm, metric.metric),
        })
    };
    let sum_sq = match metric.kind {
        // The squares of 0 and 1 are themselves.
        Kind::Proportion => {
            let proportion = Proportion::of(n, arm.sum).map_err(impossible)?;
            if let Some(sum_sq) = arm.sum_sq.filter(|sum_sq| (sum_sq - arm.sum).abs() > 1e-9 * arm.sum) {
                return Err(impossible(SumsError::NegativeVariance { n, sum: arm.sum, sum_sq }));
            }
            if arm.cov_sum.is_none() {
                return Ok(ArmSums::Proportion(proportion));
            }
            arm.sum
        }
        _ => needed(arm.sum_sq, "sum_sq")?,
    };
    let own = Sums::of(n, arm.sum, sum_sq).map_err(impossible)?;
    let (other_sum, other_sum_sq) = match (metric.kind, arm.cov_sum) {
        (Kind::Ratio, _) => (needed(arm.den_sum, "den_sum")?, needed(arm.den_sum_sq, "den_sum_sq")?),
        (_, Some(sum)) => (sum, needed(arm.cov_sum_sq, "cov_sum_sq")?),
        (_, None) => return Ok(ArmSums::Mean(own)),
    };
    let cross_sum = needed(arm.cross_sum, "cross_sum")?;
    let totals = PairTotals { n, sum: arm.sum, sum_sq, other_sum, other_sum_sq, cross_sum };
    match (metric.kind, PairSums::of(&totals)) {
        (Kind::Ratio, Ok(sums)) => Ok(ArmSums::Ratio(sums)),
        (Kind::Ratio, Err(error)) => {
            by_formula(&totals).map(ArmSums::Estimated).ok_or_else(|| impossible(error))
        }
        (_, Err(error)) => Err(impossible(error)),
        (kind, Ok(sums)) => {
            let zero_or_one = (other_sum_sq - other_sum).abs() <= 1e-9 * other_sum.abs();
            let laws = match kind {
                Kind::Proportion if zero_or_one => {
                    Laws { value: Law::Proportion, covariate: Law::Proportion }
                }
                Kind::Proportion => Laws { value: Law::Proportion, covariate: Law::Mean },
                _ => Laws::default(),
            };
            Ok(ArmSums::Adjusted(sums, laws))
        }
    }
}

/// The ratio and its variance by the delta method where the sums of the denominator contradict each other, as those of a
/// widely used published example do; `None` where they leave no positive variance.
fn by_formula(totals: &PairTotals) -> Option<effect::Arm> {
    let PairTotals { n: units, sum, sum_sq, other_sum, other_sum_sq, cross_sum } = *totals;
    let n = units as f64;
    let (mean, below) = (sum / n, other_sum / n);
    let centred = |product: f64, a: f64, b: f64| (product - a / n * b) / (n - 1.0);
    let (v, v_below) = (centred(sum_sq, sum, sum), centred(other_sum_sq, other_sum, other_sum));
    let covariance = centred(cross_sum, sum, other_sum);
    let ratio = mean / below;
    let variance = (v - 2.0 * ratio * covariance + ratio * ratio * v_below) / (below * below) / n;
    (units > 1 && variance > 0.0 && variance.is_finite() && other_sum_sq >= 0.0).then_some(effect::Arm {
        n: units,
        mean: Some(ratio),
        variance: Some(variance),
    })
}
