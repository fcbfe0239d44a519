//! `windvane shadow serve` when a model's process is killed under load, and when its own is.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, getpgid, kill_process, test_kill_process};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use windvane_kit::{LoggedProcess, Service, eventually, eventually_async};

use crate::asking::query;
use crate::monitors::BINARY;
use crate::shadow::model;

/// How long requests may wait for an answer here: far longer than answering takes, so that whoever waits for it was left waiting.
const DEADLINE: Duration = Duration::from_secs(20);
/// How long starting and ending may take on a machine with other work.
const SOON: Duration = Duration::from_secs(60);

struct Served {
    process: LoggedProcess,
    url: String,
}

impl Served {
    fn start(models: &[(&str, String)]) -> Self {
        Self::start_with(models, &[])
    }

    /// The same with more words on its command line.
    fn start_with(models: &[(&str, String)], more: &[&str]) -> Self {
        let mut command = Command::new(BINARY);
        command.args(["--log-format", "json", "shadow", "serve", "--offline", "--listen", "127.0.0.1:0"]);
        command.args(["--batch-max", "4", "--deadline-ms", &DEADLINE.as_millis().to_string()]);
        command.args(more);
        for (name, path) in models {
            command.arg("--model").arg(format!("{name}={path}"));
        }
        let mut process = LoggedProcess::start(&mut command);
        let line: Value = serde_json::from_str(&process.wait_for_line(SOON, &["models are served"])).unwrap();
        let url = line["address"].as_str().unwrap().to_owned();
        Self { process, url }
    }

    /// The processes that had this model open, the latest last.
    fn opened(&self, model: &str) -> Vec<Pid> {
        let log = self.process.log();
        let lines = log.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let opened = lines.filter(|line| line["message"] == "a model is open" && line["model"] == model);
        opened
            .map(|line| {
                Pid::from_raw(line["pid"].as_i64().and_then(|pid| pid.try_into().ok()).unwrap()).unwrap()
            })
            .collect()
    }

    /// The process that had this model open as the first, the second and so on; the log tells of it once it is ready.
    async fn pid(&self, model: &str, place: usize) -> Pid {
        eventually_async(SOON, async || self.opened(model).get(place).copied().ok_or("not open yet")).await
    }

    async fn get(&self, path: &str) -> (u16, String) {
        let answer = reqwest::get(format!("{}{path}", self.url)).await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    async fn wait_until_ready(&self, model: &str) {
        eventually_async(SOON, async || match self.get(&format!("/v2/models/{model}/ready")).await {
            (200, _) => Ok(()),
            other => Err(other),
        })
        .await;
    }
}

/// The first of the golden flights as a request of the protocol.
fn flight() -> Value {
    let golden =
        std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/onnx/flights.json")).unwrap();
    let golden: Value = serde_json::from_slice(&golden).unwrap();
    let input = |(name, column): (&String, &Value)| {
        let datatype = if column[0].is_string() { "BYTES" } else { "FP32" };
        json!({"name": name, "shape": [1, 1], "datatype": datatype, "data": [column[0]]})
    };
    let inputs = golden["inputs"].as_object().unwrap().iter().map(input).collect::<Vec<_>>();
    json!({ "inputs": inputs })
}

/// What one client saw: the status and the code of each answer, and the longest that it waited.
#[derive(Default)]
struct Seen {
    answers: Vec<(u16, Option<String>)>,
    longest: Duration,
}

/// Asks the champion one request after another until it is told to stop.
async fn client(url: String, answered: Arc<AtomicUsize>, stop: Arc<AtomicBool>) -> Seen {
    let (client, body, mut seen) = (reqwest::Client::new(), flight(), Seen::default());
    while !stop.load(Ordering::Relaxed) {
        let began = Instant::now();
        let answer = client.post(format!("{url}/v2/models/champion/infer")).json(&body).send().await.unwrap();
        let status = answer.status().as_u16();
        let document: Value = answer.json().await.unwrap();
        seen.longest = seen.longest.max(began.elapsed());
        seen.answers.push((status, document["code"].as_str().map(str::to_owned)));
        answered.fetch_add(usize::from(status == 200), Ordering::Relaxed);
    }
    seen
}

#[tokio::test]
async fn a_models_process_that_is_killed_under_load_is_started_again_and_leaves_nobody_waiting() {
    let absent = "/nonexistent/absent.onnx".to_owned();
    let mut served = Served::start(&[
        ("champion", model("champion.onnx")),
        ("candidate", model("candidate.onnx")),
        ("absent", absent),
    ]);
    served.wait_until_ready("champion").await;
    served.wait_until_ready("candidate").await;
    let maps = std::fs::read_to_string(format!("/proc/{}/maps", served.process.pid())).unwrap();
    assert!(!maps.contains("onnxruntime"), "the process that listens has loaded the runtime");
    assert_eq!(served.get("/v2/health/ready").await, (200, r#"{"ready":true}"#.to_owned()));
    eventually_async(SOON, async || match served.get("/v2/models/absent/ready").await {
        (503, told) if told.contains("absent.onnx") => Ok(()),
        other => Err(other),
    })
    .await;

    // What a terminal or a supervisor sends to all is for the process that listens.
    let (champion, candidate) = (served.pid("champion", 0).await, served.pid("candidate", 0).await);
    assert_eq!(getpgid(Some(candidate)).unwrap(), candidate);
    kill_process(candidate, Signal::INT).unwrap();
    kill_process(candidate, Signal::TERM).unwrap();

    let (answered, stop) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    let mut clients = JoinSet::new();
    for _ in 0..4 {
        clients.spawn(client(served.url.clone(), Arc::clone(&answered), Arc::clone(&stop)));
    }
    let enough = async |more: usize| {
        let before = answered.load(Ordering::Relaxed);
        eventually_async(SOON, async || match answered.load(Ordering::Relaxed) - before {
            seen if seen >= more => Ok(()),
            seen => Err(seen),
        })
        .await;
    };
    enough(50).await;
    kill_process(champion, Signal::KILL).unwrap();
    let again = served.pid("champion", 1).await;
    enough(50).await;
    stop.store(true, Ordering::Relaxed);
    let seen = clients.join_all().await;

    let longest = seen.iter().map(|seen| seen.longest).max().unwrap();
    assert!(longest < DEADLINE, "somebody waited for {longest:?}");
    let refused: Vec<_> =
        seen.iter().flat_map(|seen| &seen.answers).filter(|(status, _)| *status != 200).collect();
    let expected = (503, Some("model_unavailable".to_owned()));
    assert!(!refused.is_empty() && refused.iter().all(|answer| **answer == expected), "{refused:?}");
    let (_, metrics) = served.get("/metrics").await;
    for line in [
        "windvane_shadow_processes_lost_total{model=\"champion\",cause=\"crashed\"} 1",
        "windvane_shadow_processes_lost_total{model=\"candidate\",cause=\"crashed\"} 0",
        "windvane_shadow_requests_total{model=\"champion\",outcome=\"late\"} 0",
        "windvane_shadow_ready{model=\"champion\"} 1",
        "windvane_shadow_ready{model=\"absent\"} 0",
    ] {
        assert!(metrics.lines().any(|found| found == line), "no `{line}` in\n{metrics}");
    }
    assert!(!metrics.contains("windvane_shadow_records_dropped_total"), "nothing is recorded:\n{metrics}");
    assert_eq!(served.opened("candidate").len(), 1, "signals to all leave a model's process alone");

    // Killed, the process that listens cannot end its models any more; they end by themselves.
    served.process.kill();
    for pid in [again, candidate] {
        eventually(SOON, || match test_kill_process(pid) {
            Err(_) => Ok(()),
            Ok(()) => Err(format!("{pid:?} lives")),
        });
    }
}

/// Of the two models the collector has room for one.
#[tokio::test(flavor = "multi_thread")]
async fn predictions_that_the_collector_refuses_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::start(Path::new(BINARY), folder.path(), "[limits]\nmodels_max = 1");
    let models = [("champion", model("champion.onnx")), ("candidate", model("candidate.onnx"))];
    let served = Served::start_with(&models, &["--record", service.url()]);
    served.wait_until_ready("champion").await;
    served.wait_until_ready("candidate").await;
    let told = async |lines: &[&str]| {
        eventually_async(SOON, async || {
            let (_, metrics) = served.get("/metrics").await;
            let is_there = |line: &&str| metrics.lines().any(|found| found == *line);
            if lines.iter().all(is_there) { Ok(()) } else { Err(metrics) }
        })
        .await;
    };
    told(&["windvane_shadow_records_dropped_total 0"]).await;
    let (_, metrics) = served.get("/metrics").await;
    assert_eq!(crate::metrics::told(&metrics), crate::metrics::listed("windvane_shadow_"));
    let client = reqwest::Client::new();
    for _ in 0..5 {
        let url = format!("{}/v2/models/champion/infer", served.url);
        assert_eq!(client.post(url).json(&flight()).send().await.unwrap().status(), 200);
    }
    told(&[
        "windvane_shadow_requests_total{model=\"champion\",outcome=\"answered\"} 5",
        "windvane_shadow_requests_total{model=\"candidate\",outcome=\"answered\"} 5",
        "windvane_shadow_records_dropped_total 5",
    ])
    .await;
    eventually(SOON, || match query(&service, "SELECT count(), uniq(model) FROM predictions") {
        stored if stored == "5\t1" => Ok(()),
        stored => Err(stored),
    });
}

#[test]
fn a_champion_that_does_not_open_ends_the_command_with_the_reason() {
    let ran = crate::shadow::shadow(&[
        "serve",
        "--offline",
        "--listen",
        "127.0.0.1:0",
        "--model",
        "champion=/nonexistent/absent.onnx",
    ]);
    assert_eq!(ran.code, 65, "{}", ran.stderr);
    assert!(ran.stderr.contains("absent.onnx"), "{}", ran.stderr);
}
