//! Events that are sent again with something else: the latest copy counts, also before ClickHouse has merged it with those before.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use windvane_kit::{Service, eventually};

use crate::asking::{document, query, send};

const BINARY: &str = env!("CARGO_BIN_EXE_windvane");
/// How long the service may take on a slow machine.
const PATIENCE: Duration = Duration::from_secs(90);

const EXPERIMENTS: &str = r#"
[experiments.ranking]
control = "A"
exposures = "predictions"
[experiments.ranking.metrics.bought]
source = "outcomes"
model = "shop"
column = "label=yes"
[experiments.checkout]
control = "A"
[experiments.checkout.metrics.revenue]
"#;

/// A line for each of these numbers.
fn lines(numbers: std::ops::Range<u32>, line: impl Fn(u32) -> String) -> String {
    numbers.fold(String::new(), |mut text, i| {
        writeln!(text, "{}", line(i)).unwrap();
        text
    })
}

fn arm(i: u32) -> &'static str {
    if i.is_multiple_of(2) { "A" } else { "B" }
}

fn looked_at(service: &Service, experiment: &str) -> Value {
    document(service, &["experiment", experiment, "--no-record", "--format", "json"])
}

#[tokio::test(flavor = "multi_thread")]
async fn the_latest_copy_of_an_event_counts_before_copies_are_merged() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::start(Path::new(BINARY), folder.path(), EXPERIMENTS);
    let predictions = |numbers, of: &str| {
        lines(numbers, |i| {
            let arm = arm(i);
            format!(
                r#"{{"model":"shop","event_id":"e{i}","ts":"2013-01-01T05:17:00Z","unit_id":"{of}{i}","prediction":{{"score":0.5}},"arms":{{"ranking":"{arm}"}}}}"#
            )
        })
    };
    let outcomes = lines(0..100, |i| {
        format!(r#"{{"model":"shop","event_id":"e{i}","ts":"2013-01-02T05:17:00Z","label":"yes"}}"#)
    });
    for (kind, body) in [
        ("predictions", predictions(0..100, "u")),
        ("outcomes", outcomes),
        ("predictions", predictions(0..40, "new-")),
    ] {
        send(&service, kind, body).await;
    }
    let stored = "SELECT (SELECT countIf(startsWith(unit_id, 'new-')) FROM predictions FINAL), (SELECT count() FROM outcomes)";
    eventually(PATIENCE, || match query(&service, stored).as_str() {
        "40\t100" => Ok(()),
        other => Err(other.to_owned()),
    });
    outcomes_go_with_the_latest_unit(&service);
    a_corrected_exposure_is_in_one_arm(&service).await;
    assert_eq!(service.terminate(), Some(0));
}

fn outcomes_go_with_the_latest_unit(service: &Service) {
    let document = looked_at(service, "ranking");
    let bought = &document["comparisons"][0];
    assert_eq!((&bought["n"], &bought["n_control"]), (&50.into(), &50.into()), "{document}");
    assert_eq!((&bought["mean"], &bought["mean_control"]), (&1.0.into(), &1.0.into()), "{document}");
}

/// The arm was wrong at first: 20 of these 40 units were not in `A`.
async fn a_corrected_exposure_is_in_one_arm(service: &Service) {
    let exposures = |numbers, arm: fn(u32) -> &'static str| {
        lines(numbers, |i| {
            let arm = arm(i);
            format!(
                r#"{{"experiment":"checkout","event_id":"x{i}","ts":"2013-01-01T05:17:00Z","unit_id":"u{i}","arm":"{arm}"}}"#
            )
        })
    };
    send(service, "exposures", exposures(0..100, arm)).await;
    send(service, "exposures", exposures(0..40, |_| "A")).await;
    eventually(PATIENCE, || {
        match query(service, "SELECT countIf(arm = 'A'), count() FROM exposures FINAL").as_str() {
            "70\t100" => Ok(()),
            other => Err(other.to_owned()),
        }
    });
    let document = looked_at(service, "checkout");
    let units = |arm: usize| &document["arms"][arm]["n"];
    assert_eq!((units(0), units(1)), (&70.into(), &30.into()), "{document}");
    assert_eq!(document["units_in_several_arms"], 0, "{document}");
}
