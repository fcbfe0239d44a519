//! Looks that share alpha over the store: those count that were recorded, however many were planned.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use windvane_kit::{Service, eventually};

use crate::asking::{document, query, send, stdout};

use super::comparison;

const BINARY: &str = env!("CARGO_BIN_EXE_windvane");

/// Two looks are planned, five and more are taken.
const EXPERIMENT: &str = r#"
[experiments.shared]
control = "A"
window = "1h"
inference = "group_sequential"
planned_units = 400
looks = 2
[experiments.shared.metrics.revenue]
[experiments.shared.metrics.visits]
"#;

/// Units a day, half of them in each arm.
const A_DAY: u32 = 80;

/// Values of 10 to 14; units of B spend 1 more and visit as often.
fn events(days: std::ops::Range<u32>) -> (String, String) {
    let (mut exposures, mut measurements) = (String::new(), String::new());
    for i in days.start * A_DAY..days.end * A_DAY {
        let (day, of_b, value) = (i / A_DAY + 1, i % 2, 10 + i / 2 % 5);
        let arm = if of_b == 0 { "A" } else { "B" };
        writeln!(
            exposures,
            r#"{{"experiment":"shared","unit_id":"u{i}","arm":"{arm}","ts":"2013-01-0{day}T00:00:00Z"}}"#
        )
        .unwrap();
        for (metric, value) in [("revenue", value + of_b), ("visits", value)] {
            writeln!(
                measurements,
                r#"{{"unit_id":"u{i}","metric":"{metric}","value":{value},"ts":"2013-01-0{day}T00:10:00Z"}}"#
            )
            .unwrap();
        }
    }
    (exposures, measurements)
}

async fn send_days(service: &Service, days: std::ops::Range<u32>) {
    let units = days.end * A_DAY;
    let (exposures, measurements) = events(days);
    send(service, "exposures", exposures).await;
    send(service, "measurements", measurements).await;
    let stored = "SELECT (SELECT count() FROM exposures), (SELECT count() FROM measurements)";
    eventually(Duration::from_secs(30), || match query(service, stored) {
        found if found == format!("{units}\t{}", 2 * units) => Ok(()),
        other => Err(other),
    });
}

/// The looks of the midnights after these days of January 2013.
fn look_back(service: &Service, from: &str, to: &str) -> Vec<String> {
    let words = ["monitor", "backfill", "shared", "--from", from, "--to", to, "--format", "json"];
    let told = document(service, &words);
    let verdict = |line: &Value| line["verdict"].as_str().unwrap().to_owned();
    told["windows"].as_array().unwrap().iter().map(verdict).collect()
}

fn look(service: &Service, more: &[&str]) -> Value {
    let words = [&["experiment", "shared", "--format", "json"], more].concat();
    document(service, &words)
}

fn ledger(document: &Value, metric: &str) -> String {
    comparison(document, metric, "B")["ledger"].to_string()
}

fn fractions(document: &Value) -> usize {
    let group = &comparison(document, "revenue", "B")["group_sequential"];
    group["fractions"].as_array().unwrap().len()
}

#[tokio::test(flavor = "multi_thread")]
async fn looks_share_alpha_with_those_that_were_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::start(Path::new(BINARY), folder.path(), EXPERIMENT);
    send_days(&service, 0..5).await;
    // 40 units an arm are some 3.1 standard errors apart, of which one look would take 1.96 and the first of many takes 4.88.
    let verdicts = look_back(&service, "2013-01-01", "2013-01-06");
    assert_eq!(verdicts, ["inconclusive", "better", "better", "better", "better"]);
    five_looks_have_the_boundaries_of_five(&service);
    a_look_that_is_made_again_keeps_its_place(&service);
    the_same_data_are_the_same_look(&service);
    send_days(&service, 5..6).await;
    after_the_end_of_the_plan_what_was_decided_stands(&service);
    a_look_back_after_a_later_one_decides_nothing(&service);
    looks_at_something_else_do_not_count(&service, folder.path());
    looks_by_another_inference_are_told(&service, folder.path());
    an_arm_that_was_switched_off_is_no_part_of_the_plan(&service, folder.path()).await;
    assert_eq!(service.terminate(), Some(0));
}

// Tables of Lan and DeMets' program for five equal looks at 0.025 one-sided: stats/src/experiment/group_sequential.rs.
fn five_looks_have_the_boundaries_of_five(service: &Service) {
    let boundaries = "SELECT round(JSONExtractFloat(detail, 'group_sequential', 'boundary'), 3) FROM experiment_findings FINAL \
                      WHERE metric = 'visits' ORDER BY as_of";
    assert_eq!(query(service, boundaries).replace('\n', " "), "4.877 3.357 2.68 2.29 2.031");
    let told = "SELECT countIf(position(detail, 'than the 2 times that were planned') > 0) FROM experiment_findings FINAL \
                WHERE metric = 'visits'";
    assert_eq!(query(service, told), "3");
}

fn a_look_that_is_made_again_keeps_its_place(service: &Service) {
    let kept =
        "SELECT count(), sum(cityHash64(* EXCEPT (run_id, computed_at))) FROM experiment_findings FINAL";
    let before = query(service, kept);
    assert_eq!(look_back(service, "2013-01-02", "2013-01-04"), ["better", "better"]);
    assert_eq!(query(service, kept), before);
}

/// One is recorded and one is not.
fn the_same_data_are_the_same_look(service: &Service) {
    for counted in [true, false] {
        let document = if counted { look(service, &[]) } else { look(service, &["--no-record"]) };
        let told = ledger(&document, "revenue");
        assert_eq!(fractions(&document), 5, "{document}");
        assert!(told.contains("this is that look once more"), "{told}");
        assert_eq!(told.contains("not counted: it is not recorded"), !counted, "{told}");
        assert_eq!(comparison(&document, "revenue", "B")["verdict"], "better");
    }
}

fn after_the_end_of_the_plan_what_was_decided_stands(service: &Service) {
    let document = look(service, &[]);
    assert_eq!(fractions(&document), 5, "{document}");
    let revenue = comparison(&document, "revenue", "B");
    assert_eq!(
        (&revenue["verdict"], &revenue["group_sequential"]["boundary"]),
        (&"better".into(), &Value::Null)
    );
    let told = ledger(&document, "revenue");
    assert!(
        told.contains("all alpha has been spent") && told.contains("what was said then stands"),
        "{told}"
    );
    let visits = comparison(&document, "visits", "B");
    assert_eq!((&visits["verdict"], &visits["decision"]["p_value"]), (&"inconclusive".into(), &1.0.into()));
    assert!(!ledger(&document, "visits").contains("stands"), "{document}");
}

fn a_look_back_after_a_later_one_decides_nothing(service: &Service) {
    look_back(service, "2013-01-06", "2013-01-07");
    let told = "SELECT position(detail, 'a look as of a later time was taken before it') > 0 FROM experiment_findings FINAL \
                WHERE metric = 'visits' AND as_of = '2013-01-07 00:00:00'";
    assert_eq!(query(service, told), "1");
}

/// A look by the service's configuration with one thing changed.
fn look_by_another(service: &Service, folder: &Path, (from, to): (&str, &str), recorded: &[&str]) -> Value {
    let config = std::fs::read_to_string(service.config()).unwrap();
    assert!(config.contains(from), "{config}");
    let changed = folder.join("changed.toml");
    std::fs::write(&changed, config.replace(from, to)).unwrap();
    let mut command = Command::new(BINARY);
    command.args(["experiment", "shared", "--format", "json"]).args(recorded).arg("--config").arg(&changed);
    serde_json::from_str(&stdout(&command.output().unwrap())).unwrap()
}

/// Five looks by day and one by hand had a boundary.
fn looks_at_something_else_do_not_count(service: &Service, folder: &Path) {
    let document = look_by_another(service, folder, ("\"1h\"", "\"2h\""), &["--no-record"]);
    assert_eq!(fractions(&document), 1, "{document}");
    let told = ledger(&document, "revenue");
    assert!(told.contains("begun anew: 6 earlier looks compared something else and do not count"), "{told}");
}

fn looks_by_another_inference_are_told(service: &Service, folder: &Path) {
    let told = |document: &Value| ledger(document, "revenue").contains("inference changed on the way");
    assert!(!told(&look(service, &["--no-record"])));
    let plan = "inference = \"group_sequential\"\nplanned_units = 400\nlooks = 2\n";
    let fixed = look_by_another(service, folder, (plan, ""), &[]);
    assert!(fixed["inference"] == "fixed" && !told(&fixed), "{fixed}");
    let document = look(service, &["--no-record"]);
    let found = ledger(&document, "revenue");
    assert!(
        told(&document) && found.contains("1 earlier look decided by `fixed` and spent no alpha"),
        "{found}"
    );
    let sequential =
        look_by_another(service, folder, (plan, "inference = \"sequential\"\n"), &["--no-record"]);
    let found = ledger(&sequential, "revenue");
    assert!(
        told(&sequential) && found.contains("decided by `fixed` or `group_sequential`, with an error"),
        "{found}"
    );
}

/// Of 600 planned units 480 have come, whatever C was dealt; the same data are the look that was recorded.
async fn an_arm_that_was_switched_off_is_no_part_of_the_plan(service: &Service, folder: &Path) {
    let exposures = (0..100).fold(String::new(), |mut text, i| {
        writeln!(text, r#"{{"experiment":"shared","unit_id":"c{i}","arm":"C","ts":"2013-01-06T00:00:00Z"}}"#)
            .unwrap();
        text
    });
    send(service, "exposures", exposures).await;
    eventually(Duration::from_secs(30), || match query(service, "SELECT count() FROM exposures") {
        found if found == "580" => Ok(()),
        other => Err(other),
    });
    let plan = "planned_units = 400\nlooks = 2\n";
    let without_c = "planned_units = 600\nlooks = 2\n[experiments.shared.arms]\nA = 0.5\nB = 0.5\nC = 0\n";
    for recorded in [&[][..], &["--no-record"]] {
        let document = look_by_another(service, folder, (plan, without_c), recorded);
        let told = comparison(&document, "revenue", "B")["group_sequential"]["fractions"].to_string();
        assert!(told.ends_with(",0.8]"), "{told}");
        let again = ledger(&document, "revenue").contains("this is that look once more");
        assert_eq!(again, recorded == ["--no-record"], "{document}");
    }
}
