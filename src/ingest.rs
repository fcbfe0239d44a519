//! `windvane ingest`: recorded predictions and outcomes out of files, through the collector's own front door.

mod batches;
mod cell;
mod dry_run;
mod mapping;
mod record;
mod report;
mod source;
#[cfg(test)]
mod tests;

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::{Args, ValueEnum};
use futures_util::{StreamExt, stream};
use tokio::sync::mpsc;
use windvane_store::Secret;

use self::batches::{Batch, Message};
use self::mapping::{Flags, Mapping};
use self::record::Deployment;
use self::report::{Format, Report};
use self::source::{Source, SourceError};
use crate::delivery::{Answer, Delivery, DeliveryError, Events};
use crate::exit::{Because, CommandResult, Failure, Reason};
use crate::{config, connection};

/// What the address of a collector looks like.
pub const COLLECTOR: &str = "http://127.0.0.1:8080";

/// Batches that are read ahead, and again as many on their way: 4 × 2,000 rows keep two cores busy and a few MB of memory.
const IN_FLIGHT: usize = 4;

/// Ingest predictions and outcomes from Parquet, Arrow, CSV and NDJSON files into a running service.
///
/// The files go through the same validation as HTTP. The same file ingested twice is stored once.
#[derive(Debug, Args)]
#[command(disable_version_flag = true)]
pub struct Arguments {
    /// The files, in this order.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The model that predicted.
    #[arg(long, value_name = "NAME")]
    model: String,
    /// Its version.
    #[arg(long, value_name = "VERSION")]
    version: String,
    /// Where it runs, unless a column `environment` says so.
    #[arg(long, value_name = "NAME")]
    environment: Option<String>,
    /// The service; without this, where `--config` says it listens.
    #[arg(long, value_name = "URL", conflicts_with = "config")]
    url: Option<String>,
    /// The service's configuration file.
    #[arg(long, value_name = "FILE", env = "WINDVANE_CONFIG")]
    config: Option<PathBuf>,
    /// A file with a token of the scope ingest, where the service needs one; or WINDVANE_TOKEN holds it.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    #[command(flatten)]
    columns: Flags,
    /// Print which column becomes what, and send nothing.
    #[arg(long)]
    dry_run: bool,
    /// What to do with a row that cannot be read or that the service rejects.
    #[arg(long, value_enum, default_value = "skip")]
    on_bad_row: OnBadRow,
    /// Rows of one request.
    #[arg(long, value_name = "ROWS", default_value = "2000")]
    batch_rows: NonZeroUsize,
    /// Seconds to keep trying while the service is away or asks to wait.
    #[arg(long, value_name = "SECONDS", default_value = "120")]
    patience_s: u64,
    /// How to print the result, or the mapping of a dry run.
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

/// What to do with a bad row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum OnBadRow {
    /// Report it and go on.
    Skip,
    /// Report it and stop with exit code 65; rows before it are stored.
    Fail,
}

/// Runs `windvane ingest`.
pub fn run(arguments: Arguments) -> CommandResult {
    let mut files = Vec::with_capacity(arguments.files.len());
    for path in &arguments.files {
        let source = Source::open(path).because(Reason::Data)?;
        let mapping = Mapping::new(arguments.columns.clone(), source.columns());
        let mapping = mapping
            .map_err(|problem| anyhow::anyhow!("cannot map `{}`: {problem}", path.display()))
            .because(Reason::Data)?;
        files.push((source, mapping));
    }
    if arguments.dry_run {
        return dry_run::print_mappings(&files, arguments.format);
    }
    let url = match &arguments.url {
        Some(url) => {
            connection::check_address("--url", url, COLLECTOR)?;
            url.clone()
        }
        None => {
            let config = config::load(arguments.config.as_deref()).because(Reason::Config)?;
            let scheme = if config.server.tls.is_some() { "https" } else { "http" };
            format!("{scheme}://{}", config.server.listen)
        }
    };
    let token = token(arguments.token_file.as_deref())?;
    let delivery = Delivery::new(&url, Duration::from_secs(arguments.patience_s))?.with_token(token);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(send_all(arguments, files, delivery))
}

/// The token that requests carry: of the file, else of the environment.
///
/// # Errors
/// The file cannot be read.
pub fn token(file: Option<&Path>) -> Result<Option<Secret>, Failure> {
    let text = match file {
        Some(path) => std::fs::read_to_string(path)
            .with_context(|| format!("cannot read the token in `{}`", path.display()))
            .because(Reason::Config)?,
        None => std::env::var("WINDVANE_TOKEN").unwrap_or_default(),
    };
    let text = text.trim();
    Ok((!text.is_empty()).then(|| Secret::new(text)))
}

async fn send_all(arguments: Arguments, files: Vec<(Source, Mapping)>, delivery: Delivery) -> CommandResult {
    let mut report = Report::new(&files);
    let plan = batches::Plan {
        deployment: Deployment {
            model: arguments.model,
            version: arguments.version,
            environment: arguments.environment,
        },
        rows_max: arguments.batch_rows.get(),
    };
    let (sender, receiver) = mpsc::channel(IN_FLIGHT);
    let started = Instant::now();
    // Parsing is blocking work; it ends when the channel closes, which is when this function returns.
    let reader = tokio::task::spawn_blocking(move || -> Result<(), SourceError> {
        files
            .into_iter()
            .enumerate()
            .try_for_each(|(file, (source, mapping))| batches::read(&plan, file, (source, mapping), &sender))
    });
    let messages = stream::unfold(receiver, |mut receiver| async {
        receiver.recv().await.map(|message| (message, receiver))
    });
    let answers = messages.map(|message| deliver(&delivery, message)).buffered(IN_FLIGHT);
    let mut answers = std::pin::pin!(answers);
    while let Some(answered) = answers.next().await {
        let bad_before = report.bad_rows();
        report.add(answered.map_err(unavailable)?);
        if arguments.on_bad_row == OnBadRow::Fail && report.bad_rows() > bad_before {
            return Err(report.stopped(started.elapsed(), "stopped at a bad row, as --on-bad-row asks"));
        }
    }
    reader.await.context("the reader of the files failed")?.because(Reason::Data)?;
    report.finish(started.elapsed(), arguments.format)
}

/// A message of the reader together with what the collector said to it.
enum Delivered {
    Batch { batch: Batch, predictions: Answer, outcomes: Answer },
    Bad { file: usize, number: u64, problem: String },
}

async fn deliver(delivery: &Delivery, message: Message) -> Result<Delivered, DeliveryError> {
    let batch = match message {
        Message::Bad { file, number, problem } => return Ok(Delivered::Bad { file, number, problem }),
        Message::Batch(batch) => batch,
    };
    let predictions = delivery.post(Events::Predictions, batch.predictions.clone(), &batch.key).await?;
    let outcomes = match batch.outcome_numbers.is_empty() {
        true => Answer::default(),
        false => {
            delivery
                .post(Events::Outcomes, batch.outcomes.clone(), &format!("{}-outcomes", batch.key))
                .await?
        }
    };
    Ok(Delivered::Batch { batch, predictions, outcomes })
}

fn unavailable(error: DeliveryError) -> Failure {
    Failure { reason: Reason::Unavailable, error: error.into() }
}

fn bad_data(error: anyhow::Error) -> Failure {
    Failure { reason: Reason::Data, error }
}
