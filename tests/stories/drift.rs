//! `windvane drift` over files: what it finds, what it refuses, and how it exits.

mod files;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use arrow::array::{ArrayRef, RecordBatch};
use parquet::arrow::ArrowWriter;
use serde_json::Value;

/// A finished run.
pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    pub fn document(&self) -> Value {
        assert!(self.code < 64, "{}", self.stderr);
        serde_json::from_str(&self.stdout).unwrap()
    }
}

pub fn drift(reference: &Path, current: &Path, arguments: &[&str]) -> Ran {
    let output = Command::new(env!("CARGO_BIN_EXE_windvane"))
        .arg("drift")
        .args([reference, current])
        .args(arguments)
        .output()
        .unwrap();
    Ran {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

pub fn json(reference: &Path, current: &Path, arguments: &[&str]) -> Value {
    drift(reference, current, &[arguments, &["--format", "json"]].concat()).document()
}

pub struct Folder(tempfile::TempDir);

impl Folder {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    pub fn bytes(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    /// Named columns as a Parquet file.
    pub fn parquet(&self, name: &str, columns: Vec<(String, ArrayRef)>) -> PathBuf {
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let path = self.0.path().join(name);
        let file = std::fs::File::create(&path).unwrap();
        let mut writer = ArrowWriter::try_new(file, batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        path
    }
}

/// A header and one row a number of the range.
pub fn csv(header: &str, rows: std::ops::Range<u32>, row: impl Fn(u32) -> String) -> String {
    rows.fold(format!("{header}\n"), |mut text, i| {
        writeln!(text, "{}", row(i)).unwrap();
        text
    })
}

pub fn column<'a>(document: &'a Value, name: &str) -> &'a Value {
    let columns = document["columns"].as_array().unwrap();
    columns
        .iter()
        .find(|column| column["column"] == name)
        .unwrap_or_else(|| panic!("no column {name}: {document}"))
}

pub fn method<'a>(column: &'a Value, name: &str) -> &'a Value {
    let methods = column["methods"].as_array().unwrap();
    methods
        .iter()
        .find(|method| method["method"] == name)
        .unwrap_or_else(|| panic!("no method {name}: {column}"))
}

#[test]
fn a_shift_is_drift_with_its_direction_and_equal_files_are_not() {
    let folder = Folder::new();
    let a = folder.file("a.csv", &csv("x,c", 0..400, |i| format!("{},{}", i % 97, i % 3)));
    let b = folder.file("b.csv", &csv("x,c", 0..400, |i| format!("{},{}", i % 97 + 30, i % 3)));
    let moved = drift(&a, &b, &["--format", "json", "--fail-on", "drift"]);
    assert_eq!(moved.code, 1, "{}", moved.stderr);
    let document = moved.document();
    assert_eq!(document["schema"], "windvane.drift/1");
    assert_eq!((&document["verdict"], &document["reference"]["rows"]), (&"drift".into(), &400.into()));
    assert_eq!(column(&document, "x")["direction"], "up");
    assert_eq!(column(&document, "c")["verdict"], "no_drift");
    let same = drift(&a, &a, &["--format", "json", "--fail-on", "drift"]);
    assert_eq!((same.code, &same.document()["verdict"]), (0, &"no_drift".into()));
    let document = same.document();
    let ks = method(column(&document, "x"), "ks");
    assert_eq!((&ks["statistic"], &ks["p_value"]), (&0.0.into(), &1.0.into()));
}

#[test]
fn the_same_input_gives_the_same_document() {
    let folder = Folder::new();
    let a = folder.file("a.csv", &csv("x", 0..200, |i| (i % 41).to_string()));
    let b = folder.file("b.csv", &csv("x", 0..200, |i| (i % 37).to_string()));
    let arguments =
        ["--methods", "wasserstein,energy,mmd,domain_classifier,total_variation", "--format", "json"];
    assert_eq!(drift(&a, &b, &arguments).stdout, drift(&a, &b, &arguments).stdout);
}

#[test]
fn too_few_rows_and_no_rows_are_insufficient_data() {
    let folder = Folder::new();
    let many = folder.file("many.csv", &csv("x", 0..100, |i| i.to_string()));
    let few = folder.file("few.csv", &csv("x", 0..20, |i| (1000 + i).to_string()));
    let ran = drift(&many, &few, &["--format", "json", "--fail-on", "drift"]);
    assert_eq!((ran.code, &ran.document()["verdict"]), (2, &"insufficient_data".into()));
    assert_eq!(method(column(&ran.document(), "x"), "ks")["statistic"], 1.0);
    assert_eq!(method(column(&ran.document(), "x"), "ks")["p_adjusted"], Value::Null);
    let told = drift(&few, &few, &[]).stdout;
    assert!(told.ends_with("a column is judged from 30 values on either side on (--min-rows)\n"), "{told}");
    assert!(!told.contains("p-values"), "{told}");
    for (name, text) in [("header.csv", "x\n"), ("nothing.csv", ""), ("nothing.ndjson", "")] {
        let empty = folder.file(name, text);
        for (a, b) in [(&many, &empty), (&empty, &many), (&empty, &empty)] {
            let ran = drift(a, b, &["--format", "json"]);
            assert_eq!((ran.code, &ran.document()["verdict"]), (0, &"insufficient_data".into()), "{name}");
        }
    }
}

#[test]
fn columns_that_do_not_match_are_skipped_with_a_reason() {
    let folder = Folder::new();
    let a = folder
        .file("a.csv", &csv("x,old,mixed,day", 0..50, |i| format!("{i},1,1,2024-01-{:02}", i % 28 + 1)));
    let b = folder
        .file("b.csv", &csv("x,new,mixed,day", 0..50, |i| format!("{i},1,b,2024-02-{:02}", i % 28 + 1)));
    let ran = drift(&a, &b, &["--format", "json"]);
    let document = ran.document();
    let skipped: Vec<(String, String)> = document["skipped"]
        .as_array()
        .unwrap()
        .iter()
        .map(|skipped| {
            (skipped["column"].as_str().unwrap().into(), skipped["reason"].as_str().unwrap().into())
        })
        .collect();
    let expected = [
        ("old", "only_in_reference"),
        ("mixed", "different_kinds"),
        ("day", "unsupported_type"),
        ("new", "only_in_current"),
    ];
    assert_eq!(skipped, expected.map(|(column, reason)| (column.to_owned(), reason.to_owned())));
    assert!(ran.stderr.contains("`old`"), "{}", ran.stderr);
}

#[test]
fn what_cannot_be_answered_has_an_exit_code_and_an_empty_stdout() {
    let folder = Folder::new();
    let good = folder.file("good.csv", &csv("x,c", 0..50, |i| format!("{i},a")));
    let missing = folder.0.path().join("missing.csv");
    let torn = folder.file("torn.parquet", "PAR1 and then nothing");
    let text = folder.file("text.parquet", "hello");
    let ragged = folder.file("ragged.csv", "x,c\n1,a\n2\n");
    let unknown = folder.file("data.xyz", "hello");
    let twice = folder.file("twice.csv", "x,x\n1,2\n");
    let latin = folder.bytes("latin.csv", b"x,c\n1,caf\xe9\n");
    let latin_names = folder.bytes("names.csv", b"x,caf\xe9\n1,a\n");
    let latin_lines = folder.bytes("latin.ndjson", b"{\"x\":1,\"c\":\"caf\xe9\"}\n");
    let wide = folder.bytes("wide.csv", b"\xff\xfex\0,\0c\0\n\x001\0,\0a\0\n\0");
    for (current, arguments, code) in [
        (&missing, &[][..], 65),
        (&torn, &[], 65),
        (&text, &[], 65),
        (&ragged, &[], 65),
        (&unknown, &[], 65),
        (&twice, &[], 65),
        (&latin, &[], 65),
        (&latin_names, &[], 65),
        (&latin_lines, &[], 65),
        (&wide, &[], 65),
        (&good, &["--columns", "nope"], 65),
        (&good, &["--segment-by", "nope"], 65),
        (&good, &["--methods", "kolmogorov"], 64),
        (&good, &["--methods", "ks", "--columns", "c"], 64),
        (&good, &["--alpha", "0"], 64),
        (&good, &["--alpha", "1"], 64),
        (&good, &["--alpha", "NaN"], 64),
        (&good, &["--bins", "1"], 64),
        (&good, &["--min-rows", "0"], 64),
        (&good, &["--correction", "sidak"], 64),
        (&good, &["--fail-on", "nothing"], 64),
        (&good, &["--no-such-flag"], 64),
    ] {
        let ran = drift(&good, current, &[arguments, &["--format", "json"]].concat());
        assert_eq!((ran.code, ran.stdout.as_str()), (code, ""), "{current:?} {arguments:?}: {}", ran.stderr);
        assert!(ran.stderr.starts_with("windvane: "), "{}", ran.stderr);
    }
}

#[test]
fn segments_are_judged_with_the_whole() {
    let folder = Folder::new();
    let a = folder.file(
        "a.csv",
        &csv("x,region", 0..600, |i| format!("{},{}", i % 50, ["east", "west"][(i % 2) as usize])),
    );
    let b = folder.file(
        "b.csv",
        &csv("x,region", 0..600, |i| {
            let east = i % 2 == 0;
            format!("{},{}", i % 50 + if east { 25 } else { 0 }, if east { "east" } else { "west" })
        }),
    );
    let document = json(&a, &b, &["--segment-by", "region"]);
    let verdicts: Vec<(&Value, &Value)> = document["segments"]
        .as_array()
        .unwrap()
        .iter()
        .map(|segment| (&segment["segment"]["region"], &segment["columns"][0]["verdict"]))
        .collect();
    assert_eq!(verdicts, [(&"east".into(), &"drift".into()), (&"west".into(), &"no_drift".into())]);
}

#[test]
fn the_table_says_what_moved_and_markdown_is_a_table() {
    let folder = Folder::new();
    let a = folder.file("a.csv", &csv("delay", 0..300, |i| (i % 20).to_string()));
    let b = folder.file("b.csv", &csv("delay", 0..300, |i| (i % 20 + 10).to_string()));
    let table = drift(&a, &b, &[]);
    assert!(table.stdout.starts_with("drift in 1 of 1 column\n"), "{}", table.stdout);
    assert!(table.stdout.contains("drift ↑") && table.stdout.contains("mean 9.5 → 19.5"), "{}", table.stdout);
    assert!(!table.stdout.contains('\u{1b}'), "{}", table.stdout);
    let markdown = drift(&a, &b, &["--format", "markdown"]);
    assert!(markdown.stdout.contains("| delay | drift ↑ | mean 9.5 → 19.5 |"), "{}", markdown.stdout);
}

// Oracle: SciPy 1.17 `chi2_contingency([[126, 10], [121, 16]])`, `jensenshannon([126, 10], [121, 16])`; Evidently's chi-square is
// `chisquare([121, 16], [126 * 137 / 136, 10 * 137 / 136])`.
#[test]
fn other_tools_numbers_are_reproduced_on_request() {
    let folder = Folder::new();
    let rows = |right: u32, wrong: u32| {
        csv("c", 0..right + wrong, |i| if i < right { "right" } else { "wrong" }.to_owned())
    };
    let a = folder.file("a.csv", &rows(126, 10));
    let b = folder.file("b.csv", &rows(121, 16));
    let arguments = ["--methods", "chi_square,jensen_shannon"];
    let ours = json(&a, &b, &arguments);
    let scipy = json(&a, &b, &[&arguments[..], &["--compat", "scipy"]].concat());
    let evidently = json(&a, &b, &[&arguments[..], &["--compat", "evidently"]].concat());
    assert_eq!((&ours["compat"], &scipy["compat"]), (&Value::Null, &"scipy".into()));
    for (document, word, expected) in [
        (&ours, "chi_square", 1.482_186_843_2),
        (&scipy, "chi_square", 1.022_666_507_5),
        (&evidently, "chi_square", 3.763_387_788_2),
    ] {
        let statistic = method(column(document, "c"), word)["statistic"].as_f64().unwrap();
        assert!((statistic - expected).abs() < 1e-8, "{word}: {statistic} instead of {expected}");
    }
    let distance =
        |document: &Value| method(column(document, "c"), "jensen_shannon")["statistic"].as_f64().unwrap();
    let nats = distance(&ours) * std::f64::consts::LN_2.sqrt();
    assert!((distance(&scipy) - nats).abs() < 1e-12);
}

#[test]
fn junit_has_a_case_a_column_and_a_failure_a_drift() {
    let folder = Folder::new();
    let a = folder.file("a.csv", &csv("\"<x>&\"\"\",y", 0..300, |i| format!("{},{}", i % 20, i % 7)));
    let b = folder.file("b.csv", &csv("\"<x>&\"\"\",y", 0..300, |i| format!("{},{}", i % 20 + 10, i % 7)));
    let xml = drift(&a, &b, &["--format", "junit"]).stdout;
    assert!(
        xml.contains("<testsuite name=\"drift\" tests=\"2\" failures=\"1\" errors=\"0\" skipped=\"0\">"),
        "{xml}"
    );
    assert!(xml.contains("name=\"&lt;x&gt;&amp;&quot;\">\n      <failure "), "{xml}");
    assert!(xml.contains("name=\"y\"/>"), "{xml}");
}
