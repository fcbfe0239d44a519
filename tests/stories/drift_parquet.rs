//! `windvane drift` over Parquet: columns are read in the types that the file has and counted as they are read, and no answer changes.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{
    Array, ArrayRef, BooleanArray, Float32Array, Float64Array, Int16Array, Int64Array, StringArray,
    UInt8Array,
};
use rustix::process::Signal;
use serde_json::Value;
use windvane_kit::{LoggedProcess, eventually};

use crate::drift::{Folder, column, json};

const START: Duration = Duration::from_secs(60);
const END: Duration = Duration::from_secs(30);

/// A column in its type, and as fields of CSV.
struct Column {
    name: &'static str,
    values: ArrayRef,
    fields: Vec<String>,
}

fn of<A, T>(name: &'static str, values: Vec<Option<T>>) -> Column
where
    A: Array + FromIterator<Option<T>> + 'static,
    T: ToString,
{
    let field = |value: &Option<T>| value.as_ref().map(T::to_string).unwrap_or_default();
    let fields = values.iter().map(field).collect();
    Column { name, values: Arc::new(values.into_iter().collect::<A>()), fields }
}

/// 600 rows of a side; numbers that are the same when they are read as text.
fn columns(side: u16) -> Vec<Column> {
    fn rows<T>(value: impl Fn(u16) -> Option<T>) -> Vec<Option<T>> {
        (0..600).map(value).collect()
    }
    let moved = |i: u16| i * 37 % 101 + side * 5;
    let single = |i: u16| match i {
        5 => Some(f32::INFINITY),
        i if i.is_multiple_of(7) => None,
        i if i.is_multiple_of(13) => Some(f32::NAN),
        i => Some(f32::from(moved(i)) / 2.0),
    };
    vec![
        of::<Float32Array, f32>("single", rows(single)),
        of::<Float64Array, f64>("double", rows(|i| (i % 11 > 0).then(|| f64::from(moved(i)) / 2.0))),
        of::<Int16Array, i16>("short", rows(|i| i16::try_from(moved(i)).ok().map(|i| i - 50))),
        of::<Int64Array, i64>("long", rows(|i| Some(i64::from(i) * 1_000_003 - 9))),
        of::<UInt8Array, u8>("byte", rows(|i| u8::try_from(i % 200).ok().filter(|i| i % 5 > 0))),
        of::<Float64Array, f64>("gone", rows(|i| (side == 0).then_some(f64::from(i % 9)))),
        of::<BooleanArray, bool>("flag", rows(|i| (i % 4 > 0).then_some(i.is_multiple_of(3)))),
        of::<StringArray, &str>(
            "answer",
            rows(|i| Some([["True", "FALSE"], ["true", "false"]][usize::from(side)][usize::from(i % 2)])),
        ),
        of::<StringArray, &str>("maybe", rows(|i| Some(["True", "true", "maybe"][usize::from(i % 3)]))),
        of::<StringArray, String>("kind", rows(|i| (i % 9 > 0).then(|| format!("kind {}", i % (12 + side))))),
    ]
}

/// The same rows as Parquet and as CSV.
fn files(folder: &Folder, side: u16, columns: &[Column]) -> [PathBuf; 2] {
    let line = |of: &dyn Fn(&Column) -> String| columns.iter().map(of).collect::<Vec<String>>().join(",");
    let mut lines = vec![line(&|column| column.name.to_owned())];
    lines.extend((0..columns[0].fields.len()).map(|row| line(&|column| column.fields[row].clone())));
    let csv = folder.file(&format!("{side}.csv"), &(lines.join("\n") + "\n"));
    let columns = columns.iter().map(|column| (column.name.to_owned(), Arc::clone(&column.values)));
    [folder.parquet(&format!("{side}.parquet"), columns.collect()), csv]
}

/// A document without the names of the files.
fn without_sources(mut document: Value) -> Value {
    for side in ["reference", "current"] {
        document[side]["source"] = Value::Null;
    }
    document
}

#[test]
fn a_file_in_parquet_gets_the_answers_of_its_rows_in_csv() {
    let folder = Folder::new();
    let [[reference, reference_csv], [current, current_csv]] =
        [0, 1].map(|side| files(&folder, side, &columns(side)));
    let asked: [&[&str]; 5] = [
        &[],
        &["--methods", "ks,wasserstein,energy,psi,epps_singleton,chi_square"],
        &["--methods", "missing_rate"],
        &["--columns", "flag,answer,single"],
        &["--segment-by", "flag"],
    ];
    for arguments in asked {
        let parquet = without_sources(json(&reference, &current, arguments));
        let csv = without_sources(json(&reference_csv, &current_csv, arguments));
        assert_eq!(parquet, csv, "{arguments:?}");
    }
    let document = json(&reference, &current, &[]);
    let missing = |name: &str| {
        let column = column(&document, name);
        (column["missing_reference"].as_u64().unwrap(), column["missing_current"].as_u64().unwrap())
    };
    // 86 of 600 are multiples of seven, 47 of thirteen, 7 of both.
    assert_eq!([missing("single"), missing("gone"), missing("long")], [(126, 126), (0, 600), (0, 0)]);
    assert_eq!(missing("flag"), (150, 150));
    assert_eq!(column(&document, "answer")["verdict"], "no_drift", "TRUE and true are one category");
}

// The engine reads blocks of some 65,000 rows, in any order, and numbers of 32 and of 64 bits are sorted in different ways.
#[test]
fn rows_of_several_blocks_are_put_in_order() {
    let folder = Folder::new();
    let columns = |side: u32| {
        let rows = 70_000 + side;
        let spread = |i: u32| f64::from(i * 7_919 % 70_001) - 35_000.0;
        vec![
            of::<Float32Array, f32>("single", (0..rows).map(|i| Some(spread(i) as f32 / 2.0)).collect()),
            of::<Float64Array, f64>(
                "double",
                (0..rows).map(|i| (i % 11 > side).then(|| spread(i) * 65_537.0)).collect(),
            ),
            of::<Int64Array, i64>("long", (0..rows).map(|i| Some(i64::from(i % 5_003) - 2_500)).collect()),
        ]
    };
    let [[reference, reference_csv], [current, current_csv]] =
        [0, 1].map(|side: u16| files(&folder, side, &columns(side.into())));
    let arguments = ["--methods", "ks,psi,mann_whitney,wasserstein"];
    let parquet = without_sources(json(&reference, &current, &arguments));
    assert_eq!(parquet, without_sources(json(&reference_csv, &current_csv, &arguments)));
    assert_eq!(column(&parquet, "double")["missing_current"], 12_728);
}

#[test]
fn the_folder_of_the_engine_is_removed() {
    let folder = Folder::new();
    let temporary = tempfile::tempdir().unwrap();
    let [[reference, reference_csv], [current, current_csv]] =
        [0, 1].map(|side| files(&folder, side, &columns(side)));
    for sides in [[&reference, &current], [&reference_csv, &current], [&reference_csv, &current_csv]] {
        let mut drift = Command::new(env!("CARGO_BIN_EXE_windvane"));
        let output = drift.arg("drift").args(sides).env("TMPDIR", temporary.path()).output().unwrap();
        assert!(output.status.success(), "{sides:?}: {}", String::from_utf8_lossy(&output.stderr));
        let left: Vec<_> = std::fs::read_dir(temporary.path()).unwrap().collect();
        assert!(left.is_empty(), "{sides:?}: {left:?}");
    }
}

#[test]
fn the_folder_of_the_engine_is_removed_when_a_signal_ends_the_comparison() {
    let folder = Folder::new();
    let file = folder.file("long.csv", &format!("a,b,c\n{}", "1,2,x\n".repeat(1_000_000)));
    // A terminal that is closed sends SIGHUP, several times, and to a command under `nohup` in vain.
    let (default, ignored) = ("--default-signal=HUP", "--ignore-signal=HUP");
    for (hangup, signals, told) in [
        (default, [Signal::TERM].as_slice(), "SIGTERM"),
        (default, &[Signal::HUP, Signal::HUP], "SIGHUP"),
        (ignored, &[Signal::HUP, Signal::TERM], "SIGTERM"),
    ] {
        let temporary = tempfile::tempdir().unwrap();
        let mut drift = LoggedProcess::start(
            Command::new("env")
                .args([hangup, env!("CARGO_BIN_EXE_windvane"), "drift"])
                .args([&file, &file])
                .env("TMPDIR", temporary.path()),
        );
        eventually(START, || {
            let mut entries = std::fs::read_dir(temporary.path()).unwrap();
            let is_open = entries.any(|entry| entry.unwrap().path().join("data/store").is_dir());
            is_open.then_some(()).ok_or("the engine is not open")
        });
        for signal in signals {
            drift.signal(*signal);
        }
        let status = drift.wait(END);
        assert_eq!(status.code(), Some(69), "{signals:?}: {:?}", drift.log());
        let told = format!("windvane: ended by {told} before there was an answer");
        eventually(END, || {
            let log = drift.log();
            (log == [told.as_str()]).then_some(()).ok_or(log)
        });
        let left: Vec<_> = std::fs::read_dir(temporary.path()).unwrap().collect();
        assert!(left.is_empty(), "{signals:?}: {left:?}");
    }
}
