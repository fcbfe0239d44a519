//! Sums of an experiment are there before anybody looks, and a look by hand says what it would have said without them.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use windvane_kit::{Service, eventually};

use crate::asking::{document, query, send};

const BINARY: &str = env!("CARGO_BIN_EXE_windvane");
/// How long the service may take on a slow machine.
const PATIENCE: Duration = Duration::from_secs(90);

const EXPERIMENTS: &str = r#"
[analyzer]
sums_every = "1s"
[experiments.ranking]
control = "A"
exposures = "predictions"
[experiments.ranking.metrics.waited]
source = "predictions"
model = "shop"
column = "latency_us"
better = "lower"
"#;

/// Predictions of units that are exposed by them, those of `B` being slower.
fn predictions(units: std::ops::Range<u32>) -> String {
    units.fold(String::new(), |mut lines, i| {
        let (arm, slower) = if i % 2 == 0 { ("A", 0) } else { ("B", 500) };
        let latency = 1_000 + 7 * (i % 13) + slower;
        writeln!(
            lines,
            r#"{{"model":"shop","event_id":"e{i}","ts":"2013-01-01T05:17:00Z","unit_id":"u{i}","prediction":{{"score":0.5}},"arms":{{"ranking":"{arm}"}},"latency_us":{latency}}}"#
        )
        .unwrap();
        lines
    })
}

/// Units in kept sums of all parts.
fn units_kept(service: &Service) -> u64 {
    let units = "arraySum(arrayMap(part -> arraySum(arrayMap(arm -> JSONExtractUInt(arm, 'units'), JSONExtractArrayRaw(part, 'arms'))), JSONExtractArrayRaw(sums)))";
    let told = query(service, &format!("SELECT sum({units}) FROM experiment_sums FINAL"));
    told.trim().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn sums_are_kept_whether_anybody_looks_or_not() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::start(Path::new(BINARY), folder.path(), EXPERIMENTS);
    for (units, all) in [(0..200, 200), (200..240, 240)] {
        send(&service, "predictions", predictions(units)).await;
        eventually(PATIENCE, || match units_kept(&service) {
            kept if kept == all => Ok(()),
            kept => Err(kept),
        });
    }
    let document = document(&service, &["experiment", "ranking", "--no-record", "--format", "json"]);
    let of = |arm: usize| document["arms"][arm]["n"].as_u64().unwrap();
    assert_eq!((of(0), of(1)), (120, 120), "{document}");
    assert_eq!(document["comparisons"][0]["verdict"], "worse", "{document}");
    assert_eq!(service.terminate(), Some(0));
}
