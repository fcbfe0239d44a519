//! Whether the experiment itself can be trusted: one entry a check, with what it means and what to do. Pure.

mod concentration;
mod novelty;
mod outliers;
mod strata;
mod timing;

use windvane_stats::{
    binomial::Share,
    experiment::{
        effect::{Alternative, Level},
        health::{
            ALPHA,
            carry_over::{self, Before},
            imbalance::{self, Balance},
        },
        mean, ratio,
        sums::RatioSums,
    },
    two_proportions::{
        self, EXPECTED_MIN, Table,
        pooled::{self, Continuity},
    },
};
use windvane_types::experiment::{Check, CheckVerdict, Srm, SrmVerdict};

use super::{
    compare,
    facts::{ArmMetric, ArmSums, Facts, MetricFacts},
    judge::SRM_BELOW,
    request::Rule,
};

/// Units in several arms are an accident of logging below this share, or below this number.
const SEVERAL_SHARE_MAX: f64 = 0.01;
const SEVERAL_MIN: u64 = 10;
/// What to do about arms that were not alike.
const COVARIATE_ADVICE: &str = "Check that the covariate is measured before a unit sees its arm, and that units are dealt out at random.";

/// All checks that these facts allow. Arms that are not tested are not checked: a weight of 0 says that they are unlike the others.
pub(super) fn checks(facts: &Facts, control: usize, (srm, rule): (&Srm, &Rule)) -> Vec<Check> {
    let mut checks = vec![sample_ratio(srm, rule), several(facts)];
    for metric in &facts.metrics {
        for arm in facts.tested(control) {
            let sides = (&metric.arms[control], &metric.arms[arm]);
            let subject = format!("{} of {}", metric.metric.label(), facts.arms[arm].name);
            checks.extend(missing(sides, &subject));
            let balance = covariate(metric, sides, &facts.arms[arm].name);
            let balance = balance.and_then(|found| anew(&checks, found, &metric.metric.name));
            checks.extend(balance);
            checks.extend(carried(sides, &subject));
        }
    }
    checks.extend(novelty::checks(facts, control));
    checks.extend(timing::checks(facts, control));
    checks.extend(outliers::checks(facts, control, rule));
    checks.extend(strata::checks(facts, control));
    checks.extend(concentration::checks(facts, control));
    checks.extend(without_values(facts));
    checks
}

/// What is told of a covariate beside this metric. It is told once an arm, unless the units of another metric, which may lack values
/// elsewhere, or another one of the same name are not alike.
fn anew(told: &[Check], found: Check, metric: &str) -> Option<Check> {
    let subject = found.subject.clone().unwrap_or_default();
    let beside = format!("{subject}, beside ");
    let of_it = |check: &&Check| {
        let known = check.subject.as_deref().unwrap_or_default();
        check.check == found.check && (known == subject || known.starts_with(&beside))
    };
    let before: Vec<&Check> = told.iter().filter(of_it).collect();
    if before.is_empty() {
        return Some(found);
    }
    let same = |check: &&Check| (check.verdict, check.observed) == (found.verdict, found.observed);
    if before.iter().any(same) || found.verdict == CheckVerdict::Ok {
        return None;
    }
    Some(Check { subject: Some(beside + metric), ..found })
}

fn sample_ratio(srm: &Srm, rule: &Rule) -> Check {
    let p_value = srm.deciding_p_value(rule.inference.as_str());
    let (verdict, meaning, advice) = match (srm.verdict, p_value) {
        (SrmVerdict::Mismatch, _) => (
            CheckVerdict::Failure,
            "The arms do not have their share of units, and chance does not explain it.",
            "Do not read the effects; look for units that are lost or dealt out wrongly in one arm (redirects, crashes, filters, bots).",
        ),
        (SrmVerdict::Ok, None) => {
            (CheckVerdict::Unknown, "Without units or weights the shares of the arms cannot be told.", "")
        }
        (SrmVerdict::Ok, Some(_)) => (CheckVerdict::Ok, "The arms have their share of units.", ""),
    };
    check("sample_ratio", verdict, (None, p_value, Some(SRM_BELOW)), (meaning, advice))
}

fn several(facts: &Facts) -> Check {
    let all = facts.units + facts.several;
    let share = if all == 0 { 0.0 } else { facts.several as f64 / all as f64 };
    let many = share > SEVERAL_SHARE_MAX && facts.several >= SEVERAL_MIN;
    let counted = format!("{} of {all} units ({:.2} %)", facts.several, share * 100.0);
    let (verdict, meaning, advice) = match facts.several {
        _ if many => (
            CheckVerdict::Failure,
            format!(
                "Many units were seen in several arms, {counted}; leaving them out may leave the arms unlike."
            ),
            "Find out why a unit changes its arm: an identifier that is shared or renewed, or weights that were changed without keeping earlier units.",
        ),
        0 => (CheckVerdict::Ok, "No unit was seen in several arms.".to_owned(), ""),
        _ => (
            CheckVerdict::Ok,
            format!("Few units were seen in several arms, {counted}; they are left out."),
            "",
        ),
    };
    check("units_in_several_arms", verdict, (None, Some(share), Some(SEVERAL_SHARE_MAX)), (&meaning, advice))
}

/// Whether one arm has more units without a value than the control.
fn missing((control, arm): (&ArmMetric, &ArmMetric), subject: &str) -> Option<Check> {
    if control.missing + arm.missing == 0 {
        return None;
    }
    let share = |side: &ArmMetric| Share::new(side.missing, side.n + side.missing);
    let table = Table { control: share(control)?, treatment: share(arm)? };
    // Fisher's test is exact as well where few are missing or all, and takes no time with millions of units.
    let p = match table.smallest_expected() >= EXPECTED_MIN {
        true => pooled::pooled_z(&table, Continuity::None, Alternative::TwoSided),
        false => two_proportions::fisher(&table, Alternative::TwoSided),
    };
    let (verdict, meaning, advice) = match p < ALPHA {
        true => (
            CheckVerdict::Warning,
            "The share of units without a value differs between the arms, so those with one are no longer alike.",
            "Find out what makes values go missing; count them as 0 where that is what they mean.",
        ),
        false => (CheckVerdict::Ok, "Values go missing as often in both arms.", ""),
    };
    let numbers = (Some(subject.to_owned()), Some(p), Some(ALPHA));
    Some(check("missing_balance", verdict, numbers, (meaning, advice)))
}

/// Whether the arms differed before the experiment.
fn covariate(metric: &MetricFacts, (control, arm): (&ArmMetric, &ArmMetric), name: &str) -> Option<Check> {
    if let (ArmSums::AdjustedRatio(control), ArmSums::AdjustedRatio(arm)) = (&control.sums, &arm.sums) {
        let covariate = metric.covariate.as_deref().unwrap_or("covariate");
        return ratio_covariate((control, arm), format!("{covariate} of {name}"));
    }
    let (ArmSums::Adjusted(control, _), ArmSums::Adjusted(arm, _)) = (&control.sums, &arm.sums) else {
        return None;
    };
    let found = imbalance::imbalance(&control.select([1]), &arm.select([1]), ALPHA);
    let covariate = metric.covariate.as_deref().unwrap_or("covariate");
    let apart =
        found.standardised_difference.map_or(String::new(), |d| format!(" by {d:.4} standard deviations"));
    let (verdict, meaning, advice) = match found.balance {
        Balance::Imbalanced => (
            CheckVerdict::Failure,
            format!("The arms differed before the experiment began{apart}, and chance does not explain it."),
            COVARIATE_ADVICE,
        ),
        Balance::Balanced => {
            (CheckVerdict::Ok, "The arms were alike before the experiment began.".to_owned(), "")
        }
        Balance::Undecided => (
            CheckVerdict::Unknown,
            "Too few units tell whether the arms were alike before the experiment began.".to_owned(),
            "",
        ),
    };
    let numbers = (Some(format!("{covariate} of {name}")), found.p_value, Some(ALPHA));
    Some(check("covariate_balance", verdict, numbers, (&meaning, advice)))
}

/// The same of a ratio, which has no deviation of its own to tell a difference in.
fn ratio_covariate((control, arm): (&RatioSums, &RatioSums), subject: String) -> Option<Check> {
    let before = ratio::alike(&control.select([2, 3]), &arm.select([2, 3]));
    let p_value = before.absolute(Level::two_sided(ALPHA)).and_then(|effect| effect.p_value);
    let (verdict, meaning, advice) = match p_value {
        None => (
            CheckVerdict::Unknown,
            "Whether the ratio was the same in both arms before the experiment cannot be told.",
            "",
        ),
        Some(p) if p < ALPHA => (
            CheckVerdict::Failure,
            "The ratio differed between the arms before the experiment began, and chance does not explain it.",
            COVARIATE_ADVICE,
        ),
        Some(_) => {
            (CheckVerdict::Ok, "The ratio did not differ between the arms before the experiment began.", "")
        }
    };
    Some(check("covariate_balance", verdict, (Some(subject), p_value, Some(ALPHA)), (meaning, advice)))
}

/// Whether what the arms were like before could be what the metric shows now.
fn carried(sides: (&ArmMetric, &ArmMetric), subject: &str) -> Option<Check> {
    let before = match (&sides.0.sums, &sides.1.sums) {
        (ArmSums::Adjusted(control, _), ArmSums::Adjusted(arm, _)) => {
            mean::alike(&control.select([1]), &arm.select([1]))
        }
        (ArmSums::AdjustedRatio(control), ArmSums::AdjustedRatio(arm)) => {
            ratio::alike(&control.select([2, 3]), &arm.select([2, 3]))
        }
        _ => return None,
    };
    let found = carry_over::carry_over(&before, ALPHA);
    let now = compare::compare(sides.0, sides.1).contrast.absolute;
    let now = now.and_then(|now| Some(now.value / now.se.filter(|se| *se > 0.0)?));
    let errors = |z: Option<f64>| z.map_or("an unknown number of".to_owned(), |z| format!("{z:.2}"));
    let (verdict, meaning, advice) = match found.before {
        Before::CarriedOver => (
            CheckVerdict::Warning,
            format!(
                "Something earlier may still show: the arms were {} standard errors apart before, and are {} apart now after adjustment.",
                errors(found.z),
                errors(now)
            ),
            "Look for an earlier experiment that dealt these units out alike; give this one a salt of its own, or wait until the earlier effect is gone.",
        ),
        Before::Clean => {
            (CheckVerdict::Ok, "Nothing from before the experiment shows in the arms.".to_owned(), "")
        }
        Before::Undecided => (
            CheckVerdict::Unknown,
            "Too few units tell whether something from before the experiment still shows.".to_owned(),
            "",
        ),
    };
    let p_value = found.difference.and_then(|difference| difference.p_value);
    Some(check("carry_over", verdict, (Some(subject.to_owned()), p_value, Some(ALPHA)), (&meaning, advice)))
}

/// Columns that cut nothing, such as those whose name is none of the data's.
fn without_values(facts: &Facts) -> Vec<Check> {
    let segments = &facts.parts.segments;
    let columns = segments.first().map(|part| part.values.keys()).into_iter().flatten();
    let unknown = columns.filter(|column| segments.iter().all(|part| part.values[*column].is_none()));
    let told = |column: &String| {
        check(
            "segment_values",
            CheckVerdict::Warning,
            (Some(column.clone()), None, None),
            (
                "No unit of the segments has a value of it, so it cuts nothing.",
                "Check its name: over the store it is `version`, `environment`, or a categorical feature or tag of the predictions that expose units, or that were there before.",
            ),
        )
    };
    unknown.map(told).collect()
}

/// The sample ratio of one segment; its bound is divided by the number of segments.
pub(super) fn segment((srm, rule): (&Srm, &Rule), subject: String, bound: f64) -> Check {
    let mut told = sample_ratio(srm, rule);
    told.subject = Some(subject);
    told.bound = Some(bound);
    told
}

fn check(
    name: &str,
    verdict: CheckVerdict,
    (subject, observed, bound): (Option<String>, Option<f64>, Option<f64>),
    (meaning, advice): (&str, &str),
) -> Check {
    Check {
        check: name.to_owned(),
        verdict,
        subject,
        observed,
        bound,
        meaning: meaning.to_owned(),
        advice: advice.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use windvane_stats::experiment::{
        cuped::Laws,
        sums::{PairSums, Sums},
    };
    use windvane_store::experiment::TimingRow;

    use super::*;
    use crate::experiment::{
        Metric,
        facts::{ArmFacts, Early, Extremes, Parts, Timed},
        metric::Measured,
    };

    fn arm(n: u64, missing: u64) -> ArmMetric {
        let sums = ArmSums::Mean(Sums::default());
        ArmMetric { sums, n, missing, partial: 0, capped: 0, floored: 0, values: n }
    }

    // Oracle: SciPy 1.17 `fisher_exact`: [[0, 8], [8, 0]] is 2/C(16, 8), [[2, 8], [0, 10]] 9/19; `chi2_contingency(correction=False)` of
    // [[40, 160], [10, 190]].
    #[test]
    fn values_that_one_arm_alone_lacks_are_told() {
        for (control, other, verdict, p) in [
            (arm(8, 0), arm(0, 8), CheckVerdict::Warning, 2.0 / 12_870.0),
            (arm(8, 2), arm(10, 0), CheckVerdict::Ok, 9.0 / 19.0),
            (arm(160, 40), arm(190, 10), CheckVerdict::Warning, CHI_SQUARE),
            (arm(0, 9), arm(0, 12), CheckVerdict::Ok, 1.0),
        ] {
            let found = missing((&control, &other), "m of B").unwrap();
            let observed = found.observed.unwrap();
            assert!((observed / p - 1.0).abs() < 1e-6, "{observed:e} instead of {p:e}");
            assert_eq!(found.verdict, verdict, "{observed:e}");
        }
        assert_eq!(missing((&arm(9, 0), &arm(9, 0)), "m of B"), None);
    }

    const CHI_SQUARE: f64 = 5.744_711_919_156_866e-6;

    /// The arms A, B and C with every kind of check to make of them; half of C's units have rows from before they were assigned.
    fn three_arms(weights: [f64; 3]) -> Facts {
        let mut pairs = PairSums::default();
        (0..100_u32).for_each(|i| pairs.push([f64::from(i % 7), f64::from(i % 5)]));
        let mut heavy = pairs;
        heavy.push([5_000.0, 9_000.0]);
        let metric = |name: &str, measured, sums: ArmSums| MetricFacts {
            metric: Metric::new(name, measured),
            covariate: None,
            arms: vec![ArmMetric { sums, ..arm(100, 9) }; 3],
            notes: Vec::new(),
            reason: None,
        };
        let clicks = Measured::Ratio { denominator: "views".to_owned() };
        let metrics = vec![
            metric("spent", Measured::Mean, ArmSums::Adjusted(pairs, Laws::default())),
            metric("clicks", clicks, ArmSums::Ratio(heavy)),
        ];
        let timing = |arm, early| TimingRow { arm, units: 100, early, late: 1 };
        Facts {
            source: "e".to_owned(),
            rows: None,
            unassigned: 0,
            units: 300,
            several: 0,
            arms: (0..3)
                .map(|arm| ArmFacts {
                    name: ["A", "B", "C"][arm].to_owned(),
                    units: 100,
                    weight: weights[arm],
                })
                .collect(),
            parts: Parts {
                days: vec![(0, metrics.clone())],
                strata_units: vec![vec![50; 3]; 2],
                extremes: vec![Extremes { metric: 0, arms: vec![vec![6.0]; 3] }],
                timed: Some(Timed {
                    rows: vec![timing(0, 0), timing(1, 0), timing(2, 50)],
                    early: Some(Early::Rows),
                    received: true,
                }),
                ..Parts::default()
            },
            metrics,
        }
    }

    // Two covariates of a summary have one name, and so has one covariate beside a metric that other units lack.
    #[test]
    fn a_covariate_that_is_unlike_beside_another_metric_is_told() {
        let mut facts = three_arms([0.4, 0.3, 0.3]);
        facts.parts = Parts::default();
        let unlike = (0..100_u32).fold(PairSums::default(), |mut pairs, i| {
            pairs.push([f64::from(i % 7), f64::from(i % 5 + 3)]);
            pairs
        });
        let mut other = facts.metrics[0].clone();
        other.arms[1].sums = ArmSums::Adjusted(unlike, Laws::default());
        for name in ["first", "second", "third"] {
            other.metric.name = name.to_owned();
            facts.metrics.push(other.clone());
        }
        facts.metrics.push(facts.metrics[0].clone());
        let srm = Srm { p_value: None, sequential_p_value: None, verdict: SrmVerdict::Ok, scheduled: false };
        let found = checks(&facts, 0, (&srm, &Rule::against("A")));
        let told = found.iter().filter(|check| check.check == "covariate_balance");
        let told: Vec<_> = told.map(|check| (check.subject.as_deref().unwrap(), check.verdict)).collect();
        let expected = [
            ("covariate of B", CheckVerdict::Ok),
            ("covariate of C", CheckVerdict::Ok),
            ("covariate of B, beside first", CheckVerdict::Failure),
        ];
        assert_eq!(told, expected);
    }

    /// How many checks of this name are there of an arm.
    fn count(found: &[Check], name: &str, arm: &str) -> usize {
        let of_arm = |check: &&Check| check.subject.as_ref().is_some_and(|subject| subject.ends_with(arm));
        found.iter().filter(|check| check.check == name).filter(of_arm).count()
    }

    #[test]
    fn arms_that_get_no_units_are_not_checked() {
        let srm = Srm { p_value: None, sequential_p_value: None, verdict: SrmVerdict::Ok, scheduled: false };
        let told = |weights| checks(&three_arms(weights), 0, (&srm, &Rule::against("A")));
        let [all, without_c, without_a] = [[0.4, 0.3, 0.3], [0.5, 0.5, 0.0], [0.0, 0.5, 0.5]].map(told);
        for (name, of_arm) in [
            ("missing_balance", 2),
            ("covariate_balance", 1),
            ("carry_over", 1),
            ("novelty", 2),
            ("late_data", 1),
            ("outlier_influence", 1),
            ("strata_balance", 1),
            ("unit_concentration", 1),
        ] {
            assert_eq!(["B", "C"].map(|arm| count(&all, name, arm)), [of_arm; 2], "{name}: {all:?}");
            let found = ["B", "C"].map(|arm| count(&without_c, name, arm));
            assert_eq!(found, [of_arm, 0], "{name}: {without_c:?}");
            // With a control of weight 0 nothing is tested.
            let found = ["A", "B", "C"].map(|arm| count(&without_a, name, arm));
            assert_eq!(found, [0; 3], "{name}: {without_a:?}");
        }
        assert_eq!(count(&all, "unit_concentration", "A"), 1);
        for (found, verdict) in [(&all, CheckVerdict::Failure), (&without_c, CheckVerdict::Ok)] {
            let early = found.iter().find(|check| check.check == "exposure_before_assignment").unwrap();
            assert_eq!(early.verdict, verdict, "{early:?}");
        }
    }
}
