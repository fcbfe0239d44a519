//! Latency over the store: cuts by version, arm, stage and tag, kept by hand once and served as JSON.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use windvane_kit::{Service, eventually};

use crate::asking::{query, send, stdout, windvane};

const BINARY: &str = env!("CARGO_BIN_EXE_windvane");
/// 2013-01-01.
const START_US: i64 = 1_356_998_400_000_000;
const DAY_US: i64 = 86_400_000_000;
const EVENTS: i64 = 400;

/// A prediction of a model that does not say how long it took.
const SILENT: &str =
    r#"{"model":"silent","event_id":"1","ts":"2013-01-02T05:00:00Z","prediction":{"score":0.5}}"#;

/// An event of a day, 0 or 1. On the second day arm B takes three times as long, for its features do.
#[derive(Clone, Copy)]
struct Event {
    day: i64,
    i: i64,
}

impl Event {
    fn is_b(self) -> bool {
        self.i % 2 == 1
    }

    fn ts(self) -> i64 {
        START_US + self.day * DAY_US + self.i * 60_000_000
    }

    /// How long its features and its model took, microseconds.
    fn stages(self) -> [i64; 2] {
        let slow = if self.is_b() && self.day == 1 { 5 } else { 1 };
        [(1_000 + self.i * 37 % 100 * 10) * slow, 1_000 + self.i * 61 % 100 * 10]
    }

    fn trace(self) -> String {
        format!("{:032x}", 1 + self.day * 1_000 + self.i)
    }

    fn prediction(self) -> String {
        let version = if self.i % 4 < 2 { "7" } else { "8" };
        let tags = if self.i % 8 == 0 {
            json!({})
        } else {
            let region = if self.i % 3 % 2 == 0 { "east" } else { "west" };
            json!({ "region": region })
        };
        let event = json!({
            "model": "quick", "version": version, "event_id": format!("{}-{}", self.day, self.i), "ts": self.ts(),
            "arms": { "checkout": if self.is_b() { "B" } else { "A" } }, "features": { "x": 1 }, "tags": tags,
            "prediction": { "score": 0.5 }, "trace_id": self.trace(), "latency_us": self.stages().iter().sum::<i64>(),
        });
        format!("{event}\n")
    }

    fn spans(self) -> Vec<Value> {
        let mut start = self.ts() - 10_000;
        let span = |(name, took): (&str, i64)| {
            let (from, to) = (start, start + took);
            start = to;
            json!({
                "traceId": self.trace(), "spanId": format!("{from:016x}"), "name": name, "kind": 1,
                "startTimeUnixNano": (from * 1_000).to_string(), "endTimeUnixNano": (to * 1_000).to_string(),
            })
        };
        ["features", "model"].into_iter().zip(self.stages()).map(span).collect()
    }
}

fn events() -> impl Iterator<Item = Event> {
    (0..2).flat_map(|day| (0..EVENTS).map(move |i| Event { day, i }))
}

async fn send_all(service: &Service) {
    send(service, "predictions", events().map(Event::prediction).collect()).await;
    let mut spans: Vec<Value> = events().flat_map(Event::spans).collect();
    // A trace of no prediction is no stage of one.
    spans.push(json!({
        "traceId": "f".repeat(32), "spanId": "f".repeat(16), "name": "other", "kind": 1,
        "startTimeUnixNano": (START_US * 1_000).to_string(), "endTimeUnixNano": (START_US * 1_000 + 1).to_string(),
    }));
    let message = json!({ "resourceSpans": [{ "scopeSpans": [{ "spans": spans }] }] });
    let sent = reqwest::Client::new()
        .post(format!("{}/v1/traces", service.url()))
        .header("content-type", "application/json")
        .body(message.to_string())
        .send()
        .await
        .unwrap();
    assert_eq!(sent.status(), 200, "{}", sent.text().await.unwrap());
    send(service, "predictions", SILENT.to_owned()).await;
    let counted = "SELECT (SELECT count() FROM predictions), (SELECT count() FROM spans)";
    let expected = format!("{}\t{}", 2 * EVENTS + 1, 4 * EVENTS + 1);
    eventually(Duration::from_secs(30), || match query(service, counted) {
        found if found == expected => Ok(()),
        found => Err(found),
    });
}

/// The latencies of the second day's events that pass, ascending.
fn latencies(passes: impl Fn(Event) -> bool, took: impl Fn(Event) -> i64) -> Vec<i64> {
    let mut all: Vec<i64> =
        (0..EVENTS).map(|i| Event { day: 1, i }).filter(|event| passes(*event)).map(took).collect();
    all.sort_unstable();
    all
}

/// The median of a group is that of its events, to the promised half per cent.
fn check(document: &Value, group: &Value, truth: &[i64], verdict: &str) {
    let groups = document["groups"].as_array().unwrap();
    let found = groups
        .iter()
        .find(|found| found["group"] == *group)
        .unwrap_or_else(|| panic!("no {group}: {document}"));
    assert_eq!((&found["n"], &found["drift"]["verdict"]), (&truth.len().into(), &verdict.into()), "{found}");
    let median = truth[truth.len().div_ceil(2) - 1] as f64;
    let told = found["quantiles"][0]["value"].as_f64().unwrap();
    assert!((told / median - 1.0).abs() <= 0.005 + 1e-9, "{told} instead of {median} of {group}");
}

async fn the_api_serves_it(service: &Service, printed: &Value) {
    let get = async |path: &str| {
        let answer = reqwest::get(format!("{}/api/v1/models/{path}", service.url())).await.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
    };
    let (status, served) = get("quick/latency").await;
    assert_eq!((status, &served["schema"]), (200, &"windvane.latency_runs/1".into()), "{served}");
    let by_name = |groups: &Value| {
        let mut groups = groups.as_array().unwrap().clone();
        groups.sort_by_key(|group| group["group"].to_string());
        groups
    };
    assert_eq!(by_name(&served["runs"][0]["groups"]), by_name(&printed["groups"]));
    let (_, arms) = get("quick/latency?segment=arm:checkout").await;
    assert_eq!(arms["runs"][0]["groups"].as_array().unwrap().len(), 2, "{arms}");
    for (path, status, code) in [
        ("nope/latency", 404, "unknown_model"),
        ("quick/latency?limit=0", 400, "invalid_parameter"),
        ("quick/latency?from=yesterday", 400, "invalid_parameter"),
        ("quick/latency?page=2", 400, "unknown_parameter"),
    ] {
        let (found, problem) = get(path).await;
        assert_eq!((found, &problem["code"]), (status, &code.into()), "{path}: {problem}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_arms_stages_and_tags_have_their_own_quantiles() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::start(Path::new(BINARY), folder.path(), "");
    send_all(&service).await;
    let asked = [
        "latency",
        "--model",
        "quick",
        "--window",
        "2013-01-02/2013-01-03",
        "--reference",
        "window:2013-01-01/2013-01-02",
        "--by",
        "version,arm:checkout,stage,region",
        "--format",
        "json",
    ];
    let whole = |event: Event| event.stages().iter().sum::<i64>();
    let mut first = Value::Null;
    for _ in 0..2 {
        let document: Value = serde_json::from_str(&stdout(&windvane(&service, &asked))).unwrap();
        let groups = document["groups"].as_array().unwrap();
        let cuts: Vec<&str> = groups
            .iter()
            .flat_map(|group| group["group"].as_object().unwrap().keys())
            .map(String::as_str)
            .collect();
        assert_eq!(
            cuts.join(" "),
            "version version arm:checkout arm:checkout stage stage region region region"
        );
        check(&document, &json!({}), &latencies(|_| true, whole), "slower");
        check(&document, &json!({ "arm:checkout": "A" }), &latencies(|e| !e.is_b(), whole), "steady");
        check(&document, &json!({ "arm:checkout": "B" }), &latencies(Event::is_b, whole), "slower");
        check(&document, &json!({ "version": "8" }), &latencies(|e| e.i % 4 >= 2, whole), "slower");
        check(&document, &json!({ "stage": "features" }), &latencies(|_| true, |e| e.stages()[0]), "slower");
        check(&document, &json!({ "stage": "model" }), &latencies(|_| true, |e| e.stages()[1]), "steady");
        check(&document, &json!({ "region": null }), &latencies(|e| e.i % 8 == 0, whole), "steady");
        first = document;
    }
    // Twice looked at, once there; and served as it was printed.
    let kept = "SELECT count(), uniqExact(run_id), uniqExact((segment_key, segment_value)) FROM latency_findings FINAL \
                WHERE model = 'quick' AND method LIKE 'p%'";
    assert_eq!(query(&service, kept), "50\t1\t10");
    the_api_serves_it(&service, &first).await;
    attributions_are_of_the_version_that_is_asked_for(&service);
    // The engine took the logarithm of no latency at all, and failed.
    let silent = ["latency", "--model", "silent", "--window", "2013-01-02/2013-01-03", "--by", "version"];
    let words = [&silent[..], &["--slo", "99%:50ms", "--format", "json"]].concat();
    let document: Value = serde_json::from_str(&stdout(&windvane(&service, &words))).unwrap();
    assert_eq!(
        (&document["current"]["rows"], &document["verdict"]),
        (&0.into(), &"insufficient_data".into())
    );
    // A name of nothing was 0 latencies, and an objective of it was met.
    let named = |column| [&silent[..], &["--column", column, "--slo", "99%:50ms"]].concat();
    let wrong = windvane(&service, &named("latncy_us"));
    let said = String::from_utf8_lossy(&wrong.stderr);
    assert_eq!((wrong.status.code(), wrong.stdout.len()), (Some(65), 0), "{said}");
    assert!(said.contains("there is no column `latncy_us`"), "{said}");
    assert!(stdout(&windvane(&service, &named("prediction.score"))).contains("1 latency"));
    assert_eq!(service.terminate(), Some(0));
}

fn attributions_are_of_the_version_that_is_asked_for(service: &Service) {
    let asked = [
        "attribution",
        "--model",
        "quick",
        "--model-version",
        "8",
        "--window",
        "2013-01-02/2013-01-03",
        "--reference",
        "window:2013-01-01/2013-01-02",
        "--columns",
        "x",
        "--format",
        "json",
    ];
    let document: Value = serde_json::from_str(&stdout(&windvane(service, &asked))).unwrap();
    let half = Value::from(EVENTS / 2);
    assert_eq!((&document["reference"]["rows"], &document["current"]["rows"]), (&half, &half), "{document}");
    let kept = "SELECT DISTINCT version FROM attribution_findings FINAL WHERE model = 'quick'";
    assert_eq!(query(service, kept), "8");
}
