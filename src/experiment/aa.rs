//! `windvane experiment aa`: how often the comparison finds what is not there, on your own data.

use std::path::PathBuf;

use clap::Args;
use windvane_analyzer::experiment::{AaRequest, Measured, Metric, run_aa};
use windvane_store::Reader;
use windvane_types::experiment_aa::Document;

use super::arguments::usage;
use super::source;
use crate::drift::words::{grouped, number};
use crate::exit::{CommandResult, Exit, Failure};
use crate::output::print;

/// Deal the units of a file out at random again and again, and count how often a difference is found that is none.
#[derive(Debug, Args)]
pub struct AaArguments {
    /// The file with one or more rows a unit: Parquet, Arrow, CSV or NDJSON.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The column that says who or what would be assigned.
    #[arg(long, value_name = "COLUMN")]
    unit: String,
    /// What is compared: NAME:mean, NAME:proportion or NAME:ratio(DENOMINATOR).
    #[arg(long, value_name = "NAME:KIND")]
    metric: String,
    /// The accepted chance of a false verdict, above 0 and below 1.
    #[arg(long, value_name = "P", default_value_t = 0.05)]
    alpha: f64,
    /// How many random splits, 64 to 100000.
    #[arg(long, value_name = "N", default_value_t = 1024)]
    splits: usize,
    /// Which ones.
    #[arg(long, value_name = "N", default_value_t = 20_130_101)]
    seed: u64,
    /// Print the document `windvane.experiment_aa/1`.
    #[arg(long)]
    json: bool,
    /// Never fetch the engine; say which command does instead.
    #[arg(long)]
    offline: bool,
}

/// Runs `windvane experiment aa`.
pub fn run(arguments: &AaArguments) -> CommandResult {
    let metric = Metric::parse(&arguments.metric).map_err(usage)?;
    if matches!(metric.measured, Measured::Quantile { .. }) {
        return Err(usage(
            "`quantile` cannot be dealt out by sums: give a mean, a proportion or a ratio".to_owned(),
        ));
    }
    if !(arguments.alpha > 0.0 && arguments.alpha < 1.0) {
        return Err(usage(format!("`--alpha {}` is out of range: above 0 and below 1", arguments.alpha)));
    }
    if !(64..=100_000).contains(&arguments.splits) {
        return Err(usage(format!("`--splits {}` is out of range: 64 to 100000", arguments.splits)));
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let result = runtime.block_on(simulate(arguments, metric));
    drop(runtime);
    let result = result.and_then(|document| match arguments.json {
        true => print(&format!("{}\n", serde_json::to_string_pretty(&document)?)),
        false => print(&text(&document)),
    });
    windvane_store::chdb::exit_now(crate::cli::conclude(&result.map(|_| Exit::Ok)))
}

async fn simulate(arguments: &AaArguments, metric: Metric) -> Result<Document, Failure> {
    let (engine, population) = source::open(&arguments.file, arguments.offline).await?;
    let request = AaRequest {
        population,
        unit: arguments.unit.clone(),
        metric,
        alpha: arguments.alpha,
        splits: arguments.splits,
        seed: arguments.seed,
    };
    let bar = indicatif::ProgressBar::new(arguments.splits as u64);
    let found = run_aa(&Reader::Local(engine), &request, |done| bar.set_position(done as u64)).await;
    bar.finish_and_clear();
    found.map_err(source::failure)
}

fn text(found: &Document) -> String {
    let percent = |share: f64| format!("{} %", number(share * 100.0));
    let ends = found
        .ci
        .map_or(String::new(), |[lo, hi]| format!(" (95 % interval {} to {})", percent(lo), percent(hi)));
    let rate = found.false_positive_rate.map_or("-".to_owned(), percent);
    let verdict = match found.alpha_within {
        Some(true) => "which agrees with",
        Some(false) if found.false_positive_rate.is_some_and(|rate| rate < found.alpha) => "which is below",
        Some(false) => "which is above",
        None => "which cannot be compared with",
    };
    format!(
        "{rate} of {} random splits of {} units differ{ends}, {verdict} the accepted {}\n",
        grouped(found.splits),
        number(found.units),
        percent(found.alpha)
    )
}
