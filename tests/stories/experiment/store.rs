//! `windvane experiment NAME` over the store: exposures, attribution, every source of metrics, segments, findings over time.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use windvane_kit::{Service, eventually};

use crate::asking::{query, send, windvane};

use super::{Folder, over};

const EXPERIMENT: &str = r#"
[experiments.checkout]
control = "A"
window = "2d"
[experiments.checkout.metrics.revenue]
[experiments.checkout.metrics.latency]
type = "quantile"
quantile = 0.5
source = "predictions"
model = "shop"
column = "latency_us"
better = "lower"
[experiments.checkout.metrics.score]
type = "ratio"
source = "predictions"
model = "shop"
[experiments.checkout.metrics.bought]
type = "proportion"
source = "outcomes"
model = "shop"
column = "label=yes"
[experiments.parts]
control = "A"
exposures = "predictions"
window = "1d"
segment_by = ["region"]
segment_units_min = 10
[experiments.parts.metrics.bought]
type = "proportion"
source = "outcomes"
model = "shop"
column = "label=yes"
[experiments.parts.metrics.latency]
type = "quantile"
quantile = 0.5
source = "predictions"
model = "shop"
column = "latency_us"
better = "lower"
[experiments.parts.metrics.revenue]
[experiments.parts.metrics.waited]
source = "predictions"
model = "shop"
column = "latency_us"
better = "lower"
[experiments.singles]
control = "A"
exposures = "predictions"
window = "1d"
segment_by = ["region"]
segment_units_min = 10
novelty = true
[experiments.singles.metrics.waited]
source = "predictions"
model = "shop"
column = "latency_us"
better = "lower"
[experiments.singles.metrics.failed]
type = "proportion"
source = "predictions"
model = "shop"
column = "errors"
[experiments.uncut]
control = "A"
exposures = "predictions"
window = "1d"
[experiments.uncut.metrics.waited]
source = "predictions"
model = "shop"
column = "latency_us"
better = "lower"
[experiments.uncut.metrics.failed]
type = "proportion"
source = "predictions"
model = "shop"
column = "errors"
"#;

/// Where the `i`th unit is first seen; `None` for those that do not tell.
fn region(i: u32) -> Option<&'static str> {
    match i {
        0..40 => Some("east"),
        40..80 => Some("west"),
        80..96 => None,
        _ => Some("north"),
    }
}

/// Later predictions of another model: two units are seen in the west after all, and one in both arms.
fn elsewhere() -> String {
    let of = |(unit, arm, hour): (&str, &str, u32)| {
        format!(
            r#"{{"model":"other","event_id":"{unit}-{arm}","ts":"2013-01-01T0{hour}:00:00Z","unit_id":"{unit}","prediction":{{"score":0.5}},"arms":{{"parts":"{arm}"}},"tags":{{"region":"west"}}}}"#
        ) + "\n"
    };
    [("u0", "A", 6), ("u90", "A", 6), ("both", "A", 4), ("both", "B", 4)].map(of).concat()
}

/// A prediction of the day before the exposures, with another region than those after them.
fn the_day_before(i: u32) -> String {
    let tags =
        region((i + 50) % 100).map_or(String::new(), |region| format!(r#","tags":{{"region":"{region}"}}"#));
    format!(
        r#"{{"model":"before","event_id":"b{i}","ts":"2012-12-31T12:00:00Z","unit_id":"u{i}","prediction":{{"score":0.5}}{tags}}}"#
    )
}

/// 100 units, 50 in each arm, exposed on 1 January; units of B spend 4 more, and half of all spend nothing.
fn events() -> [(&'static str, String); 4] {
    let (mut exposures, mut measurements) = (String::new(), String::new());
    let (mut predictions, mut outcomes) = (String::new(), String::new());
    let line = |text: &mut String, record: String| writeln!(text, "{record}").unwrap();
    for i in 0..100_u32 {
        let arm = if i % 2 == 0 { "A" } else { "B" };
        line(
            &mut exposures,
            format!(
                r#"{{"experiment":"checkout","unit_id":"u{i}","arm":"{arm}","ts":"2013-01-01T00:00:00Z"}}"#
            ),
        );
        let mut spend = |ts: &str, value: u32| {
            line(
                &mut measurements,
                format!(
                    r#"{{"event_id":"{i}-{ts}","unit_id":"u{i}","metric":"revenue","value":{value},"ts":"{ts}"}}"#
                ),
            );
        };
        if i < 50 {
            spend("2013-01-01T10:00:00Z", i % 5 + 4 * (i % 2));
        }
        // Before the exposure and after the window: neither counts.
        spend("2012-12-31T23:00:00Z", 1000);
        spend("2013-01-03T00:00:00Z", 1000);
        let tags = region(i).map_or(String::new(), |region| format!(r#","tags":{{"region":"{region}"}}"#));
        line(
            &mut predictions,
            format!(
                r#"{{"model":"shop","event_id":"e{i}","ts":"2013-01-01T05:00:00Z","unit_id":"u{i}","prediction":{{"score":0.5}},"latency_us":{},"arms":{{"parts":"{arm}","singles":"{arm}","uncut":"{arm}"}}{tags}}}"#,
                100 + i
            ),
        );
        line(&mut predictions, the_day_before(i));
        let label = if i % 4 < 2 { "yes" } else { "no" };
        line(
            &mut outcomes,
            format!(r#"{{"model":"shop","event_id":"e{i}","ts":"2013-01-02T00:00:00Z","label":"{label}"}}"#),
        );
    }
    // Seen in both arms: belongs to neither.
    for arm in ["A", "B"] {
        line(
            &mut exposures,
            format!(
                r#"{{"experiment":"checkout","unit_id":"both","arm":"{arm}","ts":"2013-01-01T00:00:00Z"}}"#
            ),
        );
    }
    predictions += &elsewhere();
    [
        ("exposures", exposures),
        ("measurements", measurements),
        ("predictions", predictions),
        ("outcomes", outcomes),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn an_experiment_over_the_store_attributes_what_follows_an_exposure_and_is_kept_over_time() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::start(Path::new(env!("CARGO_BIN_EXE_windvane")), folder.path(), EXPERIMENT);
    for (kind, body) in events() {
        send(&service, kind, body).await;
    }
    let stored = "SELECT (SELECT count() FROM exposures), (SELECT count() FROM measurements), \
                  (SELECT count() FROM predictions), (SELECT count() FROM outcomes)";
    eventually(Duration::from_secs(30), || match query(&service, stored).as_str() {
        "102\t250\t204\t100" => Ok(()),
        other => Err(other.to_owned()),
    });
    // A client that was not answered sends its measurements again, under no key: they count once.
    let [_, (_, measurements), ..] = events();
    let one_more = r#"{"unit_id":"u0","metric":"other","value":1,"ts":"2013-01-01T10:00:00Z"}"#;
    send(&service, "measurements", format!("{measurements}{one_more}\n")).await;
    let arrived = "SELECT countIf(metric = 'other') FROM measurements";
    eventually(Duration::from_secs(30), || match query(&service, arrived).as_str() {
        "1" => Ok(()),
        other => Err(other.to_owned()),
    });

    let only_printed = windvane(&service, &["experiment", "checkout", "--no-record", "--format", "json"]);
    assert!(only_printed.status.success(), "{}", String::from_utf8_lossy(&only_printed.stderr));
    let document: Value = serde_json::from_slice(&only_printed.stdout).unwrap();
    assert_eq!(
        (&document["arms"][0]["n"], &document["arms"][1]["n"]),
        (&50.into(), &50.into()),
        "{document}"
    );
    assert_eq!(document["units_in_several_arms"], 1);
    let of = |metric: &str| {
        let found =
            document["comparisons"].as_array().unwrap().iter().find(|found| found["metric"] == metric);
        found.unwrap_or_else(|| panic!("no {metric}: {document}")).clone()
    };
    // 25 units of A spend 2 on average, 25 of B 6; the others spend 0.
    let revenue = of("revenue");
    assert_eq!(
        (&revenue["mean_control"], &revenue["mean"], &revenue["n"]),
        (&1.0.into(), &3.0.into(), &50.into())
    );
    assert_eq!(revenue["verdict"], "better");
    assert_eq!((&of("latency")["mean_control"], &of("latency")["mean"]), (&149.0.into(), &150.0.into()));
    assert_eq!((&of("score")["mean"], &of("score")["absolute"]["estimate"]), (&0.5.into(), &0.0.into()));
    assert_eq!((&of("bought")["mean"], &of("bought")["type"]), (&0.5.into(), &"proportion".into()));
    assert_eq!(query(&service, "SELECT count() FROM experiment_findings"), "0");

    for _ in 0..2 {
        assert!(windvane(&service, &["experiment", "checkout"]).status.success());
    }
    let kept = "SELECT count(), uniqExact(run_id), countIf(metric = 'revenue' AND verdict = 'better') \
                FROM experiment_findings FINAL";
    assert_eq!(query(&service, kept), "8\t2\t2");
    let unknown = windvane(&service, &["experiment", "chekout"]);
    assert_eq!(unknown.status.code(), Some(64));
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("there are checkout"));
    segments_are_those_of_a_file_with_the_same_rows(&service);
    units_with_one_prediction_each_are_those_of_a_file(&service);
    sums_that_are_kept_are_those_of_a_file(&service);
    segments_and_strata_of_exposures_are_those_of_the_days_before(&service);
    what_cuts_nothing_is_told(&service);
    a_quantile_is_planned_and_tried_out_with_its_own_rows(&service);
    assert_eq!(service.terminate(), Some(0));
}

/// What `parts` reads of the events, one row a unit: its region is that of its first prediction.
fn rows() -> String {
    let mut text = "unit,arm,bought,latency,revenue,waited,region\n".to_owned();
    for i in 0..100_u32 {
        let arm = if i % 2 == 0 { "A" } else { "B" };
        let (bought, revenue) = (u32::from(i % 4 < 2), if i < 50 { i % 5 + 4 * (i % 2) } else { 0 });
        let region = region(i).unwrap_or_default();
        let latency = 100 + i;
        writeln!(text, "u{i},{arm},{bought},{latency},{revenue},{latency},{region}").unwrap();
    }
    text + "both,A,0,1,0,1,west\nboth,B,0,1,0,1,west\n"
}

/// Comparisons without their ledgers, which tell what was attributed and what was summed.
fn without_ledgers(comparisons: &Value) -> Vec<Value> {
    let plain = |comparison: &Value| {
        let mut comparison = comparison.clone();
        comparison.as_object_mut().unwrap().remove("ledger").unwrap();
        comparison
    };
    comparisons.as_array().unwrap().iter().map(plain).collect()
}

/// Three sources of metrics over the store, one file: the same sums of whole numbers, so the same p-values, corrected as one family.
/// Some measurements lie outside of the window after an exposure, no prediction and no outcome does: sums are made in every way there is.
fn segments_are_those_of_a_file_with_the_same_rows(service: &Service) {
    let stored = windvane(service, &["experiment", "parts", "--format", "json"]);
    assert!(stored.status.success(), "{}", String::from_utf8_lossy(&stored.stderr));
    let stored: Value = serde_json::from_slice(&stored.stdout).unwrap();
    let folder = Folder::new();
    let file = folder.file("rows.csv", &rows());
    let metrics = [
        "--metric",
        "bought:proportion",
        "--metric",
        "latency:quantile(0.5):lower",
        "--metric",
        "revenue:mean",
        "--metric",
        "waited:mean:lower",
    ];
    let cut = ["--segment-by", "region", "--segment-min", "10", "--format", "json"];
    let expected = over(&file, &[&metrics[..], &cut].concat()).document();

    for same in ["arms", "srm", "tests", "segments_left_out", "units_in_several_arms"] {
        assert_eq!(stored[same], expected[same], "{same}: {stored}");
    }
    // Four p-values of the whole and of each segment, but one fewer where nobody spent anything.
    assert_eq!((&stored["tests"], &stored["segments_left_out"]), (&15.into(), &1.into()));
    assert_eq!(without_ledgers(&stored["comparisons"]), without_ledgers(&expected["comparisons"]));
    let (found, wanted) = (stored["segments"].as_array().unwrap(), expected["segments"].as_array().unwrap());
    let regions: Vec<&Value> = found.iter().map(|segment| &segment["segment"]["region"]).collect();
    assert_eq!(regions, [&Value::Null, &"east".into(), &"west".into()]);
    for (found, wanted) in found.iter().zip(wanted) {
        for same in ["segment", "arms", "srm"] {
            assert_eq!(found[same], wanted[same], "{found}");
        }
        assert_eq!(without_ledgers(&found["comparisons"]), without_ledgers(&wanted["comparisons"]));
        let ledger = found["comparisons"][0]["ledger"].to_string();
        for part in ["attributed: outcomes of `shop` within 1 day", "those of 3 segments among them"] {
            assert!(ledger.contains(part), "{part} is not in {ledger}");
        }
    }
    let kept = "SELECT segment_value, count() FROM experiment_findings FINAL \
                WHERE experiment = 'parts' AND segment_key = 'region' GROUP BY segment_value ORDER BY segment_value";
    assert_eq!(query(service, kept), "(missing)\t4\neast\t4\nwest\t4");
}

/// Every unit has one prediction of the model, which exposes it: the store puts nothing together by unit, and says the same.
fn units_with_one_prediction_each_are_those_of_a_file(service: &Service) {
    let stored = windvane(service, &["experiment", "singles", "--no-record", "--format", "json"]);
    assert!(stored.status.success(), "{}", String::from_utf8_lossy(&stored.stderr));
    let stored: Value = serde_json::from_slice(&stored.stdout).unwrap();
    let folder = Folder::new();
    let file = folder.file("singles.csv", rows().split("both").next().unwrap());
    let asked = ["--metric", "waited:mean:lower", "--segment-by", "region", "--segment-min", "10"];
    let expected = over(&file, &[&asked[..], &["--format", "json"]].concat()).document();
    for same in ["arms", "srm", "segments_left_out", "units_in_several_arms"] {
        assert_eq!(stored[same], expected[same], "{same}: {stored}");
    }
    waited_agrees(&stored["comparisons"], &expected["comparisons"]);
    let (found, wanted) = (stored["segments"].as_array().unwrap(), expected["segments"].as_array().unwrap());
    assert_eq!((found.len(), wanted.len()), (3, 3), "{stored}");
    for (found, wanted) in found.iter().zip(wanted) {
        assert_eq!((&found["segment"], &found["arms"]), (&wanted["segment"], &wanted["arms"]));
        waited_agrees(&found["comparisons"], &wanted["comparisons"]);
    }
}

fn waited_agrees(found: &Value, wanted: &Value) {
    let found = found.as_array().unwrap().iter().find(|found| found["metric"] == "waited").unwrap();
    for same in ["n", "n_control", "mean", "mean_control", "absolute", "relative", "missing"] {
        assert_eq!(found[same], wanted[0][same], "{same}: {found}");
    }
}

/// The same units without segments: the first look reads them part by part, the second one takes what is kept.
fn sums_that_are_kept_are_those_of_a_file(service: &Service) {
    let folder = Folder::new();
    let file = folder.file("uncut.csv", rows().split("both").next().unwrap());
    let expected = over(&file, &["--metric", "waited:mean:lower", "--format", "json"]).document();
    let mut found = Vec::new();
    for look in ["first", "second"] {
        let stored = windvane(service, &["experiment", "uncut", "--no-record", "--format", "json"]);
        assert!(stored.status.success(), "{}", String::from_utf8_lossy(&stored.stderr));
        let stored: Value = serde_json::from_slice(&stored.stdout).unwrap();
        for same in ["arms", "srm", "units_in_several_arms"] {
            assert_eq!(stored[same], expected[same], "{look}, {same}: {stored}");
        }
        waited_agrees(&stored["comparisons"], &expected["comparisons"]);
        assert_eq!(
            query(service, "SELECT count() FROM experiment_sums FINAL WHERE experiment = 'uncut'"),
            "1"
        );
        found.push(stored["comparisons"].clone());
    }
    assert_eq!(found[0], found[1]);
}

/// Regions that predictions tell after the exposures do not count, because an arm may have made them.
fn segments_and_strata_of_exposures_are_those_of_the_days_before(service: &Service) {
    let cut = ["--segment-by", "region", "--segment-min", "10", "--stratify", "region", "--format", "json"];
    let stored = windvane(service, &[&["experiment", "checkout", "--no-record"], &cut[..]].concat());
    assert!(stored.status.success(), "{}", String::from_utf8_lossy(&stored.stderr));
    let stored: Value = serde_json::from_slice(&stored.stdout).unwrap();
    let rows = (0..100_u32).fold("unit,arm,revenue,region\n".to_owned(), |mut text, i| {
        let (arm, revenue) = (["A", "B"][i as usize % 2], if i < 50 { i % 5 + 4 * (i % 2) } else { 0 });
        let region = region((i + 50) % 100).unwrap_or_default();
        writeln!(text, "u{i},{arm},{revenue},{region}").unwrap();
        text
    });
    let folder = Folder::new();
    let file = folder.file("before.csv", &rows);
    let expected = over(&file, &[&["--metric", "revenue:mean"], &cut[..]].concat()).document();

    let revenue = |comparisons: &Value| -> Value {
        let found = comparisons.as_array().unwrap().iter().find(|found| found["metric"] == "revenue");
        found.unwrap_or_else(|| panic!("no revenue: {comparisons}")).clone()
    };
    let agrees = |found: &Value, wanted: &Value| {
        for same in ["n", "n_control", "mean", "mean_control", "absolute", "relative", "method", "stratified"]
        {
            assert_eq!(found[same], wanted[same], "{same}: {found}");
        }
    };
    let whole = revenue(&stored["comparisons"]);
    agrees(&whole, &revenue(&expected["comparisons"]));
    // Four units are of the north, which is too few to be compared alone.
    assert_eq!((&whole["method"], &whole["stratified"]["strata"]), (&"post_stratified".into(), &3.into()));
    assert!(whole["ledger"].to_string().contains("latest prediction before its first exposure"), "{whole}");
    let (found, wanted) = (stored["segments"].as_array().unwrap(), expected["segments"].as_array().unwrap());
    assert_eq!((found.len(), &stored["segments_left_out"]), (3, &1.into()), "{stored}");
    for (found, wanted) in found.iter().zip(wanted) {
        for same in ["segment", "arms", "srm"] {
            assert_eq!(found[same], wanted[same], "{found}");
        }
        agrees(&revenue(&found["comparisons"]), &revenue(&wanted["comparisons"]));
    }
}

/// Latencies of 100 to 199, one a unit: the interval of the median at the ranks 40 and 60 is 20 wide, and clusters of one row have the
/// variance of 100 over 99 of independent ones, which the formula's 99 over 100 takes back: 100·(20/2z)².
fn a_quantile_is_planned_and_tried_out_with_its_own_rows(service: &Service) {
    let of = |words: &[&str]| {
        let more = ["checkout", "--metric", "latency", "--span", "2013-01-01/2013-01-05", "--json"];
        let ran = windvane(service, &[&["experiment"], words, &more].concat());
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
        let document: Value = serde_json::from_slice(&ran.stdout).unwrap();
        document
    };
    let plan = of(&["plan", "--effect", "0.2"]);
    assert_eq!((&plan["mean"], &plan["quantile"]), (&149.5.into(), &0.5.into()), "{plan}");
    assert_eq!(plan["traffic"]["units"], 100, "{plan}");
    let variance = plan["variance"].as_f64().unwrap();
    assert!((variance / 2_603.177_716 - 1.0).abs() < 1e-9, "{plan}");
    let aa = of(&["aa", "--splits", "64"]);
    assert_eq!((&aa["units"], &aa["splits"], &aa["metric"]), (&100.0.into(), &64.into(), &"latency".into()));
}

fn what_cuts_nothing_is_told(service: &Service) {
    let words = ["experiment", "parts", "--segment-by", "regoin", "--no-record", "--format", "json"];
    let ran = windvane(service, &words);
    let document: Value = serde_json::from_slice(&ran.stdout).unwrap();
    let checks = document["health"].as_array().unwrap();
    let told = checks.iter().find(|check| check["check"] == "segment_values").unwrap();
    assert_eq!((&told["subject"], &told["verdict"]), (&"regoin".into(), &"warning".into()));
}
