//! Gates that follow stored traffic: the service runs each of its configuration again and again, and keeps the verdicts where roll-outs,
//! pages and alerts look for them.
//!
//! A run is that of `windvane shadow run --traffic store --record NAME`, models in a child process included. When the next is due is told by
//! the verdict that was kept last, so that a restart does not run one twice, and of several analyzers one has its lease. A run without a
//! verdict keeps none: what is too old does not go on.

use std::ffi::OsString;
use std::time::Duration;

use anyhow::Context;
use clap::Parser;
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;
use windvane_store::Store;
use windvane_store::findings::{self, gate::Asked};
use windvane_store::lease::{Lease, Worked};
use windvane_types::gate::Document;
use windvane_types::{Clock, SystemClock};

use super::arguments::{self, usage};
use super::progress::Bar;
use crate::cli;
use crate::config::{self, Config, Gate};
use crate::connection;
use crate::exit::Failure;
use crate::runtime::{Fetching, Places};

/// How long is waited where the store does not say when the last run was.
const AGAIN: Duration = Duration::from_secs(30);
/// How long a run that is told to stop may take to end its models' process and to remove what was written for it.
const ENDING: Duration = Duration::from_secs(2);

/// Starts a task for each gate. It ends when it is told to stop, and a run under way with it, without a verdict.
pub fn start(
    config: &Config,
    (store, fetching): (&Store, Fetching),
    (tasks, stop): (&TaskTracker, &CancellationToken),
) {
    let holder = format!("gates-{}-{}", std::process::id(), Uuid::new_v4().simple());
    for gate in &config.gates {
        let run = Run {
            gate: gate.clone(),
            store: config.store.clone(),
            places: config.runtime.clone(),
            fetching,
            holder: holder.clone(),
            lease: config.analyzer.lease,
        };
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
    /// Who this process is to others that would run the gate, and how long it has the gate without saying so again.
    holder: String,
    lease: Duration,
}

async fn follow(run: Run, store: Store, stop: CancellationToken) {
    let mut tried_us = None;
    loop {
        let mut pause = wait(&store, &run.gate, tried_us).await;
        if pause.is_zero() {
            pause = turn(&run, (&store, &stop), &mut tried_us).await;
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// Runs the gate under its lease, unless another analyzer does or has done so, and says how long until it is looked at again.
async fn turn(
    run: &Run,
    (store, stop): (&Store, &CancellationToken),
    tried_us: &mut Option<i64>,
) -> Duration {
    let gate = run.gate.name.as_str();
    let lease = match Lease::claim(store, &format!("gate/{gate}"), &run.holder, run.lease).await {
        Ok(Some(lease)) => lease,
        Ok(None) => return AGAIN,
        Err(error) => {
            tracing::debug!(gate, %error, "the lease of a gate cannot be claimed");
            return AGAIN;
        }
    };
    let work = async {
        // Whoever had the lease before may have kept a verdict since it was looked for.
        let left = wait(store, &run.gate, *tried_us).await;
        if left.is_zero() {
            *tried_us = Some(SystemClock.now().as_microsecond());
            let ended = once(run.clone(), stop.clone()).await;
            // That a run which was told to stop has no verdict is no news.
            if !stop.is_cancelled() {
                tell(gate, ended);
            }
        }
        left
    };
    // A run that is told to stop ends by itself; one that waits for a store which does not answer is not waited for.
    let cut = async {
        stop.cancelled().await;
        tokio::time::sleep(ENDING).await;
    };
    match lease.during(work, cut).await {
        Worked::Done(left) => left,
        Worked::LeaseLost => {
            tracing::warn!(gate, "the lease of a gate was lost; another analyzer may run it, too");
            Duration::ZERO
        }
        Worked::Cut => Duration::ZERO,
    }
}

fn tell(gate: &str, ended: Result<Document, Failure>) {
    match ended {
        Ok(document) => {
            let (verdict, requests) = (document.verdict.as_str(), document.requests);
            tracing::info!(gate, verdict, requests, "a gate has run");
        }
        Err(failure) => tracing::error!(gate, error = %failure, "a gate has no verdict"),
    }
}

/// How long until the next run is due; nothing where it is.
async fn wait(store: &Store, gate: &Gate, tried_us: Option<i64>) -> Duration {
    let asked = Asked { gate: &gate.name, limit: 1, ..Asked::default() };
    match findings::gate::latest(store, asked).await {
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

/// Runs a gate in a thread of its own, for which a service that ends waits no longer than it has to.
async fn once(run: Run, stop: CancellationToken) -> Result<Document, Failure> {
    let (send, receive) = oneshot::channel();
    std::thread::spawn(move || {
        // Nobody waits for the answer of a service that ends.
        let _ = send.send(run.judged(&stop));
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
    fn judged(&self, stop: &CancellationToken) -> Result<Document, Failure> {
        let line = cli::parse::<Line>(words(&self.gate, self.fetching))
            .map_err(|error| usage(&error.to_string()))?;
        let mut options = line.run.check_in(&self.places)?;
        let store = connection::options(&self.store)?;
        let document = super::judged(&mut options, Some(&store), (&Bar::none(), stop))?;
        super::keep(&options, Some(&store), &document)?;
        Ok(document)
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
    for segment in &gate.segment {
        flag("--segment", segment.into());
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
            segment: vec!["lane=slow=ly".to_owned()],
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
        let line = cli::parse::<Line>(words(&gate(), Fetching::Forbidden)).unwrap();
        let said = format!("{:?}", line.run);
        for part in [
            "\"store:payloads\"",
            "\"delay\"",
            "\"21600s\"",
            "\"prod\"",
            "[\"carrier\", \"origin\"]",
            "[(\"lane\", \"slow=ly\")]",
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
