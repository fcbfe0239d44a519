//! A fixed window as a reference: its rows are reduced once, and their profile stands for them in every window that is compared
//! with it, as long as they are the same rows. Where a profile does not answer (segments, texts, vectors, some methods) what statements
//! over the reference alone have said is kept instead; statements over both sides (categories, columns beyond eight million values) read it.
//!
//! Only a profile that loses nothing is kept, so that findings are those of the rows themselves; rows that come late, or go, are seen
//! by a count and a sum of the times at which rows came in, and the profile is made anew. A baseline that is saved by hand
//! keeps less of larger references, and does not follow its rows.

use std::sync::Arc;

use tokio::sync::Mutex;
use windvane_store::populations::{self, Fingerprint, Population, Storage};
use windvane_store::{KeptAnswers, ReadError, Reader, Store};
use windvane_types::baseline::Profile;
use windvane_types::drift::Kind;
use windvane_types::span::{ReferenceKind, Span};

use super::predictions::{Asked, OpenError, Opened, filter, open, side};
use super::stored::unanswered;
use crate::baseline;

/// Bytes of values that are kept of a reference: 1.4 million different numbers, of all columns together.
const KEPT_BYTES_MAX: u64 = 32 << 20;

/// Bytes of answers that are kept of a reference for which a profile does not stand.
const ANSWERS_BYTES_MAX: usize = 64 << 20;

/// What one process keeps of one reference. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct FixedReference {
    profile: Arc<Mutex<Option<Seen>>>,
    answers: Arc<Mutex<Option<Pinned>>>,
}

/// The rows as they were seen last, and what came of them.
#[derive(Debug)]
struct Seen {
    rows: Fingerprint,
    kept: Kept,
}

/// The rows as they were opened last, and what was answered of them.
#[derive(Debug)]
struct Pinned {
    rows: Fingerprint,
    /// As of when it was opened, so that statements over it are the same ones.
    reference: Population,
    answers: KeptAnswers,
}

/// The profile, or why there is none.
type Kept = Result<Arc<Profile>, &'static str>;

impl FixedReference {
    /// Opens both sides as [`open`] does, the reference by its profile where it is a fixed window whose profile answers.
    ///
    /// One run at a time looks at the reference; others of the same monitor wait for what it finds.
    ///
    /// # Errors
    /// As [`open`].
    pub async fn open(&self, store: &Store, asked: Asked<'_>) -> Result<Opened, OpenError> {
        let ReferenceKind::Window(span) = asked.reference else { return open(store, asked).await };
        let reader = Reader::Store(store.clone());
        if asked.wanted.segments || asked.wanted.special {
            return self.pinned(&reader, asked, *span).await;
        }
        let Ok(profile) = self.kept(&reader, asked, *span).await? else {
            return self.pinned(&reader, asked, *span).await;
        };
        let current = side(&reader, asked.deployment, asked.window, asked.stored_before_us).await?;
        let source = format!("{} {span}", asked.deployment.model);
        let columns =
            profile.columns.iter().map(|column| (column.column.clone(), column.kind == Kind::Numeric));
        Ok(Opened {
            reference: populations::without_rows(source, columns),
            baseline: Some(Arc::clone(&profile)),
            answers: None,
            current,
            reference_span: *span,
            read_again: None,
        })
    }

    /// Opens both sides, the rows of the reference as they were opened before where they are the same ones, with what was answered of them.
    async fn pinned(&self, reader: &Reader, asked: Asked<'_>, span: Span) -> Result<Opened, OpenError> {
        let filter = filter(asked.deployment, span, asked.stored_before_us);
        let rows = populations::fingerprint(reader, &filter).await?;
        let mut pinned = self.answers.lock().await;
        // What was kept of other rows goes before there is more.
        let same = pinned.take().filter(|pinned| pinned.rows == rows);
        let (reference, answers) = match same {
            Some(same) => {
                same.answers.turn();
                (same.reference, same.answers)
            }
            None => {
                let reference = side(reader, asked.deployment, span, asked.stored_before_us).await?;
                tracing::info!(
                    model = asked.deployment.model,
                    rows = rows.rows,
                    "a fixed reference is read anew"
                );
                (reference, KeptAnswers::new(ANSWERS_BYTES_MAX))
            }
        };
        *pinned = Some(Pinned { rows, reference: reference.clone(), answers: answers.clone() });
        drop(pinned);
        let current = side(reader, asked.deployment, asked.window, asked.stored_before_us).await?;
        let answers = Some(answers);
        Ok(Opened { reference, baseline: None, answers, current, reference_span: span, read_again: None })
    }

    /// What is kept of the rows as they are now.
    async fn kept(&self, reader: &Reader, asked: Asked<'_>, span: Span) -> Result<Kept, ReadError> {
        let mut seen = self.profile.lock().await;
        let filter = filter(asked.deployment, span, asked.stored_before_us);
        let rows = populations::fingerprint(reader, &filter).await?;
        if let Some(same) = seen.as_ref().filter(|seen| seen.rows == rows) {
            return Ok(same.kept.clone());
        }
        // What was kept of other rows goes before there is more.
        *seen = None;
        let kept = reduce(reader, asked, span).await?;
        let model = &asked.deployment.model;
        match &kept {
            Ok(profile) => tracing::info!(model, rows = profile.rows, "a fixed reference is kept"),
            Err(reason) => {
                tracing::info!(model, rows = rows.rows, reason, "no profile stands for a fixed reference");
            }
        }
        *seen = Some(Seen { rows, kept: kept.clone() });
        Ok(kept)
    }
}

/// Reduces the columns that are asked for.
async fn reduce(reader: &Reader, asked: Asked<'_>, span: Span) -> Result<Kept, ReadError> {
    let mut reference = side(reader, asked.deployment, span, asked.stored_before_us).await?;
    if let Some(columns) = asked.wanted.columns {
        reference.columns.retain(|column| columns.contains(&column.name));
    }
    let is_kept = |storage: &Storage| matches!(storage, Storage::Number(_) | Storage::Text(_));
    if !reference.columns.iter().all(|column| is_kept(&column.storage)) {
        return Ok(Err("it has embeddings"));
    }
    let Some(profile) = baseline::exact(reader, &reference, KEPT_BYTES_MAX).await? else {
        return Ok(Err("it has no rows, or more different values than are kept"));
    };
    match unanswered(&profile, asked.wanted) {
        None => Ok(Ok(Arc::new(profile))),
        Some(_) => Ok(Err("a method needs its rows")),
    }
}
