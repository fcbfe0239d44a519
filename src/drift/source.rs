//! Where the populations of `windvane drift` come from: an engine of its own over two files, or the store.

use std::path::PathBuf;
use std::sync::Arc;

use windvane_analyzer::drift::{self, Asked, DriftRequest, OpenError, SegmentBounds, Wanted};
use windvane_store::{
    LocalEngine, ReadError, Reader, StoreError,
    findings::Run,
    local::LocalError,
    populations::{self, Population, PopulationError},
};
use windvane_types::baseline::Profile;
use windvane_types::span::Span;
use windvane_types::{Clock, SystemClock};

use super::arguments::{Options, Predictions, Sides, usage};
use crate::by_hand;
use crate::exit::{Because, Failure, Reason};
use crate::output;
use crate::runtime::{self, Fetching, Library, Places};

/// Memory that the engine of one comparison may take; sorts and groupings beyond a quarter of it go to its folder.
pub const ENGINE_BYTES_MAX: u64 = 1_500 << 20;

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
    /// What the findings are about, and the reference in event time, where they can be recorded: over the store, not over files.
    pub run: Option<(Run, Span)>,
}

/// Both populations, and where they are.
struct Sources {
    reader: Reader,
    reference: Population,
    baseline: Option<Arc<Profile>>,
    current: Population,
    run: Option<(Run, Span)>,
}

/// Opens both populations.
pub async fn open(options: &Options) -> Result<Opened, Failure> {
    let Sources { reader, reference, baseline, current, run } = match &options.sides {
        Sides::Files { reference, current } => {
            let files = vec![(reference.clone(), "reference"), (current.clone(), "current")];
            let (reader, mut populations) = open_files(files, options.offline).await?;
            let (current, reference) = (populations.pop(), populations.pop());
            let (Some(reference), Some(current)) = (reference, current) else {
                unreachable!("every file gives a population");
            };
            Sources { reader, reference, baseline: None, current, run: None }
        }
        Sides::Predictions(asked) => predictions(asked, options).await?,
    };
    let request = DriftRequest {
        reference,
        current,
        baseline,
        answers: None,
        columns: options.columns.clone(),
        methods: options.methods.clone(),
        bins: options.bins,
        text: options.text.clone(),
        embedding: options.embedding.clone(),
        segment_by: options.segment_by.clone(),
        segments: SegmentBounds::default(),
        rule: options.rule,
        seed: options.seed,
    };
    Ok(Opened { reader, request, run })
}

/// Opens files as populations, in an engine of this command alone; each comes with a table name of its own.
///
/// # Errors
/// The engine cannot start, or a file is missing or unreadable.
pub async fn open_files(
    files: Vec<(PathBuf, &'static str)>,
    offline: bool,
) -> Result<(Reader, Vec<Population>), Failure> {
    let library = Places::from_environment()
        .because(Reason::Config)?
        .locate(Library::Chdb, if offline { Fetching::Forbidden } else { Fetching::Allowed })
        .map_err(runtime::failure)?;
    for (path, _) in &files {
        std::fs::metadata(path)
            .map_err(|error| anyhow::anyhow!("cannot read `{}`: {error}", path.display()))
            .because(Reason::Data)?;
    }
    tokio::task::spawn_blocking(move || {
        let engine = LocalEngine::open(&library, ENGINE_BYTES_MAX).because(Reason::Unavailable)?;
        let open = |(path, table): &(PathBuf, &'static str)| {
            populations::open_file(&engine, path, table).map_err(population_failure)
        };
        let populations = files.iter().map(open).collect::<Result<_, _>>()?;
        Ok::<_, Failure>((Reader::Local(engine.clone()), populations))
    })
    .await?
}

/// Opens a window of a model's predictions and what it is compared with.
async fn predictions(asked: &Predictions, options: &Options) -> Result<Sources, Failure> {
    let now = SystemClock.now();
    let window = Span::parse(&asked.window, now).map_err(usage)?;
    let reference = by_hand::reference_of(&asked.reference, (window, now))?;
    let store = asked.connection.store()?;
    by_hand::known(&store, &asked.deployment).await?;
    let wanted = Wanted {
        columns: options.columns.as_deref(),
        methods: options.methods.as_deref(),
        segments: !options.segment_by.is_empty(),
        special: options.rule.compat.is_some() || !options.text.is_empty() || !options.embedding.is_empty(),
    };
    let stored_before_us = now.as_microsecond();
    let spans =
        Asked { deployment: &asked.deployment, reference: &reference, window, stored_before_us, wanted };
    let opened = drift::open(&store, spans).await.map_err(open_failure)?;
    if let Some(why) = &opened.read_again {
        output::tell(&format!(
            "windvane: the rows of the baseline are read again: its profile does not answer {why}"
        ));
    }
    let kind = (reference.as_str(), reference.name());
    let run =
        asked.record.then(|| (by_hand::findings(&asked.deployment, window, kind), opened.reference_span));
    let drift::Opened { reference, baseline, current, .. } = opened;
    Ok(Sources { reader: Reader::Store(store), reference, baseline, current, run })
}

/// The exit code of populations that cannot be opened.
pub fn open_failure(error: OpenError) -> Failure {
    let reason = match &error {
        OpenError::NoBaseline { .. } | OpenError::Gone { .. } => Reason::Data,
        OpenError::Read(error) => reason_of(error),
    };
    Failure { reason, error: error.into() }
}

/// The exit code of a file that is no population.
pub fn population_failure(error: PopulationError) -> Failure {
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
