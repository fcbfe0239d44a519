//! `windvane experiment` over files and sums: published cases, rows against SciPy, what it refuses, and how it exits.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

/// A finished run.
pub(super) struct Ran {
    pub(super) code: i32,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

impl Ran {
    pub(super) fn document(&self) -> Value {
        assert!(self.code < 64, "{}", self.stderr);
        serde_json::from_str(&self.stdout).unwrap()
    }
}

pub(super) fn experiment(words: &[&str]) -> Ran {
    let output = Command::new(env!("CARGO_BIN_EXE_windvane")).arg("experiment").args(words).output().unwrap();
    Ran {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

pub(super) struct Folder(tempfile::TempDir);

impl Folder {
    pub(super) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(super) fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// The document of a summary with these metrics.
    pub(super) fn summary(&self, metrics: &Value, more: &[&str]) -> Ran {
        let text = json!({"schema": "windvane.experiment_summary/1", "control": "a", "metrics": metrics})
            .to_string();
        let path = self.file("summary.json", &text);
        experiment(&[&["--summary", path.to_str().unwrap(), "--format", "json"], more].concat())
    }
}

/// Runs over rows of a file with the columns `unit`, `arm` and more.
pub(super) fn over(file: &Path, more: &[&str]) -> Ran {
    let columns = [file.to_str().unwrap(), "--unit", "unit", "--arm", "arm", "--control", "A"];
    experiment(&[&columns, more].concat())
}

pub(super) fn comparison<'a>(document: &'a Value, metric: &str, arm: &str) -> &'a Value {
    let comparisons = document["comparisons"].as_array().unwrap();
    comparisons
        .iter()
        .find(|found| found["metric"] == metric && found["arm"] == arm)
        .unwrap_or_else(|| panic!("no {metric} of {arm}: {document}"))
}

/// Every number of `expected` is in `found` under the same path.
pub(super) fn agrees(found: &Value, expected: &Value, tolerance: f64, path: &str) {
    match expected {
        Value::Object(fields) => {
            fields
                .iter()
                .for_each(|(name, value)| agrees(&found[name], value, tolerance, &format!("{path}.{name}")));
        }
        Value::Array(items) => {
            items
                .iter()
                .enumerate()
                .for_each(|(i, item)| agrees(&found[i], item, tolerance, &format!("{path}[{i}]")));
        }
        expected => {
            let (found, expected) = (found.as_f64(), expected.as_f64().unwrap());
            let close =
                found.is_some_and(|found| (found - expected).abs() <= tolerance * expected.abs().max(1e-300));
            assert!(close, "{path}: {found:?} instead of {expected}");
        }
    }
}

pub(super) fn near(found: &Value, expected: f64, printed: f64) {
    let number = found.as_f64().unwrap_or_else(|| panic!("{found} instead of {expected}"));
    assert!((number - expected).abs() <= printed, "{number} instead of {expected}");
}

/// Digits that two programs in doubles share, after sums of some hundred values.
const DOUBLES: f64 = 1e-9;

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

// tests/golden/experiment_rows.py: rows by unit with NumPy, SciPy and exact sums; means about 1e9 among them.
#[test]
fn rows_of_a_file_agree_with_scipy() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden");
    let expected: Value =
        serde_json::from_slice(&std::fs::read(format!("{folder}/experiment_rows.json")).unwrap()).unwrap();
    let rows = format!("{folder}/experiment_rows.csv");
    for (part, more) in [
        ("plain", vec![]),
        ("adjusted", vec!["--covariate", "before"]),
        ("anytime", vec!["--inference", "sequential", "--sequential-tuning", "400"]),
        ("adjusted_ratio", vec!["--ratio-covariate", "before:ratio(views)"]),
    ] {
        let metrics = expected[part].as_object().unwrap();
        let mut words = vec![rows.as_str(), "--unit", "user", "--arm", "variant", "--control", "A"];
        words.extend(["--weights", "A=4,B=4,C=1", "--format", "json"]);
        words.extend(metrics.keys().flat_map(|metric| ["--metric", metric]));
        words.extend(more);
        let document = experiment(&words).document();
        near(&document["srm"]["p_value"], expected["srm"].as_f64().unwrap(), DOUBLES);
        assert_eq!(document["units_in_several_arms"], expected["several"]);
        for (metric, arms) in metrics {
            for (arm, expected) in arms.as_object().unwrap() {
                let found = comparison(&document, metric.split(':').next().unwrap(), arm);
                agrees(found, expected, DOUBLES, &format!("{metric} {arm}"));
            }
        }
    }
}

/// Rows of 200 units, one each: B is worth 5 more.
fn rows() -> String {
    (0..200).fold("unit,arm,value,label\n".to_owned(), |mut text, i| {
        let arm = if i % 2 == 0 { "A" } else { "B" };
        writeln!(text, "u{i},{arm},{},{}", i / 2 % 10 + 5 * (i % 2), if i % 3 == 0 { "x" } else { "y" })
            .unwrap();
        text
    })
}

#[test]
fn every_file_format_gives_the_same_numbers_and_the_same_document_twice() {
    let folder = Folder::new();
    let csv = folder.file("rows.csv", &rows());
    let json_rows: String = rows().lines().skip(1).fold(String::new(), |mut text, line| {
        let cells: Vec<&str> = line.split(',').collect();
        writeln!(text, r#"{{"unit":"{}","arm":"{}","value":{}}}"#, cells[0], cells[1], cells[2]).unwrap();
        text
    });
    let ndjson = folder.file("rows.ndjson", &json_rows);
    let arguments = ["--metric", "value:mean", "--metric", "value:quantile(0.5)", "--format", "json"];
    let (a, again, b) = (over(&csv, &arguments), over(&csv, &arguments), over(&ndjson, &arguments));
    assert_eq!(a.stdout, again.stdout);
    let (a, b) = (a.document(), b.document());
    assert_eq!((&a["comparisons"], &a["srm"]), (&b["comparisons"], &b["srm"]));
    let found = comparison(&a, "value", "B");
    assert_eq!((&found["verdict"], &found["absolute"]["estimate"]), (&"better".into(), &5.0.into()));
    let lower = over(&csv, &["--metric", "value:mean:lower", "--format", "json", "--fail-on", "worse"]);
    assert_eq!((lower.code, &comparison(&lower.document(), "value", "B")["verdict"]), (1, &"worse".into()));
}

#[test]
fn every_output_names_the_verdict_and_the_number_behind_it() {
    let folder = Folder::new();
    let csv = folder.file("rows.csv", &rows());
    for (format, parts) in [
        ("table", vec!["better: B on value", "units", "111.1 %"]),
        ("markdown", vec!["## Experiment: better: B on value", "| value | B | better |"]),
        ("junit", vec!["<testsuites>", "name=\"value of B against A\"", "name=\"sample ratio\"/>"]),
    ] {
        let ran = over(&csv, &["--metric", "value:mean", "--format", format]);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        for part in parts {
            assert!(ran.stdout.contains(part), "{format} lacks {part}:\n{}", ran.stdout);
        }
    }
}

#[test]
fn names_and_values_may_hold_any_character() {
    let folder = Folder::new();
    let name = "a \"q\" `n`\\ '漢";
    let header = format!("unit,arm,\"{}\"", name.replace('"', "\"\""));
    let text = (0..40).fold(format!("{header}\n"), |mut text, i| {
        writeln!(text, "it's {i},\"{}\",{}", if i % 2 == 0 { "A" } else { "B'\\\"\" `" }, i % 7).unwrap();
        text
    });
    let csv = folder.file("a 'b'.csv", &text);
    let document = over(&csv, &["--metric", &format!("{name}:mean"), "--format", "json"]).document();
    assert_eq!(comparison(&document, name, "B'\\\" `")["n"], 20);
}

#[test]
fn missing_values_units_and_arms_are_left_out_and_told() {
    let folder = Folder::new();
    let csv = folder.file(
        "rows.csv",
        "unit,arm,value\nu1,A,1\nu2,A,NaN\nu3,A,4\nu4,B,2\nu5,B,\nu6,B,6\n,A,9\nu7,,9\nu8,A,1\nu8,B,1\nu3,A,3\n",
    );
    let document = over(&csv, &["--metric", "value:mean", "--format", "json"]).document();
    assert_eq!((&document["arms"][0]["n"], &document["arms"][1]["n"]), (&3.into(), &3.into()));
    let found = comparison(&document, "value", "B");
    assert_eq!(
        (&found["n"], &found["n_control"], &found["mean_control"]),
        (&2.into(), &2.into(), &4.0.into())
    );
    assert_eq!(
        found["ledger"],
        json!([
            "left out: 2 rows without a unit or without an arm",
            "left out: 1 unit seen in several arms",
            "summed: 9 rows to 7 units",
            "left out: 2 units without a value"
        ])
    );
}

#[test]
fn values_that_leave_no_test_are_told_and_are_inconclusive() {
    let folder = Folder::new();
    let of = |text: &str| {
        let csv = folder.file("rows.csv", &format!("unit,arm,value\n{text}"));
        over(&csv, &["--metric", "value:mean", "--format", "json"]).document()["comparisons"][0].clone()
    };
    let constant = of("1,A,0.1\n2,A,0.1\n3,A,0.1\n4,B,0.3\n5,B,0.3\n6,B,0.3\n");
    assert_eq!(
        (&constant["absolute"]["se"], &constant["p_value"]),
        (&0.0.into(), &Value::Null),
        "{constant}"
    );
    assert_eq!(constant["absolute"]["ci"][0], constant["absolute"]["estimate"]);
    let one = of("1,A,1\n2,B,2\n");
    assert_eq!((&one["absolute"]["estimate"], &one["absolute"]["se"]), (&1.0.into(), &Value::Null));
    let zero = of("1,A,-1\n2,A,1\n3,B,1\n4,B,2\n");
    assert_eq!((&zero["relative"], &zero["absolute"]["estimate"]), (&Value::Null, &1.5.into()));
    let infinite = of("1,A,1\n2,A,inf\n3,B,1\n4,B,2\n");
    assert!(infinite["reason"].as_str().unwrap().contains("infinite"), "{infinite}");
    let none = of("1,A,\n2,A,\n3,B,1\n4,B,2\n");
    assert_eq!(
        (&none["n_control"], &none["mean_control"], &none["mean"]),
        (&0.into(), &Value::Null, &1.5.into())
    );
    for found in [constant, one, infinite, none] {
        assert_eq!(found["verdict"], "inconclusive", "{found}");
    }
}

#[test]
fn a_margin_makes_equivalence_possible_and_only_a_margin() {
    let folder = Folder::new();
    let text = (0..400).fold("unit,arm,value\n".to_owned(), |mut text, i| {
        writeln!(text, "{i},{},{}", if i % 2 == 0 { "A" } else { "B" }, 100 + i / 2 % 5).unwrap();
        text
    });
    let csv = folder.file("rows.csv", &text);
    let verdict = |more: &[&str]| {
        let ran = over(&csv, &[&["--metric", "value:mean", "--format", "json"], more].concat());
        ran.document()["comparisons"][0]["verdict"].clone()
    };
    assert_eq!(verdict(&["--margin", "0.01"]), "equivalent");
    assert_eq!(verdict(&["--margin", "value=0.0001"]), "inconclusive");
    assert_eq!(verdict(&[]), "inconclusive");
}

#[test]
fn limits_cut_outliers_and_say_how_many() {
    let folder = Folder::new();
    let text = (0..200).fold("unit,arm,value\n".to_owned(), |mut text, i| {
        let value = if i == 7 { 1e6 } else { f64::from(i / 2 % 5) };
        writeln!(text, "{i},{},{value}", if i % 2 == 0 { "A" } else { "B" }).unwrap();
        text
    });
    let csv = folder.file("rows.csv", &text);
    for (cap, mean, line) in [
        ("10", 2.07, "capped: values of units above 10 count as that (10; 1 in all arms)"),
        ("p90", 2.01, "capped: values of units above 4 count as that (p90; 1 in all arms)"),
    ] {
        let document = over(&csv, &["--metric", "value:mean", "--cap", cap, "--format", "json"]).document();
        let found = comparison(&document, "value", "B");
        near(&found["mean"], mean, 1e-12);
        assert_eq!(found["ledger"][0], line);
    }
    let both = ["--metric", "value:mean", "--cap", "10", "--floor", "1", "--format", "json"];
    let document = over(&csv, &both).document();
    let found = comparison(&document, "value", "B");
    near(&found["mean"], 2.27, 1e-12);
    assert_eq!(
        (&found["ledger"][0], &found["ledger"][1]),
        (
            &"capped: values of units above 10 count as that (10; 1 in all arms)".into(),
            &"floored: values of units below 1 count as that (1; 40 in all arms)".into()
        )
    );
    for wrong in [["--cap", "10", "--floor", "11"], ["--cap", "p99", "--floor", "p50"]] {
        assert_eq!(over(&csv, &[&["--metric", "value:mean"][..], &wrong].concat()).code, 64, "{wrong:?}");
    }
    // A floor that lies above the percentile of the cap is known once the values are.
    let crossed = over(&csv, &["--metric", "value:mean", "--cap", "p60", "--floor", "100"]);
    assert!(crossed.code == 65 && crossed.stderr.contains("is above its cap"), "{}", crossed.stderr);
}

#[test]
fn bad_data_is_65_and_a_wrong_command_line_64_with_nothing_on_standard_output() {
    let folder = Folder::new();
    let csv = folder.file("rows.csv", &rows());
    let one_arm = folder.file("one.csv", "unit,arm,value\n1,A,1\n2,A,2\n");
    let empty = folder.file("empty.csv", "");
    let mean = ["--metric", "value:mean"];
    for (code, part, ran) in [
        (65, "two arms", over(&one_arm, &mean)),
        (65, "two arms", over(&empty, &mean)),
        (65, "cannot read", over(Path::new("/nonexistent/rows.csv"), &mean)),
        (65, "did you mean `value`", over(&csv, &["--metric", "vlaue:mean"])),
        (65, "no numbers, such as `x`", over(&csv, &["--metric", "label:mean"])),
        (65, "another value than 0 or 1", over(&csv, &["--metric", "value:proportion"])),
        (65, "no column `den`", over(&csv, &["--metric", "value:ratio(den)"])),
        (65, "no column `pre`", over(&csv, &[&mean[..], &["--covariate", "pre"]].concat())),
        (64, "did you mean `mean`", over(&csv, &["--metric", "value:maen"])),
        (64, "above 0 and below 1", over(&csv, &["--metric", "value:quantile(1.0)"])),
        (64, "above 0 and below 1", over(&csv, &[&mean[..], &["--alpha", "0"]].concat())),
        (64, "no weight for the arm `B`", over(&csv, &[&mean[..], &["--weights", "A=1"]].concat())),
        (64, "--metric", over(&csv, &[])),
    ] {
        assert_eq!((ran.code, ran.stdout.as_str()), (code, ""), "{}", ran.stderr);
        assert!(ran.stderr.contains(part), "{part} is not in: {}", ran.stderr);
    }
    let words =
        [csv.to_str().unwrap(), "--unit", "unit", "--arm", "arm", "--control", "C", "--metric", "value:mean"];
    let control = experiment(&words);
    assert_eq!((control.code, control.stdout.as_str()), (65, ""), "{}", control.stderr);
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

#[test]
fn units_that_are_dealt_out_at_random_differ_about_as_often_as_alpha_says() {
    let folder = Folder::new();
    let csv = folder.file("rows.csv", &rows());
    let words = ["aa", csv.to_str().unwrap(), "--unit", "unit", "--splits", "256", "--json"];
    for metric in ["value:mean", "value:ratio(value)"] {
        let ran = experiment(&[&words[..], &["--metric", metric]].concat());
        let document = ran.document();
        assert_eq!(document["schema"], "windvane.experiment_aa/1");
        assert_eq!(ran.stdout, experiment(&[&words[..], &["--metric", metric]].concat()).stdout);
        if metric == "value:mean" {
            assert_eq!((&document["units"], &document["splits"]), (&200.0.into(), &256.into()));
            assert_eq!(document["alpha_within"], true, "{document}");
        } else {
            // A ratio of a column to itself has no spread, so no split has a p-value.
            assert_eq!((&document["splits"], &document["false_positive_rate"]), (&0.into(), &Value::Null));
        }
    }
    let unknown = experiment(&["aa", csv.to_str().unwrap(), "--unit", "usr", "--metric", "value:mean"]);
    assert_eq!((unknown.code, unknown.stdout.as_str()), (65, ""), "{}", unknown.stderr);
}

// Four rows of each of 300 units that are nearly alike: a test that took rows for independent would differ in a third of the splits.
#[test]
fn random_splits_of_a_quantile_differ_about_as_often_as_alpha_says() {
    let text = (0..1200_u32).fold("unit,value\n".to_owned(), |mut text, i| {
        writeln!(text, "u{},{}", i % 300, i % 300 * 7919 % 1009 + 10 * (i / 300)).unwrap();
        text
    });
    let folder = Folder::new();
    let csv = folder.file("rows.csv", &text);
    let metric = ["--unit", "unit", "--metric", "value:quantile(0.9)", "--splits", "256", "--json"];
    let document = experiment(&[&["aa", csv.to_str().unwrap()][..], &metric].concat()).document();
    assert_eq!(
        (&document["units"], &document["splits"], &document["type"]),
        (&300.0.into(), &256.into(), &"quantile".into())
    );
    let rate = document["false_positive_rate"].as_f64().unwrap();
    assert!((0.015..0.1).contains(&rate), "{document}");
}

// Exponential with mean 100: the median is 100 ln 2, where the density is .005, so a unit's variance is .25/.005².
#[test]
fn a_quantile_is_planned_by_its_density() {
    let words = ["plan", "--quantile", "0.5", "--value", "69.3147", "--density", "0.005", "--effect", "0.05"];
    let document = experiment(&[&words[..], &["--json"]].concat()).document();
    near(&document["variance"], 10_000.0, 1e-12);
    // The relative difference has the variance (1 + 1.05²)·v/m² of an arm's n units: n = that·(1.959964 + 0.841621)²/0.05².
    let arm = 7.848_88 / 0.0025 * (1.0 + 1.05 * 1.05) * 10_000.0 / (69.3147 * 69.3147);
    near(&(document["units_needed"].as_f64().unwrap() / (2.0 * arm)).into(), 1.0, 1e-3);
    assert!(experiment(&words).stdout.contains("0.5 quantile 69.31"), "{document}");
    for wrong in [
        &["--quantile", "0.5", "--density", "0"][..],
        &["--quantile", "1", "--density", "1"],
        &["--quantile", "0.5"],
    ] {
        let asked = [&["plan", "--value", "5", "--effect", "0.1"][..], wrong].concat();
        assert_eq!(experiment(&asked).code, 64, "{asked:?}");
    }
}

// GrowthBook's power.test.ts: mean 10, variance 3909.99977, lift 5 %, 400,000 units over 3 arms: power 0.52144, MDE 0.07027.
#[test]
fn a_plan_agrees_with_a_published_one() {
    let sd = 3909.99977_f64.sqrt().to_string();
    let words = [
        "plan", "--mean", "10", "--sd", &sd, "--units", "400000", "--arms", "3", "--effect", "0.05", "--json",
    ];
    let document = experiment(&words).document();
    near(&document["power_with_units"], 0.52144, 5e-6);
    near(&document["minimum_detectable_effect"], 0.07027, 5e-6);
    let more =
        experiment(&["plan", "--share", "0.1", "--effect", "0.1", "--units-per-day", "1000", "--json"]);
    let document = more.document();
    let days = document["units_needed"].as_f64().unwrap() / 1000.0;
    assert_eq!(document["days"].as_f64(), Some(days.ceil()));
    for wrong in [&["plan"][..], &["plan", "--share", "1.5", "--effect", "0.1"], &["plan", "--share", "0.1"]]
    {
        assert_eq!(experiment(wrong).code, 64, "{wrong:?}");
    }
}

#[test]
fn a_plan_knows_one_side_a_margin_and_planned_looks() {
    let units = |more: &[&str]| {
        let asked = [&["plan", "--mean", "10", "--sd", "10", "--json"][..], more].concat();
        let document = experiment(&asked).document();
        document["units_needed"].as_f64().unwrap_or_else(|| panic!("{more:?}: {document}"))
    };
    let fixed = units(&["--effect", "0.1"]);
    let greater = ["--alternative", "greater", "--alpha", "0.025"];
    // The other side of a two-sided test adds less than a millionth to the power.
    near(&(units(&[&greater[..], &["--effect", "0.1"]].concat()) / fixed).into(), 1.0, 1e-3);
    // An arm like the control has the variance 1 + 1, one with a tenth more 1 + 1.1² of the control's relative one.
    let margin = units(&[&greater[..], &["--effect", "0", "--margin", "0.1"]].concat());
    near(&(margin / fixed).into(), 2.0 / 2.21, 2e-3);
    // Five looks by O'Brien and Fleming's spending have the boundaries 4.877, 3.357, 2.680, 2.290 and 2.031; Simpson's rule over them
    // has a power of .8 at a drift of 2.8360 in place of 2.8016, whose squares' ratio is the factor.
    near(&(units(&["--effect", "0.1", "--looks", "5"]) / fixed).into(), 1.0247, 2e-3);
    let margin = ["--effect", "0", "--margin", "0.02", "--alternative", "greater", "--units", "50000"];
    let told = experiment(&[&["plan", "--mean", "10", "--sd", "10"][..], &margin].concat()).stdout;
    assert!(
        told.starts_with(
            "an arm like the control is shown to be worse by no more than 2 % with a chance of 80 % by 61,827 units over 2 arms"
        ) && told.contains("50000 units show it with a chance of 72.28 %"),
        "{told}"
    );
    for wrong in [&["--margin", "0.1"][..], &["--looks", "1"], &["--looks", "5", "--sequential"]] {
        let asked = [&["plan", "--share", "0.1", "--effect", "0.1"][..], wrong].concat();
        assert_eq!(experiment(&asked).code, 64, "{wrong:?}");
    }
}

#[test]
fn health_tells_what_it_means_and_what_to_do() {
    let folder = Folder::new();
    let text = (0..400).fold("unit,arm,value,before\n".to_owned(), |mut text, i| {
        // B had more before, and a third of its values are missing.
        let (arm, before) = if i % 2 == 0 { ("A", i / 2 % 7) } else { ("B", i / 2 % 7 + 3) };
        let value = if i % 2 == 1 && i % 3 == 0 { String::new() } else { (i / 2 % 5).to_string() };
        writeln!(text, "{i},{arm},{value},{before}").unwrap();
        text
    });
    let csv = folder.file("rows.csv", &text);
    let words = ["--metric", "value:mean", "--covariate", "before"];
    let document = over(&csv, &[&words[..], &["--format", "json"]].concat()).document();
    let of = |name: &str| {
        let checks = document["health"].as_array().unwrap();
        checks
            .iter()
            .find(|check| check["check"] == name)
            .unwrap_or_else(|| panic!("no {name}: {document}"))
            .clone()
    };
    for (check, verdict) in [
        ("sample_ratio", "ok"),
        ("units_in_several_arms", "ok"),
        ("missing_balance", "warning"),
        ("covariate_balance", "failure"),
    ] {
        assert_eq!(of(check)["verdict"], verdict, "{check}");
        assert_eq!(of(check)["advice"] == "", verdict == "ok", "{check}");
    }
    let table = over(&csv, &words).stdout;
    assert!(table.contains("The arms differed before the experiment began"), "{table}");
}
