//! `windvane engine`: the embedded ClickHouse as an endpoint that clients take for a server.

use std::io::Read;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use tokio_util::sync::CancellationToken;
use windvane_store::chdb::{self, Engine, EngineError, EngineOptions};
use windvane_store::endpoint::{Endpoint, EndpointError, Options};

use crate::exit::{Because, CommandResult, Exit, Failure, Reason};
use crate::runtime::{self, Fetching, Places};
use crate::shutdown::Signals;

/// Serve the embedded ClickHouse over its HTTP interface.
///
/// The users are in `DIR/access.json`, made at the first start with random passwords and readable by you alone. The
/// engine listens on loopback only; `windvane serve` starts it by itself.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The folder of the tables; made when missing. One process at a time has it open.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Where to listen: a loopback address; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8123")]
    listen: SocketAddr,
    /// The engine library in place of the installed one.
    #[arg(long, value_name = "FILE")]
    libchdb: Option<PathBuf>,
    /// Do not fetch the engine library when it is missing.
    #[arg(long)]
    offline: bool,
    /// Bytes that the engine may hold; a statement that needs more fails with code 241 and the engine stays up.
    #[arg(long, value_name = "BYTES", default_value_t = 2 << 30, value_parser = clap::value_parser!(u64).range(256 << 20..))]
    memory_bytes_max: u64,
    /// A database that the reader may name beside windvane, system and information_schema; repeatable.
    #[arg(long = "reader-database", value_name = "NAME")]
    reader_databases: Vec<String>,
    /// Read-only statements at once.
    #[arg(long, value_name = "COUNT", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=256))]
    reads_max: u16,
    /// Other statements at once.
    #[arg(long, value_name = "COUNT", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=256))]
    writes_max: u16,
    /// End when standard input reaches its end: a parent that holds the other end of the pipe takes the engine with
    /// it, however it dies. The process gets its own session.
    #[arg(long)]
    exit_with_stdin: bool,
}

/// How long running statements get after SIGTERM, and after the parent has died (its clients died with it).
const DRAIN: Duration = Duration::from_secs(8);
const DRAIN_ORPHANED: Duration = Duration::from_secs(1);

/// How long a supervised engine waits for its predecessor to leave the folder: that of a service that was killed drains first.
const PREDECESSOR: Duration = Duration::from_secs(10);
/// How often it looks.
const LOOK: Duration = Duration::from_millis(100);

/// How far a supervised engine stands back: a third of the processor time of its service where both want all of it.
const NICENESS: i32 = 5;

/// Runs `windvane engine` until a signal, or until the parent dies.
pub fn run(arguments: Arguments) -> CommandResult {
    if !arguments.listen.ip().is_loopback() {
        return Err(endpoint_failure(EndpointError::NotLoopback { address: arguments.listen }));
    }
    if arguments.exit_with_stdin {
        give_way();
    }
    let library = library(&arguments)?;
    let options =
        EngineOptions { memory_bytes_max: arguments.memory_bytes_max, ..EngineOptions::new(&arguments.data) };
    let patience = if arguments.exit_with_stdin { PREDECESSOR } else { Duration::ZERO };
    let engine = open(library, &options, patience).map_err(engine_failure)?;
    // Signals are taken over after the engine has started: it resets some handlers.
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let served = runtime.block_on(serve(engine.clone(), arguments));
    engine.close();
    served
}

/// Begins a session, and lets the service go first where both want a core: it needs little, and somebody waits for each of its answers,
/// while merges can wait. A system that refuses is no reason not to start.
fn give_way() {
    let _ = rustix::process::nice(NICENESS);
    // Fails only where the process leads a group already, which is what a session is begun for; others are in that one, too.
    if rustix::process::setsid().is_ok() {
        // Where the system schedules each session as one, what counts between sessions is the niceness of the whole.
        let _ = std::fs::write("/proc/self/autogroup", NICENESS.to_string());
    }
}

/// Opens the engine; while another one has the folder, tries again for a while.
fn open(
    library: chdb::Library,
    options: &EngineOptions,
    patience: Duration,
) -> Result<Arc<Engine>, EngineError> {
    let deadline = Instant::now() + patience;
    loop {
        match Engine::open(library, options) {
            Err(EngineError::InUse { .. }) if Instant::now() < deadline => std::thread::sleep(LOOK),
            opened => return opened,
        }
    }
}

fn library(arguments: &Arguments) -> Result<chdb::Library, Failure> {
    let path = match &arguments.libchdb {
        Some(path) => path.clone(),
        None => {
            let fetching = if arguments.offline { Fetching::Forbidden } else { Fetching::Allowed };
            let places = Places::from_environment().because(Reason::Config)?;
            places.locate(runtime::Library::Chdb, fetching).map_err(runtime::failure)?
        }
    };
    chdb::Library::open(&path).because(Reason::Unavailable)
}

async fn serve(engine: std::sync::Arc<Engine>, arguments: Arguments) -> CommandResult {
    let stop = CancellationToken::new();
    let orphaned = CancellationToken::new();
    let mut signals = Signals::listen()?;
    let options = Options {
        reader_databases: arguments.reader_databases,
        reads_max: arguments.reads_max.into(),
        writes_max: arguments.writes_max.into(),
        drain: DRAIN,
        drain_orphaned: DRAIN_ORPHANED,
        ..Options::default()
    };
    let endpoint = Endpoint::bind(engine, arguments.listen, options).await.map_err(endpoint_failure)?;
    if arguments.exit_with_stdin {
        end_with_stdin(orphaned.clone());
    }
    tracing::info!(address = %endpoint.address(), data = %arguments.data.display(), "the engine is ready");
    let serving = endpoint.serve(stop.clone(), orphaned.clone());
    tokio::pin!(serving);
    let clean = tokio::select! {
        clean = &mut serving => clean,
        signal = signals.next() => {
            tracing::info!(signal, "finishing the running statements");
            stop.cancel();
            tokio::select! {
                clean = &mut serving => clean,
                signal = signals.next() => {
                    tracing::warn!(signal, "leaving at once");
                    false
                }
            }
        }
    };
    tracing::info!(clean, "the engine ends");
    match clean {
        true => Ok(Exit::Ok),
        false => Err(Failure {
            reason: Reason::Software,
            error: anyhow::anyhow!("statements were still running when the engine ended"),
        }),
    }
}

/// Cancels the token when standard input is at its end. The thread ends with the process.
fn end_with_stdin(orphaned: CancellationToken) {
    std::thread::spawn(move || {
        let mut bytes = [0; 64];
        loop {
            match std::io::stdin().lock().read(&mut bytes) {
                Ok(0) => break,
                Err(error) if error.kind() != std::io::ErrorKind::Interrupted => break,
                _ => {}
            }
        }
        orphaned.cancel();
    });
}

fn engine_failure(error: EngineError) -> Failure {
    let reason = match error {
        EngineError::InUse { .. }
        | EngineError::Connect { .. }
        | EngineError::TimeZone { .. }
        | EngineError::Folder { .. } => Reason::Unavailable,
        EngineError::Path { .. } => Reason::Usage,
        _ => Reason::Software,
    };
    Failure { reason, error: error.into() }
}

fn endpoint_failure(error: EndpointError) -> Failure {
    let reason = match error {
        EndpointError::NotLoopback { .. } | EndpointError::Access(_) => Reason::Config,
        EndpointError::Listen { .. } | EndpointError::Spill { .. } => Reason::Unavailable,
        EndpointError::Engine(error) => return engine_failure(error),
    };
    Failure { reason, error: error.into() }
}
