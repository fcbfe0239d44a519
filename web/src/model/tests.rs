//! The page of a made-up model: what it says, what it never holds.

use windvane_store::views::Asked;

use super::drift::DriftRow;
use super::read::{Answer, Bin, Chosen, Deployment, Latency, Model, Traffic};
use super::*;
use crate::span::{LENGTHS, Range};

const DAY_US: i64 = 86_400_000_000;

fn model() -> Model {
    let range = Range::ending(30 * DAY_US, LENGTHS[2]);
    let series = DriftSeries {
        monitor: "daily".to_owned(),
        reference_kind: "previous".to_owned(),
        windows: 2,
        ..DriftSeries::default()
    };
    let drift = |window: i64, column: &str, verdict: &str| DriftRow {
        start_us: window * DAY_US,
        end_us: (window + 1) * DAY_US,
        column: column.to_owned(),
        verdict: verdict.to_owned(),
        direction: "up".to_owned(),
        method: "psi".to_owned(),
        strength: 2.5,
        ..DriftRow::default()
    };
    let version = |version: &str| Deployment {
        version: version.to_owned(),
        environment: "prod".to_owned(),
        predictions: 50,
        first_ts: "1970-01-02T00:00:00Z".to_owned(),
        last_ts: "1970-01-31T00:00:00Z".to_owned(),
        last_us: 30 * DAY_US,
    };
    Model {
        chosen: Chosen { model: "<m>".to_owned(), ..Chosen::default() },
        range,
        bucketed: Asked::from([("model", "<m>".to_owned())]),
        day: Asked::new(),
        drift_asked: series.asked("<m>"),
        outcomes: 25,
        deployments: vec![version("1"), version("2")],
        traffic: (0..30)
            .map(|day| Traffic { at_us: day * DAY_US, version: "1".to_owned(), predictions: 10, failures: 1 })
            .collect(),
        latency: vec![Latency { at_us: 0, p50_us: 800.0, p95_us: 900.0, p99_us: 1_500.0 }],
        answers: vec![Answer { version: "1".to_owned(), answer: "<late>".to_owned(), predictions: 3 }],
        numbers: vec![Bin { kind: "score".to_owned(), low: 0.0, high: 1.0, predictions: 9.0 }],
        series: vec![series.clone()],
        series_chosen: Some(series),
        drift: vec![
            drift(0, "<temp>", "no_drift"),
            drift(1, "<temp>", "drift"),
            drift(1, "wind", "no_drift"),
        ],
    }
}

#[test]
fn words_come_before_numbers_and_names_are_escaped() {
    let html = render(&model()).into_string();
    let (words, map) = (html.find("What changed lately").unwrap(), html.find("class=\"cell").unwrap());
    assert!(words < map);
    for part in [
        "&lt;temp&gt; ↑ drifts in the window until 1970-01-03 00:00 UTC",
        "1 of 2 columns drifted",
        "300",
        "10 %",
        "25 %",
        "1.5 ms",
        "/models/%3Cm%3E/features/%3Ctemp%3E?series=daily",
        "/sql/drift_columns?",
        "&lt;late&gt;",
    ] {
        assert!(html.contains(part), "no `{part}` in {html}");
    }
    assert!(!html.contains("<m>") && !html.contains("<temp>") && !html.contains("<late>"), "{html}");
}

#[test]
fn a_model_without_findings_says_what_to_do_next() {
    let html = render(&Model { series: Vec::new(), series_chosen: None, drift: Vec::new(), ..model() })
        .into_string();
    assert!(html.contains("[monitors.daily]") && html.contains("model = &quot;&lt;m&gt;&quot;"), "{html}");
}

#[test]
fn a_model_without_traffic_is_shown() {
    let html = render(&Model { traffic: Vec::new(), latency: Vec::new(), numbers: Vec::new(), ..model() })
        .into_string();
    assert!(html.contains("No predictions in this span"), "{html}");
}

#[test]
fn versions_beyond_the_colours_are_drawn_together() {
    let traffic = (0..20)
        .map(|i| Traffic { at_us: 0, version: format!("v{i:02}"), predictions: 100 - i, failures: 0 })
        .collect();
    let series = Model { traffic, ..model() }.traffic_by_version();
    assert_eq!(series.len(), crate::chart::lines::COLOURS);
    let all: f64 = series.iter().map(|line| line.points[0].1).sum();
    assert!((all - (0..20).map(|i| 100.0 - f64::from(i)).sum::<f64>()).abs() < 1e-9);
    assert_eq!(series[0].name, "version v00");
}

#[test]
fn series_are_told_apart_whatever_their_names() {
    let one = DriftSeries { monitor: "a|b".to_owned(), ..DriftSeries::default() };
    let other =
        DriftSeries { monitor: "a".to_owned(), granularity: "b".to_owned(), ..DriftSeries::default() };
    assert_ne!(one.key(), other.key());
}
