//! `windvane quality` over files: what it finds, what it learns, what people edit, and how it exits.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use arrow::array::{ArrayRef, BinaryArray};
use serde_json::Value;

use crate::drift::{Folder, Ran, csv};

fn quality(words: &[&str], paths: &[&Path]) -> Ran {
    let output = Command::new(env!("CARGO_BIN_EXE_windvane"))
        .arg("quality")
        .args(words.iter().take_while(|word| !word.starts_with('-')))
        .args(paths)
        .args(words.iter().skip_while(|word| !word.starts_with('-')))
        .output()
        .unwrap();
    Ran {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

fn json(paths: &[&Path], words: &[&str]) -> Value {
    quality(&[words, &["--format", "json"]].concat(), paths).document()
}

fn failed(document: &Value) -> Vec<String> {
    let checks = document["checks"].as_array().unwrap();
    let name = |check: &Value| {
        format!("{} {}", check["check"].as_str().unwrap(), check["column"].as_str().unwrap_or("-"))
    };
    checks.iter().filter(|check| check["verdict"] == "fail").map(name).collect()
}

fn check<'a>(document: &'a Value, name: &str, column: &str) -> &'a Value {
    let checks = document["checks"].as_array().unwrap();
    let found = checks.iter().find(|check| check["check"] == name && check["column"] == column);
    found.unwrap_or_else(|| panic!("no {name} of {column}: {document}"))
}

const HEADER: &str = "event_id,age,salary,carrier,note,flag,city";

/// A thousand rows of a source that does not change; each seed draws others.
fn row(seed: u32, i: u32) -> String {
    let mut hash = (i + 1).wrapping_mul(2_654_435_761) ^ seed.wrapping_mul(40_503);
    let mut draw = |below: u32| {
        hash = hash.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (hash >> 8) % below
    };
    let salary = if draw(10) == 0 { String::new() } else { format!("{}.5", 2_000 + draw(5_000)) };
    format!(
        "{seed}-{i},{},{salary},{},note {},{},{}",
        18 + draw(70),
        ["UA", "AA", "DL", "B6"][draw(4) as usize],
        draw(1_000_000),
        draw(2) == 0,
        ["Rome", "Oslo"][draw(2) as usize],
    )
}

fn rows(seed: u32) -> String {
    csv(HEADER, 0..1_000, |i| row(seed, i))
}

/// A column of the row replaced where `when` says so.
fn with(seed: u32, column: usize, value: impl Fn(u32, &str) -> Option<String>) -> String {
    csv(HEADER, 0..1_000, |i| {
        let row = row(seed, i);
        let mut cells: Vec<String> = row.split(',').map(str::to_owned).collect();
        if let Some(new) = value(i, &cells[column]) {
            cells[column] = new;
        }
        cells.join(",")
    })
}

#[test]
fn unchanged_data_pass_and_each_fault_is_found_by_its_name() {
    let folder = Folder::new();
    let reference = folder.file("reference.csv", &rows(1));
    let same = quality(
        &["--fail-on", "fail", "--format", "json"],
        &[&reference, &folder.file("same.csv", &rows(2))],
    );
    assert_eq!((same.code, failed(&same.document())), (0, vec![]), "{}", same.stderr);
    let document = same.document();
    assert_eq!((&document["schema"], &document["verdict"]), (&"windvane.quality/1".into(), &"pass".into()));
    let every =
        |n: u32, value: &'static str| move |i: u32, _: &str| i.is_multiple_of(n).then(|| value.to_owned());
    for (name, faulty, expected) in [
        ("missing", with(3, 2, every(4, "")), "missing_rate salary"),
        ("words", with(3, 1, every(500, "unknown")), "type age"),
        ("fractions", with(3, 1, every(100, "40.25")), "type age"),
        ("out of range", with(3, 1, every(20, "190")), "range age"),
        ("infinite", with(3, 2, every(300, "inf")), "infinite salary"),
        ("new", with(3, 3, every(999, "ZZ")), "new_categories carrier"),
        ("vanished", with(3, 3, |_, c| (c == "B6").then(|| "UA".to_owned())), "vanished_categories carrier"),
        ("constant", with(3, 6, every(1, "Oslo")), "constant city"),
        ("short", with(3, 4, every(10, "x")), "string_length note"),
        ("duplicates", with(3, 0, every(100, "3-7")), "duplicate_keys -"),
        ("no booleans", with(3, 5, every(50, "maybe")), "type flag"),
    ] {
        let current = folder.file("current.csv", &faulty);
        let found = quality(&["--fail-on", "fail", "--format", "json"], &[&reference, &current]);
        assert_eq!(found.code, 1, "{name}: {}", found.stderr);
        let failed = failed(&found.document());
        assert!(failed.contains(&expected.to_owned()), "{name}: {failed:?}");
    }
    let document = json(&[&reference, &folder.file("current.csv", &with(3, 3, every(999, "ZZ")))], &[]);
    let new = check(&document, "new_categories", "carrier");
    assert_eq!((&new["count"], &new["examples"]), (&2.into(), &serde_json::json!(["ZZ"])));
}

#[test]
fn columns_that_come_and_go_and_files_without_rows_fail() {
    let folder = Folder::new();
    let reference = folder.file("reference.csv", &csv("x,y", 0..200, |i| format!("{i},{}", i % 3)));
    let current = folder.file("current.csv", &csv("x,z", 0..200, |i| format!("{i},{}", i % 3)));
    let document = json(&[&reference, &current], &[]);
    assert_eq!(failed(&document), ["column_added z", "column_removed y"]);
    for (name, text) in [("header.csv", "x,y\n"), ("empty.csv", "")] {
        let document = json(&[&reference, &folder.file(name, text)], &[]);
        assert_eq!(failed(&document), ["row_count -"], "{name}");
    }
}

#[test]
fn a_reference_without_rows_teaches_nothing_and_says_so() {
    let folder = Folder::new();
    let reference = folder.file("reference.csv", "x,y\n");
    let current = folder.file("current.csv", &csv("x,y", 0..200, |i| format!("{i},{}", i % 3)));
    let ran = quality(&["--fail-on", "fail"], &[&reference, &current]);
    let told = "pass: 1 check; the reference has no rows, so nothing was learnt about values\n";
    assert!(ran.code == 0 && ran.stdout.starts_with(told), "{}", ran.stdout);
    assert!(
        ran.stdout.ends_with("\nno bound was learnt from rows, so none allows for chance\n"),
        "{}",
        ran.stdout
    );
    let learnt = quality(&["learn"], &[&reference]);
    let told = "reference.csv has no rows: nothing is learnt but its columns\n";
    assert!(learnt.code == 0 && learnt.stderr.ends_with(told), "{}", learnt.stderr);
    assert!(quality(&[], &[&current, &current]).stdout.starts_with("pass: "));
}

// Bytes that are no UTF-8 were learnt as what they are told as, and so none of them was a known category: a file failed against itself.
#[test]
fn bytes_that_are_no_text_are_as_they_were() {
    let folder = Folder::new();
    let bytes: Vec<&[u8]> =
        (0..100).map(|i| if i % 2 == 0 { &b"\x00\xff\xfe"[..] } else { &b"ok"[..] }).collect();
    let file = folder
        .parquet("bytes.parquet", vec![("x".to_owned(), Arc::new(BinaryArray::from(bytes)) as ArrayRef)]);
    let document = json(&[&file, &file], &[]);
    assert_eq!(failed(&document), Vec::<String>::new(), "{document}");
    assert_eq!(check(&document, "vanished_categories", "x")["observed"], 2);
}

#[test]
fn numbers_that_became_objects_are_not_what_the_column_holds() {
    let folder = Folder::new();
    let reference = folder.file("reference.ndjson", &"{\"x\":1.5,\"y\":1}\n{\"x\":2.5,\"y\":2}\n".repeat(50));
    let current =
        folder.file("current.ndjson", &"{\"x\":{\"z\":1.5},\"y\":1}\n{\"x\":{\"z\":2},\"y\":2}\n".repeat(50));
    let document = json(&[&reference, &current], &[]);
    assert_eq!(failed(&document), ["type x"]);
    let check = check(&document, "type", "x");
    assert_eq!((&check["observed"], &check["count"]), (&"other".into(), &100.into()), "{check}");
}

#[test]
fn times_that_are_late_disordered_or_to_come_are_found() {
    let folder = Folder::new();
    let time = |minute: i64| {
        format!("2013-01-{:02}T{:02}:{:02}:00Z", 1 + minute / 1_440, minute / 60 % 24, minute % 60)
    };
    let plain = |i: u32| (i64::from(i), i64::from(i) + 1);
    let file = |name: &str, at: &dyn Fn(u32) -> (i64, i64)| {
        let text = csv("ts,ingested_at,x", 0..600, |i| {
            let (ts, arrived) = at(i);
            format!("{},{},{}", time(ts), time(arrived), i % 7)
        });
        folder.file(name, &text)
    };
    let reference = file("reference.csv", &plain);
    assert_eq!(
        failed(&json(&[&reference, &file("same.csv", &plain)], &["--columns", "x"])),
        Vec::<String>::new()
    );
    let of_times = |document: &Value| -> Vec<String> {
        failed(document)
            .into_iter()
            .filter(|check| check.ends_with(" ts") && !check.starts_with("column"))
            .collect()
    };
    let late = file("late.csv", &|i| (i64::from(i), i64::from(i) + if i % 10 == 0 { 90 } else { 1 }));
    let found = json(&[&reference, &late], &[]);
    assert!(of_times(&found).contains(&"late_events ts".to_owned()), "{found}");
    assert_eq!(check(&found, "late_events", "ts")["examples"], serde_json::json!(["5400 s"]));
    let disordered =
        file("disordered.csv", &|i| (i64::from(i) - if i % 10 == 9 { 5 } else { 0 }, i64::from(i) + 1));
    assert_eq!(of_times(&json(&[&reference, &disordered], &[])), ["out_of_order ts"]);
    let future = file("future.csv", &|i| (i64::from(i) + if i == 300 { 60 } else { 0 }, i64::from(i) + 1));
    let found = json(&[&reference, &future], &[]);
    let one = check(&found, "future_timestamps", "ts");
    assert_eq!((&one["count"], &one["verdict"]), (&1.into(), &"fail".into()));
}

// A range that a person gave stays, and a column that has become text has none: the file would be one that no check reads.
#[test]
fn what_was_edited_and_what_is_learnt_do_not_contradict_each_other() {
    let folder = Folder::new();
    let numbers = folder.file("numbers.csv", &csv("x", 0..100, |i| i.to_string()));
    let texts = folder.file("texts.csv", &csv("x", 0..100, |i| format!("t{i}")));
    let learnt = quality(&["learn"], &[&numbers]).stdout;
    let edited = learnt.replace("max = 99.0, of = 100 }", "max = 120.0 }");
    assert_ne!(learnt, edited);
    let file = folder.file("expectations.toml", &edited);
    let ran = quality(&["learn", "--update", file.to_str().unwrap()], &[&texts]);
    assert_eq!((ran.code, ran.stdout.as_str()), (78, ""), "{}", ran.stderr);
    assert!(ran.stderr.contains("columns.x.range: it is of numbers, and `type` is `text`"), "{}", ran.stderr);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), edited);
}

// Of two thousand different numbers the most frequent one was learnt as one of 33 rows.
#[test]
fn the_most_frequent_value_is_as_frequent_as_it_was() {
    let folder = Folder::new();
    let rows = csv("x,y", 0..2_000, |i| format!("{i},{}", if i % 4 == 0 { 7 } else { 10_000 + i }));
    let learnt = quality(&["learn"], &[&folder.file("rows.csv", &rows)]).stdout;
    for times in [1, 500] {
        assert!(learnt.contains(&format!("\nmost_frequent = {{ seen = {times}, of = 2000 }}\n")), "{learnt}");
    }
    let texts = csv("x", 0..20_000, |i| format!("t{i}"));
    let learnt = quality(&["learn"], &[&folder.file("texts.csv", &texts)]).stdout;
    assert!(learnt.contains("\nmost_frequent = { seen = 1, of = 20000 }\n"), "{learnt}");
}

// A column of times or of a key that was gone, or had become a list, was bad data (65): the check that tells it was never made.
#[test]
fn a_key_or_a_time_that_is_gone_fails_a_check() {
    let folder = Folder::new();
    let reference =
        folder.file("reference.ndjson", "{\"event_id\":\"a\",\"ts\":\"2013-01-01T00:00:00Z\",\"x\":1}\n");
    for (name, text, expected) in [
        ("timeless", "{\"event_id\":\"a\",\"x\":1}\n", ["column_removed ts"]),
        ("keyless", "{\"ts\":\"2013-01-01T00:00:00Z\",\"x\":1}\n", ["column_removed event_id"]),
        ("listed", "{\"event_id\":\"a\",\"ts\":[1,2],\"x\":1}\n", ["type ts"]),
    ] {
        let current = folder.file(&format!("{name}.ndjson"), text);
        assert_eq!(failed(&json(&[&reference, &current], &[])), expected, "{name}");
        let ran = quality(&["--fail-on", "fail"], &[&reference, &current]);
        assert_eq!(ran.code, 1, "{}", ran.stderr);
        // Of columns that are left aside nothing else tells it.
        let aside =
            quality(&["--columns", "x", "--key", "event_id", "--timestamp", "ts"], &[&reference, &current]);
        assert_eq!(aside.code, 65, "{}", aside.stdout);
    }
}

#[test]
fn what_is_learnt_is_edited_kept_and_renewed() {
    let folder = Folder::new();
    let reference = folder.file("reference.csv", &rows(1));
    let learnt = quality(&["learn"], &[&reference]);
    assert_eq!(learnt.code, 0, "{}", learnt.stderr);
    let edited = learnt
        .stdout
        .replace("[columns.age]\n", "# Ages come from the passport.\n[columns.age]\n")
        .replace(
            "range = { min = 18.0, max = 87.0, of = 1000 }",
            "range = { min = 0.0, max = 120.0 } # by hand",
        )
        .replace("\nUA = ", "\n# Merged with Continental.\nUA = ");
    assert_ne!(edited.matches('#').count(), learnt.stdout.matches('#').count());
    let expectations = folder.file("expectations.toml", &edited);
    let with_expectations =
        ["check", "--format", "json", "--fail-on", "fail", "--expectations", expectations.to_str().unwrap()];
    let passed = quality(&with_expectations, &[&folder.file("next.csv", &rows(2))]);
    assert_eq!((passed.code, failed(&passed.document())), (0, vec![]), "{}", passed.stderr);
    // 110 lies inside the range that a person gave; 130 does not, and one is enough.
    for (age, code) in [("110", 0), ("130", 1)] {
        let current = with(3, 1, |i, _| (i == 5).then(|| age.to_owned()));
        let found = quality(&with_expectations, &[&folder.file("aged.csv", &current)]);
        assert_eq!(found.code, code, "{age}: {}", found.stdout);
    }
    let link = expectations.with_file_name("link.toml");
    std::os::unix::fs::symlink("expectations.toml", &link).unwrap();
    let renewed =
        quality(&["learn", "--update", link.to_str().unwrap()], &[&folder.file("more.csv", &rows(4))]);
    assert_eq!(renewed.code, 0, "{}", renewed.stderr);
    assert!(renewed.stdout.contains("kept as edited: columns.age.range"), "{}", renewed.stdout);
    let text = std::fs::read_to_string(&expectations).unwrap();
    for kept in [
        "# Ages come from the passport.",
        "range = { min = 0.0, max = 120.0 } # by hand",
        "# Merged with Continental.\nUA = ",
    ] {
        assert!(text.contains(kept), "{kept} in {text}");
    }
    assert!(text.contains("more.csv") && !text.contains("reference.csv"), "{text}");
    assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
}

// It was told that `the reference has no rows, so nothing was learnt about values`, of a reference without a name.
#[test]
fn a_file_of_limits_written_by_hand_has_no_reference() {
    let folder = Folder::new();
    let file = folder.file("a.csv", "x\n1\n2\n");
    let limits = "schema = \"windvane.expectations/1\"\n[columns.x]\ntype = \"integer\"\n";
    let limits = folder.file("limits.toml", limits);
    let report = limits.with_file_name("report.html");
    for format in ["table", "markdown"] {
        let words = ["check", "--expectations", limits.to_str().unwrap(), "--format", format, "--report"];
        let ran = quality(&[&words[..], &[report.to_str().unwrap()]].concat(), &[&file]);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        for text in [&ran.stdout, &std::fs::read_to_string(&report).unwrap()] {
            assert!(
                text.contains("limits written by hand") && !text.contains("learnt about values"),
                "{text}"
            );
        }
    }
}

// The engine leaves a column without a name out, and has it where it remembers the columns of a file: of the second one the statement was no SQL (70).
#[test]
fn a_column_without_a_name_is_left_out_of_both_sides() {
    let folder = Folder::new();
    let text: String = (0..40).map(|i| format!("{{\"a\":{i},\"\":{i}}}\n")).collect();
    let file = folder.file("noname.ndjson", &text);
    let document = json(&[&file, &file], &[]);
    assert_eq!(
        (&document["verdict"], check(&document, "type", "a")["verdict"].as_str()),
        (&"pass".into(), Some("pass"))
    );
}

#[test]
fn what_is_wrong_is_told_with_what_would_be_right() {
    let folder = Folder::new();
    let file = folder.file("a.csv", "x\n1\n2\n");
    let texts = folder.file("texts.csv", "t,w\n2013-01-01T05:17:00Z,a\n2013-01-01T05:18:00Z,b\n");
    let told = |text: &str| {
        let expectations = folder.file("e.toml", text);
        let ran = quality(&["check", "--expectations", expectations.to_str().unwrap()], &[&file]);
        assert_eq!((ran.code, ran.stdout.as_str()), (78, ""), "{}", ran.stderr);
        ran.stderr
    };
    let faults = told(
        "schema = \"windvane.expectations/1\"\n[columns.age]\nmising = { max = 0.1 }\ntype = \"int\"\nempty = { max = 2 }\n[table]\nduplicates = { max = 0 }\n",
    );
    for part in [
        "4 faults",
        "columns.age.mising: the key is not known; did you mean `missing`?",
        "one of `integer`",
        "shares from 0 to 1",
        "it needs `key`",
    ] {
        assert!(faults.contains(part), "{part} in {faults}");
    }
    assert!(told("schema = \"windvane.expectations/2\"").contains("allowed is `windvane.expectations/1`"));
    assert!(told("[").contains("it is no TOML"));
    for (words, paths, code, part) in [
        (&["--alpha", "2"][..], &[&*file, &*file][..], 64, "above 0 and up to 0.5"),
        (&[], &[&*file], 64, "CURRENT"),
        (&["--key", "id"], &[&*file, &*file], 65, "there is no column `id`"),
        (&["--timestamp", "y"], &[&*file, &*file], 65, "there is no column `y`"),
        // A column of words was taken for times that are missing, so that nothing was late, out of order or to come.
        (&["--timestamp", "w"], &[&*texts, &*texts], 65, "column `w` holds no times"),
        (&["--timestamp", "t", "--arrival", "w"], &[&*texts, &*texts], 65, "column `w` holds no times"),
        (&["--late-after", "soon", "--timestamp", "x"], &[&*file, &*file], 64, "no length"),
        (&[], &[Path::new("/nowhere.csv"), &*file], 65, "nowhere.csv"),
        (&["check", "--expectations", "/nowhere.toml"], &[&*file], 78, "nowhere.toml"),
    ] {
        let ran = quality(words, paths);
        assert_eq!((ran.code, ran.stdout.as_str()), (code, ""), "{words:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(part), "{part} in {}", ran.stderr);
    }
}

#[test]
fn every_format_names_what_failed() {
    let folder = Folder::new();
    let reference = folder.file("reference.csv", &rows(1));
    let current = folder.file("current.csv", &with(3, 2, |i, _| i.is_multiple_of(4).then(String::new)));
    for (format, part) in [
        ("table", "fail: 1 of "),
        ("markdown", "| salary | missing\\_rate |"),
        ("junit", "name=\"missing_rate of salary\">\n      <failure"),
        ("html", "salary, missing values: "),
    ] {
        let ran = quality(&["--format", format], &[&reference, &current]);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        assert!(ran.stdout.contains(part), "{part} in {}", ran.stdout);
    }
}

#[test]
fn a_report_is_one_file_with_the_document_inside() {
    let folder = Folder::new();
    let reference = folder.file("reference.csv", &rows(1));
    let current = folder.file("current.csv", &with(3, 2, |i, _| i.is_multiple_of(4).then(String::new)));
    let report = current.with_file_name("report.html");
    let ran = quality(&["--format", "json", "--report", report.to_str().unwrap()], &[&reference, &current]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let html = std::fs::read_to_string(&report).unwrap();
    assert!(html.contains("salary, missing values: "), "{html}");
    let (_, rest) = html.split_once("id=\"document\">").unwrap();
    let inside: Value = serde_json::from_str(rest.split_once("</script>").unwrap().0).unwrap();
    assert_eq!(inside, ran.document());
}

/// What statements name a value, a row's place or its arrival is no column of the file, whatever its columns are called.
#[test]
fn times_are_found_whatever_their_columns_are_called() {
    let folder = Folder::new();
    // Every tenth of 500 events came five days later.
    let rows = |(seen, came): (&str, &str)| -> String {
        let row = |i: u32| {
            let (day, hour) = (1 + i / 24, i % 24);
            let later = if i.is_multiple_of(10) { day + 5 } else { day };
            format!(
                "{{\"v\":{},\"{seen}\":\"2013-01-{day:02} {hour:02}:00:00\",\"{came}\":\"2013-01-{later:02} {hour:02}:10:00\"}}\n",
                i % 7
            )
        };
        (0..500).map(row).collect()
    };
    for (seen, came) in
        [("seen", "came"), ("place", "maybe"), ("arrived", "x"), ("at", "place"), ("row", "c0")]
    {
        let file = folder.file(&format!("{seen}.ndjson"), &rows((seen, came)));
        let document = json(&[&file, &file], &["--timestamp", seen, "--arrival", came]);
        for name in ["late_events", "out_of_order"] {
            let checks = document["checks"].as_array().unwrap();
            let found = checks.iter().find(|check| check["check"] == name);
            assert_eq!(
                found.map(|check| &check["count"]),
                Some(&50.into()),
                "{name} of {seen} and {came}: {document}"
            );
        }
    }
}
