//! What alerting keeps on a real ClickHouse: no silence is lost among many, and no acknowledgement to a clock.

use windvane_store::Statement;
use windvane_store::alerts::acknowledgements;
use windvane_store::alerts::silences::{self, MakeError, SILENCES_MAX};
use windvane_types::alert::Silence;

use crate::endpoint::Running;

const NOW_US: i64 = 4_000_000_000_000_000;

/// A silence that ends so many seconds after now.
fn silence(id: &str, ends_s: i64) -> Silence {
    Silence {
        id: id.to_owned(),
        matchers: vec!["model=delay".parse().unwrap()],
        starts_at_us: NOW_US,
        ends_at_us: NOW_US + ends_s * 1_000_000,
        created_by: "ada".to_owned(),
        comment: "retraining".to_owned(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silence_beyond_the_most_is_refused_until_another_one_has_ended() {
    let running = Running::migrated().await;
    let store = &running.store;
    let many = Statement::new(
        "INSERT INTO windvane.silences (id, matchers, starts_at, ends_at, created_by, comment, updated_at) \
         SELECT toString(number), ['model=other'], fromUnixTimestamp64Micro({now:Int64}, 'UTC'), \
         fromUnixTimestamp64Micro({now:Int64} + toInt64(number) * 1000000, 'UTC'), 'ada', 'many', now64(6, 'UTC') \
         FROM numbers({most:UInt64})",
    );
    // The first of them has ended.
    store.execute(&many.param("now", NOW_US).param("most", SILENCES_MAX)).await.unwrap();
    let last = silence("last", 1_000_000);
    silences::make(store, &last, NOW_US).await.unwrap();
    let refused = silences::make(store, &silence("more", 2_000_000), NOW_US).await;
    assert!(matches!(refused, Err(MakeError::Full)), "{refused:?}");

    silences::write(store, &Silence { ends_at_us: NOW_US, ..silence("1", 1) }).await.unwrap();
    silences::make(store, &silence("more", 2_000_000), NOW_US).await.unwrap();
    // One that was written beside them holds, too, though it is the last to end.
    silences::write(store, &silence("beside", 3_000_000)).await.unwrap();
    let read = silences::read(store, NOW_US).await.unwrap();
    assert_eq!(read.len() as u64, SILENCES_MAX + 1);
    let ids: Vec<&str> = read[read.len() - 3..].iter().map(|silence| silence.id.as_str()).collect();
    assert_eq!(ids, ["last", "more", "beside"]);
    assert_eq!(read[read.len() - 3], last);
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_acknowledgement_replaces_an_earlier_one_that_a_clock_ahead_has_timed() {
    let running = Running::migrated().await;
    let store = &running.store;
    let ahead = Statement::new(
        "INSERT INTO windvane.alert_acknowledgements (fingerprint, at, acknowledged_by, comment) \
         SELECT 'a', now64(6, 'UTC') + INTERVAL 1 DAY, 'ada', ''",
    );
    store.execute(&ahead).await.unwrap();
    for (fingerprint, by) in [("a", "bob"), ("b", "eve")] {
        acknowledgements::write(store, fingerprint, by, "").await.unwrap();
    }
    let read = acknowledgements::read(store).await.unwrap();
    let by: Vec<(&str, &str)> =
        read.iter().map(|it| (it.fingerprint.as_str(), it.acknowledged_by.as_str())).collect();
    assert_eq!(by, [("a", "bob"), ("b", "eve")]);
    let day_us = 86_400_000_000;
    assert!((day_us - 60_000_000..day_us).contains(&(read[0].at_us - read[1].at_us)), "{read:?}");
    running.end().await;
}
