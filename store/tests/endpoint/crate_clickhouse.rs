//! The `clickhouse` crate against the endpoint: validated inserts and reads, parameters, errors before and in a result.

use clickhouse::{Client, Row};
use serde::{Deserialize, Serialize};

use crate::service::{service, until};

#[derive(Debug, Clone, PartialEq, Row, Serialize, Deserialize)]
struct Event {
    id: u64,
    name: String,
    score: f64,
    tags: Vec<(String, f64)>,
}

fn client() -> Client {
    let service = service();
    Client::default()
        .with_url(&service.url)
        .with_user(&service.access.user)
        .with_password(&service.access.password)
        .with_database("windvane")
}

async fn table(name: &str) {
    let ddl = format!(
        "CREATE OR REPLACE TABLE {name} (id UInt64, name String, score Float64, tags Map(String, Float64)) \
         ENGINE = MergeTree ORDER BY id"
    );
    client().query(&ddl).execute().await.unwrap();
}

fn event(id: u64) -> Event {
    Event { id, name: format!("n{id}"), score: 0.1 * id as f64, tags: vec![("a".into(), id as f64)] }
}

#[tokio::test]
async fn validated_rows_come_back_as_they_went_in() {
    table("crate_rows").await;
    let client = client();
    let mut insert = client.insert::<Event>("crate_rows").await.unwrap();
    for id in 0..100_000 {
        insert.write(&event(id)).await.unwrap();
    }
    insert.end().await.unwrap();

    // Several chunks of the engine, so that the repeated header is met.
    let rows: Vec<Event> =
        client.query("SELECT ?fields FROM crate_rows ORDER BY id").fetch_all().await.unwrap();
    assert_eq!(rows.len(), 100_000);
    assert!(rows.iter().enumerate().all(|(id, row)| *row == event(id as u64)));

    let mut cursor = client.query("SELECT ?fields FROM crate_rows WHERE id < 10").fetch::<Event>().unwrap();
    let mut seen = 0;
    while cursor.next().await.unwrap().is_some() {
        seen += 1;
    }
    assert_eq!(seen, 10);
}

#[tokio::test]
async fn parameters_and_settings_arrive() {
    let found: (u32, String) = client()
        .query("SELECT {n:UInt32} + 1, {text:String}")
        .param("n", 41)
        .param("text", "it's a \\ tab\tand ünïcode")
        .fetch_one()
        .await
        .map(|(n, text): (u64, String)| (n as u32, text))
        .unwrap();
    assert_eq!(found, (42, "it's a \\ tab\tand ünïcode".to_owned()));
    let threads: u64 = client()
        .with_setting("max_threads", "3")
        .query("SELECT toUInt64(getSetting('max_threads'))")
        .fetch_one()
        .await
        .unwrap();
    assert_eq!(threads, 3);
}

#[tokio::test]
async fn errors_carry_their_code() {
    let error = client().query("SELECT * FROM nowhere").fetch_all::<u8>().await.unwrap_err().to_string();
    assert!(error.contains("Code: 60") && error.contains("UNKNOWN_TABLE"), "{error}");
    let error =
        client().with_password("wrong").query("SELECT 1").fetch_one::<u8>().await.unwrap_err().to_string();
    assert!(error.contains("Code: 516"), "{error}");
}

#[tokio::test]
async fn an_error_in_the_middle_of_a_result_reaches_the_reader() {
    let mut cursor = client()
        .query("SELECT toUInt64(throwIf(number = 3000000) + number) AS n FROM numbers(10000000)")
        .fetch::<u64>()
        .unwrap();
    let mut rows = 0_u64;
    let error = loop {
        match cursor.next().await {
            Ok(Some(_)) => rows += 1,
            Ok(None) => panic!("the result ended after {rows} rows without an error"),
            Err(error) => break error.to_string(),
        }
    };
    assert!(rows > 0, "no row came before the error");
    assert!(error.contains("395") || error.contains("FUNCTION_THROW_IF"), "{error}");
}

#[tokio::test]
async fn an_insert_that_is_dropped_leaves_nothing() {
    table("crate_dropped").await;
    let client = client();
    let mut insert = client.insert::<Event>("crate_dropped").await.unwrap();
    for id in 0..50_000 {
        insert.write(&event(id)).await.unwrap();
    }
    drop(insert);
    let whole = {
        let mut insert = client.insert::<Event>("crate_dropped").await.unwrap();
        insert.write(&event(1)).await.unwrap();
        insert.end().await
    };
    whole.unwrap();
    until("SELECT count() FROM system.processes WHERE query LIKE 'INSERT INTO%crate_dropped%'", "0").await;
    assert_eq!(service().text("SELECT count() FROM crate_dropped").await, "1\n");
}
