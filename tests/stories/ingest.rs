//! `windvane ingest`: the flights out of a file into a running service, twice, badly, and against nobody.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use windvane_kit::{Service, eventually, nothing_is_lost};

const FLIGHTS: u64 = 72_000;
/// The rest were cancelled or diverted.
const OUTCOMES: u64 = 70_016;

fn binary() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_windvane"))
}

fn flights() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data/flights.parquet")
}

fn ingest(files: &[&Path], more: &[&str]) -> Output {
    let mut command = Command::new(binary());
    command.arg("ingest").args(files).args(["--model", "delay", "--version", "7"]).args(more);
    command.stdin(Stdio::null()).output().expect("the binary starts")
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn query(service: &Service, sql: &str) -> String {
    let mut command = Command::new(binary());
    let output = command.args(["query", sql, "--config"]).arg(service.config()).output();
    stdout(&output.expect("the binary starts"))
}

#[test]
fn a_file_ingested_twice_is_stored_once_with_its_outcomes() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::start(binary(), folder.path(), "");
    for _ in 0..2 {
        let output = ingest(&[&flights()], &["--url", service.url(), "--format", "json"]);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        let sum: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
        assert_eq!(sum["rows"], FLIGHTS);
        assert_eq!(sum["predictions_accepted"], FLIGHTS);
        assert_eq!(sum["outcomes_accepted"], OUTCOMES);
        assert_eq!(sum["predictions_rejected"], 0);
    }
    let sql = "SELECT (SELECT count() FROM predictions), (SELECT count() FROM outcomes) FORMAT TSV";
    let expected = format!("{FLIGHTS}\t{OUTCOMES}\n");
    eventually(Duration::from_secs(60), || {
        let seen = query(&service, sql);
        if seen == expected { Ok(()) } else { Err(seen) }
    });
    // The log has a line a block, which says how many rows it had, and none a row.
    eventually(Duration::from_secs(30), || {
        let lines = service.log();
        let blocks = lines.iter().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
        let blocks: Vec<_> = blocks
            .filter(|line| line["message"] == "stored a block" && line["table"] == "predictions")
            .collect();
        let rows: u64 = blocks.iter().filter_map(|line| line["rows"].as_u64()).sum();
        if rows == FLIGHTS && lines.len() < 1_000 { Ok(()) } else { Err((rows, lines.len(), blocks)) }
    });
    let sql = "SELECT count(), countIf(mapContains(num, 'wind_gust')), countIf(unit_id = '') FROM predictions FORMAT TSV";
    let seen = query(&service, sql);
    let numbers: Vec<u64> = seen.trim().split('\t').map(|number| number.parse().unwrap()).collect();
    assert_eq!(numbers[0], FLIGHTS, "nothing came later");
    assert!((15_000..20_000).contains(&numbers[1]), "missing stays missing: {seen}");
    assert!((100..2_000).contains(&numbers[2]), "{seen}");
    nothing_is_lost(service.url());
    assert_eq!(service.terminate(), Some(0));
}

#[test]
fn bad_rows_are_told_by_line_and_skipped_or_fatal_as_asked() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::start(binary(), folder.path(), "");
    let path = folder.path().join("rows.csv");
    let long = "x".repeat(200);
    let rows = format!(
        "event_id,ts,age,score\na,2013-01-01T05:17:00Z,1,0.5\nb,yesterday,2,0.5\n{long},2013-01-01T05:17:00Z,3,0.5\nd,2013-01-01T05:17:00Z,4\n"
    );
    std::fs::write(&path, rows).unwrap();

    let output = ingest(&[&path], &["--url", service.url(), "--on-bad-row", "fail"]);
    assert_eq!(output.status.code(), Some(65), "{}", stderr(&output));
    assert!(stdout(&output).is_empty() && stderr(&output).contains("1 row of 1 file"), "{}", stdout(&output));

    let none = folder.path().join("none.csv");
    std::fs::write(&none, "event_id,ts,age,score\nb,yesterday,2,0.5\n").unwrap();
    let output = ingest(&[&none], &["--url", service.url(), "--format", "json"]);
    assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(65), ""), "{}", stderr(&output));
    assert!(stderr(&output).contains("not one of 1 row was accepted"), "{}", stderr(&output));

    let output = ingest(&[&path], &["--url", service.url(), "--format", "json", "--environment", "test"]);
    let told = stderr(&output);
    assert_eq!(output.status.code(), Some(0), "{told}");
    for part in ["line 3: ts_", "line 4: event_id_too_long", "line 5: has 3 fields; the header has 4"] {
        assert!(told.contains(part), "{part} in {told}");
    }
    let sum: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(
        (&sum["rows"], &sum["predictions_accepted"], &sum["predictions_rejected"], &sum["rows_unreadable"]),
        (&4.into(), &1.into(), &2.into(), &1.into())
    );
    assert_eq!(service.terminate(), Some(0));
}

#[test]
fn a_dry_run_prints_the_mapping_and_needs_no_service() {
    let output = ingest(&[&flights()], &["--dry-run", "--exclude", "humid", "--unit", "dest"]);
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    for (column, becomes) in [
        ("event_id", "event_id"),
        ("scheduled_departure", "- (a time is no feature)"),
        ("dest", "unit_id"),
        ("unit_id", "- (another column has its place)"),
        ("humid", "- (excluded)"),
        ("dep_delay", "features.dep_delay"),
        ("score", "prediction.score"),
        ("outcome_ts", "outcome.ts"),
    ] {
        let line = text.lines().find(|line| line.split_whitespace().nth(1) == Some(column));
        let line = line.unwrap_or_else(|| panic!("no line for {column} in {text}"));
        assert!(line.contains(becomes), "{line}");
    }
}

#[test]
fn a_dry_run_for_programs_is_one_document() {
    let output = ingest(&[&flights()], &["--dry-run", "--format", "json", "--exclude", "humid"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let document: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(document["schema"], "windvane.ingest_mapping/1");
    let files = document["files"].as_array().unwrap();
    assert_eq!((files.len(), &files[0]["notes"]), (1, &serde_json::json!([])));
    let columns = files[0]["columns"].as_array().unwrap();
    for expected in [
        serde_json::json!({"column": "dep_delay", "holds": "number", "becomes": "features.dep_delay", "reason": null}),
        serde_json::json!({"column": "scheduled_departure", "holds": "time", "becomes": null, "reason": "a time is no feature"}),
        serde_json::json!({"column": "humid", "holds": "number", "becomes": null, "reason": "excluded"}),
    ] {
        assert!(columns.contains(&expected), "{expected} in {columns:?}");
    }
}

#[test]
fn each_failure_has_its_exit_code() {
    let folder = tempfile::tempdir().unwrap();
    let broken = folder.path().join("broken.parquet");
    std::fs::write(&broken, b"PAR1 and nothing else").unwrap();
    let nobody = ["--url", "http://127.0.0.1:9", "--patience-s", "0"];
    for (file, more, code, part) in [
        (broken.as_path(), vec!["--dry-run"], 65, "as Parquet"),
        (Path::new("absent.csv"), vec!["--dry-run"], 65, "absent.csv"),
        (flights().as_path(), vec!["--dry-run", "--score", "sc0re"], 65, "the columns are event_id, ts"),
        (flights().as_path(), vec!["--on-bad-row", "maybe"], 64, "skip, fail"),
        (flights().as_path(), vec!["--url", "127.0.0.1:8080"], 64, "such as http://127.0.0.1:8080"),
        (flights().as_path(), nobody.to_vec(), 69, "http://127.0.0.1:9"),
    ] {
        let output = ingest(&[file], &more);
        assert_eq!(output.status.code(), Some(code), "{more:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(part), "{part} in {}", stderr(&output));
        assert_eq!(stdout(&output), "", "nothing on standard output");
    }
}
