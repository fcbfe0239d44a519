//! What the README shows, run as it stands there.

use windvane_sdk::SettingsError;

use super::server::Collector;

const ADDRESS: &str = "\"http://127.0.0.1:8080\"";

/// The README's code, with another address.
fn shown(url: &str) -> Result<(), SettingsError> {
    use windvane_sdk::{Answer, Client, Outcome, Prediction, Settings, Truth};

    let client = Client::new(Settings { model: "delay".to_owned(), ..Settings::new(url) })?;
    let event_id = client.log_prediction(&Prediction {
        features: &[("distance", 1400.into()), ("carrier", "UA".into())],
        answer: Answer::Score(0.12),
        latency_us: Some(830),
        ..Prediction::default()
    });
    client.log_outcome(&Outcome { model: "", event_id: &event_id, ts_us: None, truth: Truth::Label("late") });
    Ok(())
}

fn without_blanks(code: &str) -> String {
    code.split_whitespace().collect()
}

#[test]
fn the_code_of_the_readme_is_what_this_file_runs() {
    let (_, rest) = include_str!("../../README.md").split_once("```rust,no_run\n").unwrap();
    let (code, _) = rest.split_once("# Ok::<").unwrap();
    assert_eq!(code.matches(ADDRESS).count(), 1);
    let code = without_blanks(&code.replace(ADDRESS, "url"));
    assert!(without_blanks(include_str!("readme.rs")).contains(&code), "{code}");
}

#[test]
fn the_code_of_the_readme_records_a_prediction_and_its_outcome() {
    let collector = Collector::start();
    shown(&collector.url).unwrap(); // the end of the client sends
    let (predictions, outcomes) = (collector.records("predictions"), collector.records("outcomes"));
    let ([prediction], [outcome]) = (&predictions[..], &outcomes[..]) else {
        panic!("{predictions:?} {outcomes:?}")
    };
    assert_eq!((&prediction["model"], &prediction["latency_us"]), (&"delay".into(), &830.into()));
    assert_eq!(prediction["features"], serde_json::json!({"distance": 1400, "carrier": "UA"}));
    assert_eq!(prediction["prediction"], serde_json::json!({"score": 0.12}));
    assert_eq!((&outcome["event_id"], &outcome["label"]), (&prediction["event_id"], &"late".into()));
}
