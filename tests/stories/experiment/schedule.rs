//! Experiments that are looked at by schedule: as of the end of each span, once, adjusted by what was before; and what can be
//! planned of their traffic.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use windvane_kit::{Service, eventually};

use crate::asking::{document, query, send, windvane};

const BINARY: &str = env!("CARGO_BIN_EXE_windvane");
const MINUTE_US: i64 = 60_000_000;
const HOUR_US: i64 = 60 * MINUTE_US;
/// How long scheduled looks may take on a slow machine.
const PATIENCE: Duration = Duration::from_secs(90);

const EXPERIMENTS: &str = r#"
[analyzer]
poll = "1s"
[experiments.hourly]
control = "A"
window = "2h"
every = "1h"
delay = "0s"
catch_up = 5
covariate_window = "1d"
[experiments.hourly.metrics.revenue]
[experiments.asked]
control = "A"
[experiments.asked.metrics.revenue]
"#;

/// In each of the four hours before `now` 20 units are exposed, half to each arm. A unit of A spends 1 on average five minutes
/// later, one of B 3, and both the same once more an hour after that; what they spent two hours before tells how much.
async fn send_events(service: &Service, now: i64) {
    let (mut exposures, mut measurements) = (String::new(), String::new());
    for hour in 1..=4_i64 {
        for i in 0..20_u32 {
            let unit = format!("u{hour}-{i}");
            let at = now - hour * HOUR_US + 10 * MINUTE_US;
            let arm = if i % 2 == 0 { "A" } else { "B" };
            writeln!(exposures, r#"{{"experiment":"hourly","unit_id":"{unit}","arm":"{arm}","ts":{at}}}"#)
                .unwrap();
            let habit = if i % 4 < 2 { 0.5 } else { 1.5 };
            let spends = habit + if arm == "B" { 2.0 } else { 0.0 };
            let before = habit + if i % 8 == 0 { 0.5 } else { 0.0 };
            for (ts, value) in
                [(at - 2 * HOUR_US, before), (at + 5 * MINUTE_US, spends), (at + 65 * MINUTE_US, spends)]
            {
                writeln!(
                    measurements,
                    r#"{{"unit_id":"{unit}","metric":"revenue","value":{value},"ts":{ts}}}"#
                )
                .unwrap();
            }
        }
    }
    send(service, "exposures", exposures).await;
    send(service, "measurements", measurements).await;
    let stored = "SELECT (SELECT count() FROM exposures), (SELECT count() FROM measurements)";
    eventually(PATIENCE, || match query(service, stored).as_str() {
        "80\t240" => Ok(()),
        other => Err(other.to_owned()),
    });
}

fn at(service: &Service, us: i64) -> String {
    query(
        service,
        &format!("SELECT formatDateTime(fromUnixTimestamp64Micro(toInt64({us})), '%FT%TZ', 'UTC')"),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn scheduled_looks_are_made_once_each_as_of_their_time() {
    let folder = tempfile::tempdir().unwrap();
    // Nothing runs by itself before the events are there.
    let quiet = Service::start(Path::new(BINARY), folder.path(), "");
    let now: i64 = query(&quiet, "SELECT toUnixTimestamp(toStartOfHour(now())) * 1000000").parse().unwrap();
    send_events(&quiet, now).await;
    assert_eq!(quiet.terminate(), Some(0));

    let service = Service::start(Path::new(BINARY), folder.path(), EXPERIMENTS);
    let done = "SELECT countIf(state = 'done') >= 5 AND countIf(state != 'done') = 0, uniqExact(monitor) \
                FROM monitor_runs FINAL WHERE kind = 'experiment'";
    eventually(PATIENCE, || match query(&service, done).as_str() {
        "1\t1" => Ok(()),
        other => Err(format!("{other}\n{}", service.log().join("\n"))),
    });
    // Each look knows the units that were exposed before its time, and no others.
    let wrong = "SELECT l.as_of, l.units, countIf(e.ts < l.as_of) AS exposed FROM experiment_looks AS l FINAL \
                 CROSS JOIN exposures AS e GROUP BY l.as_of, l.units HAVING l.units != exposed";
    assert_eq!(query(&service, wrong), "");
    assert!(query(&service, "SELECT count() FROM experiment_looks FINAL").parse::<u32>().unwrap() >= 3);
    // An hour after the first exposures nobody had spent a second time.
    let of = |ago: i64| {
        let as_of = now - ago * HOUR_US;
        query(
            &service,
            &format!(
                "SELECT mean_control, mean, n, \
                 position(detail, 'revenue in the 1 day before') > 0 \
                 FROM experiment_findings FINAL WHERE as_of = fromUnixTimestamp64Micro(toInt64({as_of}))"
            ),
        )
    };
    assert_eq!(of(3), "1\t3\t10\t1");
    assert_eq!(of(2), "1.5\t4.5\t20\t1");
    // At the first look units differ by their habits alone, which what they spent before tells; later by their time, too.
    let reduction = "SELECT argMin(JSONExtractFloat(detail, 'cuped', 'variance_reduction'), as_of) > 0.5 \
                     FROM experiment_findings FINAL";
    assert_eq!(query(&service, reduction), "1");
    a_backfill_repeats_what_is_there(&service, now);
    the_api_tells_of_both(&service).await;
    the_traffic_is_planned_with(&service, now);
    assert_eq!(service.terminate(), Some(0));
}

fn a_backfill_repeats_what_is_there(service: &Service, now: i64) {
    let until = now - HOUR_US;
    let kept = format!(
        "SELECT count(), sum(cityHash64(* EXCEPT (run_id, computed_at))) FROM experiment_findings FINAL \
         WHERE as_of <= fromUnixTimestamp64Micro(toInt64({until}))"
    );
    let before = query(service, &kept);
    let (from, to) = (at(service, now - 4 * HOUR_US), at(service, until));
    let told = document(
        service,
        &["monitor", "backfill", "hourly", "--from", &from, "--to", &to, "--format", "json"],
    );
    let verdicts: Vec<&str> =
        told["windows"].as_array().unwrap().iter().map(|line| line["verdict"].as_str().unwrap()).collect();
    assert_eq!(verdicts, ["better"; 3], "{told}");
    assert_eq!(query(service, &kept), before);
    assert!(before.starts_with("3\t"), "{before}");
}

async fn the_api_tells_of_both(service: &Service) {
    let get = async |path: &str| -> Value {
        reqwest::get(format!("{}{path}", service.url())).await.unwrap().json().await.unwrap()
    };
    let one = get("/api/v1/experiments/hourly").await;
    assert!(
        one["looks"].as_u64().unwrap() >= 3 && one["over_time"][0]["looks"].as_array().unwrap().len() >= 3
    );
    assert_eq!(one["srm"]["scheduled"], true, "{one}");
    let jobs = get("/api/v1/monitors").await;
    let state = |name: &str| {
        let job = jobs["monitors"].as_array().unwrap().iter().find(|job| job["monitor"] == name).unwrap();
        (job["kind"].clone(), job["state"].clone())
    };
    assert_eq!(state("hourly"), ("experiment".into(), "ok".into()));
    assert_eq!(state("asked"), ("experiment".into(), "disabled".into()));
}

/// The first record of each unit is what it spent before: 1.075 on average. All of them came within the day.
fn the_traffic_is_planned_with(service: &Service, now: i64) {
    let span = format!("{}/{}", at(service, now - 24 * HOUR_US), at(service, now));
    let plan =
        document(service, &["experiment", "plan", "hourly", "--effect", "0.5", "--span", &span, "--json"]);
    assert_eq!(plan["traffic"]["units"], 80, "{plan}");
    assert!((plan["mean"].as_f64().unwrap() - 1.075).abs() < 1e-12, "{plan}");
    assert_eq!(plan["traffic"]["metric"], "revenue");
    assert!(plan["units_needed"].as_u64().unwrap() > 2 && plan["days"].as_f64().unwrap() >= 1.0, "{plan}");
    let aa = document(service, &["experiment", "aa", "hourly", "--splits", "256", "--span", &span, "--json"]);
    assert_eq!((&aa["splits"], &aa["units"], &aa["metric"]), (&256.into(), &80.0.into(), &"revenue".into()));
    assert!(aa["ci"][0].as_f64().unwrap() < 0.05, "{aa}");
    for (words, told) in [
        (&["experiment", "plan", "hourly", "--effect", "0.5", "--metric", "clicks"][..], "there are revenue"),
        (&["experiment", "plan", "hourly", "--effect", "0.5", "--span", "1h"], "not longer than"),
        (&["experiment", "aa", "nope"], "there are asked, hourly"),
    ] {
        let refused = windvane(service, words);
        assert_eq!(refused.status.code(), Some(64), "{words:?}");
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(said.contains(told), "{said}");
    }
}
