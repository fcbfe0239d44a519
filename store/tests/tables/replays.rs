//! Traffic for a replay on a real ClickHouse: the latest outcome of a request counts as a whole.

use windvane_store::populations::PredictionFilter;
use windvane_store::recorded_requests::Which;
use windvane_store::{DATABASE, Statement, recorded_payloads, recorded_requests};

use crate::endpoint::Running;

/// A time that no retention has passed: 2100.
const IN_2100_US: i64 = 130 * 365 * 86_400_000_000;

async fn insert(running: &Running, sql: &str) {
    let statement = Statement::new(sql.replace("{database}", DATABASE)).param("in_2100", IN_2100_US);
    running.store.execute(&statement).await.unwrap();
}

/// Three requests, as features and as payloads. The label of the first became a value, that of the second was taken back, the
/// third is late as it was. The first two came by the slow lane.
async fn corrected(running: &Running) {
    let at = "fromUnixTimestamp64Micro({in_2100:Int64})";
    insert(
        running,
        &format!(
            "INSERT INTO {{database}}.predictions (event_id, ts, ingested_at, model, num, tags) \
         SELECT toString(number), {at}, {at}, 'delay', map('hour', 7), map('lane', if(number = 2, 'fast', 'slow')) FROM numbers(3)"
        ),
    )
    .await;
    insert(
        running,
        &format!(
            "INSERT INTO {{database}}.payloads (event_id, ts, ingested_at, model, inputs) \
         SELECT toString(number), {at}, {at}, 'delay', '[]' FROM numbers(3)"
        ),
    )
    .await;
    insert(
        running,
        &format!(
            "INSERT INTO {{database}}.outcomes (model, event_id, ts, ingested_at, label) \
         SELECT 'delay', toString(number), {at}, {at}, 'late' FROM numbers(3)"
        ),
    )
    .await;
    insert(running, &format!(
        "INSERT INTO {{database}}.outcomes (model, event_id, ts, ingested_at, value) \
         SELECT 'delay', toString(number), {at}, {at} + INTERVAL 1 SECOND, if(number = 0, 4.5, NULL) FROM numbers(2)"
    ))
    .await;
}

/// All that `delay` was asked, or a segment of it.
fn which(segment: &[(&str, &str)]) -> Which {
    let filter = PredictionFilter {
        model: "delay".to_owned(),
        version: None,
        environment: None,
        start_us: IN_2100_US,
        end_us: IN_2100_US + 1,
        stored_before_us: 2 * IN_2100_US,
    };
    let word = |(name, word): &(&str, &str)| ((*name).to_owned(), (*word).to_owned());
    Which { filter, segment: segment.iter().map(word).collect() }
}

/// A segment and the ids of its rows.
type Case<'a> = (&'a [(&'a str, &'a str)], &'a [&'a str]);

#[tokio::test(flavor = "multi_thread")]
async fn a_segment_is_cut_by_tags_and_features_alike() {
    let running = Running::migrated().await;
    corrected(&running).await;
    let named = ["lane".to_owned(), "hour".to_owned()];
    let cases: [Case<'_>; 5] = [
        (&[], &["0", "1", "2"]),
        (&[("lane", "slow"), ("hour", "7")], &["0", "1"]),
        (&[("lane", "fast")], &["2"]),
        (&[("lane", "slow"), ("hour", "8")], &[]),
        (&[("unknown", "slow")], &[]),
    ];
    for (segment, ids) in cases {
        let which = which(segment);
        let requests = recorded_requests::read(&running.store, &which, (10, 1), &named).await.unwrap();
        let mut found: Vec<&str> = requests.iter().map(|one| one.event_id.as_str()).collect();
        found.sort_unstable();
        assert_eq!(found, ids, "{segment:?}");
        let lane = |id: &str| if id == "2" { "fast" } else { "slow" };
        assert!(requests.iter().all(|one| one.tags.len() == 1 && one.tags["lane"] == lane(&one.event_id)));
        let payloads = recorded_payloads::list(&running.store, &which, (10, 1), &named).await.unwrap();
        let mut found: Vec<&str> = payloads.iter().map(|one| one.event_id.as_str()).collect();
        found.sort_unstable();
        assert_eq!(found, ids, "{segment:?}");
        assert!(payloads.iter().all(|one| one.words == [lane(&one.event_id), "7"]), "{payloads:?}");
        let coverage = recorded_payloads::coverage(&running.store, &which).await.unwrap();
        assert_eq!((coverage.payloads, coverage.features), (ids.len() as u64, ids.len() as u64));
        let tensors = recorded_payloads::tensors(&running.store, &which, (0..=u64::MAX, 1)).await.unwrap();
        assert_eq!(tensors.len(), ids.len(), "{segment:?}");
    }
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_label_that_was_corrected_to_null_is_no_outcome_of_a_replay() {
    let running = Running::migrated().await;
    corrected(&running).await;
    let which = which(&[]);
    let expected = [Some("4.5"), None, Some("late")];
    let mut requests = recorded_requests::read(&running.store, &which, (10, 1), &[]).await.unwrap();
    requests.sort_by(|a, b| a.event_id.cmp(&b.event_id));
    assert_eq!(requests.iter().map(|one| one.outcome.as_deref()).collect::<Vec<_>>(), expected);
    let mut payloads = recorded_payloads::list(&running.store, &which, (10, 1), &[]).await.unwrap();
    payloads.sort_by(|a, b| a.event_id.cmp(&b.event_id));
    assert_eq!(payloads.iter().map(|one| one.outcome.as_deref()).collect::<Vec<_>>(), expected);
    let coverage = recorded_payloads::coverage(&running.store, &which).await.unwrap();
    assert_eq!((coverage.payloads, coverage.features), (3, 3));
    running.end().await;
}
