//! The example, in a process of its own on the real ONNX Runtime: the file that `ORT_DYLIB_PATH` names or that `make runtime` installed.

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use super::server::Collector;

const ROWS: u8 = 100;

/// What cargo has built beside this test.
fn example() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let built = test.ancestors().nth(2).unwrap();
    let example = built.join("examples").join(format!("onnxruntime{}", std::env::consts::EXE_SUFFIX));
    assert!(example.is_file(), "`cargo build -p windvane-sdk --example onnxruntime` builds {example:?}");
    example
}

#[test]
fn rows_that_a_session_of_ort_answers_are_predictions() {
    let collector = Collector::start();
    let done = Command::new(example()).arg(windvane_kit::onnxruntime()).arg(&collector.url).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));

    let records = collector.records("predictions");
    let number = |value: &Value| value.as_f64().unwrap();
    let mut found: Vec<(f64, f64)> = records
        .iter()
        .map(|record| (number(&record["features"]["x"]), number(&record["prediction"]["value"])))
        .collect();
    found.sort_by(|a, b| a.0.total_cmp(&b.0));
    let expected: Vec<(f64, f64)> =
        (0..ROWS).map(|row| (f64::from(row) / 4.0, f64::from(row) / 2.0)).collect();
    assert_eq!(found, expected);
    for record in &records {
        assert_eq!((&record["model"], &record["version"]), (&"doubles".into(), &"1".into()));
        assert!(record["latency_us"].is_u64(), "{record}");
    }
}
