//! What stories ask of a service: commands with its configuration, statements, events.

use std::process::{Command, Output};

use serde_json::Value;
use windvane_kit::Service;

/// A command with the configuration of the service.
pub(super) fn windvane(service: &Service, words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_windvane"));
    command.args(["--log", "error"]).args(words).arg("--config").arg(service.config());
    command.output().expect("windvane starts")
}

/// What a command that succeeds prints, without blanks at its end.
pub(super) fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
}

/// The JSON document that a command prints that succeeds.
pub(super) fn document(service: &Service, words: &[&str]) -> Value {
    serde_json::from_str(&stdout(&windvane(service, words))).expect("the command prints JSON")
}

/// The answer to a statement, columns between tabs.
pub(super) fn query(service: &Service, sql: &str) -> String {
    stdout(&windvane(service, &["query", &format!("{sql} FORMAT TSV")]))
}

/// Sends events, a line each, all of which the service takes.
pub(super) async fn send(service: &Service, kind: &str, body: String) {
    let sent = reqwest::Client::new()
        .post(format!("{}/v1/{kind}", service.url()))
        .header("content-type", "application/x-ndjson")
        .body(body)
        .send()
        .await
        .unwrap();
    assert_eq!(sent.status(), 200, "{kind}: {}", sent.text().await.unwrap());
}
