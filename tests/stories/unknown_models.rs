//! A model, version or environment that nobody has sent a prediction of is an error that names those that there are, in every
//! command that reads stored predictions.

use std::path::Path;
use std::time::Duration;

use windvane_kit::{Service, eventually};

use crate::asking::{query, send, windvane};

#[tokio::test(flavor = "multi_thread")]
async fn a_misspelt_model_is_told_from_a_window_with_few_rows() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::start(Path::new(env!("CARGO_BIN_EXE_windvane")), folder.path(), "");
    let refused = |words: &[&str], code: i32, said: &str| {
        let output = windvane(&service, words);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(code) && stderr.contains(said), "{words:?}: {output:?}");
        assert!(output.stdout.is_empty(), "{words:?}: {output:?}");
    };
    let previous = ["--reference", "previous", "--window", "24h"];
    let window = ["--window", "24h"];
    let commands: [(&[&str], &[&str]); 8] = [
        (&["drift"], &previous),
        (&["quality"], &previous),
        (&["quality", "learn"], &window),
        (&["performance", "--task", "binary"], &previous),
        (&["attribution"], &previous),
        (&["latency"], &window),
        (&["fairness", "--group-by", "region"], &window),
        (&["detect"], &window),
    ];
    for (command, spans) in commands {
        refused(
            &[command, &["--model", "delai"][..], spans].concat(),
            65,
            "no prediction of any model is stored yet",
        );
    }

    let event = |model: &str| {
        format!(r#"{{"model":"{model}","version":"7","environment":"prod","features":{{"x":1}}}}"#)
    };
    send(&service, "predictions", [event("delay"), event("fraud")].join("\n")).await;
    eventually(Duration::from_secs(30), || {
        match query(&service, "SELECT count() FROM predictions").as_str() {
            "2" => Ok(()),
            other => Err(other.to_owned()),
        }
    });
    let said = "there is no model `delai`: none of its predictions is stored; did you mean `delay`? there are `delay`, `fraud`";
    for (command, spans) in commands {
        refused(&[command, &["--model", "delai"][..], spans].concat(), 65, said);
    }
    refused(&["baseline", "save", "b", "--model", "delai", "--window", "24h"], 65, said);

    // One that is known has too few rows in this window, which is an answer.
    let drift = |more: &[&'static str]| [&["drift", "--model", "delay"][..], &previous, more].concat();
    let known =
        windvane(&service, &drift(&["--model-version", "7", "--environment", "prod", "--format", "json"]));
    let document: serde_json::Value = serde_json::from_slice(&known.stdout).unwrap();
    assert_eq!(
        (known.status.code(), &document["verdict"]),
        (Some(0), &"insufficient_data".into()),
        "{known:?}"
    );
    refused(
        &drift(&["--model-version", "8"]),
        65,
        "model `delay` has no predictions of version `8`; it has some of version `7` in environment `prod`",
    );
    refused(
        &drift(&["--environment", "test"]),
        65,
        "model `delay` has no predictions of environment `test`; ",
    );
    assert_eq!(service.terminate(), Some(0));
}
