//! Sums that another program made, as facts.

mod digits;
mod strata;

use windvane_stats::experiment::{
    cuped::{Law, Laws},
    effect,
    proportion::Proportion,
    quantile::QuantileArm,
    sums::{PairSums, PairTotals, RatioSums, Sums, SumsError},
};
use windvane_types::{
    experiment::Kind,
    experiment_summary::{SCHEMA, Summary, SummaryArm, SummaryBefore, SummaryMetric},
};

use super::{
    ExperimentError, Metric,
    facts::{ArmMetric, ArmSums, Facts, MetricFacts},
    gather::share_out,
    metric::Measured,
};

/// How far a count may be off a whole number, as a share of it.
const COUNTED: f64 = 1e-9;

/// Takes a summary for what is known of an experiment.
pub(super) fn facts(summary: &Summary, source: &str) -> Result<Facts, ExperimentError> {
    let wrong = |problem: String| ExperimentError::Summary { problem };
    if summary.schema != SCHEMA {
        return Err(wrong(format!("`schema` is `{}`; it should be `{SCHEMA}`", summary.schema)));
    }
    let Some(first) = summary.metrics.first() else {
        return Err(wrong("there is no metric in `metrics`".to_owned()));
    };
    let names = arm_names(first)?;
    for metric in &summary.metrics {
        if let Some(other) = arm_names(metric)?.into_iter().find(|name| !names.contains(name)) {
            return Err(wrong(format!(
                "metric `{}` has an arm `{other}`; the first metric has not",
                metric.metric
            )));
        }
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
    if let Some(metric) = twice(&metrics) {
        let kind = metric.kind().as_str();
        return Err(wrong(format!(
            "metric `{}` is there twice as {kind}; each is one comparison",
            metric.name
        )));
    }
    let mut parts = strata::parts(&summary.metrics, &names)?;
    for (strata, metric) in parts.strata.iter_mut().zip(&metrics) {
        // Sums that have lost the variance of the whole are no better by stratum.
        if metric.reason.is_some() {
            strata.clear();
        }
    }
    Ok(Facts {
        source: source.to_owned(),
        rows: None,
        unassigned: 0,
        units: arms.iter().map(|arm| arm.units).sum(),
        several: 0,
        arms,
        metrics,
        parts,
    })
}

/// The names of a metric's arms in their order.
fn arm_names(metric: &SummaryMetric) -> Result<Vec<&str>, ExperimentError> {
    let mut names: Vec<&str> = metric.arms.iter().map(|arm| arm.arm.as_str()).collect();
    names.sort_unstable();
    match names.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(twice) => Err(ExperimentError::Summary {
            problem: format!("arm `{}` is there twice in metric `{}`", twice[0], metric.metric),
        }),
        None => Ok(names),
    }
}

/// A metric that is there before, measured the same way: it would count twice among the p-values.
fn twice(metrics: &[MetricFacts]) -> Option<&Metric> {
    let same = |a: &Metric, b: &Metric| (&a.name, &a.measured) == (&b.name, &b.measured);
    let mut numbered = metrics.iter().map(|facts| &facts.metric).enumerate();
    numbered
        .find(|(at, metric)| metrics[..*at].iter().any(|before| same(&before.metric, metric)))
        .map(|(_, metric)| metric)
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
    match first.arms.iter().find(|arm| arm.weight.is_none()) {
        Some(arm) if !given.is_empty() => Err(ExperimentError::Summary {
            problem: format!(
                "arm `{}` has no `weight`, but others have; give one to every arm or to none",
                arm.arm
            ),
        }),
        _ if !given.is_empty() && given.iter().all(|(_, weight)| *weight == 0.0) => {
            Err(ExperimentError::Summary { problem: "all weights are 0".to_owned() })
        }
        _ => Ok(given),
    }
}

fn of_arm<'a>(metric: &'a SummaryMetric, name: &str) -> Result<&'a SummaryArm, ExperimentError> {
    metric.arms.iter().find(|arm| arm.arm == name).ok_or_else(|| ExperimentError::Summary {
        problem: format!("metric `{}` has no arm `{name}`; the first metric has", metric.metric),
    })
}

fn whole(metric: &SummaryMetric, arm: &SummaryArm) -> Result<u64, ExperimentError> {
    counted(arm.n).ok_or_else(|| ExperimentError::Summary {
        problem: format!(
            "`n` of arm `{}` in metric `{}` is {}; it counts units",
            arm.arm, metric.metric, arm.n
        ),
    })
}

#[expect(
    clippy::cast_sign_loss,
    clippy::cast_possible_truncation,
    reason = "checked to be whole and within range"
)]
fn counted(number: f64) -> Option<u64> {
    // Above 2⁵³ a double does not count.
    (number >= 0.0 && number.fract() == 0.0 && number <= 9_007_199_254_740_992.0).then_some(number as u64)
}

fn metric_facts(metric: &SummaryMetric, names: &[&str]) -> Result<MetricFacts, ExperimentError> {
    let measured = match metric.kind {
        Kind::Mean => Measured::Mean,
        Kind::Proportion => Measured::Proportion,
        Kind::Ratio => Measured::Ratio { denominator: "denominator".to_owned() },
        Kind::Quantile => Measured::Quantile { q: level(metric)? },
    };
    if let Some(problem) = contradiction(metric) {
        return Err(ExperimentError::Summary { problem: format!("metric `{}` {problem}", metric.metric) });
    }
    let mut notes = Vec::new();
    let mut arms = Vec::new();
    for name in names {
        let arm = of_arm(metric, name)?;
        let n = whole(metric, arm)?;
        let (sums, values) = match measured {
            Measured::Quantile { q } => quantile(metric, arm, (n, q))?,
            _ => (arm_sums(metric, arm, n)?, n),
        };
        if let ArmSums::Estimated(_) = sums {
            notes.push(format!(
                "taken as given: the sums of the denominator in arm `{name}` contradict each other, so the standard error is that of the formula alone"
            ));
        }
        arms.push(ArmMetric { sums, n, missing: 0, partial: 0, capped: 0, floored: 0, values });
    }
    let adjusted = |arm: &ArmMetric| matches!(arm.sums, ArmSums::Adjusted(..) | ArmSums::AdjustedRatio(_));
    let with_covariate = arms.iter().any(adjusted);
    if with_covariate && !arms.iter().all(adjusted) {
        let field = if metric.kind == Kind::Ratio { "before" } else { "cov_sum" };
        return Err(ExperimentError::Summary {
            problem: format!("metric `{}` has `{field}` in some arms only", metric.metric),
        });
    }
    let reason = digits::look(metric, names, (arms.as_mut_slice(), &mut notes));
    let mut metric_of = Metric::new(&metric.metric, measured);
    metric_of.better = metric.better;
    metric_of.role = metric.role;
    metric_of.margin = metric.margin.filter(|margin| *margin > 0.0 && margin.is_finite());
    let covariate = with_covariate.then(|| "covariate".to_owned());
    Ok(MetricFacts { metric: metric_of, covariate, arms, notes, reason })
}

/// What does not go with the metric's type, or is no share; to leave it unread would be another answer than it seems.
fn contradiction(metric: &SummaryMetric) -> Option<String> {
    match metric.margin {
        _ if metric.kind != Kind::Ratio && metric.arms.iter().any(|arm| arm.before.is_some()) => Some(
            "is no ratio, and `before` goes with one; a covariate is `cov_sum`, `cov_sum_sq` and `cross_sum`"
                .to_owned(),
        ),
        _ if metric.kind != Kind::Quantile && metric.quantile.is_some() => {
            Some("has `quantile`, which goes with \"type\": \"quantile\"".to_owned())
        }
        Some(margin) if margin < 0.0 => Some(format!(
            "has the `margin` {margin}: give a share of the control's value above 0, such as 0.01"
        )),
        _ => None,
    }
}

/// Which quantile a metric is.
fn level(metric: &SummaryMetric) -> Result<f64, ExperimentError> {
    metric.quantile.filter(|q| *q > 0.0 && *q < 1.0).ok_or_else(|| ExperimentError::Summary {
        problem: format!(
            "metric `{}` needs `quantile`, above 0 and below 1, as in \"quantile\": 0.99",
            metric.metric
        ),
    })
}

fn needed(
    (metric, arm): (&SummaryMetric, &SummaryArm),
    value: Option<f64>,
    name: &str,
) -> Result<f64, ExperimentError> {
    value.ok_or_else(|| ExperimentError::Summary {
        problem: format!("arm `{}` of metric `{}` has no `{name}`", arm.arm, metric.metric),
    })
}

fn impossible(metric: &SummaryMetric, arm: &SummaryArm, source: SumsError) -> ExperimentError {
    ExperimentError::Sums { metric: metric.metric.clone(), arm: arm.arm.clone(), source }
}

/// The quantile of an arm's rows, and how many rows there are.
fn quantile(
    metric: &SummaryMetric,
    arm: &SummaryArm,
    (n, q): (u64, f64),
) -> Result<(ArmSums, u64), ExperimentError> {
    let needed = |value, name| needed((metric, arm), value, name);
    if n == 0 {
        return Ok((ArmSums::Quantile(None), 0));
    }
    let totals = PairTotals {
        n,
        sum: arm.sum,
        sum_sq: needed(arm.sum_sq, "sum_sq")?,
        other_sum: needed(arm.den_sum, "den_sum")?,
        other_sum_sq: needed(arm.den_sum_sq, "den_sum_sq")?,
        cross_sum: needed(arm.cross_sum, "cross_sum")?,
    };
    let estimate = needed(arm.estimate, "estimate")?;
    let wrong = |problem: String| ExperimentError::Summary { problem };
    let rows = counted(totals.other_sum).filter(|rows| *rows >= n).ok_or_else(|| {
        wrong(format!(
            "`den_sum` of arm `{}` in metric `{}` is {}; it counts rows, one of each unit at least",
            arm.arm, metric.metric, totals.other_sum
        ))
    })?;
    let ends = arm.low.zip(arm.high);
    let ordered = ends.is_none_or(|(low, high)| low <= estimate && estimate <= high);
    if !estimate.is_finite() || !ordered {
        return Err(wrong(format!(
            "arm `{}` of metric `{}` needs a finite `estimate`, between `low` and `high`",
            arm.arm, metric.metric
        )));
    }
    let clusters = PairSums::of(&totals).map_err(|error| impossible(metric, arm, error))?;
    Ok((ArmSums::Quantile(Some(QuantileArm { q, estimate, ends, clusters })), rows))
}

fn arm_sums(metric: &SummaryMetric, arm: &SummaryArm, n: u64) -> Result<ArmSums, ExperimentError> {
    let impossible = |source: SumsError| impossible(metric, arm, source);
    let needed = |value: Option<f64>, name: &str| needed((metric, arm), value, name);
    let sum_sq = match metric.kind {
        // The squares of 0 and 1 are themselves.
        Kind::Proportion => {
            let proportion = successes(n, arm.sum).map_err(impossible)?;
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
    if let (Kind::Ratio, Some(before)) = (metric.kind, &arm.before) {
        return four(&totals, before).map(ArmSums::AdjustedRatio).map_err(impossible);
    }
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

/// A proportion of units that succeeded: so many, but for what a sum of doubles is off.
fn successes(n: u64, sum: f64) -> Result<Proportion, SumsError> {
    match (sum - sum.round()).abs() <= COUNTED * sum.abs().max(1.0) {
        true => Proportion::of(n, sum.round()),
        false => Err(SumsError::NotAProportion { n, successes: sum }),
    }
}

/// Numerator, denominator, and the same two before the experiment.
fn four(now: &PairTotals, before: &SummaryBefore) -> Result<RatioSums, SumsError> {
    let SummaryBefore { sum, sum_sq, den_sum, den_sum_sq, cross_sum, .. } = *before;
    let SummaryBefore { num_num_sum, num_den_sum, den_num_sum, den_den_sum, .. } = *before;
    let products = [
        [now.sum_sq, now.cross_sum, num_num_sum, num_den_sum],
        [now.cross_sum, now.other_sum_sq, den_num_sum, den_den_sum],
        [num_num_sum, den_num_sum, sum_sq, cross_sum],
        [num_den_sum, den_den_sum, cross_sum, den_sum_sq],
    ];
    RatioSums::of_shifted(now.n, [0.0; 4], [now.sum, now.other_sum, sum, den_sum], products)
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

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use windvane_stats::experiment::{quantile::QuantileArm, sums::RatioSums};
    use windvane_types::experiment_summary::Summary;

    use super::{ArmSums, Facts, SCHEMA, facts};
    use crate::experiment::ExperimentError;

    fn read(metric: &Value, arms: &[Value]) -> Result<Facts, ExperimentError> {
        let mut metric = metric.clone();
        metric["metric"] = "m".into();
        metric["arms"] = arms.into();
        let summary: Summary =
            serde_json::from_value(json!({"schema": SCHEMA, "control": "a", "metrics": [metric]})).unwrap();
        facts(&summary, "sums.json")
    }

    fn refused(metric: &Value, arms: &[Value]) -> String {
        read(metric, arms).unwrap_err().to_string()
    }

    /// Numerator, denominator, and the same before, of units of whole numbers, so that plain sums are exact.
    fn units(shift: u32) -> Vec<[f64; 4]> {
        let unit = |i: u32| [i % 7 + shift, i % 3 + 1, i % 5, i % 4 + 1].map(f64::from);
        (0..40).map(unit).collect()
    }

    fn ratio(name: &str, units: &[[f64; 4]]) -> Value {
        let sum = |a: usize| units.iter().map(|unit| unit[a]).sum::<f64>();
        let product = |a: usize, b: usize| units.iter().map(|unit| unit[a] * unit[b]).sum::<f64>();
        json!({
            "arm": name, "n": units.len(), "sum": sum(0), "sum_sq": product(0, 0), "den_sum": sum(1),
            "den_sum_sq": product(1, 1), "cross_sum": product(0, 1),
            "before": {
                "sum": sum(2), "sum_sq": product(2, 2), "den_sum": sum(3), "den_sum_sq": product(3, 3),
                "cross_sum": product(2, 3), "num_num_sum": product(0, 2), "num_den_sum": product(0, 3),
                "den_num_sum": product(1, 2), "den_den_sum": product(1, 3),
            },
        })
    }

    #[test]
    fn a_ratio_with_what_it_was_before_is_that_of_its_units() {
        let kind = json!({"type": "ratio"});
        let arms = [ratio("a", &units(0)), ratio("b", &units(2))];
        let facts = read(&kind, &arms).unwrap();
        for (arm, shift) in facts.metrics[0].arms.iter().zip([0, 2]) {
            let mut expected = RatioSums::default();
            units(shift).into_iter().for_each(|unit| expected.push(unit));
            let ArmSums::AdjustedRatio(found) = &arm.sums else { panic!("{:?}", arm.sums) };
            for i in 0..4 {
                assert!((found.mean(i).unwrap() - expected.mean(i).unwrap()).abs() < 1e-12);
                for j in 0..4 {
                    let (found, expected) = (found.covariance(i, j), expected.covariance(i, j));
                    assert!((found.unwrap() - expected.unwrap()).abs() < 1e-12, "{i} {j}");
                }
            }
        }
        let mut without = arms.clone();
        without[1]["before"] = Value::Null;
        assert!(refused(&kind, &without).contains("`before` in some arms only"));
        assert!(refused(&json!({"type": "mean"}), &arms).contains("is no ratio"));
    }

    #[test]
    fn what_goes_with_another_type_is_not_left_unread() {
        let arms = ["a", "b"].map(|name| json!({"arm": name, "n": 10, "sum": 5, "sum_sq": 5}));
        for (metric, part) in [
            (json!({"type": "mean", "quantile": 0.9}), "`quantile`, which goes with"),
            (json!({"type": "mean", "margin": -0.1}), "the `margin` -0.1"),
        ] {
            let told = refused(&metric, &arms);
            assert!(told.contains("metric `m` has") && told.contains(part), "{told}");
        }
        assert!(read(&json!({"type": "mean", "margin": 0.0, "quantile": null}), &arms).is_ok());
    }

    #[test]
    fn successes_are_counted() {
        let kind = json!({"type": "proportion"});
        let of = |sum: f64| ["a", "b"].map(|name| json!({"arm": name, "n": 10, "sum": sum}));
        let error = read(&kind, &of(5.5)).unwrap_err();
        let ExperimentError::Sums { source, .. } = error else { panic!("{error}") };
        assert_eq!(source.to_string(), "5.5 successes of 10 units");
        let facts = read(&kind, &of(5.000_000_000_1)).unwrap();
        let ArmSums::Proportion(found) = &facts.metrics[0].arms[0].sums else { panic!("{facts:?}") };
        assert_eq!(found.successes(), 5.0);
    }

    #[test]
    fn a_weight_is_given_to_every_arm_or_to_none() {
        let arm = |name: &str, weight: Option<f64>| json!({"arm": name, "n": 10, "sum": 5, "sum_sq": 5, "weight": weight});
        let told =
            |a: Option<f64>, b: Option<f64>| refused(&json!({"type": "mean"}), &[arm("a", a), arm("b", b)]);
        let (some, all) = (told(None, Some(0.0)), told(Some(0.0), Some(0.0)));
        assert!(some.contains("arm `a` has no `weight`"), "{some}");
        assert!(all.contains("all weights are 0"), "{all}");
    }

    #[test]
    fn sums_that_have_lost_their_variance_have_no_standard_error() {
        let arm = |name: &str, offset: f64| {
            let values = [-1.0, 0.0, 1.0, 0.5].map(|x| x + offset);
            let sum_sq: f64 = values.iter().map(|x| x * x).sum();
            json!({"arm": name, "n": 4, "sum": values.iter().sum::<f64>(), "sum_sq": sum_sq})
        };
        let kind = json!({"type": "mean"});
        let lost = read(&kind, &[arm("a", 0.0), arm("b", 1e9)]).unwrap();
        let found = &lost.metrics[0];
        assert_eq!(found.notes.len(), 1, "{:?}", found.notes);
        assert!(found.notes[0].contains("arm `b` hold no digit"), "{:?}", found.notes);
        assert!(found.reason.is_some());
        for (arm, mean) in found.arms.iter().zip([0.125, 1e9 + 0.125]) {
            let ArmSums::Estimated(arm) = &arm.sums else { panic!("{:?}", arm.sums) };
            assert_eq!((arm.mean, arm.variance), (Some(mean), None));
        }
        let kept = read(&kind, &[arm("a", 0.0), arm("b", 100.0)]).unwrap();
        assert!(kept.metrics[0].notes.is_empty() && kept.metrics[0].reason.is_none());
    }

    #[test]
    fn every_metric_has_the_arms_of_the_first_and_each_once() {
        let read = |arms: &[&str]| {
            let arm = |name: &&str| json!({"arm": name, "n": 4, "sum": 2, "sum_sq": 2});
            let metric = |name: &str, arms: &[&str]| {
                let arms: Vec<Value> = arms.iter().map(arm).collect();
                json!({"metric": name, "type": "mean", "arms": arms})
            };
            let metrics = [metric("m", &["a", "b"]), metric("n", arms)];
            let summary = json!({"schema": SCHEMA, "control": "a", "metrics": metrics});
            facts(&serde_json::from_value::<Summary>(summary).unwrap(), "sums.json")
        };
        assert_eq!(read(&["b", "a"]).unwrap().metrics.len(), 2);
        for (arms, part) in [
            (&["a"][..], "metric `n` has no arm `b`"),
            (&["a", "b", "c"], "metric `n` has an arm `c`; the first metric has not"),
            (&["a", "b", "b"], "arm `b` is there twice in metric `n`"),
        ] {
            let said = read(arms).unwrap_err().to_string();
            assert!(said.contains(part), "{said}");
        }
    }

    #[test]
    fn a_metric_that_is_there_twice_is_refused() {
        let arm = |name: &str| json!({"arm": name, "n": 4, "sum": 2, "sum_sq": 2});
        let metric =
            |name: &str, kind: &str| json!({"metric": name, "type": kind, "arms": [arm("a"), arm("b")]});
        let read = |metrics: [Value; 2]| {
            let summary = json!({"schema": SCHEMA, "control": "a", "metrics": metrics});
            facts(&serde_json::from_value::<Summary>(summary).unwrap(), "sums.json")
        };
        let said = read([metric("m", "mean"), metric("m", "mean")]).unwrap_err().to_string();
        assert!(said.contains("metric `m` is there twice as mean"), "{said}");
        assert_eq!(read([metric("m", "mean"), metric("n", "mean")]).unwrap().metrics.len(), 2);
        assert_eq!(read([metric("m", "mean"), metric("m", "proportion")]).unwrap().metrics.len(), 2);
    }

    #[test]
    fn a_quantile_is_that_of_its_rows() {
        let kind = json!({"type": "quantile", "quantile": 0.5});
        let rows: Vec<Vec<f64>> = (0..30).map(|i| vec![f64::from(i), f64::from(i * 2 % 11)]).collect();
        let units = || rows.iter().map(Vec::as_slice);
        let expected = QuantileArm::of_units(units(), 0.5).unwrap();
        let below = |unit: &[f64]| unit.iter().filter(|value| **value <= expected.estimate).count() as f64;
        let sum = |of: &dyn Fn(&[f64]) -> f64| units().map(of).sum::<f64>();
        let (low, high) = expected.ends.unwrap();
        let arm = |name: &str| {
            json!({
                "arm": name, "n": 30, "sum": sum(&below), "sum_sq": sum(&|unit| below(unit) * below(unit)),
                "den_sum": 60, "den_sum_sq": 120, "cross_sum": sum(&|unit| 2.0 * below(unit)),
                "estimate": expected.estimate, "low": low, "high": high,
            })
        };
        let facts = read(&kind, &[arm("a"), arm("b")]).unwrap();
        let ArmSums::Quantile(Some(found)) = &facts.metrics[0].arms[1].sums else { panic!("no quantile") };
        assert_eq!((found.estimate, found.ends), (expected.estimate, expected.ends));
        assert!((found.variance().unwrap() / expected.variance().unwrap() - 1.0).abs() < 1e-9);
        assert_eq!(facts.metrics[0].arms[1].values, 60);
        let changed = |field: &str, value: Value| {
            let mut arm = arm("b");
            arm[field] = value;
            arm
        };
        for (field, value, part) in [
            ("estimate", Value::Null, "has no `estimate`"),
            ("high", json!(-1.0), "between `low` and `high`"),
            ("den_sum", json!(7), "it counts rows"),
        ] {
            let message = refused(&kind, &[arm("a"), changed(field, value)]);
            assert!(message.contains(part), "{field}: {message}");
        }
        assert!(refused(&json!({"type": "quantile"}), &[arm("a"), arm("b")]).contains("0.99"));
    }
}
