//! `windvane shadow`: recorded traffic through a champion and a candidate, and a gate that says whether one may take the
//! other's place.

mod arguments;
mod bench;
mod files;
mod interrupt;
mod junit;
mod markdown;
mod payloads;
mod policy;
mod progress;
mod record;
pub mod scheduled;
mod serve;
mod source;
mod table;
mod words;
mod worker;

use clap::{Args, Subcommand};
use tokio_util::sync::CancellationToken;
use windvane_store::{Store, StoreOptions};
use windvane_types::gate::{Document, Verdict};

use crate::exit::{CommandResult, Exit, Failure};
use crate::output::{pretty, print};
use arguments::{Format, Options};
#[cfg(test)]
pub use serve::metrics::DEFINITIONS as SERVED_DEFINITIONS;

/// Ask a candidate model what the champion was asked, and gate the rollout.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run recorded traffic through both models and judge: exit code 0 pass, 1 fail, 2 inconclusive.
    Run(Box<arguments::Run>),
    /// Print the policy that is used where none is named, with every key explained.
    Policy,
    /// Find the batch size and the number of sessions that a model is fastest with.
    Bench(Box<bench::Arguments>),
    /// Serve models by the Open Inference Protocol; candidates are asked beside the first.
    Serve(Box<serve::Arguments>),
    /// Run a job, or the model of one, that is read from standard input; `windvane shadow run` and `serve` start this for themselves.
    #[command(hide = true)]
    Worker,
}

/// Runs `windvane shadow`.
pub fn run(arguments: Arguments) -> CommandResult {
    match arguments.command {
        Command::Run(arguments) => gate(arguments.check()?),
        Command::Policy => policy::print_default(),
        Command::Bench(arguments) => bench::run(&arguments),
        Command::Serve(arguments) => serve::run(&arguments),
        Command::Worker => worker::serve(),
    }
}

fn gate(mut options: Options) -> CommandResult {
    let is_stored = source::Stored::of(&options.job.traffic).is_some();
    let store =
        if is_stored || options.record.is_some() { Some(options.connection.options()?) } else { None };
    let stop = interrupt::listen()?;
    let document = judged(&mut options, store.as_ref(), (&progress::Bar::new(), &stop))?;
    // A pipe, a folder or a store that fails takes the verdict from none of the others.
    let told = answer(&document, options.format);
    let written = options.report.as_ref().map_or(Ok(()), |folder| files::write(folder, &document));
    keep(&options, store.as_ref(), &document).and(written).and(told)
}

/// Asks both models and judges. What they are asked may come from the store.
fn judged(
    options: &mut Options,
    store: Option<&StoreOptions>,
    (bar, stop): (&progress::Bar, &CancellationToken),
) -> Result<Document, Failure> {
    // The folder with what the store holds, and with what the models' process writes, is there as long as that runs.
    let folder = tempfile::tempdir()?;
    let [traffic, scratch] = ["traffic", "scratch"].map(|name| folder.path().join(name));
    std::fs::create_dir(&traffic)?;
    std::fs::create_dir(&scratch)?;
    let mut notes = Vec::new();
    if let Some(store) = store.filter(|_| source::Stored::of(&options.job.traffic).is_some()) {
        notes = options.source.fetch(&Store::connect(store), &traffic, &mut options.job)?;
    }
    let around = worker::Around { limits: options.limits, bar, stop, scratch: Some(&scratch) };
    let mut document = worker::gate(&options.job, around)?;
    bar.finish();
    document.notes.extend(notes);
    Ok(match &options.override_by {
        Some((who, why)) if document.verdict != Verdict::Pass => {
            document.overridden(who.clone(), why.clone())
        }
        _ => document,
    })
}

/// Keeps the verdict in the store, where it has a name there.
fn keep(options: &Options, store: Option<&StoreOptions>, document: &Document) -> Result<(), Failure> {
    match (&options.record, store) {
        (Some(name), Some(store)) => record::write(&Store::connect(store), (name, &options.source), document),
        _ => Ok(()),
    }
}

fn answer(document: &Document, format: Format) -> Result<Exit, Failure> {
    let text = match format {
        Format::Json => pretty(document)?,
        Format::Table => table::render(document),
        Format::Markdown => markdown::render(document),
        Format::Junit => junit::render(document),
        Format::Html => windvane_web::gate_report(document),
    };
    print(&text)?;
    Ok(match document.verdict {
        Verdict::Pass => Exit::Ok,
        Verdict::Fail => Exit::Found,
        Verdict::Inconclusive => Exit::Inconclusive,
    })
}
