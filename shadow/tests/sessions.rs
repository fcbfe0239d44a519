//! Sessions against the real runtime: the flights models answer as Python's ONNX Runtime does, and faults show both sides.
//!
//! The library is the one that `ORT_DYLIB_PATH` names or that `make runtime` installed.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use windvane_shadow::{
    Batch, Element, Outputs, Runtime, RuntimeError, Session, SessionError, SessionOptions, Stack, Values,
};

/// Both sides are the same kernels on the same inputs; another release may sum in another order.
const PROBABILITY_TOLERANCE: f32 = 1e-6;

#[derive(Deserialize)]
struct Golden {
    inputs: BTreeMap<String, Vec<serde_json::Value>>,
    outputs: BTreeMap<String, GoldenOutputs>,
}

#[derive(Deserialize)]
struct GoldenOutputs {
    label: Vec<String>,
    probabilities: Vec<[Option<f32>; 2]>,
}

fn runtime() -> Runtime {
    Runtime::load(&windvane_kit::onnxruntime()).unwrap()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn open(path: &str) -> Session {
    Session::open(&runtime(), &root().join(path), &SessionOptions::default()).unwrap()
}

fn golden() -> Golden {
    serde_json::from_slice(&std::fs::read(root().join("tests/golden/onnx/flights.json")).unwrap()).unwrap()
}

fn batch(golden: &Golden) -> Batch {
    let rows = golden.inputs["hour"].len();
    let mut batch = Batch::new(rows);
    for (name, column) in &golden.inputs {
        let values = if column.iter().any(serde_json::Value::is_string) {
            Values::Text(column.iter().map(|v| v.as_str().unwrap().to_owned()).collect())
        } else {
            Values::F32(column.iter().map(|v| v.as_f64().map_or(f32::NAN, |v| v as f32)).collect())
        };
        batch.push(name.clone(), values).unwrap();
    }
    batch
}

fn check(outputs: &Outputs, expected: &GoldenOutputs, first: usize) {
    let labels = outputs.get("label").unwrap();
    let probabilities = outputs.get("probabilities").unwrap();
    let rows = labels.shape()[0];
    assert_eq!(probabilities.shape(), [rows, 2]);
    for row in 0..rows {
        let expected_label = &expected.label[first + row];
        assert_eq!(&labels.as_text().unwrap()[row], expected_label, "row {}", first + row);
        for class in 0..2 {
            let got = probabilities.as_f32().unwrap()[row * 2 + class];
            match expected.probabilities[first + row][class] {
                Some(p) => {
                    assert!((got - p).abs() <= PROBABILITY_TOLERANCE, "row {}: {got}, {p}", first + row)
                }
                None => assert!(got.is_nan(), "row {}: {got} where Python's answer is NaN", first + row),
            }
        }
    }
}

#[test]
fn the_three_models_answer_as_python_does_in_one_batch() {
    let golden = golden();
    let batch = batch(&golden);
    for model in ["champion", "candidate", "broken"] {
        let mut session = open(&format!("data/models/{model}.onnx"));
        let outputs = session.run(&batch, 0..batch.rows()).unwrap();
        check(&outputs, &golden.outputs[model], 0);
    }
}

#[test]
fn calls_that_are_filled_up_answer_for_the_rows_that_were_asked() {
    let golden = golden();
    let batch = batch(&golden);
    let options = SessionOptions { fill_calls: true, ..SessionOptions::default() };
    let mut session = Session::open(&runtime(), &root().join("data/models/champion.onnx"), &options).unwrap();
    for rows in [0..3, 1..4, 0..2, 2..3, 0..batch.rows()] {
        let outputs = session.run(&batch, rows.clone()).unwrap();
        assert_eq!(outputs.get("label").unwrap().shape(), [rows.len()]);
        check(&outputs, &golden.outputs["champion"], rows.start);
    }
}

#[test]
fn each_size_of_a_call_is_made_before_the_first_request() {
    let within = std::time::Duration::from_secs(60);
    for (fill_calls, sizes) in [(false, vec![1, 2, 4, 8, 12]), (true, vec![1, 2, 4, 8, 16])] {
        let options = SessionOptions { fill_calls, ..SessionOptions::default() };
        for model in ["data/models/champion.onnx", "tests/golden/onnx/probes.onnx"] {
            let mut session = Session::open(&runtime(), &root().join(model), &options).unwrap();
            let warm = session.warm_up(12, within);
            assert_eq!((&warm.sizes, &warm.fault), (&sizes, &None), "{model}");
        }
    }
}

#[test]
fn requests_that_are_put_together_are_filled_up_and_each_gets_its_own_answer() {
    let golden = golden();
    let row = |row: usize| {
        let mut request = Batch::new(1);
        for (name, column) in &golden.inputs {
            let values = match &column[row] {
                serde_json::Value::String(text) => Values::Text(vec![text.clone()]),
                number => Values::F32(vec![number.as_f64().map_or(f32::NAN, |number| number as f32)]),
            };
            request.push_shaped(name, values, vec![1, 1]).unwrap();
        }
        request
    };
    let options = SessionOptions { fill_calls: true, ..SessionOptions::default() };
    let mut session = Session::open(&runtime(), &root().join("data/models/champion.onnx"), &options).unwrap();
    let requests: Vec<Batch> = (0..3).map(row).collect();
    let stack = Stack::of(session.inputs(), &requests.iter().collect::<Vec<_>>()).unwrap();
    let outputs = session.run(stack.batch(), 0..stack.batch().rows()).unwrap();
    let answers = stack.cut(&outputs).unwrap();
    assert_eq!(answers.len(), 3);
    for (row, answer) in answers.iter().enumerate() {
        check(answer, &golden.outputs["champion"], row);
    }
}

#[test]
fn threads_stay_on_the_processors_that_are_named_and_answers_are_the_same() {
    let golden = golden();
    let batch = batch(&golden);
    let options = SessionOptions {
        threads: std::num::NonZeroUsize::new(2).unwrap(),
        thread_processors: Some("1".to_owned()),
        ..SessionOptions::default()
    };
    let path = root().join("data/models/champion.onnx");
    let mut session = Session::open(&runtime(), &path, &options).unwrap();
    check(&session.run(&batch, 0..batch.rows()).unwrap(), &golden.outputs["champion"], 0);
    // Two places for one thread are refused, which shows that they are read.
    let two = SessionOptions { thread_processors: Some("1;2".to_owned()), ..options };
    assert!(matches!(Session::open(&runtime(), &path, &two), Err(SessionError::Open { .. })));
}

#[test]
fn a_model_answers_the_same_row_by_row() {
    let golden = golden();
    let batch = batch(&golden);
    let mut session = open("data/models/champion.onnx");
    for row in 0..batch.rows() {
        let outputs = session.run(&batch, row..row + 1).unwrap();
        check(&outputs, &golden.outputs["champion"], row);
    }
}

#[test]
fn the_broken_model_differs_plainly_and_is_nan_where_pressure_is_missing() {
    let golden = golden();
    let (good, bad) = (&golden.outputs["champion"], &golden.outputs["broken"]);
    let missing: Vec<bool> = golden.inputs["pressure"].iter().map(serde_json::Value::is_null).collect();
    let nan: Vec<bool> = bad.probabilities.iter().map(|p| p[0].is_none()).collect();
    assert_eq!(nan, missing);
    assert!(missing.contains(&true));
    let apart = |(a, b): (&[Option<f32>; 2], &[Option<f32>; 2])| {
        (a[0].unwrap_or(0.0) - b[0].unwrap_or(0.0)).abs() > 0.05
    };
    let differ = good.probabilities.iter().zip(&bad.probabilities).filter(|&p| apart(p)).count();
    assert!(differ * 2 > nan.len(), "{differ} of {} differ", nan.len());
}

#[test]
fn a_model_held_in_memory_declares_its_ports() {
    let bytes = std::fs::read(root().join("data/models/champion.onnx")).unwrap();
    let session = Session::open_bytes(&runtime(), "champion", &bytes).unwrap();
    let inputs: Vec<String> = session.inputs().iter().map(ToString::to_string).collect();
    assert_eq!(inputs.len(), 15);
    assert!(inputs.contains(&"dep_delay float32 [?, 1]".to_owned()), "{inputs:?}");
    assert!(inputs.contains(&"carrier string [?, 1]".to_owned()), "{inputs:?}");
    let outputs: Vec<String> = session.outputs().iter().map(ToString::to_string).collect();
    assert_eq!(outputs, ["label string [?]", "probabilities float32 [?, 2]"]);
}

fn probes() -> (Session, Batch) {
    let mut batch = Batch::new(2);
    batch.push("f32", Values::F32(vec![1.5, f32::NAN])).unwrap();
    batch.push("f64", Values::F64(vec![0.1, -1e300])).unwrap();
    batch.push("i64", Values::I64(vec![i64::MIN, i64::MAX])).unwrap();
    batch.push("i32", Values::I32(vec![-1, 7])).unwrap();
    batch.push("flag", Values::Bool(vec![true, false])).unwrap();
    batch.push("text", Values::Text(vec!["späte".to_owned(), String::new()])).unwrap();
    batch.push("flat", Values::F32(vec![3.0, 4.0])).unwrap();
    batch.push("wide", Values::F32(vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0])).unwrap();
    (open("tests/golden/onnx/probes.onnx"), batch)
}

#[test]
fn each_element_type_and_width_passes_through_unchanged() {
    let (mut session, batch) = probes();
    let outputs = session.run(&batch, 1..2).unwrap();
    let values = |name: &str| outputs.get(name).unwrap().values().clone();
    assert!(matches!(&values("f32_out"), Values::F32(v) if v.len() == 1 && v[0].is_nan()));
    assert_eq!(values("f64_out"), Values::F64(vec![-1e300]));
    assert_eq!(values("i64_out"), Values::I64(vec![i64::MAX]));
    assert_eq!(values("i32_out"), Values::I32(vec![7]));
    assert_eq!(values("flag_out"), Values::Bool(vec![false]));
    assert_eq!(values("text_out"), Values::Text(vec![String::new()]));
    assert_eq!(values("wide_out"), Values::F32(vec![4.0, 5.0, 6.0]));
    assert_eq!(outputs.get("flat_out").unwrap().shape(), [1]);
    assert_eq!(outputs.get("wide_out").unwrap().shape(), [1, 3]);
    assert!(outputs.get("nothing").is_none());
}

#[test]
fn a_wrong_input_shows_what_was_declared_and_what_was_given() {
    let (mut session, mut batch) = probes();
    batch.push("wide", Values::F32(vec![1.0, 2.0])).unwrap();
    let error = session.run(&batch, 0..2).unwrap_err().to_string();
    assert!(error.contains("takes wide float32 [?, 3]; given: wide float32 [2, 1]"), "{error}");

    let (_, mut batch) = probes();
    batch.push("i64", Values::F64(vec![1.0, 2.0])).unwrap();
    let error = session.run(&batch, 0..2).unwrap_err().to_string();
    assert!(error.contains("takes i64 int64 [?, 1]; given: i64 float64 [2, 1]"), "{error}");

    let mut batch = Batch::new(1);
    batch.push("f32", Values::F32(vec![1.0])).unwrap();
    let error = session.run(&batch, 0..1).unwrap_err().to_string();
    assert!(
        error.contains("takes f64 float64 [?, 1], which was not given; given: f32 float32 [1, 1]"),
        "{error}"
    );
}

#[test]
fn rows_outside_the_batch_and_uneven_columns_are_refused() {
    let (mut session, mut batch) = probes();
    assert!(matches!(session.run(&batch, 1..3), Err(SessionError::NoSuchRows { start: 1, end: 3, rows: 2 })));
    let ragged = batch.push("wide", Values::F32(vec![1.0, 2.0, 3.0]));
    assert!(matches!(ragged, Err(SessionError::Ragged { elements: 3, rows: 2, .. })));
    assert_eq!(session.inputs()[0].element, Element::F32);
}

#[test]
fn a_file_that_is_no_model_is_named_in_the_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("text.onnx");
    std::fs::write(&path, b"not a model").unwrap();
    let open = |path: &Path| Session::open(&runtime(), path, &SessionOptions::default()).unwrap_err();
    for path in [path, folder.path().join("absent.onnx")] {
        let error = open(&path);
        assert!(matches!(error, SessionError::Open { .. }));
        assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
    }
}

#[test]
fn a_missing_library_names_the_command_that_installs_it() {
    let error = Runtime::load(Path::new("/nonexistent/libonnxruntime.so")).unwrap_err();
    assert!(matches!(error, RuntimeError::Load { .. }));
    assert!(error.to_string().contains("windvane runtime install"), "{error}");
}

#[test]
fn a_process_has_one_runtime() {
    let first = runtime();
    assert_eq!(runtime().path(), first.path());
    assert!(first.build_info().contains("ORT"), "{}", first.build_info());
    let error = Runtime::load(Path::new("/nonexistent/libonnxruntime.so")).unwrap_err();
    assert!(matches!(error, RuntimeError::Other { .. }));
}
