//! The same rows in every format become the same events, and a bad row is told by its line.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Float64Array, Int32Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow::ipc::writer::{FileWriter, StreamWriter};
use parquet::arrow::ArrowWriter;
use tokio::sync::mpsc;

use super::batches::{self, Message, Plan};
use super::mapping::{Flags, Mapping};
use super::record::Deployment;
use super::source::{Source, SourceError};

fn table() -> RecordBatch {
    let ts = TimestampMicrosecondArray::from(vec![1_357_017_420_000_000, 1_357_017_480_000_000, 1]);
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("event_id", Arc::new(StringArray::from(vec!["a", "b", "c"]))),
        ("ts", Arc::new(ts.with_timezone("UTC"))),
        ("distance", Arc::new(Int32Array::from(vec![Some(1400), None, Some(7)]))),
        ("temp", Arc::new(Float64Array::from(vec![39.02, f64::NAN, -1.5]))),
        ("carrier", Arc::new(StringArray::from(vec![Some("UA"), Some("a,\"b\""), None]))),
        ("holiday", Arc::new(BooleanArray::from(vec![Some(true), Some(false), None]))),
        ("score", Arc::new(Float64Array::from(vec![0.25, 0.5, 1.0]))),
        ("outcome_label", Arc::new(StringArray::from(vec![Some("late"), None, Some("on_time")]))),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}

const CSV: &str = r#"event_id,ts,distance,temp,carrier,holiday,score,outcome_label
a,2013-01-01T05:17:00Z,1400,39.02,UA,true,0.25,late
b,2013-01-01T05:18:00Z,,NaN,"a,""b""",false,0.5,
c,1970-01-01T00:00:00.000001Z,7,-1.5,NA,,1,on_time
"#;

const NDJSON: &str = r#"{"event_id":"a","ts":"2013-01-01T05:17:00Z","features":{"distance":1400,"temp":39.02,"carrier":"UA","holiday":true},"prediction":{"score":0.25},"outcome":{"label":"late"}}

{"event_id":"b","ts":1357017480000000,"features":{"distance":null,"carrier":"a,\"b\"","holiday":false},"prediction":{"score":0.5}}
{"ts":1,"event_id":"c","features":{"distance":7,"temp":-1.5},"prediction":{"score":1.0},"outcome":{"label":"on_time"}}
"#;

fn write(folder: &Path, name: &str) -> PathBuf {
    let path = folder.join(name);
    let batch = table();
    let create = || File::create(&path).unwrap();
    match name.rsplit('.').next().unwrap() {
        "parquet" => {
            let mut writer = ArrowWriter::try_new(create(), batch.schema(), None).unwrap();
            writer.write(&batch).unwrap();
            writer.close().unwrap();
        }
        "arrow" => {
            let mut writer = FileWriter::try_new(create(), &batch.schema()).unwrap();
            writer.write(&batch).unwrap();
            writer.finish().unwrap();
        }
        "arrows" => {
            let mut writer = StreamWriter::try_new(create(), &batch.schema()).unwrap();
            writer.write(&batch).unwrap();
            writer.finish().unwrap();
        }
        "csv" => std::fs::write(&path, CSV).unwrap(),
        _ => std::fs::write(&path, NDJSON).unwrap(),
    }
    path
}

fn read(path: &Path) -> Result<Vec<Message>, SourceError> {
    let source = Source::open(path)?;
    let mapping = Mapping::new(Flags::default(), source.columns()).unwrap();
    let deployment = Deployment { model: "delay".to_owned(), version: "1".to_owned(), environment: None };
    let (sender, mut receiver) = mpsc::channel(8192);
    batches::read(&Plan { deployment, rows_max: 2 }, 0, (source, mapping), &sender)?;
    drop(sender);
    Ok(std::iter::from_fn(|| receiver.try_recv().ok()).collect())
}

/// The events of a file as JSON values, so that the order of keys does not count.
fn events(messages: &[Message]) -> Vec<serde_json::Value> {
    let mut events = Vec::new();
    for message in messages {
        let Message::Batch(batch) = message else { panic!("{message:?}") };
        for body in [&batch.predictions, &batch.outcomes] {
            let lines = std::str::from_utf8(body).unwrap().lines();
            events.extend(lines.map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()));
        }
    }
    // 1 and 1.0 are the same number and different JSON; scores are compared as floats.
    for event in &mut events {
        if let Some(score) = event.pointer_mut("/prediction/score") {
            *score = score.as_f64().unwrap().into();
        }
    }
    events
}

#[test]
fn every_format_gives_the_same_events() {
    let folder = tempfile::tempdir().unwrap();
    let expected = events(&read(&write(folder.path(), "rows.parquet")).unwrap());
    assert_eq!(expected.len(), 5, "three predictions and two outcomes");
    assert_eq!(
        expected[1],
        serde_json::json!({"model": "delay", "version": "1", "event_id": "b", "ts": 1_357_017_480_000_000_i64,
            "features": {"carrier": "a,\"b\"", "holiday": false}, "prediction": {"score": 0.5}})
    );
    for name in ["rows.arrow", "rows.arrows", "rows.csv", "rows.ndjson"] {
        assert_eq!(events(&read(&write(folder.path(), name)).unwrap()), expected, "{name}");
    }
}

#[test]
fn the_same_file_gives_the_same_keys_and_another_batch_another() {
    let folder = tempfile::tempdir().unwrap();
    let path = write(folder.path(), "rows.csv");
    let keys = || -> Vec<String> {
        let of = |message: &Message| match message {
            Message::Batch(batch) => batch.key.clone(),
            Message::Bad { .. } => String::new(),
        };
        read(&path).unwrap().iter().map(of).collect()
    };
    let first = keys();
    assert_eq!(first.len(), 2, "three rows in batches of two");
    assert_ne!(first[0], first[1]);
    assert_eq!(keys(), first);
}

#[track_caller]
fn check_bad(name: &str, content: &[u8], expected: &[(u64, &str)]) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, content).unwrap();
    let messages = read(&path).unwrap();
    let bad = messages.iter().filter_map(|message| match message {
        Message::Bad { number, problem, .. } => Some((*number, problem.clone())),
        Message::Batch(_) => None,
    });
    let bad: Vec<(u64, String)> = bad.collect();
    assert_eq!(bad.len(), expected.len(), "{bad:?}");
    for ((number, problem), (line, part)) in bad.iter().zip(expected) {
        assert!(
            number == line && problem.contains(part),
            "line {number}: {problem}; expected {line}: {part}"
        );
    }
    assert!(messages.iter().any(|message| matches!(message, Message::Batch(_))), "good rows go on");
}

#[test]
fn a_bad_line_is_told_and_the_others_go_on() {
    check_bad(
        "rows.csv",
        b"age,city\n1,\"a\nb\"\n2\n3,\xff\n4,c\n",
        &[(4, "has 1 fields; the header has 2"), (5, "is not UTF-8")],
    );
    check_bad(
        "rows.ndjson",
        b"{\"age\":1}\n\n{\"age\":\n[1]\n{\"age\":2}\n",
        &[(3, "is no JSON"), (4, "is no JSON object")],
    );
}

#[test]
fn a_value_beyond_the_kind_of_its_column_is_a_bad_row() {
    let mut csv = String::from("age\n");
    for age in 0..10_000 {
        csv.push_str(&format!("{age}\n"));
    }
    csv.push_str("old\n7\n");
    check_bad("rows.csv", csv.as_bytes(), &[(10_002, "column `age` is `old`; a number was expected")]);
}

#[test]
fn a_file_that_is_not_what_its_name_says_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows.parquet");
    std::fs::write(&path, b"age\n1\n").unwrap();
    assert!(matches!(Source::open(&path), Err(SourceError::Broken { .. })));
    let path = folder.path().join("rows.xml");
    std::fs::write(&path, b"<age>1</age>").unwrap();
    let error = Source::open(&path).unwrap_err().to_string();
    assert!(error.contains(".ndjson"), "{error}");
    assert!(matches!(Source::open(&folder.path().join("absent.csv")), Err(SourceError::Io { .. })));
}
