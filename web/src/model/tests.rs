//! The page of a made-up model: what it says, what it never holds.

mod sections;

use windvane_store::views::Asked;

use super::drift::DriftRow;
use super::read::{Answer, Bin, Chosen, Deployment, Latency, Model, Traffic};
use super::*;
use crate::api;
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
        predictions: 100,
        outcomes: 25,
        deployments: vec![version("1"), version("2")],
        traffic: (0..30)
            .map(|day| Traffic { at_us: day * DAY_US, version: "1".to_owned(), predictions: 10, failures: 1 })
            .collect(),
        traffic_from_us: None,
        latency: vec![Latency { at_us: 0, p50_us: 800.0, p95_us: 900.0, p99_us: 1_500.0 }],
        answers: vec![Answer {
            version: "1".to_owned(),
            answer: "<late>".to_owned(),
            predictions: 3,
            share: 0.25,
            classes: 61,
        }],
        numbers: vec![Bin { kind: "score".to_owned(), low: 0.0, high: 1.0, predictions: 9.0 }],
        series: vec![series.clone()],
        series_chosen: Some(series),
        drift: vec![
            drift(0, "<temp>", "no_drift"),
            drift(1, "<temp>", "drift"),
            drift(1, "wind", "no_drift"),
        ],
        quality: None,
        performance: Vec::new(),
        latency_run: None,
        fairness: None,
        attribution: None,
        drifted: Vec::new(),
        measured: Vec::new(),
        notes: Vec::new(),
    }
}

/// A run as the read API gives it.
fn quality() -> api::quality::Run {
    let check = |name: &str, verdict: &str| serde_json::json!({"check": "missing_rate", "column": name, "observed": 0.21, "expected": [0.08, 0.12], "verdict": verdict, "count": 21, "examples": []});
    api::quality::Run {
        run_id: "r".to_owned(),
        computed_at: "1970-01-31T00:00:00Z".to_owned(),
        key: serde_json::from_value(serde_json::json!({"monitor": "checks", "version": "2", "environment": "prod", "reference_kind": "expectations", "reference_name": "",
            "window_start": "1970-01-30T00:00:00Z", "window_end": "1970-01-31T00:00:00Z", "granularity": "1d"}))
        .unwrap(),
        rows_reference: 100,
        rows_current: 100,
        verdict: windvane_types::quality::Verdict::Fail,
        checks: serde_json::from_value(serde_json::json!([check("calm", "pass"), check("<salary>", "fail")])).unwrap(),
    }
}

/// A day's window, as the read API gives it.
fn window(day: i64, realised: Option<f64>) -> api::performance::Window {
    let time = |day: i64| windvane_types::span::shown(day * DAY_US);
    api::performance::Window {
        run_id: "r".to_owned(),
        computed_at: time(31),
        monitor: "right".to_owned(),
        version: String::new(),
        environment: String::new(),
        task: windvane_types::performance::Task::Binary,
        reference: api::performance::Reference { kind: "baseline".to_owned(), name: "spring".to_owned(), start: String::new(), end: String::new() },
        start: time(day),
        end: time(day + 1),
        granularity: "1d".to_owned(),
        verdict: windvane_types::performance::Verdict::Alert,
        n: 1_000,
        labelled: 900,
        coverage: Some(0.9),
        trust: serde_json::from_value(serde_json::json!({"metric": "roc_auc", "mean_absolute_error": 0.01, "coverage_of_band": 1.0, "verdict": "trusted", "chunks": 5})).unwrap(),
        concept_drift: serde_json::from_value(serde_json::json!({"verdict": "no_drift", "metric": "roc_auc", "reference": 0.88, "under_new_concept": 0.87,
            "estimated_effect": -0.01, "noise": 0.01, "fitted_on": 900})).unwrap(),
        weakest_segments: serde_json::from_value(serde_json::json!({"loss": "error_rate", "overall": 0.2, "looked_at": 7, "columns_left_out": 0, "segments": [
            {"column": "hour", "value": "<5>", "n": 120, "loss": 0.5, "loss_elsewhere": 0.1, "difference_ci": null, "p_value": 0.001, "p_adjusted": 0.007}]})).unwrap(),
        metrics: serde_json::from_value(serde_json::json!([{"metric": "roc_auc", "realised": realised, "ci": [0.78, 0.82], "estimated": 0.88,
            "estimate_band": [0.86, 0.9], "threshold": [0.85, null], "alert": true}])).unwrap(),
        segments: Vec::new(),
    }
}

/// A run as the read API gives it: two versions, and an objective that one burns.
fn latency_run() -> api::latency::Run {
    let group = |group: serde_json::Value, value: f64| {
        serde_json::json!({"group": group, "n": 500, "mean": value, "quantiles": [{"quantile": "p50", "value": value, "ci": [value - 20.0, value + 20.0], "reference": 400.0}, {"quantile": "p99", "value": value * 3.0, "ci": [value * 2.0, null]}, {"quantile": "p99.9", "value": value * 4.0, "ci": [null, null]}],
            "drift": {"n_reference": 500, "statistic": 0.3, "threshold": 0.05, "p_value": 0.001, "p_adjusted": 0.001, "ratios": [], "verdict": "slower"}})
    };
    let rule = |fires: bool, burn: Option<f64>| {
        let window =
            |window_s: u64| serde_json::json!({"window_s": window_s, "events": 200, "bad": 3, "burn": burn});
        serde_json::json!({"urgency": "page", "factor": 14.4, "long": window(3_600), "short": window(300), "p_value": 0.01, "fires": fires})
    };
    let objective = |verdict: &str, rule: serde_json::Value| serde_json::json!({"objective": 0.999, "threshold_us": 250_000.0, "as_of": "t", "rules": [rule], "verdict": verdict});
    api::latency::Run {
        run_id: "r".to_owned(),
        computed_at: "1970-01-31T00:00:00Z".to_owned(),
        key: serde_json::from_value(serde_json::json!({"monitor": "", "version": "", "environment": "", "reference_kind": "previous", "reference_name": "",
            "window_start": "1970-01-28T00:00:00Z", "window_end": "1970-01-31T00:00:00Z", "granularity": ""}))
        .unwrap(),
        groups: serde_json::from_value(serde_json::json!([group(serde_json::json!({}), 500.0), group(serde_json::json!({"version": "<8>"}), 700.0)])).unwrap(),
        objectives: serde_json::from_value(serde_json::json!([
            objective("page", rule(true, Some(15.0))),
            objective("ok", rule(false, Some(0.5))),
            objective("ok", rule(false, None)),
        ]))
        .unwrap(),
    }
}

/// What changed lately, sentence by sentence.
fn said(model: &Model) -> Vec<String> {
    lately::lately(model).into_iter().map(|sentence| sentence.text).collect()
}

#[test]
fn words_come_before_numbers_and_names_are_escaped() {
    let html = render(&model()).into_string();
    let (words, map) = (html.find("What changed lately").unwrap(), html.find("class=\"cell").unwrap());
    assert!(words < map);
    for part in [
        "&lt;temp&gt; ↑ drifts in the window until <time datetime=\"1970-01-03T00:00:00Z\">1970-01-03 00:00 UTC</time>",
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
fn every_card_and_every_figure_has_its_source() {
    let performance = vec![window(29, Some(0.8))];
    for model in [model(), Model { quality: Some(quality()), performance, ..model() }] {
        let html = render(&model).into_string();
        let cards: Vec<&str> = html.split("<section class=\"card\">").skip(1).collect();
        assert!(cards.len() > 8, "{html}");
        for card in cards.into_iter().filter_map(|card| card.split("</section>").next()) {
            assert!(card.contains("class=\"source\""), "no source in {card}");
        }
        let (_, tiles) = html.split_once("<ul class=\"tiles\">").unwrap();
        let (tiles, _) = tiles.split_once("<section").unwrap();
        for view in ["traffic_by_day", "latency_by_day", "deployments", "recorded"] {
            assert!(tiles.contains(&format!("href=\"/sql/{view}?")), "no `{view}` in {tiles}");
        }
    }
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
fn of_many_deployments_the_newest_are_told_and_shares_are_of_all_predictions() {
    let mut model = model();
    let first = model.deployments[0].clone();
    let version = |i: i64| Deployment {
        version: format!("v{i}"),
        first_ts: windvane_types::span::shown(i * DAY_US / 10),
        ..first.clone()
    };
    model.deployments = (100..200).map(version).collect();
    (model.predictions, model.outcomes) = (1_000, 310);
    let html = render(&model).into_string();
    assert!(html.contains("100 or more deployments") && html.contains("31 %"), "{html}");
    assert_eq!(html.matches(" answers since ").count(), 5, "{html}");
    assert!(html.contains("Version v199 ") && html.contains("94 more versions began to answer"), "{html}");
}

#[test]
fn traffic_that_is_left_out_is_told() {
    let html = |traffic_from_us| render(&Model { traffic_from_us, ..model() }).into_string();
    let (all, newest) = (html(None), html(Some(2 * DAY_US)));
    for told in [
        "since <time datetime=\"1970-01-03T00:00:00Z\">",
        "older ones are not counted",
        "The oldest are left out",
    ] {
        assert!(newest.contains(told) && !all.contains(told), "{told}: {newest}");
    }
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

#[test]
fn each_section_without_findings_names_the_command_that_fills_it() {
    let html = render(&model()).into_string();
    for command in ["quality", "performance", "latency", "fairness", "attribution"] {
        let words = format!("windvane {command} --model '&lt;m&gt;' ");
        assert!(html.contains(&words), "no `{words}` in {html}");
        assert!(html.contains(&format!("kind = &quot;{command}&quot;")), "no monitor of {command} in {html}");
    }
    for view in
        ["quality_checks", "performance_metrics", "latency_groups", "fairness_gaps", "attribution_features"]
    {
        assert!(html.contains(&format!("href=\"/sql/{view}?model=%3Cm%3E\"")), "no `{view}` in {html}");
    }
}

#[test]
fn a_misspelt_name_of_a_monitor_is_told_on_the_page_of_its_model() {
    let notes = vec!["daily: segment_by: no prediction has <regoin>; there are region".to_owned()];
    let html = render(&Model { notes, ..model() }).into_string();
    assert!(
        html.contains("Monitor daily: segment_by: no prediction has &lt;regoin&gt;; there are region."),
        "{html}"
    );
}
