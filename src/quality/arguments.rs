//! The command line of `windvane quality`: raw arguments, and what they mean once checked.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use windvane_analyzer::drift::Deployment;
use windvane_analyzer::quality::LearnOptions;
use windvane_store::populations::Population;
use windvane_types::distinct::distinct;
use windvane_types::quality::TimeExpectations;
use windvane_types::span;

use super::source::now_us;
use crate::by_hand::{self, Narrowed, TwoFiles};
use crate::connection;
use crate::drift::arguments::usage;
use crate::exit::Failure;

/// Check data against what a reference, or a file of expectations, says they should be.
///
/// `windvane quality REFERENCE CURRENT` learns from one file and checks another. `learn` writes what it learnt as TOML, to be edited and
/// kept in git; `check` reads that. With --model both work over the stored predictions.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Arguments {
    #[command(subcommand)]
    action: Option<Subcommands>,
    #[command(flatten)]
    compare: Compare,
}

#[derive(Debug, Subcommand)]
enum Subcommands {
    /// Learn what is to be expected from a reference, and print it as TOML.
    Learn(Learn),
    /// Check data against a file of expectations.
    Check(Check),
}

#[derive(Debug, Args)]
struct Compare {
    #[command(flatten)]
    files: TwoFiles,
    /// What the window is compared with: `previous`, `same_hour_last_week`, `window:START/END` or `baseline:NAME`.
    #[arg(long, value_name = "SPAN", requires = "model")]
    reference: Option<String>,
    #[command(flatten)]
    stored: Predicted,
    #[command(flatten)]
    learning: Learning,
    #[command(flatten)]
    answering: Answering,
    /// Never fetch the engine; say which command does instead.
    #[arg(long)]
    offline: bool,
}

#[derive(Debug, Args)]
struct Learn {
    /// The file to learn from: Parquet, Arrow, CSV or NDJSON.
    #[arg(value_name = "REFERENCE", required_unless_present = "model")]
    file: Option<PathBuf>,
    /// Renew this file of expectations in its place: comments, edited values and those that were left out stay.
    #[arg(long, value_name = "FILE")]
    update: Option<PathBuf>,
    #[command(flatten)]
    stored: Predicted,
    #[command(flatten)]
    learning: Learning,
    /// Never fetch the engine; say which command does instead.
    #[arg(long)]
    offline: bool,
}

#[derive(Debug, Args)]
struct Check {
    /// The file in question: Parquet, Arrow, CSV or NDJSON.
    #[arg(value_name = "FILE", required_unless_present = "model")]
    file: Option<PathBuf>,
    /// What is expected.
    #[arg(long, value_name = "TOML")]
    expectations: PathBuf,
    #[command(flatten)]
    stored: Predicted,
    #[command(flatten)]
    answering: Answering,
    /// Never fetch the engine; say which command does instead.
    #[arg(long)]
    offline: bool,
}

/// Which stored predictions.
#[derive(Debug, Args)]
struct Predicted {
    /// Look at the stored predictions of this model instead of files.
    #[arg(long, value_name = "MODEL", requires = "window")]
    model: Option<String>,
    #[command(flatten)]
    narrowed: Narrowed,
    #[command(flatten)]
    stored: by_hand::Stored,
}

/// What is learnt, and how far chance may reach.
#[derive(Debug, Args)]
pub struct Learning {
    /// Only these columns.
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    columns: Option<Vec<String>>,
    /// Columns that together tell one row from another; `event_id` where there is such a column.
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    key: Vec<String>,
    /// The column that says when an event was; `ts` where there is such a column.
    #[arg(long, value_name = "COLUMN")]
    timestamp: Option<String>,
    /// The column that says when it came in; `ingested_at` where there is such a column, else the order of the rows.
    #[arg(long, value_name = "COLUMN")]
    arrival: Option<String>,
    /// After how long an event is late, such as 10m.
    #[arg(long, value_name = "LENGTH", default_value = "10m")]
    late_after: String,
    /// By how much a clock may be ahead before a time lies in the future.
    #[arg(long, value_name = "LENGTH", default_value = "5m")]
    clock_ahead: String,
    /// The bound on the chance that unchanged data fail any check that chance can fail, above 0 and up to 0.5.
    #[arg(long, value_name = "P", default_value_t = 0.01)]
    alpha: f64,
    /// How far shares may move beyond chance, as a share of themselves.
    #[arg(long, value_name = "SHARE", default_value_t = 0.1)]
    tolerance: f64,
}

/// How the answer is given.
#[derive(Debug, Clone, Args)]
pub struct Answering {
    /// How to print.
    #[arg(long, value_enum, default_value = "table")]
    pub format: Format,
    /// Also write the report as one HTML file that needs nothing else.
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// Exit with 1 where a check fails.
    #[arg(long, value_enum)]
    pub fail_on: Option<FailOn>,
}

/// An output format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Table,
    /// The document `windvane.quality/1`.
    Json,
    /// For a pull request or a wiki.
    Markdown,
    /// For a build server: one test case a check.
    Junit,
    /// The report, one page that needs nothing else.
    Html,
}

/// What makes the command fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FailOn {
    /// Any check that fails.
    Fail,
}

/// What is to be done.
#[derive(Debug)]
pub enum Action {
    /// Learn from one side and check the other.
    Compare { sides: Sides, learning: Checked, answering: Answering },
    /// Check against a file of expectations.
    Check { side: Side, expectations: PathBuf, answering: Answering },
    /// Write or renew a file of expectations.
    Learn { side: Side, learning: Checked, update: Option<PathBuf> },
}

/// Two sides.
#[derive(Debug)]
pub enum Sides {
    /// Two files.
    Files { reference: PathBuf, current: PathBuf, offline: bool },
    /// Two spans of the predictions of a model.
    Predictions { reference: String, window: Box<Predictions> },
}

/// One side.
#[derive(Debug)]
pub enum Side {
    /// A file.
    File { path: PathBuf, offline: bool },
    /// A span of the predictions of a model.
    Predictions(Box<Predictions>),
}

/// Which predictions, as the command line says.
#[derive(Debug)]
pub struct Predictions {
    pub deployment: Deployment,
    pub window: String,
    /// Whether the findings are kept.
    pub record: bool,
    pub connection: connection::Flags,
}

/// What is learnt, checked.
#[derive(Debug)]
pub struct Checked {
    learning: Learning,
    late_us: i64,
    ahead_us: i64,
}

impl Action {
    /// Whether the engine runs in this process.
    pub fn is_embedded(&self) -> bool {
        match self {
            Self::Compare { sides, .. } => matches!(sides, Sides::Files { .. }),
            Self::Check { side, .. } | Self::Learn { side, .. } => matches!(side, Side::File { .. }),
        }
    }
}

impl Arguments {
    /// Says what the arguments mean.
    ///
    /// # Errors
    /// A usage error that says what would have been accepted.
    pub fn check(self) -> Result<Action, Failure> {
        match self.action {
            None => {
                let Compare { files, reference, stored, learning, answering, offline } = self.compare;
                let sides = match (files.reference_file, files.current, reference, stored.predictions()) {
                    (Some(reference), Some(current), None, None) => {
                        Sides::Files { reference, current, offline }
                    }
                    (None, None, Some(reference), Some(window)) => Sides::Predictions { reference, window },
                    _ => {
                        return Err(usage(
                            "give two files, or --model with --reference and --window".to_owned(),
                        ));
                    }
                };
                Ok(Action::Compare { sides, learning: learning.check()?, answering })
            }
            Some(Subcommands::Learn(Learn { file, update, stored, learning, offline })) => {
                Ok(Action::Learn { side: side(file, stored, offline)?, learning: learning.check()?, update })
            }
            Some(Subcommands::Check(Check { file, expectations, stored, answering, offline })) => {
                Ok(Action::Check { side: side(file, stored, offline)?, expectations, answering })
            }
        }
    }
}

fn side(file: Option<PathBuf>, stored: Predicted, offline: bool) -> Result<Side, Failure> {
    match (file, stored.predictions()) {
        (Some(path), None) => Ok(Side::File { path, offline }),
        (None, Some(predictions)) => Ok(Side::Predictions(predictions)),
        _ => Err(usage("give one file, or --model with --window".to_owned())),
    }
}

impl Predicted {
    fn predictions(self) -> Option<Box<Predictions>> {
        Some(Box::new(Predictions {
            deployment: self.narrowed.of(&self.model?),
            window: self.stored.window?,
            record: !self.stored.no_record,
            connection: self.stored.connection,
        }))
    }
}

impl Learning {
    fn check(self) -> Result<Checked, Failure> {
        if !(self.alpha > 0.0 && self.alpha <= 0.5) {
            return Err(usage(format!("`--alpha {}` is out of range: above 0 and up to 0.5", self.alpha)));
        }
        if !(0.0..=10.0).contains(&self.tolerance) {
            return Err(usage(format!("`--tolerance {}` is out of range: 0 to 10", self.tolerance)));
        }
        if self.arrival.is_some() && self.timestamp.is_none() {
            return Err(usage(
                "`--arrival` needs `--timestamp`, the column that says when an event was".to_owned(),
            ));
        }
        let length = |flag: &str, text: &str| {
            span::length_us(text).ok_or_else(|| {
                usage(format!("`{flag} {text}` is no length: give one such as 90s, 10m, 24h or 7d"))
            })
        };
        let late_us = length("--late-after", &self.late_after)?;
        let ahead_us = length("--clock-ahead", &self.clock_ahead)?;
        Ok(Checked { learning: self, late_us, ahead_us })
    }
}

impl Checked {
    /// What is learnt from this population: columns of well-known names serve unless others are named.
    pub fn options(&self, population: &Population) -> LearnOptions {
        let learning = &self.learning;
        let is_time = |name: &&str| population.micros(name).is_some();
        let timestamp = learning.timestamp.clone().or_else(|| Some("ts").filter(is_time).map(str::to_owned));
        let arrival =
            learning.arrival.clone().or_else(|| Some("ingested_at").filter(is_time).map(str::to_owned));
        let known = population.is_events() || population.column("event_id").is_some();
        let key = match learning.key.as_slice() {
            [] if known => vec!["event_id".to_owned()],
            key => distinct(key.to_vec()),
        };
        LearnOptions {
            columns: learning.columns.clone().map(distinct),
            key,
            times: timestamp.map(|timestamp| TimeExpectations {
                timestamp,
                arrival,
                ahead_us: self.ahead_us,
                late_us: self.late_us,
                late: None,
                out_of_order: None,
            }),
            times_named: learning.timestamp.iter().chain(&learning.arrival).cloned().collect(),
            now_us: now_us(),
            alpha: learning.alpha,
            tolerance: learning.tolerance,
        }
    }
}
