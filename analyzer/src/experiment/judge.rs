//! From sums to words: estimates, correction, verdicts and the ledger of what was done. Pure.

use windvane_stats::{
    correction::Correction,
    experiment::srm::{self, Assigned},
};
use windvane_types::experiment::{Arm, Better, Comparison, Document, SCHEMA, Srm, SrmVerdict, Verdict};

use super::{
    compare::{self, Compared},
    facts::{ArmMetric, Facts, MetricFacts},
    health,
    metric::Measured,
    request::Rule,
};

/// Below this a sample ratio is a mismatch.
pub const SRM_BELOW: f64 = 0.001;

/// Judges an experiment. The control must be one of the arms.
pub(super) fn judge(facts: &Facts, control: usize, rule: &Rule) -> Document {
    let srm = sample_ratio(facts);
    let health = health::checks(facts, control, &srm);
    let mut comparisons: Vec<Comparison> = facts
        .metrics
        .iter()
        .flat_map(|metric| {
            let others = (0..facts.arms.len()).filter(move |arm| *arm != control);
            others.map(move |arm| comparison(facts, metric, (control, arm), rule))
        })
        .collect();
    let tests = correct(&mut comparisons, rule);
    for comparison in &mut comparisons {
        decide(comparison, &srm, rule);
    }
    Document {
        schema: SCHEMA.to_owned(),
        arms: facts
            .arms
            .iter()
            .map(|arm| Arm { arm: arm.name.clone(), n: arm.units, weight: arm.weight })
            .collect(),
        srm,
        comparisons,
        source: facts.source.clone(),
        control: facts.arms[control].name.clone(),
        alpha: rule.alpha,
        correction: rule.correction.as_str().to_owned(),
        tests,
        inference: "fixed".to_owned(),
        rows: facts.rows,
        units_in_several_arms: facts.several,
        health,
        segments: Vec::new(),
    }
}

fn sample_ratio(facts: &Facts) -> Srm {
    let assigned: Vec<Assigned> =
        facts.arms.iter().map(|arm| Assigned { n: arm.units, weight: arm.weight }).collect();
    // Weights were checked when they were read.
    let found = srm::srm(&assigned).unwrap_or_default();
    let mismatch = found.p_value.is_some_and(|p| p < SRM_BELOW);
    Srm {
        p_value: found.p_value,
        sequential_p_value: found.sequential_p_value,
        verdict: if mismatch { SrmVerdict::Mismatch } else { SrmVerdict::Ok },
    }
}

fn comparison(
    facts: &Facts,
    metric: &MetricFacts,
    (control, arm): (usize, usize),
    rule: &Rule,
) -> Comparison {
    let sides = (&metric.arms[control], &metric.arms[arm]);
    let compared = compare::compare(sides.0, sides.1);
    let ledger = ledger(facts, metric, sides, &compared);
    let Compared { contrast, cuped, method } = compared;
    let asked = &metric.metric;
    let level = compare::level(rule);
    let absolute = compare::effect(contrast.absolute(level));
    Comparison {
        metric: asked.name.clone(),
        arm: facts.arms[arm].name.clone(),
        control: facts.arms[control].name.clone(),
        n: sides.1.n,
        n_control: sides.0.n,
        mean: contrast.mean,
        mean_control: contrast.mean_control,
        absolute,
        relative: contrast.relative.map(|_| compare::effect(contrast.relative(level))),
        p_value: absolute.p_value,
        p_adjusted: None,
        df: contrast.df,
        method: method.to_owned(),
        sequential: compare::sequential(&contrast, rule),
        bayesian: compare::bayesian(&contrast, asked.better, rule),
        cuped,
        verdict: Verdict::Inconclusive,
        ledger,
        kind: asked.kind(),
        denominator: match &asked.measured {
            Measured::Ratio { denominator } => Some(denominator.clone()),
            _ => None,
        },
        quantile: match asked.measured {
            Measured::Quantile { q } => Some(q),
            _ => None,
        },
        better: asked.better,
        role: asked.role,
        margin: asked.margin,
        margin_test: compare::margin_test(&contrast, asked.better, asked.margin),
        missing: sides.0.missing + sides.1.missing,
        reason: metric.reason.clone().or_else(|| undefined(&absolute, sides)),
    }
}

/// Why there is no p-value.
fn undefined(
    absolute: &windvane_types::experiment::Effect,
    (control, arm): (&ArmMetric, &ArmMetric),
) -> Option<String> {
    let reason = match absolute {
        _ if absolute.p_value.is_some() => return None,
        _ if control.n.min(arm.n) == 0 => "an arm has no unit with a value",
        _ if absolute.estimate.is_none() => "the estimate is not defined: the denominator sums to 0",
        _ if absolute.se == Some(0.0) => "the standard error is 0: all units of each arm have one same value",
        _ if control.n.min(arm.n) < 2 => "an arm has one unit only",
        _ => "too few rows for an interval at this quantile",
    };
    Some(reason.to_owned())
}

/// What was done between the rows and the estimate, in order.
fn ledger(
    facts: &Facts,
    metric: &MetricFacts,
    (control, arm): (&ArmMetric, &ArmMetric),
    compared: &Compared,
) -> Vec<String> {
    let mut lines = Vec::new();
    let count = |n: u64, noun: &str| format!("{n} {noun}{}", if n == 1 { "" } else { "s" });
    if facts.unassigned > 0 {
        lines.push(format!("left out: {} without a unit or without an arm", count(facts.unassigned, "row")));
    }
    if facts.several > 0 {
        lines.push(format!("left out: {} seen in several arms", count(facts.several, "unit")));
    }
    let quantile = matches!(metric.metric.measured, Measured::Quantile { .. });
    let assigned = facts.rows.map(|rows| rows - facts.unassigned);
    if assigned.is_some_and(|rows| rows > facts.units + facts.several) && !quantile {
        lines.push(format!(
            "summed: {} to {}",
            count(assigned.unwrap_or_default(), "row"),
            count(facts.units + facts.several, "unit")
        ));
    }
    let missing = control.missing + arm.missing;
    if missing > 0 {
        let covariate =
            metric.covariate.as_ref().map_or(String::new(), |name| format!(" or of the covariate `{name}`"));
        lines.push(format!("left out: {} without a value{covariate}", count(missing, "unit")));
    }
    let partial = control.partial + arm.partial;
    if partial > 0 && !quantile {
        lines.push(format!("summed without {} that have no value", count(partial, "row")));
    }
    lines.extend(metric.notes.iter().cloned());
    if let Some(cuped) = compared.cuped {
        let name = metric.covariate.as_deref().unwrap_or("covariate");
        let less = match cuped.variance_reduction {
            Some(share) if share >= 0.0 => format!("; variance lower by {:.1} %", share * 100.0),
            Some(share) => format!("; variance higher by {:.1} %", -share * 100.0),
            None => String::new(),
        };
        lines.push(format!("adjusted: covariate `{name}` with theta {:.6}{less}", cuped.theta));
    }
    if quantile && control.values + arm.values > control.n + arm.n {
        lines.push(format!(
            "clustered: {} of {}, so the interval counts units and not rows",
            count(control.values + arm.values, "row"),
            count(control.n + arm.n, "unit")
        ));
    }
    lines
}

/// Corrects the p-values as one family; answers how many there are.
fn correct(comparisons: &mut [Comparison], rule: &Rule) -> usize {
    let family: Vec<f64> = comparisons.iter().filter_map(|comparison| comparison.p_value).collect();
    let mut adjusted = rule.correction.adjust(&family).into_iter();
    for comparison in comparisons {
        let Some(p_value) = comparison.p_value else { continue };
        comparison.p_adjusted = adjusted.next();
        let told = family.len() > 1 && rule.correction != Correction::None;
        if let Some(adjusted) = comparison.p_adjusted.filter(|_| told) {
            comparison.ledger.push(format!(
                "corrected: p {p_value:.6} to {adjusted:.6} by {} over {} p-values; intervals are not widened",
                rule.correction.as_str(),
                family.len()
            ));
        }
    }
    family.len()
}

fn decide(comparison: &mut Comparison, srm: &Srm, rule: &Rule) {
    let significant = comparison.p_adjusted.is_some_and(|p| p < rule.alpha);
    let good = match (comparison.absolute.estimate, comparison.better) {
        (Some(estimate), Better::Higher) => Some(estimate > 0.0).filter(|_| estimate != 0.0),
        (Some(estimate), Better::Lower) => Some(estimate < 0.0).filter(|_| estimate != 0.0),
        (None, _) => None,
    };
    let equivalent =
        comparison.margin_test.and_then(|test| test.equivalence_p_value).is_some_and(|p| p < rule.alpha);
    let mut verdict = match good {
        Some(true) if significant => Verdict::Better,
        Some(false) if significant => Verdict::Worse,
        _ if equivalent => Verdict::Equivalent,
        _ => Verdict::Inconclusive,
    };
    if srm.verdict == SrmVerdict::Mismatch && verdict != Verdict::Inconclusive {
        comparison.ledger.push(format!(
            "withheld: the verdict `{}`, because the arms do not have their share of units (p {:.2e})",
            verdict.as_str(),
            srm.p_value.unwrap_or_default()
        ));
        verdict = Verdict::Inconclusive;
    }
    comparison.verdict = verdict;
}
