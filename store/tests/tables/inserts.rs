//! Blocks on a real ClickHouse: once, twice, refused, and every kind of value back out.

use bytes::Bytes;
use serde::Deserialize;
use windvane_store::{
    Block, Fault, Real, Secret, Statement, Store, StoreError, StoreOptions, Table, exposures, measurements,
    outcomes, predictions,
};

use crate::endpoint::Running;

const DAY_US: i64 = 86_400_000_000;

#[derive(Deserialize)]
struct Count {
    n: u64,
}

async fn count(store: &Store, sql: &'static str) -> u64 {
    store.rows::<Count>(&Statement::new(sql)).await.unwrap()[0].n
}

/// Measurements, one a chunk, at these times.
fn measured(token: &str, times: impl Iterator<Item = i64>) -> Block {
    let body: Vec<Bytes> = times
        .enumerate()
        .map(|(i, ts_us)| {
            let event_id = i.to_string();
            let mut out = Vec::new();
            measurements::Row {
                metric: "m",
                unit_id: "u",
                ts_us,
                value: 1.0,
                event_id: &event_id,
                ingested_at_us: now(),
            }
            .encode(&mut out);
            Bytes::from(out)
        })
        .collect();
    let table = Table::Measurements;
    Block { table, layout: table.layout(), rows: body.len() as u64, token: token.to_owned(), body }
}

/// A time of ingestion that no retention has passed: 2100.
fn now() -> i64 {
    130 * 365 * DAY_US
}

#[tokio::test(flavor = "multi_thread")]
async fn engine_stores_a_block_once_however_often_it_is_sent() {
    let running = Running::migrated().await;
    let store = &running.store;
    let block = measured("t-1", (0..1000).map(|i| i * 1000));
    for _ in 0..3 {
        store.insert(&block).await.unwrap();
    }
    assert_eq!(count(store, "SELECT count() AS n FROM measurements").await, 1000);
    let (one, other) = tokio::join!(store.insert(&block), store.insert(&block));
    one.and(other).unwrap();
    assert_eq!(count(store, "SELECT count() AS n FROM measurements").await, 1000);

    store.insert(&Block { token: "t-2".to_owned(), ..block }).await.unwrap();
    assert_eq!(count(store, "SELECT count() AS n FROM measurements FINAL").await, 1000);
    running.end().await;
}

/// 120 months are 120 partitions, more than ClickHouse's usual bound of 100 for one INSERT.
#[tokio::test(flavor = "multi_thread")]
async fn engine_takes_a_block_that_spans_a_decade_once() {
    let running = Running::migrated().await;
    let store = &running.store;
    let block = measured("t-1", (0..120).map(|month| month * 31 * DAY_US));
    for _ in 0..2 {
        store.insert(&block).await.unwrap();
    }
    assert_eq!(count(store, "SELECT count() AS n FROM measurements").await, 120);
    let parts = "SELECT uniq(partition) AS n FROM system.parts WHERE active AND table = 'measurements'";
    assert_eq!(count(store, parts).await, 120);
    running.end().await;
}

/// A crash half-way through an INSERT leaves the parts of some partitions; sending it again adds the others only.
#[tokio::test(flavor = "multi_thread")]
async fn engine_completes_a_block_of_which_some_partitions_are_stored() {
    let running = Running::migrated().await;
    let store = &running.store;
    let months = |n: i64| measured("t-1", (0..n).map(|month| month * 31 * DAY_US));
    store.insert(&months(3)).await.unwrap();
    for _ in 0..2 {
        store.insert(&months(6)).await.unwrap();
        assert_eq!(count(store, "SELECT count() AS n FROM measurements").await, 6);
        assert_eq!(count(store, "SELECT uniqExact(event_id) AS n FROM measurements").await, 6);
    }
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn engine_keeps_the_correction_of_an_outcome_that_came_last() {
    let running = Running::migrated().await;
    let store = &running.store;
    for (order, label) in [(2, "late"), (3, "on_time"), (1, "unknown")] {
        let mut out = Vec::new();
        let ingested_at_us = now() + order;
        outcomes::Row {
            model: "m",
            event_id: "e",
            ts_us: -order * DAY_US,
            ingested_at_us,
            label: Some(label),
            value: None,
        }
        .encode(&mut out);
        let (table, body) = (Table::Outcomes, vec![Bytes::from(out)]);
        store.insert(&Block { table, layout: 1, rows: 1, token: order.to_string(), body }).await.unwrap();
    }
    #[derive(Deserialize)]
    struct Row {
        label: Option<String>,
        value: Option<Real>,
    }
    let rows: Vec<Row> =
        store.rows(&Statement::new("SELECT label, value FROM outcomes FINAL")).await.unwrap();
    assert_eq!(rows.len(), 1);
    assert_eq!((rows[0].label.as_deref(), rows[0].value), (Some("on_time"), None));
    running.end().await;
}

#[derive(Debug, Deserialize)]
struct Prediction {
    event_id: String,
    ts_us: i64,
    num: std::collections::BTreeMap<String, Real>,
    cat: std::collections::BTreeMap<String, String>,
    embeddings: std::collections::BTreeMap<String, Vec<Real>>,
    score: Option<Real>,
    label: Option<String>,
    latency_us: Option<u64>,
    arms: std::collections::BTreeMap<String, String>,
}

#[tokio::test(flavor = "multi_thread")]
async fn engine_gives_back_every_kind_of_value() {
    let running = Running::migrated().await;
    let event_id = "é".repeat(64);
    let mut out = Vec::new();
    predictions::Row {
        event_id: &event_id,
        ts_us: -1,
        ingested_at_us: now(),
        model: "delay 航空",
        version: "",
        environment: "",
        unit_id: "N14228",
        arms: &mut std::iter::empty(),
        num: &mut [("a", f64::NAN), ("b", f64::INFINITY), ("c", -0.1), ("", f64::MIN_POSITIVE)].into_iter(),
        cat: &mut [("holiday", "true"), ("quote'\"\\\n\0", "tab\t")].into_iter(),
        embeddings: &mut [("text", &[0.5_f32, f32::NEG_INFINITY][..]), ("none", &[])].into_iter(),
        kind: "label",
        score: None,
        label: Some(""),
        probabilities: &mut [("late", 1.0)].into_iter(),
        value: None,
        latency_us: Some(u64::MAX),
        status: "ok",
        trace_id: "",
        span_id: "",
        tags: &mut std::iter::empty(),
    }
    .encode(&mut out);
    let table = Table::Predictions;
    let block = Block { table, layout: 1, rows: 1, token: "t".to_owned(), body: vec![Bytes::from(out)] };
    running.store.insert(&block).await.unwrap();

    let sql = "SELECT event_id, toUnixTimestamp64Micro(ts) AS ts_us, num, cat, embeddings, score, label, latency_us, arms \
               FROM predictions WHERE event_id = {id:String} AND model = {model:String}";
    let statement = Statement::new(sql).param("id", &event_id).param("model", "delay 航空");
    let rows: Vec<Prediction> = running.store.rows(&statement).await.unwrap();
    assert_eq!(rows.len(), 1);
    let row = &rows[0];
    assert_eq!((row.event_id.as_str(), row.ts_us), (event_id.as_str(), -1));
    assert!(row.num["a"].0.is_nan());
    assert_eq!((row.num["b"].0, row.num["c"].0, row.num[""].0), (f64::INFINITY, -0.1, f64::MIN_POSITIVE));
    assert_eq!((row.cat["holiday"].as_str(), row.cat["quote'\"\\\n\0"].as_str()), ("true", "tab\t"));
    assert_eq!(row.embeddings["text"][1].0, f64::NEG_INFINITY);
    assert!(row.embeddings["none"].is_empty());
    assert_eq!((row.score, row.label.as_deref(), row.latency_us), (None, Some(""), Some(u64::MAX)));
    assert!(row.arms.is_empty());
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn engine_says_which_failures_are_worth_another_try() {
    let running = Running::migrated().await;
    let store = &running.store;
    let block = measured("t-1", 0..1);
    let fault = |result: Result<(), StoreError>| result.unwrap_err().fault();

    let cut = Block { body: vec![block.body[0].slice(1..)], ..block.clone() };
    assert_eq!(fault(store.insert(&cut).await), Fault::Poison);
    assert_eq!(fault(store.insert(&Block { layout: 99, ..block.clone() }).await), Fault::Retryable);

    let stranger = StoreOptions { password: Secret::new("wrong"), ..running.options.clone() };
    let refused = Store::connect(&stranger).insert(&block).await.unwrap_err();
    assert_eq!((refused.code(), refused.fault()), (Some(516), Fault::Retryable));

    store.execute(&Statement::new("DROP TABLE windvane.measurements SYNC")).await.unwrap();
    let refused = store.insert(&block).await.unwrap_err();
    assert_eq!((refused.code(), refused.fault()), (Some(60), Fault::Retryable));

    let nobody = StoreOptions { url: "http://127.0.0.1:1".to_owned(), ..running.options.clone() };
    assert_eq!(fault(Store::connect(&nobody).insert(&block).await), Fault::Unavailable);
    assert!(Store::connect(&nobody).ping().await.is_err());
    store.ping().await.unwrap();
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn engine_takes_exposures_and_an_empty_block() {
    let running = Running::migrated().await;
    let mut out = Vec::new();
    exposures::Row {
        experiment: "x",
        unit_id: "u",
        arm: "B",
        ts_us: 1,
        event_id: "e",
        ingested_at_us: now(),
    }
    .encode(&mut out);
    let table = Table::Exposures;
    let block = Block { table, layout: 1, rows: 1, token: "t".to_owned(), body: vec![Bytes::from(out)] };
    running.store.insert(&block).await.unwrap();
    running
        .store
        .insert(&Block { rows: 0, body: Vec::new(), token: "empty".to_owned(), ..block })
        .await
        .unwrap();
    assert_eq!(count(&running.store, "SELECT count() AS n FROM exposures WHERE arm = 'B'").await, 1);
    running.end().await;
}
