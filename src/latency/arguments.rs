//! The command line of `windvane latency`: raw arguments, and what they mean once checked.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use windvane_analyzer::drift::Deployment;
use windvane_analyzer::latency::{LatencyRequest, Objective, level_of};
use windvane_store::populations::Population;
use windvane_types::distinct::distinct;

use crate::by_hand::{Narrowed, Stored};
use crate::connection;
use crate::drift::arguments::usage;
use crate::exit::Failure;

/// Say how fast a model is, whether that changed, and whether a service level objective burns too fast.
#[derive(Debug, Args)]
pub struct Arguments {
    /// One file, or the reference and the file in question: Parquet, Arrow, CSV or NDJSON.
    #[arg(value_name = "FILE", num_args = 1..=2, required_unless_present = "model")]
    files: Vec<PathBuf>,
    /// Look at the stored predictions of this model instead of files.
    #[arg(long, value_name = "MODEL", conflicts_with = "files", requires = "window")]
    model: Option<String>,
    #[command(flatten)]
    narrowed: Narrowed,
    /// What the window is compared with: `previous`, `same_hour_last_week`, `window:START/END` or `baseline:NAME`.
    #[arg(long, value_name = "SPAN", requires = "model")]
    reference: Option<String>,
    #[command(flatten)]
    stored: Stored,
    /// The column of latencies.
    #[arg(long, value_name = "COLUMN", default_value = "latency_us")]
    column: String,
    /// The unit of that column.
    #[arg(long, value_enum, default_value = "us")]
    unit: Unit,
    /// Look at groups too: columns or tags, and of predictions `version`, `environment`, `arm:EXPERIMENT` and `stage` (by spans).
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    by: Vec<String>,
    /// The levels of the quantiles, above 0 and below 1, or their names, such as p99.9.
    #[arg(
        long,
        value_name = "Q,Q",
        value_delimiter = ',',
        value_parser = level,
        default_value = "0.5,0.9,0.95,0.99,0.999"
    )]
    quantiles: Vec<f64>,
    /// The confidence of intervals, above 0 and below 1.
    #[arg(long, value_name = "P", default_value_t = 0.95)]
    confidence: f64,
    /// The chance of a false alarm that is accepted over all groups, above 0 and below 1.
    #[arg(long, value_name = "P", default_value_t = 0.05)]
    alpha: f64,
    /// Rows that each side of a group needs before it is judged.
    #[arg(long, value_name = "N", default_value_t = 30)]
    min_rows: u64,
    /// An objective: the share of requests and the latency they keep to, such as 99.9%:250ms; may be given again.
    #[arg(long, value_name = "SHARE:LATENCY")]
    slo: Vec<String>,
    /// The column that says when a request was, for objectives.
    #[arg(long, value_name = "COLUMN", default_value = "ts")]
    timestamp: String,
    /// How to print.
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
    /// Exit with 1 where a group is slower, or where an objective burns too fast.
    #[arg(long, value_enum)]
    fail_on: Option<FailOn>,
    /// Never fetch the engine; say which command does instead.
    #[arg(long)]
    offline: bool,
}

/// A unit of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Unit {
    /// Nanoseconds.
    Ns,
    /// Microseconds.
    Us,
    /// Milliseconds.
    Ms,
    /// Seconds.
    S,
}

impl Unit {
    fn us(self) -> f64 {
        match self {
            Self::Ns => 1e-3,
            Self::Us => 1.0,
            Self::Ms => 1e3,
            Self::S => 1e6,
        }
    }
}

/// An output format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Table,
    /// The document `windvane.latency/1`.
    Json,
}

/// What makes the command fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FailOn {
    /// A group that is slower than its reference.
    Slower,
    /// An objective that burns too fast.
    Breached,
}

/// Which populations.
#[derive(Debug)]
pub enum Sides {
    /// One file or two.
    Files { reference: Option<PathBuf>, current: PathBuf, offline: bool },
    /// A span of the predictions of a model, and what it is compared with.
    Predictions {
        deployment: Deployment,
        reference: Option<String>,
        window: String,
        record: bool,
        connection: Box<connection::Flags>,
    },
}

/// Checked arguments.
#[derive(Debug)]
pub struct Options {
    pub sides: Sides,
    column: String,
    unit_us: f64,
    by: Vec<String>,
    levels: Vec<f64>,
    confidence: f64,
    alpha: f64,
    rows_min: u64,
    objectives: Vec<Objective>,
    timestamp: String,
    pub format: Format,
    pub fail_on: Option<FailOn>,
}

impl Options {
    /// The column of latencies.
    pub fn column(&self) -> &str {
        &self.column
    }

    /// Whether an objective is looked at.
    pub fn has_objectives(&self) -> bool {
        !self.objectives.is_empty()
    }

    /// The request over these populations: the two sides, and what objectives look at, up to when.
    pub fn request(
        &self,
        (reference, current): (Option<Population>, Population),
        (objectives_over, end_us): (Option<Population>, Option<i64>),
    ) -> LatencyRequest {
        LatencyRequest {
            reference,
            current,
            column: self.column.clone(),
            unit_us: self.unit_us,
            by: self.by.clone(),
            levels: self.levels.clone(),
            confidence: self.confidence,
            alpha: self.alpha,
            rows_min: self.rows_min,
            objectives: self.objectives.clone(),
            objectives_over,
            timestamp: self.timestamp.clone(),
            end_us,
        }
    }
}

impl Arguments {
    /// Says what the arguments mean.
    ///
    /// # Errors
    /// A usage error that says what would have been accepted.
    pub fn check(self) -> Result<Options, Failure> {
        let inside = |x: f64| x > 0.0 && x < 1.0;
        for (flag, value) in [("--confidence", self.confidence), ("--alpha", self.alpha)] {
            if !inside(value) {
                return Err(usage(format!("`{flag} {value}` is out of range: above 0 and below 1")));
            }
        }
        if let Some(wrong) = self.quantiles.iter().find(|level| !inside(**level)) {
            return Err(usage(format!(
                "`--quantiles {wrong}` is out of range: above 0 and below 1, such as 0.99"
            )));
        }
        let mut levels = self.quantiles;
        levels.sort_by(f64::total_cmp);
        levels.dedup();
        let objectives: Vec<Objective> = self
            .slo
            .iter()
            .map(|text| text.parse::<Objective>().map_err(|error| usage(error.to_string())))
            .collect::<Result<_, _>>()?;
        if self.fail_on == Some(FailOn::Breached) && objectives.is_empty() {
            return Err(usage(
                "`--fail-on breached` is of objectives, and there is none: give one, such as `--slo 99.9%:250ms`"
                    .to_owned(),
            ));
        }
        let mut files = self.files.into_iter();
        let sides = match (files.next(), files.next(), self.model, self.stored.window) {
            (Some(current), None, None, None) => {
                Sides::Files { reference: None, current, offline: self.offline }
            }
            (Some(reference), Some(current), None, None) => {
                Sides::Files { reference: Some(reference), current, offline: self.offline }
            }
            (None, None, Some(model), Some(window)) => Sides::Predictions {
                deployment: self.narrowed.of(&model),
                reference: self.reference,
                window,
                record: !self.stored.no_record,
                connection: Box::new(self.stored.connection),
            },
            _ => return Err(usage("give one file or two, or --model with --window".to_owned())),
        };
        Ok(Options {
            sides,
            column: self.column,
            unit_us: self.unit.us(),
            by: distinct(self.by),
            levels,
            confidence: self.confidence,
            alpha: self.alpha,
            rows_min: self.min_rows.max(1),
            objectives: distinct(objectives),
            timestamp: self.timestamp,
            format: self.format,
            fail_on: self.fail_on,
        })
    }
}

/// A level, or the name that configuration and output have for it.
fn level(text: &str) -> Result<f64, String> {
    text.parse().ok().or_else(|| level_of(text)).ok_or_else(|| "give one such as 0.999 or p99.9".to_owned())
}
