//! Inference, roles, novelty, outliers, times and advice of an experiment of the configuration, over the store.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use windvane_kit::{Service, eventually};

use crate::asking::{document, send, stdout, windvane};

const EXPERIMENT: &str = r#"
[experiments.fading]
control = "A"
window = "1d"
inference = "group_sequential"
planned_units = 1280
looks = 4
novelty = true
outliers = true
timing = true
late_after = "1h"
advice = true
[experiments.fading.metrics.revenue]
[experiments.fading.metrics.visits]
column = "revenue"
role = "guardrail"
margin = 0.5
"#;

/// Units a day; each second one is of B.
const A_DAY: u32 = 80;
const DAYS: u32 = 8;

/// Units of B spend 6 more in the first two days and 1 more in the others; within an arm and day values are 10 to 14.
fn events() -> (String, String) {
    let (mut exposures, mut measurements) = (String::new(), String::new());
    for i in 0..A_DAY * DAYS {
        let (day, of_b) = (i / A_DAY, i % 2);
        let (arm, unit) = (if of_b == 0 { "A" } else { "B" }, format!("u{i}"));
        let value = 10 + i / 2 % 5 + of_b * if day < 2 { 6 } else { 1 };
        writeln!(
            exposures,
            r#"{{"experiment":"fading","unit_id":"{unit}","arm":"{arm}","ts":"2013-01-0{}T00:00:00Z"}}"#,
            day + 1
        )
        .unwrap();
        writeln!(
            measurements,
            r#"{{"unit_id":"{unit}","metric":"revenue","value":{value},"ts":"2013-01-0{}T10:00:00Z"}}"#,
            day + 1
        )
        .unwrap();
    }
    (exposures, measurements)
}

/// Predictions that carried an arm on the day before their units' first exposure.
fn carried(units: u32) -> String {
    (0..units).fold(String::new(), |mut lines, i| {
        let arm = if i % 2 == 0 { "A" } else { "B" };
        writeln!(
            lines,
            r#"{{"model":"m","event_id":"p{i}","unit_id":"u{i}","arms":{{"fading":"{arm}"}},"prediction":{{"value":1}},"ts":"2012-12-31T00:00:00Z"}}"#
        )
        .unwrap();
        lines
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn an_experiment_of_the_configuration_is_judged_by_its_keys() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::start(Path::new(env!("CARGO_BIN_EXE_windvane")), folder.path(), EXPERIMENT);
    let (exposures, measurements) = events();
    send(&service, "exposures", exposures).await;
    send(&service, "measurements", measurements).await;
    send(&service, "predictions", carried(20)).await;
    let stored = "SELECT (SELECT count() FROM exposures), (SELECT count() FROM measurements), \
        (SELECT count() FROM predictions) FORMAT TSV";
    eventually(Duration::from_secs(30), || {
        match String::from_utf8_lossy(&windvane(&service, &["query", stored]).stdout).trim_end() {
            "640\t640\t20" => Ok(()),
            other => Err(other.to_owned()),
        }
    });
    let document = document(&service, &["experiment", "fading", "--no-record", "--format", "json"]);
    let revenue = &document["comparisons"][0];
    // 640 of 1280 planned units, and no look was recorded before. 6 on a quarter of the days and 1 on the others is 2.25 on average.
    let group = &revenue["group_sequential"];
    assert_eq!(group["fractions"], json!([0.5]), "{document}");
    assert_eq!((&revenue["absolute"]["estimate"], &revenue["verdict"]), (&2.25.into(), &"better".into()));
    assert_eq!(document["comparisons"][1]["guardrail"]["verdict"], "held");
    let check = |name: &str, subject: Option<&str>| {
        let checks = document["health"].as_array().unwrap();
        let found =
            checks.iter().find(|check| check["check"] == name && check["subject"].as_str() == subject);
        found.unwrap_or_else(|| panic!("no {name} of {subject:?}: {document}")).clone()
    };
    for metric in ["revenue of B", "visits of B"] {
        let novelty = check("novelty", Some(metric));
        assert_eq!(novelty["verdict"], "warning", "{novelty}");
        let meaning = novelty["meaning"].as_str().unwrap();
        assert!(meaning.contains("+6.0000 among units of the first 2 days, +1.0000 among"), "{meaning}");
        assert_eq!(check("outlier_influence", Some(metric))["verdict"], "ok");
    }
    let before = check("exposure_before_assignment", None);
    assert_eq!((&before["verdict"], &before["observed"]), (&"failure".into(), &0.03125.into()), "{before}");
    // Everything of 2013 came today, in both arms.
    let late = check("late_data", Some("B"));
    assert_eq!(late["verdict"], "ok", "{late}");
    assert!(late["meaning"].as_str().unwrap().contains("100.00 % of the control's"), "{late}");
    let advice = document["advice"].as_array().unwrap();
    assert_eq!((advice.len(), &advice[0]["arms"][1]["thompson"]), (1, &0.99.into()), "{document}");
    it_is_planned_by_its_keys(&service);
    let refused =
        windvane(&service, &["experiment", "fading", "--inference", "fixed", "--alternative", "less"]);
    assert_eq!(refused.status.code(), Some(64));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("[experiments.NAME]"));
    assert_eq!(service.terminate(), Some(0));
}

/// Four looks of two p-values, and a guardrail's side and margin, unless an option says otherwise.
fn it_is_planned_by_its_keys(service: &Service) {
    let plan = |more: &[&str]| -> Value {
        let asked = ["experiment", "plan", "fading", "--span", "2013-01-01/2013-01-10", "--json"];
        let ran = windvane(service, &[&asked[..], more].concat());
        assert!(ran.status.success(), "{more:?}: {}", String::from_utf8_lossy(&ran.stderr));
        serde_json::from_slice(&ran.stdout).unwrap()
    };
    let own = plan(&["--effect", "0.05"]);
    assert_eq!(
        (&own["stopping"], &own["looks"], &own["alpha"]),
        (&json!("group_sequential"), &json!(4), &json!(0.025))
    );
    assert_eq!(own["from_experiment"][0], "inference = group_sequential, 4 looks by obrien_fleming", "{own}");
    let once = plan(&["--effect", "0.05", "--fixed", "--alpha", "0.025"]);
    assert_eq!((&once["stopping"], &once["looks"]), (&json!("fixed"), &Value::Null), "{once}");
    assert_eq!(once["from_experiment"], json!(["alternative = two_sided"]), "{once}");
    assert!(once["units_needed"].as_u64() < own["units_needed"].as_u64(), "{once} {own}");
    let words = ["experiment", "plan", "fading", "--span", "2013-01-01/2013-01-10", "--effect", "0.1"];
    let told = stdout(&windvane(service, &words));
    assert!(told.ends_with("alpha = 0.05, of which holm leaves 0.025 to one of 2 p-values"), "{told}");
    assert!(told.contains("\ntaken from fading: inference = group_sequential, 4 looks"), "{told}");
    let guardrail = plan(&["--effect", "0", "--metric", "visits"]);
    assert_eq!(
        (&guardrail["margin"], &guardrail["alternative"]),
        (&json!(0.5), &json!("greater")),
        "{guardrail}"
    );
    assert_eq!(guardrail["alpha"], 0.05, "{guardrail}");
}
