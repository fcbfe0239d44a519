//! `windvane shadow run` on the flights models and on what people hand it by mistake.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

pub(super) struct Ran {
    pub(super) code: i32,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

impl Ran {
    pub(super) fn document(&self) -> Value {
        assert!(self.code < 64, "{}", self.stderr);
        serde_json::from_str(&self.stdout).unwrap()
    }

    /// Exits with this code, with nothing on standard output and these words on standard error.
    pub(super) fn refuses(&self, code: i32, words: &[&str]) {
        assert_eq!((self.code, self.stdout.as_str()), (code, ""), "{}", self.stderr);
        words.iter().for_each(|word| assert!(self.stderr.contains(word), "`{word}` in {}", self.stderr));
    }
}

pub(super) fn shadow(words: &[&str]) -> Ran {
    let output = Command::new(env!("CARGO_BIN_EXE_windvane")).arg("shadow").args(words).output().unwrap();
    Ran {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

pub(super) fn model(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data/models").join(name).display().to_string()
}

pub(super) fn flights() -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data/flights.parquet").display().to_string()
}

/// A run of a candidate against the champion on the flights, as JSON.
fn gate(candidate: &str, policy: &Path, more: &[&str]) -> Ran {
    let (champion, candidate, traffic) = (model("champion.onnx"), model(candidate), flights());
    let words = ["run", "--offline", "--format", "json", "--champion", &champion, "--candidate", &candidate];
    let policy = policy.to_str().unwrap();
    shadow(&[&words, ["--traffic", &traffic, "--policy", policy].as_slice(), more].concat())
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    /// An archive of NumPy arrays with these headers and elements.
    fn npz(&self, arrays: &[(&str, &str, Vec<u8>)]) -> PathBuf {
        let path = self.0.path().join("traffic.npz");
        let mut archive = zip::ZipWriter::new(std::fs::File::create(&path).unwrap());
        for (name, header, elements) in arrays {
            let options =
                zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
            archive.start_file(format!("{name}.npy"), options).unwrap();
            let header = format!("{header}\n");
            archive.write_all(b"\x93NUMPY\x01\x00").unwrap();
            archive.write_all(&u16::try_from(header.len()).unwrap().to_le_bytes()).unwrap();
            archive.write_all(header.as_bytes()).unwrap();
            archive.write_all(elements).unwrap();
        }
        archive.finish().unwrap();
        path
    }
}

const AGREEMENT: &[u8] = b"[gate]\nmin_requests = 500\n[agreement]\nrate_min = 0.99\natol = 1e-5\n";
const QUALITY: &[u8] =
    b"[gate]\nmin_requests = 500\n[quality]\ntarget = \"outcome_label\"\npositive = \"late\"\n\
    accuracy_drop_max = 0.005\nroc_auc_drop_max = 0.005\nlog_loss_rise_max = 0.005\nbrier_rise_max = 0.005\n";

fn check<'d>(document: &'d Value, name: &str) -> &'d Value {
    let checks = document["checks"].as_array().unwrap();
    checks.iter().find(|check| check["check"] == name).unwrap_or_else(|| panic!("no {name}: {document}"))
}

#[test]
fn a_model_passes_against_itself() {
    let folder = Folder::new();
    let policy = folder.file("gate.toml", AGREEMENT);
    let ran = gate("champion.onnx", &policy, &["--sample", "1000", "--segment-by", "carrier"]);
    let document = ran.document();
    assert_eq!((ran.code, &document["verdict"]), (0, &"pass".into()), "{document}");
    assert_eq!(document["schema"], "windvane.gate/1");
    assert_eq!((&document["requests"], &document["agreement"]["rate"]), (&1000.into(), &1.0.into()));
    let lower = document["agreement"]["ci"][0].as_f64().unwrap();
    // 0.025^(1/1000).
    assert!((lower - 0.996_317_9).abs() < 1e-6, "{lower}");
    assert!(document["latency_us"]["champion"]["p50"].as_f64().unwrap() > 0.0);
    assert!(document["throughput_per_s"]["candidate"].as_f64().unwrap() > 0.0);
    let provenance = &document["provenance"];
    assert_eq!(provenance["champion"]["sha256"].as_str().unwrap().len(), 64);
    assert_eq!(provenance["champion"]["sha256"], provenance["candidate"]["sha256"]);
    assert!(provenance["champion"]["placement"]["nodes"]["CPUExecutionProvider"].as_u64().unwrap() > 0);
    assert!(document["agreement"]["segments"].as_array().unwrap().len() > 5);
    let noise = &document["agreement"]["noise"];
    assert_eq!(noise["agree"], noise["n"]);
    // Another run in calls of the same size is told apart from calls of another.
    assert_eq!((&noise["again"]["n"], &noise["again"]["agree"]), (&noise["n"], &noise["n"]), "{noise}");
    assert_eq!(noise["again"]["max_abs"], 0.0, "{noise}");
}

#[test]
fn a_broken_candidate_fails_with_reasons_that_name_what_broke() {
    let folder = Folder::new();
    let policy = folder.file("gate.toml", AGREEMENT);
    let report = folder.0.path().join("report");
    let ran = gate("broken.onnx", &policy, &["--sample", "1000", "--report", report.to_str().unwrap()]);
    let document = ran.document();
    assert_eq!((ran.code, &document["verdict"]), (1, &"fail".into()));
    let finite = check(&document, "finite");
    assert_eq!(finite["verdict"], "fail");
    assert!(finite["reason"].as_str().unwrap().contains("output `probabilities`"), "{finite}");
    let agreement = check(&document, "agreement");
    assert_eq!(agreement["verdict"], "fail");
    assert!(agreement["ci"][1].as_f64().unwrap() < 0.99);
    assert!(!document["agreement"]["worst"].as_array().unwrap().is_empty());
    let read = |name: &str| std::fs::read_to_string(report.join(name)).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&read("gate.json")).unwrap(), document);
    assert!(read("junit.xml").contains("<failure message=\"the candidate gave"));
    assert!(read("gate.md").contains("❌ fail"));
    let html = read("gate.html");
    assert!(
        html.contains("<svg") && !html.contains("<script") && !html.contains("http://"),
        "the report needs nothing else"
    );
}

#[test]
fn a_better_candidate_passes_by_outcomes_and_the_broken_one_does_not() {
    let folder = Folder::new();
    let policy = folder.file("gate.toml", QUALITY);
    let ran = gate("candidate.onnx", &policy, &["--sample", "20000", "--batch-max", "64"]);
    let document = ran.document();
    assert_eq!(ran.code, 0, "{}", document["checks"]);
    let metric = |name: &str| {
        let metrics = document["quality"]["metrics"].as_array().unwrap();
        metrics.iter().find(|metric| metric["metric"] == name).unwrap().clone()
    };
    assert!(metric("log_loss")["difference"].as_f64().unwrap() < 0.0);
    assert!(metric("roc_auc")["candidate"].as_f64().unwrap() > 0.88);
    let ran = gate("broken.onnx", &policy, &["--sample", "5000", "--batch-max", "64"]);
    assert_eq!(ran.code, 1);
}

#[test]
fn too_little_traffic_is_inconclusive_and_so_is_none() {
    let folder = Folder::new();
    let policy = folder.file("gate.toml", AGREEMENT);
    let ran = gate("champion.onnx", &policy, &["--sample", "100"]);
    assert_eq!((ran.code, &ran.document()["verdict"]), (2, &"inconclusive".into()));
    assert_eq!(check(&ran.document(), "min_requests")["verdict"], "inconclusive");
    let empty = folder.0.path().join("requests");
    std::fs::create_dir(&empty).unwrap();
    let (champion, policy) = (model("champion.onnx"), policy.display().to_string());
    let words = ["run", "--offline", "--format", "json", "--champion", &champion, "--candidate", &champion];
    let ran =
        shadow(&[&words, ["--traffic", empty.to_str().unwrap(), "--policy", &policy].as_slice()].concat());
    assert_eq!((ran.code, &ran.document()["agreement"]["n"]), (2, &0.into()), "{}", ran.stderr);
    // A failure is known however few requests there are.
    assert_eq!(gate("broken.onnx", Path::new(&policy), &["--sample", "100"]).code, 1);
}

#[test]
fn the_same_input_has_the_same_verdict() {
    let folder = Folder::new();
    let policy = folder.file("gate.toml", AGREEMENT);
    let run = || {
        let document = gate("candidate.onnx", &policy, &["--sample", "600"]).document();
        (document["checks"].clone(), document["agreement"].clone())
    };
    assert_eq!(run(), run());
}

#[test]
fn a_lost_gate_stops_early_and_an_override_is_told() {
    let folder = Folder::new();
    let policy = folder.file("gate.toml", b"[gate]\nstop_when_lost = true\n[agreement]\n");
    let ran = gate("candidate.onnx", &policy, &["--override-by", "ada", "--override-reason", "known change"]);
    let document = ran.document();
    assert_eq!((ran.code, &document["verdict"]), (0, &"pass".into()));
    assert_eq!(document["override_by"]["verdict"], "fail");
    assert_eq!(document["override_by"]["why"], "known change");
    assert!(document["not_asked"].as_u64().unwrap() > 50_000);
}

#[test]
fn settings_are_tried_and_the_fastest_that_keeps_the_bound_is_recommended() {
    let (champion, traffic) = (model("champion.onnx"), flights());
    let bench = |more: &[&str]| {
        let words = ["bench", &champion, "--offline", "--traffic", &traffic];
        let tried = ["--batches", "1,8", "--sessions", "1", "--seconds", "0.05"];
        shadow(&[words.as_slice(), &tried, more].concat())
    };
    let ran = bench(&["--format", "json", "--p99-us-max", "10000000"]);
    let document = ran.document();
    assert_eq!((ran.code, &document["schema"]), (0, &"windvane.bench/1".into()));
    let points = document["points"].as_array().unwrap();
    assert_eq!(points.iter().map(|point| point["batch"].as_u64().unwrap()).collect::<Vec<_>>(), [1, 8]);
    let number = |point: &Value, name: &str| point[name].as_f64().unwrap();
    for point in points {
        assert!(
            0.0 < number(point, "p50_us") && number(point, "p50_us") <= number(point, "p99_us"),
            "{point}"
        );
        assert!(number(point, "memory_bytes") > 1e7 && point["gpu_memory_bytes"].is_null(), "{point}");
    }
    let fastest = points.iter().map(|point| number(point, "requests_per_s")).fold(0.0, f64::max);
    assert_eq!(number(&document["recommended"], "requests_per_s"), fastest);
    assert!(number(&document, "sustained_per_s") > 0.0, "{document}");
    // No call is that fast; what a graphics processor holds is not known without one.
    let table = bench(&["--p99-us-max", "0.001"]).stdout;
    assert!(table.contains("GPU MB") && table.contains("no setting keeps the bound"), "{table}");
    assert!(table.lines().nth(1).unwrap().trim_end().ends_with('–'), "{table}");
}

#[test]
fn requests_come_at_the_pace_that_is_asked_for() {
    let folder = Folder::new();
    let policy = folder.file("gate.toml", b"[latency]\np99_us_max = 10000000\n");
    for (pace, more) in [
        ("poisson:2000", vec![]),
        ("closed:4", vec!["--batch-max", "4"]),
        ("original[x10000000]", vec!["--time", "ts", "--batch-max", "8", "--batch-wait-us", "200"]),
    ] {
        let ran = gate(
            "candidate.onnx",
            &policy,
            &[&["--sample", "600", "--pace", pace], more.as_slice()].concat(),
        );
        let document = ran.document();
        assert_eq!(ran.code, 0, "{pace}: {}", document["checks"]);
        assert_eq!(document["latency_us"]["clock"], "scheduled");
        assert_eq!(document["latency_us"]["candidate"]["n"], 600);
        assert_eq!(document["provenance"]["pace"], pace);
    }
}

/// The arrays that the probe model takes, for two rows.
fn probe_arrays() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    fn bytes<const N: usize>(values: impl IntoIterator<Item = [u8; N]>) -> Vec<u8> {
        values.into_iter().flatten().collect()
    }
    let column = |descr: &str| match descr {
        "f4" => "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 1), }",
        "f8" => "{'descr': '>f8', 'fortran_order': False, 'shape': (2, 1), }",
        "i8" => "{'descr': '<i8', 'fortran_order': False, 'shape': (2,), }",
        "i4" => "{'descr': '<i4', 'fortran_order': False, 'shape': (2, 1), }",
        "b1" => "{'descr': '|b1', 'fortran_order': False, 'shape': (2, 1), }",
        "U2" => "{'descr': '<U2', 'fortran_order': False, 'shape': (2, 1), }",
        "flat" => "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }",
        _ => "{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3), }",
    };
    let text = ['ä', 'b', 'c', '\0'].map(|c| u32::from(c).to_le_bytes());
    vec![
        ("f32", column("f4"), bytes([1.5_f32, 2.5].map(f32::to_le_bytes))),
        ("f64", column("f8"), bytes([1.5_f64, 2.5].map(f64::to_be_bytes))),
        ("i64", column("i8"), bytes([1_i64, -2].map(i64::to_le_bytes))),
        ("i32", column("i4"), bytes([1_i32, -2].map(i32::to_le_bytes))),
        ("flag", column("b1"), vec![0, 1]),
        ("text", column("U2"), bytes(text)),
        ("flat", column("flat"), bytes([1.5_f32, 2.5].map(f32::to_le_bytes))),
        ("wide", column("wide"), bytes([1.0_f32, 4.0, 2.0, 5.0, 3.0, 6.0].map(f32::to_le_bytes))),
    ]
}

fn probes(traffic: &Path) -> Ran {
    let model =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/onnx/probes.onnx").display().to_string();
    let traffic = traffic.to_str().unwrap();
    shadow(&[
        "run",
        "--offline",
        "--format",
        "json",
        "--champion",
        &model,
        "--candidate",
        &model,
        "--traffic",
        traffic,
    ])
}

#[test]
fn arrays_of_every_type_and_order_are_read() {
    let folder = Folder::new();
    let ran = probes(&folder.npz(&probe_arrays()));
    let document = ran.document();
    assert_eq!(
        (&document["requests"], &document["agreement"]["rate"]),
        (&2.into(), &1.0.into()),
        "{document}"
    );
    assert_eq!(ran.code, 2, "two requests are fewer than the shipped policy asks for");
}

#[test]
fn traffic_that_does_not_fit_shows_both_sides() {
    let folder = Folder::new();
    let mut arrays = probe_arrays();
    arrays.retain(|(name, ..)| *name != "i64");
    probes(&folder.npz(&arrays)).refuses(65, &["has no `i64`", "i64 int64 [?, 1]", "f32 float32"]);
    let mut arrays = probe_arrays();
    arrays[2].1 = "{'descr': '<f8', 'fortran_order': False, 'shape': (2,), }";
    probes(&folder.npz(&arrays)).refuses(65, &["takes i64 int64 [?, 1]; given: i64 float64"]);
    let mut arrays = probe_arrays();
    arrays[7] = ("wide", "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 1), }", vec![0; 8]);
    probes(&folder.npz(&arrays)).refuses(65, &["takes wide float32 [?, 3]; given: wide float32 [1, 1]"]);
    let mut arrays = probe_arrays();
    arrays[5] = ("text", "{'descr': '|O', 'fortran_order': False, 'shape': (2, 1), }", b"\x80\x04]".to_vec());
    probes(&folder.npz(&arrays)).refuses(65, &["`text`", "pickle"]);
    let mut arrays = probe_arrays();
    arrays[0] = ("f32", "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 1), }", vec![0; 12]);
    probes(&folder.npz(&arrays)).refuses(65, &["different numbers of rows"]);
    let whole = std::fs::read(folder.npz(&probe_arrays())).unwrap();
    probes(&folder.file("cut.npz", &whole[..whole.len() / 2])).refuses(65, &["cannot read traffic"]);
    probes(&folder.file("text.npz", b"not an archive")).refuses(65, &["cannot read traffic"]);
    probes(&folder.0.path().join("absent.npz")).refuses(65, &["cannot read traffic"]);
}

#[test]
fn requests_of_the_open_inference_protocol_are_read() {
    let folder = Folder::new();
    let requests = folder.0.path().join("requests");
    std::fs::create_dir(&requests).unwrap();
    for i in 0..3 {
        let input = |name: &str, datatype: &str, data: Value, width: usize| serde_json::json!({"name": name, "datatype": datatype, "shape": [1, width], "data": data});
        let request = serde_json::json!({"inputs": [
            input("f32", "FP32", serde_json::json!([i]), 1),
            input("f64", "FP64", serde_json::json!([[0.5]]), 1),
            input("i64", "INT64", serde_json::json!([7]), 1),
            input("i32", "INT32", serde_json::json!([-7]), 1),
            input("flag", "BOOL", serde_json::json!([true]), 1),
            input("text", "BYTES", serde_json::json!(["späte"]), 1),
            {"name": "flat", "datatype": "FP32", "shape": [1], "data": [2]},
            input("wide", "FP32", serde_json::json!([1, 2, 3]), 3),
        ]});
        std::fs::write(requests.join(format!("{i}.json")), request.to_string()).unwrap();
    }
    let document = probes(&requests).document();
    assert_eq!(
        (&document["requests"], &document["agreement"]["rate"]),
        (&3.into(), &1.0.into()),
        "{document}"
    );
    std::fs::write(requests.join("3.json"), "{\"inputs\": 5}").unwrap();
    // One that is broken is left out, and the report says so by its name.
    let ran = probes(&requests);
    let document = ran.document();
    assert_eq!((ran.code, &document["requests"], &document["skipped"]["n"]), (2, &3.into(), &1.into()));
    assert_eq!(document["skipped"]["first"][0]["id"], "3.json");
    assert_eq!(check(&document, "skipped")["verdict"], "inconclusive", "a quarter is more than a hundredth");
    for i in 0..3 {
        std::fs::remove_file(requests.join(format!("{i}.json"))).unwrap();
    }
    probes(&requests).refuses(65, &["3.json"]);
}

#[test]
fn what_is_wrong_has_the_exit_code_of_whose_fault_it_is() {
    let folder = Folder::new();
    let policy = folder.file("gate.toml", AGREEMENT);
    let no_model = folder.file("no.onnx", b"not a model");
    let (champion, traffic) = (model("champion.onnx"), flights());
    let run = |candidate: &str, policy: &Path, more: &[&str]| {
        let words =
            ["run", "--offline", "--champion", &champion, "--candidate", candidate, "--traffic", &traffic];
        shadow(&[&words, ["--policy", policy.to_str().unwrap()].as_slice(), more].concat())
    };
    run(no_model.to_str().unwrap(), &policy, &[]).refuses(65, &["cannot open model", "no.onnx"]);
    run("absent.onnx", &policy, &[]).refuses(65, &["absent.onnx"]);
    let unknown = folder.file("unknown.toml", b"[gate]\nmin_rows = 5\n");
    run(&champion, &unknown, &[]).refuses(78, &["unknown field `min_rows`", "min_requests"]);
    run(&champion, &folder.0.path().join("absent.toml"), &[]).refuses(78, &["absent.toml"]);
    run(&champion, &policy, &["--pace", "fast"]).refuses(64, &["poisson:QPS"]);
    run(&champion, &policy, &["--pace", "original"]).refuses(64, &["--time COLUMN"]);
    run(&champion, &policy, &["--device", "tpu"]).refuses(64, &["tensorrt"]);
    run(&champion, &policy, &["--segment-by", "nothing"]).refuses(65, &["has no `nothing`", "carrier"]);
    if !Path::new("/dev/nvidiactl").exists() {
        run(&champion, &policy, &["--device", "cuda"]).refuses(69, &["device `cuda` is not available"]);
    }
}

#[test]
fn the_shipped_policy_is_printed_and_is_one() {
    let ran = shadow(&["policy"]);
    assert_eq!(ran.code, 0);
    let folder = Folder::new();
    let policy = folder.file("gate.toml", ran.stdout.as_bytes());
    let ran = gate("champion.onnx", &policy, &["--sample", "50"]);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
}
