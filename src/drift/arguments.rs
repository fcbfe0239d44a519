//! The command line of `windvane drift`: raw arguments, and what they mean once checked.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use windvane_analyzer::drift::{Compat, Deployment, Method, Rule};
use windvane_stats::correction::Correction;
use windvane_types::distinct::distinct;
use windvane_types::nearest::nearest;

use crate::by_hand::{Narrowed, Stored, TwoFiles};
use crate::connection;
use crate::exit::{Failure, Reason};

/// Compare two populations column by column: two files, or two spans of time of a model's predictions.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    files: TwoFiles,
    /// Compare the stored predictions of this model instead of files.
    #[arg(long, value_name = "MODEL", conflicts_with = "reference_file", requires_all = ["reference", "window"])]
    model: Option<String>,
    #[command(flatten)]
    narrowed: Narrowed,
    /// What the window is compared with: `previous`, `same_hour_last_week`, `window:START/END` or `baseline:NAME`.
    #[arg(long, value_name = "SPAN", requires = "model")]
    reference: Option<String>,
    #[command(flatten)]
    stored: Stored,
    /// Only these columns.
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    columns: Option<Vec<String>>,
    /// Only these methods.
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    methods: Option<Vec<String>>,
    /// Columns that hold free text.
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    text: Vec<String>,
    /// Columns whose lists of numbers are vectors of one width; embeddings of stored predictions are taken as such without it.
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    embedding: Vec<String>,
    /// Compare within each combination of values of these columns too.
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    segment_by: Vec<String>,
    /// Bins between quantiles of the reference, 2 to 1000.
    #[arg(long, value_name = "N", default_value_t = 10)]
    bins: u32,
    /// The chance of a false alarm that is accepted for the whole run, above 0 and below 1.
    #[arg(long, value_name = "P", default_value_t = 0.05)]
    alpha: f64,
    /// How p-values are corrected for their number.
    #[arg(long, value_enum, default_value = "bh")]
    correction: CorrectionName,
    /// Values that each side needs before a column is judged.
    #[arg(long, value_name = "N", default_value_t = 30)]
    min_rows: u64,
    /// The seed of simulated null distributions.
    #[arg(long, value_name = "N", default_value_t = 20_130_101)]
    seed: u64,
    /// Reproduce the numbers of another tool.
    #[arg(long, value_enum)]
    compat: Option<CompatName>,
    /// How to print.
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
    /// Also write the report as one HTML file that needs nothing else.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Exit with 1 where there is drift, and with 2 where there are too few rows to tell.
    #[arg(long, value_enum)]
    fail_on: Option<FailOn>,
    /// Never fetch the engine; say which command does instead.
    #[arg(long)]
    offline: bool,
}

/// An output format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Table,
    /// The document `windvane.drift/1`.
    Json,
    /// For a pull request or a wiki.
    Markdown,
    /// For a build server: one test case a column.
    Junit,
    /// The report, one page that needs nothing else.
    Html,
}

/// What makes the command fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FailOn {
    /// Drift in any column.
    Drift,
}

/// A correction by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum CorrectionName {
    /// Benjamini-Hochberg.
    Bh,
    /// Benjamini-Yekutieli.
    By,
    /// Holm.
    Holm,
    /// Bonferroni.
    Bonferroni,
    /// None.
    None,
}

impl From<CorrectionName> for Correction {
    fn from(name: CorrectionName) -> Self {
        match name {
            CorrectionName::Bh => Self::Bh,
            CorrectionName::By => Self::By,
            CorrectionName::Holm => Self::Holm,
            CorrectionName::Bonferroni => Self::Bonferroni,
            CorrectionName::None => Self::None,
        }
    }
}

/// A tool by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum CompatName {
    /// SciPy with its defaults.
    Scipy,
    /// Evidently's statistical tests.
    Evidently,
    /// NannyML's univariate drift.
    Nannyml,
}

impl From<CompatName> for Compat {
    fn from(name: CompatName) -> Self {
        match name {
            CompatName::Scipy => Self::Scipy,
            CompatName::Evidently => Self::Evidently,
            CompatName::Nannyml => Self::Nannyml,
        }
    }
}

/// Which populations.
#[derive(Debug)]
pub enum Sides {
    /// Two files.
    Files { reference: PathBuf, current: PathBuf },
    /// Two spans of the predictions of a model.
    Predictions(Box<Predictions>),
}

/// Which predictions, as the command line says.
#[derive(Debug)]
pub struct Predictions {
    pub deployment: Deployment,
    pub reference: String,
    pub window: String,
    /// Whether the findings are kept.
    pub record: bool,
    pub connection: connection::Flags,
}

/// Checked arguments.
#[derive(Debug)]
pub struct Options {
    pub sides: Sides,
    pub columns: Option<Vec<String>>,
    pub methods: Option<Vec<Method>>,
    pub text: Vec<String>,
    pub embedding: Vec<String>,
    pub segment_by: Vec<String>,
    pub bins: u32,
    pub rule: Rule,
    pub seed: u64,
    pub format: Format,
    pub report: Option<PathBuf>,
    pub fail_on: Option<FailOn>,
    pub offline: bool,
}

impl Options {
    /// Whether the engine runs in this process.
    pub fn embedded(&self) -> bool {
        matches!(self.sides, Sides::Files { .. })
    }
}

impl Arguments {
    /// Says what the arguments mean.
    ///
    /// # Errors
    /// A usage error that says what would have been accepted.
    pub fn check(self) -> Result<Options, Failure> {
        if !(2..=1000).contains(&self.bins) {
            return Err(usage(format!("`--bins {}` is out of range: 2 to 1000", self.bins)));
        }
        if !(self.alpha > 0.0 && self.alpha < 1.0) {
            return Err(usage(format!("`--alpha {}` is out of range: above 0 and below 1", self.alpha)));
        }
        if self.min_rows == 0 {
            return Err(usage("`--min-rows 0` is out of range: 1 or more".to_owned()));
        }
        let methods = self
            .methods
            .map(|names| distinct(names).iter().map(|name| method(name)).collect::<Result<_, _>>())
            .transpose()?;
        if let Some(empty) = [
            &self.columns,
            &Some(self.segment_by.clone()),
            &Some(self.text.clone()),
            &Some(self.embedding.clone()),
        ]
        .into_iter()
        .flatten()
        .find(|names| names.iter().any(String::is_empty))
        {
            return Err(usage(format!("a column name is empty in `{}`", empty.join(","))));
        }
        let TwoFiles { reference_file, current } = self.files;
        let sides = match (reference_file, current, self.model, self.reference, self.stored.window) {
            (Some(reference), Some(current), None, ..) => Sides::Files { reference, current },
            (None, None, Some(model), Some(reference), Some(window)) => {
                Sides::Predictions(Box::new(Predictions {
                    deployment: self.narrowed.of(&model),
                    reference,
                    window,
                    record: !self.stored.no_record,
                    connection: self.stored.connection,
                }))
            }
            _ => return Err(usage("give two files, or --model with --reference and --window".to_owned())),
        };
        Ok(Options {
            sides,
            columns: self.columns.map(distinct),
            methods,
            text: self.text,
            embedding: self.embedding,
            segment_by: distinct(self.segment_by),
            bins: self.bins,
            rule: Rule {
                alpha: self.alpha,
                correction: self.correction.into(),
                min_rows: self.min_rows,
                compat: self.compat.map(Into::into),
            },
            seed: self.seed,
            format: self.format,
            report: self.report,
            fail_on: self.fail_on,
            offline: self.offline,
        })
    }
}

pub fn usage(message: String) -> Failure {
    Failure { reason: Reason::Usage, error: anyhow::anyhow!(message) }
}

fn method(name: &str) -> Result<Method, Failure> {
    Method::parse(name).ok_or_else(|| {
        let all: Vec<&str> = Method::ALL.into_iter().map(Method::as_str).collect();
        let near = nearest(name, all.iter().copied())
            .map_or(String::new(), |near| format!("did you mean `{near}`? "));
        usage(format!("there is no method `{name}`; {near}all methods: {}", all.join(", ")))
    })
}
