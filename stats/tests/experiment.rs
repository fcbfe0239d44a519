//! The statistics of experiments against SciPy, statsmodels and mpmath: tests/golden/experiment.json, written by
//! tests/golden/experiment.py.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use serde::Deserialize;
use serde_json::Value;
use windvane_stats::experiment::{
    bayes::{Prior, posterior},
    beta_binomial::{BetaPrior, beta_binomial},
    clustered::clustered_means,
    cuped::{Adjusted, Laws, adjusted, adjusted_ratio},
    effect::{Alternative, Contrast, Effect, Estimate, Level},
    group_sequential::{Schedule, Spending, boundaries},
    hypothesis::{Better, Hypothesis, Mode, Question, decide},
    mean::welch,
    mixture::NormalMixture,
    proportion::{Proportion, proportions},
    quantile::{QuantileArm, quantiles},
    quantile_sequence::{Passed, QuantilePlan, Step, quantile_p_value},
    ratio::ratios,
    sequence::confidence_sequence,
    srm::{Assigned, srm},
    sums::{Joint, PairSums, RatioSums, Sums},
};

/// Closed forms against 40 digits; the error function of statrs has ten.
const CLOSED_FORM: f64 = 1e-9;
/// Boundaries against SciPy's multivariate normal probabilities, which have eight digits.
const BOX: f64 = 1e-6;

const SIDES: [(&str, Alternative); 3] =
    [("two_sided", Alternative::TwoSided), ("greater", Alternative::Greater), ("less", Alternative::Less)];

fn cases(section: &str) -> Vec<Value> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden/experiment.json");
    let document: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let cases = document[section].as_array().unwrap().clone();
    assert!(!cases.is_empty(), "{section}");
    cases
}

fn read<T: for<'a> Deserialize<'a>>(value: &Value) -> T {
    T::deserialize(value).unwrap()
}

fn same(place: &str, actual: Option<f64>, expected: &Value, tolerance: f64) {
    match (actual.filter(|number| number.is_finite()), expected.as_f64()) {
        (None, None) => {}
        (Some(actual), Some(expected)) => {
            let off = (actual - expected).abs();
            assert!(
                off <= tolerance * expected.abs().max(1e-300),
                "{place}: {actual:e} instead of {expected:e}"
            );
        }
        (actual, _) => panic!("{place}: {actual:?} instead of {expected}"),
    }
}

fn same_effect(place: &str, actual: Option<Effect>, expected: &Value) {
    let Some(actual) = actual else {
        assert!(expected.is_null(), "{place}: nothing instead of {expected}");
        return;
    };
    // An end of an interval near 0 has the digits of the estimate and the width that it is the difference of.
    let scale = actual.estimate.abs() + actual.se.unwrap_or(0.0);
    let near = |field: &str, actual: Option<f64>| {
        let place = format!("{place} {field}");
        match (actual.filter(|end| end.is_finite()), expected[field].as_f64()) {
            (Some(actual), Some(expected)) => {
                assert!(
                    (actual - expected).abs() <= 3.0 * CLOSED_FORM * scale,
                    "{place}: {actual} instead of {expected}"
                );
            }
            (actual, expected) => assert_eq!(actual, expected, "{place}"),
        }
    };
    near("estimate", Some(actual.estimate));
    same(&format!("{place} se"), actual.se, &expected["se"], CLOSED_FORM);
    near("lo", actual.ci.map(|ci| ci.lo));
    near("hi", actual.ci.map(|ci| ci.hi));
    // Far out a p-value's digits are those of t²: a relative error of t grows by that.
    let z = actual.se.filter(|se| *se > 0.0).map_or(0.0, |se| actual.estimate / se);
    same(&format!("{place} p"), actual.p_value, &expected["p_value"], CLOSED_FORM * (1.0 + z * z / 1e3));
}

fn same_contrast(section: &str, case: &Value, actual: &Contrast) {
    let place = |field: &str| format!("{section}, {}: {field}", case["name"]);
    let expected = &case["expected"];
    same(&place("mean"), actual.mean, &expected["mean"], CLOSED_FORM);
    same(&place("mean_control"), actual.mean_control, &expected["mean_control"], CLOSED_FORM);
    same(&place("df"), actual.df, &expected["df"], CLOSED_FORM);
    let level = |alternative| Level { alpha: 0.05, alternative };
    same_effect(&place("absolute"), actual.absolute(level(Alternative::TwoSided)), &expected["absolute"]);
    same_effect(&place("relative"), actual.relative(level(Alternative::TwoSided)), &expected["relative"]);
    same_effect(&place("greater"), actual.absolute(level(Alternative::Greater)), &expected["greater"]);
    same_effect(&place("less"), actual.absolute(level(Alternative::Less)), &expected["less"]);
}

fn sums(rows: &Value) -> Sums {
    let mut sums = Sums::default();
    read::<Vec<f64>>(rows).into_iter().for_each(|value| sums.push([value]));
    sums
}

fn joint<const K: usize>(rows: &Value) -> Joint<K> {
    let mut sums = Joint::default();
    read::<Vec<Vec<f64>>>(rows).into_iter().for_each(|row| sums.push(row.try_into().unwrap()));
    sums
}

#[test]
fn means_agree() {
    for case in cases("welch") {
        same_contrast("welch", &case, &welch(&sums(&case["control"]), &sums(&case["arm"])));
    }
}

#[test]
fn proportions_agree() {
    let side = |value: &Value| {
        let (successes, n): (f64, u64) = read(value);
        Proportion::of(n, successes).unwrap()
    };
    for case in cases("proportion") {
        same_contrast("proportion", &case, &proportions(&side(&case["control"]), &side(&case["arm"])));
    }
}

#[test]
fn ratios_agree() {
    let pair = |value: &Value| -> PairSums { joint(value) };
    for case in cases("ratio") {
        same_contrast("ratio", &case, &ratios(&pair(&case["control"]), &pair(&case["arm"])));
    }
    for case in cases("clustered") {
        same_contrast("clustered", &case, &clustered_means(&pair(&case["control"]), &pair(&case["arm"])));
    }
}

#[test]
fn adjusted_differences_agree() {
    let check = |section: &str, case: &Value, actual: &Adjusted| {
        same_contrast(section, case, &actual.contrast);
        let expected = &case["expected"];
        same(section, Some(actual.theta), &expected["theta"], CLOSED_FORM);
        if let Some(reduction) = expected.get("variance_reduction") {
            let off = actual.variance_reduction.unwrap() - reduction.as_f64().unwrap();
            assert!(off.abs() < CLOSED_FORM, "{section}, {}", case["name"]);
        }
    };
    for case in cases("adjusted") {
        let side = |value: &Value| -> PairSums { joint(value) };
        check("adjusted", &case, &adjusted(&side(&case["control"]), &side(&case["arm"]), Laws::default()));
    }
    for case in cases("adjusted_ratio") {
        let side = |value: &Value| -> RatioSums { joint(value) };
        check("adjusted_ratio", &case, &adjusted_ratio(&side(&case["control"]), &side(&case["arm"])));
    }
}

#[test]
fn quantiles_agree() {
    for case in cases("quantile") {
        let side = |value: &Value| {
            let units: Vec<Vec<f64>> = read(value);
            QuantileArm::of_units(units.iter().map(Vec::as_slice), read(&case["q"])).unwrap()
        };
        same_contrast(
            "quantile",
            &case,
            &quantiles(Some(&side(&case["control"])), Some(&side(&case["arm"]))),
        );
    }
}

fn estimate(case: &Value) -> Estimate {
    Estimate { value: read(&case["value"]), se: Some(read(&case["se"])) }
}

fn same_sequence(case: &Value, test: impl Fn(Estimate, Level) -> Effect) {
    for (word, alternative) in SIDES {
        let (expected, estimate) = (&case["expected"][word], estimate(case));
        let effect = test(estimate, Level { alpha: 0.05, alternative });
        let ci = effect.ci.unwrap();
        let half_width =
            if alternative == Alternative::Less { ci.hi - estimate.value } else { estimate.value - ci.lo };
        same(&format!("{word} {case}"), Some(half_width), &expected["half_width"], CLOSED_FORM);
        // Exponentials of hundreds keep three digits fewer.
        let expected_p = expected["p_value"].as_f64().unwrap();
        let p = effect.p_value.unwrap();
        assert!((p - expected_p).abs() <= 1e-8 * expected_p.max(f64::MIN_POSITIVE), "{word} {case}: {p:e}");
    }
}

#[test]
fn sequences_agree() {
    for case in cases("sequence") {
        let (n, tuning) = (read(&case["n"]), read(&case["tuning"]));
        same_sequence(&case, |estimate, level| confidence_sequence(estimate, n, tuning, level));
    }
    for case in cases("mixture") {
        let mixture = NormalMixture::of_variance(read(&case["variance"]));
        same_sequence(&case, |estimate, level| mixture.test(estimate, level));
    }
}

#[test]
fn posteriors_agree() {
    for case in cases("posterior") {
        let prior = case["prior"]
            .as_array()
            .map_or(Prior::Flat, |prior| Prior::Normal { mean: read(&prior[0]), deviation: read(&prior[1]) });
        let (actual, expected) = (posterior(estimate(&case), prior).unwrap(), &case["expected"]);
        let check = |field: &str, actual: f64| same(field, Some(actual), &expected[field], CLOSED_FORM);
        check("mean", actual.mean);
        check("deviation", actual.deviation);
        check("probability_better", actual.probability_better);
        check("expected_loss", actual.expected_loss);
        check("expected_gain", actual.expected_gain);
    }
    for case in cases("beta_binomial") {
        let side = |value: &Value| {
            let (successes, n): (f64, u64) = read(value);
            Proportion::of(n, successes).unwrap()
        };
        let (a, b): (f64, f64) = read(&case["prior"]);
        let actual =
            beta_binomial(&side(&case["control"]), &side(&case["arm"]), BetaPrior::of(a, b).unwrap());
        let check = |field: &str, actual: f64| {
            same(&format!("{field} {case}"), Some(actual), &case["expected"][field], CLOSED_FORM);
        };
        check("probability_better", actual.probability_better);
        check("expected_loss", actual.expected_loss);
        check("expected_gain", actual.expected_gain);
    }
}

#[test]
fn sample_ratios_agree() {
    for case in cases("srm") {
        let (counts, weights): (Vec<u64>, Vec<f64>) = (read(&case["counts"]), read(&case["weights"]));
        let arms: Vec<Assigned> =
            counts.into_iter().zip(weights).map(|(n, weight)| Assigned { n, weight }).collect();
        let actual = srm(&arms).unwrap();
        same(&case.to_string(), actual.p_value, &case["expected"]["p_value"], CLOSED_FORM);
        let sequential = &case["expected"]["sequential_p_value"];
        same(&case.to_string(), actual.sequential_p_value, sequential, CLOSED_FORM);
    }
}

#[test]
fn equivalence_agrees_with_statsmodels() {
    for case in cases("equivalence") {
        let margin = read(&case["margin"]);
        let estimate = Estimate { value: read(&case["estimate"]), se: Some(read(&case["se"])) };
        let answer = |hypothesis| {
            let question = Question { hypothesis, better: Better::Higher, alpha: 0.05 };
            decide(estimate, Mode::Fixed { df: Some(read(&case["df"])) }, question).p_value
        };
        let expected = &case["expected"];
        same("equivalence", answer(Hypothesis::Equivalence { margin }), &expected["p_value"], CLOSED_FORM);
        let not_inferior = answer(Hypothesis::NonInferiority { margin });
        same("non-inferiority", not_inferior, &expected["not_inferior"], CLOSED_FORM);
    }
}

#[test]
fn group_sequential_boundaries_agree() {
    for case in cases("group_sequential") {
        let spending = match case["spending"].as_str().unwrap() {
            "obrien_fleming" => Spending::ObrienFleming,
            "pocock" => Spending::Pocock,
            rho => Spending::Power { rho: rho.parse().unwrap() },
        };
        let two = case["sides"].as_u64() == Some(2);
        let alternative = if two { Alternative::TwoSided } else { Alternative::Greater };
        let level = Level { alpha: read(&case["alpha"]), alternative };
        let information: Vec<f64> = read(&case["information"]);
        let looks = boundaries(&information, &Schedule { planned: 1.0, spending, level }).unwrap();
        for (look, expected) in looks.iter().zip(case["expected"].as_array().unwrap()) {
            same(&case.to_string(), look.boundary, expected, BOX);
        }
    }
}

#[test]
fn quantile_sequences_agree() {
    for case in cases("quantile_sequence") {
        let (control, arm): (Vec<f64>, Vec<f64>) = (read(&case["control"]), read(&case["arm"]));
        let passed = |rows: &[f64], x: f64| Passed {
            below: rows.iter().filter(|row| **row < x).count() as u64,
            upto: rows.iter().filter(|row| **row <= x).count() as u64,
        };
        let mut values: Vec<f64> = control.iter().chain(&arm).copied().collect();
        values.sort_by(f64::total_cmp);
        values.dedup();
        let steps: Vec<Step> =
            values.iter().map(|x| Step { control: passed(&control, *x), arm: passed(&arm, *x) }).collect();
        for (word, alternative) in SIDES {
            let plan = QuantilePlan {
                q: read(&case["q"]),
                n_control: control.len() as u64,
                n: arm.len() as u64,
                tuning: read(&case["tuning"]),
                level: Level { alpha: 0.05, alternative },
            };
            let actual = quantile_p_value(&steps, &plan);
            same(&format!("{word} {}", case["name"]), actual, &case["expected"][word], 1e-8);
        }
    }
}
