//! Rows that ClickHouse cannot take: found, laid aside alone, and never stored twice, whatever crashes on the way.

use serde_json::json;

use super::told_sink::Mood;
use super::*;
use crate::DeadLetter;

/// Ids that are no part of each other.
fn id(n: u64) -> String {
    format!("event-{n:04}-id")
}

/// Ten rows, of which these are bad.
fn batch(bad: &[u64]) -> String {
    let model = |n| if bad.contains(&n) { "poison" } else { "m" };
    (0..10).map(|n| format!("{{\"model\":\"{}\",\"event_id\":\"{}\"}}\n", model(n), id(n))).collect()
}

#[tokio::test]
async fn a_poisoned_row_is_laid_aside_alone() {
    let folder = tempfile::tempdir().unwrap();
    let sink = Arc::<ToldSink>::default();
    sink.be(Mood::Away);
    let service = start(folder.path(), &sink);
    for n in 0..9 {
        let bad: &[u64] = if n == 5 { &[3, 7] } else { &[] };
        let reply = service.post("/v1/predictions", &[], batch(bad)).await;
        assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
    }
    sink.be(Mood::Poisoned(b"poison"));
    service.stored(88).await;
    service.dead_lettered(2).await;
    service.assert_nothing_is_lost().await;
    let letters = DeadLetter::all(&folder.path().join("spool")).unwrap().readable;
    let ids: Vec<_> = letters.iter().flat_map(|letter| letter.events().unwrap()).collect();
    assert_eq!(ids.len(), 2, "{ids:?}");
    for (event, n) in ids.iter().zip([3, 7]) {
        assert_eq!((&event["event_id"], &event["model"]), (&json!(id(n)), &json!("poison")));
    }
    assert!(letters[0].reason.contains("INCORRECT_DATA") && letters[0].rows == 1);
    let files = std::fs::read_dir(folder.path().join("spool/dead")).unwrap().count();
    assert_eq!(files, 4, "two files a letter, and no mark is left");
}

/// After so many inserts the sink is gone and the service too; the next one finds a sink that takes everything, as after a
/// change of the table: the way to a row must be the same all the same.
#[tokio::test]
async fn a_crash_at_every_step_of_the_search_stores_no_row_twice() {
    for inserts in 0..16 {
        let folder = tempfile::tempdir().unwrap();
        let sink = Arc::<ToldSink>::default();
        sink.be(Mood::PoisonedThenAway(b"poison", inserts));
        let service = start(folder.path(), &sink);
        service.post("/v1/predictions", &[], batch(&[2, 9])).await;
        service.collector.drain(Duration::from_millis(30)).await;
        sink.be(Mood::Takes);
        let service = start(folder.path(), &sink);
        let drained = service.collector.drain(Duration::from_secs(20)).await;
        assert_eq!(drained.pending_rows, 0, "after {inserts} inserts");
        let stored = sink.stored();
        let letters = DeadLetter::all(&folder.path().join("spool")).unwrap().readable;
        let laid_aside: Vec<_> = letters.iter().flat_map(|letter| letter.events().unwrap()).collect();
        for n in 0..10 {
            let times =
                stored.iter().filter(|body| memchr::memmem::find(body, id(n).as_bytes()).is_some()).count();
            let aside = laid_aside.iter().filter(|event| event["event_id"] == id(n)).count();
            assert_eq!(
                times + aside,
                1,
                "row {n} after {inserts} inserts: {times} stored, {aside} laid aside"
            );
        }
    }
}

#[tokio::test]
async fn a_batch_that_is_bad_throughout_is_laid_aside_in_bounded_work() {
    let folder = tempfile::tempdir().unwrap();
    let sink = Arc::<ToldSink>::default();
    sink.be(Mood::Poisoned(b"poison"));
    let service = start(folder.path(), &sink);
    let rows: String =
        (0..2000).map(|n| format!("{{\"model\":\"poison\",\"event_id\":\"{}\"}}\n", id(n))).collect();
    service.post("/v1/predictions", &[], rows).await;
    service.dead_lettered(2000).await;
    service.assert_nothing_is_lost().await;
    let letters = DeadLetter::all(&folder.path().join("spool")).unwrap().readable;
    assert!(letters.len() < 150, "{} letters", letters.len());
    assert_eq!(letters.iter().map(|letter| letter.rows).sum::<u64>(), 2000);
}
