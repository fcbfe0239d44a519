//! `windvane drift` over embeddings and texts: out of every format, and out of the store.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, FixedSizeListArray, Int64Array, types::Float32Type};
use serde_json::{Value, json};
use windvane_kit::{Service, eventually};

use crate::asking::send;

use crate::drift::{Folder, column, drift, json as document, method};

/// The vector of a row: four components without a pattern, the second of them moved; none in every tenth row.
fn vector(i: u32, moved: f32) -> Option<Vec<f32>> {
    let component = |j: u32| ((i * 4 + j).wrapping_mul(2_654_435_769) >> 16) as f32 / 65_536.0;
    (!i.is_multiple_of(10)).then(|| (0..4).map(|j| component(j) + if j == 1 { moved } else { 0.0 }).collect())
}

fn lines(moved: f32) -> String {
    (0..300).fold(String::new(), |mut text, i| {
        writeln!(text, "{}", json!({"x": i, "meaning": vector(i, moved)})).unwrap();
        text
    })
}

fn fields(moved: f32) -> String {
    (0..300).fold("x,meaning\n".to_owned(), |mut text, i| {
        let list = vector(i, moved).map_or(String::new(), |vector| format!("\"{vector:?}\""));
        writeln!(text, "{i},{list}").unwrap();
        text
    })
}

fn arrays(moved: f32) -> Vec<(String, ArrayRef)> {
    let rows = (0..300).map(|i| vector(i, moved).map(|row| row.into_iter().map(Some).collect::<Vec<_>>()));
    let lists = FixedSizeListArray::from_iter_primitive::<Float32Type, _, _>(rows, 4);
    let numbers = Int64Array::from_iter_values(0..300);
    vec![("x".to_owned(), Arc::new(numbers) as ArrayRef), ("meaning".to_owned(), Arc::new(lists))]
}

fn check(found: &Value, format: &str) {
    let meaning = column(found, "meaning");
    assert_eq!((&meaning["kind"], &meaning["verdict"]), (&"embedding".into(), &"drift".into()), "{format}");
    assert_eq!((&meaning["n_current"], &meaning["missing_current"]), (&270.into(), &30.into()), "{format}");
    let moved = &meaning["embedding"];
    assert_eq!((&moved["width"], &moved["dimensions_moved"]), (&4.into(), &1.into()), "{format}: {moved}");
    assert_eq!(moved["largest_dimension"]["dimension"], 1, "{format}: {moved}");
    assert!((moved["centroid_distance"].as_f64().unwrap() - 0.5).abs() < 1e-6, "{format}: {moved}");
    for name in ["mmd", "domain_classifier"] {
        assert_eq!(method(meaning, name)["drifted"], true, "{format} {name}: {meaning}");
    }
    assert_eq!(method(meaning, "missing_rate")["statistic"], 0.0, "{format}");
}

#[test]
fn vectors_out_of_every_format_are_compared_where_they_are_asked_for() {
    let folder = Folder::new();
    let asked = ["--embedding", "meaning"];
    for (format, files) in [
        ("ndjson", [0.0, 0.5].map(|moved| folder.file(&format!("{moved}.ndjson"), &lines(moved)))),
        ("csv", [0.0, 0.5].map(|moved| folder.file(&format!("{moved}.csv"), &fields(moved)))),
        ("parquet", [0.0, 0.5].map(|moved| folder.parquet(&format!("{moved}.parquet"), arrays(moved)))),
    ] {
        let [a, b] = &files;
        check(&document(a, b, &asked), format);
        let same = document(a, a, &asked);
        assert_eq!(column(&same, "meaning")["verdict"], "no_drift", "{format}");
        let [once, twice] =
            [(); 2].map(|()| drift(a, b, &[&asked[..], &["--format", "json"]].concat()).stdout);
        assert_eq!(once, twice, "{format}: the same input, the same document");
    }
}

#[test]
fn lists_that_no_one_calls_vectors_and_vectors_that_do_not_fit_are_skipped() {
    let folder = Folder::new();
    let a = folder.file("a.ndjson", &lines(0.0));
    let narrower = (0..300).map(|i| json!({"x": i, "meaning": [i, 1, 2]}).to_string()).collect::<Vec<_>>();
    let b = folder.file("b.ndjson", &narrower.join("\n"));
    for (arguments, reason) in
        [(&[][..], "unsupported_type"), (&["--embedding", "meaning"], "different_widths")]
    {
        let found = document(&a, &b, arguments);
        assert_eq!(found["skipped"][0]["column"], "meaning");
        assert_eq!(found["skipped"][0]["reason"], reason);
        assert_eq!(column(&found, "x")["verdict"], "no_drift");
    }
    for (arguments, code) in [
        (&["--embedding", "nope"][..], 65),
        (&["--embedding", "x", "--columns", "x"], 65),
        (&["--embedding", "meaning", "--columns", "meaning"], 65),
        (&["--embedding", "meaning", "--methods", "psi", "--columns", "x,meaning"], 0),
    ] {
        let ran = drift(&a, &b, &[arguments, &["--format", "json"]].concat());
        assert_eq!(ran.code, code, "{arguments:?}: {}", ran.stderr);
        assert_eq!(ran.stdout.is_empty(), code >= 64, "{arguments:?}");
    }
}

/// A sentence of eight words, two of them from a list of their own.
fn sentence(i: u32, own: &[&str]) -> String {
    let common = ["wind", "gate", "north", "runway", "late", "storm", "crew", "fog"];
    let pick = |words: &[&str], j: u32| {
        words[((i * 8 + j).wrapping_mul(2_654_435_769) >> 16) as usize % words.len()].to_owned()
    };
    let words: Vec<String> = (0..8).map(|j| if j < 2 { pick(own, j) } else { pick(&common, j) }).collect();
    words.join(" ")
}

#[test]
fn texts_are_compared_in_any_script_where_they_are_asked_for() {
    let folder = Folder::new();
    let file = |name: &str, own: &[&str]| {
        let rows = (0..300_u32).map(|i| {
            let said = (!i.is_multiple_of(15)).then(|| sentence(i, own));
            json!({"said": said, "x": i}).to_string()
        });
        folder.file(name, &rows.collect::<Vec<_>>().join("\n"))
    };
    let delayed = file("delayed.ndjson", &["délai", "遅延", "задержка"]);
    let refunded = file("refunded.ndjson", &["remboursé", "返金", "возврат"]);
    let found = document(&delayed, &refunded, &["--text", "said"]);
    let said = column(&found, "said");
    assert_eq!(
        (&said["kind"], &said["verdict"], &said["direction"]),
        (&"text".into(), &"drift".into(), &"none".into())
    );
    assert_eq!((&said["n_current"], &said["missing_current"]), (&280.into(), &20.into()));
    assert!(method(said, "domain_classifier")["statistic"].as_f64().unwrap() > 0.9, "{said}");
    let change = &said["text"];
    let unknown = &change["out_of_vocabulary"];
    assert_eq!((&change["vocabulary"], &unknown["mean_reference"]), (&11.into(), &0.0.into()));
    assert!((unknown["mean_current"].as_f64().unwrap() - 0.25).abs() < 1e-9, "{change}");
    assert_eq!(change["ngrams"].as_array().unwrap().len(), 5);
    // Oracle: what the words above add up to, counted here.
    let lengths: Vec<u32> = (0..300)
        .filter(|i| !u32::is_multiple_of(*i, 15))
        .map(|i| u32::try_from(sentence(i, &["délai", "遅延", "задержка"]).chars().count()).unwrap())
        .collect();
    let mean = f64::from(lengths.iter().sum::<u32>()) / lengths.len() as f64;
    assert!((change["length"]["mean_reference"].as_f64().unwrap() - mean).abs() < 1e-9, "{change}");
    let same = document(&delayed, &delayed, &["--text", "said"]);
    assert_eq!(column(&same, "said")["verdict"], "no_drift");
    let table = drift(&delayed, &refunded, &["--text", "said", "--columns", "said"]).stdout;
    assert!(table.contains("unknown words 0.0 % → 25.0 %"), "{table}");
    // Numbers are text too where someone says so.
    let found = document(&delayed, &refunded, &["--text", "x"]);
    assert_eq!(column(&found, "x")["kind"], "text");
}

/// 200 predictions on the first of a month, with an embedding that moved in February and one that did not.
fn predictions() -> String {
    let line = |month: u32, i: u32| {
        let moved = if month == 2 { 0.5 } else { 0.0 };
        let mut embeddings = serde_json::Map::new();
        if let (Some(text), Some(image)) = (vector(i, moved), vector(i + 7 * month, 0.0)) {
            embeddings.insert("text".to_owned(), json!(text));
            embeddings.insert("image".to_owned(), json!(image));
        }
        json!({
            "model": "search", "version": "1", "event_id": format!("{month}-{i}"), "ts": format!("2013-0{month}-01T00:00:00Z"),
            "features": {"length": i % 50}, "embeddings": embeddings, "prediction": {"score": 0.5},
        })
        .to_string()
    };
    (1..=2).flat_map(|month| (0..300).map(move |i| line(month, i))).collect::<Vec<_>>().join("\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn embeddings_of_predictions_are_compared_and_kept_as_findings() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::start(Path::new(env!("CARGO_BIN_EXE_windvane")), folder.path(), "");
    let windvane = |words: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_windvane"));
        command.args(["--log", "error"]).args(words).arg("--config").arg(service.config());
        command.output().expect("windvane starts")
    };
    let query = |sql: &str| {
        let output = windvane(&["query", &format!("{sql} FORMAT TSV")]);
        assert!(output.status.success(), "{output:?}");
        String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
    };
    send(&service, "predictions", predictions()).await;
    eventually(Duration::from_secs(20), || match query("SELECT count() FROM predictions").as_str() {
        "600" => Ok(()),
        other => Err(other.to_owned()),
    });
    let spans = ["--reference", "window:2013-01-01/2013-02-01", "--window", "2013-02-01/2013-03-01"];
    let output = windvane(&[&["drift", "--model", "search", "--format", "json"][..], &spans].concat());
    assert!(output.status.success(), "{output:?}");
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    for (name, verdict) in [("text", "drift"), ("image", "no_drift"), ("length", "no_drift")] {
        assert_eq!(column(&found, name)["verdict"], verdict, "{found}");
    }
    assert_eq!(column(&found, "text")["kind"], "embedding");
    assert_eq!(column(&found, "text")["embedding"]["largest_dimension"]["dimension"], 1);
    let kept = "SELECT DISTINCT column_name, column_kind FROM drift_findings FINAL WHERE drifted";
    assert_eq!(query(kept), "text\tembedding");
    // No profile keeps vectors: the rows of a baseline are read again for them.
    let saved = windvane(&[
        "baseline",
        "save",
        "january",
        "--model",
        "search",
        "--from",
        "2013-01-01",
        "--to",
        "2013-02-01",
    ]);
    assert!(saved.status.success(), "{saved:?}");
    let against = ["drift", "--model", "search", "--reference", "baseline:january", "--window"];
    let output =
        windvane(&[&against[..], &["2013-02-01/2013-03-01", "--no-record", "--format", "json"]].concat());
    let again: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(column(&again, "text")["methods"], column(&found, "text")["methods"], "{output:?}");
    assert_eq!(service.terminate(), Some(0));
}
