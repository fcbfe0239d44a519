//! `windvane detect`: since when is a stream of errors or values no longer what it was?

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use comfy_table::{Table, presets};
use windvane_analyzer::detect::{self, DetectError, DetectRequest, Kind, Settings};
use windvane_store::Reader;
use windvane_store::populations::{ERROR, Population, TIME};
use windvane_types::detect::Document;
use windvane_types::distinct::distinct;
use windvane_types::nearest::nearest;
use windvane_types::span::Span;
use windvane_types::{Clock, SystemClock};

use crate::by_hand::{self, Engine, Narrowed};
use crate::connection;
use crate::drift::arguments::usage;
use crate::drift::source::{open_files, reason_of};
use crate::drift::words::{counted, grouped, number, shortened};
use crate::exit::{CommandResult, Exit, Failure, Reason};
use crate::output::{pretty, print, tell};

/// Run detectors of change over a column of a file or of stored predictions, value by value in bounded memory: ADWIN, Page-Hinkley, DDM,
/// EDDM, HDDM-A, HDDM-W, KSWIN, CUSUM.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The file: Parquet, Arrow, CSV or NDJSON.
    #[arg(value_name = "FILE", required_unless_present = "model", requires = "column")]
    file: Option<PathBuf>,
    /// Look at the stored predictions of this model, in order of their time, instead of a file.
    #[arg(long, value_name = "MODEL", conflicts_with = "file", requires = "window")]
    model: Option<String>,
    #[command(flatten)]
    narrowed: Narrowed,
    /// The span in question: a length back from now (`24h`, `7d`) or `START/END`.
    #[arg(long, value_name = "SPAN", requires = "model")]
    window: Option<String>,
    #[command(flatten)]
    connection: connection::Flags,
    /// The column of values, or of errors as 0 and 1 or false and true. Of stored predictions any of their numbers; unless given
    /// `prediction.error`: whether the predicted class was wrong, or how far the number was off, of those whose outcome is known.
    #[arg(long, value_name = "COLUMN")]
    column: Option<String>,
    /// The class that a high score means, of stored predictions that have a score alone; 1 and true unless given.
    #[arg(long, value_name = "CLASS", requires = "model", conflicts_with = "column")]
    positive: Option<String>,
    /// The detectors: adwin (MOA's loop), adwin_river, adwin_river21, page_hinkley, ddm, eddm, hddm_a, hddm_w, kswin, cusum.
    #[arg(long, value_name = "A,B", value_delimiter = ',', default_value = "adwin")]
    detector: Vec<String>,
    /// The column that says when a value was; the order of the rows of a file, and the time of a prediction, unless given.
    #[arg(long, value_name = "COLUMN")]
    timestamp: Option<String>,
    /// Delta of ADWIN (0.002 unless given), alpha of KSWIN (0.005), confidence of HDDM (0.001): above 0 and below 1.
    #[arg(long, value_name = "P")]
    confidence: Option<f64>,
    /// Lambda of Page-Hinkley (50 unless given), in the unit of the values; h of CUSUM (8), in standard deviations: above 0.
    #[arg(long, value_name = "X")]
    threshold: Option<f64>,
    /// Values that set the mean and the spread of CUSUM, 2 or more; 100 unless given.
    #[arg(long, value_name = "N")]
    warm_up: Option<u64>,
    /// How to print.
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
    /// Exit with 1 where a detector signals a change, and with 2 where there was no value to watch.
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
    /// The document `windvane.detect/1`.
    Json,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FailOn {
    /// A change.
    Change,
}

/// The detectors that `--confidence` sets.
const TAKE_CONFIDENCE: [Kind; 6] =
    [Kind::Adwin, Kind::AdwinRiver, Kind::AdwinRiver21, Kind::HddmA, Kind::HddmW, Kind::Kswin];
/// Those that `--threshold` sets.
const TAKE_THRESHOLD: [Kind; 2] = [Kind::PageHinkley, Kind::Cusum];
/// Those that `--warm-up` sets.
const TAKE_WARM_UP: [Kind; 1] = [Kind::Cusum];

/// Runs `windvane detect`.
pub fn run(arguments: Arguments) -> CommandResult {
    let (detectors, settings) = arguments.check()?;
    let engine = Engine::embedded(arguments.model.is_none());
    let work = look(&arguments, detectors, settings);
    by_hand::run(engine, work, |document| answer(&document, &arguments))
}

impl Arguments {
    fn check(&self) -> Result<(Vec<Kind>, Settings), Failure> {
        let detectors: Vec<Kind> =
            distinct(&self.detector).into_iter().map(|name| kind(name)).collect::<Result<_, _>>()?;
        if let Some(p) = self.confidence.filter(|p| !(*p > 0.0 && *p < 1.0)) {
            return Err(usage(format!("`--confidence {p}` is out of range: above 0 and below 1")));
        }
        if let Some(x) = self.threshold.filter(|x| !(*x > 0.0 && x.is_finite())) {
            return Err(usage(format!("`--threshold {x}` is out of range: above 0")));
        }
        if let Some(n) = self.warm_up.filter(|n| *n < 2) {
            return Err(usage(format!("`--warm-up {n}` is out of range: 2 or more")));
        }
        for (flag, is_given, takers) in [
            ("--confidence", self.confidence.is_some(), &TAKE_CONFIDENCE[..]),
            ("--threshold", self.threshold.is_some(), &TAKE_THRESHOLD),
            ("--warm-up", self.warm_up.is_some(), &TAKE_WARM_UP),
        ] {
            if is_given && !detectors.iter().any(|kind| takers.contains(kind)) {
                let takers: Vec<&str> = takers.iter().map(|kind| kind.as_str()).collect();
                return Err(usage(format!("`{flag}` sets nothing here: it is of {}", takers.join(", "))));
            }
        }
        let settings =
            Settings { confidence: self.confidence, threshold: self.threshold, warm_up: self.warm_up };
        Ok((detectors, settings))
    }
}

fn kind(name: &str) -> Result<Kind, Failure> {
    let all = || Kind::ALL.into_iter().map(Kind::as_str);
    Kind::ALL.into_iter().find(|kind| kind.as_str() == name).ok_or_else(|| {
        let hint = nearest(name, all()).map_or(String::new(), |near| format!("did you mean `{near}`? "));
        usage(format!(
            "there is no detector `{name}`; {hint}All detectors: {}",
            all().collect::<Vec<_>>().join(", ")
        ))
    })
}

async fn look(arguments: &Arguments, detectors: Vec<Kind>, settings: Settings) -> Result<Document, Failure> {
    let (reader, population) = open(arguments).await?;
    let stored = arguments.model.is_some();
    let request = DetectRequest {
        population,
        column: arguments.column.clone().unwrap_or_else(|| ERROR.to_owned()),
        timestamp: arguments.timestamp.clone().or_else(|| stored.then(|| TIME.to_owned())),
        detectors,
        settings,
    };
    detect::run(&reader, &request).await.map_err(|error| {
        let reason = match &error {
            DetectError::Read(error) => reason_of(error),
            _ => Reason::Data,
        };
        Failure { reason, error: error.into() }
    })
}

async fn open(arguments: &Arguments) -> Result<(Reader, Population), Failure> {
    match (&arguments.model, &arguments.window, &arguments.file) {
        (Some(model), Some(window), None) => {
            let now = SystemClock.now();
            let span = Span::parse(window, now).map_err(usage)?;
            let (store, deployment) = (arguments.connection.store()?, arguments.narrowed.of(model));
            by_hand::known(&store, &deployment).await?;
            let reader = Reader::Store(store);
            let until = (span, now.as_microsecond());
            match detect::open(&reader, &deployment, until, arguments.positive.as_deref()).await {
                Ok(population) => Ok((reader, population)),
                Err(error) => Err(Failure { reason: reason_of(&error), error: error.into() }),
            }
        }
        (None, None, Some(file)) => {
            let (reader, mut populations) =
                open_files(vec![(file.clone(), "stream")], arguments.offline).await?;
            let Some(population) = populations.pop() else { unreachable!("every file gives a population") };
            Ok((reader, population))
        }
        _ => Err(usage("give a file with --column, or --model with --window".to_owned())),
    }
}

/// What an empty stream of errors may mean: no change among none is no good news.
const NO_ERROR: &str = "windvane: no prediction of the window has an error, so nothing was watched: outcomes may be to come, or be of another kind \
                        than the answer (a score alone is held against 0 and 1, false and true, unless --positive names the class that it means; \
                        a number against a number). --column names another number";

fn answer(document: &Document, arguments: &Arguments) -> CommandResult {
    if document.column == ERROR && document.detectors.iter().all(|detected| detected.values == 0) {
        tell(NO_ERROR);
    }
    print(&match arguments.format {
        Format::Json => pretty(document)?,
        Format::Table => table(document),
    })?;
    let changed = document.detectors.iter().any(|detected| detected.changes > 0);
    let nothing = document.detectors.iter().all(|detected| detected.values == 0);
    Ok(match arguments.fail_on {
        Some(FailOn::Change) if changed => Exit::Found,
        Some(FailOn::Change) if nothing => Exit::Inconclusive,
        _ => Exit::Ok,
    })
}

/// Changes of a detector that the table tells.
const CHANGES_SHOWN: usize = 5;

fn table(document: &Document) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.force_no_tty();
    table.set_header(["detector", "changes", "warnings", "first changes at", "settings"]);
    for detected in &document.detectors {
        let first: Vec<String> = detected
            .first
            .iter()
            .take(CHANGES_SHOWN)
            .map(|change| {
                let at = change.at.clone().unwrap_or_else(|| format!("value {}", grouped(change.index)));
                format!("{at} (mean before {})", number(change.mean_before))
            })
            .collect();
        table.add_row([
            detected.detector.clone(),
            grouped(detected.changes),
            grouped(detected.warnings),
            first.join(", "),
            detected.settings.clone(),
        ]);
    }
    let lines: Vec<String> = table.to_string().lines().map(|line| line.trim_end().to_owned()).collect();
    let values = document.detectors.first().map_or(0, |detected| detected.values);
    format!(
        "{}, column {}: {}\n\n{}\n",
        document.source,
        shortened(&document.column),
        counted(values, "value", "values"),
        lines.join("\n")
    )
}
