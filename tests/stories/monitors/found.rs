//! What monitors find: a planted shift and a version that became slower, in tables, over the API and by hand.

use std::path::Path;
use std::process::Command;

use serde_json::Value;
use windvane_kit::{Service, eventually, eventually_async};

use super::{BINARY, HOUR_US, PATIENCE, events, monitor, send, this_hour};
use crate::asking::{query, stdout, windvane};

/// Events of the model `quick` over the last four hours, two versions in turn; version 8 takes six times as long in the last two.
fn latencies(this_hour: i64) -> String {
    let line = |ago: i64, i: i64| {
        let ts = this_hour - ago * HOUR_US + i * 50_000_000;
        let (version, slow) = if i % 2 == 0 { (8, ago <= 2) } else { (7, false) };
        let latency = (10_000 + i * 37 % 50 * 100) * if slow { 6 } else { 1 };
        format!(
            r#"{{"model":"quick","version":"{version}","event_id":"{ago}-{i}","ts":{ts},"features":{{"x":1}},"prediction":{{"score":0.5}},"latency_us":{latency}}}"#
        )
    };
    (1..=4).flat_map(|ago| (0..60).map(move |i| (ago, i))).map(|(ago, i)| line(ago, i) + "\n").collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_monitor_finds_a_planted_shift_and_is_silent_without_one() {
    let folder = tempfile::tempdir().unwrap();
    // Nothing runs by itself before the events are there.
    let quiet = Service::start(Path::new(BINARY), folder.path(), "");
    let now = this_hour(&quiet);
    let shift = |ago: i64| if ago <= 2 { 25 } else { 0 };
    send(&quiet, events("moved", (now, 4), shift)).await;
    send(&quiet, events("steady", (now, 4), |_| 0)).await;
    send(&quiet, latencies(now)).await;
    assert_eq!(quiet.terminate(), Some(0));

    let speed = "kind = \"latency\"\nsegment_by = [\"version\"]\nslo = [\"99%:50ms\"]\ncatch_up = 5";
    let first_hour = format!("window:{}/{}", shown(now, 4), shown(now, 3));
    let monitors = [
        "[analyzer]\npoll = \"1s\"\n".to_owned(),
        monitor("fixed", "moved", "enabled = false").replace("previous", &first_hour),
        monitor(
            "within",
            "moved",
            "enabled = false\nsegment_by = [\"region\"]\nsegment_rows_min = 1\ntext = [\"c\"]",
        )
        .replace("previous", &first_hour),
        monitor("moved", "moved", "segment_by = [\"region\"]\nsegment_rows_min = 10\ncatch_up = 5"),
        monitor("steady", "steady", "catch_up = 5"),
        monitor("off", "moved", "enabled = false\ncolumns = [\"c\"]\ntext = [\"c\"]"),
        monitor("speed", "quick", speed),
        monitor("tagless", "quick", "kind = \"latency\"\nenabled = false\nsegment_by = [\"arm:none\"]"),
    ];
    let service = Service::start(Path::new(BINARY), folder.path(), &monitors.concat());
    let done = "SELECT monitor, countIf(state = 'done') >= 5 AND countIf(state != 'done') = 0 \
                FROM monitor_runs FINAL GROUP BY monitor ORDER BY monitor";
    eventually(PATIENCE, || match query(&service, done) {
        found if found == "moved\t1\nspeed\t1\nsteady\t1" => Ok(()),
        found => Err(format!("{found}\n{}", service.log().join("\n"))),
    });
    let drifted = query(
        &service,
        "SELECT DISTINCT monitor, column_name, segment_value, direction, dateDiff('hour', window_start, toStartOfHour(now())) AS ago \
         FROM drift_findings FINAL WHERE drifted AND n_current > 0 ORDER BY ALL",
    );
    let lines: Vec<Vec<&str>> = drifted.lines().map(|line| line.split('\t').collect()).collect();
    assert!(lines.iter().all(|line| line[0] == "moved" && line[1] == "x" && line[3] == "up"), "{drifted}");
    let segments: Vec<&str> = lines.iter().map(|line| line[2]).collect();
    assert_eq!(segments, ["", "east", "west"], "{drifted}");

    let metrics = reqwest::get(format!("{}/metrics", service.url())).await.unwrap().text().await.unwrap();
    for line in [
        "windvane_analyzer_runs_total{kind=\"drift\",state=\"failed\"} 0",
        "windvane_analyzer_lag_seconds{kind=\"drift\",monitor=\"steady\"} ",
    ] {
        assert!(metrics.contains(line), "{line} in {metrics}");
    }
    assert!(
        service
            .log()
            .iter()
            .any(|line| line.contains("a monitor ran") && line.contains("\"verdict\":\"drift\""))
    );

    let listed = listed(&service);
    let names: Vec<&str> =
        listed["monitors"].as_array().unwrap().iter().map(|m| m["monitor"].as_str().unwrap()).collect();
    assert_eq!(names, ["fixed", "moved", "off", "speed", "steady", "tagless", "within"]);
    assert_eq!(listed["monitors"][2]["last_run"], Value::Null);
    assert_eq!(listed["monitors"][1]["last_run"]["state"], "done");
    the_api_shows_what_was_found(&service).await;
    the_version_that_became_slower_is_named_and_its_objective_burns(&service, now).await;
    a_column_is_text_where_the_monitor_says_so(&service, now);
    an_arm_that_no_prediction_has_fails_no_run(&service, now);
    fixed_references_are_read_once(&service, &first_hour, now);
    what_cannot_be_run_or_found_is_refused(&service);
    assert_eq!(service.terminate(), Some(0));
}

fn what_cannot_be_run_or_found_is_refused(service: &Service) {
    let unknown = windvane(service, &["monitor", "run", "nope"]);
    assert_eq!(unknown.status.code(), Some(64), "{unknown:?}");
    // Where there was not one event, no objective was kept either.
    let words = ["monitor", "run", "speed", "--at", "2013-01-01", "--fail-on", "breached"];
    let idle = windvane(service, &words);
    assert_eq!(idle.status.code(), Some(2), "{idle:?}");
    // A monitor of latency finds no alert, and none that burns without an objective: the exit code was 0, whatever it found.
    for (name, fail_on, said) in [
        ("speed", "alert", "`--fail-on alert` is for monitors of performance, and `speed` is of latency"),
        ("tagless", "breached", "`--fail-on breached` needs an objective, and `tagless` has none"),
    ] {
        let misfit = windvane(service, &["monitor", "run", name, "--fail-on", fail_on]);
        let told = String::from_utf8_lossy(&misfit.stderr);
        assert_eq!(misfit.status.code(), Some(64), "{told}");
        assert!(told.contains(said), "{told}");
    }
}

/// What is listed once no monitor is running: where the hour has turned meanwhile, another window has become due.
fn listed(service: &Service) -> Value {
    eventually(PATIENCE, || {
        let listed = stdout(&windvane(service, &["monitor", "list", "--format", "json"]));
        let listed: Value = serde_json::from_str(&listed).unwrap();
        let monitors = listed["monitors"].as_array().unwrap();
        match monitors.iter().any(|monitor| monitor["last_run"]["state"] == "running") {
            true => Err(listed),
            false => Ok(listed),
        }
    })
}

fn a_column_is_text_where_the_monitor_says_so(service: &Service, now: i64) {
    // The last hour with events, also where that is no longer the last hour.
    let at = shown(now, 0);
    let kinds = |monitor: &str| {
        let words = ["monitor", "run", monitor, "--at", &at, "--format", "json"];
        let printed = stdout(&windvane(service, &words));
        let printed: Value = serde_json::from_str(&printed).unwrap();
        let columns = printed["columns"].as_array().unwrap();
        let kind = |c: &Value| format!("{} {}", c["column"].as_str().unwrap(), c["kind"].as_str().unwrap());
        columns.iter().map(kind).collect::<Vec<String>>()
    };
    assert!(kinds("off").contains(&"c text".to_owned()));
    assert!(kinds("steady").contains(&"c categorical".to_owned()));
}

/// The start of an hour, so many before this one.
fn shown(this_hour: i64, ago: i64) -> String {
    windvane_types::span::shown(this_hour - ago * HOUR_US)
}

fn fixed_references_are_read_once(service: &Service, first_hour: &str, now: i64) {
    for (monitor, once, more) in [
        ("fixed", "a fixed reference is kept", &[][..]),
        ("within", "a fixed reference is read anew", &["--segment-by", "region", "--text", "c"][..]),
    ] {
        let asked = (monitor, once, [&["--reference", first_hour][..], more].concat());
        a_fixed_reference_is_read_once_and_finds_what_its_rows_find(service, &asked, now);
    }
}

fn a_fixed_reference_is_read_once_and_finds_what_its_rows_find(
    service: &Service,
    (monitor, once, more): &(&str, &str, Vec<&str>),
    now: i64,
) {
    let mut backfill = Command::new(BINARY);
    backfill.args([
        "--log",
        "info",
        "monitor",
        "backfill",
        *monitor,
        "--from",
        &shown(now, 3),
        "--to",
        &shown(now, 0),
    ]);
    let ran = backfill.arg("--config").arg(service.config()).output().unwrap();
    let said = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{said}");
    assert_eq!(said.matches(*once).count(), 1, "{said}");
    // The digits that two writers of the same number agree on.
    let told = |value: &Value| value.as_f64().map_or_else(|| value.to_string(), |x| format!("{x:.12e}"));
    for ago in [3, 2, 1] {
        let window = format!("{}/{}", shown(now, ago), shown(now, ago - 1));
        let words = ["drift", "--model", "moved", "--no-record", "--format", "json", "--seed", "20130101"];
        let words = [&words[..], &["--window", &window], &more[..]].concat();
        let read: Value = serde_json::from_str(&stdout(&windvane(service, &words))).unwrap();
        assert_ne!(read["reference"]["stored_profile"], true);
        let mut expected = Vec::new();
        let within = read["segments"].as_array().unwrap();
        for part in [&read].into_iter().chain(within) {
            let segment = part["segment"]["region"].as_str().unwrap_or_default();
            for column in part["columns"].as_array().unwrap() {
                for method in column["methods"].as_array().unwrap() {
                    let numbers = ["statistic", "p_value", "p_adjusted", "effect", "drifted"];
                    let numbers = numbers.map(|name| told(&method[name])).join(" ");
                    expected.push(format!("{segment:?} {} {} {numbers}", column["column"], method["method"]));
                }
            }
        }
        let sql = format!(
            "SELECT segment_value, column_name, method, statistic, p_value, p_adjusted, effect, drifted FROM drift_findings FINAL \
             WHERE monitor = '{monitor}' AND window_start = fromUnixTimestamp64Micro(toInt64({})) FORMAT JSONCompactEachRow",
            now - ago * HOUR_US
        );
        let rows = stdout(&windvane(service, &["query", &sql]));
        let row = |line: &str| -> String {
            let row: Vec<Value> = serde_json::from_str(line).unwrap();
            row.iter().map(told).collect::<Vec<String>>().join(" ")
        };
        let mut found: Vec<String> = rows.lines().map(row).collect();
        expected.sort();
        found.sort();
        assert!(!found.is_empty(), "no findings of {window}");
        assert_eq!(found, expected, "{window}");
    }
}

fn an_arm_that_no_prediction_has_fails_no_run(service: &Service, now: i64) {
    let ran = windvane(service, &["monitor", "run", "tagless", "--at", &shown(now, 0), "--format", "json"]);
    assert_eq!(ran.status.code(), Some(0), "{ran:?}");
    let printed: Value = serde_json::from_slice(&ran.stdout).unwrap();
    let groups = printed["groups"].as_array().unwrap();
    let [all, without] = groups.as_slice() else { panic!("{printed}") };
    assert_eq!(without["group"], serde_json::json!({"arm:none": null}));
    assert!(all["n"].as_u64() > Some(0) && all["n"] == without["n"], "{printed}");
    let note = "segment_by: no prediction has arm:none; there are ";
    let listed = listed(service);
    let told = listed["monitors"][5]["last_run"]["note"].as_str().unwrap();
    assert!(told.starts_with(note), "{listed}");
    assert_eq!(listed["monitors"][1]["last_run"]["note"], "", "{listed}");
    let table = stdout(&windvane(service, &["monitor", "list"]));
    assert!(table.contains(&format!("\ntagless: {note}")), "{table}");
}

async fn get(service: &Service, path: &str) -> (u16, Value) {
    let answer = reqwest::get(format!("{}{path}", service.url())).await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

async fn the_api_lists_monitors(service: &Service) {
    let state = |m: &Value| format!("{} {}", m["monitor"].as_str().unwrap(), m["state"].as_str().unwrap());
    // One that is running has a window that became due meanwhile.
    let (monitors, states) = eventually_async(PATIENCE, async || {
        let (status, monitors) = get(service, "/api/v1/monitors").await;
        assert_eq!((status, &monitors["schema"]), (200, &"windvane.monitors/1".into()), "{monitors}");
        let states: Vec<String> = monitors["monitors"].as_array().unwrap().iter().map(state).collect();
        match states.iter().any(|state| state.ends_with(" running")) {
            true => Err(states),
            false => Ok((monitors, states)),
        }
    })
    .await;
    let expected =
        "fixed disabled, moved ok, off disabled, within disabled, speed ok, tagless disabled, steady ok";
    assert_eq!(states.join(", "), expected, "{monitors}");
    assert_eq!(monitors["monitors"][1]["settings"]["reference"], "previous");
    assert_eq!(
        get(service, "/api/v1/monitors?model=steady").await.1["monitors"].as_array().unwrap().len(),
        1
    );
}

async fn the_api_shows_what_was_found(service: &Service) {
    the_api_lists_monitors(service).await;
    let (status, drifted) = get(service, "/api/v1/models/moved/drift?verdict=drift&monitor=moved").await;
    assert_eq!((status, &drifted["schema"]), (200, &"windvane.drift_runs/1".into()), "{drifted}");
    let [run] = drifted["runs"].as_array().unwrap().as_slice() else { panic!("{drifted}") };
    assert_eq!((&run["verdict"], &run["columns"][0]["column"]), (&"drift".into(), &"x".into()));
    assert_eq!(run["segments"][1]["segment"], serde_json::json!({"region": "west"}));
    // The columns are those of the document that the command prints for this window.
    let end = run["window"]["end"].as_str().unwrap();
    let printed = stdout(&windvane(service, &["monitor", "run", "moved", "--at", end, "--format", "json"]));
    let printed: Value = serde_json::from_str(&printed).unwrap();
    let column = |name: &str| {
        printed["columns"].as_array().unwrap().iter().find(|c| c["column"] == name).unwrap().clone()
    };
    let sorted = |column: &Value| {
        let mut column = column.clone();
        column["methods"]
            .as_array_mut()
            .unwrap()
            .sort_by_key(|method| method["method"].as_str().unwrap().to_owned());
        column
    };
    assert_eq!(sorted(&run["columns"][0]), sorted(&column("x")));
    let whole = get(service, "/api/v1/models/moved/drift?verdict=drift&segment=none").await.1;
    assert_eq!(whole["runs"][0]["segments"], serde_json::json!([]));
    let east = get(service, "/api/v1/models/moved/drift?verdict=drift&segment=region:east&column=x").await.1;
    assert_eq!(
        (&east["runs"][0]["columns"], east["runs"][0]["segments"].as_array().unwrap().len()),
        (&serde_json::json!([]), 1)
    );

    let first = get(service, "/api/v1/models/moved/drift?limit=1").await.1;
    assert_eq!((&first["next_offset"], first["runs"].as_array().unwrap().len()), (&1.into(), 1));
    let second = get(service, "/api/v1/models/moved/drift?limit=1&offset=1").await.1;
    assert!(first["runs"][0]["window"]["start"].as_str() > second["runs"][0]["window"]["start"].as_str());
    let none = format!("/api/v1/models/moved/drift?to={}", "2000-01-01");
    assert_eq!(get(service, &none).await.1["runs"], serde_json::json!([]));
    let models = get(service, "/api/v1/models?limit=1").await.1;
    assert_eq!((models["models"].as_array().unwrap().len(), &models["next_offset"]), (1, &1.into()));

    for (path, status, code) in [
        ("/api/v1/models/nope/drift", 404, "unknown_model"),
        ("/api/v1/models/moved/drift?limit=0", 400, "invalid_parameter"),
        ("/api/v1/models/moved/drift?verdict=bad", 400, "invalid_parameter"),
        ("/api/v1/models/moved/drift?from=yesterday", 400, "invalid_parameter"),
        ("/api/v1/models/moved/drift?from=2013-01-02&to=2013-01-01", 400, "invalid_parameter"),
        ("/api/v1/models/moved/drift?segment=region", 400, "invalid_parameter"),
        ("/api/v1/models?page=2", 400, "unknown_parameter"),
        ("/api/v1/monitors?limit=5000", 400, "invalid_parameter"),
    ] {
        let (found, problem) = get(service, path).await;
        assert_eq!(
            (found, &problem["code"], &problem["status"]),
            (status, &code.into(), &status.into()),
            "{path}: {problem}"
        );
    }
}

async fn the_version_that_became_slower_is_named_and_its_objective_burns(service: &Service, now: i64) {
    let time = |ago: i64| {
        let seconds = (now - ago * HOUR_US) / 1_000_000;
        query(service, &format!("SELECT formatDateTime(toDateTime({seconds}), '%FT%TZ', 'UTC')"))
    };
    let (before, from, to) = (time(3), time(2), time(1));
    let path = format!("/api/v1/models/quick/latency?monitor=speed&from={from}&to={to}");
    let (status, found) = get(service, &path).await;
    assert_eq!((status, &found["schema"]), (200, &"windvane.latency_runs/1".into()), "{found}");
    let [run] = found["runs"].as_array().unwrap().as_slice() else { panic!("{found}") };
    assert_eq!(
        (&run["window_start"], &run["granularity"], &run["reference_kind"]),
        (&Value::from(from), &"1h".into(), &"previous".into())
    );
    let verdicts: Vec<(&Value, &Value)> = run["groups"]
        .as_array()
        .unwrap()
        .iter()
        .map(|group| (&group["group"]["version"], &group["drift"]["verdict"]))
        .collect();
    let (slower, steady) = (Value::from("slower"), Value::from("steady"));
    let expected = [(&Value::Null, &slower), (&Value::from("7"), &steady), (&Value::from("8"), &slower)];
    assert_eq!(verdicts, expected, "{run}");
    // The window is an hour long; the rule of six hours sees the two before it too.
    let objective = &run["objectives"][0];
    let long = &objective["rules"][1]["long"];
    assert_eq!(
        (&objective["verdict"], &long["window_s"], &long["events"], &long["bad"]),
        (&"page".into(), &21_600.into(), &180.into(), &30.into()),
        "{objective}"
    );

    // By hand the same window is found to be the same, and stays one run.
    let words = ["monitor", "run", "speed", "--at", &to, "--fail-on", "slower", "--format", "json"];
    let ran = windvane(service, &words);
    assert_eq!(ran.status.code(), Some(1), "{ran:?}");
    let printed: Value = serde_json::from_slice(&ran.stdout).unwrap();
    assert_eq!((&printed["verdict"], &printed["groups"]), (&"breached".into(), &run["groups"]));
    assert_eq!(get(service, &path).await.1["runs"].as_array().unwrap().len(), 1);
    let table = stdout(&windvane(service, &["monitor", "backfill", "speed", "--from", &before, "--to", &to]));
    let lines: Vec<&str> = table.lines().collect();
    assert!(lines[1].contains("steady") && !lines[1].contains("version"), "{table}");
    assert!(lines[2].ends_with("all, version=8  99 % within 50 ms (page)"), "{table}");

    // Rules of alerts see it: one of the objective's, and five quantiles of all and of version 8.
    let rules = "LatencyBudgetBurns,ModelSlower";
    let words =
        ["alerts", "backtest", "--from", &before, "--to", &time(0), "--rules", rules, "--format", "json"];
    let replayed: Value = serde_json::from_str(&stdout(&windvane(service, &words))).unwrap();
    let alerts: Vec<(&Value, &Value)> = replayed["rules"]
        .as_array()
        .unwrap()
        .iter()
        .map(|found| (&found["rule"], &found["alerts"]))
        .collect();
    let (burns, slower) = (Value::from("LatencyBudgetBurns"), Value::from("ModelSlower"));
    let (one, ten) = (Value::from(1), Value::from(10));
    assert_eq!(alerts, [(&burns, &one), (&slower, &ten)], "{replayed}");
}
