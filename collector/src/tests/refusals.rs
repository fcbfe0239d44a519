//! Refusals that pass: over HTTP and gRPC with when to come again, in the metrics by their code, and without a loss.

use axum::Router;
use serde_json::json;
use windvane_store::Table;

use super::grpc::{GZIP, PROTOBUF, assert_unavailable, call, frame, gzip, span};
use super::told_sink::Mood;
use super::*;

const JSON: (&str, &str) = ("content-type", "application/json");

impl Service {
    /// Requests that were refused by this code.
    pub(super) async fn refused(&self, code: &str) -> u64 {
        refused(self.collector.router(), code).await
    }
}

async fn metrics(router: Router) -> String {
    let response = router.oneshot(Request::get("/metrics").body(Body::empty()).unwrap()).await.unwrap();
    let body = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
    String::from_utf8(body.to_vec()).unwrap()
}

async fn refused(router: Router, code: &str) -> u64 {
    let text = metrics(router).await;
    let label = format!("code=\"{code}\"");
    let series = text.lines().filter(|line| line.starts_with("windvane_collector_refused_requests_total{"));
    let counts = series.filter(|line| line.contains(&label)).map(|line| line.rsplit(' ').next().unwrap());
    counts.map(|count| count.parse::<u64>().unwrap()).sum()
}

#[tokio::test]
async fn a_message_over_http_that_is_none_is_invalid_otlp() {
    let folder = tempfile::tempdir().unwrap();
    let service = start(folder.path(), &Arc::default());
    for path in ["/v1/traces", "/v1/logs", "/v1/metrics"] {
        for (content_type, body) in [(PROTOBUF, &b"\xff\xff"[..]), (JSON, &b"{"[..]), (JSON, &b"3"[..])] {
            let reply = service.post(path, &[content_type], body).await;
            assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{path}: {reply:?}");
            let told = reply.body.to_string();
            assert!(told.contains("invalid_otlp: no valid"), "{path}: {told}");
            assert!(!reply.headers.contains_key("retry-after"), "it would be refused again: {reply:?}");
        }
    }
    assert_eq!(service.refused("invalid_otlp").await, 9);
    service.assert_nothing_is_lost().await;
}

#[tokio::test]
async fn a_collector_that_shuts_down_says_so_over_http_and_grpc() {
    let folder = tempfile::tempdir().unwrap();
    let service = start(folder.path(), &Arc::default());
    let (http, grpc, sink) =
        (service.collector.router(), service.collector.grpc_router(), Arc::clone(&service.sink));
    service.call(&[], frame(0, &span(1, "one"))).await.unwrap();
    assert_eq!(service.collector.drain(Duration::from_secs(10)).await.pending_rows, 0);
    assert_unavailable(&call(grpc, &[], frame(0, &span(2, "two"))).await.unwrap_err(), "shutting_down", 5);
    for path in ["/v1/predictions", "/v1/traces", "/v1/cloudevents"] {
        let request = Request::post(path).header("content-type", "application/json");
        let response = http.clone().oneshot(request.body(Body::from("{}")).unwrap()).await.unwrap();
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE, "{path}");
        assert_eq!(response.headers()["retry-after"], "5", "{path}");
        let body = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
        assert!(memchr::memmem::find(&body, b"shutting_down").is_some(), "{path}: {body:?}");
    }
    assert_eq!(refused(http, "shutting_down").await, 4);
    assert_eq!(["spans", "predictions"].map(|table| sink.rows(table)), [1, 1]);
}

#[tokio::test]
async fn more_batches_than_may_wait_for_a_disk_that_hangs_are_told_that_it_is_busy() {
    /// As many as may wait, and some.
    const BATCHES: u64 = 1_024 + 76;
    let folder = tempfile::tempdir().unwrap();
    let options = CollectorOptions { requests_max: 2_000, ..options(folder.path()) };
    let service = start_with(options, &Arc::default());
    let gate = service.collector.spool(Table::Predictions).gate();
    gate.hold(true);
    let post = |id: u64| service.post("/v1/predictions", &[], predictions(id..id + 1));
    let first = post(0);
    let rest = async {
        until(true, async || gate.is_waited_at()).await;
        let sends = futures_util::future::join_all((1..=BATCHES).map(post));
        let release = async {
            windvane_kit::eventually_async(Duration::from_secs(20), async || {
                match service.refused("spool_busy").await {
                    76.. => Ok(()),
                    seen => Err(seen),
                }
            })
            .await;
            gate.hold(false);
        };
        futures_util::future::join(sends, release).await.0
    };
    let (first, rest) = futures_util::future::join(first, rest).await;
    let (mut taken, mut busy) = (u64::from(first.status == StatusCode::OK), 0);
    for reply in rest {
        if reply.status == StatusCode::OK {
            taken += 1;
            continue;
        }
        assert_eq!((reply.status.as_u16(), &reply.body["code"]), (429, &json!("spool_busy")), "{reply:?}");
        assert_eq!(reply.headers["retry-after"], "1");
        busy += 1;
    }
    assert_eq!((service.refused("spool_busy").await, taken + busy), (busy, BATCHES + 1));
    service.stored(taken).await;
    service.assert_nothing_is_lost().await;
}

#[tokio::test]
async fn a_full_disk_answers_429_over_http_and_loses_nothing_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let service = start(folder.path(), &Arc::default());
    service.sink.be(Mood::Away);
    service.post("/v1/predictions", &[], predictions(0..10)).await;
    let gates = [Table::Predictions, Table::Spans].map(|table| service.collector.spool(table).gate().clone());
    for gate in &gates {
        gate.fill(true);
    }
    let key = [("idempotency-key", "refused")];
    let reply = service.post("/v1/predictions", &key, predictions(10..15)).await;
    assert_eq!((reply.status.as_u16(), &reply.body["code"]), (429, &json!("spool_full")), "{reply:?}");
    assert_eq!(reply.headers["retry-after"], "5");
    assert_unavailable(&service.call(&[], frame(0, &span(1, "one"))).await.unwrap_err(), "spool_full", 5);
    assert_eq!(service.refused("spool_full").await, 2);
    assert_eq!(service.metric("windvane_collector_pending_rows").await, 10);
    service.assert_nothing_is_lost().await;
    for gate in &gates {
        gate.fill(false);
    }
    let reply = service.post("/v1/predictions", &key, predictions(10..15)).await;
    assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
    assert!(!reply.headers.contains_key("idempotent-replayed"), "what was refused was not kept");
    service.call(&[], frame(0, &span(1, "one"))).await.unwrap();
    service.sink.be(Mood::Takes);
    service.stored(16).await;
    until(1, async || service.sink.rows("spans")).await;
    service.assert_nothing_is_lost().await;
}

#[tokio::test]
async fn a_message_that_some_of_its_tables_had_taken_is_stored_once_when_it_comes_again() {
    for over_grpc in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let service = start(folder.path(), &Arc::default());
        let message = span(1, "one");
        let gate = service.collector.spool(Table::Predictions).gate().clone();
        gate.shut(true);
        let reply = service.post("/v1/traces", &[PROTOBUF], message.clone()).await;
        assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE, "{reply:?}");
        assert!(reply.headers.contains_key("retry-after"), "{reply:?}");
        assert_eq!(service.refused("spool_failed").await, 1);
        until(1, async || service.sink.rows("spans")).await;
        gate.shut(false);
        // As exporters do: the same bytes, until they are taken; by another way they are the same message.
        windvane_kit::eventually_async(Duration::from_secs(20), async || match over_grpc {
            true => service
                .call(GZIP, frame(1, &gzip(&message)))
                .await
                .map(drop)
                .map_err(|status| status.to_string()),
            false => match service.post("/v1/traces", &[PROTOBUF], message.clone()).await {
                reply if reply.status == StatusCode::OK => Ok(()),
                reply => Err(format!("{reply:?}")),
            },
        })
        .await;
        service.stored(1).await;
        let again = service.post("/v1/traces", &[PROTOBUF], message.clone()).await;
        assert_eq!(again.status, StatusCode::OK, "{again:?}");
        assert!(service.metric("windvane_collector_deduplicated_batches_total").await >= 3);
        let sink = Arc::clone(&service.sink);
        assert_eq!(service.metric("windvane_collector_received_records_total").await, 2);
        service.assert_nothing_is_lost().await;
        service.collector.drain(Duration::from_secs(10)).await;
        assert_eq!(["spans", "predictions"].map(|table| sink.rows(table)), [1, 1], "over gRPC: {over_grpc}");
    }
}
