//! The spool against the real engine: events of all times in one batch, and several collectors on one ClickHouse.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use windvane_kit::{Engine, LoggedProcess, Service, eventually_async, nothing_is_lost};

/// How long a start, or the way of a batch into ClickHouse, may take.
const PATIENCE: Duration = Duration::from_secs(60);

fn binary() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_windvane"))
}

async fn post(url: &str, key: &str, body: String) -> u16 {
    let request = reqwest::Client::new().post(format!("{url}/v1/predictions")).header("idempotency-key", key);
    request.body(body).send().await.unwrap().status().as_u16()
}

async fn ask(url: &str, (user, password): (&str, &str), sql: &str) -> String {
    let request = reqwest::Client::new().post(format!("{url}/?database=windvane"));
    let answer = request.basic_auth(user, Some(password)).body(sql.to_owned()).send().await;
    match answer {
        Ok(answer) => answer.text().await.unwrap_or_default(),
        Err(error) => error.to_string(),
    }
}

/// ClickHouse refuses an INSERT into more than 100 partitions unless told otherwise; predictions have one a month. The first and the last
/// are of the earliest and the latest time that is taken.
#[tokio::test]
async fn a_batch_of_events_of_fifteen_years_is_stored_once() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::start(binary(), folder.path(), "");
    let months = (2010..2025).flat_map(|year| (1..=12).map(move |month| (year, month)));
    let months = months.chain([(1971, 1), (2199, 12)]);
    let body: String = months
        .map(|(year, month)| {
            format!("{{\"model\":\"m\",\"event_id\":\"{year}-{month}\",\"ts\":\"{year}-{month:02}-01T00:00:00Z\"}}\n")
        })
        .collect();
    assert_eq!(post(service.url(), "years", body.clone()).await, 200);
    assert_eq!(post(service.url(), "years", body).await, 200);
    let (user, password) = service.engine_user();
    let sql = "SELECT count(), uniqExact(event_id), uniqExact(toYYYYMM(ts)) FROM predictions FORMAT TSV";
    eventually_async(PATIENCE, async || {
        let seen = ask(service.engine_url(), (&user, &password), sql).await;
        if seen == "182\t182\t182\n" { Ok(()) } else { Err(seen) }
    })
    .await;
    nothing_is_lost(service.url());
    assert_eq!(service.terminate(), Some(0));
}

/// A process with the role collector alone, over a ClickHouse that is somewhere else.
fn collector(dir: &Path, engine: &Engine) -> (LoggedProcess, String) {
    let (user, file) = engine.user();
    collector_over(dir, &format!("url = \"{}\"\nuser = \"{user}\"\npassword_file = {file:?}", engine.url()))
}

/// The same over a ClickHouse by the keys of `[store]`.
fn collector_over(dir: &Path, store: &str) -> (LoggedProcess, String) {
    let config = dir.join("windvane.toml");
    let text =
        format!("[server]\nlisten = \"127.0.0.1:0\"\n[store]\n{store}\n[collector]\nspool_dir = \"spool\"\n");
    std::fs::write(&config, text).unwrap();
    let mut command = Command::new(binary());
    command
        .args(["--log-format", "json", "serve", "--offline", "--roles", "collector", "--config"])
        .arg(&config);
    let mut process = LoggedProcess::start(&mut command);
    let line = process.wait_for_line(PATIENCE, &["windvane is up"]);
    let line: serde_json::Value = serde_json::from_str(&line).unwrap();
    (process, line["address"].as_str().unwrap().to_owned())
}

/// sysfs makes no files, for root neither.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_service_started_over_a_read_only_spool_is_up_and_takes_events_when_it_can() {
    use std::os::unix::fs::symlink;

    let folder = tempfile::tempdir().unwrap();
    let [engine_dir, dir] = ["engine", "collector"].map(|name| {
        let dir = folder.path().join(name);
        std::fs::create_dir(&dir).unwrap();
        dir
    });
    let engine = Engine::start(binary(), &engine_dir);
    let spool = dir.join("spool");
    symlink("/sys/kernel", &spool).unwrap();
    let (mut process, url) = collector(&dir, &engine);
    let body = "{\"model\":\"m\",\"event_id\":\"e\"}";
    assert_eq!(post(&url, "first", body.to_owned()).await, 503);
    let ready = reqwest::get(format!("{url}/readyz")).await.unwrap();
    assert_eq!(ready.status().as_u16(), 503);
    let ready: serde_json::Value = ready.json().await.unwrap();
    assert!(ready["checks"]["ingest"].as_str().unwrap().contains("cannot be opened"), "{ready}");
    std::fs::remove_file(&spool).unwrap();
    eventually_async(PATIENCE, async || match post(&url, "first", body.to_owned()).await {
        200 => Ok(()),
        status => Err(status),
    })
    .await;
    nothing_is_lost(&url);
    process.signal(rustix::process::Signal::TERM);
    assert_eq!(process.wait(PATIENCE).code(), Some(0));
}

/// A pipe that nobody writes to stands for a file on a disk that hangs: whoever opens it waits for ever.
#[tokio::test]
async fn a_disk_that_hangs_does_not_keep_a_service_from_ending() {
    let folder = tempfile::tempdir().unwrap();
    let (mut process, url) = collector_over(folder.path(), "url = \"http://127.0.0.1:9\"");
    let segment = folder.path().join("spool/predictions/0000000000000001.segment");
    std::fs::remove_file(&segment).unwrap();
    assert!(Command::new("mkfifo").arg(&segment).status().unwrap().success());
    assert_eq!(post(&url, "hangs", "{\"model\":\"m\",\"event_id\":\"e\"}".to_owned()).await, 200);
    process.signal(rustix::process::Signal::TERM);
    assert_eq!(process.wait(PATIENCE).code(), Some(0));
}

#[tokio::test]
async fn two_collectors_on_one_clickhouse_store_each_event_once_also_after_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let [engine_dir, first_dir, second_dir] = ["engine", "first", "second"].map(|name| {
        let dir = folder.path().join(name);
        std::fs::create_dir(&dir).unwrap();
        dir
    });
    let engine = Engine::start(binary(), &engine_dir);
    let (mut first, first_url) = collector(&first_dir, &engine);
    let (_second, second_url) = collector(&second_dir, &engine);
    let batch = |who: &str, n: u32| -> String {
        (0..50).map(|row| format!("{{\"model\":\"m\",\"event_id\":\"{who}-{n}-{row}\"}}\n")).collect()
    };
    for n in 0..20 {
        assert_eq!(post(&first_url, &format!("a{n}"), batch("a", n)).await, 200);
        assert_eq!(post(&second_url, &format!("b{n}"), batch("b", n)).await, 200);
    }
    assert_eq!(
        reqwest::get(format!("{first_url}/api/v1/models")).await.unwrap().status(),
        404,
        "no role, no route"
    );
    // What the first one acknowledged is in its spool or beyond; the next start sends the rest under the same tokens.
    first.kill();
    let (_first, first_url) = collector(&first_dir, &engine);
    assert_eq!(post(&first_url, "a19", batch("a", 19)).await, 200, "the key outlives the kill");
    let (user, file) = engine.user();
    let password = std::fs::read_to_string(file).unwrap();
    let sql = "SELECT count(), uniqExact(event_id) FROM predictions FORMAT TSV";
    eventually_async(PATIENCE, async || {
        let seen = ask(engine.url(), (&user, &password), sql).await;
        if seen == "2000\t2000\n" { Ok(()) } else { Err(seen) }
    })
    .await;
    for url in [&first_url, &second_url] {
        nothing_is_lost(url);
    }
}
