//! `windvane experiment --summary`: published cases, and sums that no units have.

use serde_json::{Value, json};

use super::{Folder, comparison, experiment, near};

// GrowthBook gbstats, packages/stats/tests; printed to five or nine digits.
#[test]
fn published_cases_come_out_of_their_sums() {
    let folder = Folder::new();
    let metrics = json!([
        {"metric": "mean", "type": "mean", "arms": [
            {"arm": "a", "n": 3407, "sum": 1396.87, "sum_sq": 52377.9767},
            {"arm": "b", "n": 3461, "sum": 2422.7, "sum_sq": 134_698.29}]},
        {"metric": "proportion", "type": "proportion", "arms": [
            {"arm": "a", "n": 28, "sum": 14}, {"arm": "b", "n": 30, "sum": 16}]},
        {"metric": "bayes", "type": "proportion", "arms": [
            {"arm": "a", "n": 100, "sum": 49}, {"arm": "b", "n": 100, "sum": 51}]},
        {"metric": "cuped", "type": "mean", "arms": [
            {"arm": "a", "n": 3001, "sum": 300, "sum_sq": 600, "cov_sum": 210, "cov_sum_sq": 415, "cross_sum": -20},
            {"arm": "b", "n": 3000, "sum": 222, "sum_sq": 555, "cov_sum": 120, "cov_sum_sq": 405, "cross_sum": -10}]},
        {"metric": "binomial", "type": "proportion", "arms": [
            {"arm": "a", "n": 3001, "sum": 300, "cov_sum": 210, "cov_sum_sq": 210, "cross_sum": -20},
            {"arm": "b", "n": 3000, "sum": 222, "cov_sum": 120, "cov_sum_sq": 120, "cross_sum": -10}]},
        {"metric": "ratio", "type": "ratio", "arms": [
            {"arm": "a", "n": 100, "sum": 270, "sum_sq": 848.79, "den_sum": 510, "den_sum_sq": 810, "cross_sum": -900},
            {"arm": "b", "n": 120, "sum": 300, "sum_sq": 869, "den_sum": 500, "den_sum_sq": 800, "cross_sum": -905}]}
    ]);
    let document = folder.summary(&metrics, &[]).document();
    let of = |metric| comparison(&document, metric, "b");
    let relative = |metric| &of(metric)["relative"];
    for (metric, estimate, p, printed) in [
        ("mean", 0.70732, 0.06191, 5e-6),
        ("proportion", 0.06667, 0.80707, 5e-6),
        ("cuped", -0.281_707_154, 0.003_732_549, 5e-10),
        ("ratio", 0.133_333_333, 0.610_663_339, 5e-10),
    ] {
        near(&relative(metric)["estimate"], estimate, printed);
        near(&relative(metric)["p_value"], p, printed);
    }
    near(&relative("mean")["se"], 0.37879, 5e-6);
    near(&relative("mean")["ci"][0], -0.03526, 5e-6);
    near(&relative("mean")["ci"][1], 1.44989, 5e-6);
    near(&of("mean")["df"], 5841.742, 5e-4);
    near(&relative("proportion")["se"], 0.2717, 5e-6);
    near(&relative("binomial")["estimate"], -0.316_202_16, 5e-9);
    near(&relative("binomial")["p_value"], 3.53e-7, 5e-10);
    near(&of("cuped")["cuped"]["theta"], -0.073_211_9, 5e-8);
    let bayesian = &of("bayes")["bayesian"];
    near(&bayesian["probability_better"], 0.60918, 5e-6);
    near(&bayesian["expected_gain"], 0.0814, 5e-5);
    near(&bayesian["expected_loss"], 0.04058, 5e-6);
    near(&of("ratio")["bayesian"]["probability_better"], 0.694_926_359, 5e-10);
    // Its denominators have a smaller sum of squares than any numbers with their sum: that is said.
    assert!(of("ratio")["ledger"][0].as_str().unwrap().contains("contradict"), "{document}");
}

#[test]
fn the_sequence_is_tuned_and_its_p_value_is_not_rounded_up_to_a_verdict() {
    let folder = Folder::new();
    let metrics = json!([{"metric": "m", "type": "mean", "arms": [
        {"arm": "a", "n": 3000, "sum": 1396.87, "sum_sq": 52377.9767},
        {"arm": "b", "n": 3461, "sum": 2422.7, "sum_sq": 134_698.29}]}]);
    let document = folder.summary(&metrics, &["--sequential-tuning", "1000"]).document();
    let sequential = &comparison(&document, "m", "b")["sequential"];
    near(&sequential["estimate"], 0.50336, 5e-6);
    near(&sequential["ci"][0], -0.55844, 5e-6);
    near(&sequential["ci"][1], 1.56516, 5e-6);
    assert_eq!((sequential["p_value"].as_f64(), sequential["tuning"].as_f64()), (Some(1.0), Some(1000.0)));
}

// 5,200 units against 4,800: χ² = 16, p 6.33e-5 by SciPy; the p-value of every look by mpmath, as in the test of `stats`.
#[test]
fn a_sample_ratio_that_is_looked_at_often_is_judged_by_the_p_value_of_every_look() {
    let folder = Folder::new();
    let metrics = json!([{"metric": "m", "type": "proportion", "arms": [
        {"arm": "a", "n": 5200, "sum": 500}, {"arm": "b", "n": 4800, "sum": 500}]}]);
    for (inference, verdict, p) in [("fixed", "mismatch", 6.334e-5), ("sequential", "ok", 3.647_864e-3)] {
        let document = folder.summary(&metrics, &["--inference", inference]).document();
        assert_eq!(document["srm"]["verdict"], verdict, "{inference}");
        near(&document["health"][0]["observed"], p, 5e-9);
    }
}

// GrowthBook, packages/back-end/test/stats.test.ts; arms of weight 0 do not count.
#[test]
fn sample_ratios_agree_with_published_ones_and_a_mismatch_withholds_the_verdict() {
    let folder = Folder::new();
    let check = |counts: &[u64], weights: &[f64], p: f64| {
        let arms: Vec<Value> = counts
            .iter()
            .zip(weights)
            .zip(["a", "b", "c"])
            .map(|((n, weight), arm)| json!({"arm": arm, "weight": weight, "n": n, "sum": if arm == "a" { 0 } else { *n }}))
            .collect();
        let ran = folder.summary(
            &json!([{"metric": "m", "type": "proportion", "arms": arms}]),
            &["--fail-on", "mismatch"],
        );
        let document = ran.document();
        near(&document["srm"]["p_value"], p, 5e-10);
        let mismatch = p < 0.001;
        assert_eq!(document["srm"]["verdict"], if mismatch { "mismatch" } else { "ok" });
        assert_eq!(ran.code, i32::from(mismatch), "{}", ran.stdout);
        if mismatch {
            let verdicts: Vec<&Value> =
                document["comparisons"].as_array().unwrap().iter().map(|found| &found["verdict"]).collect();
            assert!(verdicts.iter().all(|verdict| **verdict == "inconclusive"), "{document}");
        }
    };
    check(&[1000, 1200], &[0.5, 0.5], 0.000_020_079);
    check(&[135, 115], &[0.5, 0.5], 0.205_903_211);
    check(&[1000, 1200, 900], &[0.5, 0.5, 0.0], 0.000_020_079);
    check(&[0, 10, 10], &[0.34, 0.33, 0.33], 0.005_790_624);
    check(&[500, 500, 600], &[0.34, 0.33, 0.33], 0.000_592_638);
}

#[test]
fn sums_that_no_units_have_are_bad_data() {
    let folder = Folder::new();
    let arm = |name: &str, n: f64, sum: f64, sum_sq: f64| json!({"arm": name, "n": n, "sum": sum, "sum_sq": sum_sq});
    let good = arm("a", 10.0, 10.0, 20.0);
    let metric = |kind: &str, arms: &[&Value]| json!([{"metric": "m", "type": kind, "arms": arms}]);
    let pair = |more: Value| {
        let mut arm = arm("b", 10.0, 10.0, 20.0);
        arm.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        arm
    };
    let of_a = |more: Value| {
        let mut arm = pair(more);
        arm["arm"] = "a".into();
        arm
    };
    let covariate = json!({"cov_sum": 10.0, "cov_sum_sq": 20.0, "cross_sum": 12.0});
    for metrics in [
        metric("mean", &[&good, &arm("b", 10.0, 10.0, 9.0)]),
        metric("mean", &[&good, &arm("b", -1.0, 10.0, 20.0)]),
        metric("mean", &[&good, &arm("b", 1.5, 10.0, 20.0)]),
        metric("mean", &[&good, &arm("b", 0.0, 10.0, 20.0)]),
        metric("mean", &[&good]),
        metric("mean", &[&good, &good]),
        metric("mean", &[&good, &json!({"arm": "b", "n": 10, "sum": 10})]),
        metric("median", &[&good, &pair(json!({}))]),
        metric("quantile", &[&good, &pair(json!({}))]),
        metric(
            "proportion",
            &[&json!({"arm": "a", "n": 10, "sum": 11}), &json!({"arm": "b", "n": 10, "sum": 1})],
        ),
        metric(
            "mean",
            &[
                &of_a(covariate.clone()),
                &pair(json!({"cov_sum": 10.0, "cov_sum_sq": 20.0, "cross_sum": 99.0})),
            ],
        ),
        metric("mean", &[&of_a(covariate), &pair(json!({}))]),
        metric("ratio", &[&good, &pair(json!({"den_sum": 10.0, "den_sum_sq": 20.0, "cross_sum": 99.0}))]),
        metric("ratio", &[&good, &pair(json!({}))]),
        json!([]),
    ] {
        let ran = folder.summary(&metrics, &[]);
        assert_eq!((ran.code, ran.stdout.as_str()), (65, ""), "{metrics}: {}", ran.stderr);
    }
    let without_control = json!({"schema": "windvane.experiment_summary/1", "control": "z",
        "metrics": metric("mean", &[&good, &pair(json!({}))])});
    for text in [without_control.to_string(), "{}".to_owned(), "not json".to_owned()] {
        let path = folder.file("bad.json", &text);
        let ran = experiment(&["--summary", path.to_str().unwrap()]);
        assert_eq!((ran.code, ran.stdout.as_str()), (65, ""), "{text}: {}", ran.stderr);
    }
}

// A mistyped `sum_sq` or `weight` would otherwise be none at all, and said nowhere.
#[test]
fn keys_that_are_not_read_are_told() {
    let folder = Folder::new();
    let arm = |name: &str, more: &str| json!({"arm": name, "n": 100, "sum": 50, more: 0.5});
    let of = |more| json!([{"metric": "m", "type": "proportion", "arms": [arm("a", more), arm("b", more)]}]);
    let ran = folder.summary(&of("wieght"), &[]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(
        ran.stderr.contains("not read: metrics.0.arms.0.wieght, metrics.0.arms.1.wieght"),
        "{}",
        ran.stderr
    );
    let ran = folder.summary(&of("weight"), &[]);
    assert!(!ran.stderr.contains("not read"), "{}", ran.stderr);
}
