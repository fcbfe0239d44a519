//! Gates of made-up runs: what a report and its page say, what they never hold.

use windvane_store::findings::gate::Latest;
use windvane_types::gate::{BatchRates, Shown, SkippedRequest, SkippedRequests};

use super::*;

/// A run as the command prints it, as far as a page needs it.
fn document(verdict: &str) -> Document {
    let times = serde_json::json!({
        "p50": 800.0, "p90": 900.0, "p95": 950.0, "p99": 1500.0, "p999": null, "mean": 820.0, "max": 2000.0, "n": 600, "cold_start": 5000.0,
        "open": null, "service_p50": null, "service_p99": null, "steady": true, "batch_mean": null, "curve": [[700.0, 0.0], [800.0, 0.5], [2000.0, 1.0]]
    });
    let model = |path: &str, sha256: &str| {
        serde_json::json!({"path": path, "sha256": sha256, "bytes": 10, "opset": 17, "producer": null, "inputs": [], "outputs": [],
            "placement": {"nodes": {"CPUExecutionProvider": 3}, "on_cpu": []}, "batchable": true})
    };
    let check = serde_json::json!({"check": "agreement", "verdict": verdict, "observed": 0.91, "bound": 0.99, "ci": [0.88, 0.93], "n": 600,
        "reason": "answers agree in 91 % of requests", "subject": "region=<east>"});
    let output = serde_json::json!({"output": "<score>", "rate": 0.91, "max_abs": 0.2, "max_rel": null, "nonfinite": 0, "element": "float32", "atol": null,
        "rtol": null, "agree": 546, "n": 600, "nonfinite_champion": 0, "shape_differs": 0, "mean_abs": null, "max_ulp": null, "min_cosine": null,
        "top_class": null, "distribution": null, "rank": null, "drift": null});
    serde_json::from_value(serde_json::json!({
        "schema": "windvane.gate/1", "verdict": verdict, "checks": [check], "requests": 600,
        "agreement": {"rate": 0.91, "agree": 546, "n": 600, "ci": null, "outputs": [output], "errors": 0,
            "segments": [{"segment": {"region": "<east>"}, "rate": 0.5, "agree": 1, "n": 2, "ci": [0.1, 0.9]}], "segments_left_out": 0,
            "worst": [{"request": 7, "times_tolerance": null, "what": "off by 0.2", "inputs": {}, "champion": {}, "candidate": {}}],
            "noise": {"n": 600, "agree": 600, "batch": 8, "max_abs": 0.001, "p_value": null, "again": {"n": 600, "agree": 599, "max_abs": 0.0}}},
        "latency_us": {"champion": times, "candidate": times, "ratio": {}, "clock": "wall"},
        "throughput_per_s": {"champion": 1000.0, "candidate": null}, "quality": {"labelled": 0, "metrics": []},
        "provenance": {"champion": model("models/delay-7.onnx", "aa"), "candidate": model("models/<delay-8>.onnx", "bb"), "policy_sha256": "cc",
            "traffic": "store: model delay", "traffic_sha256": null, "runtime": "1.22", "runtime_library": "l", "device": "cpu", "provider": "CPU",
            "provider_options": {}, "gpu": null, "pace": "max", "batch_max": 8, "threads": 2, "seeds": {}, "windvane": "0", "memory_peak_bytes": null},
        "notes": [], "not_asked": null, "override_by": null
    }))
    .unwrap()
}

fn latest(document: &str) -> Latest {
    Latest {
        gate: "delay <8>".to_owned(),
        run_id: "r".to_owned(),
        computed_at_us: 86_400_000_000,
        model: "delay".to_owned(),
        version: "8".to_owned(),
        candidate_sha256: "bb".to_owned(),
        verdict: "fail".to_owned(),
        document: document.to_owned(),
    }
}

#[test]
fn a_page_says_what_the_report_says_and_whose_run_it_was() {
    let document = document("fail");
    let page = gate_page(&latest(""), &document).into_string();
    let report = gate_report(&document);
    let json = address::document(&address::gate_document(&latest("").gate));
    let shown = |source: &Markup| content(&document, source).into_string();
    assert!(page.contains(&shown(&html! { p.from { (json) } })) && report.contains(&shown(&html! {})));
    for part in [
        "delay &lt;8&gt;",
        "ran <time datetime=\"1970-01-02T00:00:00",
        "href=\"/models/delay\"",
        "href=\"/api/v1/gates/delay%20%3C8%3E\"",
        "href=\"/api/v1/gates/delay%20%3C8%3E/evaluate\"",
        "href=\"/sql/gate_checks?gate=delay%20%3C8%3E\"",
        "href=\"/api/v1/views/gate_checks?gate=delay%20%3C8%3E&amp;format=csv\"",
        "No: agreement.",
        "answers agree in 91 % of requests",
        "region=&lt;east&gt;",
        "0.88 to 0.93",
        "Requests that agree, by output: &lt;score&gt; 91.00 %",
        "off by 0.2",
        "– at most</td>",
        "The champion with itself, in calls of 8: 600 of 600, largest difference 0.001",
        "in calls of the same size: 599 of 600, largest difference 0",
    ] {
        assert!(page.contains(part), "no `{part}` in {page}");
    }
    // Each table is followed by the document that it is taken from.
    let document = "<p class=\"from\"><span class=\"source\"><a href=\"/api/v1/gates/delay%20%3C8%3E\"";
    for heading in ["How alike are the answers?", "How long do answers take?", "What was compared"] {
        let section = page.split(heading).nth(1).and_then(|rest| rest.split("<h2>").next()).unwrap();
        assert!(section.contains(document), "no source after `{heading}` in {page}");
    }
    for never in ["<east>", "<score>", "<delay-8>", "style=\"", "NaN"] {
        assert!(!page.contains(never), "`{never}` in {page}");
    }
}

#[test]
fn a_report_needs_nothing_else() {
    let html = gate_report(&document("pass"));
    assert!(html.contains("Yes: every check passes on 600 requests."), "{html}");
    for outside in ["http://", "https://", "<script", "src=", "href=\"/", "@import", "url("] {
        assert!(!html.contains(outside), "`{outside}` in {html}");
    }
}

#[test]
fn a_list_has_each_gates_verdict_models_and_requests() {
    let printed = serde_json::to_string(&document("inconclusive")).unwrap();
    let html = list(&[latest(&printed), latest("{}")]).into_string();
    for part in [
        "href=\"/gates/delay%20%3C8%3E\"",
        "Not enough is known: agreement.",
        "delay-7.onnx",
        "&lt;delay-8&gt;.onnx",
        "SHA-256 bb",
        ">600<",
        "recorded by another version",
        "aria-current=\"page\">Gates",
        "href=\"/api/v1/gates\"",
        "href=\"/sql/gates\"",
        "href=\"/api/v1/views/gates?format=csv\"",
    ] {
        assert!(html.contains(part), "no `{part}` in {html}");
    }
}

#[test]
fn a_list_without_gates_says_how_to_run_one() {
    let html = list(&[]).into_string();
    assert!(html.contains("No run of a gate is recorded"), "{html}");
    assert!(html.contains("windvane shadow run --champion") && html.contains("--record NAME"), "{html}");
}

#[test]
fn a_report_names_requests_that_could_not_be_asked() {
    let mut document = document("inconclusive");
    assert!(!gate_report(&document).contains("What could not be asked?"));
    let request = SkippedRequest {
        request: 7,
        id: "<flight-7>".to_owned(),
        reason: "has the datatype BF16".to_owned(),
    };
    document.skipped = SkippedRequests { n: 30, share: Some(0.05), first: vec![request] };
    let html = gate_report(&document);
    for part in
        ["30 requests were left out; the first 1 of them:", "&lt;flight-7&gt;", "has the datatype BF16"]
    {
        assert!(html.contains(part), "no `{part}`: {html}");
    }
}

#[test]
fn throughput_is_drawn_where_calls_of_several_sizes_were_timed() {
    let mut document = document("pass");
    let rates = |batch, champion_per_s| BatchRates { batch, champion_per_s, candidate_per_s: Some(50.0) };
    document.by_batch = vec![rates(1, Some(100.0))];
    let caption = "Requests a second by requests in a call";
    assert!(!gate_report(&document).contains(caption));
    document.by_batch.push(rates(2, None));
    let html = gate_report(&document);
    assert!(html.contains(caption) && html.contains("up to 100 requests a second"), "{html}");
}

#[test]
fn a_gate_without_figures_is_shown() {
    let mut document = document("inconclusive");
    document.latency_us.champion = Latencies::default();
    document.latency_us.candidate = Latencies::default();
    document.agreement.outputs.clear();
    document.checks.clear();
    let html = gate_page(&latest(""), &document).into_string();
    assert!(html.contains("Not enough is known"), "{html}");
    assert!(!html.contains("NaN") && !html.contains("inf "), "{html}");
}

#[test]
fn a_gate_of_thousands_of_checks_and_outputs_stays_below_two_megabytes() {
    let mut document = document("pass");
    let check = |i: usize| Check {
        subject: Some(format!("region=a rather long name of region {i}")),
        reason: "answers agree in 99 % of requests, and no fewer than 98 % of them had to. ".repeat(10),
        ..document.checks[0].clone()
    };
    let output = |i: usize| Output {
        output: format!("a rather long name of output {i}"),
        ..document.agreement.outputs[0].clone()
    };
    let first = vec![serde_json::json!(0.123_456_789_012_345); 100];
    let shown = |i: usize| (format!("input {i}"), Shown { shape: vec![1, 100], first: first.clone() });
    let deviation = |i: u64| Deviation {
        request: i,
        inputs: (0..100).map(shown).collect(),
        ..document.agreement.worst[0].clone()
    };
    let skipped = |i: u64| SkippedRequest {
        request: i,
        id: format!("flight {i}"),
        reason: "has no value. ".repeat(100),
    };
    let mut checks: Vec<Check> = (0..3_000).map(check).collect();
    checks[2_999].verdict = Verdict::Fail;
    let mut outputs: Vec<Output> = (0..3_000).map(output).collect();
    outputs[2_999].agree = 0;
    let worst = (0..40).map(deviation).collect();
    document.checks = checks;
    document.agreement.outputs = outputs;
    document.agreement.worst = worst;
    document.agreement.segments = vec![document.agreement.segments[0].clone(); 100];
    document.skipped =
        SkippedRequests { n: 5_000, share: Some(0.5), first: (0..1_000).map(skipped).collect() };
    let html = gate_report(&document);
    assert!(html.len() < 2_000_000, "{}", html.len());
    for told in [
        "a rather long name of region 2999",
        "a rather long name of output 2999",
        "Shown are 500 of 3,000 checks; the JSON document has all.",
        "Shown are 500 of 3,000 outputs",
        "Shown are 20 of 100 segments",
        "Shown are 20 of 40 requests",
        "The JSON document has the rest.",
        "5,000 requests were left out; the first 100 of them:",
    ] {
        assert!(html.contains(told), "no `{told}`");
    }
    document.verdict = Verdict::Fail;
    for check in &mut document.checks {
        check.verdict = Verdict::Fail;
    }
    let html = gate_report(&document);
    assert!(
        html.contains("agreement, agreement and 2,988 more.") && html.len() < 2_000_000,
        "{}",
        html.len()
    );
}
