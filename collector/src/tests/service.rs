//! The store away, silent or poisoned; restart; drain; health.

use std::sync::atomic::{AtomicI64, Ordering};

use serde_json::json;
use windvane_store::Table;
use windvane_types::Clock;

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

#[tokio::test]
async fn a_slow_store_delays_no_acknowledgement() {
    let folder = tempfile::tempdir().unwrap();
    let service = start(folder.path(), &Arc::default());
    service.sink.be(Mood::Waits);
    for batch in 0..30 {
        let reply = service.post("/v1/predictions", &[], predictions(batch * 10..(batch + 1) * 10)).await;
        assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
    }
    assert_eq!(service.sink.rows("predictions"), 0);
    assert_eq!(service.metric("windvane_collector_pending_rows").await, 300);
    service.sink.be(Mood::Takes);
    service.stored(300).await;
    service.assert_nothing_is_lost().await;
}

/// A wall clock that a test moves, by microseconds.
#[derive(Debug, Default)]
pub(super) struct MovedClock(pub(super) AtomicI64);

impl Clock for MovedClock {
    fn now(&self) -> jiff::Timestamp {
        let us = 1_700_000_000_000_000 + self.0.load(Ordering::SeqCst);
        jiff::Timestamp::from_microsecond(us).unwrap()
    }
}

#[tokio::test]
async fn a_clock_that_steps_back_and_forth_forgets_no_key_and_loses_no_row() {
    const HOUR_US: i64 = 3_600_000_000;
    let folder = tempfile::tempdir().unwrap();
    let (sink, clock) = (Arc::<ToldSink>::default(), Arc::<MovedClock>::default());
    sink.be(Mood::Away);
    let collector = Collector::start(
        options(folder.path()),
        Arc::clone(&sink) as Arc<_>,
        Arc::clone(&clock) as Arc<_>,
        Registry::new(),
    );
    let service = Service { collector: collector.unwrap(), sink };
    let mut sent = 0;
    for (step, at) in [0, 2 * HOUR_US, -5 * HOUR_US, -5 * HOUR_US, 18 * HOUR_US, 0].into_iter().enumerate() {
        clock.0.store(at, Ordering::SeqCst);
        let key = format!("batch-{step}");
        let reply =
            service.post("/v1/predictions", &[("idempotency-key", &key)], predictions(sent..sent + 5)).await;
        assert_eq!(reply.status, StatusCode::OK, "step {step}: {reply:?}");
        sent += 5;
        for earlier in 0..=step {
            let first = earlier as u64 * 5;
            let key = format!("batch-{earlier}");
            let again = service
                .post("/v1/predictions", &[("idempotency-key", &key)], predictions(first..first + 5))
                .await;
            assert_eq!(
                again.headers.get("idempotent-replayed").unwrap(),
                "true",
                "batch {earlier} at step {step}"
            );
        }
        let _ = service.metric("windvane_collector_pending_age_seconds").await;
    }
    service.sink.be(Mood::Takes);
    service.stored(sent).await;
    service.assert_nothing_is_lost().await;
}

/// The block before it is a full one, and with the store for two hours; what is left over then is an hour older than it may become.
#[tokio::test]
async fn rows_that_came_while_a_block_was_sent_do_not_wait_anew() {
    const HOUR_US: i64 = 3_600_000_000;
    let folder = tempfile::tempdir().unwrap();
    let (sink, clock) = (Arc::<ToldSink>::default(), Arc::<MovedClock>::default());
    sink.be(Mood::Waits);
    let mut options = CollectorOptions { block_age: Duration::from_secs(3600), ..options(folder.path()) };
    options.spool.block.rows_max = 10;
    let collector =
        Collector::start(options, Arc::clone(&sink) as Arc<_>, Arc::clone(&clock) as Arc<_>, Registry::new());
    let service = Service { collector: collector.unwrap(), sink };
    service.post("/v1/predictions", &[], predictions(0..10)).await;
    service.post("/v1/predictions", &[], predictions(10..15)).await;
    clock.0.store(2 * HOUR_US, Ordering::SeqCst);
    service.sink.be(Mood::Takes);
    service.stored(15).await;
    service.assert_nothing_is_lost().await;
}

/// A collector whose spool holds these batches, each a frame of its own and two a block, over this sink.
async fn start_over(
    folder: &Path,
    sink: &Arc<ToldSink>,
    batches: &[String],
    inserts_in_flight: usize,
) -> Service {
    let block_age = Duration::from_secs(3600);
    let mut options = CollectorOptions { block_age, inserts_in_flight, ..options(folder) };
    options.spool.block.rows_max = 10;
    let away = Arc::<ToldSink>::default();
    away.be(Mood::Away);
    let service = start_with(options.clone(), &away);
    for batch in batches {
        assert_eq!(service.post("/v1/predictions", &[], batch.clone()).await.status, StatusCode::OK);
    }
    service.collector.drain(Duration::from_millis(50)).await;
    start_with(options, sink)
}

#[tokio::test]
async fn two_full_blocks_are_sent_at_once_and_what_fills_none_waits() {
    let (folder, sink) = (tempfile::tempdir().unwrap(), Arc::<ToldSink>::default());
    sink.be(Mood::Waits);
    let batches: Vec<String> = (0..9).map(|n| predictions(5 * n..5 * n + 5)).collect();
    let service = start_over(folder.path(), &sink, &batches, 2).await;
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    while sink.waiting() != 2 {
        assert!(tokio::time::Instant::now() < deadline, "{} blocks are on their way", sink.waiting());
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    sink.be(Mood::Takes);
    service.stored(40).await;
    let drained = service.collector.drain(Duration::from_secs(10)).await;
    assert_eq!((drained.pending_rows, sink.rows("predictions")), (0, 45));
}

#[tokio::test]
async fn by_default_one_insert_of_a_table_is_in_flight_however_many_blocks_wait() {
    let (folder, sink) = (tempfile::tempdir().unwrap(), Arc::<ToldSink>::default());
    let batches: Vec<String> = (0..8).map(|n| predictions(5 * n..5 * n + 5)).collect();
    let usual = options(folder.path()).inserts_in_flight;
    let service = start_over(folder.path(), &sink, &batches, usual).await;
    service.stored(40).await;
    assert_eq!((sink.blocks(), sink.most_at_once()), (4, 1));
    service.assert_nothing_is_lost().await;
}

#[tokio::test]
async fn of_two_blocks_on_their_way_a_poisoned_one_keeps_the_other_from_nothing() {
    for (poisoned, inserts_in_flight) in (0..4).flat_map(|poisoned| [(poisoned, 1), (poisoned, 2)]) {
        let (folder, sink) = (tempfile::tempdir().unwrap(), Arc::<ToldSink>::default());
        sink.be(Mood::Poisoned(b"bad"));
        let mut batches: Vec<String> = (0..4).map(|n| predictions(5 * n..5 * n + 5)).collect();
        batches[poisoned] = batches[poisoned].replacen("\"m\"", "\"bad\"", 1);
        let service = start_over(folder.path(), &sink, &batches, inserts_in_flight).await;
        service.stored(19).await;
        service.dead_lettered(1).await;
        service.assert_nothing_is_lost().await;
        assert_eq!(sink.again(), 0, "batch {poisoned}: what was stored ahead was not sent again");
        assert!(sink.most_at_once() <= inserts_in_flight, "batch {poisoned}");
    }
}

/// The INSERTs that a search takes may be more than ClickHouse remembers tokens of: a block that was stored ahead of them, and is known by
/// its token alone after a crash, would be stored twice.
#[tokio::test]
async fn what_waits_behind_a_block_that_is_halved_is_not_stored_ahead_of_it() {
    let (folder, sink) = (tempfile::tempdir().unwrap(), Arc::<ToldSink>::default());
    sink.be(Mood::Waits);
    let mut batches: Vec<String> = (0..4).map(|n| predictions(5 * n..5 * n + 5)).collect();
    batches[0] = batches[0].replacen("\"m\"", "\"bad\"", 1);
    let service = start_over(folder.path(), &sink, &batches, 1).await;
    until(1, async || sink.waiting()).await;
    // The block behind is read meanwhile, and waits for its turn.
    tokio::time::sleep(Duration::from_millis(100)).await;
    sink.be(Mood::Poisoned(b"bad"));
    service.stored(19).await;
    service.dead_lettered(1).await;
    assert!(sink.order().is_sorted(), "{:?}", sink.order());
    service.assert_nothing_is_lost().await;
}

/// Nobody sends while the disk is shut, because `/readyz` says so; and the store is away, so that nothing is sent there either.
#[tokio::test]
async fn a_disk_that_can_be_written_to_again_is_found_by_itself_and_nothing_acknowledged_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let service = start(folder.path(), &Arc::default());
    service.sink.be(Mood::Away);
    service.post("/v1/predictions", &[], predictions(0..10)).await;
    service.collector.spool(Table::Predictions).gate().shut(true);
    let reply = service.post("/v1/predictions", &[("idempotency-key", "refused")], predictions(10..15)).await;
    assert_eq!((reply.status.as_u16(), &reply.body["code"]), (503, &json!("spool_failed")));
    assert!(reply.headers.contains_key("retry-after"));
    let ready = service.get("/readyz").await;
    assert!(ready.body["checks"]["ingest"].as_str().unwrap().contains("tried again"), "{ready:?}");
    assert_eq!(service.metric("windvane_collector_spool_failed").await, 1);
    service.collector.spool(Table::Predictions).gate().shut(false);
    let mut backlog = service.collector.spool(Table::Predictions).backlog();
    let mended = backlog.wait_for(|now| !now.failed && now.refused_at.is_none());
    tokio::time::timeout(Duration::from_secs(20), mended).await.expect("the disk is tried again").unwrap();
    assert_eq!(service.get("/readyz").await.body["checks"]["ingest"], json!("ok"));
    let reply = service.post("/v1/predictions", &[("idempotency-key", "refused")], predictions(10..15)).await;
    assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
    assert!(!reply.headers.contains_key("idempotent-replayed"), "what was refused was not kept");
    service.sink.be(Mood::Takes);
    service.stored(15).await;
    service.assert_nothing_is_lost().await;
}

/// Rows that have waited for 20 s are old enough where rows wait for 10, and not where many parts make that 30.
#[tokio::test]
async fn rows_wait_for_larger_blocks_where_the_store_has_many_parts() {
    for (parts, blocks) in [(0, vec![5, 5, 10]), (100_000, vec![10, 10])] {
        let folder = tempfile::tempdir().unwrap();
        let (sink, clock) = (Arc::<ToldSink>::default(), Arc::<MovedClock>::default());
        sink.have_parts(parts);
        sink.be(Mood::Waits);
        let mut options = CollectorOptions { block_age: Duration::from_secs(10), ..options(folder.path()) };
        options.spool.block.rows_max = 10;
        let collector = Collector::start(
            options,
            Arc::clone(&sink) as Arc<_>,
            Arc::clone(&clock) as Arc<_>,
            Registry::new(),
        );
        let service = Service { collector: collector.unwrap(), sink };
        // A full block is on its way, and half of one waits behind it.
        service.post("/v1/predictions", &[], predictions(0..10)).await;
        until(1, async || service.sink.waiting()).await;
        service.post("/v1/predictions", &[], predictions(10..15)).await;
        clock.0.store(20_000_000, Ordering::SeqCst);
        service.sink.be(Mood::Takes);
        until(1, async || service.sink.asked_for_parts()).await;
        if parts == 0 {
            service.stored(15).await;
        }
        service.post("/v1/predictions", &[], predictions(15..20)).await;
        // What is less than a block is sent at the end.
        let sink = Arc::clone(&service.sink);
        service.collector.drain(Duration::from_secs(20)).await;
        assert_eq!(sink.block_rows(), blocks, "{parts} parts");
    }
}

#[tokio::test]
async fn inserts_are_counted_and_measured_block_by_block() {
    let folder = tempfile::tempdir().unwrap();
    let service = start(folder.path(), &Arc::default());
    service.sink.be(Mood::Away);
    for batch in 0..3 {
        service.post("/v1/predictions", &[], predictions(10 * batch..10 * batch + 10)).await;
    }
    let waits = ["pending_bytes", "spool_bytes", "insert_failures_total"];
    for name in waits {
        let name = format!("windvane_collector_{name}");
        until(true, async || service.metric(&name).await > 0).await;
    }
    service.sink.be(Mood::Takes);
    service.stored(30).await;
    service.assert_nothing_is_lost().await;
    // What is stored is told a moment before it is no longer pending.
    until(0, async || service.metric("windvane_collector_pending_bytes").await).await;
    let inserts = service.sink.blocks() as u64;
    assert_eq!(service.metric("windvane_collector_insert_seconds_count").await, inserts);
    assert_eq!(service.metric("windvane_collector_insert_rows_count").await, inserts);
    assert_eq!(service.metric("windvane_collector_insert_rows_sum").await, 30);
    assert_eq!(service.metric("windvane_collector_acknowledge_seconds_count").await, 3);
}
