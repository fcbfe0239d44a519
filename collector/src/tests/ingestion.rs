//! Bodies, answers, refusals, repetition.

use std::io::Write;
use std::task::Poll;

use serde_json::json;
use windvane_types::Clock;

use super::told_sink::Mood;
use super::*;
use crate::{Gate, GateOptions, Keyring, Reach, Scope, Tokens, Wanted};

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

const NDJSON: (&str, &str) = ("content-type", "application/x-ndjson");
const JSON: (&str, &str) = ("content-type", "application/json");

#[tokio::test]
async fn every_shape_and_encoding_of_a_body_is_stored() {
    let folder = tempfile::tempdir().unwrap();
    let service = start(folder.path(), &Arc::default());
    let lines = predictions(0..3);
    let array = format!("[{}]", lines.trim().replace('\n', ","));
    let object = predictions(0..1);
    let bodies: [(Headers<'_>, Vec<u8>, u64); 7] = [
        (&[JSON], object.into(), 1),
        (&[JSON], array.clone().into(), 3),
        (&[NDJSON], lines.clone().into(), 3),
        (&[], lines.clone().into(), 3),
        (&[], array.into(), 3),
        (&[NDJSON, ("content-encoding", "gzip")], gzip(&lines), 3),
        (&[NDJSON, ("content-encoding", "zstd")], zstd::encode_all(lines.as_bytes(), 1).unwrap(), 3),
    ];
    let mut rows = 0;
    for (headers, body, n) in bodies {
        let reply = service.post("/v1/predictions", headers, body).await;
        assert_eq!(
            (reply.status, &reply.body),
            (StatusCode::OK, &json!({"accepted": n, "rejected": []})),
            "{headers:?}"
        );
        rows += n;
    }
    service.stored(rows).await;
    service.assert_nothing_is_lost().await;
}

#[tokio::test]
async fn every_kind_of_event_has_its_path() {
    let folder = tempfile::tempdir().unwrap();
    let service = start(folder.path(), &Arc::default());
    for (table, body) in [
        ("outcomes", r#"{"model":"m","event_id":"e","label":"late"}"#),
        ("exposures", r#"{"experiment":"x","unit_id":"u","arm":"B"}"#),
        ("measurements", r#"{"unit_id":"u","metric":"revenue","value":12.5}"#),
    ] {
        let reply = service.post(&format!("/v1/{table}"), &[JSON], body).await;
        assert_eq!(
            (reply.status, &reply.body["accepted"]),
            (StatusCode::OK, &json!(1)),
            "{table}: {reply:?}"
        );
    }
    let sink = Arc::clone(&service.sink);
    service.collector.drain(Duration::from_secs(10)).await;
    assert_eq!(["outcomes", "exposures", "measurements"].map(|table| sink.rows(table)), [1, 1, 1]);
}

#[tokio::test]
async fn bad_records_are_rejected_alone_and_made_ids_come_back_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let service = start(folder.path(), &Arc::default());
    let body = "{\"model\":\"m\"}\n\n{\"modle\":\"m\"}\n{\"model\":\"m\",\"event_id\":\"given\"}\n{broken\n{\"model\":\"m\"}\n";
    let reply = service.post("/v1/predictions", &[NDJSON], body).await;
    assert_eq!(reply.status, StatusCode::OK);
    assert_eq!(reply.body["accepted"], 3);
    let codes: Vec<_> =
        reply.body["rejected"].as_array().unwrap().iter().map(|r| (&r["index"], &r["code"])).collect();
    assert_eq!(codes, [(&json!(1), &json!("unknown_field")), (&json!(3), &json!("invalid_json"))]);
    assert_eq!(reply.body["event_ids"].as_array().unwrap().len(), 2);
    service.stored(3).await;
    service.assert_nothing_is_lost().await;
}

#[tokio::test]
async fn a_batch_without_a_good_record_is_answered_400() {
    let folder = tempfile::tempdir().unwrap();
    let service = start(folder.path(), &Arc::default());
    for body in
        ["", "[]", "{}", "{broken", "[{\"model\":\"m\"},", "3", "{\"model\":\"m\",\"features\":{\"a\":[1]}}"]
    {
        let reply = service.post("/v1/predictions", &[JSON], body).await;
        assert_eq!(
            (reply.status, &reply.body["accepted"]),
            (StatusCode::BAD_REQUEST, &json!(0)),
            "{body}: {reply:?}"
        );
        assert_eq!(reply.body["rejected"].as_array().unwrap().len(), 1, "{body}");
    }
    service.assert_nothing_is_lost().await;
}

#[tokio::test]
async fn each_refusal_has_its_status_and_code() {
    let folder = tempfile::tempdir().unwrap();
    let options = CollectorOptions { body_bytes_max: 1000, ..options(folder.path()) };
    let service = start_with(options, &Arc::default());
    let long_key = "k".repeat(256);
    let large = predictions(0..100);
    let cases: [(Headers<'_>, Vec<u8>, u16, &str); 8] = [
        (&[("content-type", "text/csv")], b"a,b".to_vec(), 415, "unsupported_content_type"),
        (&[JSON, ("content-encoding", "br")], b"x".to_vec(), 415, "unsupported_content_encoding"),
        (&[NDJSON], large.clone().into(), 413, "body_too_large"),
        (&[NDJSON, ("content-length", "5000")], large.clone().into(), 413, "body_too_large"),
        (&[NDJSON, ("content-encoding", "gzip")], gzip(&large), 413, "body_too_large"),
        (&[NDJSON, ("content-encoding", "gzip")], b"no gzip".to_vec(), 400, "invalid_content_encoding"),
        (&[JSON, ("idempotency-key", "")], b"{}".to_vec(), 400, "idempotency_key_invalid"),
        (&[JSON, ("idempotency-key", &long_key)], b"{}".to_vec(), 400, "idempotency_key_invalid"),
    ];
    for (headers, body, status, code) in cases {
        let reply = service.post("/v1/predictions", headers, body).await;
        assert_eq!((reply.status.as_u16(), reply.body["code"].as_str()), (status, Some(code)), "{reply:?}");
        assert_eq!(reply.headers["content-type"], "application/problem+json", "{code}");
    }
    let reply = service.get("/v1/predictions").await;
    assert_eq!(
        (reply.status.as_u16(), &reply.headers["allow"]),
        (405, &http::HeaderValue::from_static("POST"))
    );
    assert_eq!(service.metric("windvane_collector_refused_requests_total").await, 8);
    assert_eq!(service.metric("windvane_collector_received_records_total").await, 0);
}

/// A body of which nothing comes.
pub(super) fn endless() -> Body {
    Body::from_stream(futures_util::stream::pending::<Result<bytes::Bytes, std::io::Error>>())
}

#[tokio::test]
async fn requests_beyond_those_in_work_are_told_to_come_again() {
    let folder = tempfile::tempdir().unwrap();
    let options = CollectorOptions { requests_max: 1, ..options(folder.path()) };
    let service = start_with(options, &Arc::default());
    {
        let mut held = std::pin::pin!(service.post("/v1/predictions", &[NDJSON], endless()));
        // It has the one place until its body has come.
        let waits = std::future::poll_fn(|context| Poll::Ready(held.as_mut().poll(context).is_pending()));
        assert!(waits.await);
        let reply = service.post("/v1/predictions", &[NDJSON], predictions(0..1)).await;
        let told = (reply.status.as_u16(), reply.body["code"].as_str());
        assert_eq!(told, (503, Some("too_many_requests_in_work")), "{reply:?}");
        assert_eq!(reply.headers["retry-after"], "1");
    }
    let reply = service.post("/v1/predictions", &[NDJSON], predictions(0..1)).await;
    assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
    assert_eq!(service.metric("windvane_collector_refused_requests_total").await, 1);
    service.assert_nothing_is_lost().await;
}

#[tokio::test]
async fn a_body_that_stays_away_or_breaks_off_is_given_up() {
    let folder = tempfile::tempdir().unwrap();
    let options = CollectorOptions { body_timeout: Duration::from_millis(20), ..options(folder.path()) };
    let service = start_with(options, &Arc::default());
    let broken = futures_util::stream::iter([
        Ok(bytes::Bytes::from_static(b"{\"model\":\"m\"}\n")),
        Err(std::io::Error::other("the line is cut")),
    ]);
    for (body, status, code) in
        [(endless(), 408, "body_timeout"), (Body::from_stream(broken), 400, "body_incomplete")]
    {
        let reply = service.post("/v1/predictions", &[NDJSON], body).await;
        assert_eq!((reply.status.as_u16(), reply.body["code"].as_str()), (status, Some(code)), "{reply:?}");
    }
    assert_eq!(service.metric("windvane_collector_received_records_total").await, 0);
}

#[tokio::test]
async fn a_repeated_batch_is_answered_alike_and_stored_once_also_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let sink = Arc::<ToldSink>::default();
    let service = start(folder.path(), &sink);
    let body = "{\"model\":\"m\"}\n{\"modle\":1}\n";
    let key = [NDJSON, ("idempotency-key", "batch-1")];
    let first = service.post("/v1/predictions", &key, body).await;
    let again = service.post("/v1/predictions", &key, body).await;
    assert_eq!((again.status, &again.body), (StatusCode::OK, &first.body));
    assert_eq!(again.headers["idempotent-replayed"], "true");
    let other = service.post("/v1/predictions", &key, predictions(0..1)).await;
    assert_eq!((other.status.as_u16(), &other.body["code"]), (422, &json!("idempotency_key_reused")));
    // The same key on another path is another key.
    let outcome = service.post("/v1/outcomes", &key, r#"{"model":"m","event_id":"e","value":1}"#).await;
    assert_eq!(outcome.status, StatusCode::OK);
    assert_eq!(service.metric("windvane_collector_idempotency_keys").await, 2);
    assert_eq!(service.metric("windvane_collector_idempotency_keys_forgotten_early").await, 0);
    service.collector.drain(Duration::from_secs(10)).await;
    let service = start(folder.path(), &sink);
    let later = service.post("/v1/predictions", &key, body).await;
    assert_eq!((later.status, later.body), (StatusCode::OK, first.body));
    service.collector.drain(Duration::from_secs(10)).await;
    assert_eq!(sink.rows("predictions"), 1);
}

/// Through the gate, with the tokens of two teams.
#[tokio::test]
async fn a_key_is_its_tokens_own() {
    let folder = tempfile::tempdir().unwrap();
    let sink = Arc::<ToldSink>::default();
    let service = start(folder.path(), &sink);
    let tokens_file = folder.path().join("tokens.toml");
    let now_us = SystemClock.now().as_microsecond();
    let token = |n: u128, prefix: &str| {
        let wanted = Wanted {
            name: format!("team {n}"),
            scopes: vec![Scope::Ingest],
            model_prefixes: vec![prefix.to_owned()],
            ..Wanted::default()
        };
        let random = [n << 96, n, n + 1].map(Uuid::from_u128);
        format!(
            "Bearer {}",
            Tokens::change(&tokens_file, |tokens| tokens.add(wanted, random, now_us)).unwrap()
        )
    };
    let (one, two) = (token(1, "a"), token(2, "b"));
    let keyring = Keyring::open(&tokens_file).unwrap();
    let gate = Gate::new(keyring, GateOptions::default(), Arc::new(SystemClock), &Registry::new()).unwrap();
    let guarded = Arc::new(gate).guard(service.collector.router(), Reach::Network);
    let post = async |token: &str, body: &'static str| {
        let request = Request::post("/v1/predictions").header(NDJSON.0, NDJSON.1);
        let request = request.header("authorization", token).header("idempotency-key", "batch-1");
        let response = guarded.clone().oneshot(request.body(Body::from(body)).unwrap()).await.unwrap();
        let is_again = response.headers().contains_key("idempotent-replayed");
        let answer = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
        let answer: serde_json::Value = serde_json::from_slice(&answer).unwrap();
        (answer["accepted"].clone(), is_again)
    };
    // Of the same bytes each may send another line.
    let body = "{\"model\":\"a\",\"event_id\":\"1\"}\n{\"model\":\"b\",\"event_id\":\"2\"}\n";
    for is_again in [false, true] {
        assert_eq!(post(&one, body).await, (json!(1), is_again));
        assert_eq!(post(&two, body).await, (json!(1), is_again));
    }
    assert_eq!(service.metric("windvane_collector_idempotency_keys").await, 2);
    service.collector.drain(Duration::from_secs(10)).await;
    assert_eq!(sink.rows("predictions"), 2);
}

#[tokio::test]
async fn a_batch_sent_many_times_at_once_is_stored_once() {
    let folder = tempfile::tempdir().unwrap();
    let service = start(folder.path(), &Arc::default());
    let body = predictions(0..500);
    let sends =
        (0..16).map(|_| service.post("/v1/predictions", &[NDJSON, ("idempotency-key", "k")], body.clone()));
    for reply in futures_util::future::join_all(sends).await {
        assert_eq!((reply.status, &reply.body["accepted"]), (StatusCode::OK, &json!(500)));
    }
    service.stored(500).await;
    assert_eq!(service.metric("windvane_collector_deduplicated_batches_total").await, 15);
    service.assert_nothing_is_lost().await;
}

#[tokio::test]
async fn a_full_spool_answers_429_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = options(folder.path());
    options.spool.bytes_max = 64 << 10;
    let service = start_with(options, &Arc::default());
    service.sink.be(Mood::Away);
    let mut acknowledged = 0;
    let refused = loop {
        let reply = service.post("/v1/predictions", &[NDJSON], predictions(0..100)).await;
        if reply.status != StatusCode::OK {
            break reply;
        }
        acknowledged += 100;
        assert!(acknowledged < 10_000, "the spool has a bound");
    };
    assert_eq!((refused.status.as_u16(), &refused.body["code"]), (429, &json!("spool_full")));
    assert!(refused.headers["retry-after"].to_str().unwrap().parse::<u64>().unwrap() >= 1);
    service.assert_nothing_is_lost().await;
    service.sink.be(Mood::Takes);
    service.stored(acknowledged).await;
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    while service.post("/v1/predictions", &[NDJSON], predictions(0..100)).await.status != StatusCode::OK {
        tokio::time::sleep(Duration::from_millis(2)).await;
        assert!(tokio::time::Instant::now() < deadline, "the spool takes again once it was emptied");
    }
    service.stored(acknowledged + 100).await;
    service.assert_nothing_is_lost().await;
}

#[tokio::test]
async fn every_row_of_a_logged_batch_is_stored_or_rejected() {
    let folder = tempfile::tempdir().unwrap();
    let service = start(folder.path(), &Arc::default());
    let headers = |kind: &'static str| {
        [
            ("ce-id", "r1"),
            ("ce-type", kind),
            ("ce-inferenceservicename", "m"),
            ("content-type", "application/json"),
        ]
    };
    let labels = json!({"predictions": ["late", "l".repeat(5000), "on_time"]}).to_string();
    let response = headers("org.kubeflow.serving.inference.response");
    let reply = service.post("/v1/cloudevents", &response, labels).await;
    assert_eq!((reply.status, &reply.body["accepted"]), (StatusCode::OK, &json!(1)));
    let rejected = &reply.body["rejected"][0];
    assert_eq!(
        (&rejected["index"], &rejected["row"], &rejected["code"]),
        (&json!(0), &json!(1), &json!("string_too_long"))
    );
    let drift = r#"{"data":{"is_drift":[0,"yes"]}}"#;
    let reply = service.post("/v1/cloudevents", &headers("io.seldon.serving.inference.drift"), drift).await;
    assert_eq!((reply.status.as_u16(), &reply.body["code"]), (400, &json!("no_event_accepted")));
    assert_eq!(reply.body["rejected"][0].get("row"), None, "the whole event");
    service.stored(2).await;
    assert_eq!(service.sum(&["received_records_total"]).await, 4, "three rows and a drift");
    service.assert_nothing_is_lost().await;
}

#[tokio::test]
async fn the_length_of_json_before_binary_tensors_may_be_a_header() {
    let folder = tempfile::tempdir().unwrap();
    let service = start(folder.path(), &Arc::default());
    let inputs =
        r#"{"outputs":[{"name":"y","shape":[2],"datatype":"FP32","parameters":{"binary_data_size":8}}]}"#;
    let body = [inputs.as_bytes(), &[0; 8]].concat();
    let (length, too_long) = (inputs.len().to_string(), (inputs.len() + 1).to_string());
    for (id, name, length, status) in [
        ("r1", "inference-header-content-length", length.as_str(), 200),
        ("r2", "inference-header-content-length", too_long.as_str(), 400),
        ("r3", "ce-inferenceheadercontentlength", length.as_str(), 200),
        ("r4", "ce-inferenceheadercontentlength", "many", 400),
        ("r5", "ce-other", "", 200),
    ] {
        let headers = [
            ("ce-id", id),
            ("ce-type", "org.kubeflow.serving.inference.response"),
            ("ce-inferenceservicename", "m"),
            ("content-type", "application/octet-stream"),
            (name, length),
        ];
        let reply = service.post("/v1/cloudevents", &headers, body.clone()).await;
        assert_eq!(reply.status.as_u16(), status, "{name}: {length}: {reply:?}");
    }
    service.stored(6).await;
    service.assert_nothing_is_lost().await;
}
