//! Killing the service, its engine, or both, at random instants while clients send: every acknowledged event is stored
//! exactly once, and a batch that was given up is stored whole or not at all.

mod senders;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use windvane_kit::{Service, eventually_async, nothing_is_lost};

use self::senders::Senders;

/// Rounds in `make test`; `make soak` asks for more.
const ROUNDS: u32 = 20;
/// How long the service may take to be ready again, and to send what its spool holds.
const RECOVERY: Duration = Duration::from_secs(60);

/// What a round kills.
#[derive(Debug, Clone, Copy)]
enum Victim {
    Service,
    Engine,
    Both,
}

/// The binary of this build, or the one that `WINDVANE` names: `make soak` kills what is shipped.
fn binary() -> PathBuf {
    std::env::var_os("WINDVANE").unwrap_or_else(|| env!("CARGO_BIN_EXE_windvane").into()).into()
}

fn start(dir: &Path) -> Service {
    Service::start(&binary(), dir, "")
}

/// The contract's question, without FINAL: how often is each event stored?
async fn stored(service: &Service) -> HashMap<String, u64> {
    let (user, password) = service.engine_user();
    let sql = "SELECT event_id, count() FROM windvane.predictions GROUP BY event_id FORMAT TSV";
    let request =
        reqwest::Client::new().post(service.engine_url()).basic_auth(user, Some(password)).body(sql);
    let text = request.send().await.unwrap().error_for_status().unwrap().text().await.unwrap();
    let row = |line: &str| line.split_once('\t').map(|(id, n)| (id.to_owned(), n.parse().unwrap()));
    text.lines().map(|line| row(line).unwrap_or_else(|| panic!("two columns in `{line}`"))).collect()
}

/// The value of a metric, summed over its labels.
async fn metric(service: &Service, name: &str) -> Result<u64, String> {
    let url = format!("{}/metrics", service.url());
    let text = reqwest::get(url)
        .await
        .map_err(|error| error.to_string())?
        .text()
        .await
        .map_err(|e| e.to_string())?;
    let series = text.lines().filter(|line| line.starts_with(&format!("{name}{{")));
    Ok(series.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum())
}

async fn wait_until_ready(service: &Service) {
    let url = format!("{}/readyz", service.url());
    eventually_async(RECOVERY, async || match reqwest::get(&url).await {
        Ok(response) if response.status().is_success() => Ok(()),
        Ok(response) => Err(response.text().await.unwrap_or_default()),
        Err(error) => Err(error.to_string()),
    })
    .await;
}

async fn wait_until_sent(service: &Service) {
    eventually_async(RECOVERY, async || match metric(service, "windvane_collector_pending_rows").await {
        Ok(0) => Ok(()),
        other => Err(other),
    })
    .await;
}

fn kill_engine(service: &Service) {
    let pid = i32::try_from(service.engine_pid()).ok().and_then(Pid::from_raw).unwrap();
    // It may just be restarting; then there is nothing to kill, and the round goes on.
    let _ = kill_process(pid, Signal::KILL);
}

/// A generator good enough to choose instants, from a seed that the failure shows.
struct Instants(u64);

impl Instants {
    fn next(&mut self, below_ms: u64) -> Duration {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        Duration::from_millis((self.0 >> 33) % below_ms)
    }
}

/// After the storm: all that was acknowledged is there once, and what was given up is there whole or not at all.
async fn check(service: &Service, senders: Senders) {
    let sent = senders.finish().await;
    wait_until_sent(service).await;
    nothing_is_lost(service.url());
    let stored = stored(service).await;
    let wrong: Vec<String> = sent
        .acknowledged
        .iter()
        .flat_map(|batch| batch.ids())
        .filter_map(|id| match stored.get(&id).copied().unwrap_or(0) {
            1 => None,
            n => Some(format!("{id} is stored {n} times")),
        })
        .collect();
    let torn: Vec<String> = sent
        .given_up
        .iter()
        .filter_map(|batch| {
            let counts: Vec<u64> = batch.ids().map(|id| stored.get(&id).copied().unwrap_or(0)).collect();
            let whole = counts.iter().all(|n| *n == 0) || counts.iter().all(|n| *n == 1);
            (!whole).then(|| format!("{batch:?} is stored in part: {counts:?}"))
        })
        .collect();
    let events: usize = sent.acknowledged.iter().map(|batch| batch.ids().count()).sum();
    let (batches, given_up) = (sent.acknowledged.len(), sent.given_up.len());
    eprintln!(
        "{batches} batches of {events} events acknowledged, {given_up} batches given up, {} retries",
        sent.retries
    );
    assert!(
        wrong.is_empty(),
        "{} of {events} acknowledged events: {:?}",
        wrong.len(),
        &wrong[..wrong.len().min(10)]
    );
    assert!(torn.is_empty(), "{torn:?}");
    let known =
        sent.acknowledged.iter().chain(&sent.given_up).map(|batch| batch.ids().count()).sum::<usize>();
    assert!(stored.len() <= known, "{} events are stored and {known} were sent", stored.len());
    assert!(batches > 0 && sent.retries > 0, "the storm hit nobody");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_acknowledged_event_is_stored_exactly_once_whatever_is_killed() {
    let rounds = std::env::var("WINDVANE_SOAK_ROUNDS").ok().and_then(|n| n.parse().ok()).unwrap_or(ROUNDS);
    let folder = tempfile::tempdir().unwrap();
    let mut service = start(folder.path());
    let senders = Senders::start(3, service.url());
    let mut instants = Instants(0x005e_ed00);
    for round in 0..rounds {
        tokio::time::sleep(instants.next(700)).await;
        let victim = [Victim::Service, Victim::Engine, Victim::Both][(round % 3) as usize];
        println!("round {round}: killing {victim:?} after {} acknowledged batches", senders.acknowledged());
        match victim {
            Victim::Engine => kill_engine(&service),
            Victim::Service | Victim::Both => {
                if matches!(victim, Victim::Both) {
                    kill_engine(&service);
                }
                service.kill();
                service = start(folder.path());
                senders.turn_to(service.url());
            }
        }
        if round % 2 == 0 {
            wait_until_ready(&service).await;
        }
    }
    wait_until_ready(&service).await;
    check(&service, senders).await;
    assert_eq!(service.terminate(), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_in_the_middle_of_a_crash_free_load_drains_and_exits_0() {
    let folder = tempfile::tempdir().unwrap();
    let service = start(folder.path());
    let engine = i32::try_from(service.engine_pid()).ok().and_then(Pid::from_raw).unwrap();
    let senders = Senders::start(2, service.url());
    eventually_async(RECOVERY, async || match senders.acknowledged() {
        n if n >= 20 => Ok(()),
        n => Err(n),
    })
    .await;
    assert_eq!(service.terminate(), Some(0));
    assert!(rustix::process::test_kill_process(engine).is_err(), "the engine ends with the service");
    let service = start(folder.path());
    senders.turn_to(service.url());
    wait_until_ready(&service).await;
    check(&service, senders).await;
}
