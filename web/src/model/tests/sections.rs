//! What each section says of its findings, and what is said of them among what changed lately.

use super::*;
use crate::model::segments::{Drifted, Measured};

/// The sentences that a model has and this made-up one has not, whose findings are of drift alone.
fn also_said(model_with: &Model) -> Vec<String> {
    let usual = said(&model());
    said(model_with).into_iter().filter(|sentence| !usual.contains(sentence)).collect()
}

#[test]
fn failed_checks_come_first_and_in_words() {
    let model = Model { quality: Some(quality()), ..model() };
    assert_eq!(
        also_said(&model),
        [
            "A check fails in the window until 1970-01-31 00:00 UTC: <salary>, missing values: 21 %, where 8 % to 12 % was expected (21)."
        ]
    );
    let html = render(&model).into_string();
    for part in [
        "One of 2 checks fails",
        "&lt;salary&gt;, missing values: 21 %, where 8 % to 12 % was expected (21).",
        "Monitor checks, version 2 in prod, <time datetime=\"1970-01-30T00:00:00Z\">1970-01-30 00:00 UTC</time> to <time datetime=\"1970-01-31T00:00:00Z\">1970-01-31 00:00 UTC</time>, against a file of expectations.",
        "href=\"/api/v1/models/%3Cm%3E/quality\"",
        "href=\"/sql/quality_checks?environment=prod&amp;granularity=1d&amp;model=%3Cm%3E&amp;monitor=checks&amp;reference_kind=expectations&amp;version=2&amp;windows=1\"",
        "href=\"/api/v1/views/quality_checks?environment=prod&amp;granularity=1d&amp;model=%3Cm%3E&amp;monitor=checks&amp;reference_kind=expectations&amp;version=2&amp;windows=1&amp;format=csv\"",
    ] {
        assert!(html.contains(part), "no `{part}` in {html}");
    }
    assert!(html.find("&lt;salary&gt;, missing").unwrap() < html.find(">calm<").unwrap());
}

#[test]
fn truth_and_estimate_are_told_with_how_many_outcomes_there_are() {
    // Of another monitor: it is not drawn with the newest window's.
    let other = api::performance::Window { monitor: "other".to_owned(), ..window(3, Some(0.1)) };
    let performance = vec![window(29, Some(0.8)), window(28, None), other, window(27, Some(0.9))];
    let model = Model { performance, ..model() };
    assert_eq!(
        also_said(&model),
        [
            "roc_auc is 0.8 in the window until 1970-01-31 00:00 UTC; usual is 0.85 or more.",
            "The model is weakest at hour <5> in the window until 1970-01-31 00:00 UTC: error rate 0.5, against 0.1 elsewhere.",
        ]
    );
    let html = render(&model).into_string();
    for part in [
        "roc_auc left what is usual",
        "900 of 1,000 predictions have an outcome (90 %).",
        "Estimates of roc_auc can be trusted: off by 0.01",
        "The relation between features and target is as it was: roc_auc on the reference is 0.88",
        "hour &lt;5&gt;",
        "href=\"/api/v1/models/%3Cm%3E/performance?monitor=right&amp;segment=none&amp;limit=1\"",
        "against baseline spring.",
        "aria-label=\"roc_auc: realised 0.8 at last; estimated 0.88 at last; usual, from 0.85 at last\"",
        "0.78 to 0.82",
        "0.85 to any",
        "/sql/performance_metrics?granularity=1d&amp;model=%3Cm%3E&amp;monitor=right&amp;reference_kind=baseline&amp;reference_name=spring&amp;windows=120\"",
    ] {
        assert!(html.contains(part), "no `{part}` in {html}");
    }
    assert!(!html.contains("realised 0.1,"), "{html}");
}

#[test]
fn a_metric_that_could_not_be_compared_is_not_called_usual() {
    use windvane_types::performance::Verdict;
    let said = |verdict: Verdict, threshold: Option<[Option<f64>; 2]>| {
        let mut newest = window(29, Some(0.9));
        newest.verdict = verdict;
        newest.metrics[0].alert = false;
        newest.metrics[0].threshold = threshold;
        let html = render(&Model { performance: vec![newest], ..model() }).into_string();
        ["usual", "too few rows to tell", "nothing to compare with", "chance may explain it"]
            .into_iter()
            .filter(|word| html.contains(&format!("<td><span class=\"quiet\">{word}</span></td>")))
            .collect::<Vec<_>>()
    };
    let ends = Some([Some(0.85), None]);
    for (verdict, threshold, expected) in [
        (Verdict::NoAlert, ends, "usual"),
        (Verdict::NoAlert, Some([Some(0.95), None]), "chance may explain it"),
        (Verdict::NoAlert, Some([None, Some(0.85)]), "chance may explain it"),
        (Verdict::InsufficientData, ends, "too few rows to tell"),
        (Verdict::InsufficientData, None, "nothing to compare with"),
        (Verdict::NoAlert, None, "nothing to compare with"),
    ] {
        assert_eq!(said(verdict, threshold), [expected], "{verdict:?} {threshold:?}");
    }
}

#[test]
fn an_estimate_is_told_as_one_and_what_is_beyond_a_few_is_counted() {
    let mut newest = window(29, None);
    newest.weakest_segments = None;
    let alert = newest.metrics[0].clone();
    newest.metrics = vec![alert; 5];
    let told = also_said(&Model { performance: vec![newest], ..model() });
    assert_eq!(told.len(), 4);
    assert_eq!(
        told[0],
        "roc_auc is estimated at 0.88 in the window until 1970-01-31 00:00 UTC; usual is 0.85 or more."
    );
    assert_eq!(told[3], "2 more metrics left what is usual.");
}

#[test]
fn latency_is_told_by_version_with_what_burns() {
    let html = render(&Model { latency_run: Some(latency_run()), ..model() }).into_string();
    for part in [
        "99.9 % within 250.0 ms: page. The budget burns 15 times as fast as allowed over 1 h (3 of 200 events) and 15 times as fast as allowed over 5 min (3 of 200 events); 14.4 times is the bound.",
        "no rule fires. At most it burns 0.5 times as fast as allowed over 1 h",
        "no event to judge by",
        "version &lt;8&gt;",
        "700 µs<br><span class=\"quiet\">680 µs to 720 µs</span><br><span class=\"quiet\">was 400 µs</span>",
        "2.1 ms<br><span class=\"quiet\">1.4 ms or more</span>",
        "scope=\"col\">p99.9</th>",
        "class=\"number\">2.8 ms</td>",
        "badge worse\">slower</span> <span class=\"quiet\">p 0.0010</span>",
        "By hand, <time datetime=\"1970-01-28T00:00:00Z\">1970-01-28 00:00 UTC</time> to <time datetime=\"1970-01-31T00:00:00Z\">1970-01-31 00:00 UTC</time>, against the span before.",
        "/sql/latency_groups?model=%3Cm%3E&amp;reference_kind=previous&amp;windows=1\"",
    ] {
        assert!(html.contains(part), "no `{part}` in {html}");
    }
}

#[test]
fn groups_that_are_treated_unlike_others_are_named_with_each_gap() {
    let gap = |metric: &str, verdict: &str| {
        serde_json::json!({"metric": metric, "value": 0.3, "reference": 0.5, "gap": -0.2, "ci": [-0.3, -0.1],
        "p_value": 0.001, "p_adjusted": 0.002, "n": 60, "n_reference": 80, "verdict": verdict})
    };
    let group = |value: serde_json::Value, verdict: &str| serde_json::json!({"group": {"sex": value}, "n": 1_060, "labelled": 30, "gaps": [gap("demographic_parity", verdict)]});
    let run = api::fairness::Run {
        run_id: "r".to_owned(),
        computed_at: "1970-01-31T00:00:00Z".to_owned(),
        key: serde_json::from_value(serde_json::json!({"monitor": "fair", "version": "", "environment": "", "reference_kind": "", "reference_name": "",
            "window_start": "1970-01-28T00:00:00Z", "window_end": "1970-01-31T00:00:00Z", "granularity": "3d"}))
        .unwrap(),
        group_by: "sex".to_owned(),
        reference_group: Some("<c>".to_owned()),
        max_gap: Some(0.05),
        verdict: windvane_types::fairness::Verdict::Fail,
        groups: serde_json::from_value(serde_json::json!([group("<a>".into(), "fail"), group(serde_json::Value::Null, "pass")])).unwrap(),
    };
    let model = Model { fairness: Some(run), ..model() };
    assert_eq!(
        also_said(&model),
        [
            "sex <a> is treated unlike the others in the window until 1970-01-31 00:00 UTC: demographic parity 30 % against 50 % of <c>, a gap of −20 points, where up to 5 points is none."
        ]
    );
    let html = render(&model).into_string();
    for part in [
        "Treated unlike the others: sex &lt;a&gt;<",
        "Monitor fair, <time datetime=\"1970-01-28T00:00:00Z\">1970-01-28 00:00 UTC</time> to <time datetime=\"1970-01-31T00:00:00Z\">1970-01-31 00:00 UTC</time>. Groups by sex; compared with &lt;c&gt;; a gap of up to 5 points is none.",
        "sex (missing)",
        "−20 points<br><span class=\"quiet\">−30 points to −10 points</span>",
        "href=\"/api/v1/models/%3Cm%3E/fairness\"",
        "/sql/fairness_gaps?granularity=3d&amp;model=%3Cm%3E&amp;monitor=fair&amp;windows=1\"",
    ] {
        assert!(html.contains(part), "no `{part}` in {html}");
    }
}

fn attributed(name: &str, [was, is]: [u64; 2], [before, now]: [u64; 2]) -> serde_json::Value {
    serde_json::json!({"feature": name, "importance_reference": 0.5, "importance_current": 0.4,
        "rank_reference": was, "rank_current": is, "n_reference": before, "n_current": now})
}

fn attribution_run(features: &[serde_json::Value]) -> api::attribution::Run {
    api::attribution::Run {
        run_id: "r".to_owned(),
        computed_at: "1970-01-31T00:00:00Z".to_owned(),
        key: serde_json::from_value(serde_json::json!({"monitor": "", "version": "", "environment": "", "reference_kind": "previous", "reference_name": "",
            "window_start": "1970-01-30T00:00:00Z", "window_end": "1970-01-31T00:00:00Z", "granularity": ""}))
        .unwrap(),
        verdict: windvane_types::drift::Verdict::Drift,
        ndcg: Some(0.83),
        ci: Some([0.8, 0.86]),
        threshold: Some(0.9),
        rows_reference: 1_200,
        rows_current: 900,
        features: serde_json::from_value(serde_json::json!(features)).unwrap(),
    }
}

#[test]
fn features_that_are_attributed_on_one_side_only_are_named() {
    let run = attribution_run(&[
        attributed("hour", [1, 1], [10, 20]),
        attributed("<gone>", [2, 3], [10, 0]),
        attributed("new", [3, 2], [0, 20]),
    ]);
    let model = Model { attribution: Some(run), ..model() };
    let said = also_said(&model);
    let part = "or more; attributed in the reference only: <gone>; attributed in this window only: new; <gone> went from";
    assert!(said[0].contains(part), "{said:?}");
    let html = render(&model).into_string();
    for part in ["Attributed in the reference only: &lt;gone&gt;.", "Attributed in this window only: new."] {
        assert!(html.contains(part), "no `{part}` in {html}");
    }
}

#[test]
fn a_ranking_of_features_is_told_with_what_moved() {
    let run =
        attribution_run(&[attributed("<hour>", [1, 2], [10, 20]), attributed("wind", [2, 1], [10, 20])]);
    let model = Model { attribution: Some(run), ..model() };
    assert_eq!(
        also_said(&model),
        [
            "The model decides by other features in the window until 1970-01-31 00:00 UTC: the ranking is kept by 0.83 (nDCG), usual is 0.9 or more; <hour> went from place 1 to 2."
        ]
    );
    let html = render(&model).into_string();
    for part in [
        "The model decides by other features than the reference",
        "The ranking is kept by 0.83 (nDCG; 0.8 to 0.86); below 0.9 it has drifted. 900 predictions against 1,200.",
        "&lt;hour&gt;</th><td class=\"number\">2 ↓</td><td class=\"number\">1</td>",
        "wind</th><td class=\"number\">1 ↑</td>",
        "/sql/attribution_features?model=%3Cm%3E&amp;reference_kind=previous&amp;windows=1\"",
    ] {
        assert!(html.contains(part), "no `{part}` in {html}");
    }
}

#[test]
fn segments_that_stand_out_are_told_and_others_are_not() {
    let drifted = Drifted {
        segment_key: "region".to_owned(),
        segment_value: "<east>".to_owned(),
        column: "<temp>".to_owned(),
        direction: "up".to_owned(),
        strength: 3.5,
        n_reference: 1_200,
        n_current: 300,
    };
    let measured = |metric: &str, alert: bool| Measured {
        segment_key: "region".to_owned(),
        segment_value: "west".to_owned(),
        metric: metric.to_owned(),
        alert,
        realised: Some(0.71),
        estimated: None,
        threshold_low: Some(0.8),
        threshold_high: None,
        n: 400,
        labelled: 350,
    };
    let measured = vec![measured("roc_auc", true), measured("brier", false)];
    let found = Model { drifted: vec![drifted], measured: measured.clone(), ..model() };
    assert_eq!(
        also_said(&found),
        [
            "roc_auc of region west is 0.71; usual is 0.8 or more.",
            "<temp> ↑ drifts furthest in the segment region <east> (3.5 times its floor).",
        ]
    );
    let html = render(&found).into_string();
    for part in [
        "region &lt;east&gt;</th><td><a href=\"/models/%3Cm%3E/features/%3Ctemp%3E\">&lt;temp&gt;</a>",
        "<td>roc_auc</td><td class=\"number\">0.71</td>",
        "0.8 to any",
        "350 of 400",
        "href=\"/sql/drift_segments?model=%3Cm%3E\"",
        "href=\"/sql/performance_segments?model=%3Cm%3E\"",
    ] {
        assert!(html.contains(part), "no `{part}` in {html}");
    }
    assert!(!html.contains("brier"), "{html}");
    let usual = Model { measured: measured[1..].to_vec(), ..model() };
    assert!(render(&usual).into_string().contains("Every metric of each segment"));
    assert!(render(&model()).into_string().contains("No segment stands out"));
}
