//! `windvane performance` over files: equal to scikit-learn, what alerts, what it refuses, and how it exits.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};

use arrow::array::{ArrayRef, Float32Array, Int64Array};
use serde_json::{Map, Value, json};

use crate::drift::{Folder, Ran, csv};

/// Closed forms of the same doubles, summed in another order.
const CLOSED_FORM: f64 = 1e-9;
/// What is asked of two classes `y` with scores `p`.
pub const SCORES: [&str; 6] = ["--task", "binary", "--target", "y", "--score", "p"];

pub fn performance(reference: &Path, current: &Path, arguments: &[&str]) -> Ran {
    let output = Command::new(env!("CARGO_BIN_EXE_windvane"))
        .arg("performance")
        .args([reference, current])
        .args(arguments)
        .output()
        .unwrap();
    Ran {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

pub fn json_of(reference: &Path, current: &Path, arguments: &[&str]) -> Value {
    performance(reference, current, &[arguments, &["--format", "json"]].concat()).document()
}

pub fn metric<'a>(chunk: &'a Value, name: &str) -> &'a Value {
    let metrics = chunk["metrics"].as_array().unwrap();
    metrics.iter().find(|metric| metric["metric"] == name).unwrap_or_else(|| panic!("no {name}: {chunk}"))
}

/// Columns as NDJSON.
pub fn ndjson(columns: &Map<String, Value>) -> String {
    let rows = columns.values().next().unwrap().as_array().unwrap().len();
    let row = |i: usize| {
        let row: Map<String, Value> =
            columns.iter().map(|(name, values)| (name.clone(), values[i].clone())).collect();
        format!("{}\n", Value::Object(row))
    };
    (0..rows).map(row).collect()
}

/// The flags that name the columns of a golden case.
fn roles(case: &Value) -> Vec<String> {
    let mut flags = vec!["--target".to_owned(), "y".to_owned()];
    for (column, flag) in [("p", "--score"), ("s", "--score"), ("v", "--value"), ("g", "--group")] {
        if case["columns"].get(column).is_some() {
            flags.extend([flag.to_owned(), column.to_owned()]);
        }
    }
    flags
}

fn faults(case: &Value, chunk: &Value) -> Vec<String> {
    let expected = case["expected"].as_object().unwrap();
    let differs = |(name, expected): (&String, &Value)| {
        let metric = metric(chunk, name);
        let found = &metric["realised"];
        let near = match (found.as_f64(), expected.as_f64()) {
            (None, None) => metric["reason"].is_string(),
            (Some(found), Some(expected)) => {
                (found - expected).abs() <= CLOSED_FORM * expected.abs().max(1.0)
            }
            _ => false,
        };
        (!near).then(|| format!("{} {name}: {metric} instead of {expected}", case["name"]))
    };
    expected.iter().filter_map(differs).collect()
}

// Oracle: tests/golden/performance.py, scikit-learn 1.7.2.
#[test]
fn metrics_are_those_of_scikit_learn() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/performance.json");
    let golden: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let cases = golden["cases"].as_array().unwrap();
    let folder = Folder::new();
    let files: Vec<PathBuf> = cases
        .iter()
        .enumerate()
        .map(|(i, case)| folder.file(&format!("{i}.ndjson"), &ndjson(case["columns"].as_object().unwrap())))
        .collect();
    let (waiting, all) = (Mutex::new(cases.iter().zip(&files)), Mutex::new(Vec::new()));
    std::thread::scope(|threads| {
        for _ in 0..3 {
            threads.spawn(|| {
                while let Some((case, file)) = { waiting.lock().unwrap().next() } {
                    let roles = roles(case);
                    let mut arguments: Vec<&str> = roles.iter().map(String::as_str).collect();
                    arguments.extend(["--task", case["task"].as_str().unwrap(), "--chunks", "1"]);
                    arguments.extend(case["options"].as_array().unwrap().iter().map(|o| o.as_str().unwrap()));
                    let document = json_of(file, file, &arguments);
                    all.lock().unwrap().extend(faults(case, &document["chunks"][0]));
                }
            });
        }
    });
    let all = all.into_inner().unwrap();
    assert!(all.is_empty(), "{}", all.join("\n"));
}

// One metric of several classes or another had no interval where its classes had one.
#[test]
fn every_metric_of_several_classes_has_an_interval() {
    let folder = Folder::new();
    let rows = csv("y,a,b,c", 0..900, |i| {
        let (a, b) = (f64::from(i * 37 % 50 + 1), f64::from(i * 61 % 50 + 1));
        let total = a + b + 25.0;
        let class = ["a", "b", "c"][(i * 7919 % 101 % 3) as usize];
        format!("{class},{},{},{}", a / total, b / total, 25.0 / total)
    });
    let file = folder.file("a.csv", &rows);
    let arguments =
        ["--task", "multiclass", "--target", "y", "--probabilities", "a=a,b=b,c=c", "--chunks", "1"];
    let document = json_of(&file, &file, &arguments);
    for metric in document["chunks"][0]["metrics"].as_array().unwrap() {
        let (value, ci) = (metric["realised"].as_f64().unwrap(), &metric["ci"]);
        let [Some(low), Some(high)] = [0, 1].map(|end| ci[end].as_f64()) else { panic!("{metric}") };
        assert!(low < value && value < high, "{metric}");
    }
}

/// Rows whose score says how likely they are positive, but for every `wrong`-th row, which is turned round.
fn scored(rows: std::ops::Range<u32>, wrong: u32) -> String {
    csv("y,p,region,when", rows, |i| {
        let p = f64::from(i * 37 % 100) / 100.0;
        let positive = (f64::from(i * 61 % 100) / 100.0 < p) != (i % wrong == 0);
        let region = ["east", "west"][(i / 3 % 2) as usize];
        format!("{},{p},{region},2013-01-{:02}T00:00:00Z", u8::from(positive), i / 200 + 1)
    })
}

const BINARY: [&str; 6] = ["--task", "binary", "--target", "y", "--score", "p"];

#[test]
fn a_model_that_got_worse_alerts_and_one_that_did_not_does_not() {
    let folder = Folder::new();
    let reference = folder.file("reference.csv", &scored(0..4000, 1_000_000));
    let same = folder.file("same.csv", &scored(4000..6000, 1_000_000));
    let worse = folder.file("worse.csv", &scored(4000..6000, 3));
    let arguments =
        [&BINARY[..], &["--chunk-rows", "500", "--fail-on", "alert", "--format", "json"]].concat();
    let ran = performance(&reference, &worse, &arguments);
    let document = ran.document();
    assert_eq!((ran.code, &document["verdict"]), (1, &"alert".into()), "{}", ran.stderr);
    assert_eq!(document["schema"], "windvane.performance/1");
    let auc = metric(&document["chunks"][0], "roc_auc");
    assert_eq!(
        (&auc["alert"], &auc["change"], &auc["ci_method"]),
        (&true.into(), &"worse".into(), &"delong_wilson".into())
    );
    assert!(auc["ci"][0].as_f64().unwrap() < auc["realised"].as_f64().unwrap());
    assert_eq!(document["chunks"].as_array().unwrap().len(), 4);
    assert_eq!(document["reference_chunks"].as_array().unwrap().len(), 8);
    let ran = performance(&reference, &same, &arguments);
    assert_eq!((ran.code, &ran.document()["verdict"]), (0, &"no_alert".into()), "{}", ran.stdout);
    // The same input gives the same document.
    assert_eq!(
        performance(&reference, &worse, &arguments).stdout,
        performance(&reference, &worse, &arguments).stdout
    );
}

#[test]
fn thresholds_are_three_deviations_of_the_reference_unless_given() {
    let folder = Folder::new();
    let file = folder.file("a.csv", &scored(0..2000, 7));
    let arguments = [&BINARY[..], &["--chunks", "5"]].concat();
    let document = json_of(&file, &file, &arguments);
    let values: Vec<f64> = document["reference_chunks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|chunk| metric(chunk, "roc_auc")["realised"].as_f64().unwrap())
        .collect();
    let mean = values.iter().sum::<f64>() / 5.0;
    let deviation = (values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 5.0).sqrt();
    let threshold = &metric(&document["chunks"][0], "roc_auc")["threshold"];
    for (end, expected) in [(0, mean - 3.0 * deviation), (1, (mean + 3.0 * deviation).min(1.0))] {
        assert!((threshold[end].as_f64().unwrap() - expected).abs() < 1e-12, "{threshold} {values:?}");
    }
    let given =
        ["--threshold-lower", "roc_auc=0.99", "--threshold-upper", "log_loss=0.1", "--threshold-std", "0,1"];
    let document = json_of(&file, &file, &[&arguments[..], &given].concat());
    let auc = metric(&document["chunks"][0], "roc_auc");
    assert_eq!((&auc["threshold"][0], &auc["alert"]), (&0.99.into(), &true.into()));
    assert_eq!(metric(&document["chunks"][0], "log_loss")["change"], "worse");
    // One chunk does not scatter.
    let one = json_of(&file, &file, &[&BINARY[..], &["--chunks", "1"]].concat());
    assert_eq!(metric(&one["chunks"][0], "roc_auc")["threshold"], Value::Null);
    assert_eq!(one["verdict"], "insufficient_data");
}

#[test]
fn chunks_follow_rows_or_the_calendar_and_the_end_goes_where_it_is_told() {
    let folder = Folder::new();
    let file = folder.file("a.csv", &scored(0..1050, 7));
    let sizes = |arguments: &[&str]| -> Vec<u64> {
        let document = json_of(&file, &file, &[&BINARY[..], &["--weakest", "0"], arguments].concat());
        document["chunks"].as_array().unwrap().iter().map(|chunk| chunk["n"].as_u64().unwrap()).collect()
    };
    for (arguments, expected) in [
        (&["--chunk-rows", "200"][..], &[200, 200, 200, 200, 250][..]),
        (&["--chunk-rows", "200", "--incomplete", "keep"], &[200, 200, 200, 200, 200, 50]),
        (&["--chunk-rows", "200", "--incomplete", "drop"], &[200, 200, 200, 200, 200]),
        (&["--chunks", "4"], &[262, 262, 262, 264]),
        (&[], &[105; 10]),
        (&["--chunk-rows", "200", "--timestamp", "when"], &[200, 200, 200, 200, 250]),
        (&["--chunk-period", "day", "--timestamp", "when"], &[200, 200, 200, 200, 200, 50]),
        (&["--chunk-period", "month", "--timestamp", "when"], &[1050]),
    ] {
        assert_eq!(sizes(arguments), expected, "{arguments:?}");
    }
    let days =
        json_of(&file, &file, &[&BINARY[..], &["--chunk-period", "day", "--timestamp", "when"]].concat());
    let chunk = &days["chunks"][1];
    assert_eq!(
        (&chunk["chunk"], &chunk["start"], &chunk["end"]),
        (&1.into(), &"2013-01-02T00:00:00Z".into(), &"2013-01-03T00:00:00Z".into())
    );
}

#[test]
fn times_without_a_zone_are_utc_wherever_the_command_runs() {
    let folder = Folder::new();
    let rows = |days: std::ops::RangeInclusive<u32>| -> String {
        let row = |i: u32| {
            format!("{{\"t\":\"2013-01-{:02} 02:00:{:02}\",\"y\":{},\"p\":0.5}}\n", i / 40, i % 40, i % 2)
        };
        (days.start() * 40..(days.end() + 1) * 40).map(row).collect()
    };
    let (reference, current) =
        (folder.file("reference.ndjson", &rows(1..=3)), folder.file("current.ndjson", &rows(4..=5)));
    let output = Command::new(env!("CARGO_BIN_EXE_windvane"))
        .env("TZ", "Asia/Kolkata")
        .arg("performance")
        .args([&reference, &current])
        .args(SCORES)
        .args(["--timestamp", "t", "--chunk-period", "day", "--weakest", "0", "--format", "json"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    let starts: Vec<&Value> =
        document["chunks"].as_array().unwrap().iter().map(|chunk| &chunk["start"]).collect();
    assert_eq!(starts, ["2013-01-04T00:00:00Z", "2013-01-05T00:00:00Z"]);
}

// Parquet is read in place, and its rows are numbered by the engine.
#[test]
fn parquet_says_what_csv_says() {
    let folder = Folder::new();
    let rows: Vec<(i64, f64)> =
        (0..1500_i64).map(|i| (i * 61 % 97 % 2, (i * 37 % 100) as f64 / 100.0)).collect();
    let text = csv("y,p", 0..1500, |i| format!("{},{}", rows[i as usize].0, rows[i as usize].1));
    let y: ArrayRef = Arc::new(rows.iter().map(|row| Some(row.0)).collect::<Int64Array>());
    let p: ArrayRef = Arc::new(rows.iter().map(|row| Some(row.1 as f32)).collect::<Float32Array>());
    let parquet = folder.parquet("a.parquet", vec![("y".to_owned(), y), ("p".to_owned(), p)]);
    let csv = folder.file("a.csv", &text);
    let arguments = [&BINARY[..], &["--chunk-rows", "400", "--estimate"]].concat();
    let [csv, parquet] = [&csv, &parquet].map(|file| json_of(file, file, &arguments));
    for i in 0..3 {
        let (a, b) = (&csv["chunks"][i], &parquet["chunks"][i]);
        assert_eq!((&a["n"], &a["confusion_matrix"]), (&b["n"], &b["confusion_matrix"]));
        for name in ["roc_auc", "pr_auc", "brier"] {
            for what in ["realised", "estimated"] {
                let of = |chunk: &Value| metric(chunk, name)[what].as_f64().unwrap();
                assert!((of(a) - of(b)).abs() < 1e-6, "{name} {what}: {a} and {b}");
            }
        }
    }
}

#[test]
fn rows_without_a_target_are_counted_and_a_metric_without_a_class_says_why() {
    let folder = Folder::new();
    let reference = folder.file("reference.csv", &scored(0..2000, 7));
    let row = |i: u32| {
        let p = f64::from(i * 37 % 100) / 100.0;
        match i {
            0..100 => format!("1,{p}"),
            100..200 => format!("{},{p}", if i.is_multiple_of(4) { "" } else { "0" }),
            200..300 => format!(",{p}"),
            _ => format!("{},", i % 2),
        }
    };
    let current = folder.file("current.csv", &csv("y,p", 0..400, row));
    let document = json_of(&reference, &current, &[&BINARY[..], &["--chunk-rows", "100"]].concat());
    let chunk = |i: usize| &document["chunks"][i];
    for (i, labelled, coverage, unscored) in
        [(0, 100, 1.0, 0), (1, 75, 0.75, 0), (2, 0, 0.0, 0), (3, 100, 1.0, 100)]
    {
        let found = (&chunk(i)["labelled"], &chunk(i)["coverage"], &chunk(i)["unscored"]);
        assert_eq!(found, (&labelled.into(), &coverage.into(), &unscored.into()), "{i}");
    }
    for (i, name, reason) in [
        (0, "roc_auc", "one_class"),
        (0, "specificity", "no_negatives"),
        (1, "recall", "no_positives"),
        (2, "accuracy", "no_rows"),
        (3, "roc_auc", "no_rows"),
    ] {
        let metric = metric(chunk(i), name);
        assert_eq!((&metric["realised"], &metric["reason"]), (&Value::Null, &reason.into()), "{i} {name}");
    }
    // A file without any rows has no chunks, and nothing to tell.
    let empty = folder.file("empty.csv", "y,p\n");
    let document = json_of(&reference, &empty, &BINARY);
    assert_eq!((&document["verdict"], &document["chunks"]), (&"insufficient_data".into(), &json!([])));
}

// Rows without a prediction were taken from those with a target: where half had one and the other half the other, no row was left to measure,
// and a chunk that was wrong on each of 200 said that it had too few.
#[test]
fn rows_of_a_regression_that_have_both_are_counted() {
    let folder = Folder::new();
    let noise = |i: u32| f64::from(i.wrapping_mul(2_654_435_761) >> 20) / 4_096.0;
    let reference = csv("y,v", 0..2000, |i| format!("{},{}", i % 50, f64::from(i % 50) + noise(i)));
    let current = csv("y,v", 0..400, |i| match i % 2 {
        0 => format!("{},{}", i % 50, f64::from(i % 50) + 9.0 + noise(i)),
        _ => ",".to_owned(),
    });
    let arguments = ["--task", "regression", "--target", "y", "--value", "v", "--chunks"];
    let [reference, current] =
        [("reference.csv", reference), ("current.csv", current)].map(|(name, text)| folder.file(name, &text));
    let document = json_of(&reference, &current, &[&arguments[..], &["1"]].concat());
    assert_eq!(document["verdict"], "insufficient_data", "one chunk makes no threshold");
    let document =
        json_of(&reference, &current, &[&arguments[..], &["1", "--threshold-upper", "mae=2"]].concat());
    let chunk = &document["chunks"][0];
    assert_eq!(
        (&chunk["n"], &chunk["labelled"], &chunk["unscored"], &chunk["measured"]),
        (&400.into(), &200.into(), &200.into(), &200.into())
    );
    assert_eq!(
        (&document["verdict"], &chunk["insufficient_data"]),
        (&"alert".into(), &false.into()),
        "{chunk}"
    );
}

// An infinite weight made sums infinite, which was told as an answer that could not be read.
#[test]
fn rows_whose_weight_says_nothing_count_nothing() {
    let folder = Folder::new();
    let row = |i: u32| {
        let p = i * 37 % 101;
        format!("{},{}", u8::from(i * 61 % 103 < p), f64::from(p) / 100.0)
    };
    let odd = ["", "NA", "-1", "inf", "-inf", "0"];
    let weight = |i: u32| if i < 500 { "2" } else { odd[(i % 6) as usize] };
    let all = csv("y,p,w", 0..600, |i| format!("{},{}", row(i), weight(i)));
    let some = csv("y,p,w", 0..500, |i| format!("{},2", row(i)));
    let arguments = [&SCORES[..], &["--weight", "w", "--chunks", "1", "--weakest", "0"]].concat();
    let [all, some] = [("all.csv", all), ("some.csv", some)].map(|(name, text)| {
        let file = folder.file(name, &text);
        json_of(&file, &file, &arguments)
    });
    for expected in some["chunks"][0]["metrics"].as_array().unwrap() {
        let found = metric(&all["chunks"][0], expected["metric"].as_str().unwrap());
        for (found, expected) in [
            (&found["realised"], &expected["realised"]),
            (&found["ci"][0], &expected["ci"][0]),
            (&found["ci"][1], &expected["ci"][1]),
        ] {
            assert!((found.as_f64().unwrap() - expected.as_f64().unwrap()).abs() < CLOSED_FORM, "{all}");
        }
    }
}

// The 7 of a CSV file was the seventh of this month of January, 32 was no time, and 1735689600 was one of 2025; in Parquet, and to other commands,
// they were microseconds.
#[test]
fn whole_numbers_of_any_file_are_microseconds() {
    let folder = Folder::new();
    let at = |base: u32| csv("y,p,t", 0..60, |i| format!("{},{},{}", i % 2, f64::from(i) / 60.0, base + i));
    for (base, start, end) in [
        (0, "1970-01-01T00:00:00Z", "1970-01-01T00:00:00.000059Z"),
        (1_735_689_600, "1970-01-01T00:28:55.6896Z", "1970-01-01T00:28:55.689659Z"),
    ] {
        let file = folder.file(&format!("{base}.csv"), &at(base));
        let document = json_of(&file, &file, &[&SCORES[..], &["--timestamp", "t", "--chunks", "1"]].concat());
        let chunk = &document["chunks"][0];
        assert_eq!((&chunk["start"], &chunk["end"]), (&start.into(), &end.into()), "{base}");
    }
}

// Either part of a group that a border cut was ranked: a hundred groups of seven items in chunks of fifty rows were counted as 112.
#[test]
fn a_border_between_rows_cuts_no_group() {
    let folder = Folder::new();
    let file = folder.file(
        "ranked.csv",
        &csv("g,y,s", 0..70, |i| format!("q{},{},{}", i / 7, i % 3, f64::from(i * 37 % 100) / 100.0)),
    );
    let again = folder.file(
        "again.csv",
        &csv("g,y,s", 0..70, |i| format!("u{},{},{}", i % 7, i % 3, f64::from(i * 37 % 100) / 100.0)),
    );
    let of = |file: &Path, cut: &str| {
        let arguments =
            ["--task", "ranking", "--target", "y", "--score", "s", "--group", "g", "--chunk-rows", cut];
        let document = json_of(file, file, &arguments);
        let chunks = document["chunks"].as_array().unwrap();
        chunks.iter().map(|chunk| chunk["groups"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(of(&file, "70"), [10]);
    assert_eq!(of(&file, "10"), [2, 1, 2, 1, 2, 1, 1]);
    // Users who come again and again are ranked in each chunk.
    assert_eq!(of(&again, "35"), [7, 7]);
    assert_eq!(of(&again, "10"), [7; 7]);
}

// The weakest segments counted each row as one, those without a weight too.
#[test]
fn the_weakest_segments_lose_by_weight() {
    let folder = Folder::new();
    // Half of the rows are wrong: of the west, which weigh nothing in the south, 1 in the north and 3 elsewhere.
    let rows = csv("y,l,w,region,side", 0..600, |i| {
        let west = i % 2 == 0;
        let weight = if west { [0, 1, 3][(i / 2 % 3) as usize] } else { 4 };
        let region = if west { "west" } else { "east" };
        format!(
            "1,{},{weight},{region},{}",
            u8::from(!west),
            ["south", "north", "rest"][(i / 2 % 3) as usize]
        )
    });
    let file = folder.file("weighed.csv", &rows);
    let arguments = ["--task", "binary", "--target", "y", "--label", "l", "--weight", "w", "--chunks", "1"];
    let document = json_of(&file, &file, &arguments);
    let weakest = &document["weakest_segments"];
    let accuracy = metric(&document["chunks"][0], "accuracy")["realised"].as_f64().unwrap();
    assert!((weakest["overall"].as_f64().unwrap() - (1.0 - accuracy)).abs() < CLOSED_FORM, "{document}");
    assert!((accuracy - 0.75).abs() < CLOSED_FORM, "{document}");
    let first = &weakest["segments"][0];
    assert_eq!(
        (&first["column"], &first["value"], &first["n"]),
        (&"region".into(), &"west".into(), &200.into())
    );
}

#[test]
fn columns_that_cannot_be_cut_are_counted() {
    let folder = Folder::new();
    let row = |i: u32| format!("{{\"y\":{},\"p\":0.5,\"e\":[1,{i}],\"word\":\"w{i}\"}}\n", i % 2);
    let file = folder.file("lists.ndjson", &(0..200).map(row).collect::<String>());
    let document = json_of(&file, &file, &[&SCORES[..], &["--chunks", "1"]].concat());
    assert_eq!(document["weakest_segments"]["columns_left_out"], 2, "a list, and too many words: {document}");
    assert_eq!(document["weakest_segments"]["overall"], 0.5, "known of a column that is left out, too");
}

#[test]
fn segments_have_thresholds_of_their_own_and_the_weakest_are_found() {
    let folder = Folder::new();
    let rows = |broken: bool| {
        csv("y,p,region,hour", 0..3000, |i| {
            let p = f64::from(i * 37 % 100) / 100.0;
            let west = i / 3 % 5 == 0;
            let positive = (p > 0.5) != ((broken && west && i % 2 == 0) || i * 7919 % 101 < 10);
            format!("{},{p},{},{}", u8::from(positive), if west { "west" } else { "east" }, i % 24)
        })
    };
    let reference = folder.file("reference.csv", &rows(false));
    let current = folder.file("current.csv", &rows(true));
    let document =
        json_of(&reference, &current, &[&BINARY[..], &["--segment-by", "region", "--chunks", "3"]].concat());
    let segments = document["segments"].as_array().unwrap();
    let verdicts: Vec<(&Value, &Value)> =
        segments.iter().map(|segment| (&segment["segment"]["region"], &segment["verdict"])).collect();
    assert_eq!(verdicts, [(&"east".into(), &"no_alert".into()), (&"west".into(), &"alert".into())]);
    let weakest = &document["weakest_segments"];
    let first = &weakest["segments"][0];
    assert_eq!(
        (&weakest["loss"], &first["column"], &first["value"]),
        (&"error_rate".into(), &"region".into(), &"west".into())
    );
    assert!(first["p_adjusted"].as_f64().unwrap() < 1e-6, "{first}");
    assert!(weakest["looked_at"].as_u64().unwrap() >= 26, "{weakest}");
    let same = json_of(&reference, &reference, &[&BINARY[..], &["--chunks", "3"]].concat());
    assert_eq!(same["weakest_segments"]["segments"], json!([]));
}

#[test]
fn what_cannot_be_answered_has_an_exit_code_and_an_empty_stdout() {
    let folder = Folder::new();
    let good = folder.file("good.csv", &scored(0..100, 7));
    let words = folder
        .file("words.csv", &csv("y,p", 0..50, |i| format!("{},0.5", ["late", "on_time"][(i % 2) as usize])));
    let three = folder.file("three.csv", &csv("y,p", 0..50, |i| format!("{},0.5", i % 3)));
    // Weights whose squares no number holds: the engine's answer could not be read, or areas were of nothing.
    let weights = |name, exponent| {
        folder.file(name, &csv("y,p,w", 0..50, |i| format!("{},0.{},{}e{exponent}", i % 2, i % 7, i + 1)))
    };
    let (huge, tiny) = (weights("huge.csv", 200), weights("tiny.csv", -200));
    let binary = BINARY.join(" ");
    let weighted = format!("{binary} --weight w");
    let torn = folder.file("torn.parquet", "PAR1 and then nothing");
    let missing = folder.file("x", "").with_file_name("missing.csv");
    let regression = "--task regression --target y --value p";
    for (file, arguments, code) in [
        (&missing, binary.as_str(), 65),
        (&torn, &binary, 65),
        (&good, "--task binary --target nope --score p", 65),
        (&good, "--task binary --target y --score region", 65),
        (&words, regression, 65),
        (&words, &binary, 64),
        (&three, &binary, 64),
        (&huge, &weighted, 65),
        (&tiny, &weighted, 65),
        (&words, "--task binary --target y --score p --positive early", 65),
        (&good, "--task binary --target y", 64),
        (&good, "--task ranking --target y --score p", 64),
        (&good, "--task ranking --target y --score p --group region --weight p", 64),
        (&good, "--task multiclass --target y --probabilities p", 64),
        (&good, "--task multiclass --target y --probabilities 0=p,1=p", 64),
        (&good, "--task nothing --target y --score p", 64),
        (&good, "--task binary --target y --score p --chunk-rows 0", 64),
        (&good, "--task binary --target y --score p --chunk-rows 5 --chunks 2", 64),
        (&good, "--task binary --target y --score p --chunk-period day", 64),
        (&good, "--task binary --target y --score p --timestamp region", 65),
        (&words, "--task multiclass --target y --label y --chunk-period day --timestamp y", 65),
        (&good, "--task binary --target y --score p --threshold-lower auc=0.8", 64),
        (&good, "--task binary --target y --score p --threshold-upper mae_macro=2", 64),
        (&good, "--task binary --target y --score p --confidence 1", 64),
        (&good, "--task binary --target y --score p --segment-by nope", 65),
    ] {
        let words: Vec<&str> = arguments.split(' ').chain(["--format", "json"]).collect();
        let ran = performance(file, file, &words);
        assert_eq!((ran.code, ran.stdout.as_str()), (code, ""), "{file:?} {arguments:?}: {}", ran.stderr);
        assert!(ran.stderr.starts_with("windvane: "), "{}", ran.stderr);
    }
}

// No chunk was held to the first two, every chunk was beyond the third, and the last cut nothing.
#[test]
fn what_would_do_nothing_is_refused() {
    let folder = Folder::new();
    let good = folder.file("good.csv", &scored(0..100, 7));
    let regression = ["--task", "regression", "--target", "y", "--value", "p"];
    let crossed = ["--threshold-lower", "roc_auc=0.9", "--threshold-upper", "roc_auc=0.1"];
    for (task, arguments, said) in [
        (
            &BINARY,
            &["--threshold-upper", "mae=0.1"][..],
            "`mae` is no metric of --task binary; those are: roc_auc",
        ),
        (
            &regression,
            &["--threshold-lower", "f1=0.1"],
            "`f1` is no metric of --task regression; those are: mae",
        ),
        (&BINARY, &crossed, "`--threshold-lower roc_auc=0.9` is above `--threshold-upper roc_auc=0.1`"),
        (&BINARY, &["--group-by", "region"], "--segment-by cuts segments"),
        // Of each of these nobody took any notice.
        (&BINARY, &["--k", "3"], "`--k` goes with --task ranking only, and this is --task binary"),
        (&BINARY, &["--quantile", "0.9"], "`--quantile` goes with --task regression only"),
        (&BINARY, &["--without-relevant", "zero"], "`--without-relevant` goes with --task ranking only"),
        (&BINARY, &["--probabilities", "0=p,1=p"], "`--probabilities` goes with --task multiclass only"),
        (&BINARY, &["--value", "p"], "`--value` goes with --task regression only"),
        (&regression, &["--positive", "1"], "`--positive` goes with --task binary only"),
        (&regression, &["--threshold", "0.4"], "`--threshold` goes with --task binary only"),
        (&regression, &["--label", "y"], "`--label` goes with --task binary or multiclass only"),
    ] {
        let ran = performance(&good, &good, &[&task[..], arguments].concat());
        assert_eq!((ran.code, ran.stdout.as_str()), (64, ""), "{}", ran.stderr);
        assert!(ran.stderr.contains(said), "{said} in {}", ran.stderr);
    }
}

// Nothing was estimated, and nothing said so.
#[test]
fn an_estimate_needs_what_it_is_made_of() {
    let folder = Folder::new();
    let good = folder.file("good.csv", &scored(0..100, 7));
    for (arguments, said) in [
        (&["--task", "binary", "--label", "y"][..], "--estimate needs --score"),
        (&["--task", "multiclass", "--label", "y"], "--estimate needs --probabilities"),
        (&["--task", "ranking", "--score", "p", "--group", "y"], "not of --task ranking"),
    ] {
        let ran = performance(&good, &good, &[arguments, &["--target", "y", "--estimate"]].concat());
        assert_eq!((ran.code, ran.stdout.as_str()), (64, ""), "{}", ran.stderr);
        assert!(ran.stderr.contains(said), "{said} in {}", ran.stderr);
    }
}

#[test]
fn every_format_tells_what_alerts() {
    let folder = Folder::new();
    let reference = folder.file("reference.csv", &scored(0..4000, 1_000_000));
    let worse = folder.file("worse.csv", &scored(4000..6000, 3));
    let told = |format: &str| {
        performance(&reference, &worse, &[&BINARY[..], &["--chunk-rows", "500", "--format", format]].concat())
            .stdout
    };
    let table = told("table");
    assert!(table.starts_with("alert in 4 of 4 chunks\n") && table.contains(" worse"), "{table}");
    assert!(!table.contains('\u{1b}'), "{table}");
    let markdown = told("markdown");
    assert!(
        markdown.contains("| chunk | rows | labelled | roc\\_auc |") && markdown.contains(" worse |"),
        "{markdown}"
    );
    let junit = told("junit");
    assert!(junit.contains("<failure message=\"roc_auc ") && junit.ends_with("</testsuites>\n"), "{junit}");
}

/// Whoever sends outcomes names classes: none of them is a part of a statement.
#[test]
fn classes_may_be_called_as_they_like() {
    let folder = Folder::new();
    let classes = ["{frame}", "it's", "b\\s", "{x:UInt8}"];
    let file = folder.file(
        "rows.csv",
        &csv("y,yhat,part", 0..400, |i| {
            let said = if i % 5 == 0 { i + 1 } else { i };
            format!(
                "{},{},{}",
                classes[i as usize % 4],
                classes[said as usize % 4],
                classes[i as usize / 2 % 2]
            )
        }),
    );
    let words = ["--task", "multiclass", "--target", "y", "--label", "yhat", "--segment-by", "part"];
    let document = json_of(&file, &file, &words);
    assert_eq!(document["classes"], json!(["b\\s", "it's", "{frame}", "{x:UInt8}"]));
    let accuracy = &metric(&document["chunks"][0], "accuracy")["realised"];
    assert!((accuracy.as_f64().unwrap() - 0.8).abs() < CLOSED_FORM, "{accuracy}");
    assert_eq!(document["segments"].as_array().unwrap().len(), 2);
}
