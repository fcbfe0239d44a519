//! `windvane serve`: up, down, in the way of another, and under wrong configurations.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use windvane_kit::{Service, eventually_async, nothing_is_lost};

fn binary() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_windvane"))
}

async fn count(service: &Service, sql: &str) -> Result<String, String> {
    let (user, password) = service.engine_user();
    let answer = reqwest::Client::new()
        .post(service.engine_url())
        .basic_auth(user, Some(password))
        .body(sql.to_owned())
        .send()
        .await
        .map_err(|error| error.to_string())?;
    answer.text().await.map_err(|error| error.to_string())
}

#[tokio::test]
async fn an_event_is_acknowledged_stored_and_shown() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::start(binary(), folder.path(), "");
    let client = reqwest::Client::new();
    let event = r#"{"model":"delay","version":"7","event_id":"e1","ts":"2013-01-01T05:17:00Z","features":{"distance":1400,"carrier":"UA","holiday":false,"temp":null},"prediction":{"score":0.12},"latency_us":830}"#;
    let sent = client
        .post(format!("{}/v1/predictions", service.url()))
        .header("content-type", "application/json")
        .body(event)
        .send()
        .await
        .unwrap();
    assert_eq!(sent.status(), 200);
    let answer: serde_json::Value = sent.json().await.unwrap();
    assert_eq!(answer["accepted"], 1);
    eventually_async(Duration::from_secs(20), async || {
        let seen = count(
            &service,
            "SELECT event_id, cat['holiday'], num['distance'] FROM windvane.predictions FORMAT TSV",
        )
        .await?;
        if seen == "e1\tfalse\t1400\n" { Ok(()) } else { Err(seen) }
    })
    .await;
    for (path, part) in [
        ("/", "delay"),
        ("/api/v1/models", "\"predictions\":1"),
        ("/metrics", "windvane_"),
        ("/healthz", ""),
        ("/readyz", ""),
    ] {
        let answer = client.get(format!("{}{path}", service.url())).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        let text = answer.text().await.unwrap();
        assert!(text.contains(part), "{path} answered {text}");
    }
    let query = Command::new(binary())
        .args(["query", "SELECT count() FROM predictions FORMAT TSV", "--config"])
        .arg(service.config())
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&query.stdout), "1\n", "{query:?}");
    nothing_is_lost(service.url());
    assert_eq!(service.terminate(), Some(0));
}

/// The field `nice` of a process.
fn niceness(pid: u32) -> i32 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let (_, fields) = stat.rsplit_once(')').unwrap();
    fields.split_whitespace().nth(16).unwrap().parse().unwrap()
}

#[test]
fn the_engine_gives_way_to_its_service() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::start(binary(), folder.path(), "");
    let expected = (niceness(service.pid()) + 5).min(19);
    assert_eq!(niceness(service.engine_pid()), expected);
    assert_eq!(service.terminate(), Some(0));
}

#[test]
fn a_second_service_on_the_same_folder_is_told_so() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::start(binary(), folder.path(), "");
    let second = Command::new(binary())
        .args(["serve", "--offline", "--config"])
        .arg(service.config())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert_eq!(second.status.code(), Some(69), "{second:?}");
    assert_eq!(service.terminate(), Some(0));
}

#[test]
fn a_service_that_was_killed_takes_its_engine_along_and_starts_again() {
    let folder = tempfile::tempdir().unwrap();
    Service::start(binary(), folder.path(), "").kill();
    assert_eq!(Service::start(binary(), folder.path(), "").terminate(), Some(0));
}

#[test]
fn a_wrong_configuration_is_told_whole_and_exits_78() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("windvane.toml");
    std::fs::write(&config, "[server]\nlisten = 1\n[collector]\nspool = \"x\"\n").unwrap();
    for command in ["serve", "check-config"] {
        let output = Command::new(binary()).args([command, "--config"]).arg(&config).output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(78), "{text}");
        assert!(text.contains("2 faults") && text.contains("collector.spool: unknown key"), "{text}");
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn an_address_in_use_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let config = folder.path().join("windvane.toml");
    let text = format!("[server]\nlisten = \"{}\"\n[store]\ndata_dir = \"d\"\n", taken.local_addr().unwrap());
    std::fs::write(&config, text).unwrap();
    let output =
        Command::new(binary()).args(["serve", "--offline", "--config"]).arg(&config).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(69), "{text}");
    assert!(text.contains(&format!("cannot listen on {}", taken.local_addr().unwrap())), "{text}");
    assert!(text.contains("WINDVANE_SERVER_LISTEN"), "{text}");
}
