//! `windvane drift` over the store: what it finds is kept, once, and shown.

use std::path::Path;
use std::time::Duration;

use windvane_kit::{Service, eventually};

use crate::asking::{query, windvane};

/// 200 predictions a day: in February the distance is longer, the carrier is not another.
fn predictions() -> String {
    let line = |month: u32, i: u32| {
        let distance = i % 50 * 10 + if month == 2 { 400 } else { 0 };
        let carrier = if i.is_multiple_of(3) { "UA" } else { "DL" };
        format!(
            r#"{{"model":"delay","version":"7","event_id":"{month}-{i}","ts":"2013-0{month}-01T00:00:00Z","features":{{"distance":{distance},"carrier":"{carrier}"}},"prediction":{{"score":0.5}}}}"#
        )
    };
    (1..=2).flat_map(|month| (0..200).map(move |i| line(month, i))).collect::<Vec<_>>().join("\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn findings_over_the_store_are_kept_once_and_shown() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::start(Path::new(env!("CARGO_BIN_EXE_windvane")), folder.path(), "");
    let client = reqwest::Client::new();
    let sent = client
        .post(format!("{}/v1/predictions", service.url()))
        .header("content-type", "application/x-ndjson")
        .body(predictions())
        .send()
        .await
        .unwrap();
    assert_eq!(sent.status(), 200);
    eventually(Duration::from_secs(20), || {
        match query(&service, "SELECT count() FROM predictions").as_str() {
            "400" => Ok(()),
            other => Err(other.to_owned()),
        }
    });

    let spans = ["--reference", "window:2013-01-01/2013-02-01", "--window", "2013-02-01/2013-03-01"];
    let drift = |more: &[&str]| {
        let words: Vec<&str> =
            ["drift", "--model", "delay"].iter().chain(&spans).chain(more).copied().collect();
        windvane(&service, &words)
    };
    let only_printed = drift(&["--no-record"]);
    assert!(only_printed.status.success(), "{only_printed:?}");
    assert_eq!(query(&service, "SELECT count() FROM drift_findings"), "0");

    for _ in 0..2 {
        assert_eq!(drift(&["--fail-on", "drift"]).status.code(), Some(1));
    }
    let kept = "SELECT countDistinct(run_id), count() = uniq(column_name, method) FROM drift_findings FINAL";
    assert_eq!(query(&service, kept), "1\t1");
    let drifted = "SELECT DISTINCT column_name, direction FROM drift_findings FINAL WHERE drifted";
    assert_eq!(query(&service, drifted), "distance\tup");
    let page = async || client.get(service.url()).send().await.unwrap().text().await.unwrap();
    let shown = page().await;
    assert!(shown.contains(">distance</span>"), "{shown}");

    // A later run on the same window without the column takes its place.
    assert!(drift(&["--columns", "carrier"]).status.success());
    let shown = page().await;
    assert!(!shown.contains(">distance</span>"), "{shown}");
    assert_eq!(service.terminate(), Some(0));
}
