//! Where the populations of `windvane drift` come from: an engine of its own over two files, or the store.

use windvane_analyzer::drift::DriftRequest;
use windvane_store::{
    LocalEngine, ReadError, Reader, StoreError,
    drift_findings::Run,
    local::LocalError,
    populations::{self, Population, PopulationError, PredictionFilter},
};
use windvane_types::{Clock, SystemClock};

use super::arguments::{Options, Predictions, Sides, usage};
use super::record;
use super::spans::{ReferenceKind, Span};
use crate::exit::{Because, Failure, Reason};
use crate::runtime::{self, Fetching, Library, Places};

/// Memory that the engine of one comparison may take; sorts and groupings beyond a quarter of it go to its folder.
const ENGINE_BYTES_MAX: u64 = 1_500 << 20;

/// ClickHouse's codes that speak of us or of the machine, not of the data: MEMORY_LIMIT_EXCEEDED, NOT_ENOUGH_SPACE,
/// SYNTAX_ERROR, UNKNOWN_FUNCTION, UNKNOWN_IDENTIFIER, LOGICAL_ERROR, ILLEGAL_TYPE_OF_ARGUMENT.
const UNAVAILABLE_CODES: [i32; 3] = [241, 243, 159];
const OUR_FAULT_CODES: [i32; 6] = [62, 46, 47, 49, 43, 386];

/// What a comparison needs.
#[derive(Debug)]
pub struct Opened {
    /// Where the rows are.
    pub reader: Reader,
    /// Both populations, and what is asked.
    pub request: DriftRequest,
    /// What the findings are about, where they can be recorded: over the store, not over files.
    pub run: Option<Run>,
}

/// Opens both populations.
pub async fn open(options: &Options) -> Result<Opened, Failure> {
    let (reader, reference, current, run) = match &options.sides {
        Sides::Files { reference, current } => {
            let library = Places::from_environment()
                .because(Reason::Config)?
                .locate(Library::Chdb, if options.offline { Fetching::Forbidden } else { Fetching::Allowed })
                .map_err(runtime::failure)?;
            for path in [reference, current] {
                std::fs::metadata(path)
                    .map_err(|error| anyhow::anyhow!("cannot read `{}`: {error}", path.display()))
                    .because(Reason::Data)?;
            }
            let (reference, current) = (reference.clone(), current.clone());
            tokio::task::spawn_blocking(move || {
                let engine = LocalEngine::open(&library, ENGINE_BYTES_MAX).because(Reason::Unavailable)?;
                let open =
                    |path, table| populations::open_file(&engine, path, table).map_err(population_failure);
                let reference: Population = open(&reference, "reference")?;
                let current: Population = open(&current, "current")?;
                Ok::<_, Failure>((Reader::Local(engine.clone()), reference, current, None))
            })
            .await??
        }
        Sides::Predictions(asked) => predictions(asked).await?,
    };
    let request = DriftRequest {
        reference,
        current,
        columns: options.columns.clone(),
        methods: options.methods.clone(),
        bins: options.bins,
        text: options.text.clone(),
        segment_by: options.segment_by.clone(),
        rule: options.rule,
        seed: options.seed,
    };
    Ok(Opened { reader, request, run })
}

/// Opens two spans of a model's predictions.
async fn predictions(asked: &Predictions) -> Result<(Reader, Population, Population, Option<Run>), Failure> {
    let now = SystemClock.now();
    let window = Span::parse(&asked.window, now).map_err(usage)?;
    let kind = ReferenceKind::parse(&asked.reference, now).map_err(usage)?;
    let reader = Reader::Store(asked.connection.store()?);
    let failed = |error: ReadError| Failure { reason: reason_of(&error), error: error.into() };
    let mut version = asked.version.clone();
    let run = |span: Span| record::run(asked, &kind, (span, window));
    let span = match &kind {
        ReferenceKind::Previous => window.before(),
        ReferenceKind::Window(span) => *span,
        ReferenceKind::Baseline(name) => {
            let found = populations::find_baseline(&reader, &asked.model, name).await.map_err(failed)?;
            let Some(found) = found else {
                return Err(anyhow::anyhow!("model `{}` has no baseline `{name}`", asked.model))
                    .because(Reason::Data);
            };
            version = version.or(Some(found.version).filter(|version| !version.is_empty()));
            Span { start_us: found.start_us, end_us: found.end_us }
        }
    };
    let side = |span: Span, version: Option<String>| {
        let filter = PredictionFilter {
            model: asked.model.clone(),
            version,
            start_us: span.start_us,
            end_us: span.end_us,
            stored_before_us: now.as_microsecond(),
        };
        let source = format!("{} {span}", asked.model);
        let reader = reader.clone();
        async move { populations::open_predictions(&reader, source, &filter).await }
    };
    let reference = side(span, version).await.map_err(failed)?;
    let current = side(window, asked.version.clone()).await.map_err(failed)?;
    let run = asked.record.then(|| run(span));
    Ok((reader, reference, current, run))
}

fn population_failure(error: PopulationError) -> Failure {
    let reason = match &error {
        PopulationError::Unreadable { source, .. } => local_reason(source),
        _ => Reason::Data,
    };
    Failure { reason, error: error.into() }
}

/// The exit code of a statement that failed.
pub fn reason_of(error: &ReadError) -> Reason {
    match error {
        ReadError::Store(StoreError::Unreachable { .. } | StoreError::TimedOut { .. }) => Reason::Unavailable,
        ReadError::Store(error) => by_code(error.code()),
        ReadError::Local(error) => local_reason(error),
        ReadError::Thread(_) => Reason::Software,
    }
}

fn local_reason(error: &LocalError) -> Reason {
    match error {
        LocalError::Load(_) | LocalError::Folder(_) => Reason::Unavailable,
        LocalError::File { .. } | LocalError::Name { .. } => Reason::Data,
        LocalError::Engine(_) => by_code(error.code()),
        LocalError::Row { .. } | LocalError::Encoding(_) => Reason::Software,
    }
}

/// What the engine cannot read in a file is the file's fault, unless its code says otherwise.
fn by_code(code: Option<i32>) -> Reason {
    match code {
        Some(code) if UNAVAILABLE_CODES.contains(&code) => Reason::Unavailable,
        Some(code) if OUR_FAULT_CODES.contains(&code) => Reason::Software,
        Some(_) => Reason::Data,
        None => Reason::Software,
    }
}
