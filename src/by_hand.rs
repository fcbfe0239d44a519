//! What runs by hand have in common: the arguments that say which rows they look at, what their findings are about, and how
//! they end.

mod known;

use std::path::PathBuf;
use std::sync::Mutex;

use anyhow::anyhow;
use clap::Args;
use jiff::Timestamp;
use uuid::Uuid;
use windvane_analyzer::drift::Deployment;
use windvane_store::findings::Run;
use windvane_store::{chdb, local};
use windvane_types::span::{ReferenceKind, Span};

pub use known::known;

use crate::drift::arguments::usage;
use crate::exit::{CommandResult, Failure, Reason};
use crate::{cli, connection, shutdown};

/// Two files, where no model is named.
#[derive(Debug, Args)]
pub struct TwoFiles {
    /// The file that serves as reference: Parquet, Arrow, CSV or NDJSON.
    #[arg(value_name = "REFERENCE", required_unless_present = "model", requires = "current")]
    pub reference_file: Option<PathBuf>,
    /// The file in question.
    #[arg(value_name = "CURRENT")]
    pub current: Option<PathBuf>,
}

/// Which of a model's predictions.
#[derive(Debug, Args)]
pub struct Narrowed {
    /// Only predictions of this version.
    #[arg(long, value_name = "VERSION", requires = "model")]
    model_version: Option<String>,
    /// Only predictions of this environment.
    #[arg(long, value_name = "ENVIRONMENT", requires = "model")]
    environment: Option<String>,
}

impl Narrowed {
    /// Those of this model.
    pub fn of(&self, model: &str) -> Deployment {
        Deployment {
            model: model.to_owned(),
            version: self.model_version.clone(),
            environment: self.environment.clone(),
        }
    }
}

/// When predictions were made, where they are, and whether what is found is kept there.
#[derive(Debug, Args)]
pub struct Stored {
    /// The span in question: a length back from now (`24h`, `7d`) or `START/END`.
    #[arg(long, value_name = "SPAN", requires = "model")]
    pub window: Option<String>,
    #[command(flatten)]
    pub connection: connection::Flags,
    /// Do not keep the findings in the store, where pages show them; print them only.
    #[arg(long, requires = "model")]
    pub no_record: bool,
}

/// What a window is compared with, as it was typed.
///
/// # Errors
/// It is none, or it shares rows with the window.
pub fn reference_of(text: &str, (window, now): (Span, Timestamp)) -> Result<ReferenceKind, Failure> {
    let kind = ReferenceKind::parse(text, now);
    kind.and_then(|kind| kind.of_windows(window.end_us - window.start_us)).map_err(usage)
}

/// What findings are about, with the kind and the name of the reference; empty without one. When it ended is not known yet.
pub fn findings(deployment: &Deployment, window: Span, (kind, name): (&str, &str)) -> Run {
    Run {
        run_id: Uuid::now_v7().to_string(),
        computed_at_us: 0,
        model: deployment.model.clone(),
        version: deployment.version.clone().unwrap_or_default(),
        environment: deployment.environment.clone().unwrap_or_default(),
        monitor: String::new(),
        reference_kind: kind.to_owned(),
        reference_name: name.to_owned(),
        window,
        granularity: String::new(),
    }
}

/// Where the engine of a command runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// In this process, which ends with the command: the engine's library must not be torn down.
    Embedded,
    /// In a service.
    Served,
}

impl Engine {
    /// Of a command over files the engine is its own.
    pub fn embedded(embedded: bool) -> Self {
        if embedded { Self::Embedded } else { Self::Served }
    }
}

/// Held by the thread that ends the process, so that only one does.
static ENDING: Mutex<()> = Mutex::new(());

/// Ends the process at a signal and removes the folder of its engine before: what was read out of files lies there, as large as they are,
/// and nobody would know of it. Statements that run in it fail then; what they say is not told.
fn end_at_signal() -> std::io::Result<()> {
    shutdown::watch(|runtime, mut signals| {
        let signal = runtime.block_on(signals.next());
        let _ending = ENDING.lock();
        local::remove_folders();
        let error = anyhow!("ended by {signal} before there was an answer");
        chdb::exit_now(cli::conclude(&Err(Failure { reason: Reason::Unavailable, error })));
    })
}

/// Works, answers with what came out, and ends as the engine needs it.
pub fn run<T>(
    engine: Engine,
    work: impl Future<Output = Result<T, Failure>>,
    answer: impl FnOnce(T) -> CommandResult,
) -> CommandResult {
    if engine == Engine::Embedded {
        end_at_signal()?;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let result = runtime.block_on(work);
    // Every connection of an engine in this process is closed here; what is left of it must not be torn down.
    drop(runtime);
    let result = result.and_then(answer);
    match engine {
        Engine::Embedded => {
            let _ending = ENDING.lock();
            chdb::exit_now(cli::conclude(&result))
        }
        Engine::Served => result,
    }
}
