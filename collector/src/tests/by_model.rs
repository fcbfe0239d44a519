//! Counts by model: what was acknowledged, refused, repeated and laid aside.

use super::told_sink::Mood;
use super::*;

/// A series of a model.
async fn of_model(service: &Service, what: &str, model: &str) -> u64 {
    let Value::String(text) = service.get("/metrics").await.body else { panic!("metrics are text") };
    let series = format!("windvane_collector_model_{what}_total{{model=\"{model}\"}} ");
    text.lines().find_map(|line| line.strip_prefix(&series)).map_or(0, |count| count.parse().unwrap())
}

#[tokio::test]
async fn what_is_refused_is_counted_for_its_model_and_begins_no_series() {
    let folder = tempfile::tempdir().unwrap();
    let service = start(folder.path(), &Arc::default());
    let body = [
        r#"{"model":"m"}"#,
        r#"{"model":"m","modle":1}"#,
        r#"{"model":"m","features":{"a":{}}}"#,
        r#"{"model":"ghost","modle":1}"#,
        "{broken",
    ]
    .join("\n");
    let reply = service.post("/v1/predictions", &[], body).await;
    assert_eq!((reply.status, reply.body["accepted"].as_u64()), (StatusCode::OK, Some(1)), "{reply:?}");
    assert_eq!(of_model(&service, "rows", "m").await, 1);
    assert_eq!(of_model(&service, "rejected_records", "m").await, 2);
    assert_eq!(of_model(&service, "rejected_records", "_other").await, 2);
    assert_eq!(of_model(&service, "rejected_records", "ghost").await, 0);
    service.assert_nothing_is_lost().await;
}

#[tokio::test]
async fn models_beyond_the_first_two_hundred_share_a_series() {
    let folder = tempfile::tempdir().unwrap();
    let service = start(folder.path(), &Arc::default());
    let body: String = (0..203).map(|model| format!("{{\"model\":\"m{model}\"}}\n")).collect();
    let key = [("idempotency-key", "batch-1")];
    for _ in 0..2 {
        let reply = service.post("/v1/predictions", &key, body.clone()).await;
        assert_eq!(reply.body["accepted"].as_u64(), Some(203), "{reply:?}");
    }
    for what in ["rows", "deduplicated_rows"] {
        assert_eq!(of_model(&service, what, "_other").await, 3, "{what}");
        assert_eq!(of_model(&service, what, "m0").await, 1, "{what}");
        assert_eq!(service.sum(&[format!("model_{what}_total").as_str()]).await, 203, "{what}");
    }
    assert_eq!(service.series("models").await, 203);
}

#[tokio::test]
async fn a_record_that_was_not_read_is_not_that_of_the_model_before() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = options(folder.path());
    options.limits.record_bytes_max = 1_024;
    let service = start_with(options, &Arc::default());
    let long = format!("{{\"model\":\"m\",\"version\":\"{}\"}}", "v".repeat(2_000));
    let reply = service.post("/v1/predictions", &[], predictions(0..3) + &long).await;
    assert_eq!(reply.body["rejected"][0]["code"], "record_too_large", "{reply:?}");
    assert_eq!(of_model(&service, "rows", "m").await, 3);
    assert_eq!(of_model(&service, "rejected_records", "m").await, 0);
    assert_eq!(of_model(&service, "rejected_records", "_other").await, 1);
}

#[tokio::test]
async fn rows_of_a_repeated_batch_are_counted_for_their_models_also_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let sink = Arc::<ToldSink>::default();
    let service = start(folder.path(), &sink);
    let key = [("idempotency-key", "batch-1")];
    for repeated in [0, 0, 3] {
        assert_eq!(of_model(&service, "deduplicated_rows", "m").await, repeated);
        let reply = service.post("/v1/predictions", &key, predictions(0..3)).await;
        assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
    }
    assert_eq!(of_model(&service, "rows", "m").await, 3);
    service.collector.drain(Duration::from_secs(20)).await;
    let service = start(folder.path(), &sink);
    service.post("/v1/predictions", &key, predictions(0..3)).await;
    assert_eq!(of_model(&service, "deduplicated_rows", "m").await, 3);
    service.assert_nothing_is_lost().await;
}

#[tokio::test]
async fn rows_that_were_laid_aside_are_counted_for_their_models() {
    let folder = tempfile::tempdir().unwrap();
    let service = start(folder.path(), &Arc::default());
    service.sink.be(Mood::Poisoned(b"poison"));
    let bad = predictions(3..5).replace("\"m\"", "\"poison\"");
    service.post("/v1/predictions", &[], predictions(0..3) + &bad).await;
    service.dead_lettered(2).await;
    assert_eq!(of_model(&service, "dead_lettered_rows", "poison").await, 2);
    assert_eq!(of_model(&service, "dead_lettered_rows", "m").await, 0);
    service.assert_nothing_is_lost().await;
}
