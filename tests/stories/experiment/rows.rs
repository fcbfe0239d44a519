//! `windvane experiment` over the rows of files: against SciPy, every format, what is left out, and how it exits.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::{Value, json};

use super::{Folder, agrees, comparison, experiment, near, over};

/// Digits that two programs in doubles share, after sums of some hundred values.
const DOUBLES: f64 = 1e-9;

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
pub(super) fn rows() -> String {
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

// 100 units an arm of which twenty were seen in both; C was planned for one of a hundred and never came.
#[test]
fn an_arm_that_never_came_has_no_units_not_even_those_in_several_arms() {
    let folder = Folder::new();
    let both = (0..20).fold(rows(), |mut text, i| {
        writeln!(text, "u{i},{},1000,x", if i % 2 == 0 { "B" } else { "A" }).unwrap();
        text
    });
    let csv = folder.file("rows.csv", &both);
    let arguments = [
        "--metric",
        "value:mean",
        "--metric",
        "value:quantile(0.5)",
        "--weights",
        "A=0.495,B=0.495,C=0.01",
        "--segment-by",
        "label",
        "--segment-min",
        "20",
        "--format",
        "json",
    ];
    let document = over(&csv, &arguments).document();
    assert_eq!(
        (&document["units_in_several_arms"], &document["srm"]["verdict"]),
        (&20.into(), &"ok".into()),
        "{document}"
    );
    let segments = document["segments"].as_array().unwrap();
    assert_eq!(segments.len(), 2, "{document}");
    for whole in std::iter::once(&document).chain(segments) {
        let found = whole["comparisons"].as_array().unwrap();
        let of = |arm: &str| found.iter().filter(|found| found["arm"] == arm).collect::<Vec<_>>();
        let (came, never) = (of("B"), of("C"));
        assert_eq!((came.len(), never.len()), (2, 2), "{whole}");
        assert!(came.iter().all(|found| found["p_value"].is_number()), "{whole}");
        for found in never {
            assert_eq!((&found["n"], &found["mean"]), (&0.into(), &Value::Null), "{found}");
            assert_eq!(found["reason"], "an arm has no unit with a value", "{found}");
        }
    }
    // Two metrics of B, in the whole and in two segments.
    assert_eq!(document["tests"], 6);
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
    let no_mean = over(&csv, &["--metric", "value:quantile(0.5)", "--cap", "10"]);
    assert!(no_mean.code == 64 && no_mean.stderr.contains("no metric is one"), "{}", no_mean.stderr);
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
        (
            64,
            "no metric is one: give --guardrail",
            over(&csv, &[&mean[..], &["--fail-on", "guardrail"]].concat()),
        ),
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
