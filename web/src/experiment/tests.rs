//! Reports of made-up looks: what they say, what they never hold.

use super::*;

/// A look at two arms as the command prints it, as far as a page needs it.
fn document(verdict: &str, srm: &str) -> Document {
    let text = serde_json::json!({
        "schema": "windvane.experiment/1",
        "arms": [{"arm": "A", "n": 50, "weight": 0.5}, {"arm": "<b>B</b>", "n": 52, "weight": 0.5}],
        "srm": {"p_value": 0.84, "sequential_p_value": 1.0, "verdict": srm},
        "comparisons": [{
            "metric": "revenue", "arm": "<b>B</b>", "control": "A", "n": 52, "n_control": 50, "mean": 3.0, "mean_control": 1.0,
            "absolute": {"estimate": 2.0, "se": 0.4, "ci": [1.2, 2.8], "p_value": 0.001},
            "relative": {"estimate": 0.12, "se": 0.02, "ci": [0.08, 0.16], "p_value": 0.001},
            "p_value": 0.001, "p_adjusted": 0.002, "df": 98.0, "method": "welch",
            "sequential": {"estimate": 0.12, "ci": [0.05, 0.19], "p_value": 0.01, "tuning": 5000.0},
            "bayesian": null, "cuped": null, "verdict": verdict, "ledger": ["summed: rows of a unit"],
            "type": "mean", "better": "higher", "role": "primary", "missing": 0
        }],
        "source": "checkout", "control": "A", "alpha": 0.05, "correction": "holm", "tests": 1, "inference": "fixed",
        "rows": 200, "units_in_several_arms": 0, "health": [], "segments": []
    });
    serde_json::from_value(text).unwrap()
}

fn point(day: i64, relative: f64) -> Point {
    Point {
        metric: "revenue".to_owned(),
        metric_kind: "mean".to_owned(),
        quantile: 0.0,
        arm: "B".to_owned(),
        as_of_us: day * 86_400_000_000,
        n: 50,
        n_control: 52,
        relative: Some(relative),
        relative_low: Some(relative - 0.05),
        relative_high: Some(relative + 0.05),
        sequential_low: Some(relative - 0.1),
        sequential_high: Some(relative + 0.1),
        sequential_p_value: Some(0.04),
        p_adjusted: Some(0.01),
        srm_p_value: Some(0.9),
        verdict: "better".to_owned(),
    }
}

#[test]
fn a_report_says_the_verdict_with_the_number_behind_it() {
    let html = experiment_report(&document("better", "ok"), &[]);
    for part in [
        "Better: &lt;b&gt;B&lt;/b&gt; on revenue",
        "is better than A on revenue: +12 % (95 % interval +8 to +16 %); p 0.0020",
        "The arms have their share of units (p 0.8400).",
        "summed: rows of a unit",
        "corrected by holm",
    ] {
        assert!(html.contains(part), "no `{part}` in {html}");
    }
}

#[test]
fn a_report_does_not_call_the_p_value_of_one_look_that_of_many() {
    for (inference, told) in [("fixed", true), ("sequential", false), ("group_sequential", false)] {
        let mut document = document("inconclusive", "ok");
        document.comparisons[0].decision.inference = inference.to_owned();
        document.comparisons[0].p_adjusted = None;
        let html = experiment_report(&document, &[]);
        assert_eq!(html.contains("; p 0.0010"), told, "{inference}: {html}");
        assert_eq!(html.contains(">0.0010</td>"), told, "{inference}: {html}");
    }
}

#[test]
fn a_report_needs_nothing_else_and_escapes_names() {
    let html = experiment_report(&document("worse", "ok"), &[point(0, 0.3), point(1, 0.2)]);
    assert!(!html.contains("<b>B</b>"));
    for outside in ["http://", "https://", "<script", "src=", "href=\"/", "@import", "url("] {
        assert!(!html.contains(outside), "`{outside}` in {html}");
    }
    for part in
        ["<title>Experiment checkout", "lang=\"en\"", "aria-label=\"revenue, B against the control, 2 looks"]
    {
        assert!(html.contains(part), "no `{part}` in {html}");
    }
}

#[test]
fn pages_lead_to_the_document_the_statement_and_the_rows() {
    let looks = [point(0, 0.3), point(1, 0.2)];
    let page = experiment_page("check <out>", "2026-01-01T00:00:00Z", (&document("better", "ok"), &looks));
    let (page, list) = (page.into_string(), list(&[]).into_string());
    for (html, href) in [
        (&page, "/api/v1/experiments/check%20%3Cout%3E"),
        (&page, "/sql/experiment_comparisons?experiment=check%20%3Cout%3E"),
        (&page, "/api/v1/views/experiment_comparisons?experiment=check%20%3Cout%3E&amp;format=csv"),
        (&page, "/sql/experiment_comparisons?experiment=check%20%3Cout%3E&amp;looks=1"),
        (&page, "/sql/experiment_comparisons?experiment=check%20%3Cout%3E&amp;looks=2"),
        (
            &page,
            "/api/v1/views/experiment_comparisons?experiment=check%20%3Cout%3E&amp;looks=2&amp;format=csv",
        ),
        (&list, "/api/v1/experiments"),
        (&list, "/sql/experiments"),
        (&list, "/api/v1/views/experiments?format=arrow"),
    ] {
        assert!(html.contains(&format!("href=\"{href}\"")), "no `{href}` in {html}");
    }
}

#[test]
fn arms_comparisons_and_looks_are_each_followed_by_their_source() {
    let looks = [point(0, 0.3), point(1, 0.2)];
    let page = experiment_page("checkout", "2026-01-01T00:00:00Z", (&document("better", "ok"), &looks));
    let page = page.into_string();
    for heading in ["Is the experiment healthy?", "How large is the difference?", "<h2>Over time"] {
        let section = page.split(heading).nth(1).and_then(|rest| rest.split("<h2>").next()).unwrap();
        assert!(section.contains("class=\"source\""), "no source after `{heading}` in {page}");
    }
}

#[test]
fn a_mismatch_comes_before_every_number() {
    let html = experiment_report(&document("inconclusive", "mismatch"), &[]);
    assert!(html.contains("No verdict: the arms do not have their share of units"), "{html}");
    assert!(html.contains("Find out why before you read on"), "{html}");
}

#[test]
fn a_broken_guardrail_is_told() {
    let mut document = document("inconclusive", "ok");
    document.comparisons[0].guardrail = Some(windvane_types::experiment::Guardrail {
        verdict: GuardrailVerdict::Broken,
        margin: 0.02,
        p_value: Some(0.9),
    });
    document.segments = vec![Segment {
        segment: [("country".to_owned(), Some("DE".to_owned()))].into(),
        arms: document.arms.clone(),
        srm: document.srm.clone(),
        comparisons: document.comparisons.clone(),
    }];
    let html = experiment_report(&document, &[]);
    for part in [
        "country DE</strong>, 102 units: &lt;b&gt;B&lt;/b&gt; breaks the guardrail revenue",
        "Guardrail broken: &lt;b&gt;B&lt;/b&gt; on revenue",
        "is broken: a loss of 2 % is exceeded",
        "guardrail broken</span>",
    ] {
        assert!(html.contains(part), "no `{part}` in {html}");
    }
}

#[test]
fn segments_and_advice_are_told() {
    let mut document = document("better", "ok");
    document.segments = vec![Segment {
        segment: [("country".to_owned(), None)].into(),
        arms: document.arms.clone(),
        srm: document.srm.clone(),
        comparisons: document.comparisons.clone(),
    }];
    document.segments_left_out = Some(3);
    let arm = |arm: &str, probability_best, thompson, top_two| windvane_types::experiment::ArmAdvice {
        arm: arm.to_owned(),
        probability_best,
        thompson,
        top_two,
    };
    document.advice = vec![Advice {
        metric: "latency_us".to_owned(),
        denominator: None,
        quantile: Some(0.99),
        arms: vec![arm("A", 6.4e-6, 0.02, 0.3), arm("B", 1.0 - 6.4e-6, 0.98, 0.7)],
        caution: "It costs knowledge.".to_owned(),
    }];
    let html = experiment_report(&document, &[]);
    for part in [
        "country (missing)</strong>, 102 units: &lt;b&gt;B&lt;/b&gt; better on revenue",
        "3 segments are not compared",
        "<strong>latency_us p99</strong>: It costs knowledge.",
        "98 %",
        "&lt; 0.01 %",
        "&gt; 99.99 %",
    ] {
        assert!(html.contains(part), "no `{part}` in {html}");
    }
}

#[test]
fn a_chart_is_drawn_of_any_looks() {
    let gap = Point {
        relative: None,
        relative_low: None,
        relative_high: None,
        sequential_low: None,
        sequential_high: None,
        ..point(2, 0.0)
    };
    let endless = Point { relative_high: None, ..point(3, 0.1) };
    let huge = point(4, 1e300);
    let many: Vec<Point> = (0..2_000).map(|day| point(day, 0.1)).collect();
    for points in [&[point(0, 0.0)][..], &[point(0, 0.1), gap, endless, huge], &many] {
        let html = history::history(points, (400, 100)).into_string();
        assert!(!html.contains("NaN") && !html.contains("inf"), "{html}");
        assert!(html.len() < 100_000, "{}", html.len());
    }
}

#[test]
fn comparisons_without_an_effect_are_told_and_not_drawn() {
    let mut document = document("inconclusive", "ok");
    document.comparisons[0].relative = None;
    document.comparisons[0].absolute = windvane_types::experiment::Effect::default();
    document.comparisons[0].reason = Some("an arm is empty".to_owned());
    let html = experiment_report(&document, &[]);
    assert!(
        html.contains("Nothing is shown of &lt;b&gt;B&lt;/b&gt; on revenue yet: an arm is empty"),
        "{html}"
    );
    assert!(!html.contains("class=\"chart"), "{html}");
}

#[test]
fn an_arm_of_weight_0_is_told_without_a_p_value() {
    let mut document = document("better", "ok");
    document.arms.push(Arm { arm: "C".to_owned(), n: 9, weight: 0.0 });
    document.comparisons[0].verdict = Verdict::Equivalent;
    document.comparisons.push(Comparison {
        arm: "C".to_owned(),
        verdict: Verdict::Inconclusive,
        p_adjusted: None,
        reason: Some("left out of the test".to_owned()),
        ..document.comparisons[0].clone()
    });
    assert_eq!(document.overall(), Verdict::Equivalent);
    let html = experiment_report(&document, &[]);
    assert!(html.contains("Nothing is shown of C on revenue yet: left out of the test</li>"), "{html}");
}

#[test]
fn thousands_of_comparisons_and_looks_stay_below_two_megabytes() {
    let mut document = document("inconclusive", "ok");
    let of = |i: usize| Comparison {
        metric: format!("a rather long name of metric {}", i / 3),
        arm: format!("a rather long name of arm {}", i % 3),
        role: Role::Secondary,
        ledger: vec![format!("summed: rows of unit {i}")],
        ..document.comparisons[0].clone()
    };
    let mut comparisons: Vec<Comparison> = (0..3_000).map(of).collect();
    // What matters is the last of all.
    comparisons[2_999].verdict = Verdict::Worse;
    comparisons[2_998].role = Role::Primary;
    let segment = |i: usize| Segment {
        segment: [("region".to_owned(), Some(format!("region {i}")))].into(),
        arms: document.arms.clone(),
        srm: document.srm.clone(),
        comparisons: if i == 299 { comparisons[2_940..].to_vec() } else { comparisons[..60].to_vec() },
    };
    let check = |i: usize| {
        serde_json::json!({"check": "missing", "verdict": "warning", "subject": format!("metric {i}"), "observed": 0.2, "bound": 0.1,
            "meaning": "Values are missing in one arm more often than in the other.", "advice": "Find out why."})
    };
    document.segments = (0..300).map(segment).collect();
    document.health = (0..1_000).map(|i| serde_json::from_value(check(i)).unwrap()).collect();
    document.comparisons = comparisons;
    let looks: Vec<Point> = document.comparisons[2_000..]
        .iter()
        .flat_map(|found| {
            (0..100).map(move |day| Point {
                metric: found.metric.clone(),
                arm: found.arm.clone(),
                ..point(day, 0.1)
            })
        })
        .collect();
    let html = experiment_report(&document, &looks);
    assert!(html.len() < 2_000_000, "{}", html.len());
    for told in [
        "Shown are 250 of 3,000 comparisons; the JSON document has all.",
        "Shown are 30 of 1,000 comparisons over time",
        "Shown are 50 of 300 segments",
        "Shown are 100 of 1,000 checks that found something",
        "Shown are 100 of 3,000 lines",
        "region 299</strong>, 102 units: a rather long name of arm 2 worse on a rather long name of metric 999",
        "a rather long name of arm 1 on a rather long name of metric 999",
    ] {
        assert!(html.contains(told), "no `{told}`");
    }
    // A look at the most important comparison is drawn first.
    let over_time = html.split_once("Over time").unwrap().1;
    assert!(over_time.find("metric 999").unwrap() < over_time.find("metric 666").unwrap());
}
