//! Native blocks against the real engine: what went in as RowBinary comes out as the same RowBinary.

use std::cell::RefCell;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::super::encode;
use crate::chdb::{Connection, Engine, EngineOptions, Library};
use crate::migrate::{self, Topology};
use crate::wire::{Wire, column};
use crate::{Table, predictions};
use bytes::Bytes;

type Pairs<V> = Vec<(String, V)>;

/// The fields of a prediction that can take odd values.
#[derive(Debug, Clone)]
struct Odd {
    event_id: String,
    ts_us: i64,
    model: String,
    words: Pairs<String>,
    numbers: Pairs<f64>,
    vectors: Pairs<Vec<f32>>,
    score: Option<f64>,
    label: Option<String>,
    latency_us: Option<u64>,
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![Just(String::new()), "[a-c]{1,2}", "\\PC{0,12}", "[\\x00-\\x7f]{0,8}", "é{128}"]
}

fn number() -> impl Strategy<Value = f64> {
    prop_oneof![Just(f64::NAN), Just(f64::INFINITY), Just(f64::NEG_INFINITY), Just(-0.0), any::<f64>()]
}

fn pairs<V: Strategy>(value: V) -> impl Strategy<Value = Pairs<V::Value>> {
    vec((text(), value), 0..4)
}

fn odd() -> impl Strategy<Value = Odd> {
    // 1900 to 2299, the range of DateTime64.
    let ts = -2_208_988_800_000_000..10_413_791_999_999_999_i64;
    let maps = (pairs(text()), pairs(number()), pairs(vec(any::<f32>(), 0..5)));
    (text(), ts, text(), maps, option::of(number()), option::of(text()), option::of(any::<u64>())).prop_map(
        |(event_id, ts_us, model, (words, numbers, vectors), score, label, latency_us)| Odd {
            event_id,
            ts_us,
            model,
            words,
            numbers,
            vectors,
            score,
            label,
            latency_us,
        },
    )
}

fn words(pairs: &Pairs<String>) -> impl Iterator<Item = (&str, &str)> {
    pairs.iter().map(|(key, value)| (key.as_str(), value.as_str()))
}

fn numbers(pairs: &Pairs<f64>) -> impl Iterator<Item = (&str, f64)> {
    pairs.iter().map(|(key, value)| (key.as_str(), *value))
}

impl Odd {
    fn encode(&self, order: usize, out: &mut Vec<u8>) {
        let unit_id = format!("{order:06}");
        predictions::Row {
            event_id: &self.event_id,
            ts_us: self.ts_us,
            ingested_at_us: 0,
            model: &self.model,
            version: "",
            environment: "prod",
            unit_id: &unit_id,
            arms: &mut words(&self.words),
            num: &mut numbers(&self.numbers),
            cat: &mut words(&self.words),
            embeddings: &mut self.vectors.iter().map(|(key, vector)| (key.as_str(), vector.as_slice())),
            kind: "score",
            score: self.score,
            label: self.label.as_deref(),
            probabilities: &mut numbers(&self.numbers),
            value: None,
            latency_us: self.latency_us,
            status: "ok",
            trace_id: "",
            span_id: &self.event_id,
            tags: &mut std::iter::empty(),
        }
        .encode(out);
    }
}

fn insert(connection: &mut Connection, columns: &str, pieces: &[Bytes]) {
    let mut insert = connection.insert(&format!("INSERT INTO t ({columns})"), "Native", &[]).unwrap();
    for piece in pieces {
        insert.append(piece).unwrap();
    }
    insert.finish().unwrap();
}

/// Inserts rows of as many models and counts the models: indices of one, two and four bytes.
fn different_models(connection: &mut Connection, n: u64) -> u64 {
    connection
        .execute("CREATE OR REPLACE TABLE models (model LowCardinality(String)) ENGINE = Memory")
        .unwrap();
    let mut rows = Vec::new();
    for i in 0..n {
        crate::rowbinary::string(&mut rows, &i.to_string());
    }
    let pieces = encode(&[column("model", Wire::Word)], &[Bytes::from(rows)], n).unwrap();
    let mut insert = connection.insert("INSERT INTO models (model)", "Native", &[]).unwrap();
    for piece in &pieces {
        insert.append(piece).unwrap();
    }
    insert.finish().unwrap();
    let count = connection.query("SELECT uniqExact(model) FROM models", "TSV", &[]).unwrap();
    String::from_utf8_lossy(count.bytes()).trim().parse().unwrap()
}

/// Rows survive the way into the real table, bit by bit: every type, unicode, empty maps, NULL, NaN, infinities.
#[test]
fn engine_stores_what_was_encoded() {
    let folder = tempfile::tempdir().unwrap();
    let library = Library::open(&windvane_kit::libchdb()).unwrap();
    let engine = Engine::open(library, &EngineOptions::new(folder.path())).unwrap();
    let mut connection = engine.connect().unwrap();
    for migration in &migrate::all()[..3] {
        if let Some(sql) = migration.render(&Topology::Single, "windvane").unwrap() {
            connection.execute(&sql).unwrap();
        }
    }
    // The columns and types of the real table; nothing sorts, expires or collapses.
    connection.execute("CREATE TABLE t ENGINE = Memory EMPTY AS SELECT * FROM windvane.predictions").unwrap();
    let layout = Table::Predictions.columns(1).unwrap();
    let columns: Vec<&str> = layout.iter().map(|column| column.name).collect();
    let columns = columns.join(", ");

    let mut runner = TestRunner::new(Config { cases: 100, failure_persistence: None, ..Config::default() });
    for different in [255_u64, 256, 65_535, 65_536] {
        assert_eq!(different_models(&mut connection, different), different);
    }

    let connection = RefCell::new(connection);
    let ran = runner.run(&vec(odd(), 1..40), |rows| {
        let chunks: Vec<Bytes> = rows
            .iter()
            .enumerate()
            .map(|(order, row)| {
                let mut out = Vec::new();
                row.encode(order, &mut out);
                Bytes::from(out)
            })
            .collect();
        let pieces = encode(layout, &chunks, rows.len() as u64).unwrap();
        let mut connection = connection.borrow_mut();
        insert(&mut connection, &columns, &pieces);
        let stored =
            connection.query(&format!("SELECT {columns} FROM t ORDER BY unit_id"), "RowBinary", &[]).unwrap();
        let same = stored.bytes() == chunks.concat();
        connection.execute("TRUNCATE TABLE t").unwrap();
        prop_assert!(same, "{} rows came back other than they went in", rows.len());
        Ok(())
    });
    drop(connection);
    engine.close();
    ran.unwrap();
}
