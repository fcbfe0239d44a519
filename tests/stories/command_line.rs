//! The command line itself: what is told where a command is missing or an address is none, and what becomes of an error that nobody reads.

use std::process::Command;

fn windvane(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_windvane"));
    command.args(words);
    command
}

#[test]
fn an_error_that_nobody_reads_keeps_its_exit_code() {
    for words in [&["drift", "--nonsense"][..], &[], &["query", "--data-dir", "/nonexistent", "SELECT 1"]] {
        let read = windvane(words).output().unwrap();
        assert!(!read.stderr.is_empty(), "{words:?}");
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let unread = windvane(words).stderr(writer).status().unwrap();
        assert_eq!(unread.code(), read.status.code(), "{words:?}");
        assert!(unread.code().is_some_and(|code| (64..=78).contains(&code)), "{words:?}: {unread}");
    }
}

#[test]
fn an_empty_statement_is_refused_before_clickhouse_lists_its_grammar() {
    let output = windvane(&["query", ""]).output().unwrap();
    assert_eq!(output.status.code(), Some(64));
    assert!(String::from_utf8_lossy(&output.stderr).contains("<SQL>"), "{output:?}");
}

#[test]
fn a_missing_command_is_told_before_those_that_are_there() {
    for words in [&[][..], &["baseline"]] {
        let output = windvane(words).output().unwrap();
        assert_eq!(output.status.code(), Some(64), "{words:?}");
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(text.starts_with("windvane: a command is missing\n\n"), "{words:?}: {text}");
        assert!(text.contains("\nCommands:\n"), "{words:?}: {text}");
    }
}

#[test]
fn an_address_without_http_is_refused_with_one_that_would_do() {
    for address in ["127.0.0.1:8123", "localhost:8123", "ftp://127.0.0.1", ""] {
        let output = windvane(&["query", "--url", address, "SELECT 1"]).output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(64), "`{address}`: {text}");
        assert!(text.contains("such as http://127.0.0.1:8123"), "`{address}`: {text}");
    }
}

#[test]
fn a_port_that_other_machines_reach_is_not_opened_without_a_word() {
    let served = ["shadow", "serve", "--model", "delay=nowhere.onnx", "--listen", "0.0.0.0:0"];
    for words in [&["demo", "--offline", "--listen", "0.0.0.0:0"][..], &served] {
        let output = windvane(words).output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(78), "{words:?}: {text}");
        assert!(text.contains("pass --allow-unauthenticated"), "{words:?}: {text}");
    }
}

// Each was `unexpected argument '-1' found`, though it may well be below 0, and the class `-1` stands in the documentation.
#[test]
fn what_may_be_below_0_is_taken_for_a_value() {
    let file = "nowhere.csv";
    for words in [
        &["performance", file, file, "--task", "binary", "--target", "y", "--score", "s", "--positive", "-1"]
            [..],
        &["fairness", file, "--group-by", "g", "--target", "y", "--label", "p", "--positive", "-1"],
        &["fairness", file, "--group-by", "g", "--target", "y", "--score", "s", "--threshold", "-0.2"],
        &["fairness", file, "--group-by", "g", "--label", "p", "--reference-group", "-1"],
        &["experiment", file, "--unit", "u", "--arm", "a", "--control", "-1", "--metric", "m:mean"],
        &[
            "experiment",
            file,
            "--unit",
            "u",
            "--arm",
            "a",
            "--control",
            "0",
            "--metric",
            "m:mean",
            "--cap",
            "-5",
        ],
        &["experiment", "aa", file, "--unit", "u", "--metric", "m:mean", "--cap", "-5"],
    ] {
        let output = windvane(words).output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(65), "{words:?}: {text}");
        assert!(text.contains("cannot read `nowhere.csv`"), "{words:?}: {text}");
    }
}

// Was `unexpected argument '-1' found`, which says nothing of what is accepted.
#[test]
fn a_number_that_may_not_be_below_0_is_told_what_it_may_be() {
    for (words, allowed) in [
        ("experiment a.csv --alpha -1", "`--alpha -1` is out of range: above 0 and below 1"),
        ("experiment plan --share -0.1 --effect 0.05", "--share"),
        (
            "performance a.csv b.csv --task regression --target y --value v --quantile -0.5",
            "`--quantile -0.5` is out of range: above 0 and below 1",
        ),
        ("latency a.csv --column ms --confidence -1", "--confidence"),
        ("ingest a.csv --model m --batch-rows -1", "--batch-rows"),
    ] {
        let output = windvane(&words.split(' ').collect::<Vec<_>>()).output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(64), "{words:?}: {text}");
        assert!(text.contains(allowed) && !text.contains("unexpected argument"), "{words:?}: {text}");
    }
}
