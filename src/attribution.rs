//! `windvane attribution`: does the model still decide by the same features?

use clap::{Args, ValueEnum};
use comfy_table::{Table, presets};
use windvane_analyzer::attribution::{self, AttributionError, AttributionRequest};
use windvane_analyzer::drift::{self, Asked, Wanted};
use windvane_store::Reader;
use windvane_store::findings::{self, Run};
use windvane_store::populations::Population;
use windvane_types::attribution::Document;
use windvane_types::distinct::distinct;
use windvane_types::drift::Verdict;
use windvane_types::span::Span;
use windvane_types::{Clock, SystemClock};

use crate::by_hand::{self, Engine, Narrowed, Stored, TwoFiles};
use crate::connection;
use crate::drift::arguments::usage;
use crate::drift::source::{open_failure, open_files, reason_of};
use crate::drift::words::{counted, number, shortened};
use crate::exit::{CommandResult, Exit, Failure, Reason};
use crate::output::{pretty, print};

/// Compare the ranking of features by their mean absolute attribution (such as SHAP values) with that of a reference.
///
/// Attributions are numeric columns `attribution.FEATURE`, one value a row: of files, or of predictions that were sent with such features.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    files: TwoFiles,
    /// Look at the stored predictions of this model instead of files.
    #[arg(long, value_name = "MODEL", conflicts_with = "reference_file", requires_all = ["reference", "window"])]
    model: Option<String>,
    #[command(flatten)]
    narrowed: Narrowed,
    /// What the window is compared with: `previous`, `same_hour_last_week`, `window:START/END` or `baseline:NAME`.
    #[arg(long, value_name = "SPAN", requires = "model")]
    reference: Option<String>,
    #[command(flatten)]
    stored: Stored,
    /// The columns of attributions.
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    columns: Option<Vec<String>>,
    /// What the names of columns of attributions begin with; empty for all numeric columns.
    #[arg(long, value_name = "PREFIX", default_value = "attribution.")]
    prefix: String,
    /// The ranking quality (nDCG) below which it is drift, above 0 and up to 1.
    #[arg(long, value_name = "Q", default_value_t = 0.9)]
    threshold: f64,
    /// Attributions that each side needs.
    #[arg(long, value_name = "N", default_value_t = 30)]
    min_rows: u64,
    /// The seed of the draws that make the interval.
    #[arg(long, value_name = "N", default_value_t = 20_130_101)]
    seed: u64,
    /// How to print.
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
    /// Exit with 1 where there is drift, and with 2 where there are too few rows to tell.
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
    /// The document `windvane.attribution/1`.
    Json,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FailOn {
    /// A ranking below the threshold, or a feature that is attributed on one side only.
    Drift,
}

/// Runs `windvane attribution`.
pub fn run(arguments: Arguments) -> CommandResult {
    if !(arguments.threshold > 0.0 && arguments.threshold <= 1.0) {
        return Err(usage(format!(
            "`--threshold {}` is out of range: above 0 and up to 1",
            arguments.threshold
        )));
    }
    let engine = Engine::embedded(arguments.model.is_none());
    by_hand::run(engine, look(&arguments), |document| answer(&document, &arguments))
}

async fn look(arguments: &Arguments) -> Result<Document, Failure> {
    let (reader, reference, current, run) = open(arguments).await?;
    let request = AttributionRequest {
        reference,
        current,
        columns: arguments.columns.clone().map(distinct),
        prefix: arguments.prefix.clone(),
        threshold: arguments.threshold,
        min_rows: arguments.min_rows.max(1),
        seed: arguments.seed,
    };
    let document = attribution::run(&reader, &request).await.map_err(failure)?;
    if let (Some(run), Reader::Store(store)) = (run, &reader) {
        let run = Run { computed_at_us: SystemClock.now().as_microsecond(), ..run };
        findings::attribution::write(store, &run, &document).await.map_err(connection::not_recorded)?;
    }
    Ok(document)
}

/// Where the rows are, the reference, the rows in question, and what findings will be about where they are kept.
type Opened = (Reader, Population, Population, Option<Run>);

async fn open(arguments: &Arguments) -> Result<Opened, Failure> {
    match (
        &arguments.files.reference_file,
        &arguments.files.current,
        &arguments.model,
        &arguments.reference,
        &arguments.stored.window,
    ) {
        (Some(reference), Some(current), None, ..) => {
            let files = vec![(reference.clone(), "reference"), (current.clone(), "current")];
            let (reader, populations) = open_files(files, arguments.offline).await?;
            let mut populations = populations.into_iter();
            let (Some(reference), Some(current)) = (populations.next(), populations.next()) else {
                unreachable!("every file gives a population");
            };
            Ok((reader, reference, current, None))
        }
        (None, None, Some(model), Some(reference), Some(window)) => {
            let now = SystemClock.now();
            let deployment = arguments.narrowed.of(model);
            let window = Span::parse(window, now).map_err(usage)?;
            let kind = by_hand::reference_of(reference, (window, now))?;
            let asked = Asked {
                deployment: &deployment,
                reference: &kind,
                window,
                stored_before_us: now.as_microsecond(),
                wanted: Wanted { columns: None, methods: None, segments: false, special: true },
            };
            let store = arguments.stored.connection.store()?;
            by_hand::known(&store, &deployment).await?;
            let drift::Opened { reference, current, .. } =
                drift::open(&store, asked).await.map_err(open_failure)?;
            let of = (kind.as_str(), kind.name());
            let run = (!arguments.stored.no_record).then(|| by_hand::findings(&deployment, window, of));
            Ok((Reader::Store(store), reference, current, run))
        }
        _ => Err(usage("give two files, or --model with --reference and --window".to_owned())),
    }
}

/// The exit code of what cannot be compared.
pub fn failure(error: AttributionError) -> Failure {
    let reason = match &error {
        AttributionError::Read(error) => reason_of(error),
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
        (Some(FailOn::Drift), Verdict::Drift) => Exit::Found,
        (Some(FailOn::Drift), Verdict::InsufficientData) => Exit::Inconclusive,
        _ => Exit::Ok,
    })
}

/// Features that the table tells, the most important ones.
const FEATURES_SHOWN: usize = 20;

/// The document for people.
pub fn table(document: &Document) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.force_no_tty();
    table.set_header(["feature", "place", "mean |attribution|"]);
    for feature in document.features.iter().take(FEATURES_SHOWN) {
        table.add_row([
            shortened(&feature.feature),
            format!("{} → {}", feature.rank_reference, feature.rank_current),
            format!("{} → {}", number(feature.importance_reference), number(feature.importance_current)),
        ]);
    }
    let lines: Vec<String> = table.to_string().lines().map(|line| line.trim_end().to_owned()).collect();
    let quality = match (document.ndcg, document.ci) {
        (Some(found), Some([low, high])) => format!("{} [{}, {}]", number(found), number(low), number(high)),
        (Some(found), None) => number(found),
        (None, _) => "undefined".to_owned(),
    };
    let mut text = format!(
        "{}: nDCG {quality}, threshold {}\n\n",
        document.verdict.as_str().replace('_', " "),
        document.threshold
    );
    if let (Verdict::NoDrift, Some(found), Some(p)) = (document.verdict, document.ndcg, document.p_value)
        && found < document.threshold
    {
        text += &format!("chance alone keeps a ranking no better: p {}\n\n", number(p));
    }
    for (role, side) in [("reference", &document.reference), ("current", &document.current)] {
        text += &format!("{role:<10} {} ({})\n", side.source, counted(side.rows, "row", "rows"));
    }
    for (names, said) in [
        (&document.vanished_features, "attributed in the reference only"),
        (&document.new_features, "attributed in the current rows only"),
    ] {
        if !names.is_empty() {
            let names: Vec<String> = names.iter().map(|name| shortened(name)).collect();
            text += &format!("{said}: {}\n", names.join(", "));
        }
    }
    text + &format!("\n{}\n", lines.join("\n"))
}
