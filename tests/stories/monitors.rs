//! Monitors: every window is run once, whatever is killed and however many analyzers there are; what they find is in `found`.

mod found;

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use windvane_kit::{LoggedProcess, Service, eventually};

use crate::asking::{self, query, stdout, windvane};

pub const BINARY: &str = env!("CARGO_BIN_EXE_windvane");
pub const HOUR_US: i64 = 3_600_000_000;
/// How long scheduled runs may take on a slow machine.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// The start of the hour that ClickHouse is in.
fn this_hour(service: &Service) -> i64 {
    query(service, "SELECT toUnixTimestamp(toStartOfHour(now())) * 1000000").parse().unwrap()
}

/// Events of one model over the last hours; the mean of `x` moves by `shift` with each hour from `moved` hours ago on.
fn events(model: &str, (this_hour, hours): (i64, i64), shift: impl Fn(i64) -> i64) -> String {
    let line = |ago: i64, i: i64| {
        let ts = this_hour - ago * HOUR_US + i * 50_000_000;
        let x = i * 37 % 50 + shift(ago);
        let c = if i % 3 == 0 { "a" } else { "b" };
        format!(
            r#"{{"model":"{model}","event_id":"{ago}-{i}","ts":{ts},"features":{{"x":{x},"c":"{c}"}},"prediction":{{"score":0.5}},"tags":{{"region":"{}"}}}}"#,
            if i % 2 == 0 { "east" } else { "west" }
        )
    };
    (1..=hours).flat_map(|ago| (0..60).map(move |i| (ago, i))).map(|(ago, i)| line(ago, i) + "\n").collect()
}

async fn send(service: &Service, body: String) {
    let expected =
        query(service, "SELECT count() FROM predictions").parse::<usize>().unwrap() + body.lines().count();
    asking::send(service, "predictions", body).await;
    eventually(Duration::from_secs(30), || {
        match query(service, "SELECT count() FROM predictions").parse::<usize>().unwrap() {
            found if found == expected => Ok(()),
            found => Err(format!("{found} of {expected}")),
        }
    });
}

pub fn monitor(name: &str, model: &str, more: &str) -> String {
    format!(
        "[monitors.{name}]\nmodel = \"{model}\"\nreference = \"previous\"\nwindow = \"1h\"\ndelay = \"0s\"\n{more}\n"
    )
}

/// Findings as they are read, without what differs between two runs that find the same.
const FINDINGS: &str =
    "SELECT count(), sum(cityHash64(* EXCEPT (run_id, computed_at))) FROM drift_findings FINAL";

#[tokio::test(flavor = "multi_thread")]
async fn every_window_is_done_once_after_a_kill_and_a_backfill_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let quiet = Service::start(Path::new(BINARY), folder.path(), "");
    let now = this_hour(&quiet);
    send(&quiet, events("m", (now, 12), |ago| ago % 5)).await;
    assert_eq!(quiet.terminate(), Some(0));
    let config = [
        "[analyzer]\npoll = \"1s\"\nlease = \"3s\"\nruns_max = 2\n",
        &monitor("hourly", "m", "catch_up = 12"),
    ]
    .concat();

    let killed = Service::start(Path::new(BINARY), folder.path(), &config);
    eventually(PATIENCE, || {
        let log = killed.log();
        let ran = log.iter().filter(|line| line.contains("a monitor ran")).count();
        if ran >= 3 { Ok(()) } else { Err(log.join("\n")) }
    });
    // Asked to end, it gives its leases back, and the next start need not wait for them to run out.
    assert_eq!(killed.terminate(), Some(0));
    let killed = Service::start(Path::new(BINARY), folder.path(), &config);
    let own = "SELECT count() FROM (SELECT token FROM job_leases GROUP BY token HAVING argMax(expires_at, renewal) > now64() \
               AND any(holder) NOT LIKE concat('serve-', {PID}, '-%') AND any(holder) NOT LIKE 'alerts-%')";
    assert_eq!(query(&killed, &own.replace("{PID}", &format!("'{}'", killed.pid()))), "0");
    eventually(PATIENCE, || {
        let log = killed.log();
        let ran = log.iter().filter(|line| line.contains("a monitor ran")).count();
        if ran >= 2 { Ok(()) } else { Err(log.join("\n")) }
    });
    killed.kill();

    let service = Service::start(Path::new(BINARY), folder.path(), &config);
    let window = |ago: i64| (now - ago * HOUR_US) / 1_000_000;
    let (from, to) = (window(11), window(1));
    let done = format!(
        "SELECT countIf(state = 'done'), count() FROM monitor_runs FINAL WHERE window_start >= toDateTime({from}) AND window_end <= toDateTime({to})"
    );
    eventually(PATIENCE, || match query(&service, &done) {
        found if found == "10\t10" => Ok(()),
        found => Err(format!("{found}\n{}", service.log().join("\n"))),
    });
    let within =
        format!("{FINDINGS} WHERE window_start >= toDateTime({from}) AND window_end <= toDateTime({to})");
    let found = query(&service, &within);
    assert!(!found.starts_with("0\t"), "{found}");
    let time = |seconds: i64| {
        query(&service, &format!("SELECT formatDateTime(toDateTime({seconds}), '%FT%TZ', 'UTC')"))
    };
    let (from_time, to_time) = (time(from), time(to));
    for _ in 0..2 {
        let words =
            ["monitor", "backfill", "hourly", "--from", &from_time, "--to", &to_time, "--format", "json"];
        let told: Value = serde_json::from_str(&stdout(&windvane(&service, &words))).unwrap();
        assert_eq!(told["windows"].as_array().unwrap().len(), 10);
        assert_eq!(query(&service, &within), found);
    }
    assert_eq!(service.terminate(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_analyzers_on_one_store_never_run_one_window_both() {
    let folder = tempfile::tempdir().unwrap();
    let first = Service::start(Path::new(BINARY), folder.path(), "");
    send(&first, events("m", (this_hour(&first), 16), |_| 0)).await;
    let (user, password) = first.engine_user();
    let analyzer = |name: &str| {
        let dir = folder.path().join(name);
        std::fs::create_dir(&dir).unwrap();
        std::fs::write(dir.join("password"), &password).unwrap();
        let text = format!(
            "[server]\nlisten = \"127.0.0.1:0\"\n[store]\nurl = \"{}\"\nuser = \"{user}\"\npassword_file = \"password\"\n\
             [analyzer]\npoll = \"1s\"\nruns_max = 3\n{}",
            first.engine_url(),
            monitor("hourly", "m", "catch_up = 16")
        );
        std::fs::write(dir.join("windvane.toml"), text).unwrap();
        let mut command = Command::new(BINARY);
        command
            .args(["--log-format", "json", "serve", "--roles", "analyzer", "--config"])
            .arg(dir.join("windvane.toml"));
        LoggedProcess::start(&mut command)
    };
    let mut analyzers = [analyzer("one"), analyzer("two")];
    let done =
        "SELECT countIf(state = 'done') >= 15 AND countIf(state != 'done') = 0 FROM monitor_runs FINAL";
    eventually(PATIENCE, || match query(&first, done).as_str() {
        "1" => Ok(()),
        found => Err(format!(
            "{found}\n{}",
            analyzers.iter().flat_map(LoggedProcess::log).collect::<Vec<_>>().join("\n")
        )),
    });
    // Each attempt leaves rows of its own until a merge; a window that was run twice has a second attempt or run.
    assert_eq!(
        query(&first, "SELECT max(attempt), uniqExact(run_id) = uniqExact(window_start) FROM monitor_runs"),
        "1\t1"
    );
    for analyzer in &mut analyzers {
        let line = analyzer.wait_for_line(PATIENCE, &["windvane is up"]);
        let line: Value = serde_json::from_str(&line).unwrap();
        let ready = reqwest::get(format!("{}/readyz", line["address"].as_str().unwrap())).await.unwrap();
        assert_eq!(ready.status(), 200);
        analyzer.signal(rustix::process::Signal::TERM);
        assert_eq!(analyzer.wait(Duration::from_secs(30)).code(), Some(0));
    }
    assert_eq!(first.terminate(), Some(0));
}
