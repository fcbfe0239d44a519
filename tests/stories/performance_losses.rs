//! Models of losses and of truth: what a regression loses where there is no target, and whether the relation itself has changed.

use std::ops::Range;

use serde_json::Value;

use crate::drift::{Folder, csv};
use crate::performance::{SCORES, json_of, metric, performance};

/// A number of 0 to 1 that looks random and is the same everywhere.
fn shuffled(i: u32, step: u32) -> f64 {
    f64::from(i.wrapping_mul(step).wrapping_mul(2_654_435_761) >> 8) / f64::from(1 << 24)
}

/// The error of a row: larger for larger x, and twice as large for the word `b`.
fn error(i: u32, x: f64) -> f64 {
    let size = (0.2 + 3.0 * x) * if i.is_multiple_of(2) { 1.0 } else { 2.0 };
    size * (2.0 * shuffled(i, 7) - 1.0)
}

/// Rows with x between `low` and 1; the target is left out where nobody should see it.
fn numbers(rows: Range<u32>, low: f64, labelled: bool) -> String {
    csv("x,w,v,y", rows, |i| {
        let x = low + (1.0 - low) * shuffled(i, 3);
        let (word, v) = (["a", "b"][(i % 2) as usize], 10.0 * x);
        let y = if labelled { (v + error(i, x)).to_string() } else { String::new() };
        format!("{x},{word},{v},{y}")
    })
}

#[test]
fn losses_are_estimated_where_features_moved_and_targets_are_missing() {
    let folder = Folder::new();
    let reference = folder.file("reference.csv", &numbers(0..1500, 0.0, true));
    let current = folder.file("current.csv", &numbers(1500..2700, 0.5, false));
    let arguments = [
        "--task",
        "regression",
        "--target",
        "y",
        "--value",
        "v",
        "--chunks",
        "3",
        "--estimate",
        "--weakest",
        "0",
    ];
    let document = json_of(&reference, &current, &arguments);
    let truth: f64 = (1500..2700).map(|i| error(i, 0.5 + 0.5 * shuffled(i, 3)).abs()).sum::<f64>() / 1200.0;
    let before = metric(&document["reference_chunks"][0], "mae")["realised"].as_f64().unwrap();
    let chunks = document["chunks"].as_array().unwrap();
    let of = |name: &str| -> f64 {
        chunks.iter().map(|chunk| metric(chunk, name)["estimated"].as_f64().unwrap()).sum::<f64>() / 3.0
    };
    assert!((of("mae") / truth - 1.0).abs() < 0.1, "{} instead of {truth}, before {before}", of("mae"));
    assert!((of("mae") / before - 1.0).abs() > 0.2, "{before} and {}", of("mae"));
    assert!(of("rmse") > of("mae"));
    let mae = metric(&chunks[0], "mae");
    assert_eq!((&mae["realised"], &mae["reason"]), (&Value::Null, &"no_rows".into()));
    assert!(mae["estimate_band"][0].as_f64().unwrap() < mae["estimated"].as_f64().unwrap());
    assert_eq!(mae["alert"], true, "the estimate is far from what is usual: {mae}");
}

// Few different numbers of a CSV file were words: `4.0` was none that a reference with `4` knew, and had the mean loss of all.
#[test]
fn numbers_of_a_csv_file_are_numbers_however_few_and_however_written() {
    let folder = Folder::new();
    // A row is off by 1, 3, 5, 7, 9 or 11, by its level.
    let rows = |n: u32, level: fn(u32) -> u32, point: &str| {
        csv("level,v,y", 0..n, |i| {
            let off = f64::from(1 + 2 * level(i)) * if i.is_multiple_of(2) { 1.0 } else { -1.0 };
            let v = shuffled(i, 3);
            format!("{}{point},{v},{}", level(i), v + off)
        })
    };
    let reference = folder.file("reference.csv", &rows(1500, |i| i / 2 % 6, ""));
    let current = folder.file("current.csv", &rows(600, |i| 4 + i / 2 % 2, ".0"));
    let asked = ["--task", "regression", "--target", "y", "--value", "v", "--estimate", "--chunks", "3"];
    for chunk in json_of(&reference, &current, &asked)["chunks"].as_array().unwrap() {
        let mae = metric(chunk, "mae");
        let [realised, estimated] = ["realised", "estimated"].map(|what| mae[what].as_f64().unwrap());
        assert!((realised - 10.0).abs() < 1e-9 && (estimated - realised).abs() < 0.5, "{mae}");
    }
}

// Models were fitted without it, and nothing said so.
#[test]
fn a_feature_that_is_none_is_refused() {
    let folder = Folder::new();
    let rows = folder.file("rows.csv", &numbers(0..200, 0.0, true));
    let asked = ["--task", "regression", "--target", "y", "--value", "v", "--estimate", "--features"];
    for (features, none) in [("nope", "nope"), ("x,y", "y"), ("w,", "")] {
        let ran = performance(&rows, &rows, &[&asked[..], &[features]].concat());
        assert_eq!((ran.code, ran.stdout.as_str()), (65, ""), "{}", ran.stderr);
        let said = format!("`{none}` is no feature of the reference; there are `x`, `w`");
        assert!(ran.stderr.contains(&said), "{said} in {}", ran.stderr);
    }
    assert_eq!(performance(&rows, &rows, &[&asked[..], &["w,x"]].concat()).code, 0);
}

/// Rows whose truth follows x, or its opposite.
fn classes(rows: Range<u32>, low: f64, turned: bool) -> String {
    csv("x,noise,p,y", rows, |i| {
        let x = low + (1.0 - low) * shuffled(i, 3);
        let likely = if turned { 1.0 - x } else { x };
        format!("{x},{},{x},{}", shuffled(i, 11), u8::from(shuffled(i, 5) < likely))
    })
}

#[test]
fn a_turned_relation_is_concept_drift() {
    let folder = Folder::new();
    let reference = folder.file("reference.csv", &classes(0..3000, 0.0, false));
    let turned = folder.file("turned.csv", &classes(3000..3500, 0.0, true));
    let arguments = [&SCORES[..], &["--chunks", "3", "--concept-drift", "--weakest", "0"]].concat();
    let found = json_of(&reference, &turned, &arguments)["concept_drift"].clone();
    assert_eq!((&found["verdict"], &found["metric"]), (&"drift".into(), &"roc_auc".into()), "{found}");
    assert!(found["estimated_effect"].as_f64().unwrap() < -0.3, "{found}");
}

// Models learnt from rows that count nothing: half of them told of a relation that had turned.
#[test]
fn rows_without_weight_are_no_part_of_a_relation() {
    let folder = Folder::new();
    let weighed = |rows: &str, weight: &str| -> String {
        rows.lines().skip(1).map(|row| format!("{row},{weight}\n")).collect()
    };
    let file =
        |name: &str, parts: [String; 2]| folder.file(name, &format!("x,noise,p,y,w\n{}", parts.concat()));
    let reference = file("reference.csv", [weighed(&classes(0..3000, 0.0, false), "1"), String::new()]);
    let turned = weighed(&classes(3500..4000, 0.0, true), "0");
    let current = file("current.csv", [weighed(&classes(3000..3500, 0.0, false), "1"), turned]);
    let asked = ["--weight", "w", "--chunks", "3", "--concept-drift", "--weakest", "0"];
    let found = json_of(&reference, &current, &[&SCORES[..], &asked].concat())["concept_drift"].clone();
    assert_eq!((&found["verdict"], &found["fitted_on"]), (&"no_drift".into(), &500.into()), "{found}");
}
