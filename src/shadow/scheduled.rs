//! Gates that follow stored traffic: the service runs each of its configuration again and again, and keeps the verdicts where roll-outs,
//! pages and alerts look for them.
//!
//! A run is that of `windvane shadow run --traffic store --record NAME`, models in a child process included. When the next is due is told by
//! the verdict that was kept last, so that neither a restart nor a second analyzer runs one twice. A run without a verdict keeps
//! none: what is too old does not go on.

use std::ffi::OsString;
use std::time::Duration;

use anyhow::Context;
use clap::Parser;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use windvane_store::Store;
use windvane_store::gate_findings::{self, Asked};
use windvane_types::gate::Document;
use windvane_types::{Clock, SystemClock};

use super::arguments::{self, usage};
use super::progress::Bar;
use crate::config::{self, Config, Gate};
use crate::connection;
use crate::exit::Failure;
use crate::runtime::{Fetching, Places};

/// How long is waited where the store does not say when the last run was.
const AGAIN: Duration = Duration::from_secs(30);

/// Starts a task for each gate. It ends when it is told to stop; a run under way ends with the process, and has no verdict.
pub fn start(
    config: &Config,
    (store, fetching): (&Store, Fetching),
    (tasks, stop): (&TaskTracker, &CancellationToken),
) {
    for gate in &config.gates {
        let run =
            Run { gate: gate.clone(), store: config.store.clone(), places: config.runtime.clone(), fetching };
        tasks.spawn(follow(run, store.clone(), stop.clone()));
    }
}

/// What a run needs.
#[derive(Debug, Clone)]
struct Run {
    gate: Gate,
    store: config::Store,
    places: Places,
    fetching: Fetching,
}

async fn follow(run: Run, store: Store, stop: CancellationToken) {
    let mut tried_us = None;
    loop {
        let wait = wait(&store, &run.gate, tried_us).await;
        if !wait.is_zero() {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(wait) => continue,
            }
        }
        tried_us = Some(SystemClock.now().as_microsecond());
        let ended = tokio::select! {
            () = stop.cancelled() => return,
            ended = once(run.clone()) => ended,
        };
        let gate = run.gate.name.as_str();
        match ended {
            Ok(document) => {
                tracing::info!(
                    gate,
                    verdict = document.verdict.as_str(),
                    requests = document.requests,
                    "a gate has run"
                );
            }
            Err(failure) => tracing::error!(gate, error = %failure, "a gate has no verdict"),
        }
    }
}

/// How long until the next run is due; nothing where it is.
async fn wait(store: &Store, gate: &Gate, tried_us: Option<i64>) -> Duration {
    let asked = Asked { gate: &gate.name, limit: 1, ..Asked::default() };
    match gate_findings::latest(store, asked).await {
        Ok(runs) => {
            let kept_us = runs.first().map(|run| run.computed_at_us);
            until_due(gate.every, kept_us.max(tried_us), SystemClock.now().as_microsecond())
        }
        Err(error) => {
            tracing::debug!(gate = gate.name, %error, "the last run of a gate is not known");
            AGAIN
        }
    }
}

/// How long from now until `every` after the last run; nothing where there was none.
fn until_due(every: Duration, last_us: Option<i64>, now_us: i64) -> Duration {
    let Some(last_us) = last_us else { return Duration::ZERO };
    let every_us = i64::try_from(every.as_micros()).unwrap_or(i64::MAX);
    let left_us = last_us.saturating_add(every_us).saturating_sub(now_us);
    // A clock that went back does not hold up a gate for longer than its interval.
    Duration::from_micros(u64::try_from(left_us.min(every_us)).unwrap_or(0))
}

/// Runs a gate in a thread of its own, which a service that ends does not wait for.
async fn once(run: Run) -> Result<Document, Failure> {
    let (send, receive) = oneshot::channel();
    std::thread::spawn(move || {
        // Nobody waits for the answer of a service that ends.
        let _ = send.send(run.judged());
    });
    receive.await.context("the thread of the gate ended without an answer")?
}

/// The words of a run, read as those of the command line are.
#[derive(Debug, Parser)]
#[command(no_binary_name = true)]
struct Line {
    #[command(flatten)]
    run: arguments::Run,
}

impl Run {
    fn judged(&self) -> Result<Document, Failure> {
        let line = Line::try_parse_from(words(&self.gate, self.fetching))
            .map_err(|error| usage(&error.to_string()))?;
        let mut options = line.run.check_in(&self.places)?;
        super::judged(&mut options, Some(&connection::options(&self.store)?), &Bar::none())
    }
}

/// A gate as the command line would have it.
fn words(gate: &Gate, fetching: Fetching) -> Vec<OsString> {
    let mut words: Vec<OsString> = Vec::new();
    let mut flag = |name: &str, value: OsString| words.extend([OsString::from(name), value]);
    flag("--champion", gate.champion.clone().into());
    flag("--candidate", gate.candidate.clone().into());
    flag("--traffic", gate.traffic.clone().into());
    flag("--model", gate.model.clone().into());
    flag("--window", format!("{}s", gate.window.as_secs()).into());
    flag("--sample", gate.sample.to_string().into());
    flag("--batch-max", gate.batch_max.to_string().into());
    flag("--device", gate.device.clone().into());
    flag("--threads", gate.threads.to_string().into());
    flag("--time-limit-s", gate.timeout.as_secs().to_string().into());
    flag("--memory-limit-bytes", gate.memory_bytes_max.to_string().into());
    flag("--record", gate.name.clone().into());
    for (name, value) in [("--model-version", &gate.version), ("--environment", &gate.environment)] {
        if let Some(value) = value {
            flag(name, value.into());
        }
    }
    if let Some(policy) = &gate.policy {
        flag("--policy", policy.into());
    }
    for column in &gate.segment_by {
        flag("--segment-by", column.into());
    }
    if fetching == Fetching::Forbidden {
        words.push("--offline".into());
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate() -> Gate {
        Gate {
            name: "delay-8".to_owned(),
            champion: "a.onnx".into(),
            candidate: "b.onnx".into(),
            policy: Some("gate.toml".into()),
            traffic: "store:payloads".to_owned(),
            model: "delay".to_owned(),
            version: Some("7".to_owned()),
            environment: Some("prod".to_owned()),
            window: Duration::from_secs(21_600),
            every: Duration::from_secs(3_600),
            sample: 5_000,
            segment_by: vec!["carrier".to_owned(), "origin".to_owned()],
            batch_max: 8,
            device: "cuda".to_owned(),
            threads: 2,
            timeout: Duration::from_secs(600),
            memory_bytes_max: 1 << 30,
        }
    }

    #[test]
    fn a_gate_of_the_configuration_is_a_line_of_the_command() {
        let line = Line::try_parse_from(words(&gate(), Fetching::Forbidden)).unwrap();
        let said = format!("{:?}", line.run);
        for part in [
            "\"store:payloads\"",
            "\"delay\"",
            "\"21600s\"",
            "\"prod\"",
            "[\"carrier\", \"origin\"]",
            "Cuda",
            "offline: true",
        ] {
            assert!(said.contains(part), "no {part} in {said}");
        }
    }

    #[test]
    fn the_next_run_is_due_after_the_interval_of_the_last() {
        let every = Duration::from_secs(60);
        let minute_us = 60_000_000;
        for (last_us, now_us, expected_s) in [
            (None, 5, 0),
            (Some(0), 0, 60),
            (Some(0), minute_us / 2, 30),
            (Some(0), minute_us, 0),
            (Some(0), 9 * minute_us, 0),
            (Some(9 * minute_us), 0, 60),
        ] {
            assert_eq!(
                until_due(every, last_us, now_us),
                Duration::from_secs(expected_s),
                "{last_us:?} at {now_us}"
            );
        }
    }
}
