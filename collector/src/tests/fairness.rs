//! One model that sends without end, while ClickHouse is away, leaves room for the others.

use std::net::SocketAddr;
use std::pin::Pin;
use std::task::Poll;

use axum::extract::ConnectInfo;
use futures_util::FutureExt;
use serde_json::json;

use super::told_sink::Mood;
use super::*;
use crate::limits::ModelBytes;

fn of(model: &str, rows: u64) -> String {
    predictions(0..rows).replace("\"m\"", &format!("\"{model}\""))
}

/// Sends until the service does not answer 200: how often it did, at most so often, and what it answered then.
async fn taken_until_refused(most: u64, send: impl AsyncFn(u64) -> Reply) -> (u64, Reply) {
    for taken in 0..most {
        let reply = send(taken).await;
        if reply.status != StatusCode::OK {
            return (taken, reply);
        }
    }
    panic!("the spool has a bound");
}

#[tokio::test]
async fn a_noisy_model_fills_its_share_and_a_quiet_one_is_still_taken() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = options(folder.path());
    options.spool.bytes_max = 1 << 20;
    let service = start_with(options, &Arc::default());
    service.sink.be(Mood::Away);
    assert_eq!(service.post("/v1/predictions", &[], of("quiet", 1)).await.status, StatusCode::OK);
    let (batches, refused) =
        taken_until_refused(1_000, async |_| service.post("/v1/predictions", &[], of("noisy", 100)).await)
            .await;
    let mut taken = 1 + 100 * batches;
    assert_eq!((refused.status.as_u16(), &refused.body["code"]), (429, &json!("model_over_share")));
    assert!(refused.headers.contains_key("retry-after"));
    for _ in 0..20 {
        let reply = service.post("/v1/predictions", &[], of("quiet", 1)).await;
        assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
        taken += 1;
    }
    // Both are stored, and then the noisy one is taken again.
    service.sink.be(Mood::Takes);
    service.stored(taken).await;
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    while service.post("/v1/predictions", &[], of("noisy", 100)).await.status != StatusCode::OK {
        assert!(tokio::time::Instant::now() < deadline, "what is stored counts no more");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    service.stored(taken + 100).await;
    service.assert_nothing_is_lost().await;
}

#[tokio::test]
async fn a_smaller_share_leaves_the_others_more() {
    let mut taken = Vec::new();
    for model_share_percent in [80, 20] {
        let folder = tempfile::tempdir().unwrap();
        let mut options = CollectorOptions { model_share_percent, ..options(folder.path()) };
        options.spool.bytes_max = 1 << 20;
        let service = start_with(options, &Arc::default());
        service.sink.be(Mood::Away);
        assert_eq!(service.post("/v1/predictions", &[], of("quiet", 1)).await.status, StatusCode::OK);
        let (batches, refused) = taken_until_refused(1_000, async |_| {
            service.post("/v1/predictions", &[], of("noisy", 100)).await
        })
        .await;
        assert_eq!((refused.status.as_u16(), &refused.body["code"]), (429, &json!("model_over_share")));
        assert_eq!(service.metric("windvane_collector_refused_requests_total").await, 1);
        taken.push(batches);
        service.assert_nothing_is_lost().await;
    }
    // 0.8 of the spool and 0.2 of it, in whole batches.
    let [most, least] = taken[..] else { panic!("{taken:?}") };
    assert!(least > 0 && 3 * least < most, "{taken:?}");
}

#[tokio::test]
async fn a_noisy_model_server_is_held_to_its_share_as_well() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = options(folder.path());
    options.spool.bytes_max = 1 << 20;
    let service = start_with(options, &Arc::default());
    service.sink.be(Mood::Away);
    assert_eq!(service.post("/v1/predictions", &[], of("quiet", 1)).await.status, StatusCode::OK);
    let data = vec!["1.5"; 100].join(",");
    let (taken, refused) = taken_until_refused(100_000, async |taken| {
        let event = format!(
            "{{\"specversion\":\"1.0\",\"id\":\"{taken}\",\"source\":\"s\",\"type\":\"org.kubeflow.serving.inference.response\",\
             \"inferenceservicename\":\"noisy\",\"data\":{{\"model_name\":\"noisy\",\"predictions\":[{data}]}}}}"
        );
        let json = [("content-type", "application/cloudevents+json")];
        service.post("/v1/cloudevents", &json, event).await
    })
    .await;
    assert_eq!((refused.status.as_u16(), &refused.body["code"]), (429, &json!("model_over_share")));
    assert!(taken > 10, "{taken} are taken before that");
    let reply = service.post("/v1/predictions", &[], of("quiet", 1)).await;
    assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
    service.assert_nothing_is_lost().await;
}

#[tokio::test]
async fn telemetry_gives_way_to_events() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = options(folder.path());
    options.spool.bytes_max = 1 << 20;
    let service = start_with(options, &Arc::default());
    service.sink.be(Mood::Away);
    let name = "n".repeat(2_000);
    let (taken, refused) = taken_until_refused(10_000, async |taken| {
        let message = format!(
            "{{\"resourceSpans\":[{{\"scopeSpans\":[{{\"spans\":[{{\"traceId\":\"0af7651916cd43dd8448eb211c80319c\",\
             \"spanId\":\"{taken:016x}\",\"name\":\"{name}\",\"startTimeUnixNano\":\"1700000000000000000\",\
             \"endTimeUnixNano\":\"1700000000000000001\"}}]}}]}}]}}",
            taken = taken + 1
        );
        service.post("/v1/traces", &[("content-type", "application/json")], message).await
    })
    .await;
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS, "{refused:?}");
    assert!(taken > 100, "{taken} are taken before that");
    let reply = service.post("/v1/predictions", &[], of("m", 100)).await;
    assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
    service.assert_nothing_is_lost().await;
}

#[tokio::test]
async fn payloads_give_way_before_anything_else_does() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = options(folder.path());
    options.spool.bytes_max = 1 << 20;
    let service = start_with(options, &Arc::default());
    service.sink.be(Mood::Away);
    let data = vec!["1.5"; 2_000].join(",");
    let payload = format!(
        "{{\"model\":\"m\",\"inputs\":[{{\"name\":\"x\",\"datatype\":\"FP32\",\"shape\":[1,2000],\"data\":[{data}]}}]}}"
    );
    let (_, refused) =
        taken_until_refused(10_000, async |_| service.post("/v1/payloads", &[], payload.clone()).await).await;
    assert_eq!((refused.status.as_u16(), &refused.body["code"]), (429, &json!("spool_full")));
    let reply = service.post("/v1/predictions", &[], of("m", 100)).await;
    assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
    service.assert_nothing_is_lost().await;
}

/// A request of one row of a model from an address, as the service's port tells it.
fn from(address: [u8; 4], model: &str, body: Option<Body>) -> Request<Body> {
    let body = body.unwrap_or_else(|| Body::from(of(model, 1)));
    let peer = ConnectInfo(SocketAddr::from((address, 4000)));
    Request::post("/v1/predictions").extension(peer).body(body).unwrap()
}

#[tokio::test]
async fn a_sender_that_holds_requests_leaves_places_for_others() {
    let folder = tempfile::tempdir().unwrap();
    let options = CollectorOptions { requests_max: 10, ..options(folder.path()) };
    let service = start_with(options, &Arc::default());
    let endless =
        || Body::from_stream(futures_util::stream::pending::<Result<bytes::Bytes, std::io::Error>>());
    {
        type Held<'s> = Pin<Box<dyn Future<Output = Reply> + 's>>;
        let noisy = || service.send(from([10, 0, 0, 1], "noisy", Some(endless())));
        let mut held: Vec<Held<'_>> = (0..20).map(|_| noisy().boxed_local()).collect();
        let mut refused = Vec::new();
        // Each has a place until its body has come, which it never does, or is refused at once.
        for request in &mut held {
            let looked = std::future::poll_fn(|context| Poll::Ready(request.as_mut().poll(context))).await;
            if let Poll::Ready(reply) = looked {
                refused.push(reply);
            }
        }
        assert_eq!(refused.len(), 12, "four fifths of ten places are held");
        for reply in &refused {
            assert_eq!((reply.status.as_u16(), &reply.body["code"]), (429, &json!("requests_over_share")));
            assert_eq!(reply.headers["retry-after"], "1");
        }
        let reply = service.send(from([10, 0, 0, 2], "quiet", None)).await;
        assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
    }
    let reply = service.send(from([10, 0, 0, 1], "noisy", None)).await;
    assert_eq!(reply.status, StatusCode::OK, "places are given back: {reply:?}");
    assert_eq!(service.metric("windvane_collector_refused_requests_total").await, 12);
    service.assert_nothing_is_lost().await;
}

#[tokio::test]
async fn senders_behind_a_known_proxy_are_told_apart_by_its_word() {
    let folder = tempfile::tempdir().unwrap();
    let proxies = crate::Proxies::parse(&["10.0.0.0/8".to_owned()]).unwrap();
    // Half of two places is one.
    let (requests_max, requests_share_percent) = (2, 50);
    let options =
        CollectorOptions { requests_max, requests_share_percent, proxies, ..options(folder.path()) };
    let service = start_with(options, &Arc::default());
    let sent = |proxy: [u8; 4], client: &str| {
        let mut request = from(proxy, "m", None);
        request.headers_mut().insert("x-forwarded-for", client.parse().unwrap());
        service.send(request)
    };
    let held = service.collector.places().take("1.2.3.4").unwrap();
    let refused = sent([10, 0, 0, 1], "1.2.3.4").await;
    assert_eq!((refused.status.as_u16(), &refused.body["code"]), (429, &json!("requests_over_share")));
    assert_eq!(sent([10, 0, 0, 1], "1.2.3.5").await.status, StatusCode::OK, "another client");
    assert_eq!(sent([11, 0, 0, 1], "1.2.3.4").await.status, StatusCode::OK, "whose word does not count");
    drop(held);
    assert_eq!(sent([10, 0, 0, 1], "1.2.3.4").await.status, StatusCode::OK);
    service.assert_nothing_is_lost().await;
}

#[tokio::test]
async fn a_model_whose_batches_wait_for_the_disk_leaves_places_for_others() {
    let folder = tempfile::tempdir().unwrap();
    let options = CollectorOptions { requests_max: 10, ..options(folder.path()) };
    let service = start_with(options, &Arc::default());
    let noisy = [ModelBytes { model: "noisy".to_owned(), bytes: 1, rows: 1 }];
    let mut held = Vec::new();
    for sender in 0..8 {
        held.push(service.collector.places().take(&format!("sender {sender}")).unwrap());
        held.push(service.collector.places().wait(&noisy).unwrap());
    }
    let refused = service.send(from([10, 0, 0, 1], "noisy", None)).await;
    assert_eq!((refused.status.as_u16(), &refused.body["code"]), (429, &json!("requests_over_share")));
    assert!(refused.body["detail"].as_str().unwrap().contains("model `noisy`"), "{refused:?}");
    let reply = service.send(from([10, 0, 0, 1], "quiet", None)).await;
    assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
    drop(held);
    let reply = service.send(from([10, 0, 0, 1], "noisy", None)).await;
    assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
    service.assert_nothing_is_lost().await;
}
