//! `windvane baseline`: a reference that was read once stands for its rows, also when they are gone.

use std::path::Path;
use std::process::Output;
use std::time::Duration;

use serde_json::Value;
use windvane_kit::{Service, eventually};

use crate::asking::{send, stdout, windvane};

/// Exit code and what stands on standard error.
fn refused(output: &Output) -> (Option<i32>, String) {
    assert!(output.stdout.is_empty(), "{output:?}");
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// 3,000 predictions a month, with more different distances than a profile keeps points and fewer hours.
fn predictions() -> String {
    let line = |month: u32, i: u32| {
        let distance = f64::from(i * 7919 % 3000) * 1.5 + if month == 2 { 900.0 } else { 0.0 };
        let carrier = ["UA", "DL", "AA"][(i % 3) as usize];
        let hour = i % 24;
        let wind = if i.is_multiple_of(10) { "null".to_owned() } else { (i % 50).to_string() };
        format!(
            r#"{{"model":"delay","version":"7","event_id":"{month}-{i}","ts":"2013-0{month}-03T00:00:00Z","features":{{"distance":{distance},"carrier":"{carrier}","hour":{hour},"wind":{wind}}},"prediction":{{"score":0.5}}}}"#
        )
    };
    (1..=2).flat_map(|month| (0..3000).map(move |i| line(month, i))).collect::<Vec<_>>().join("\n")
}

fn method<'a>(document: &'a Value, column: &str, method: &str) -> &'a Value {
    let by = |list: &'a Value, key: &str, name: &str| {
        list.as_array().unwrap().iter().find(|entry| entry[key] == name).unwrap()
    };
    by(&by(&document["columns"], "column", column)["methods"], "method", method)
}

fn statistic(document: &Value, column: &str, name: &str) -> f64 {
    method(document, column, name)["statistic"].as_f64().unwrap()
}

const WINDOW: [&str; 2] = ["--window", "2013-02-01/2013-03-01"];

#[tokio::test(flavor = "multi_thread")]
async fn a_run_against_a_stored_baseline_reads_only_the_window() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::start(Path::new(env!("CARGO_BIN_EXE_windvane")), folder.path(), "");
    send(&service, "predictions", predictions()).await;
    eventually(Duration::from_secs(20), || {
        match stdout(&windvane(&service, &["query", "SELECT count() FROM predictions FORMAT TSV"])).as_str() {
            "6000" => Ok(()),
            other => Err(other.to_owned()),
        }
    });
    let save =
        ["baseline", "save", "january", "--model", "delay", "--from", "2013-01-01", "--to", "2013-02-01"];
    let said = stdout(&windvane(&service, &save));
    assert!(said.starts_with("baseline january of delay is saved: 3,000 predictions, 5 columns"), "{said}");

    let drift = |reference: &str, more: &[&str]| {
        let words =
            ["drift", "--model", "delay", "--no-record", "--format", "json", "--reference", reference];
        let words: Vec<&str> = words.iter().chain(&WINDOW).chain(more).copied().collect();
        windvane(&service, &words)
    };
    let document = |output: &Output| serde_json::from_str::<Value>(&stdout(output)).unwrap();
    let read = document(&drift("window:2013-01-01/2013-02-01", &[]));
    let stored = document(&drift("baseline:january", &[]));
    assert_eq!(stored["reference"]["stored_profile"], true);
    assert_eq!(stored["reference"]["rows"], read["reference"]["rows"]);
    let verdicts = |document: &Value| -> Vec<Value> {
        let columns = document["columns"].as_array().unwrap();
        columns.iter().map(|c| serde_json::json!([c["column"], c["verdict"], c["direction"]])).collect()
    };
    assert_eq!(verdicts(&stored), verdicts(&read));
    assert_eq!(method(&stored, "distance", "ks")["drifted"], true);
    // Few different values, categories and counts are kept exactly.
    for (column, name) in [
        ("carrier", "chi_square"),
        ("carrier", "psi"),
        ("hour", "ks"),
        ("hour", "psi"),
        ("wind", "missing_rate"),
    ] {
        assert_eq!(method(&stored, column, name), method(&read, column, name), "{column} {name}");
    }
    // Many different values are kept at ranks: the statistic is too small by its stated error at most.
    let (exact, found) = (statistic(&read, "distance", "ks"), statistic(&stored, "distance", "ks"));
    let error = method(&stored, "distance", "ks")["statistic_error"].as_f64().unwrap();
    assert!(found <= exact && exact <= found + error && error <= 0.001, "{found} {exact} {error}");

    // The rows of the reference go away: nothing changes, as long as the profile suffices.
    let gone = "ALTER TABLE windvane.predictions DELETE WHERE ts < '2013-02-01' SETTINGS mutations_sync = 2";
    stdout(&windvane(&service, &["query", gone]));
    assert_eq!(document(&drift("baseline:january", &[])), stored);
    let (code, said) = refused(&drift("baseline:january", &["--methods", "wasserstein"]));
    assert!(code == Some(65) && said.contains("0 are still stored"), "{said}");

    let shown = stdout(&windvane(&service, &["baseline", "show", "january", "--model", "delay"]));
    assert!(shown.contains("values at 1,001 ranks") && shown.contains("all 3 categories"), "{shown}");
    let listed = stdout(&windvane(&service, &["baseline", "list", "--format", "json"]));
    let listed: Value = serde_json::from_str(&listed).unwrap();
    assert_eq!(listed["schema"], "windvane.baselines/1");
    assert_eq!(listed["baselines"][0]["window_start"], "2013-01-01T00:00:00Z");
    stdout(&windvane(&service, &["baseline", "delete", "january", "--model", "delay"]));
    for words in [
        &["baseline", "delete", "january", "--model", "delay"][..],
        &["baseline", "show", "no", "--model", "delay"],
    ] {
        assert_eq!(refused(&windvane(&service, words)).0, Some(65));
    }
    let (code, said) = refused(&drift("baseline:january", &[]));
    assert!(code == Some(65) && said.contains("has no baseline `january`"), "{said}");
    assert_eq!(service.terminate(), Some(0));
}

/// Of vectors a profile keeps the names; the predictions are there all the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_baseline_of_nothing_but_vectors_has_its_predictions() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::start(Path::new(env!("CARGO_BIN_EXE_windvane")), folder.path(), "");
    let line = |i: u32| {
        format!(
            r#"{{"model":"vectors","event_id":"v{i}","ts":"2013-01-03T00:00:00Z","embeddings":{{"text":[{i},1]}}}}"#
        )
    };
    send(&service, "predictions", (0..5).map(line).collect::<Vec<_>>().join("\n")).await;
    eventually(Duration::from_secs(20), || {
        match stdout(&windvane(&service, &["query", "SELECT count() FROM predictions FORMAT TSV"])).as_str() {
            "5" => Ok(()),
            other => Err(other.to_owned()),
        }
    });
    let save =
        ["baseline", "save", "january", "--model", "vectors", "--from", "2013-01-01", "--to", "2013-02-01"];
    let said = stdout(&windvane(&service, &save));
    assert!(said.starts_with("baseline january of vectors is saved: 5 predictions, 1 column"), "{said}");
    assert_eq!(service.terminate(), Some(0));
}
