//! From sums to words: estimates, correction, verdicts and the ledger of what was done. Pure.

use windvane_stats::experiment::{
    quantile::QuantileArm,
    srm::{self, Assigned},
    sums::Sums,
};
use windvane_types::counting::form;
use windvane_types::experiment::{
    Arm, Comparison, Document, Role, SCHEMA, Segment, Srm, SrmVerdict, Verdict,
};

use super::{
    advice, beside,
    compare::{self, Compared},
    deciding::Deciding,
    facts::{ArmFacts, ArmMetric, ArmSums, Facts, MetricFacts, Part},
    health,
    inference::{Inference, alternative_name},
    looks::{self, Place, Seen},
    metric::Measured,
    request::{LookedAt, Rule},
    shares::Shares,
    verdicts::{self, Member},
};

/// Below this a sample ratio is a mismatch.
pub const SRM_BELOW: f64 = 0.001;

/// Judges an experiment. The control must be one of the arms.
pub(super) fn judge(facts: &Facts, control: usize, rule: &Rule) -> Document {
    let srm = sample_ratio(facts, SRM_BELOW, rule);
    let mut health = health::checks(facts, control, (&srm, rule));
    let places = places(facts, control, rule);
    let mut comparisons = comparisons(facts, control, (rule, &places, 1));
    let mut segments = segments(facts, control, (rule, &places));
    let tests = corrected(&mut comparisons, &mut segments, (facts, rule));
    let decide = |comparison: &mut Comparison, ratio: &Srm| match facts.switched_off(comparison) {
        Some(arm) => verdicts::leave_out(comparison, arm),
        None => verdicts::decide(comparison, ratio, rule),
    };
    for comparison in &mut comparisons {
        decide(comparison, &srm);
    }
    for segment in &mut segments {
        if segment.srm.verdict == SrmVerdict::Mismatch {
            let subject = segment
                .segment
                .iter()
                .map(|(column, value)| format!("{column}={}", value.as_deref().unwrap_or("(missing)")));
            let bound = SRM_BELOW / facts.parts.segments.len() as f64;
            let subject = subject.collect::<Vec<_>>().join(", ");
            health.push(health::segment((&segment.srm, rule), subject, bound));
        }
        // Where units of the whole were lost, those of a segment that is in balance are not known to be alike either.
        let ratio = if srm.verdict == SrmVerdict::Mismatch { &srm } else { &segment.srm };
        for comparison in &mut segment.comparisons {
            decide(comparison, ratio);
        }
    }
    let advised = rule.advice && srm.verdict == SrmVerdict::Ok;
    let cut = !segments.is_empty() || facts.parts.segments_left_out > 0;
    Document {
        schema: SCHEMA.to_owned(),
        arms: arms(facts),
        srm,
        comparisons,
        source: facts.source.clone(),
        control: facts.arms[control].name.clone(),
        alpha: rule.alpha,
        correction: rule.correction.as_str().to_owned(),
        tests,
        inference: rule.inference.as_str().to_owned(),
        rows: facts.rows,
        units_in_several_arms: facts.several,
        health,
        segments,
        alternative: alternative_name(rule.alternative).to_owned(),
        segments_left_out: cut.then_some(facts.parts.segments_left_out),
        advice: if advised { advice::advice(facts) } else { Vec::new() },
    }
}

fn arms(facts: &Facts) -> Vec<Arm> {
    let arm = |arm: &ArmFacts| Arm { arm: arm.name.clone(), n: arm.units, weight: arm.weight };
    facts.arms.iter().map(arm).collect()
}

/// The comparisons within each segment; neither corrected nor judged yet.
fn segments(facts: &Facts, control: usize, (rule, places): (&Rule, &Places)) -> Vec<Segment> {
    let among = facts.parts.segments.len().max(1);
    let bound = SRM_BELOW / among as f64;
    let own = |of_metric: &Vec<Place>| -> Vec<Place> { of_metric.iter().map(Place::of_segment).collect() };
    let places: Vec<Vec<Place>> = places.iter().map(own).collect();
    let of = |part: &Part| Segment {
        segment: part.values.clone(),
        arms: arms(&part.facts),
        srm: sample_ratio(&part.facts, bound, rule),
        comparisons: comparisons(&part.facts, control, (rule, &places, among)),
    };
    facts.parts.segments.iter().map(of).collect()
}

/// Corrects all p-values as one family, those of segments among them and those of arms that get no units not; answers how many there are.
fn corrected(
    comparisons: &mut [Comparison],
    segments: &mut [Segment],
    (facts, rule): (&Facts, &Rule),
) -> usize {
    let count = segments.len();
    let whole = comparisons
        .iter_mut()
        .map(|comparison| Member { primary: comparison.role == Role::Primary, comparison });
    let parts = segments
        .iter_mut()
        .flat_map(|segment| &mut segment.comparisons)
        .map(|comparison| Member { primary: false, comparison });
    let tested = |member: &Member<'_>| facts.switched_off(member.comparison).is_none();
    let mut family: Vec<Member<'_>> = whole.chain(parts).filter(tested).collect();
    verdicts::correct(&mut family, rule, count)
}

/// Where this look stands among those that share alpha, by metric and arm.
type Places = [Vec<Place>];

/// Nothing unless looks were planned.
fn places(facts: &Facts, control: usize, rule: &Rule) -> Vec<Vec<Place>> {
    let Inference::GroupSequential(looks) = &rule.inference else { return Vec::new() };
    let of = |(place, metric): (usize, &MetricFacts)| -> Vec<Place> {
        let of_arm = |arm: usize| match &facts.parts.looked {
            None => Place::planned(looks.fractions(facts.units_dealt())),
            Some(looked) => {
                let contrast = compared(facts, place, (control, arm)).contrast;
                let seen = Seen {
                    place,
                    metric: &metric.metric.name,
                    arm: &facts.arms[arm].name,
                    units: facts.units_dealt(),
                    n: [arm, control].map(|arm| metric.arms[arm].n),
                    means: [contrast.mean, contrast.mean_control],
                };
                looked.place(&seen, (looks, rule.alternative))
            }
        };
        (0..facts.arms.len()).map(of_arm).collect()
    };
    facts.metrics.iter().enumerate().map(of).collect()
}

/// A metric of an arm beside the control's.
fn compared(facts: &Facts, place: usize, (control, arm): (usize, usize)) -> Compared {
    let arms = &facts.metrics[place].arms;
    match strata(facts, place) {
        Some(strata) => compare::stratified(&compare::strata(strata, (control, arm))),
        None => compare::compare(&arms[control], &arms[arm]),
    }
}

/// The sums of a metric by stratum and arm, where it is compared within strata.
fn strata(facts: &Facts, place: usize) -> Option<&[Vec<Sums>]> {
    facts.parts.strata.get(place).map(Vec::as_slice).filter(|strata| !strata.is_empty())
}

/// Every metric of every arm but the control, in one of so many parts; neither corrected nor judged yet.
fn comparisons(
    facts: &Facts,
    control: usize,
    (rule, places, among): (&Rule, &Places, usize),
) -> Vec<Comparison> {
    let mut found = Vec::new();
    for (place, metric) in facts.metrics.iter().enumerate() {
        for arm in (0..facts.arms.len()).filter(|arm| *arm != control) {
            let compared = compared(facts, place, (control, arm));
            let anytime = facts.parts.anytime.iter().find(|it| it.metric == place);
            let anytime = anytime.map(|it| it.compare((control, arm), rule));
            let shares = Shares::of(&metric.arms, (control, arm), strata(facts, place));
            let place = places.get(place).and_then(|of_metric| of_metric.get(arm));
            let deciding = Deciding { contrast: &compared.contrast, rule, place, anytime, shares, among };
            found.push(comparison(facts, (metric, &compared), (control, arm), &deciding));
        }
    }
    found
}

/// Of an experiment that is looked at more than once the p-value that holds at every look decides.
fn sample_ratio(facts: &Facts, bound: f64, rule: &Rule) -> Srm {
    let assigned: Vec<Assigned> =
        facts.arms.iter().map(|arm| Assigned { n: arm.units, weight: arm.weight }).collect();
    // Weights were checked when they were read.
    let found = srm::srm(&assigned).unwrap_or_default();
    let mut srm = Srm {
        p_value: found.p_value,
        sequential_p_value: found.sequential_p_value,
        verdict: SrmVerdict::Ok,
        scheduled: rule.looked_at == LookedAt::Scheduled,
    };
    if srm.deciding_p_value(rule.inference.as_str()).is_some_and(|p| p < bound) {
        srm.verdict = SrmVerdict::Mismatch;
    }
    srm
}

fn comparison(
    facts: &Facts,
    (metric, compared): (&MetricFacts, &Compared),
    (control, arm): (usize, usize),
    deciding: &Deciding<'_>,
) -> Comparison {
    let sides = (&metric.arms[control], &metric.arms[arm]);
    let sums = (&sides.0.sums, &sides.1.sums);
    let ledger = ledger(facts, metric, sides, compared);
    let Compared { contrast, cuped, stratified, method } = *compared;
    let rule = deciding.rule;
    let asked = &metric.metric;
    let method = match (&asked.measured, method) {
        // Where a variance is not known the estimators of means and shares are none of their own.
        (Measured::Mean, "ratio") => "welch",
        (Measured::Proportion, "ratio") => "proportion",
        _ => method,
    };
    let level = compare::level(rule);
    let absolute = compare::effect(contrast.absolute(level));
    let group_sequential = deciding.group_sequential();
    // What stands beside is of the plain sums, so it does not go with strata.
    let plain = stratified.is_none();
    let exact = plain.then(|| beside::exact(sums.0, sums.1, rule.alternative)).flatten();
    let fieller = plain.then(|| beside::fieller(sums.0, sums.1, (&contrast, rule.alpha))).flatten();
    let mut decision = deciding.decision(group_sequential.as_ref());
    let beta = beside::beta_binomial(sums, asked.better, rule);
    if let (Some((_, ci)), Inference::Bayesian { .. }) = (&beta, &rule.inference) {
        decision.ci = Some(*ci);
    }
    let reason = metric.reason.clone().or_else(|| undefined(&absolute, sides));
    let mut comparison = Comparison {
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
        sequential: compare::sequential(deciding),
        bayesian: compare::bayesian(deciding, asked.better),
        cuped,
        verdict: Verdict::Inconclusive,
        ledger,
        kind: asked.kind(),
        denominator: asked.denominator().map(str::to_owned),
        quantile: asked.quantile(),
        better: asked.better,
        role: asked.role,
        margin: asked.margin,
        margin_test: deciding.margin_test(asked.better, asked.margin),
        missing: sides.0.missing + sides.1.missing,
        reason: reason.or_else(|| deciding.undecided(&decision)),
        decision,
        group_sequential,
        beta_binomial: beta.map(|(told, _)| told),
        exact_p_value: exact.as_ref().map(|exact| exact.p_value),
        exact_test: exact.as_ref().map(|exact| exact.test.to_owned()),
        relative_fieller: fieller,
        stratified,
        guardrail: (asked.role == Role::Guardrail).then(|| deciding.guardrail(asked.better, asked.margin)),
    };
    comparison.ledger.extend(exact.map(|exact| exact.told()));
    let told = verdicts::told(&comparison, deciding);
    comparison.ledger.extend(told);
    let of = (comparison.metric.as_str(), comparison.arm.as_str());
    comparison.ledger.extend(looks::told_before(&facts.parts.looked_before, of));
    comparison
}

/// Why there is no p-value.
fn undefined(
    absolute: &windvane_types::experiment::Effect,
    (control, arm): (&ArmMetric, &ArmMetric),
) -> Option<String> {
    let units = control.n.min(arm.n);
    let quantiles = match (&control.sums, &arm.sums) {
        (ArmSums::Quantile(Some(control)), ArmSums::Quantile(Some(arm))) if units > 1 => Some([control, arm]),
        _ => None,
    };
    let reason = match quantiles {
        _ if absolute.p_value.is_some() => return None,
        _ if units == 0 => "an arm has no unit with a value",
        Some(arms) => undefined_quantile(arms, absolute.se),
        None if absolute.estimate.is_none() => "the estimate is not defined: the denominator sums to 0",
        None if absolute.se == Some(0.0) => match control.sums {
            ArmSums::Ratio(_) | ArmSums::AdjustedRatio(_) => {
                "the standard error is 0: all units of each arm have one same ratio"
            }
            ArmSums::Adjusted(..) => {
                "the standard error is 0: within each arm nothing varies that the covariate does not tell"
            }
            _ => "the standard error is 0: all units of each arm have one same value",
        },
        None if units < 2 => "an arm has one unit only",
        None => "the standard error is not defined",
    };
    Some(reason.to_owned())
}

/// The same of quantiles of several units.
fn undefined_quantile(arms: [&QuantileArm; 2], se: Option<f64>) -> &'static str {
    let [Some(control), Some(arm)] = arms.map(|arm| arm.ends) else {
        return "too few rows for an interval at this quantile";
    };
    let width = |(lo, hi): (f64, f64)| hi - lo;
    match [width(control), width(arm)] {
        widths if !widths.iter().all(|width| width.is_finite()) => "values about the quantile are infinite",
        [0.0, 0.0] => "the standard error is 0: in each arm the rows about the quantile have one same value",
        widths if widths.contains(&0.0) => {
            "in one arm the rows about the quantile have one same value, which does not tell how far chance moves it"
        }
        _ if se.is_none() => "the values about the quantile are too large to be squared",
        _ => "the standard error is 0: all units of each arm have the same share of rows up to the quantile",
    }
}

/// What was done between the rows and the estimate, in order.
fn ledger(
    facts: &Facts,
    metric: &MetricFacts,
    (control, arm): (&ArmMetric, &ArmMetric),
    compared: &Compared,
) -> Vec<String> {
    let mut lines = Vec::new();
    let count = |n: u64, noun: &str| format!("{n} {noun}{}", form(n, "", "s"));
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
    if let Some(found) = compared.stratified {
        let less = found.variance_reduction.map_or(String::new(), |share| {
            format!(
                "; variance {} by {:.1} %",
                if share >= 0.0 { "lower" } else { "higher" },
                share.abs() * 100.0
            )
        });
        lines.push(format!(
            "post-stratified: {} and weighed as all units have them, {} merged for too few units{less}",
            match found.strata {
                1 => "1 stratum".to_owned(),
                strata => format!("{strata} strata"),
            },
            found.merged
        ));
    }
    let tied = |side: &ArmMetric| matches!(&side.sums, ArmSums::Quantile(Some(side)) if side.is_tied());
    if tied(control) || tied(arm) {
        lines.push("tied: so many rows have the quantile itself that its error is the whole way to the other end of its interval".to_owned());
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

#[cfg(test)]
mod tests;
