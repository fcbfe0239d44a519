//! `windvane demo`: a real year through a real model into a real service, and what drifted, told to a person.

mod flights;
mod model;
mod months;
mod play;

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Args;
use indicatif::ProgressBar;
use serde::Deserialize;
use windvane_collector::{GateOptions, NameLimits, Prices, Proxies, Redaction};
use windvane_store::{Statement, Store};
use windvane_types::event::Limits;

use self::flights::Flights;
use self::model::Champion;
use self::play::Played;
use crate::config::{self, Config};
use crate::delivery::{Delivery, DeliveryError};
use crate::drift::words;
use crate::exit::{Because, CommandResult, Failure, Reason};
use crate::output::{self, print};
use crate::runtime::{self, Fetching, Library, Places};
use crate::service::{Role, Service};
use crate::shutdown::{self, Signals};
use crate::sockets;

/// The names under which the demo's predictions are kept.
const MODEL: &str = "delay";
const VERSION: &str = "1";
const ENVIRONMENT: &str = "demo";
/// The label that the score is the probability of.
const POSITIVE: &str = "late";

/// The usual port of the service, used unless it is taken.
const PORT: u16 = 8080;
/// How long the collector is tried for one batch.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long the store may lag behind what the collector has acknowledged.
const STORED_WITHIN: Duration = Duration::from_secs(120);
/// The pause between two looks at what is stored.
const LOOK_AGAIN: Duration = Duration::from_millis(200);
/// Memory of the engine: a small machine has it.
const ENGINE_MEMORY_BYTES_MAX: u64 = 1 << 30;

/// Play a year of real flights through a real model into a service of its own, and show what drifted.
///
/// 72,000 flights of 2013 out of New York go through an ONNX model trained on January to March; outcomes arrive late, as
/// aeroplanes do. Then each later month is compared with the first three. The service stays up until Ctrl-C.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Keep everything in this folder; without it, in a temporary one that is removed at the end.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Exit when the comparison is printed.
    #[arg(long)]
    exit: bool,
    /// Where the service listens; without it, on 127.0.0.1:8080 or any free port.
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// Listen on an address that other machines reach, without any authentication.
    #[arg(long)]
    allow_unauthenticated: bool,
    /// Do not fetch a native library that is missing.
    #[arg(long)]
    offline: bool,
}

/// Runs `windvane demo`.
pub fn run(arguments: Arguments) -> CommandResult {
    if let Some(listen) = arguments.listen {
        sockets::open_to_this_machine(listen, arguments.allow_unauthenticated)?;
    }
    let fetching = if arguments.offline { Fetching::Forbidden } else { Fetching::Allowed };
    let places = Places::from_environment().because(Reason::Config)?;
    let library = places.locate(Library::OnnxRuntime, fetching).map_err(runtime::failure)?;
    let (folder, _removed_at_the_end) = match &arguments.data {
        Some(folder) => (folder.clone(), None),
        None => {
            let temporary = tempfile::Builder::new().prefix("windvane-demo-").tempdir()?;
            (temporary.path().to_owned(), Some(temporary))
        }
    };
    let config = configuration(&folder, arguments.listen, places);
    let onnx = windvane_shadow::Runtime::load(&library).because(Reason::Unavailable)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let ended: CommandResult = runtime.block_on(async {
        let mut signals = Signals::listen()?;
        let service = Service::start(&config, &Role::ALL, fetching).await?;
        let told = tokio::select! {
            told = tell(&service, &onnx) => told,
            signal = signals.next() => Err(interrupted(signal)),
        };
        let told = told.and_then(|text| print(&text));
        if told.is_ok() && !arguments.exit {
            print(&what_next(&service, &config))?;
            signals.next().await;
            output::tell("finishing");
        }
        service.stop().await;
        told
    });
    shutdown::end(runtime);
    ended
}

fn interrupted(signal: &str) -> Failure {
    Failure {
        reason: Reason::Unavailable,
        error: anyhow::anyhow!("ended by {signal} before the year was over"),
    }
}

fn configuration(folder: &Path, listen: Option<SocketAddr>, places: Places) -> Config {
    let free = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let usual = TcpListener::bind(free(PORT)).map_or(free(0), |_| free(PORT));
    Config {
        server: config::Server {
            listen: listen.unwrap_or(usual),
            tokens_file: folder.join("tokens.json"),
            tls: None,
            gate: GateOptions::default(),
            connections_max: config::CONNECTIONS_MAX,
            proxies: Proxies::default(),
        },
        otlp: config::Otlp { grpc_listen: free(0), is_asked_for: false },
        store: config::Store::Embedded {
            data_dir: folder.join("engine"),
            engine_listen: free(0),
            memory_bytes_max: ENGINE_MEMORY_BYTES_MAX,
        },
        collector: config::Collector {
            spool_dir: folder.join("spool"),
            spool_bytes_max: 1 << 30,
            body_bytes_max: 32 << 20,
            body_timeout: Duration::from_secs(60),
            requests_max: 64,
            requests_share_percent: 80,
            inserts_in_flight: 1,
            limits: Limits::default(),
            names: NameLimits::default(),
            model_share_percent: 80,
            redaction: Redaction::default(),
        },
        prices: Prices::default(),
        telemetry: None,
        runtime: places,
        analyzer: config::Analyzer::default(),
        monitors: Vec::new(),
        experiments: Vec::new(),
        gates: Vec::new(),
        alerts: config::usual_alerts(folder),
        settings: Vec::new(),
    }
}

/// Plays the year and compares its months; the text to print.
async fn tell(service: &Service, onnx: &windvane_shadow::Runtime) -> Result<String, Failure> {
    let started = Instant::now();
    let flights = Flights::load()?;
    let before = count(service.store()).await?;
    if before.predictions > 0 {
        return tell_again(service.store(), &flights, &before).await;
    }
    let champion = Champion::open(onnx, &flights)?;
    let delivery = Delivery::new(&format!("http://{}", service.address()), PATIENCE)?;
    let played = play::play(flights, champion, &delivery).await.map_err(not_played)?;
    let latency = stored(service.store(), played).await?;
    let compared = months::compare(service.store()).await?;
    Ok(format!(
        "{} flights of 2013 went through an ONNX model one by one ({}) and into the collector over HTTP;\n\
         {} outcomes followed as the aeroplanes landed. That took {:.1} s; {:.1} s until all was stored and compared.\n\n\
         The model predicts \"arrives more than 15 minutes late\" and was trained on January to March.\n\
         What became of it afterwards:\n\n{compared}",
        words::grouped(played.predictions),
        latency,
        words::grouped(played.outcomes),
        played.seconds,
        started.elapsed().as_secs_f64(),
    ))
}

/// A collector that does not take the events, such as one whose disk is full, is no fault of ours.
fn not_played(error: anyhow::Error) -> Failure {
    let reason = if error.is::<DeliveryError>() { Reason::Unavailable } else { Reason::Software };
    Failure { reason, error }
}

/// A folder that holds the year already is compared and not played again: its predictions were made once.
async fn tell_again(store: &Store, flights: &Flights, before: &Stored) -> Result<String, Failure> {
    let outcomes = flights.outcome.iter().flatten().count() as u64;
    if before.predictions != flights.len() as u64 || before.outcomes != outcomes {
        return Err(anyhow::anyhow!(
            "the folder holds {} of {} predictions and {} of {outcomes} outcomes, of a demo that was interrupted; name an empty one",
            before.predictions,
            flights.len(),
            before.outcomes,
        ))
        .because(Reason::Data);
    }
    let compared = months::compare(store).await?;
    Ok(format!("The folder holds the year already; it is compared again.\n\n{compared}"))
}

#[derive(Debug, Deserialize)]
struct Stored {
    predictions: u64,
    outcomes: u64,
    p50_us: Option<f64>,
    p99_us: Option<f64>,
}

/// What the store holds of the demo.
async fn count(store: &Store) -> Result<Stored, Failure> {
    let statement = Statement::new(
        "SELECT uniqExact(event_id) AS predictions, \
                (SELECT uniqExact(event_id) FROM outcomes WHERE model = {model:String}) AS outcomes, \
                quantileExactOrNull(0.5)(latency_us) AS p50_us, quantileExactOrNull(0.99)(latency_us) AS p99_us \
         FROM predictions WHERE model = {model:String}",
    )
    .param("model", MODEL);
    let rows: Vec<Stored> = store.rows(&statement).await.because(Reason::Unavailable)?;
    Ok(rows.into_iter().next().context("the store counted nothing")?)
}

/// Waits until the store holds what the collector acknowledged; what the model's latency was, in words.
async fn stored(store: &Store, played: Played) -> Result<String, Failure> {
    let waiting = ProgressBar::new_spinner();
    waiting.set_message("waiting until everything is stored");
    waiting.enable_steady_tick(LOOK_AGAIN);
    let started = Instant::now();
    loop {
        let now = count(store).await?;
        if now.predictions >= played.predictions && now.outcomes >= played.outcomes {
            waiting.finish_and_clear();
            let words = |us: Option<f64>| us.map_or("-".to_owned(), |us| format!("{us:.0} µs"));
            return Ok(format!("p50 {}, p99 {}", words(now.p50_us), words(now.p99_us)));
        }
        if started.elapsed() > STORED_WITHIN {
            return Err(anyhow::anyhow!(
                "the store holds {} of {} predictions and {} of {} outcomes after {} s",
                now.predictions,
                played.predictions,
                now.outcomes,
                played.outcomes,
                STORED_WITHIN.as_secs()
            ))
            .because(Reason::Unavailable);
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

fn what_next(service: &Service, config: &Config) -> String {
    let folder = match &config.store {
        config::Store::Embedded { data_dir, .. } => data_dir.display().to_string(),
        config::Store::Server { url, .. } => url.clone(),
    };
    // As it was called, so that the lines can be copied.
    let program = std::env::args().next().unwrap_or_else(|| "windvane".to_owned());
    format!(
        "\nThe service is up: http://{address}\n\n\
         Try next, in another terminal:\n  \
         {program} query --data-dir {folder} \"SELECT toStartOfMonth(ts) AS month, count(), avg(score) FROM predictions GROUP BY month ORDER BY month\"\n  \
         {program} monitor backfill months-by-origin --from 2013-04-01 --to 2014-01-01 --config data/monitors.toml --data-dir {folder}\n  \
         curl http://{address}/metrics\n  \
         {program} ingest --dry-run data/flights.parquet --model {MODEL} --version {VERSION}\n\n\
         Ctrl-C ends it.\n",
        address = service.address(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_collector_that_takes_nothing_is_unavailable() {
        let full = DeliveryError::Unavailable { url: String::new(), tried_s: 55, last: "429".to_owned() };
        assert_eq!(not_played(full.into()).reason, Reason::Unavailable);
        assert_eq!(not_played(anyhow::anyhow!("another fault")).reason, Reason::Software);
    }
}
