//! Whether a few extreme units carry an effect. Pure.

use windvane_stats::experiment::{
    health::outliers::{self, ArmExtremes, Influence},
    sums::Sums,
};
use windvane_types::experiment::{Check, CheckVerdict};

use super::check;
use crate::experiment::{
    compare,
    facts::{ArmSums, Extremes, Facts},
    request::Rule,
};

/// One check a mean and arm, where the extreme units are known.
pub(super) fn checks(facts: &Facts, control: usize, rule: &Rule) -> Vec<Check> {
    let mut checks = Vec::new();
    for Extremes { metric: place, arms } in &facts.parts.extremes {
        let metric = &facts.metrics[*place];
        let of = |arm: usize| Some((values(&metric.arms.get(arm)?.sums)?, arms.get(arm)?));
        for arm in facts.tested(control) {
            let (Some((sums_control, extremes_control)), Some((sums, extremes))) = (of(control), of(arm))
            else {
                continue;
            };
            let found = outliers::outliers(
                ArmExtremes { sums: &sums_control, extremes: extremes_control },
                ArmExtremes { sums: &sums, extremes },
                compare::level(rule),
            );
            let left_out = (extremes_control.len(), extremes.len());
            checks.push(told(
                &found,
                left_out,
                format!("{} of {}", metric.metric.name, facts.arms[arm].name),
            ));
        }
    }
    checks
}

/// The sums of the values alone.
fn values(sums: &ArmSums) -> Option<Sums> {
    match sums {
        ArmSums::Mean(sums) => Some(*sums),
        ArmSums::Adjusted(sums, _) => Some(sums.select([0])),
        _ => None,
    }
}

fn told(found: &outliers::Outliers, (control, arm): (usize, usize), subject: String) -> Check {
    let rest = found.rest.map_or("unknown".to_owned(), |rest| format!("{:+.4}", rest.estimate));
    let all = found.all.map_or("unknown".to_owned(), |all| format!("{:+.4}", all.estimate));
    let without = format!(
        "without the {control} most extreme units of the control and the {arm} of the arm the difference is {rest} instead of {all}"
    );
    let cap = "Look at these units: bots, duplicates, one large customer? Cap the metric (--cap p99.9) if they are no part of the question, and say so before you look at the result.";
    let (verdict, meaning, advice) = match found.influence {
        Influence::Small => {
            (CheckVerdict::Ok, format!("The answer does not hang on a few units: {without}."), "")
        }
        Influence::Decides => {
            (CheckVerdict::Warning, format!("A few units decide whether there is an effect: {without}."), cap)
        }
        Influence::Reverses => {
            (CheckVerdict::Warning, format!("A few units turn the effect round: {without}."), cap)
        }
        Influence::Undecided => (
            CheckVerdict::Unknown,
            "Too few units tell whether a few of them carry the effect.".to_owned(),
            "",
        ),
    };
    check("outlier_influence", verdict, (Some(subject), found.carried, None), (&meaning, advice))
}
