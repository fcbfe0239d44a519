//! Statements on a real ClickHouse: parameters arrive as they were, numbers come back as they are.

use std::time::Duration;

use serde::Deserialize;
use windvane_store::{Param, Real, Statement};

use crate::endpoint::Running;

#[derive(Deserialize)]
struct Row {
    text: String,
    texts: Vec<String>,
    floats: Vec<Real>,
    big: u64,
    negative: i64,
}

#[tokio::test(flavor = "multi_thread")]
async fn engine_reads_parameters_as_they_were_bound() {
    let running = Running::empty().await;
    let odd = "tab\t line\n back\\slash 'quote' \"double\" `tick` {brace:String} ? é \0 end";
    let statement = Statement::new(
        "SELECT {text:String} AS text, {texts:Array(String)} AS texts, {floats:Array(Float64)} AS floats, \
         {big:UInt64} AS big, {negative:Int64} AS negative",
    )
    .param("text", odd)
    .param("texts", Param::texts(&[odd, "", "it's"]))
    .param("floats", Param::floats(&[0.1, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e308, -0.0]))
    .param("big", u64::MAX)
    .param("negative", i64::MIN);
    let rows: Vec<Row> = running.store.rows(&statement).await.unwrap();
    let row = &rows[0];
    assert_eq!(row.text, odd);
    assert_eq!(row.texts, [odd, "", "it's"]);
    assert_eq!((row.big, row.negative), (u64::MAX, i64::MIN));
    let floats: Vec<f64> = row.floats.iter().map(|x| x.0).collect();
    assert_eq!((floats[0], floats[2], floats[3], floats[4]), (0.1, f64::INFINITY, f64::NEG_INFINITY, 1e308));
    assert!(floats[1].is_nan());
    assert!(floats[5] == 0.0 && floats[5].is_sign_negative());
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn engine_tells_its_exception_by_code() {
    let running = Running::empty().await;
    let refused = running.store.text("SELECT * FROM nowhere", "TSV").await.unwrap_err();
    assert_eq!(refused.code(), Some(60), "{refused}");
    assert_eq!(running.store.text("SELECT 1 AS a FORMAT CSVWithNames", "TSV").await.unwrap(), "\"a\"\n1\n");
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn engine_keeps_a_bounded_handle_to_its_memory_and_time() {
    let running = Running::empty().await;
    let bounded = running.store.bounded(50_000_000, Duration::from_secs(1));
    for (sql, code) in [
        ("SELECT length(groupArray(number)) AS n FROM numbers(20000000)", 241),
        ("SELECT count() AS n FROM numbers(1000000000000) WHERE sipHash64(number) = 1", 159),
    ] {
        let refused = bounded.text(sql, "TSV").await.unwrap_err();
        assert_eq!(refused.code(), Some(code), "{sql}: {refused}");
    }
    assert_eq!(
        running.store.text("SELECT length(groupArray(number)) FROM numbers(20000000)", "TSV").await.unwrap(),
        "20000000\n"
    );
    running.end().await;
}
