//! `windvane fairness`: does the model treat groups alike?

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use comfy_table::{Table, presets};
use windvane_analyzer::fairness::{self, FairnessError, FairnessRequest};
use windvane_stats::correction::Correction;
use windvane_store::Reader;
use windvane_store::findings::{self, Run};
use windvane_store::populations::{self, Population, PredictionFilter};
use windvane_types::distinct::distinct;
use windvane_types::fairness::{Document, Verdict};
use windvane_types::span::Span;
use windvane_types::{Clock, SystemClock};

use crate::by_hand::{self, Engine, Narrowed, Stored};
use crate::connection;
use crate::drift::arguments::usage;
use crate::drift::source::{open_files, reason_of};
use crate::drift::words::{self, counted, grouped, number};
use crate::exit::{CommandResult, Exit, Failure, Reason};
use crate::output::{pretty, print};

/// Compare groups: who is selected, found and rightly suspected how often, and whose scores mean what they say.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The file: Parquet, Arrow, CSV or NDJSON.
    #[arg(value_name = "FILE", required_unless_present = "model")]
    file: Option<PathBuf>,
    /// Look at the stored predictions of this model, joined with their outcomes, instead of a file.
    #[arg(long, value_name = "MODEL", conflicts_with = "file", requires = "window")]
    model: Option<String>,
    #[command(flatten)]
    narrowed: Narrowed,
    #[command(flatten)]
    stored: Stored,
    /// The columns that cut groups.
    #[arg(long, value_name = "A,B", value_delimiter = ',', required = true)]
    group_by: Vec<String>,
    /// The column of outcomes; of stored predictions their outcome. Without it only who is selected can be compared.
    #[arg(long, value_name = "COLUMN")]
    target: Option<String>,
    /// The column of decisions; of stored predictions their label.
    #[arg(long, value_name = "COLUMN")]
    label: Option<String>,
    /// The column of scores from 0 to 1, for calibration, and for decisions by --threshold; of stored predictions their score, or the
    /// probability of the positive class.
    #[arg(long, value_name = "COLUMN")]
    score: Option<String>,
    /// The outcome and decision that count as positive; 1, true and yes unless given.
    #[arg(long, value_name = "VALUE")]
    positive: Option<String>,
    /// The score from which a row is selected, in place of a column of decisions; 0.5 unless given.
    #[arg(long, value_name = "S", conflicts_with = "label")]
    threshold: Option<f64>,
    /// The group that others are compared with, by its values; the largest one unless given.
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    reference_group: Option<Vec<String>>,
    /// Rows that a share needs on both sides before it is judged.
    #[arg(long, value_name = "N", default_value_t = 100)]
    min_rows: u64,
    /// The gap up to which no difference is called one.
    #[arg(long, value_name = "SHARE", default_value_t = 0.05)]
    max_gap: f64,
    /// The bound on the chance that groups that are treated alike fail, above 0 and below 1.
    #[arg(long, value_name = "P", default_value_t = 0.05)]
    alpha: f64,
    /// How to print.
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
    /// Exit with 1 where a gap fails, and with 2 where there are too few rows to tell.
    #[arg(long, value_enum)]
    fail_on: Option<FailOn>,
    /// Never fetch the engine; say which command does instead.
    #[arg(long)]
    offline: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people.
    Table,
    /// The document `windvane.fairness/1`.
    Json,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FailOn {
    /// A gap that fails.
    Fail,
}

/// Runs `windvane fairness`.
pub fn run(arguments: Arguments) -> CommandResult {
    if !(arguments.alpha > 0.0 && arguments.alpha < 1.0) {
        return Err(usage(format!("`--alpha {}` is out of range: above 0 and below 1", arguments.alpha)));
    }
    if !(0.0..1.0).contains(&arguments.max_gap) {
        return Err(usage(format!("`--max-gap {}` is out of range: from 0 to below 1", arguments.max_gap)));
    }
    if let Some(threshold) = arguments.threshold.filter(|threshold| !threshold.is_finite()) {
        return Err(usage(format!("`--threshold {threshold}` is out of range: a finite number")));
    }
    if arguments.model.is_none() && arguments.label.is_none() && arguments.score.is_none() {
        return Err(usage("give --label, the column of decisions, or --score with --threshold".to_owned()));
    }
    let engine = Engine::embedded(arguments.model.is_none());
    by_hand::run(engine, look(&arguments), |document| answer(&document, &arguments))
}

/// The rows; of stored predictions with their outcomes.
async fn open(arguments: &Arguments) -> Result<(Reader, Population, Option<Run>), Failure> {
    match (&arguments.file, &arguments.model, &arguments.stored.window) {
        (Some(file), None, None) => {
            let (reader, mut populations) =
                open_files(vec![(file.clone(), "rows")], arguments.offline).await?;
            let Some(population) = populations.pop() else { unreachable!("every file gives a population") };
            Ok((reader, population, None))
        }
        (None, Some(model), Some(window)) => {
            let now = SystemClock.now();
            let span = Span::parse(window, now).map_err(usage)?;
            let store = arguments.stored.connection.store()?;
            let deployment = arguments.narrowed.of(model);
            by_hand::known(&store, &deployment).await?;
            let reader = Reader::Store(store);
            let filter = PredictionFilter {
                model: deployment.model.clone(),
                version: deployment.version.clone(),
                environment: deployment.environment.clone(),
                start_us: span.start_us,
                end_us: span.end_us,
                stored_before_us: now.as_microsecond(),
            };
            let opened = populations::open_labelled(&reader, format!("{model} {span}"), &filter).await;
            let population =
                opened.map_err(|error| Failure { reason: reason_of(&error), error: error.into() })?;
            let run = (!arguments.stored.no_record).then(|| by_hand::findings(&deployment, span, ("", "")));
            Ok((reader, population, run))
        }
        _ => Err(usage("give a file, or --model with --window".to_owned())),
    }
}

async fn look(arguments: &Arguments) -> Result<Document, Failure> {
    let (reader, population, run) = open(arguments).await?;
    // Of stored predictions the columns are known.
    let known = |given: &Option<String>, name: &str| {
        let usual = arguments.model.is_some() && population.role(name).is_some();
        given.clone().or_else(|| usual.then(|| name.to_owned()))
    };
    let stored_score = || {
        let of_store = arguments.model.as_ref().map(|_| &population);
        of_store.and_then(|stored| fairness::stored_score(stored, arguments.positive.as_deref()))
    };
    let request = FairnessRequest {
        group_by: distinct(arguments.group_by.clone()),
        target: known(&arguments.target, populations::OUTCOME),
        // Whoever gives a threshold asks for decisions by the score.
        label: match arguments.threshold {
            Some(_) => None,
            None => known(&arguments.label, "prediction.label"),
        },
        score: arguments.score.clone().or_else(stored_score),
        population,
        positive: arguments.positive.clone(),
        threshold: arguments.threshold.unwrap_or(0.5),
        reference_group: arguments.reference_group.clone(),
        min_rows: arguments.min_rows.max(1),
        max_gap: arguments.max_gap,
        alpha: arguments.alpha,
        correction: Correction::Holm,
    };
    let document = fairness::run(&reader, &request).await.map_err(failure)?;
    if let (Some(run), Reader::Store(store)) = (run, &reader) {
        let run = Run { computed_at_us: SystemClock.now().as_microsecond(), ..run };
        // By hand a window is compared once, so nobody asks what it has seen.
        findings::fairness::write(store, (&run, 0), &document).await.map_err(connection::not_recorded)?;
    }
    Ok(document)
}

/// The exit code of what cannot be compared.
pub fn failure(error: FairnessError) -> Failure {
    let reason = match &error {
        FairnessError::Read(error) => reason_of(error),
        // As of `windvane performance`: the command line leaves out which one is positive.
        FairnessError::NoPositive { positive: None, .. } => Reason::Usage,
        _ => Reason::Data,
    };
    Failure { reason, error: error.into() }
}

fn answer(document: &Document, arguments: &Arguments) -> CommandResult {
    print(&match arguments.format {
        Format::Json => pretty(document)?,
        Format::Table => table(document),
    })?;
    Ok(match (arguments.fail_on, document.verdict) {
        (Some(FailOn::Fail), Verdict::Fail) => Exit::Found,
        (Some(FailOn::Fail), Verdict::InsufficientData) => Exit::Inconclusive,
        _ => Exit::Ok,
    })
}

/// The document for people.
pub fn table(document: &Document) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.force_no_tty();
    table.set_header(["group", "rows", "metric", "verdict", "group's", "reference", "gap"]);
    for group in &document.groups {
        for gap in &group.gaps {
            let share = |share: Option<f64>| share.map_or("none".to_owned(), words::percent);
            let found = match (gap.gap, gap.ci, gap.p_adjusted) {
                (Some(found), Some([low, high]), p) => {
                    let points = |share: f64| number(100.0 * share);
                    let p = match p {
                        None => String::new(),
                        Some(p) if p < 0.001 => ", p < 0.001".to_owned(),
                        Some(p) => format!(", p {p:.3}"),
                    };
                    format!("{} points [{}, {}]{p}", points(found), points(low), points(high))
                }
                _ => "none".to_owned(),
            };
            table.add_row([
                words::segment(&group.group),
                grouped(gap.n),
                gap.metric.clone(),
                gap.verdict.as_str().replace('_', " "),
                share(gap.value),
                share(gap.reference),
                found,
            ]);
        }
    }
    let mut lines: Vec<String> = table.to_string().lines().map(|line| line.trim_end().to_owned()).collect();
    if document.groups_left_out > 0 {
        let told = counted(document.groups_left_out, "smaller group is", "smaller groups are");
        lines.push(format!("{told} left out"));
    }
    let reference = document.reference_group.as_ref().map_or("none".to_owned(), words::segment);
    format!(
        "{}\n\n{} ({}); compared with {reference}\n\n{}\n\np corrected by {}; a gap fails where p < {}, it is above {} points, and both sides have {}\n",
        document.verdict.as_str().replace('_', " "),
        document.source,
        counted(document.rows, "row", "rows"),
        lines.join("\n"),
        document.correction,
        document.alpha,
        number(100.0 * document.max_gap),
        counted(document.min_rows, "row", "rows"),
    )
}
