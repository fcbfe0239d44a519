//! Projections on a real ClickHouse: pages read them and not the tables, and they say what the tables say.

use serde::Deserialize;
use windvane_store::migrate::{self, Topology};
use windvane_store::views::{
    Asked, DEPLOYMENTS, FLEET, FLEET_BY_DAY, FLEET_TRAFFIC, FLEET_TRAFFIC_BY_DAY, LATENCY, LATENCY_BY_DAY,
    TRAFFIC, TRAFFIC_BY_DAY, View,
};
use windvane_store::{Statement, Store};

use crate::endpoint::Running;

/// Two models of 20,000 predictions each, one an hour apart from the next: several marks of the table.
const PREDICTIONS: &str = "
    INSERT INTO windvane.predictions (event_id, ts, ingested_at, model, version, kind, score, latency_us, status)
    SELECT toString(number), toDateTime64('2026-01-01 00:00:00', 6, 'UTC') + toIntervalHour(intDiv(number, 2) % 600),
           now64(6), concat('m', toString(number % 2)), '7', 'score', 0.5, 500 + number % 1000,
           if(number % 100 < 2, 'timeout', 'ok')
    FROM numbers(40000)";
const OUTCOMES: &str = "
    INSERT INTO windvane.outcomes (model, event_id, ts, ingested_at, label)
    SELECT concat('m', toString(number % 2)), toString(number), now64(6), now64(6), 'late' FROM numbers(40000)";
/// The first thousand once more.
const CORRECTIONS: &str = "
    INSERT INTO windvane.outcomes (model, event_id, ts, ingested_at, label)
    SELECT concat('m', toString(number % 2)), toString(number), now64(6), now64(6), 'on_time' FROM numbers(1000)";
const OUTCOMES_BY_MODEL: &str =
    "SELECT model, count() AS n FROM windvane.outcomes GROUP BY model ORDER BY model";

#[derive(Debug, Deserialize)]
struct Deployment {
    predictions_all: u64,
    predictions: u64,
    failures: u64,
    latency_p50_us: Option<f64>,
    outcomes_all: u64,
}

async fn run(store: &Store, sql: &str) {
    store.execute(&Statement::new(sql.to_owned())).await.unwrap();
}

async fn text(store: &Store, sql: &str) -> String {
    String::from_utf8(store.text(sql, "TSVRaw").await.unwrap().to_vec()).unwrap()
}

/// What the readings of a statement read, one word each, sorted: the projection, or the word that the engine says of a table.
async fn read_from(store: &Store, sql: &str) -> Vec<String> {
    let plan = text(store, &format!("EXPLAIN {sql}")).await;
    let after = |line: &str| line.split_once("ReadFromMergeTree (").map(|(_, rest)| rest.to_owned());
    let named = plan.lines().filter_map(after).map(|rest| rest.trim_end().trim_end_matches(')').to_owned());
    let mut read: Vec<String> = named.collect();
    // Which side of a join is read first is the engine's choice.
    read.sort_unstable();
    read
}

#[tokio::test(flavor = "multi_thread")]
async fn engine_answers_what_pages_ask_from_projections() {
    let running = Running::migrated().await;
    let store = &running.store;
    run(store, PREDICTIONS).await;
    run(store, OUTCOMES).await;
    let asked = Asked::from([("model", "m0".to_owned())]);
    let of = |view: &View| {
        let known = asked.iter().filter(|(name, _)| view.parameter(name).is_some());
        view.spelled_out(&known.map(|(name, value)| (*name, value.clone())).collect())
    };
    for (view, projections) in [
        (&FLEET, &["by_hour", "by_hour", "by_model"][..]),
        (&FLEET_BY_DAY, &["by_day", "by_day", "by_model"]),
        (&FLEET_TRAFFIC, &["by_hour"]),
        (&FLEET_TRAFFIC_BY_DAY, &["by_day"]),
        (&TRAFFIC, &["by_hour"]),
        (&TRAFFIC_BY_DAY, &["by_day"]),
        (&LATENCY, &["by_hour"]),
        (&LATENCY_BY_DAY, &["by_day"]),
    ] {
        assert_eq!(read_from(store, &of(view)).await, projections, "{}", view.name);
    }
    let marks = "SELECT min(marks - 1 >= rows / 256) FROM system.projection_parts \
                 WHERE active AND table = 'predictions' AND name = 'by_hour' AND rows > 1000";
    assert_eq!(text(store, marks).await, "1\n", "a page of one model would read the digests of others");
    let deployments = read_from(store, &of(&DEPLOYMENTS)).await;
    assert!(deployments.iter().all(|read| read.starts_with("by_")), "{deployments:?}");

    let asked = Asked::from([("from", "1767225600000000".to_owned()), ("to", "1767398400000000".to_owned())]);
    let hours: Vec<Deployment> = FLEET.rows(store, &asked).await.unwrap();
    let days: Vec<Deployment> = FLEET_BY_DAY.rows(store, &asked).await.unwrap();
    let counts = |found: &[Deployment]| -> Vec<(u64, u64, u64, u64)> {
        let of = |found: &Deployment| {
            (found.predictions_all, found.predictions, found.failures, found.outcomes_all)
        };
        found.iter().map(of).collect()
    };
    // The first 48 of 600 hours, each with 34 predictions of a model; one of the hours has all that failed.
    assert_eq!(counts(&days), [(20_000, 1_632, 34, 20_000), (20_000, 1_632, 34, 20_000)]);
    assert_eq!(counts(&hours), counts(&days));
    assert!(days.iter().all(|found| found.latency_p50_us.is_some_and(|us| (500.0..1_500.0).contains(&us))));
    running.end().await;
}

#[derive(Debug, PartialEq, Deserialize)]
struct Bucket {
    model: String,
    at_us: i64,
    predictions: u64,
}

#[tokio::test(flavor = "multi_thread")]
async fn engine_tells_the_newest_traffic_of_who_answered_last_first() {
    let running = Running::migrated().await;
    let store = &running.store;
    // In the same two hours, `z` ten minutes after `a`.
    run(
        store,
        "INSERT INTO windvane.predictions (event_id, ts, ingested_at, model, version, kind, score)
         SELECT toString(number), toDateTime64('2026-01-01 00:10:00', 6, 'UTC') + toIntervalHour(number % 2) + toIntervalMinute(10 * (number >= 2)),
                now64(6), if(number >= 2, 'z', 'a'), '7', 'score', 0.5
         FROM numbers(4)",
    )
    .await;
    let (first_us, hour_us) = (1_767_225_600_000_000, 3_600_000_000);
    let bucket =
        |model: &str, at_us: i64, predictions: u64| Bucket { model: model.to_owned(), at_us, predictions };
    let hours = [("z", 1), ("z", 0), ("a", 1), ("a", 0)]
        .map(|(model, hour)| bucket(model, first_us + hour * hour_us, 1));
    let days = ["z", "a"].map(|model| bucket(model, first_us, 2));
    for (view, seconds, expected) in
        [(&FLEET_TRAFFIC, 3_600, &hours[..]), (&FLEET_TRAFFIC_BY_DAY, 86_400, &days[..])]
    {
        for limit in 1..=4_usize {
            let asked = Asked::from([("bucket", seconds.to_string()), ("limit", limit.to_string())]);
            let found: Vec<Bucket> = view.rows(store, &asked).await.unwrap();
            assert_eq!(found, expected[..limit.min(expected.len())], "{limit} of {}", view.name);
        }
    }
    running.end().await;
}

/// Takes a projection away, stores rows without it, and makes it by the migrations of these versions, as an upgrade does.
async fn upgrade(store: &Store, (without, rows): (&'static str, &str), versions: [u32; 2]) {
    let at_once = |sql: String| Statement::new(sql).setting("mutations_sync", 2);
    store.execute(&at_once(without.to_owned())).await.unwrap();
    run(store, rows).await;
    for version in versions {
        let migration = migrate::all().iter().find(|migration| migration.version == version).unwrap();
        let sql = migration.render(&Topology::Single, "windvane").unwrap().unwrap();
        store.execute(&at_once(sql)).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn engine_counts_a_corrected_outcome_once_when_it_is_merged() {
    let running = Running::migrated().await;
    let store = &running.store;
    // Outcomes from before the projection are merged with later ones too.
    upgrade(store, ("ALTER TABLE windvane.outcomes DROP PROJECTION by_model", OUTCOMES), [52, 56]).await;
    run(store, CORRECTIONS).await;
    let unprojected = format!("{OUTCOMES_BY_MODEL} SETTINGS optimize_use_projections = 0");
    assert_eq!(read_from(store, OUTCOMES_BY_MODEL).await, ["by_model"]);
    assert_eq!(text(store, OUTCOMES_BY_MODEL).await, text(store, &unprojected).await);
    run(store, "OPTIMIZE TABLE windvane.outcomes FINAL").await;
    assert_eq!(read_from(store, OUTCOMES_BY_MODEL).await, ["by_model"], "a merge makes it anew");
    assert_eq!(text(store, OUTCOMES_BY_MODEL).await, "m0\t20000\nm1\t20000\n");
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn engine_makes_the_days_of_predictions_that_were_there_before() {
    let running = Running::migrated().await;
    let store = &running.store;
    upgrade(store, ("ALTER TABLE windvane.predictions DROP PROJECTION by_day", PREDICTIONS), [53, 54]).await;
    let parts = "SELECT count() = (SELECT count() FROM system.parts WHERE active AND table = 'predictions') \
                 FROM system.projection_parts WHERE active AND table = 'predictions' AND name = 'by_day'";
    assert_eq!(text(store, parts).await, "1\n", "each part has it");
    let days = FLEET_BY_DAY.spelled_out(&Asked::new());
    // There is no outcome to count.
    assert_eq!(read_from(store, &days).await, ["by_day", "by_day"]);
    running.end().await;
}
