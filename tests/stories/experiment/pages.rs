//! What is read of an experiment: the read API, the pages and the report say what the command says.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use windvane_kit::{Service, eventually};

use crate::asking::{query, send, windvane};

const EXPERIMENTS: &str = r#"
[experiments."check out"]
control = "A"
window = "2d"
[experiments."check out".metrics.revenue]
[experiments."check out".metrics.bought]
type = "proportion"
[experiments.unseen]
control = "A"
[experiments.unseen.metrics.revenue]
[experiments."check out later"]
control = "A"
start = "2100-01-01"
exposures = "predictions"
[experiments."check out later".metrics.revenue]
"#;

async fn get(service: &Service, path: &str) -> (u16, String) {
    let answer = reqwest::Client::new().get(format!("{}{path}", service.url())).send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

async fn json(service: &Service, path: &str) -> (u16, Value) {
    let (status, text) = get(service, path).await;
    (status, serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}: {text}")))
}

/// 60 units in two arms; those of `<B>` spend more, and as many of them buy.
async fn send_events(service: &Service) {
    let (mut exposures, mut measurements) = (String::new(), String::new());
    for i in 0..60_u32 {
        let arm = if i % 2 == 0 { "A" } else { "<B>" };
        let at = "2013-01-01T00:00:00Z";
        let exposure = format!(r#"{{"experiment":"check out","unit_id":"u{i}","arm":"{arm}","ts":"{at}"}}"#);
        writeln!(exposures, "{exposure}").unwrap();
        for (metric, value) in [("revenue", 10 + i % 7 + 5 * (i % 2)), ("bought", u32::from(i % 4 < 2))] {
            let measurement = format!(
                r#"{{"unit_id":"u{i}","metric":"{metric}","value":{value},"ts":"2013-01-01T10:00:00Z"}}"#
            );
            writeln!(measurements, "{measurement}").unwrap();
        }
    }
    for (kind, body) in [("exposures", exposures), ("measurements", measurements)] {
        send(service, kind, body).await;
    }
    let stored = "SELECT (SELECT count() FROM exposures), (SELECT count() FROM measurements)";
    eventually(Duration::from_secs(30), || match query(service, stored).as_str() {
        "60\t120" => Ok(()),
        other => Err(other.to_owned()),
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn experiments_are_read_over_http_as_the_command_prints_them() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::start(Path::new(env!("CARGO_BIN_EXE_windvane")), folder.path(), EXPERIMENTS);
    let (status, none) = json(&service, "/api/v1/experiments").await;
    assert_eq!((status, none["experiments"].as_array().unwrap().len()), (200, 0));
    assert!(get(&service, "/experiments").await.1.contains("[experiments.checkout]"));

    send_events(&service).await;
    let look = || {
        let printed = windvane(&service, &["experiment", "check out", "--format", "json"]);
        assert!(printed.status.success(), "{}", String::from_utf8_lossy(&printed.stderr));
        serde_json::from_slice::<Value>(&printed.stdout).unwrap()
    };
    look();
    let printed = look();

    let (status, mut read) = json(&service, "/api/v1/experiments/check%20out").await;
    assert_eq!((status, &read["looks"], &read["experiment"]), (200, &2.into(), &"check out".into()));
    let over_time = read["over_time"].take();
    let revenue = over_time.as_array().unwrap().iter().find(|of| of["metric"] == "revenue").unwrap();
    let latest =
        printed["comparisons"].as_array().unwrap().iter().find(|of| of["metric"] == "revenue").unwrap();
    assert_eq!(revenue["looks"].as_array().unwrap().len(), 2);
    assert_eq!(revenue["looks"][1]["estimate"], latest["relative"]["estimate"]);
    assert_eq!(revenue["looks"][1]["ci"], latest["relative"]["ci"]);
    assert_eq!(revenue["looks"][1]["sequential_ci"], latest["sequential"]["ci"]);
    assert_eq!((&revenue["looks"][1]["n"], &revenue["looks"][1]["verdict"]), (&30.into(), &"better".into()));
    let read = read.as_object().unwrap();
    for (key, value) in printed.as_object().unwrap() {
        assert_eq!(read.get(key), Some(value), "{key} is as the command printed it");
    }
    for (name, told) in [
        ("unseen", "no unit has come to experiment `unseen` with events of /v1/exposures"),
        ("check out later", "`arms` of predictions"),
        ("check out later", "since its start, 2100-01-01T00:00:00Z"),
    ] {
        let failed = windvane(&service, &["experiment", name]);
        let stderr = String::from_utf8_lossy(&failed.stderr);
        assert!(failed.status.code() == Some(65) && stderr.contains(told), "{name}: {stderr}");
    }
    check_lists(&service).await;
    check_pages(&service, folder.path()).await;
    assert_eq!(service.terminate(), Some(0));
}

async fn check_lists(service: &Service) {
    for (path, experiments) in [
        ("/api/v1/experiments", 1),
        ("/api/v1/experiments?verdict=better&srm=ok&limit=1", 1),
        ("/api/v1/experiments?verdict=worse", 0),
        ("/api/v1/experiments?srm=mismatch", 0),
        ("/api/v1/experiments?offset=1", 0),
    ] {
        let (status, list) = json(service, path).await;
        assert_eq!((status, list["experiments"].as_array().unwrap().len()), (200, experiments), "{path}");
        assert_eq!(list["schema"], "windvane.experiments/1");
        assert_eq!(list["next_offset"], Value::Null, "{path}");
    }
    let list = json(service, "/api/v1/experiments").await.1;
    let first = &list["experiments"][0];
    assert_eq!(
        (&first["experiment"], &first["looks"], &first["verdict"]),
        (&"check out".into(), &2.into(), &"better".into())
    );
    assert_eq!(first["comparisons"].as_array().unwrap().len(), 2);

    let one = |query: &str| format!("/api/v1/experiments/check%20out?{query}");
    for (query, series) in [("metric=revenue", 1), ("arm=A", 0), ("to=2013-01-01", 0), ("from=2013-01-01", 2)]
    {
        let read = json(service, &one(query)).await.1;
        assert_eq!(read["over_time"].as_array().unwrap().len(), series, "{query}");
    }
    for (path, status, code) in [
        ("/api/v1/experiments?verdict=good".to_owned(), 400, "invalid_parameter"),
        ("/api/v1/experiments?name=a".to_owned(), 400, "unknown_parameter"),
        ("/api/v1/experiments?limit=0".to_owned(), 400, "invalid_parameter"),
        (one("from=soon"), 400, "invalid_parameter"),
        (one("from=2013-01-02&to=2013-01-01"), 400, "invalid_parameter"),
        (one("limit=5"), 400, "unknown_parameter"),
        ("/api/v1/experiments/unseen".to_owned(), 404, "unknown_experiment"),
    ] {
        let (found, problem) = json(service, &path).await;
        assert_eq!((found, problem["code"].as_str()), (status, Some(code)), "{path}");
    }
}

async fn check_pages(service: &Service, folder: &Path) {
    let sentence = "&lt;B&gt; is better than A on revenue: +";
    let (status, list) = get(service, "/experiments").await;
    assert!(status == 200 && list.contains(sentence) && list.contains("/experiments/check%20out"), "{list}");
    let (status, page) = get(service, "/experiments/check%20out").await;
    assert!(status == 200 && page.contains(sentence) && page.contains("2 looks"), "{page}");
    assert!(!page.contains("<B>"), "{page}");
    assert_eq!(get(service, "/experiments/unseen").await.0, 404);
    assert!(get(service, "/").await.1.contains("href=\"/experiments\""));

    let report = folder.join("report.html");
    let written =
        windvane(service, &["experiment", "check out", "--no-record", "--report", report.to_str().unwrap()]);
    assert!(written.status.success(), "{}", String::from_utf8_lossy(&written.stderr));
    let report = std::fs::read_to_string(report).unwrap();
    assert!(
        report.contains(sentence) && report.contains("Over time") && report.contains("2 looks"),
        "{report}"
    );
    let nowhere =
        windvane(service, &["experiment", "check out", "--no-record", "--report", "/proc/report.html"]);
    assert_eq!(nowhere.status.code(), Some(69));
    assert!(nowhere.stdout.is_empty());
    let told = String::from_utf8_lossy(&nowhere.stderr).into_owned();
    assert!(told.contains("cannot write the report `/proc/report.html`"), "{told}");
}
