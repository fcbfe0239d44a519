//! Keeping what a comparison over the store found, for pages and alerts.

use uuid::Uuid;
use windvane_store::Reader;
use windvane_store::drift_findings::{self, Run};
use windvane_types::drift::Document;
use windvane_types::{Clock, SystemClock};

use super::arguments::Predictions;
use super::spans::{ReferenceKind, Span};
use crate::connection;
use crate::exit::Failure;

/// What the findings will be about: a run by hand.
pub fn run(asked: &Predictions, kind: &ReferenceKind, (reference, window): (Span, Span)) -> Run {
    let (reference_kind, reference_name) = match kind {
        ReferenceKind::Previous => ("previous", ""),
        ReferenceKind::Window(_) => ("window", ""),
        ReferenceKind::Baseline(name) => ("baseline", name.as_str()),
    };
    let span = |span: Span| drift_findings::Span { start_us: span.start_us, end_us: span.end_us };
    Run {
        run_id: Uuid::now_v7().to_string(),
        computed_at_us: 0,
        model: asked.model.clone(),
        version: asked.version.clone().unwrap_or_default(),
        environment: String::new(),
        monitor: String::new(),
        reference_kind: reference_kind.to_owned(),
        reference_name: reference_name.to_owned(),
        reference: span(reference),
        window: span(window),
        granularity: String::new(),
    }
}

/// Writes the findings; a comparison of the same spans overwrites them.
///
/// # Errors
/// The store does not take them.
pub async fn write(reader: &Reader, run: Run, document: &Document) -> Result<(), Failure> {
    let Reader::Store(store) = reader else { return Ok(()) };
    let run = Run { computed_at_us: SystemClock.now().as_microsecond(), ..run };
    drift_findings::write(store, &run, document).await.map_err(|error| {
        let Failure { reason, error } = connection::failure(error);
        Failure {
            reason,
            error: error.context("the findings are not recorded (--no-record only prints them)"),
        }
    })?;
    Ok(())
}
