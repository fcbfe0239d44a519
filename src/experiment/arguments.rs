//! The command line of `windvane experiment`: raw arguments, and what they mean once checked.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use windvane_analyzer::experiment::{
    Cuts, FamilyCorrection, Limits, Measured, Metric, Rule, SequenceMethod, TUNING, inference::Belief,
};
use windvane_stats::correction::Correction;
use windvane_types::experiment::Role;

use super::aa::AaArguments;
use super::covariates;
use super::cuts::{CutArguments, SegmentsAsked};
use super::inference::InferenceArguments;
use super::plan::PlanArguments;
use super::roles::{self, Roles};
use crate::connection;
use crate::exit::{Failure, Reason};

/// Compare the arms of an experiment: is B better than A, by how much, how sure, and is the experiment healthy?
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Arguments {
    #[command(subcommand)]
    pub command: Option<Asked>,
    /// The file with one or more rows a unit (Parquet, Arrow, CSV or NDJSON), which takes --unit, --arm, --control and --metric;
    /// or the name of an experiment of the configuration, over the store.
    #[arg(value_name = "FILE|NAME", required_unless_present = "summary", conflicts_with = "summary")]
    file: Option<PathBuf>,
    /// Sums that another program made, a document `windvane.experiment_summary/1`, instead of rows.
    #[arg(long, value_name = "FILE.json")]
    summary: Option<PathBuf>,
    /// The column that says who or what was assigned; its rows are summed first.
    #[arg(long, value_name = "COLUMN", conflicts_with = "summary")]
    unit: Option<String>,
    /// The column that says to which arm.
    #[arg(long, value_name = "COLUMN", conflicts_with = "summary")]
    arm: Option<String>,
    /// The arm that the others are compared with.
    #[arg(long, value_name = "ARM", conflicts_with = "summary")]
    control: Option<String>,
    /// What is compared: NAME:mean, NAME:proportion, NAME:ratio(DENOMINATOR) or NAME:quantile(0.99), with `:lower` after it
    /// where less is better. Repeat it for more.
    #[arg(long, value_name = "NAME:KIND", conflicts_with = "summary")]
    metric: Vec<String>,
    /// A column from before the experiment that explains part of the spread (CUPED); for every mean and proportion.
    #[arg(long, value_name = "COLUMN", conflicts_with = "summary")]
    covariate: Option<String>,
    /// What ratios were before the experiment, as NUMERATOR:ratio(DENOMINATOR); for all ratios, or METRIC=NUMERATOR:ratio(DENOMINATOR)
    /// for one. Repeat it for more.
    #[arg(long, value_name = "[METRIC=]NUM:ratio(DEN)", conflicts_with = "summary")]
    ratio_covariate: Vec<String>,
    /// The accepted chance of a false verdict, above 0 and below 1; 0.05 by default.
    #[arg(long, value_name = "P")]
    alpha: Option<f64>,
    /// The units of both arms at which the always-valid interval is narrowest: those that you plan for; 5000 by default.
    #[arg(long, value_name = "UNITS")]
    sequential_tuning: Option<f64>,
    /// By what the interval that holds at every look is made: asymptotic (the default), normal_mixture(SE) or msprt(SD), with SE
    /// and SD on the relative scale and fixed before the first look.
    #[arg(long, value_name = "METHOD")]
    sequential_method: Option<String>,
    /// The share of units that each arm should get, `a=0.5,b=0.5`; 0 for an arm that is switched off. Equal by default.
    #[arg(long, value_name = "ARM=SHARE,…", conflicts_with = "summary")]
    weights: Option<String>,
    /// How p-values are corrected over metrics × arms; by holm where nothing is said.
    #[arg(long, value_enum)]
    correction: Option<CorrectionName>,
    /// The part of alpha that primary metrics share, for preferential_bonferroni; 0.5 by default.
    #[arg(long, value_name = "SHARE")]
    primary_share: Option<f64>,
    /// Differences within this share of the control's value do not matter: `0.01` for all metrics or `NAME=0.01` for one.
    #[arg(long, value_name = "SHARE")]
    margin: Vec<String>,
    /// The metric that decides; the others are secondary then. Repeat it for more.
    #[arg(long, value_name = "NAME")]
    primary: Vec<String>,
    /// A metric that must not get worse by its margin: this has to be shown. Repeat it for more.
    #[arg(long, value_name = "NAME")]
    guardrail: Vec<String>,
    #[command(flatten)]
    inference: InferenceArguments,
    #[command(flatten)]
    cuts: CutArguments,
    /// Tell how the next units would be dealt out by Thompson's and the top-two rule, by each primary metric: advice, no verdict.
    #[arg(long)]
    advice: bool,
    /// Values of units above this count as this: a value, or a percentile of the units of all arms such as p99.9; for every
    /// mean.
    #[arg(long, value_name = "VALUE|pQ", conflicts_with = "summary", allow_hyphen_values = true)]
    cap: Option<String>,
    /// Values of units below this count as this: a value, or a percentile such as p0.1; for every mean.
    #[arg(long, value_name = "VALUE|pQ", conflicts_with = "summary", allow_hyphen_values = true)]
    floor: Option<String>,
    /// How to print.
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
    /// Write a report for people as well: one HTML file that needs nothing else, with the intervals drawn, over time where the
    /// experiment is in the store.
    #[arg(long, value_name = "FILE.html")]
    report: Option<PathBuf>,
    /// Exit with 1 where an arm is worse (and with 2 on a mismatch), with 1 on a mismatch of the arms' sizes, or with 1 where a
    /// guardrail is broken (and with 2 where one is undecided).
    #[arg(long, value_enum)]
    fail_on: Option<FailOn>,
    /// Never fetch the engine; say which command does instead.
    #[arg(long)]
    offline: bool,
    #[command(flatten)]
    connection: connection::Flags,
    /// Do not keep the findings in the store, where the interval is followed over time; print them only.
    #[arg(long)]
    no_record: bool,
}

/// What else can be asked of an experiment.
#[derive(Debug, Subcommand)]
pub enum Asked {
    Plan(Box<PlanArguments>),
    Aa(Box<AaArguments>),
}

/// An output format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Table,
    /// The document `windvane.experiment/1`.
    Json,
    /// For a pull request or a wiki.
    Markdown,
    /// For a build server: one test case a comparison.
    Junit,
    /// The report, one page that needs nothing else.
    Html,
}

/// What makes the command fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FailOn {
    /// An arm that is worse on a metric.
    Worse,
    /// Arms that do not have their share of units.
    Mismatch,
    /// A guardrail metric that does not hold.
    Guardrail,
}

/// A correction by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum CorrectionName {
    /// Holm: the chance of a single false verdict.
    Holm,
    /// Benjamini-Hochberg: the share of false ones among the verdicts.
    Bh,
    /// Benjamini-Yekutieli: the same under any dependence.
    By,
    /// Bonferroni.
    Bonferroni,
    /// Bonferroni, with a part of alpha for the primary metrics and the rest for the others.
    #[value(name = "preferential_bonferroni")]
    Preferential,
    /// None.
    None,
}

impl CorrectionName {
    /// The correction that treats all alike; `None` for the one that does not.
    fn alike(self) -> Option<Correction> {
        match self {
            Self::Holm => Some(Correction::Holm),
            Self::Bh => Some(Correction::Bh),
            Self::By => Some(Correction::By),
            Self::Bonferroni => Some(Correction::Bonferroni),
            Self::None => Some(Correction::None),
            Self::Preferential => None,
        }
    }
}

/// Where the numbers come from.
#[derive(Debug)]
pub enum Given {
    /// Rows of a file.
    Rows(Box<Rows>),
    /// An experiment of the configuration, over the store.
    Stored(Box<Stored>),
    /// Sums of another program.
    Summary(PathBuf),
}

/// An experiment of the configuration.
#[derive(Debug)]
pub struct Stored {
    pub name: String,
    pub connection: connection::Flags,
    /// Whether the findings are kept.
    pub record: bool,
    pub segments: SegmentsAsked,
}

/// A file and what its columns are.
#[derive(Debug)]
pub struct Rows {
    pub file: PathBuf,
    pub unit: String,
    pub arm: String,
    pub metrics: Vec<Metric>,
    pub covariate: Option<String>,
    pub cuts: Cuts,
}

/// Checked arguments.
#[derive(Debug)]
pub struct Options {
    pub given: Given,
    pub rule: Rule,
    pub roles: Roles,
    pub format: Format,
    pub fail_on: Option<FailOn>,
    /// Where a report is written, as well.
    pub report: Option<PathBuf>,
    pub offline: bool,
}

impl Options {
    /// Whether the engine runs in this process.
    pub fn embedded(&self) -> bool {
        matches!(self.given, Given::Rows(_))
    }
}

impl Arguments {
    /// Says what the arguments mean.
    ///
    /// # Errors
    /// A usage error that says what would have been accepted.
    pub fn check(self) -> Result<Options, Failure> {
        let rule = self.rule()?;
        let roles = Roles::parse(&self.margin, &self.primary, &self.guardrail)?;
        let of_file =
            !self.metric.is_empty() || self.unit.is_some() || self.arm.is_some() || self.control.is_some();
        if self.summary.is_none() && !of_file {
            self.of_configuration()?;
        }
        let given = match (self.summary, self.file, self.unit, self.arm) {
            (Some(summary), ..) => Given::Summary(summary),
            (None, Some(name), None, None) if !of_file => Given::Stored(Box::new(Stored {
                name: name.to_string_lossy().into_owned(),
                connection: self.connection,
                record: !self.no_record,
                segments: self.cuts.segments()?,
            })),
            (None, Some(file), Some(unit), Some(arm))
                if self.control.is_some() && !self.metric.is_empty() =>
            {
                let limits = Limits::parse(self.cap.as_deref(), self.floor.as_deref()).map_err(usage)?;
                let mut metrics = metrics(&self.metric, &roles, limits)?;
                covariates::give(&self.ratio_covariate, &mut metrics)?;
                goes_together(&metrics, &rule)?;
                let cuts = self.cuts.check(self.covariate.is_some())?;
                Given::Rows(Box::new(Rows { file, unit, arm, metrics, covariate: self.covariate, cuts }))
            }
            _ => {
                return Err(usage(
                    "a file takes --unit, --arm, --control and --metric; an experiment of the configuration takes none of them"
                        .to_owned(),
                ));
            }
        };
        Ok(Options {
            given,
            rule,
            roles,
            format: self.format,
            fail_on: self.fail_on,
            report: self.report,
            offline: self.offline,
        })
    }

    /// How answers become verdicts.
    fn rule(&self) -> Result<Rule, Failure> {
        let alpha = self.alpha.unwrap_or(0.05);
        if !(alpha > 0.0 && alpha < 1.0) {
            return Err(usage(format!("`--alpha {alpha}` is out of range: above 0 and below 1")));
        }
        let tuning = self.sequential_tuning.unwrap_or(TUNING);
        if !(tuning > 0.0 && tuning.is_finite()) {
            return Err(usage(format!("`--sequential-tuning {tuning}` is out of range: above 0")));
        }
        let sequence = match &self.sequential_method {
            Some(method) => SequenceMethod::parse(method).map_err(usage)?,
            None => SequenceMethod::Asymptotic,
        };
        let correction = self.correction.unwrap_or(CorrectionName::Holm);
        self.inference.apply(Rule {
            alpha,
            tuning,
            sequence,
            weights: self.weights.as_deref().map(weights).transpose()?.unwrap_or_default(),
            correction: roles::correction(correction.alike(), self.primary_share)?,
            advice: self.advice,
            ..Rule::against(&self.control.clone().unwrap_or_default())
        })
    }

    /// Refuses what an experiment of the configuration has there, so that no option is passed over.
    fn of_configuration(&self) -> Result<(), Failure> {
        let given = [
            ("alpha", self.alpha.is_some(), "alpha = 0.05"),
            ("sequential-tuning", self.sequential_tuning.is_some(), "sequential_tuning = 20000"),
            ("sequential-method", self.sequential_method.is_some(), "sequential_method = \"msprt(0.05)\""),
            ("weights", self.weights.is_some(), "arms.A = 0.5"),
            ("correction", self.correction.is_some(), "correction = \"holm\""),
            ("primary-share", self.primary_share.is_some(), "primary_share = 0.5"),
            ("margin", !self.margin.is_empty(), "metrics.NAME.margin = 0.01"),
            ("primary", !self.primary.is_empty(), "metrics.NAME.role = \"primary\""),
            ("guardrail", !self.guardrail.is_empty(), "metrics.NAME.role = \"guardrail\""),
            ("covariate", self.covariate.is_some(), "covariate_window = \"14d\""),
            ("ratio-covariate", !self.ratio_covariate.is_empty(), "covariate_window = \"14d\""),
            ("cap", self.cap.is_some(), "metrics.NAME.cap = \"p99.9\""),
            ("floor", self.floor.is_some(), "metrics.NAME.floor = \"p0.1\""),
        ];
        if let Some((option, _, key)) = given.into_iter().find(|(_, given, _)| *given) {
            return Err(usage(format!(
                "`--{option}` does not go with an experiment of the configuration: set `{key}` in [experiments.NAME]"
            )));
        }
        if self.inference.given() {
            return Err(usage(
                "an experiment of the configuration has its inference there: set `inference` or `sequential_method` in [experiments.NAME]"
                    .to_owned(),
            ));
        }
        if self.cuts.of_files() || self.advice {
            return Err(usage(format!(
                "{} and --advice go with a file: an experiment of the configuration has `novelty`, `timing`, `outliers` and `advice` there",
                CutArguments::OF_FILES
            )));
        }
        Ok(())
    }
}

fn metrics(texts: &[String], roles: &Roles, limits: Limits) -> Result<Vec<Metric>, Failure> {
    let mut metrics: Vec<Metric> = Vec::new();
    for text in texts {
        let metric = Metric::parse(text).map_err(usage)?;
        let said =
            metrics.iter().find(|known| (&known.name, &known.measured) == (&metric.name, &metric.measured));
        match said {
            None => metrics.push(metric),
            // Said twice it is one question, and one p-value of the family.
            Some(known) if known.better == metric.better => {}
            Some(_) => {
                return Err(usage(format!(
                    "`--metric {text}` is given with less and with more as better: give it once, with `:lower` where less is better"
                )));
            }
        }
    }
    roles.check(metrics.iter().map(|metric| metric.name.as_str()))?;
    if limits != Limits::default() && !metrics.iter().any(|metric| metric.measured == Measured::Mean) {
        return Err(usage("`--cap` and `--floor` are for means, and no metric is one".to_owned()));
    }
    for metric in &mut metrics {
        metric.margin = roles.margin(&metric.name);
        metric.role = roles.role(&metric.name, metric.role);
        if metric.measured == Measured::Mean {
            (metric.cap, metric.floor) = (limits.cap, limits.floor);
        }
    }
    Ok(metrics)
}

/// Whether the metrics are of the sorts that the rule speaks of.
fn goes_together(metrics: &[Metric], rule: &Rule) -> Result<(), Failure> {
    let shares = metrics.iter().any(|metric| metric.measured == Measured::Proportion);
    if matches!(rule.belief, Belief::Beta { .. }) && !shares {
        return Err(usage(
            "`--prior beta(A,B)` is one of shares, and no metric is a proportion: give --prior normal(MEAN,SD)".to_owned(),
        ));
    }
    let decides = |metric: &&Metric| metric.role == Role::Primary;
    let primary = metrics.iter().filter(decides).count();
    if matches!(rule.correction, FamilyCorrection::Preferential { .. }) && primary == metrics.len() {
        return Err(usage(
            "preferential_bonferroni prefers some metrics to others: name those that decide with --primary NAME".to_owned(),
        ));
    }
    Ok(())
}

fn weights(text: &str) -> Result<Vec<(String, f64)>, Failure> {
    let mut weights: Vec<(String, f64)> = Vec::new();
    for part in text.split(',') {
        let parsed = part.rsplit_once('=').and_then(|(arm, share)| {
            let share =
                share.trim().parse::<f64>().ok().filter(|share| *share >= 0.0 && share.is_finite())?;
            (!arm.is_empty()).then(|| (arm.to_owned(), share))
        });
        let Some(weight) = parsed else {
            return Err(usage(format!(
                "`{part}` in `--weights` is no share: give ARM=SHARE,ARM=SHARE, each 0 or more"
            )));
        };
        if weights.iter().any(|(arm, _)| *arm == weight.0) {
            return Err(usage(format!("`--weights` has the arm `{}` twice", weight.0)));
        }
        weights.push(weight);
    }
    if weights.iter().all(|(_, share)| *share == 0.0) {
        return Err(usage("all shares in `--weights` are 0".to_owned()));
    }
    Ok(weights)
}

pub fn usage(message: String) -> Failure {
    Failure { reason: Reason::Usage, error: anyhow::anyhow!(message) }
}
