//! Quality over the store: by hand and by monitor, kept once, served as JSON.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use windvane_kit::{Service, eventually};

use crate::asking::{query, send, stdout, windvane};

const BINARY: &str = env!("CARGO_BIN_EXE_windvane");

/// 300 predictions on each of three days. On the third one version 8 comes beside 7: it calls the carrier by a number and lacks the
/// distance; and ten events come again under their ids with another time.
fn predictions() -> Vec<String> {
    let line = |day: u32, i: u32| {
        let version = if day == 3 && i.is_multiple_of(3) { "8" } else { "7" };
        let carrier = ["\"UA\"", "\"DL\"", "\"AA\""][(i % 7 % 3) as usize];
        let features = match version {
            "8" => format!(r#"{{"carrier":{}}}"#, i % 7 % 3),
            _ => format!(r#"{{"distance":{},"carrier":{carrier}}}"#, i * 37 % 50),
        };
        format!(
            r#"{{"model":"delay","version":"{version}","event_id":"{day}-{i}","ts":"2013-01-0{day}T{:02}:{:02}:00Z","features":{features},"prediction":{{"score":0.5}}}}"#,
            i / 60,
            i % 60
        )
    };
    let again = (0..10).map(|i| line(3, 3 * i + 1).replace("T00:", "T22:"));
    (1..=3).flat_map(|day| (0..300).map(move |i| line(day, i))).chain(again).collect()
}

fn failed(document: &Value) -> Vec<String> {
    let checks = document["checks"].as_array().unwrap();
    let name = |check: &Value| {
        format!("{} {}", check["check"].as_str().unwrap(), check["column"].as_str().unwrap_or("-"))
    };
    let mut failed: Vec<String> =
        checks.iter().filter(|check| check["verdict"] == "fail").map(name).collect();
    failed.sort_unstable();
    failed
}

/// What the read API says of the monitor's runs.
async fn serves(service: &Service, found: &[String]) {
    let get = async |path: &str| {
        let answer = reqwest::get(format!("{}/api/v1/models/{path}", service.url())).await.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
    };
    let (status, runs) = get("delay/quality?monitor=data&verdict=fail").await;
    assert_eq!((status, &runs["schema"]), (200, &"windvane.quality_runs/1".into()));
    let runs = runs["runs"].as_array().unwrap();
    assert_eq!((runs.len(), &runs[0]["window_start"]), (1, &"2013-01-03T00:00:00Z".into()));
    assert_eq!(failed(&runs[0]), found);
    let (_, page) = get("delay/quality?limit=1").await;
    assert_eq!(page["next_offset"], 1);
    assert_eq!(get("nobody/quality").await.0, 404);
    for unknown in ["verdict=bad", "check=range_of", "limit=0", "from=yesterday"] {
        let (status, problem) = get(&format!("delay/quality?{unknown}")).await;
        assert_eq!((status, &problem["code"]), (400, &"invalid_parameter".into()), "{unknown}");
    }
    assert_eq!(get("delay/quality?page=2").await.1["code"], "unknown_parameter");
    let (_, versions) = get("delay/quality?monitor=data&check=version_schema").await;
    let checks = versions["runs"][0]["checks"].as_array().unwrap();
    assert!(checks.iter().all(|check| check["check"] == "version_schema"), "{versions}");
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_of_a_window_are_found_by_hand_and_by_a_monitor_and_served() {
    let folder = tempfile::tempdir().unwrap();
    let monitor =
        "[monitors.data]\nkind = \"quality\"\nmodel = \"delay\"\nreference = \"previous\"\nenabled = false\n";
    let service = Service::start(Path::new(BINARY), folder.path(), monitor);
    let events = predictions();
    send(&service, "predictions", events.join("\n")).await;
    eventually(Duration::from_secs(30), || {
        match query(&service, "SELECT count() FROM predictions").as_str() {
            "910" => Ok(()),
            other => Err(other.to_owned()),
        }
    });
    let quality = |spans: [&str; 2], more: &[&str]| {
        let words = [
            &[
                "quality",
                "--model",
                "delay",
                "--reference",
                spans[0],
                "--window",
                spans[1],
                "--format",
                "json",
            ],
            more,
        ];
        windvane(&service, &words.concat())
    };
    let days = ["window:2013-01-01/2013-01-02", "2013-01-02/2013-01-03"];
    let same = quality(days, &["--fail-on", "fail"]);
    assert_eq!(same.status.code(), Some(0), "{}", String::from_utf8_lossy(&same.stdout));

    let days = ["window:2013-01-02/2013-01-03", "2013-01-03/2013-01-04"];
    let printed = quality(days, &["--fail-on", "fail", "--no-record"]);
    assert_eq!(printed.status.code(), Some(1), "{printed:?}");
    let document: Value = serde_json::from_slice(&printed.stdout).unwrap();
    let expected = ["column_added carrier", "duplicate_keys -", "missing_rate distance", "version_schema -"];
    let found = failed(&document);
    for one in &expected[1..] {
        assert!(found.contains(&(*one).to_owned()), "{one} in {found:?}");
    }
    let checks = document["checks"].as_array().unwrap();
    let version = checks.iter().find(|check| check["observed"]["version"] == "8").unwrap();
    assert_eq!(version["verdict"], "fail");
    let told = version["examples"].to_string();
    assert!(told.contains("\"sent_as\":\"number\"") && told.contains("\"missing\":1.0"), "{told}");
    let kept = "SELECT count() FROM quality_findings WHERE window_start = '2013-01-03'";
    assert_eq!(query(&service, kept), "0");

    // By a monitor: the same window, twice, is there once.
    for _ in 0..2 {
        let words = ["monitor", "run", "data", "--at", "2013-01-04", "--fail-on", "fail", "--format", "json"];
        let ran = windvane(&service, &words);
        assert_eq!(ran.status.code(), Some(1), "{ran:?}");
        let by_monitor: Value = serde_json::from_slice(&ran.stdout).unwrap();
        assert_eq!(failed(&by_monitor), found);
    }
    let once = "SELECT count() = uniq(column_name, method), countDistinct(run_id) FROM quality_findings FINAL WHERE monitor = 'data'";
    assert_eq!(query(&service, once), "1\t1");
    let words = ["monitor", "backfill", "data", "--from", "2013-01-02", "--to", "2013-01-04"];
    let table = windvane(&service, &words);
    let table = String::from_utf8_lossy(&table.stdout).into_owned();
    assert!(table.contains("2013-01-02 to 2013-01-03  300          pass"), "{table}");
    assert!(table.contains("2013-01-03 to 2013-01-04  310          fail"), "{table}");

    serves(&service, &found).await;
    compares_with_nothing(&service);
    pages_go_on_behind_a_window_without_findings(&service).await;
    assert_eq!(service.terminate(), Some(0));
}

/// Runs the window that ends then, and says how the command exits, what the ledger says, and how many checks of it fail.
fn ran(service: &Service, end: &str) -> (Option<i32>, String, String) {
    let words = ["monitor", "run", "data", "--at", end, "--fail-on", "fail"];
    let code = windvane(service, &words).status.code();
    let told = |sql: &str| query(service, &format!("{sql} WHERE monitor = 'data' AND window_end = '{end}'"));
    let run = told("SELECT verdict, rows_reference, rows_current FROM monitor_runs FINAL");
    (code, run, told("SELECT countIf(verdict = 'fail') FROM quality_findings FINAL"))
}

/// A window whose reference has no predictions neither passes nor fails.
fn compares_with_nothing(service: &Service) {
    let expected = |code, run: &str, failed: &str| (Some(code), run.to_owned(), failed.to_owned());
    assert_eq!(ran(service, "2013-01-02"), expected(2, "insufficient_data\t0\t300", "0"));
    let words = ["monitor", "backfill", "data", "--from", "2013-01-01", "--to", "2013-01-02"];
    let table = stdout(&windvane(service, &words));
    assert!(table.contains("2013-01-01 to 2013-01-02  300          insufficient data"), "{table}");
    // One without predictions fails, also where there were none before.
    for (end, run) in [("2013-01-05", "fail\t310\t0"), ("2013-01-06", "fail\t0\t0")] {
        assert_eq!(ran(service, end), expected(1, run, "1"));
    }
    // What was found while the reference was there is no longer said.
    let gone = "ALTER TABLE windvane.predictions DELETE WHERE ts < '2013-01-03' SETTINGS mutations_sync = 2";
    stdout(&windvane(service, &["query", gone]));
    assert_eq!(ran(service, "2013-01-04"), expected(2, "insufficient_data\t0\t310", "0"));
}

/// The window whose findings were emptied is on no page, and ends none.
async fn pages_go_on_behind_a_window_without_findings(service: &Service) {
    let (mut offset, mut ends) = (Some(0), Vec::new());
    while let Some(at) = offset {
        let path = format!("/api/v1/models/delay/quality?monitor=data&limit=1&offset={at}");
        let answer = reqwest::get(format!("{}{path}", service.url())).await.unwrap();
        let page: Value = answer.json().await.unwrap();
        ends.extend(page["runs"].as_array().unwrap().iter().map(|run| run["window_end"].to_string()));
        offset = page["next_offset"].as_u64();
    }
    let days = ["06", "05", "03"].map(|day| format!("\"2013-01-{day}T00:00:00Z\""));
    assert_eq!(ends, days);
}
