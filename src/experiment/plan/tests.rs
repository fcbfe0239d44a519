//! What a plan answers, and what it refuses.

use clap::Parser;
use windvane_analyzer::experiment::{
    FamilyCorrection, Measured, Metric, SequenceMethod, StoredChecks, StoredExperiment, StoredMetric,
    inference::{Earlier, Inference, Looks, Progress},
};
use windvane_stats::experiment::group_sequential::Spending;
use windvane_store::experiment::{Exposed, ExposedBy, RecordTable};
use windvane_types::experiment::{Better, Role};

use super::own::Ending;
use super::words::{chance, text};
use super::*;
use crate::cli;

#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    plan: PlanArguments,
}

/// What is printed for a metric of mean 20 and standard deviation 35, or why nothing is.
fn answer(more: &[&str]) -> Result<String, String> {
    let words = ["plan", "--mean", "20", "--sd", "35"].iter().chain(more).copied();
    let asked = cli::parse::<Line>(words).map_err(|error| error.to_string())?.plan;
    let planned = check(&asked).and_then(|()| plan(&asked, &given(&asked)?));
    planned.map(|document| text(&document)).map_err(|failure| failure.to_string())
}

fn refused(more: &[&str], parts: &[&str]) {
    let told = answer(more).unwrap_err();
    assert!(parts.iter().all(|part| told.contains(part)), "{more:?} told {told:?}");
}

fn printed(more: &[&str], part: &str) {
    let told = answer(more).unwrap();
    assert!(told.contains(part), "{more:?} told {told:?}");
}

#[test]
fn an_effect_that_is_none_is_repeated_and_what_is_accepted_is_told() {
    refused(&["--effect", "inf"], &["`--effect inf`", "a finite share such as 0.05"]);
    refused(&["--effect", "nan"], &["`--effect NaN`", "a finite share such as 0.05"]);
    refused(&["--effect", "0"], &["`--effect 0`", "a share such as 0.05"]);
    refused(&["--looks", "5"], &["`--effect SHARE`", "`--units N`"]);
}

#[test]
fn an_effect_on_the_other_side_is_told_to_be_there() {
    let greater = ["--alternative", "greater"];
    let less = ["--alternative", "less"];
    let other = "lies on the other side: ";
    printed(
        &[&less[..], &["--effect", "0.05"]].concat(),
        &format!("{other}`--alternative less` finds effects below 0 %"),
    );
    printed(
        &[&greater[..], &["--effect", "-0.06", "--margin", "0.05"]].concat(),
        &format!("{other}`--alternative greater` finds effects above -5 %"),
    );
    let within = answer(&[&greater[..], &["--effect", "-0.02", "--margin", "0.05"]].concat()).unwrap();
    assert!(!within.contains(other) && within.contains("worse by no more than 5 %"), "{within}");
}

#[test]
fn arms_of_unlike_shares_do_not_get_as_many_units_each() {
    let words = ["plan", "--mean", "20", "--sd", "35", "--effect", "0.05"];
    let asked = cli::parse::<Line>(words).unwrap().plan;
    let even = given(&asked).unwrap();
    let uneven = Ground { allocation: Allocation::of(0.9, 0.1, 1.0).unwrap(), ..even };
    let document = plan(&asked, &uneven).unwrap();
    assert_eq!(document.shares, Some([0.9, 0.1]));
    let told = text(&document);
    assert!(
        told.contains("units over 2 arms (90 % in the control, 10 % in the smallest other arm)"),
        "{told}"
    );
    let alike = plan(&asked, &given(&asked).unwrap()).unwrap();
    assert!(alike.shares.is_none() && text(&alike).contains("2 arms (19,231 each)"), "{}", text(&alike));
}

#[test]
fn a_chance_below_one_does_not_read_as_certain() {
    let chances = [0.8, 0.9999, 0.999_999, 0.999_999_84, 1.0 - f64::EPSILON].map(chance);
    assert_eq!(chances, ["80 %", "99.99 %", "99.9999 %", "99.99998 %", "99.99999999999997 %"]);
    assert_eq!(chance(1.0), "100 %");
    // Four times the variance 35² and (1.959964 + 4.753424)² over the square of 1, which is 5 % of 20: 220,840.95.
    printed(&["--effect", "0.05", "--power", "0.999999"], "a chance of 99.9999 % by 220,841 units");
}

// Oracle: statsmodels 0.14 `2 * TTestIndPower().solve_power(1 / 35, alpha=.05, power=.8)`, 38,461.34: what the verdict's Welch test of the
// absolute difference takes. The relative difference's error would have asked for 40,433 and 36,587 units.
#[test]
fn an_effect_takes_as_many_units_downwards_as_upwards() {
    printed(&["--effect", "0.05"], "a chance of 80 % by 38,462 units");
    printed(&["--effect", "-0.05"], "a chance of 80 % by 38,462 units");
    let zero = cli::parse::<Line>(["plan", "--mean", "0", "--sd", "1", "--effect", "0.1", "--units", "1000"]);
    let asked = zero.unwrap().plan;
    let document = plan(&asked, &given(&asked).unwrap()).unwrap();
    let found = (document.units_needed, document.power_with_units, document.minimum_detectable_effect);
    assert_eq!(found, (None, None, None));
}

// What stops at any time is judged by the absolute difference, which has one error both ways. What is held against a margin counts the
// control as often as the margin says: 1 + .8² or 1 + 1.2² in place of 2.
#[test]
fn looks_at_any_time_take_the_absolute_difference_and_margins_their_share_of_the_control() {
    let units = |more: &[&str]| {
        let words = [&["plan", "--mean", "20", "--sd", "35"][..], more].concat();
        let asked = cli::parse::<Line>(words).unwrap().plan;
        plan(&asked, &given(&asked).unwrap()).unwrap().units_needed.unwrap() as f64
    };
    for look in [&["--sequential"][..], &["--looks", "5"], &[]] {
        let of = |effect| units(&[&["--effect", effect], look].concat());
        assert_eq!(of("0.05"), of("-0.05"), "{look:?}");
    }
    let held = |side| units(&["--effect", "0", "--margin", "0.2", "--alternative", side]);
    let ratio = held("less") / held("greater");
    assert!((ratio - 2.44 / 1.64).abs() < 2e-3, "{ratio}");
}

#[test]
fn one_day_is_told_as_one() {
    printed(&["--effect", "0.05", "--units-per-day", "40000"], "a day that takes 1 day\n");
    printed(&["--effect", "0.05", "--units-per-day", "20000"], "a day that takes 2 days\n");
}

#[test]
fn both_sides_are_named_as_in_the_configuration_or_with_a_dash() {
    for name in ["two_sided", "two-sided"] {
        printed(&["--effect", "0.05", "--alternative", name], "two-sided at 0.05, looked at once\n");
    }
}

#[test]
fn a_plan_says_how_often_it_is_looked_at() {
    for (more, told) in [
        (&[][..], "two-sided at 0.05, looked at once\n"),
        (&["--sequential"], "two-sided at 0.05, looked at any time with `--sequential-tuning 73647`\n"),
        (&["--looks", "5"], "two-sided at 0.05, looked at 5 times\n"),
    ] {
        printed(&[&["--effect", "0.05"], more].concat(), told);
    }
    // So does the plan of an experiment, whose rule says when: no option does.
    let asked = cli::parse::<Line>(["plan", "--mean", "20", "--sd", "35", "--effect", "0.05"]).unwrap().plan;
    let rule = Rule { inference: Inference::Sequential, ..Rule::against("A") };
    let ground = Ground { manner: manner(&[], &rule, (0, 2)), ..given(&asked).unwrap() };
    let told = text(&plan(&asked, &ground).unwrap());
    assert!(told.contains(", looked at any time\n"), "{told}");
}

// With the default of 5,000 units the interval is wider at 73,647: the plan holds only for the tuning that it is made with, which counts
// the units of the control and one arm.
#[test]
fn a_plan_for_any_time_tells_the_tuning_that_it_is_made_with() {
    let planned = |more: &[&str]| {
        let words = [&["plan", "--mean", "20", "--sd", "35"][..], more].concat();
        let asked = cli::parse::<Line>(words).unwrap().plan;
        plan(&asked, &given(&asked).unwrap()).unwrap()
    };
    let two = planned(&["--sequential", "--effect", "0.05"]);
    assert_eq!(two.tuning, two.units_needed.map(|needed| needed as f64));
    let three = planned(&["--sequential", "--effect", "0.05", "--arms", "3"]);
    let difference = three.tuning.unwrap() - two.tuning.unwrap();
    assert!(difference.abs() <= 2.0, "{three:?}");
    assert_eq!(planned(&["--sequential", "--units", "9000"]).tuning, Some(9_000.0));
    assert_eq!(planned(&["--effect", "0.05"]).tuning, None);
}

// Where only those who bought are recorded, the share of buyers among units with a record is 1.
#[test]
fn traffic_of_units_that_are_all_alike_says_what_is_missing() {
    let asked = cli::parse::<Line>(["plan", "--share", "1", "--effect", "0.05"]).unwrap().plan;
    let planned = plan(&asked, &given(&asked).unwrap()).unwrap();
    let missing = "those without one are not known to have come";
    assert!(!text(&planned).contains(missing));
    let (experiment, metric) = ("checkout".to_owned(), "bought".to_owned());
    let traffic = Traffic { experiment, metric, span: "7d".to_owned(), units: 190, window_days: 7.0 };
    let alike = Document { traffic: Some(traffic), ..planned };
    assert!(text(&alike).contains(missing), "{}", text(&alike));
    let unlike = Document { variance: 0.25, ..alike };
    assert!(!text(&unlike).contains(missing));
}

#[test]
fn a_mean_below_0_is_planned_like_one_above() {
    let told = |words: &[&str]| {
        let asked = cli::parse::<Line>(words).unwrap().plan;
        plan(&asked, &given(&asked).unwrap()).unwrap().units_needed.unwrap()
    };
    let of_mean = |mean| told(&["plan", "--mean", mean, "--sd", "35", "--effect", "0.05"]);
    assert_eq!(of_mean("-20"), of_mean("20"));
    let of_quantile = |value| {
        let level = ["plan", "--quantile", "0.5", "--density", "0.01", "--effect", "0.05"];
        told(&[&level[..], &["--value", value]].concat())
    };
    assert_eq!(of_quantile("-20"), of_quantile("20"));
}

/// An experiment of revenue, and of waits as a guardrail, under this rule.
fn configured(rule: Rule) -> StoredExperiment {
    let metric = |metric: Metric| StoredMetric {
        table: RecordTable::Measurements,
        column: metric.name.clone(),
        metric,
    };
    let waits = Metric {
        better: Better::Lower,
        role: Role::Guardrail,
        margin: Some(0.02),
        ..Metric::new("waits", Measured::Mean)
    };
    StoredExperiment {
        exposed: Exposed {
            experiment: "checkout".to_owned(),
            by: ExposedBy::Exposures,
            start_us: None,
            end_us: 0,
            window_us: 1,
            segment_by: Vec::new(),
        },
        metrics: vec![metric(Metric::new("revenue", Measured::Mean)), metric(waits)],
        covariate_us: None,
        segment_units_min: 1,
        stratify: None,
        checks: StoredChecks::default(),
        rule,
    }
}

fn manner(more: &[&str], rule: &Rule, (place, arms): (usize, u32)) -> Manner {
    let words = ["plan", "checkout", "--effect", "0.05"].iter().chain(more).copied();
    let asked = cli::parse::<Line>(words).unwrap().plan;
    Manner::of_experiment(&asked, &configured(rule.clone()), (place, arms))
}

fn planned_looks() -> Rule {
    let before = Earlier::Every(5);
    let looks = Looks { spending: Spending::Pocock, now: Progress::OfUnits(9.0), before };
    let inference = Inference::GroupSequential(looks);
    Rule { inference, alternative: Alternative::Greater, ..Rule::against("A") }
}

#[test]
fn a_plan_takes_from_the_experiment_what_no_option_says() {
    let rule = planned_looks();
    let own = manner(&[], &rule, (0, 2));
    let looks = |looks| Ending::Looks { looks, spending: Spending::Pocock };
    assert_eq!((own.ending, own.alternative, own.margin), (looks(5), Alternative::Greater, None));
    assert!((own.alpha - 0.025).abs() < 1e-12, "{own:?}");
    let told = [
        "inference = group_sequential, 5 looks by pocock",
        "alternative = greater",
        "alpha = 0.05, of which holm leaves 0.025 to one of 2 p-values",
    ];
    assert_eq!(own.taken, told);

    let given = manner(&["--fixed", "--alternative", "two-sided", "--alpha", "0.05"], &rule, (0, 2));
    let options = Manner {
        alpha: 0.05,
        alternative: Alternative::TwoSided,
        margin: None,
        ending: Ending::Once,
        taken: Vec::new(),
    };
    assert_eq!(given, options);
    assert_eq!(manner(&["--looks", "3"], &rule, (0, 2)).ending, looks(3));
    assert_eq!(manner(&["--sequential"], &rule, (0, 2)).ending, Ending::AnyTime { tuning: None });
}

#[test]
fn a_plan_knows_every_inference_of_an_experiment() {
    let sequential = Rule { inference: Inference::Sequential, tuning: 20_000.0, ..Rule::against("A") };
    for (rule, ending, told) in [
        (Rule::against("A"), Ending::Once, "inference = fixed"),
        (
            sequential.clone(),
            Ending::AnyTime { tuning: Some(20_000.0) },
            "inference = sequential, narrowest at 20000 units",
        ),
        (
            Rule { sequence: SequenceMethod::parse("msprt(0.05)").unwrap(), ..sequential },
            Ending::AnyTime { tuning: None },
            "inference = sequential by msprt(0.05), counted as the asymptotic method at its narrowest",
        ),
        (
            Rule { inference: Inference::Bayesian { loss_max: None }, ..Rule::against("A") },
            Ending::Once,
            "inference = bayesian, counted as one look",
        ),
    ] {
        let own = manner(&[], &rule, (0, 2));
        assert_eq!((own.ending, own.taken[0].as_str()), (ending, told));
    }
}

// Three arms make two p-values of each of two metrics. Of the primary metric's two, preferring it leaves each .8 of alpha over 2.
#[test]
fn a_plan_counts_the_p_values_that_share_alpha() {
    let rule = Rule::against("A");
    assert!((manner(&[], &rule, (0, 3)).alpha - 0.0125).abs() < 1e-12);
    let correction = FamilyCorrection::Preferential { primary_share: 0.8 };
    let preferred = manner(&[], &Rule { correction, ..rule }, (0, 3));
    assert!((preferred.alpha - 0.02).abs() < 1e-9, "{preferred:?}");
    assert!(preferred.taken[2].ends_with("preferential_bonferroni leaves 0.02 to one of 4 p-values"));
}

#[test]
fn a_guardrail_is_planned_as_it_is_tested() {
    let rule = planned_looks();
    let own = manner(&[], &rule, (1, 2));
    assert_eq!((own.alternative, own.margin, own.alpha), (Alternative::Less, Some(0.02), 0.05));
    let told = "role = guardrail, tested one-sided (less) against margin = 0.02";
    assert!(own.taken.iter().any(|line| line == told), "{own:?}");
    assert_eq!(manner(&["--margin", "0.1"], &rule, (1, 2)).margin, Some(0.1));
    let other = manner(&["--alternative", "greater"], &rule, (1, 2));
    assert_eq!((other.margin, other.alternative), (None, Alternative::Greater));
}

// A covariate that takes half of the variance away halves the units; what it takes is known once it is there.
#[test]
fn a_plan_says_that_a_covariate_is_not_counted() {
    let last = |more: &[&str], experiment: &StoredExperiment| {
        let words = ["plan", "checkout", "--effect", "0.05"].iter().chain(more).copied();
        let asked = cli::parse::<Line>(words).unwrap().plan;
        Manner::of_experiment(&asked, experiment, (0, 2)).taken.pop().unwrap()
    };
    let adjusted = StoredExperiment { covariate_us: Some(1), ..configured(Rule::against("A")) };
    assert!(last(&[], &adjusted).starts_with("covariate_window is not counted"));
    assert!(last(&["--variance-reduction", "0.5"], &adjusted).starts_with("alpha"));
    let strata = StoredExperiment { stratify: Some("region".to_owned()), ..configured(Rule::against("A")) };
    assert!(last(&[], &strata).starts_with("stratify is not counted"));
    let mut quantile = adjusted;
    quantile.metrics[0].metric.measured = Measured::Quantile { q: 0.5 };
    assert!(last(&[], &quantile).starts_with("alpha"));
}
