//! What `/metrics` says of the spool, of keys, of refused records and of INSERTs that failed, each held against what it counts.

use std::fs;
use std::sync::atomic::Ordering;

use super::damage::segments;
use super::service::MovedClock;
use super::told_sink::Mood;
use super::*;

const SECOND_US: i64 = 1_000_000;

/// A collector whose clock a test moves.
fn start_by(clock: &Arc<MovedClock>, options: CollectorOptions) -> Service {
    let sink = Arc::<ToldSink>::default();
    let collector =
        Collector::start(options, Arc::clone(&sink) as Arc<_>, Arc::clone(clock) as Arc<_>, Registry::new());
    Service { collector: collector.unwrap(), sink }
}

async fn takes(service: &Service, headers: Headers<'_>, body: String) {
    let reply = service.post("/v1/predictions", headers, body).await;
    assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
}

#[tokio::test]
async fn bytes_that_wait_and_bytes_on_disk_are_those_of_the_files() {
    let folder = tempfile::tempdir().unwrap();
    let options = CollectorOptions { block_age: Duration::from_secs(3600), ..options(folder.path()) };
    let service = start_with(options, &Arc::default());
    let told = async || {
        let bytes = ["pending_bytes", "spool_bytes"].map(|name| format!("{name}{{table=\"predictions\"}}"));
        (service.series(&bytes[0]).await, service.series(&bytes[1]).await)
    };
    let on_disk =
        || segments(folder.path()).iter().map(|path| fs::metadata(path).unwrap().len()).sum::<u64>();
    let empty = on_disk();
    until((0, empty), async || told().await).await;
    let mut before = empty;
    for rows in [10, 20, 30] {
        takes(&service, &[], predictions(0..rows)).await;
        let all = on_disk();
        assert!(all > before, "{rows} rows take room");
        until((all - empty, all), async || told().await).await;
        before = all;
    }
}

#[tokio::test]
async fn the_age_is_that_of_the_oldest_row_that_waits() {
    let (folder, clock) = (tempfile::tempdir().unwrap(), Arc::<MovedClock>::default());
    let service = start_by(&clock, options(folder.path()));
    service.sink.be(Mood::Away);
    let age = async || service.series("pending_age_seconds{table=\"predictions\"}").await;
    assert_eq!(age().await, 0, "nothing waits");
    for (at_s, seen) in [(0, 0), (60, 60), (90, 90)] {
        clock.0.store(at_s * SECOND_US, Ordering::SeqCst);
        takes(&service, &[], predictions(0..5)).await;
        assert_eq!(age().await, seen, "after {at_s} s");
    }
    // The part of a second does not count, and a clock that was set back makes no row younger than none.
    for (at_us, seen) in [(91 * SECOND_US - 1, 90), (91 * SECOND_US, 91), (-SECOND_US, 0)] {
        clock.0.store(at_us, Ordering::SeqCst);
        assert_eq!(age().await, seen, "after {at_us} us");
    }
    clock.0.store(100 * SECOND_US, Ordering::SeqCst);
    assert_eq!(age().await, 100);
    service.sink.be(Mood::Takes);
    service.stored(15).await;
    until(0, async || age().await).await;
}

#[tokio::test]
async fn keys_are_forgotten_early_where_there_are_too_many_and_not_where_their_time_is_over() {
    let (folder, clock) = (tempfile::tempdir().unwrap(), Arc::<MovedClock>::default());
    let mut options = options(folder.path());
    options.spool.keys.keys_max = 2;
    let day_us = options.spool.keys.retention_us;
    let service = start_by(&clock, options);
    let names = ["idempotency_keys", "idempotency_keys_forgotten_early"];
    for (at_us, key, keys, forgotten) in [
        (0, "a", 1, 0),
        (0, "b", 2, 0),
        (0, "c", 2, 1),
        (0, "d", 2, 2),
        (day_us + SECOND_US, "e", 1, 2),
        (day_us + SECOND_US, "f", 2, 2),
    ] {
        clock.0.store(at_us, Ordering::SeqCst);
        takes(&service, &[("idempotency-key", key)], predictions(0..1)).await;
        for (name, value) in names.into_iter().zip([keys, forgotten]) {
            let series = format!("{name}{{table=\"predictions\"}}");
            assert_eq!(service.series(&series).await, value, "{name} after {key}");
        }
    }
}

#[tokio::test]
async fn records_are_rejected_by_table_and_code() {
    let folder = tempfile::tempdir().unwrap();
    let service = start(folder.path(), &Arc::default());
    let body = [
        r#"{"model":"m"}"#,
        r#"{"model":"m","modle":1}"#,
        r#"{"model":"m","features":{"a":{}}}"#,
        "{broken",
        r#"{"model":"m","scoer":1}"#,
    ];
    takes(&service, &[], body.join("\n")).await;
    let outcomes =
        [r#"{"model":"m","event_id":"e","value":1}"#, r#"{"model":"m","event_id":"e","value":1,"valeu":1}"#];
    assert_eq!(service.post("/v1/outcomes", &[], outcomes.join("\n")).await.status, StatusCode::OK);
    let mut all = 0;
    for (table, code, rejected) in [
        ("predictions", "unknown_field", 2),
        ("predictions", "feature_not_a_scalar", 1),
        ("predictions", "invalid_json", 1),
        ("predictions", "missing_field", 0),
        ("outcomes", "unknown_field", 1),
    ] {
        let series = format!("rejected_records_total{{code=\"{code}\",table=\"{table}\"}}");
        assert_eq!(service.series(&series).await, rejected, "{series}");
        all += rejected;
    }
    assert_eq!(service.sum(&["rejected_records_total"]).await, all);
}

#[tokio::test]
async fn inserts_that_failed_are_counted_by_fault() {
    let folder = tempfile::tempdir().unwrap();
    let service = start(folder.path(), &Arc::default());
    service.sink.be(Mood::Away);
    let bad = predictions(3..4).replace("\"m\"", "\"poison\"");
    takes(&service, &[], predictions(0..3) + &bad).await;
    until(true, async || service.sink.failed()[0] >= 2).await;
    service.sink.be(Mood::Poisoned(b"poison"));
    service.dead_lettered(1).await;
    let failed = service.sink.failed();
    assert!(failed[1] > 0, "{failed:?}");
    for (fault, failed) in ["unavailable", "poison"].into_iter().zip(failed) {
        let series = format!("insert_failures_total{{fault=\"{fault}\",table=\"predictions\"}}");
        assert_eq!(service.series(&series).await, failed, "{fault}");
    }
    assert_eq!(service.sum(&["insert_failures_total"]).await, failed.iter().sum::<u64>());
}
