//! Estimates without targets: equal to NannyML's where the method is the same, and trusted only as long as they come true.

use serde_json::{Map, Value};

use crate::drift::{Folder, csv};
use crate::performance::{SCORES, json_of, metric, ndjson, performance};

/// NannyML rounds cumulated counts to five decimals before it takes areas.
const ROUNDED: f64 = 1e-5;
/// How far estimates of the losses of 400 rows by other trees lie apart.
const OTHER_TREES: f64 = 0.06;
/// And how far from what came true, of which the mean of 400 squares scatters by 7 % of itself.
const OF_THE_TRUTH: f64 = 0.15;
/// Closed forms of the same doubles, summed in another order.
const CLOSED_FORM: f64 = 1e-9;

fn golden() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/performance_nannyml.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn columns(case: &Value, side: &str) -> Map<String, Value> {
    case[side].as_object().unwrap().clone()
}

/// What NannyML calls a metric that we call otherwise.
fn ours(name: &str, task: &str) -> String {
    match (name, task) {
        ("average_precision", _) => "pr_auc".to_owned(),
        (name, "binary" | "regression") | (name @ "accuracy", _) => name.to_owned(),
        (name, _) => format!("{name}_macro"),
    }
}

/// Average precision's error is resampled there without a seed; ours is that of its logit interval. F1 of several classes leaves out there
/// what it is stretched by of two classes. Of roots ours is the band of the mean that they are of.
fn has_same_error(name: &str, task: &str) -> bool {
    !matches!((name, task), ("average_precision" | "rmse" | "rmsle", _) | ("f1", "multiclass"))
}

fn faults(case: &Value, document: &Value) -> Vec<String> {
    let task = case["task"].as_str().unwrap();
    let mut faults = Vec::new();
    for (i, expected) in case["chunks"].as_array().unwrap().iter().enumerate() {
        for (name, expected) in expected.as_object().unwrap() {
            let found = metric(&document["chunks"][i], &ours(name, task));
            let is_area = matches!(name.as_str(), "roc_auc" | "average_precision");
            let tolerance = if is_area { ROUNDED } else { CLOSED_FORM };
            let mut check = |what: &str, found: &Value, expected: Option<f64>, tolerance: f64| {
                let near = match (found.as_f64(), expected) {
                    (Some(found), Some(expected)) => (found - expected).abs() <= tolerance,
                    (None, None) => true,
                    _ => false,
                };
                if !near {
                    faults
                        .push(format!("{} {i} {name} {what}: {found} instead of {expected:?}", case["name"]));
                }
            };
            let estimate = expected["estimate"].as_f64().unwrap();
            // Of numbers the trees are others, and so are the digits.
            let tolerance = if task == "regression" { OTHER_TREES * estimate } else { tolerance };
            check("estimate", &found["estimated"], Some(estimate), tolerance);
            let half = 3.0 * expected["error"].as_f64().unwrap();
            if has_same_error(name, task) {
                let estimated = found["estimated"].as_f64().unwrap();
                let high = if task == "regression" { f64::INFINITY } else { 1.0 };
                let tolerance = if is_area { ROUNDED } else { CLOSED_FORM };
                check("band", &found["estimate_band"][0], Some((estimated - half).max(0.0)), tolerance);
                check("band", &found["estimate_band"][1], Some((estimated + half).min(high)), tolerance);
            }
            for end in [0, 1] {
                let expected = expected["threshold"][end].as_f64();
                check("threshold", &found["threshold"][end], expected, CLOSED_FORM);
            }
        }
    }
    faults
}

// Oracle: tests/golden/performance_nannyml.py, NannyML 0.13.1 `CBPE` and `DLE`.
#[test]
fn estimates_are_those_of_nannyml() {
    let golden = golden();
    let rows = golden["rows"].to_string();
    let folder = Folder::new();
    let mut all = Vec::new();
    for (i, case) in golden["cases"].as_array().unwrap().iter().enumerate() {
        let reference = folder.file(&format!("{i}-reference.ndjson"), &ndjson(&columns(case, "reference")));
        // The current rows have no target at all.
        let mut current = columns(case, "current");
        let length = current.values().next().unwrap().as_array().unwrap().len();
        current.insert("y".to_owned(), vec![Value::Null; length].into());
        let current = folder.file(&format!("{i}-current.ndjson"), &ndjson(&current));
        let task = case["task"].as_str().unwrap();
        let predicted: &[&str] = match task {
            "binary" => &["--score", "p", "--label", "l"],
            "multiclass" => &["--probabilities", "a=p_a,b=p_b,c=p_c", "--label", "l"],
            _ => &["--value", "v"],
        };
        let arguments =
            [&["--task", task, "--target", "y", "--chunk-rows", &rows, "--estimate"][..], predicted].concat();
        let document = json_of(&reference, &current, &arguments);
        assert_eq!(document["trust"]["verdict"], "unknown");
        all.extend(faults(case, &document));
        for (chunk, truth) in case["truth"].as_array().into_iter().flatten().enumerate() {
            for (name, truth) in truth.as_object().unwrap() {
                let found = &metric(&document["chunks"][chunk], name)["estimated"];
                let off = found.as_f64().unwrap() / truth.as_f64().unwrap() - 1.0;
                assert!(off.abs() < OF_THE_TRUTH, "{chunk} {name}: {found} instead of {truth}");
            }
        }
    }
    assert!(all.is_empty(), "{}", all.join("\n"));
}

/// Rows whose truth follows their score, or its opposite; of each chunk of 500 the first `labelled` have a target.
fn rows(range: std::ops::Range<u32>, turned: bool, labelled: u32) -> String {
    csv("y,p", range, |i| {
        let p = f64::from(i * 37 % 101) / 100.0;
        let positive = (f64::from(i * 61 % 103) / 102.0 < p) != turned;
        match i % 500 < labelled {
            true => format!("{},{p}", u8::from(positive)),
            false => format!(",{p}"),
        }
    })
}

#[test]
fn an_estimator_that_was_wrong_is_muted() {
    let folder = Folder::new();
    let reference = folder.file("reference.csv", &rows(0..5000, false, 500));
    let right = folder.file("right.csv", &rows(5000..8000, false, 400));
    let wrong = folder.file("wrong.csv", &rows(5000..8000, true, 400));
    let unknown = folder.file("unknown.csv", &rows(5000..8000, false, 0));
    let arguments = [&SCORES[..], &["--chunk-rows", "500", "--estimate", "--weakest", "0"]].concat();
    for (current, verdict, chunks) in [(&right, "trusted", 6), (&wrong, "muted", 6), (&unknown, "unknown", 0)]
    {
        let document = json_of(&reference, current, &arguments);
        let trust = &document["trust"];
        assert_eq!((&trust["metric"], &trust["verdict"]), (&"roc_auc".into(), &verdict.into()), "{trust}");
        assert_eq!(trust["chunks"], chunks);
    }
    let document = json_of(&reference, &right, &arguments);
    let trust = &document["trust"];
    assert!(trust["mean_absolute_error"].as_f64().unwrap() < 0.05, "{trust}");
    assert_eq!(trust["coverage_of_band"], 1.0);
    let auc = metric(&document["chunks"][0], "roc_auc");
    assert!((auc["estimated"].as_f64().unwrap() - auc["realised"].as_f64().unwrap()).abs() < 0.05, "{auc}");
    // Without targets it is the estimate that may alert: scores that say nothing any more.
    let flat =
        folder.file("flat.csv", &csv("y,p", 0..1000, |i| format!(",{}", 0.5 + f64::from(i % 7) / 1000.0)));
    let document = json_of(&reference, &flat, &arguments);
    let auc = metric(&document["chunks"][0], "roc_auc");
    assert_eq!((&auc["realised"], &auc["alert"]), (&Value::Null, &true.into()), "{auc}");
}

// A file of predictions whose outcomes are to come has no column for them, and was refused.
#[test]
fn a_file_without_the_column_of_the_target_has_all_of_them_to_come() {
    let folder = Folder::new();
    let reference = folder.file("reference.csv", &rows(0..5000, false, 500));
    let empty = rows(5000..8000, false, 0);
    let without: String =
        empty.lines().map(|line| format!("{}\n", line.split_once(',').unwrap().1)).collect();
    let (empty, without) = (folder.file("empty.csv", &empty), folder.file("without.csv", &without));
    let arguments = [&SCORES[..], &["--chunk-rows", "500", "--estimate"]].concat();
    let ran = performance(&reference, &without, &[&arguments[..], &["--format", "json"]].concat());
    let (found, expected) = (ran.document(), json_of(&reference, &empty, &arguments));
    assert_eq!((&found["chunks"], &found["verdict"]), (&expected["chunks"], &expected["verdict"]));
    assert!(metric(&found["chunks"][0], "roc_auc")["estimated"].is_number(), "{found}");
    assert!(ran.stderr.contains("has no column `y`, so that all its targets are to come"), "{}", ran.stderr);
    // Without estimates there is nothing to tell.
    let ran = performance(&reference, &without, &[&SCORES[..], &["--fail-on", "alert"]].concat());
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    // What the reference lacks is no target.
    let ran = performance(&without, &without, &arguments);
    assert_eq!((ran.code, ran.stdout.as_str()), (65, ""), "{}", ran.stderr);
    let mistyped = ["--task", "binary", "--target", "yy", "--score", "p"];
    assert_eq!(performance(&reference, &empty, &mistyped).code, 65);
}

// Calibrations are of the whole reference. Where scores say nothing in one part, its estimates lay far above what is usual there, and every chunk
// alerted, without any change and without an outcome.
#[test]
fn estimates_are_muted_in_a_part_in_which_they_are_wrong() {
    let folder = Folder::new();
    let parts = |range: std::ops::Range<u32>, labelled: bool| {
        csv("y,p,part", range, |i| {
            let p = f64::from(i * 37 % 101) / 100.0;
            let (part, chance) = if i % 4 == 0 { ("odd", 0.5) } else { ("even", p) };
            let positive = u8::from(f64::from(i * 61 % 103) / 102.0 < chance);
            let truth = if labelled { positive.to_string() } else { String::new() };
            format!("{truth},{p},{part}")
        })
    };
    let reference = folder.file("reference.csv", &parts(0..8000, true));
    let current = folder.file("current.csv", &parts(8000..10_000, false));
    let cut = ["--chunk-rows", "1000", "--segment-by", "part", "--estimate", "--weakest", "0"];
    let arguments = [&SCORES[..], &cut].concat();
    let document = json_of(&reference, &current, &arguments);
    let odd = &document["segments"][1];
    assert_eq!((&odd["segment"]["part"], &odd["verdict"]), (&"odd".into(), &"insufficient_data".into()));
    let auc = metric(&odd["chunks"][0], "roc_auc");
    let [estimated, high] = [&auc["estimated"], &auc["threshold"][1]].map(|number| number.as_f64().unwrap());
    assert!(estimated > high && auc["alert"] == false, "{auc}");
    assert!(odd["muted"].as_array().unwrap().contains(&"roc_auc".into()), "{odd}");
    let table = performance(&reference, &current, &arguments).stdout;
    assert!(table.contains("are muted in part=odd: they have been wrong there"), "{table}");
}

// Rows with a score and no class counted as predicted negative, of several classes as wrong: estimates were far below the truth.
#[test]
fn estimates_of_classes_are_of_rows_that_have_one() {
    let folder = Folder::new();
    let file = |name: &str, rows: std::ops::Range<u32>| {
        let text = csv("y,p,q,l", rows, |i| {
            let p = f64::from(i * 37 % 101) / 100.0;
            let positive = f64::from(i * 61 % 103) / 102.0 < p;
            let label = if i % 2 == 0 { u8::from(p >= 0.5).to_string() } else { String::new() };
            format!("{},{p},{},{label}", u8::from(positive), 1.0 - p)
        });
        folder.file(name, &text)
    };
    let (reference, current) = (file("reference.csv", 0..2000), file("current.csv", 2000..4000));
    let several = ["--task", "multiclass", "--target", "y", "--probabilities", "0=q,1=p"];
    for (task, names) in [
        (&SCORES[..], &["accuracy", "recall", "specificity", "precision", "f1"][..]),
        (&several, &["accuracy", "recall_macro", "precision_macro", "f1_macro"]),
    ] {
        let asked = ["--label", "l", "--chunks", "2", "--estimate", "--weakest", "0"];
        let document = json_of(&reference, &current, &[task, &asked].concat());
        for name in names {
            let found = metric(&document["chunks"][0], name);
            let off = found["estimated"].as_f64().unwrap() - found["realised"].as_f64().unwrap();
            assert!(off.abs() < 0.05, "{found}");
        }
    }
}
