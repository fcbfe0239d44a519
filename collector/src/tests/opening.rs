//! A start while the disk of the spool cannot be written to. sysfs makes no files and `/dev/full` has no room, for root neither.

use std::os::unix::fs::symlink;

use serde_json::json;
use windvane_store::Table;

use super::told_sink::Mood;
use super::*;

/// Lets `spool` lead elsewhere, in one step.
fn lead(folder: &Path, to: &Path) {
    let new = folder.join("new");
    symlink(to, &new).unwrap();
    std::fs::rename(new, folder.join("spool")).unwrap();
}

/// Waits until events are taken.
async fn taken(service: &Service) {
    until(json!("ok"), async || service.get("/readyz").await.body["checks"]["ingest"].clone()).await;
}

#[tokio::test]
async fn a_start_over_a_read_only_folder_refuses_until_it_can_be_written_to_and_loses_nothing() {
    let (folder, sink) = (tempfile::tempdir().unwrap(), Arc::<ToldSink>::default());
    let disk = folder.path().join("disk");
    std::fs::create_dir(&disk).unwrap();
    lead(folder.path(), &disk);
    sink.be(Mood::Away);
    let service = start(folder.path(), &sink);
    service.post("/v1/predictions", &[], predictions(0..10)).await;
    service.collector.drain(Duration::from_millis(50)).await;

    lead(folder.path(), Path::new("/sys/kernel"));
    let service = start(folder.path(), &sink);
    for path in ["/v1/outcomes", "/v1/traces", "/v1/cloudevents"] {
        let reply = service.post(path, &[("content-type", "application/json")], "{}").await;
        assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE, "{path}: {reply:?}");
        assert!(reply.headers.contains_key("retry-after"), "{path}: {reply:?}");
    }
    let key = [("idempotency-key", "refused")];
    let reply = service.post("/v1/predictions", &key, predictions(10..15)).await;
    assert_eq!((reply.status.as_u16(), &reply.body["code"]), (503, &json!("spool_failed")));
    assert_eq!(service.get("/healthz").await.status, StatusCode::OK);
    let ready = service.get("/readyz").await;
    assert_eq!(ready.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(ready.body["checks"]["ingest"].as_str().unwrap().contains("cannot be opened"), "{ready:?}");
    assert_eq!(service.metric("windvane_collector_spool_failed").await, Table::ALL.len() as u64);

    lead(folder.path(), &disk);
    taken(&service).await;
    assert_eq!(service.metric("windvane_collector_spool_failed").await, 0);
    assert_eq!(service.metric("windvane_collector_recovered_rows_total").await, 10);
    let reply = service.post("/v1/predictions", &key, predictions(10..15)).await;
    assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
    assert!(!reply.headers.contains_key("idempotent-replayed"), "what was refused was not kept");
    service.sink.be(Mood::Takes);
    service.stored(15).await;
    service.assert_nothing_is_lost().await;
    let second =
        Collector::start(options(folder.path()), sink, Arc::new(SystemClock), Registry::new()).unwrap_err();
    assert!(second.to_string().contains("in use by another process"), "{second}");
}

#[tokio::test]
async fn a_start_over_a_full_disk_ends_when_told_to_and_goes_on_when_there_is_room() {
    let folder = tempfile::tempdir().unwrap();
    let spool = folder.path().join("spool");
    std::fs::create_dir(&spool).unwrap();
    let full = spool.join("identity.new");
    symlink("/dev/full", &full).unwrap();
    let service = start(folder.path(), &Arc::default());
    let ready = service.get("/readyz").await;
    assert!(ready.body["checks"]["ingest"].as_str().unwrap().contains("No space left"), "{ready:?}");
    assert_eq!(service.collector.drain(Duration::from_secs(10)).await.pending_rows, 0);

    let service = start(folder.path(), &Arc::default());
    let reply = service.post("/v1/predictions", &[], predictions(0..5)).await;
    assert_eq!(reply.status, StatusCode::SERVICE_UNAVAILABLE, "{reply:?}");
    std::fs::remove_file(&full).unwrap();
    taken(&service).await;
    let reply = service.post("/v1/predictions", &[], predictions(0..5)).await;
    assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
    service.stored(5).await;
    service.assert_nothing_is_lost().await;
}
