//! `windvane shadow bench`: how a model is best served.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use comfy_table::{Table, presets};
use windvane_shadow::bench::{BenchJob, Document, Point};

use super::arguments::{Models, TimeLimit, usage};
use super::progress::Bar;
use super::worker;
use crate::drift::words::{counted, number};
use crate::exit::{CommandResult, Exit};
use crate::output::{pretty, print};

/// Try sizes of calls and numbers of sessions, and recommend one.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The model: an ONNX file.
    #[arg(value_name = "MODEL")]
    model: PathBuf,
    /// Recorded requests to ask it; without them inputs are zeros and empty texts.
    #[arg(long, value_name = "FILE|DIR")]
    traffic: Option<PathBuf>,
    /// Requests in a call.
    #[arg(long, value_name = "A,B", value_delimiter = ',', default_value = "1,2,4,8,16,32,64")]
    batches: Vec<NonZeroUsize>,
    /// Sessions at work at once, each in a thread of its own.
    #[arg(long, value_name = "A,B", value_delimiter = ',', default_value = "1,2")]
    sessions: Vec<NonZeroUsize>,
    /// Seconds that each setting is tried.
    #[arg(long, value_name = "S", default_value_t = 2.0)]
    seconds: f64,
    /// What 99 % of requests must be answered within, in microseconds: the fastest setting that keeps it is recommended, and the
    /// rate that it sustains is searched.
    #[arg(long, value_name = "US")]
    p99_us_max: Option<f64>,
    /// The seed of random instants.
    #[arg(long, value_name = "N", default_value_t = 20_130_101)]
    seed: u64,
    #[command(flatten)]
    within: TimeLimit,
    #[command(flatten)]
    models: Models,
    /// How to print.
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

/// An output format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people.
    Table,
    /// The document `windvane.bench/1`.
    Json,
}

/// Settings beyond which a bench is a mistake: each opens sessions and holds a call's inputs.
const BATCH_MAX: usize = 65_536;
const SESSIONS_MAX: usize = 256;
const SECONDS_MAX: f64 = 3_600.0;

/// Runs `windvane shadow bench`.
pub fn run(arguments: &Arguments) -> CommandResult {
    let over = |values: &[NonZeroUsize], most: usize| values.iter().any(|value| value.get() > most);
    if over(&arguments.batches, BATCH_MAX) || over(&arguments.sessions, SESSIONS_MAX) {
        return Err(usage(&format!("--batches takes 1 to {BATCH_MAX}, --sessions 1 to {SESSIONS_MAX}")));
    }
    if !(arguments.seconds > 0.0 && arguments.seconds <= SECONDS_MAX) {
        return Err(usage(&format!(
            "`--seconds {}` is out of range: above 0, up to {SECONDS_MAX}",
            arguments.seconds
        )));
    }
    if arguments.p99_us_max.is_some_and(|bound| !(bound > 0.0 && bound.is_finite())) {
        return Err(usage("--p99-us-max takes a number above 0"));
    }
    let (library, session) = arguments.models.open()?;
    let job = BenchJob {
        library,
        model: arguments.model.clone(),
        traffic: arguments.traffic.clone(),
        session,
        batches: arguments.batches.clone(),
        sessions: arguments.sessions.clone(),
        duration: Duration::from_secs_f64(arguments.seconds),
        p99_us_max: arguments.p99_us_max,
        seed: arguments.seed,
    };
    let document = worker::bench(&job, arguments.within.limits(&arguments.models), &Bar::new())?;
    print(&match arguments.format {
        Format::Json => pretty(&document)?,
        Format::Table => table(&document),
    })?;
    Ok(Exit::Ok)
}

fn table(document: &Document) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["batch", "sessions", "p50 µs", "p99 µs", "requests/s", "memory MB", "GPU MB"]);
    let megabytes =
        |bytes: Option<u64>| bytes.map_or_else(|| "–".to_owned(), |bytes| (bytes >> 20).to_string());
    for point in &document.points {
        table.add_row([
            point.batch.to_string(),
            point.sessions.to_string(),
            number(point.p50_us),
            number(point.p99_us),
            number(point.requests_per_s),
            megabytes(point.memory_bytes),
            megabytes(point.gpu_memory_bytes),
        ]);
    }
    let setting = |point: &Point| {
        format!(
            "{} in a call, {}: {} requests/s",
            counted(point.batch, "request", "requests"),
            counted(point.sessions, "session", "sessions"),
            number(point.requests_per_s)
        )
    };
    let advice = match (&document.recommended, document.p99_us_max) {
        (Some(point), None) => format!("fastest: {}", setting(point)),
        (Some(point), Some(bound)) => {
            format!("fastest with p99 within {} µs: {}", number(bound), setting(point))
        }
        (None, _) => "no setting keeps the bound".to_owned(),
    };
    let sustained = document.sustained_per_s.map_or_else(String::new, |rate| {
        format!("\nat random instants one session sustains {} requests/s within the bound", number(rate))
    });
    let alone = if document.batchable { "" } else { "\nthe model takes one request at a time" };
    format!("{table}\n\n{advice}{sustained}{alone}\n")
}
