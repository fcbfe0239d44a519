//! The command line of `windvane performance`, as it is typed.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use windvane_store::performance::{Incomplete, Period};
use windvane_types::performance::Task;

use crate::by_hand::{Narrowed, Stored};

/// Measure a model against its reference, chunk by chunk: where it is right, and where it may have stopped to be.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The file that serves as reference and has targets: Parquet, Arrow, CSV or NDJSON.
    #[arg(value_name = "REFERENCE", required_unless_present = "model", requires = "current")]
    pub reference_file: Option<PathBuf>,
    /// The file in question; some or all of its rows may have no target, and it may lack the column.
    #[arg(value_name = "CURRENT")]
    pub current: Option<PathBuf>,
    #[command(flatten)]
    pub stored: StoredArguments,
    /// What the model predicts.
    #[arg(long, value_enum)]
    pub task: TaskName,
    #[command(flatten)]
    pub columns: Columns,
    #[command(flatten)]
    pub cut: CutArguments,
    #[command(flatten)]
    pub rule: RuleArguments,
    /// Estimate what metrics are where there is no target.
    #[arg(long)]
    pub estimate: bool,
    /// Look whether the relation between features and target has changed, and what that does to the model.
    #[arg(long)]
    pub concept_drift: bool,
    /// The features that models of losses and of concept drift read; all columns without another role unless given.
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    pub features: Option<Vec<String>>,
    /// Measure within each combination of values of these columns too.
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    pub segment_by: Vec<String>,
    /// How many of the weakest segments are told, found among all columns; 0 to look for none.
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub weakest: usize,
    /// How to print.
    #[arg(long, value_enum, default_value = "table")]
    pub format: Format,
    /// Also write the report as one HTML file that needs nothing else.
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// Exit with 1 where a metric left its threshold, and with 2 where there are too few rows to tell.
    #[arg(long, value_enum)]
    pub fail_on: Option<FailOn>,
    /// Never fetch the engine; say which command does instead.
    #[arg(long)]
    pub offline: bool,
}

/// Predictions of the store in place of files.
#[derive(Debug, Args)]
pub struct StoredArguments {
    /// Measure the stored predictions of this model, joined with their outcomes, instead of files.
    #[arg(long, value_name = "MODEL", conflicts_with = "reference_file", requires_all = ["reference", "window"])]
    pub model: Option<String>,
    #[command(flatten)]
    pub narrowed: Narrowed,
    /// Where thresholds come from: `baseline:NAME`, `window:START/END`, `previous` or `same_hour_last_week`.
    #[arg(long, value_name = "SPAN", requires = "model")]
    pub reference: Option<String>,
    #[command(flatten)]
    pub stored: Stored,
}

/// Which columns say what.
#[derive(Debug, Args)]
pub struct Columns {
    /// The column of what was true: a class, a number, or the relevance of an item. Of stored predictions it is their outcome.
    #[arg(long, value_name = "COLUMN", required_unless_present = "model", conflicts_with = "model")]
    pub target: Option<String>,
    /// The column of the score: of the positive class, or of an item.
    #[arg(long, value_name = "COLUMN", conflicts_with = "model")]
    pub score: Option<String>,
    /// The column of the predicted class; without it the score decides.
    #[arg(long, value_name = "COLUMN", conflicts_with = "model")]
    pub label: Option<String>,
    /// Of several classes, the column with the probability of each.
    #[arg(long, value_name = "CLASS=COLUMN,…", conflicts_with = "model", value_delimiter = ',')]
    pub probabilities: Vec<String>,
    /// The column of the predicted number.
    #[arg(long, value_name = "COLUMN", conflicts_with = "model")]
    pub value: Option<String>,
    /// The column of what a row counts; without it each row counts 1.
    #[arg(long, value_name = "COLUMN", conflicts_with = "model")]
    pub weight: Option<String>,
    /// The column that says which items are ranked together: a query, a user, a session.
    #[arg(long, value_name = "COLUMN", visible_aliases = ["group-by", "query", "query-id"])]
    pub group: Option<String>,
    /// The column of when the model answered.
    #[arg(long, value_name = "COLUMN", conflicts_with = "model")]
    pub timestamp: Option<String>,
    /// The class that a high score means, where that is not plain.
    #[arg(long, value_name = "CLASS")]
    pub positive: Option<String>,
    /// The score from which on a row is predicted positive; 0.5 unless given.
    #[arg(long, value_name = "SCORE")]
    pub threshold: Option<f64>,
    /// How many items of a ranking are looked at; 10 unless given.
    #[arg(long, value_name = "K")]
    pub k: Option<usize>,
    /// What groups of a ranking without a relevant item count as; they are left out unless given.
    #[arg(long, value_enum)]
    pub without_relevant: Option<WithoutRelevantName>,
    /// The quantile of the pinball loss, above 0 and below 1; 0.5 unless given.
    #[arg(long, value_name = "Q")]
    pub quantile: Option<f64>,
}

/// How rows are cut into chunks.
#[derive(Debug, Args)]
pub struct CutArguments {
    /// Chunks of so many rows.
    #[arg(long, value_name = "N", group = "cut")]
    pub chunk_rows: Option<u64>,
    /// So many chunks; 10 of files where nothing is said, days of stored predictions.
    #[arg(long, value_name = "K", group = "cut")]
    pub chunks: Option<u64>,
    /// Chunks by the calendar, in UTC.
    #[arg(long, value_enum, group = "cut")]
    pub chunk_period: Option<PeriodName>,
    /// What becomes of rows at the end that fill no chunk.
    #[arg(long, value_enum, default_value = "append")]
    pub incomplete: IncompleteName,
}

/// How metrics become alerts.
#[derive(Debug, Args)]
pub struct RuleArguments {
    /// The level of intervals, above 0 and below 1.
    #[arg(long, value_name = "P", default_value_t = 0.95)]
    pub confidence: f64,
    /// Standard deviations of the reference's chunks below and above: one number, or two.
    #[arg(long, value_name = "N[,N]", value_delimiter = ',', num_args = 1, default_value = "3")]
    pub threshold_std: Vec<f64>,
    /// What thresholds are put around.
    #[arg(long, value_enum, default_value = "mean")]
    pub threshold_offset: OffsetName,
    /// A lower end that is given: `roc_auc=0.8`. May be repeated.
    #[arg(long, value_name = "METRIC=VALUE", allow_hyphen_values = true)]
    pub threshold_lower: Vec<String>,
    /// An upper end that is given: `log_loss=0.4`. May be repeated.
    #[arg(long, value_name = "METRIC=VALUE", allow_hyphen_values = true)]
    pub threshold_upper: Vec<String>,
    /// Labelled rows that a chunk needs for an alert.
    #[arg(long, value_name = "N", default_value_t = 30)]
    pub min_rows: u64,
}

/// An output format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Table,
    /// The document `windvane.performance/1`.
    Json,
    /// For a pull request or a wiki.
    Markdown,
    /// For a build server: one test case a metric of a chunk.
    Junit,
    /// The report, one page that needs nothing else.
    Html,
}

/// What makes the command fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FailOn {
    /// A metric that left its threshold.
    Alert,
}

/// A task by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TaskName {
    /// One of two classes.
    Binary,
    /// One of several classes.
    Multiclass,
    /// A number.
    Regression,
    /// An order of items.
    Ranking,
}

impl From<TaskName> for Task {
    fn from(name: TaskName) -> Self {
        match name {
            TaskName::Binary => Self::Binary,
            TaskName::Multiclass => Self::Multiclass,
            TaskName::Regression => Self::Regression,
            TaskName::Ranking => Self::Ranking,
        }
    }
}

/// A calendar period by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PeriodName {
    /// From midnight.
    Day,
    /// From Monday.
    Week,
    /// From the first.
    Month,
}

impl From<PeriodName> for Period {
    fn from(name: PeriodName) -> Self {
        match name {
            PeriodName::Day => Self::Day,
            PeriodName::Week => Self::Week,
            PeriodName::Month => Self::Month,
        }
    }
}

/// What becomes of rows at the end, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum IncompleteName {
    /// They join the chunk before.
    Append,
    /// They are a chunk of their own.
    Keep,
    /// They are left out.
    Drop,
}

impl From<IncompleteName> for Incomplete {
    fn from(name: IncompleteName) -> Self {
        match name {
            IncompleteName::Append => Self::Append,
            IncompleteName::Keep => Self::Keep,
            IncompleteName::Drop => Self::Drop,
        }
    }
}

/// What thresholds are put around, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OffsetName {
    /// The mean of the reference's chunks.
    Mean,
    /// Their median.
    Median,
    /// The least.
    Min,
    /// The greatest.
    Max,
}

/// What groups without a relevant item count as, by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum WithoutRelevantName {
    /// They are left out, and counted.
    LeftOut,
    /// They count as 0.
    Zero,
}
