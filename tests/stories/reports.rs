//! Reports of a million rows: one file that needs nothing else, and a small one.

use std::path::Path;

use crate::drift::{Folder, csv, drift};
use crate::performance::performance;

/// The rows of each side.
const ROWS: u32 = 1_000_000;

/// Predictions whose score says how likely they are positive, but for every `wrong`-th row; delays are longer by `later`.
fn flights(wrong: u32, later: u32) -> String {
    csv("y,p,delay,carrier", 0..ROWS, |i| {
        let p = f64::from(i * 37 % 100) / 100.0;
        let positive = (f64::from(i * 61 % 100) / 100.0 < p) != (i % wrong == wrong - 1);
        format!("{},{p},{},c{}", u8::from(positive), i % 9_973 + later, i % 5)
    })
}

/// What is wrong with a report: too large, loads something, or lacks a part.
fn faults(path: &Path, parts: &[&str]) -> Vec<String> {
    let html = std::fs::read_to_string(path).unwrap();
    let mut faults = Vec::new();
    if html.len() >= 2_000_000 {
        faults.push(format!("{} bytes", html.len()));
    }
    // The one link is an icon of no bytes, so that no browser asks for one.
    let rest = html.replace("<link rel=\"icon\" href=\"data:,\">", "");
    let outside = ["http", "src=", "<link", "@import", "url(", "href=\"/"];
    faults.extend(outside.iter().filter(|part| rest.contains(**part)).map(|part| format!("has `{part}`")));
    faults.extend(parts.iter().filter(|part| !html.contains(**part)).map(|part| format!("lacks `{part}`")));
    faults
}

#[test]
fn a_million_rows_make_reports_below_two_megabytes() {
    let folder = Folder::new();
    let reference = folder.file("reference.csv", &flights(ROWS, 0));
    let current = folder.file("current.csv", &flights(3, 3_000));
    let report = current.with_file_name("report.html");
    let to = ["--report", report.to_str().unwrap(), "--format", "json"];

    let ran = drift(&reference, &current, &to);
    assert_eq!((ran.code, &ran.document()["verdict"]), (0, &"drift".into()), "{}", ran.stderr);
    let parts =
        ["Drift in 1 of 4 columns", ">1,000,000<", "<h3>delay</h3>", "delay ↑: mean", "id=\"document\">"];
    assert_eq!(faults(&report, &parts), Vec::<String>::new());

    let roles = ["--task", "binary", "--target", "y", "--score", "p"];
    let ran = performance(&reference, &current, &[&roles[..], &to].concat());
    assert_eq!((ran.code, &ran.document()["verdict"]), (0, &"alert".into()), "{}", ran.stderr);
    let parts = ["left what is usual", "unusual", "Calibration, newest chunk", "id=\"document\">"];
    assert_eq!(faults(&report, &parts), Vec::<String>::new());
}

/// On a full disk an answer is not lost without a word, and nobody looks for a fault of ours.
#[test]
fn an_answer_that_cannot_be_written_says_so() {
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let ran = std::process::Command::new(env!("CARGO_BIN_EXE_windvane"))
        .arg("--version")
        .stdout(full)
        .output()
        .unwrap();
    let told = String::from_utf8(ran.stderr).unwrap();
    assert_eq!(ran.status.code(), Some(69), "{told}");
    assert!(told.starts_with("windvane: cannot write to standard output: "), "{told}");
}

/// What a build server or a pipe takes is the file that `--report` writes.
#[test]
fn the_page_is_also_a_format() {
    let folder = Folder::new();
    let rows = csv("y,p,unit,arm", 0..400, |i| {
        format!("{},{},u{i},{}", i % 2, f64::from(i * 37 % 100) / 100.0, ["a", "b"][(i % 2) as usize])
    });
    let file = folder.file("scores.csv", &rows);
    let path = file.to_str().unwrap();
    for words in [
        &["drift", path, path][..],
        &["performance", path, path, "--task", "binary", "--target", "y", "--score", "p"],
        &["experiment", path, "--unit", "unit", "--arm", "arm", "--control", "a", "--metric", "p:mean"],
    ] {
        let report = file.with_file_name(format!("{}.html", words[0]));
        let ran = std::process::Command::new(env!("CARGO_BIN_EXE_windvane"))
            .args(words)
            .args(["--format", "html", "--report", report.to_str().unwrap()])
            .output()
            .unwrap();
        let told = String::from_utf8(ran.stderr).unwrap();
        assert_eq!(ran.status.code(), Some(0), "{words:?}: {told}");
        let printed = String::from_utf8(ran.stdout).unwrap();
        assert!(printed.starts_with("<!DOCTYPE html>"), "{words:?}: {printed}");
        assert_eq!(printed, std::fs::read_to_string(&report).unwrap(), "{words:?}");
    }
}
