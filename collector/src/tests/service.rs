//! The store away, silent or poisoned; restart; drain; health.

use serde_json::json;

use super::told_sink::Mood;
use super::*;

#[tokio::test]
async fn rows_wait_for_a_store_that_is_away_and_survive_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let sink = Arc::<ToldSink>::default();
    sink.be(Mood::Away);
    let service = start(folder.path(), &sink);
    service.post("/v1/predictions", &[], predictions(0..10)).await;
    let drained = service.collector.drain(Duration::from_millis(50)).await;
    assert_eq!((drained.pending_rows, sink.rows("predictions")), (10, 0));
    let service = start(folder.path(), &sink);
    assert_eq!(service.metric("windvane_collector_recovered_rows_total").await, 10);
    service.post("/v1/predictions", &[], predictions(10..15)).await;
    sink.be(Mood::Takes);
    service.stored(15).await;
    service.assert_nothing_is_lost().await;
}

#[tokio::test]
async fn a_store_that_takes_blocks_unheard_stores_them_once() {
    let folder = tempfile::tempdir().unwrap();
    let sink = Arc::<ToldSink>::default();
    sink.be(Mood::TakesSilently);
    let service = start(folder.path(), &sink);
    service.post("/v1/predictions", &[], predictions(0..10)).await;
    service.stored(10).await;
    service.collector.drain(Duration::from_millis(20)).await;
    let service = start(folder.path(), &sink);
    sink.be(Mood::Takes);
    service.post("/v1/predictions", &[], predictions(10..12)).await;
    service.stored(12).await;
    let drained = service.collector.drain(Duration::from_secs(10)).await;
    assert_eq!((drained.pending_rows, sink.rows("predictions")), (0, 12));
}

#[tokio::test]
async fn a_poisoned_batch_is_laid_aside_alone() {
    let folder = tempfile::tempdir().unwrap();
    let sink = Arc::<ToldSink>::default();
    sink.be(Mood::Away);
    let service = start(folder.path(), &sink);
    for batch in 0..9 {
        let model = if batch == 5 { "\"poison\"" } else { "\"m\"" };
        let reply = service.post("/v1/predictions", &[], predictions(0..10).replace("\"m\"", model)).await;
        assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
    }
    sink.be(Mood::Poisoned(b"poison"));
    service.stored(80).await;
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    while service.metric("windvane_collector_dead_lettered_rows_total").await != 10 {
        assert!(tokio::time::Instant::now() < deadline, "the poisoned batch was not laid aside");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    service.assert_nothing_is_lost().await;
    let dead: Vec<_> =
        std::fs::read_dir(folder.path().join("spool/dead")).unwrap().map(|e| e.unwrap().path()).collect();
    let about = dead.iter().find(|path| path.extension().unwrap() == "json").unwrap();
    let about: Value = serde_json::from_slice(&std::fs::read(about).unwrap()).unwrap();
    assert_eq!((&about["table"], &about["rows"]), (&json!("predictions"), &json!(10)));
    assert!(about["reason"].as_str().unwrap().contains("INCORRECT_DATA"));
    assert_eq!(dead.len(), 2);
}

#[tokio::test]
async fn readiness_tells_the_store_from_the_spool() {
    let folder = tempfile::tempdir().unwrap();
    let service = start(folder.path(), &Arc::default());
    assert_eq!(service.get("/healthz").await.status, StatusCode::OK);
    assert_eq!(service.get("/readyz").await.status, StatusCode::OK);
    service.sink.be(Mood::Away);
    let reply = service.get("/readyz").await;
    assert_eq!((reply.status.as_u16(), &reply.body["checks"]["ingest"]), (503, &json!("ok")));
    assert!(reply.body["checks"]["store"].as_str().unwrap().contains("did not answer"));
    assert_eq!(service.get("/healthz").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_draining_collector_takes_no_more_and_sends_what_it_has() {
    let folder = tempfile::tempdir().unwrap();
    let options = CollectorOptions { block_age: Duration::from_secs(3600), ..options(folder.path()) };
    let service = start_with(options, &Arc::default());
    let (router, sink) = (service.collector.router(), Arc::clone(&service.sink));
    service.post("/v1/predictions", &[], predictions(0..10)).await;
    assert_eq!(service.collector.drain(Duration::from_secs(10)).await.pending_rows, 0);
    assert_eq!(sink.rows("predictions"), 10);
    let request = Request::post("/v1/predictions").body(Body::from(predictions(0..1))).unwrap();
    let response = router.oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(response.headers().contains_key("retry-after"));
}

#[tokio::test]
async fn a_spool_in_use_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let _first = start(folder.path(), &Arc::default());
    let second = Collector::start(
        options(folder.path()),
        Arc::<ToldSink>::default(),
        Arc::new(SystemClock),
        Registry::new(),
    );
    assert!(second.unwrap_err().to_string().contains("in use by another process"));
}
