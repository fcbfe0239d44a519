//! Which populations a comparison over the store reads: a window of a model's predictions, and what it is compared with.

use std::sync::Arc;

use windvane_store::baselines::{self, Baseline, Saved};
use windvane_store::populations::{
    self, Detail, Population, PopulationColumn, PredictionFilter, ProfileRow, Question, SegmentKeys, Storage,
};
use windvane_store::{KeptAnswers, ReadError, Reader, Store};
use windvane_types::baseline::{Profile, SCHEMA};
use windvane_types::drift::Kind;
use windvane_types::span::{ReferenceKind, Span};

use super::stored::{Wanted, unanswered};

/// Whose predictions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deployment {
    /// The model.
    pub model: String,
    /// Its version; all of them where `None`.
    pub version: Option<String>,
    /// Its environment; all of them where `None`.
    pub environment: Option<String>,
}

/// What is to be compared.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// Whose predictions.
    pub deployment: &'a Deployment,
    /// What the window is compared with.
    pub reference: &'a ReferenceKind,
    /// The window in question.
    pub window: Span,
    /// Only rows that were stored before this time, microseconds since 1970 UTC.
    pub stored_before_us: i64,
    /// What a stored profile would have to answer.
    pub wanted: Wanted<'a>,
}

/// Both sides, ready to be compared.
#[derive(Debug)]
pub struct Opened {
    /// What the window is compared with; without rows where its profile stands for it.
    pub reference: Population,
    /// The profile that stands for the reference.
    pub baseline: Option<Arc<Profile>>,
    /// What was answered of the reference's rows before.
    pub answers: Option<KeptAnswers>,
    /// The window.
    pub current: Population,
    /// The reference in event time.
    pub reference_span: Span,
    /// What the stored profile does not answer, where the baseline's rows are read again.
    pub read_again: Option<String>,
}

/// Why the populations cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// There is no baseline of this name.
    #[error("model `{model}` has no baseline `{name}`; `windvane baseline save` makes one")]
    NoBaseline {
        /// The model.
        model: String,
        /// The name asked for.
        name: String,
    },
    /// The profile does not answer, and the rows it was made of are gone.
    #[error(
        "the profile of baseline `{name}` does not answer {asked}, and of the {saved} predictions it was made of {found} are still stored"
    )]
    Gone {
        /// The baseline.
        name: String,
        /// What was asked of it.
        asked: String,
        /// Rows when it was saved.
        saved: u64,
        /// Rows now.
        found: u64,
    },
    /// A statement failed.
    #[error("cannot read the populations")]
    Read(#[from] ReadError),
}

/// Opens both sides.
///
/// # Errors
/// The baseline does not exist or cannot answer, or a statement fails.
pub async fn open(store: &Store, asked: Asked<'_>) -> Result<Opened, OpenError> {
    let reader = Reader::Store(store.clone());
    let current = side(&reader, asked.deployment, asked.window, asked.stored_before_us).await?;
    let reference_span = match asked.reference {
        ReferenceKind::Previous => asked.window.before(),
        ReferenceKind::SameHourLastWeek => asked.window.a_week_before(),
        ReferenceKind::Window(span) => *span,
        ReferenceKind::Baseline(name) => {
            let found = baselines::find(store, &asked.deployment.model, name).await;
            let saved = found.map_err(ReadError::from)?.ok_or_else(|| OpenError::NoBaseline {
                model: asked.deployment.model.clone(),
                name: name.clone(),
            })?;
            return open_baseline(&reader, current, saved, asked.wanted).await;
        }
    };
    let reference = side(&reader, asked.deployment, reference_span, asked.stored_before_us).await?;
    Ok(Opened { reference, baseline: None, answers: None, current, reference_span, read_again: None })
}

/// Opens one span of predictions.
///
/// # Errors
/// A statement fails.
pub async fn side(
    reader: &Reader,
    deployment: &Deployment,
    span: Span,
    stored_before_us: i64,
) -> Result<Population, ReadError> {
    let filter = filter(deployment, span, stored_before_us);
    populations::open_predictions(reader, format!("{} {span}", deployment.model), &filter).await
}

/// The filter that the predictions of one span pass.
pub(crate) fn filter(deployment: &Deployment, span: Span, stored_before_us: i64) -> PredictionFilter {
    PredictionFilter {
        model: deployment.model.clone(),
        version: deployment.version.clone(),
        environment: deployment.environment.clone(),
        start_us: span.start_us,
        end_us: span.end_us,
        stored_before_us,
    }
}

async fn open_baseline(
    reader: &Reader,
    current: Population,
    saved: Saved,
    wanted: Wanted<'_>,
) -> Result<Opened, OpenError> {
    let Saved { baseline, profile } = saved;
    let span = baseline.span();
    let profile = serde_json::from_str::<Profile>(&profile).ok().filter(|profile| profile.schema == SCHEMA);
    let why = match &profile {
        None => Some("anything, for it is none that this version reads".to_owned()),
        Some(profile) => unanswered(profile, wanted),
    };
    let by_profile = profile.filter(|_| why.is_none());
    let why = why.or_else(|| wants_embeddings(&current, wanted).then(|| "embeddings".to_owned()));
    let reference = match why {
        None => None,
        Some(_) => Some(reread(reader, &baseline).await?),
    };
    let opened = |reference, profile: Option<Profile>, read_again| Opened {
        reference,
        baseline: profile.map(Arc::new),
        answers: None,
        current,
        reference_span: span,
        read_again,
    };
    match (reference, by_profile) {
        (Some((reference, found)), _) if enough(found, &baseline) => Ok(opened(reference, None, why)),
        // Without its rows, the profile answers for all columns but the embeddings.
        (_, Some(profile)) => {
            let source = format!("{} baseline {} {span}", baseline.model, baseline.name);
            let columns =
                profile.columns.iter().map(|column| (column.column.clone(), column.kind == Kind::Numeric));
            Ok(opened(populations::without_rows(source, columns), Some(profile), None))
        }
        (reference, None) => Err(OpenError::Gone {
            name: baseline.name,
            asked: why.unwrap_or_default(),
            saved: baseline.rows,
            found: reference.map_or(0, |(_, found)| found),
        }),
    }
}

/// Whether columns that no profile keeps are among those to compare.
fn wants_embeddings(current: &Population, wanted: Wanted<'_>) -> bool {
    let asked = |name: &String| wanted.columns.is_none_or(|columns| columns.contains(name));
    let fits = wanted.methods.is_none_or(|methods| methods.iter().any(|method| method.fits(Kind::Embedding)));
    let vectors = |column: &PopulationColumn| matches!(column.storage, Storage::Vector(_));
    fits && current.columns.iter().any(|column| vectors(column) && asked(&column.name))
}

/// The rows that a baseline was made of, and how many of them are still there.
async fn reread(reader: &Reader, baseline: &Baseline) -> Result<(Population, u64), OpenError> {
    let named = |name: &str| Some(name.to_owned()).filter(|name| !name.is_empty());
    let deployment = Deployment {
        model: baseline.model.clone(),
        version: named(&baseline.version),
        environment: named(&baseline.environment),
    };
    let reference = side(reader, &deployment, baseline.span(), baseline.created_at_us).await?;
    let found = rows(reader, &reference).await?;
    Ok((reference, found))
}

/// Events sent twice may have collapsed since; a share that matters has not.
fn enough(found: u64, baseline: &Baseline) -> bool {
    found > 0 && found >= baseline.rows - baseline.rows / 100
}

/// How many rows a population has.
///
/// # Errors
/// The statement fails.
pub async fn rows(reader: &Reader, population: &Population) -> Result<u64, ReadError> {
    let whole = SegmentKeys::default();
    let question = Question { columns: &[], segments: &whole, quantiles: &[], detail: Detail::Counts };
    let rows: Vec<ProfileRow> = reader.rows(&populations::profile(population, question)).await?;
    Ok(rows.first().map_or(0, |row| row.rows))
}
