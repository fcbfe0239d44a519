//! `windvane experiment` cut into parts: segments, strata and days of a file, and advice; against NumPy and SciPy.

use std::fmt::Write as _;

use serde_json::Value;

use super::{Folder, Ran, agrees, comparison, experiment, over};

/// Digits that two programs in doubles share, after sums of some hundred values.
const DOUBLES: f64 = 1e-8;

/// `chi2_contingency([[46, 254, 131, 57], [42, 223, 202, 44]], correction=False)`: units by country, the four of XX with the 84 of none.
const MIXED_P: f64 = 3.487_860_333_575_553e-4;

/// The p-value of 5 late units of 200 against 30 of 200.
const LATE_P: f64 = 9.700_695_731_479_564e-6;

fn golden() -> (String, Value) {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden");
    let expected = serde_json::from_slice(&std::fs::read(format!("{folder}/experiment_parts.json")).unwrap());
    (format!("{folder}/experiment_parts.csv"), expected.unwrap())
}

fn run(rows: &str, more: &[&str]) -> Ran {
    let words = [rows, "--unit", "user", "--arm", "variant", "--control", "A", "--metric", "revenue:mean"];
    experiment(&[&words[..], &["--metric", "bought:proportion"], more].concat())
}

fn check<'a>(document: &'a Value, name: &str, subject: &str) -> &'a Value {
    let checks = document["health"].as_array().unwrap();
    checks
        .iter()
        .find(|check| check["check"] == name && check["subject"] == subject)
        .unwrap_or_else(|| panic!("no {name} of {subject}: {document}"))
}

// tests/golden/experiment_parts.py: Welch and χ² within each country, Holm over the whole and the four segments.
#[test]
fn segments_agree_with_scipy_and_are_corrected_as_one_family() {
    let (rows, expected) = golden();
    let document =
        run(&rows, &["--segment-by", "country", "--segment-min", "50", "--format", "json"]).document();
    for metric in ["revenue", "bought"] {
        agrees(comparison(&document, metric, "B"), &expected["whole"][metric], DOUBLES, metric);
    }
    assert_eq!((&document["tests"], &document["segments_left_out"]), (&10.into(), &1.into()));
    let found = document["segments"].as_array().unwrap();
    let wanted = expected["segments"].as_array().unwrap();
    assert_eq!(found.len(), wanted.len());
    for (found, wanted) in found.iter().zip(wanted) {
        assert_eq!(found["segment"]["country"], wanted["country"]);
        agrees(&found["srm"]["p_value"], &wanted["srm"], DOUBLES, "srm");
        for metric in ["revenue", "bought"] {
            agrees(
                comparison(found, metric, "B"),
                &wanted[metric],
                DOUBLES,
                &format!("{metric} {}", wanted["country"]),
            );
        }
        let ledger = comparison(found, "revenue", "B")["ledger"].to_string();
        assert!(ledger.contains("by holm over 10 p-values, those of 4 segments among them"), "{ledger}");
    }
    // FR has p 0.0001, below a quarter of 0.001: its verdicts are withheld, and those of the others are not.
    let of = |country: &str| found.iter().find(|found| found["segment"]["country"] == country).unwrap();
    assert_eq!(
        (&of("FR")["srm"]["verdict"], &of("DE")["srm"]["verdict"]),
        (&"mismatch".into(), &"ok".into())
    );
    assert_eq!(comparison(of("FR"), "revenue", "B")["verdict"], "inconclusive");
    assert_eq!(comparison(of("DE"), "revenue", "B")["verdict"], "better");
    assert_eq!(check(&document, "sample_ratio", "country=FR")["verdict"], "failure");
    let table = run(&rows, &["--segment-by", "country", "--segment-min", "50"]).stdout;
    for part in ["country=(missing) (A 43, B 41 units)", "sample ratio mismatch", "1 segment is not compared"]
    {
        assert!(table.contains(part), "{part} is not in:\n{table}");
    }
}

// Within a segment values are 1e9 and half a unit apart, and in the other they are small: plain sums lose the first's spread.
#[test]
fn a_segment_with_a_large_mean_keeps_its_variance() {
    let text = (0..400).fold("unit,arm,value,place\n".to_owned(), |mut text, i| {
        let (arm, far) = (if i % 2 == 0 { "A" } else { "B" }, i % 4 < 2);
        let value = if far { 1e9 } else { -1e9 * f64::from(i % 3) } + f64::from(i / 4 % 2) * 0.5;
        writeln!(text, "u{i},{arm},{value:?},{}", if far { "far" } else { "near" }).unwrap();
        text
    });
    let folder = Folder::new();
    let rows = folder.file("rows.csv", &text);
    let words = ["--metric", "value:mean", "--segment-by", "place", "--segment-min", "2", "--format", "json"];
    let document = over(&rows, &words).document();
    let far =
        document["segments"].as_array().unwrap().iter().find(|it| it["segment"]["place"] == "far").unwrap();
    // 100 units an arm, half of them half a unit up: variance 0.0625·100/99, error √(2·that/100).
    let se = comparison(far, "value", "B")["absolute"]["se"].as_f64().unwrap();
    let expected = (2.0 * 0.0625 / 99.0_f64).sqrt();
    assert!((se / expected - 1.0).abs() < DOUBLES, "{se} instead of {expected}");
}

// The first file has a row a unit, so that the answer holds at every look; in the second some units have two, which are clusters.
#[test]
fn a_quantile_of_a_segment_is_that_of_its_rows_alone() {
    let folder = Folder::new();
    for (case, twice) in [("a row a unit", 0), ("units with two rows", 60)] {
        let rows: Vec<(bool, String)> = (0..400)
            .chain(0..twice)
            .enumerate()
            .map(|(row, unit)| {
                let (arm, far) = (if unit % 2 == 0 { "A" } else { "B" }, unit % 5 < 3);
                let value = row * 37 % 101 + 10 * (unit % 2) + 50 * usize::from(far);
                (far, format!("u{unit},{arm},{value},{}", if far { "far" } else { "near" }))
            })
            .collect();
        let text = |of: &[&str]| format!("unit,arm,value,place\n{}\n", of.join("\n"));
        let all: Vec<&str> = rows.iter().map(|(_, line)| line.as_str()).collect();
        let alone: Vec<&str> = rows.iter().filter(|row| row.0).map(|(_, line)| line.as_str()).collect();
        let (all, alone) = (folder.file("all.csv", &text(&all)), folder.file("far.csv", &text(&alone)));
        let asked = ["--metric", "value:quantile(0.8)", "--inference", "sequential", "--format", "json"];
        let cut = over(&all, &[&asked[..], &["--segment-by", "place"]].concat()).document();
        let far = cut["segments"].as_array().unwrap().iter().find(|it| it["segment"]["place"] == "far");
        let (alone, far) = (over(&alone, &asked).document(), far.unwrap());
        let (found, wanted) = (comparison(far, "value", "B"), comparison(&alone, "value", "B"));
        for same in ["n", "n_control", "mean", "mean_control", "absolute", "relative", "sequential"] {
            assert_eq!(found[same], wanted[same], "{same} with {case}");
        }
        assert!(wanted["sequential"]["ci"].is_array(), "{case}: {wanted}");
    }
}

// Weights of all units and the spread of the strata's effects, by NumPy; XX has one unit in an arm and is merged.
#[test]
fn strata_put_an_unlike_mixture_right() {
    let (rows, expected) = golden();
    let document = run(&rows, &["--stratify", "country", "--format", "json"]).document();
    for metric in ["revenue", "bought"] {
        let found = comparison(&document, metric, "B");
        agrees(found, &expected["strata"][metric], DOUBLES, metric);
        assert_eq!(found["method"], "post_stratified");
        assert!(found["ledger"].to_string().contains("post-stratified: 4 strata"), "{found}");
    }
    let mixed = check(&document, "strata_balance", "B");
    agrees(&mixed["observed"], &MIXED_P.into(), DOUBLES, "strata_balance");
    assert_eq!(mixed["verdict"], "failure", "{mixed}");
    assert!(mixed["meaning"].as_str().unwrap().contains("1 with few units as one"), "{mixed}");
    let plain = comparison(&run(&rows, &["--format", "json"]).document(), "revenue", "B").clone();
    assert!(plain["absolute"]["estimate"].as_f64() > Some(1.7) && plain["method"] == "welch", "{plain}");
}

// A line through the days by NumPy's polyfit with weights of units, and the level of the first two days against the later four.
#[test]
fn an_effect_that_fades_is_told_with_its_levels() {
    let (rows, expected) = golden();
    let document = run(&rows, &["--timestamp", "seen", "--format", "json"]).document();
    let found = check(&document, "novelty", "revenue of B");
    agrees(&found["observed"], &expected["novelty"]["observed"], DOUBLES, "novelty");
    let meaning = found["meaning"].as_str().unwrap();
    for level in ["first", "later"] {
        let level = expected["novelty"][level].as_str().unwrap();
        assert!(meaning.contains(level) && meaning.contains("fades"), "{level} is not in {meaning}");
    }
    assert_eq!(
        (&found["verdict"], &check(&document, "novelty", "bought of B")["verdict"]),
        (&"warning".into(), &"ok".into())
    );
    let short = Folder::new();
    let text = (0..200).fold("unit,arm,value,seen\n".to_owned(), |mut text, i| {
        writeln!(text, "{i},{},{},2013-01-0{}", if i % 2 == 0 { "A" } else { "B" }, i % 7, 1 + i % 3)
            .unwrap();
        text
    });
    let rows = short.file("rows.csv", &text);
    for (metric, subject, part) in [
        ("value:mean", "value of B", "3 days have 30 units in both arms"),
        ("value:quantile(0.5)", "value p50 of B", "on a quantile"),
    ] {
        let document =
            over(&rows, &["--metric", metric, "--timestamp", "seen", "--format", "json"]).document();
        let found = check(&document, "novelty", subject);
        assert_eq!(found["verdict"], "unknown");
        assert!(found["meaning"].as_str().unwrap().contains(part), "{found}");
    }
}

// P(B is best) by SciPy's quad; below a hundredth the floor is told.
#[test]
fn advice_is_bandit_weights_and_says_that_it_is_no_verdict() {
    let (rows, expected) = golden();
    let words = ["--advice", "--primary", "bought"];
    let document = run(&rows, &[&words[..], &["--format", "json"]].concat()).document();
    let advice = document["advice"].as_array().unwrap();
    assert_eq!((advice.len(), &advice[0]["metric"]), (1, &"bought".into()));
    agrees(&advice[0]["arms"], &expected["advice"], 1e-6, "advice");
    assert!(run(&rows, &words).stdout.contains("Advice, not a verdict"));
    // What a covariate takes out of an arm depends on the arm beside it: the advice is that of the arms as they are.
    let best = |more: &[&str]| {
        let words = ["--advice", "--primary", "revenue", "--format", "json"];
        let document = run(&rows, &[&words[..], more].concat()).document();
        assert_eq!(document["advice"][0]["metric"], "revenue", "{document}");
        document["advice"][0]["arms"][1]["probability_best"].as_f64().unwrap()
    };
    assert!((best(&["--covariate", "bought"]) - best(&[])).abs() < 1e-9);
    assert_eq!(run(&rows, &["--format", "json"]).document()["advice"], Value::Null);
}

// The farthest unit of each arm by NumPy; and one unit of 1e6 in A, without which B is better.
#[test]
fn a_few_units_that_carry_an_effect_are_told() {
    let (rows, expected) = golden();
    let document = run(&rows, &["--outliers", "--format", "json"]).document();
    let found = check(&document, "outlier_influence", "revenue of B");
    agrees(&found["observed"], &expected["outliers"]["carried"], DOUBLES, "carried");
    let rest = expected["outliers"]["rest"].as_str().unwrap();
    assert!(found["meaning"].as_str().unwrap().contains(rest) && found["verdict"] == "ok", "{found}");
    let text = (0..400).fold("unit,arm,value\n".to_owned(), |mut text, i| {
        let value = if i == 8 { 1e6 } else { f64::from(i / 2 % 5 + 2 * (i % 2)) };
        writeln!(text, "{i},{},{value}", if i % 2 == 0 { "A" } else { "B" }).unwrap();
        text
    });
    let rows = Folder::new();
    let rows = (rows.file("rows.csv", &text), rows);
    let with = |more: &[&str]| {
        let words = ["--metric", "value:mean", "--outliers", "--format", "json"];
        over(&rows.0, &[&words[..], more].concat()).document()
    };
    let found = with(&[]);
    let told = check(&found, "outlier_influence", "value of B");
    assert_eq!(
        (&told["verdict"], &found["comparisons"][0]["verdict"]),
        (&"warning".into(), &"inconclusive".into())
    );
    assert!(told["meaning"].as_str().unwrap().contains("decide"), "{told}");
    // Once the metric is capped, that unit is like the others.
    let found = with(&["--cap", "10"]);
    assert_eq!(check(&found, "outlier_influence", "value of B")["verdict"], "ok");
    assert_eq!(found["comparisons"][0]["verdict"], "better");
}

// Late are 5 of 200 units of A and 30 of 200 of B: pooled z = 0.125/√(0.0875·0.9125·2/200), p by SciPy's 2·norm.sf.
#[test]
fn rows_from_before_the_assignment_and_late_ones_are_told() {
    let text = (0..400).fold("unit,arm,value,seen,assigned,received\n".to_owned(), |mut text, i| {
        let (arm, place) = (if i % 2 == 0 { "A" } else { "B" }, i / 2);
        let assigned = if place < 10 { "2013-01-02T00:00:00Z" } else { "2013-01-01T00:00:00Z" };
        let late = place < if arm == "A" { 5 } else { 30 };
        let received = if late { "2013-01-03T00:00:00Z" } else { "2013-01-01T12:00:10Z" };
        writeln!(text, "{i},{arm},{},2013-01-01T12:00:00Z,{assigned},{received}", i % 7).unwrap();
        // A second row of the same unit, in time.
        writeln!(text, "{i},{arm},1,2013-01-02T12:00:00Z,{assigned},2013-01-02T12:00:10Z").unwrap();
        text
    });
    let folder = Folder::new();
    let rows = folder.file("rows.csv", &text);
    let words =
        ["--metric", "value:mean", "--timestamp", "seen", "--assigned", "assigned", "--received", "received"];
    let with = |more: &[&str]| over(&rows, &[&words[..], &["--format", "json"], more].concat()).document();
    let document = with(&["--late-after", "1h"]);
    let early = document["health"]
        .as_array()
        .unwrap()
        .iter()
        .find(|it| it["check"] == "exposure_before_assignment")
        .unwrap();
    assert_eq!((&early["verdict"], &early["observed"]), (&"failure".into(), &0.05.into()), "{early}");
    assert!(early["meaning"].as_str().unwrap().contains("20 of 400 units (5.00 %)"), "{early}");
    let late = check(&document, "late_data", "B");
    agrees(&late["observed"], &LATE_P.into(), DOUBLES, "late");
    assert_eq!(late["verdict"], "warning");
    assert_eq!(check(&with(&["--late-after", "7d"]), "late_data", "B")["verdict"], "ok");
    // A column without a time tells nothing, which is not that all rows are in time.
    for (column, name, subject) in
        [("--assigned", "exposure_before_assignment", Value::Null), ("--received", "late_data", "B".into())]
    {
        let words = ["--metric", "value:mean", "--timestamp", "seen", column, "arm", "--format", "json"];
        let document = over(&rows, &words).document();
        let checks = document["health"].as_array().unwrap();
        let told = checks.iter().find(|it| it["check"] == name && it["subject"] == subject).unwrap();
        assert_eq!(told["verdict"], "unknown", "{told}");
    }
    let wrong = over(&rows, &[&words[..], &["--late-after", "soon"]].concat());
    assert_eq!((wrong.code, wrong.stdout.as_str()), (64, ""), "{}", wrong.stderr);
}

#[test]
fn cuts_that_cannot_be_made_are_refused() {
    let (rows, _) = golden();
    let folder = Folder::new();
    let many = (0..500).fold("unit,arm,value\n".to_owned(), |mut text, i| {
        writeln!(text, "u{i},{},{}", if i % 2 == 0 { "A" } else { "B" }, i % 7).unwrap();
        text
    });
    let many = folder.file("many.csv", &many);
    let mean = ["--metric", "value:mean"];
    for (code, part, ran) in [
        (64, "one to 3 columns", run(&rows, &["--segment-by", "a,b,c,d"])),
        (64, "give one of them", run(&rows, &["--stratify", "country", "--covariate", "revenue"])),
        (65, "did you mean `country`", run(&rows, &["--segment-by", "contry"])),
        (65, "no column `when`", run(&rows, &["--timestamp", "when"])),
        (65, "`country` holds no time", run(&rows, &["--timestamp", "country"])),
        (65, "more than 200 different values", over(&many, &[&mean[..], &["--stratify", "unit"]].concat())),
        (64, "go with a file", experiment(&["checkout", "--timestamp", "seen"])),
    ] {
        assert_eq!((ran.code, ran.stdout.as_str()), (code, ""), "{}", ran.stderr);
        assert!(ran.stderr.contains(part), "{part} is not in: {}", ran.stderr);
    }
    // Of 500 segments of one unit each none is large enough, and that is told.
    let document =
        over(&many, &[&mean[..], &["--segment-by", "unit", "--format", "json"]].concat()).document();
    assert_eq!(
        (&document["segments_left_out"], &document["segments"]),
        (&500.into(), &Value::Array(Vec::new()))
    );
}
