//! Findings on a real ClickHouse: a repeated run overwrites itself, and empties what it does not find again.

use serde::Deserialize;
use windvane_store::alerts::sources::{self, Asked, Past};
use windvane_store::findings::{Run, attribution, drift::write, quality};
use windvane_store::{Real, Statement, Store};
use windvane_types::drift::Document;
use windvane_types::span::Span;

use crate::endpoint::Running;

const DAY_US: i64 = 86_400_000_000;
/// In 2100: later than any clock says.
const IN_2100_US: i64 = 130 * 365 * DAY_US;

fn document(effect: f64) -> Document {
    let method = serde_json::json!({"method": "ks", "statistic": effect, "threshold": 0.1, "p_value": 1e-300,
        "p_judged": 0.07, "p_adjusted": null, "effect": effect, "drifted": true});
    let column = serde_json::json!({"column": "distance", "kind": "numeric", "n_reference": 10, "n_current": 20,
        "missing_reference": 1, "missing_current": 2, "verdict": "drift", "direction": "up", "mean_reference": 1.0,
        "mean_current": 2.0, "largest_change": null, "methods": [method]});
    let segment = serde_json::json!({"segment": {"origin": "EWR", "region": null}, "rows_reference": 5,
        "rows_current": 6, "verdict": "drift", "columns": [column]});
    let document = serde_json::json!({"schema": "windvane.drift/1", "reference": {"source": "a", "rows": 11},
        "current": {"source": "b", "rows": 22}, "verdict": "drift", "alpha": 0.05, "correction": "bh", "tests": 2,
        "min_rows": 30, "compat": null, "seed": 1, "columns": [column], "segments": [segment],
        "segments_left_out": 0, "skipped": []});
    serde_json::from_value(document).unwrap()
}

const REFERENCE: Span = Span { start_us: 0, end_us: DAY_US };

fn run(run_id: &str, computed_at_us: i64) -> Run {
    Run {
        run_id: run_id.to_owned(),
        computed_at_us,
        model: "delay".to_owned(),
        version: "7".to_owned(),
        environment: String::new(),
        monitor: String::new(),
        reference_kind: "window".to_owned(),
        reference_name: String::new(),
        window: Span { start_us: DAY_US, end_us: 2 * DAY_US },
        granularity: String::new(),
    }
}

/// Whether the segment's row is of the second run, and what it says.
#[derive(Debug, PartialEq, Deserialize)]
struct Kept {
    segment_key: String,
    run_id: String,
    verdict: String,
    effect: Option<Real>,
    drifted: bool,
    direction: String,
    n_current: u64,
    detail: String,
}

#[derive(Deserialize)]
struct Row {
    segment_key: String,
    segment_value: String,
    effect: Option<Real>,
    p_adjusted: Option<Real>,
    drifted: bool,
    n_current: u64,
    detail: String,
}

#[tokio::test(flavor = "multi_thread")]
async fn engine_keeps_the_findings_of_the_latest_run_on_a_window() {
    let running = Running::migrated().await;
    for (id, order, effect) in [("first", 1, 0.2), ("second", 2, 0.4), ("second", 2, 0.4)] {
        assert_eq!(
            write(&running.store, (&run(id, IN_2100_US + order), REFERENCE), &document(effect))
                .await
                .unwrap(),
            2
        );
    }
    let sql = "SELECT segment_key, segment_value, effect, p_adjusted, drifted, n_current, detail \
               FROM drift_findings FINAL ORDER BY segment_key";
    let rows: Vec<Row> = running.store.rows(&Statement::new(sql)).await.unwrap();
    assert_eq!(rows.len(), 2);
    for row in &rows {
        assert_eq!(
            (row.effect.map(|x| x.0), row.p_adjusted, row.drifted, row.n_current),
            (Some(0.4), None, true, 20)
        );
    }
    assert_eq!((rows[0].segment_key.as_str(), rows[0].segment_value.as_str()), ("", ""));
    assert_eq!(
        (rows[1].segment_key.as_str(), rows[1].segment_value.as_str()),
        ("origin,region", "EWR,(missing)")
    );
    for part in [r#""segment":{"origin":"EWR","region":null}"#, r#""p_judged":0.07"#] {
        assert!(rows[1].detail.contains(part), "{}", rows[1].detail);
    }
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_monitor_does_not_find_again_is_emptied_and_by_hand_it_stays() {
    let running = Running::migrated().await;
    let mut without = document(0.4);
    without.segments.clear();
    for monitor in ["hourly", ""] {
        // A run's id is its rows' token of deduplication, so that each monitor has its own.
        let id = |id: &str| format!("{id} {monitor}");
        let run = |name: &str, order: i64| Run {
            monitor: monitor.to_owned(),
            ..run(&id(name), IN_2100_US + order)
        };
        write(&running.store, (&run("first", 10), REFERENCE), &document(0.2)).await.unwrap();
        for _ in 0..2 {
            assert_eq!(write(&running.store, (&run("second", 20), REFERENCE), &without).await.unwrap(), 1);
        }
        // One that began before and ends after it changes nothing.
        write(&running.store, (&run("late", 5), REFERENCE), &without).await.unwrap();
        let sql = "SELECT segment_key, run_id, verdict, effect, drifted, direction, n_current, \
                   if(position(detail, 'p_judged') > 0, 'numbers', detail) AS detail \
                   FROM drift_findings FINAL WHERE monitor = {monitor:String} ORDER BY segment_key";
        let statement = Statement::new(sql).param("monitor", monitor);
        let rows: Vec<Kept> = running.store.rows(&statement).await.unwrap();
        let kept = |segment_key: &str, run_id: &str, effect: f64| Kept {
            segment_key: segment_key.to_owned(),
            run_id: id(run_id),
            verdict: "drift".to_owned(),
            effect: Some(Real(effect)),
            drifted: true,
            direction: "up".to_owned(),
            n_current: 20,
            detail: "numbers".to_owned(),
        };
        let part = match monitor {
            "" => kept("origin,region", "first", 0.2),
            _ => Kept {
                verdict: "insufficient_data".to_owned(),
                effect: None,
                drifted: false,
                direction: "none".to_owned(),
                n_current: 0,
                detail: r#"{"segment":{"origin":"EWR","region":null}}"#.to_owned(),
                ..kept("origin,region", "second", 0.4)
            },
        };
        assert_eq!(rows, [kept("", "second", 0.4), part], "monitor `{monitor}`");
    }
    running.end().await;
}

/// A run of the monitor `daily`.
fn of_daily(id: &str, order: i64) -> Run {
    Run { monitor: "daily".to_owned(), ..run(id, IN_2100_US + order) }
}

/// The values of a measure in the latest window.
async fn observed(store: &Store, (kind, measure): (&str, &str)) -> Vec<Option<f64>> {
    let asked = Asked { measure, from_us: 0, to_us: 3 * DAY_US, latest: 1, past: Past::Any };
    let observed = sources::read(store, sources::kind(kind).unwrap(), asked).await.unwrap();
    observed.into_iter().map(|observation| observation.value).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn checks_of_a_window_without_a_reference_by_now_are_observed_without_a_value() {
    let running = Running::migrated().await;
    let store = &running.store;
    let check = serde_json::json!({"check": "row_count", "column": null, "observed": 0, "expected": [1, null],
        "verdict": "fail", "count": 0, "examples": []});
    let document = serde_json::json!({"schema": "windvane.quality/1", "verdict": "fail",
        "reference": {"source": "a", "rows": 11}, "current": {"source": "b", "rows": 22}, "alpha": 0.01,
        "tests": 0, "checks": [check]});
    let document: windvane_types::quality::Document = serde_json::from_value(document).unwrap();
    quality::write(store, &of_daily("first", 10), &document).await.unwrap();
    assert_eq!(observed(store, ("quality", "failed")).await, [Some(1.0)]);
    quality::empty(store, &of_daily("second", 20)).await.unwrap();
    assert_eq!(observed(store, ("quality", "failed")).await, [None::<f64>]);
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ranking_of_a_window_without_attributions_by_now_is_observed_without_a_value() {
    let running = Running::migrated().await;
    let store = &running.store;
    let document = serde_json::json!({"schema": "windvane.attribution/1", "verdict": "drift", "ndcg": 0.7, "ci": [0.6, 0.8],
        "threshold": 0.9, "confidence": 0.95, "seed": 1, "reference": {"source": "a", "rows": 11},
        "current": {"source": "b", "rows": 22}, "features": []});
    let document: windvane_types::attribution::Document = serde_json::from_value(document).unwrap();
    attribution::write(store, &of_daily("first", 10), &document).await.unwrap();
    assert_eq!(observed(store, ("attribution", "drifted")).await, [Some(1.0)]);
    attribution::empty(store, &of_daily("second", 20)).await.unwrap();
    assert_eq!(observed(store, ("attribution", "drifted")).await, [None::<f64>]);
    running.end().await;
}
