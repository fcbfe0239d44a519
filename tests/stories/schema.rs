//! `windvane schema` and `windvane query` against a running engine, and without one.

use std::path::Path;
use std::process::{Command, Output};

use windvane_kit::Engine;

const BINARY: &str = env!("CARGO_BIN_EXE_windvane");

fn windvane(words: &[&str]) -> Output {
    let mut command = Command::new(BINARY);
    command
        .args(["--log", "error"])
        .args(words)
        .env_remove("WINDVANE_CONFIG")
        .output()
        .expect("windvane starts")
}

fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Exit code and the one line on standard error.
fn refused(output: &Output) -> (Option<i32>, String) {
    let text = String::from_utf8_lossy(&output.stderr).trim_end().to_owned();
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(output.stdout.is_empty());
    (output.status.code(), text)
}

/// The flags that reach an engine.
fn at(engine: &Engine) -> Vec<String> {
    let (user, file) = engine.user();
    ["--url", engine.url(), "--user", &user, "--password-file", &file.display().to_string()]
        .map(str::to_owned)
        .into()
}

fn run(engine: &Engine, words: &[&str]) -> Output {
    let flags = at(engine);
    windvane(&words.iter().copied().chain(flags.iter().map(String::as_str)).collect::<Vec<_>>())
}

#[test]
fn a_schema_is_applied_once_and_survives_a_crash_of_the_engine() {
    let folder = tempfile::tempdir().unwrap();
    let mut engine = Engine::start(Path::new(BINARY), folder.path());
    let status = stdout(&run(&engine, &["schema", "status"]));
    let to_run = status.split(' ').rev().nth(2).unwrap_or_default();
    assert!(status.contains("pending") && to_run != "0", "{status}");
    let applied = stdout(&run(&engine, &["schema", "apply"]));
    assert!(applied.contains(&format!("{to_run} migrations ran")), "{applied} after {status}");

    engine.kill();
    let engine = Engine::start(Path::new(BINARY), folder.path());
    assert!(stdout(&run(&engine, &["schema", "apply"])).starts_with("0 migrations ran"));
    let status = stdout(&run(&engine, &["schema", "status", "--format", "json"]));
    let status: serde_json::Value = serde_json::from_str(&status).unwrap();
    assert_eq!(status["schema"], "windvane.schema_status/1");
    let states = status["migrations"].as_array().unwrap();
    assert!(states.iter().all(|migration| migration["state"] == "applied"), "{status}");

    let other = run(&engine, &["schema", "apply", "--cluster", "main"]);
    assert_eq!(refused(&other).0, Some(78));

    let table = stdout(&run(&engine, &["query", "SELECT 'delay' AS model, 12 AS n"]));
    assert!(table.contains("delay   12") && table.ends_with("1 row\n"), "{table}");
    let text = run(&engine, &["query", "SELECT count() AS n FROM predictions FORMAT CSVWithNames"]);
    assert_eq!(stdout(&text), "\"n\"\n0\n");
    let (code, line) = refused(&run(&engine, &["query", "SELECT nope"]));
    assert!(code == Some(65) && line.contains("UNKNOWN_IDENTIFIER"), "{line}");
}

#[test]
fn a_query_without_a_service_starts_nothing_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().display().to_string();
    let (code, line) = refused(&windvane(&["query", "SELECT 1", "--data-dir", &dir]));
    assert!(code == Some(69) && line.contains("windvane serve"), "{line}");
    let (code, line) = refused(&windvane(&["query", "SELECT 1", "--url", "http://127.0.0.1:1"]));
    assert!(code == Some(69) && line.contains("http://127.0.0.1:1"), "{line}");
    assert_eq!(folder.path().read_dir().unwrap().count(), 0);
}

#[test]
fn a_schema_is_printed_without_any_engine() {
    let single = stdout(&windvane(&["schema", "print"]));
    assert!(single.contains("CREATE TABLE IF NOT EXISTS windvane.predictions\n"), "{single}");
    assert!(!single.contains("Replicated"));
    let cluster = stdout(&windvane(&["schema", "print", "--cluster", "{cluster}"]));
    assert!(cluster.contains("windvane.predictions_local ON CLUSTER '{cluster}'"));
    assert!(cluster.contains("ENGINE = Distributed('{cluster}', 'windvane', 'predictions_local'"));
    assert_eq!(windvane(&["schema", "print", "--cluster", "a'b"]).status.code(), Some(64));
}
