//! Experiments on real traffic: the flights of 2013, dealt out by aeroplane. Two halves that are treated alike do not differ, and
//! of two model versions replayed over the same traffic the comparison says which is better.

#[path = "../../../src/demo/flights.rs"]
mod flights;
mod replay;

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use windvane_kit::{Service, eventually};

use replay::Events;

/// Records of one request.
const BATCH_RECORDS: usize = 10_000;

const EXPERIMENTS: &str = r#"
[experiments.halves]
control = "A"
exposures = "predictions"
window = "60d"
[experiments.halves.metrics.late]
type = "ratio"
source = "outcomes"
model = "delay"
column = "label=late"
better = "lower"
[experiments.halves.metrics.delay]
type = "ratio"
source = "predictions"
model = "delay"
column = "num.dep_delay"
better = "lower"

[experiments.versions]
control = "champion"
exposures = "predictions"
window = "280d"
every = "1mo"
catch_up = 1
[experiments.versions.metrics.log_loss]
type = "ratio"
denominator = "answers"
better = "lower"
[experiments.versions.metrics.right]
type = "ratio"
denominator = "answers"
role = "secondary"
"#;

/// What a command prints; told with the command, so that a run that is not captured is a record.
#[expect(clippy::print_stdout, reason = "benches/runs holds what a run printed")]
fn told(service: &Service, words: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_windvane"));
    command.args(["--log", "error"]).args(words).arg("--config").arg(service.config());
    let output = command.output().expect("windvane starts");
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let for_people = !words.iter().any(|word| ["query", "json", "--json"].contains(word));
    if for_people {
        println!("$ windvane {}\n{text}", words.join(" "));
    }
    text
}

fn document(service: &Service, words: &[&str]) -> Value {
    serde_json::from_str(&told(service, words)).unwrap()
}

async fn send(service: &Service, events: Events) {
    let client = reqwest::Client::new();
    let counts = [events.predictions.len(), events.outcomes.len(), events.measurements.len()];
    for (kind, lines) in [
        ("predictions", events.predictions),
        ("outcomes", events.outcomes),
        ("measurements", events.measurements),
    ] {
        for batch in lines.chunks(BATCH_RECORDS) {
            let sent = client
                .post(format!("{}/v1/{kind}", service.url()))
                .header("content-type", "application/x-ndjson")
                .body(batch.join("\n"))
                .send()
                .await
                .unwrap();
            assert_eq!(sent.status(), 200, "{kind}: {}", sent.text().await.unwrap());
        }
    }
    let expected = counts.map(|count| count.to_string()).join("\t");
    let stored = "SELECT (SELECT count() FROM predictions), (SELECT count() FROM outcomes), \
                  (SELECT count() FROM measurements) FORMAT TSV";
    eventually(Duration::from_secs(120), || match told(service, &["query", stored]).trim_end() {
        found if found == expected => Ok(()),
        found => Err(format!("{found} of {expected}")),
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn halves_of_the_flights_do_not_differ_and_the_candidate_is_better() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::start(Path::new(env!("CARGO_BIN_EXE_windvane")), folder.path(), EXPERIMENTS);
    send(&service, replay::replay()).await;
    halves_do_not_differ(&service);
    the_candidate_is_better(&service);
    assert_eq!(service.terminate(), Some(0));
}

/// Aeroplanes dealt out by hash and treated alike: one split that finds nothing, and a thousand that find what alpha allows.
fn halves_do_not_differ(service: &Service) {
    let span = "2013-04-01/2014-01-02";
    let plan = ["experiment", "plan", "halves", "--metric", "late", "--effect", "-0.1", "--span", span];
    told(service, &plan);
    let plan = document(service, &[&plan[..], &["--json"]].concat());
    assert!(plan["days"].as_f64().unwrap() >= 1.0 && plan["traffic"]["window_days"] == 60.0, "{plan}");
    told(service, &["experiment", "halves", "--no-record"]);
    let found = document(service, &["experiment", "halves", "--no-record", "--format", "json"]);
    assert_eq!(found["srm"]["verdict"], "ok", "{found}");
    for comparison in found["comparisons"].as_array().unwrap() {
        assert_eq!(comparison["verdict"], "inconclusive", "{comparison}");
        assert!(comparison["n"].as_u64().unwrap() > 1_000, "{comparison}");
    }
    for metric in ["late", "delay"] {
        let words = ["experiment", "aa", "halves", "--metric", metric, "--span", span];
        told(service, &words);
        let found = document(service, &[&words[..], &["--json"]].concat());
        assert_eq!(found["alpha_within"], true, "{found}");
        assert!(found["units"].as_f64().unwrap() > 2_000.0, "{found}");
    }
}

fn the_candidate_is_better(service: &Service) {
    let back = ["monitor", "backfill", "versions", "--from", "2013-04-01", "--to", "2014-02-01"];
    told(service, &back);
    told(service, &["experiment", "versions"]);
    let found = document(service, &["experiment", "versions", "--format", "json"]);
    assert_eq!(found["srm"]["verdict"], "ok", "{found}");
    let loss = &found["comparisons"][0];
    assert_eq!((&loss["metric"], &loss["arm"]), (&"log_loss".into(), &"candidate".into()));
    // data/README.md: over all flights of these months the candidate's log loss is 0.272, the champion's 0.289.
    let (champion, candidate) = (loss["mean_control"].as_f64().unwrap(), loss["mean"].as_f64().unwrap());
    assert!((champion - 0.289).abs() < 0.01 && (candidate - 0.272).abs() < 0.01, "{champion} {candidate}");
    assert_eq!(loss["verdict"], "better", "{loss}");
}
