//! `windvane experiment aa`: how often the comparison finds what is not there, on your own data.

use std::path::PathBuf;

use clap::Args;
use windvane_analyzer::experiment::{
    self, AaRequest, Limits, Measured, Metric, SEED, SPLITS_DEFAULT, run_aa,
};
use windvane_store::Reader;
use windvane_types::experiment_aa::Document;

use super::arguments::usage;
use super::past::{self, PastFlags};
use super::source;
use crate::by_hand::{self, Engine};
use crate::connection;
use crate::drift::words::{counted, number};
use crate::exit::{CommandResult, Failure};
use crate::output::{pretty, print};

/// Deal the units of a file out at random again and again, and count how often a difference is found that is none.
#[derive(Debug, Args)]
pub struct AaArguments {
    /// The file with one or more rows a unit (Parquet, Arrow, CSV or NDJSON), which takes --unit and --metric; or the name of an
    /// experiment of the configuration, whose units of the past in the store are dealt out.
    #[arg(value_name = "FILE|NAME")]
    file: PathBuf,
    /// The column that says who or what would be assigned.
    #[arg(long, value_name = "COLUMN")]
    unit: Option<String>,
    /// What is compared: NAME:mean, NAME:proportion, NAME:ratio(DENOMINATOR) or NAME:quantile(0.99). Of an experiment: the name of
    /// its metric, the first that decides unless given.
    #[arg(long, value_name = "NAME:KIND")]
    metric: Option<String>,
    /// With a file: values of units above this count as this, a value or a percentile such as p99.9; for a mean.
    #[arg(long, value_name = "VALUE|pQ", requires = "unit", allow_hyphen_values = true)]
    cap: Option<String>,
    /// With a file: values of units below this count as this, a value or a percentile such as p0.1; for a mean.
    #[arg(long, value_name = "VALUE|pQ", requires = "unit", allow_hyphen_values = true)]
    floor: Option<String>,
    /// The accepted chance of a false verdict, above 0 and below 1; 0.05, or the experiment's own, unless given.
    #[arg(long, value_name = "P")]
    alpha: Option<f64>,
    /// How many random splits, 64 to 100000.
    #[arg(long, value_name = "N", default_value_t = SPLITS_DEFAULT)]
    splits: usize,
    /// Which ones.
    #[arg(long, value_name = "N", default_value_t = SEED)]
    seed: u64,
    /// Print the document `windvane.experiment_aa/1`.
    #[arg(long)]
    json: bool,
    /// Never fetch the engine; say which command does instead.
    #[arg(long)]
    offline: bool,
    #[command(flatten)]
    past: PastFlags,
}

/// Runs `windvane experiment aa`.
pub fn run(arguments: &AaArguments) -> CommandResult {
    if let Some(alpha) = arguments.alpha.filter(|alpha| !(*alpha > 0.0 && *alpha < 1.0)) {
        return Err(usage(format!("`--alpha {alpha}` is out of range: above 0 and below 1")));
    }
    if !(64..=100_000).contains(&arguments.splits) {
        return Err(usage(format!("`--splits {}` is out of range: 64 to 100000", arguments.splits)));
    }
    let told = |document: Document| match arguments.json {
        true => print(&pretty(&document)?),
        false => print(&text(&document)),
    };
    let Some(unit) = &arguments.unit else {
        return connection::wait_for(of_store(arguments)).and_then(told);
    };
    let Some(metric) = &arguments.metric else {
        return Err(usage("a file takes --unit and --metric".to_owned()));
    };
    let limits = Limits::parse(arguments.cap.as_deref(), arguments.floor.as_deref()).map_err(usage)?;
    let metric = limited(Metric::parse(metric).map_err(usage)?, limits)?;
    by_hand::run(Engine::Embedded, of_file(arguments, unit, metric), told)
}

/// The metric with its limits, which only a mean has.
fn limited(metric: Metric, limits: Limits) -> Result<Metric, Failure> {
    if limits != Limits::default() && metric.measured != Measured::Mean {
        return Err(usage(format!("`--cap` and `--floor` are for means, and `{}` is none", metric.name)));
    }
    Ok(Metric { cap: limits.cap, floor: limits.floor, ..metric })
}

async fn of_file(arguments: &AaArguments, unit: &str, metric: Metric) -> Result<Document, Failure> {
    let (engine, population) = source::open(&arguments.file, arguments.offline).await?;
    let request = AaRequest {
        population,
        unit: unit.to_owned(),
        told: metric.name.clone(),
        metric,
        alpha: arguments.alpha.unwrap_or(0.05),
        splits: arguments.splits,
        seed: arguments.seed,
    };
    simulate(&Reader::Local(engine), &request).await
}

async fn of_store(arguments: &AaArguments) -> Result<Document, Failure> {
    let name = arguments.file.to_string_lossy();
    let past = past::past(&name, arguments.metric.as_deref(), &arguments.past)?;
    let asked = experiment::as_if(&past.experiment, past.place).map_err(source::failure)?;
    let request = AaRequest {
        alpha: arguments.alpha.unwrap_or(asked.alpha),
        splits: arguments.splits,
        seed: arguments.seed,
        ..asked
    };
    simulate(&past.reader, &request).await
}

async fn simulate(reader: &Reader, request: &AaRequest) -> Result<Document, Failure> {
    let bar = indicatif::ProgressBar::new(request.splits as u64);
    let found = run_aa(reader, request, |done| bar.set_position(done as u64)).await;
    bar.finish_and_clear();
    found.map_err(source::failure)
}

#[expect(clippy::cast_sign_loss, reason = "units are counted")]
fn text(found: &Document) -> String {
    let units = counted(found.units as u64, "unit", "units");
    if found.false_positive_rate.is_none() {
        return format!(
            "no random split of {units} has a p-value: they are too few, all have one same value, or one is infinite\n"
        );
    }
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
        "{rate} of {} of {units} differ{ends}, {verdict} the accepted {}\n",
        counted(found.splits, "random split", "random splits"),
        percent(found.alpha)
    )
}

#[cfg(test)]
mod tests {
    use windvane_types::{experiment::Kind, experiment_aa::SCHEMA};

    use super::{Document, text};

    #[test]
    fn splits_that_cannot_be_judged_say_why() {
        let none = Document {
            schema: SCHEMA.to_owned(),
            source: "a.csv".to_owned(),
            metric: "bought".to_owned(),
            kind: Kind::Mean,
            units: 190.0,
            splits: 0,
            alpha: 0.05,
            false_positives: 0,
            false_positive_rate: None,
            ci: None,
            alpha_within: None,
            seed: 1,
        };
        assert!(text(&none).starts_with("no random split of 190 units has a p-value: they are too few"));
        let found = Document {
            splits: 64,
            false_positives: 4,
            false_positive_rate: Some(0.0625),
            ci: Some([0.0173, 0.1524]),
            alpha_within: Some(true),
            ..none
        };
        assert!(text(&found).starts_with("6.25 % of 64 random splits of 190 units differ"));
        // Was `1.23e7 units`.
        let many = Document { units: 12_345_678.0, ..found };
        assert!(text(&many).contains(" of 12,345,678 units differ"), "{}", text(&many));
    }
}
