//! Keeping what a comparison over the store found, for pages and alerts.

use uuid::Uuid;
use windvane_store::Reader;
use windvane_store::findings::{self, drift::Run};
use windvane_types::drift::Document;
use windvane_types::span::{ReferenceKind, Span};
use windvane_types::{Clock, SystemClock};

use super::arguments::Predictions;
use crate::connection;
use crate::exit::Failure;

/// What the findings will be about: a run by hand.
pub fn run(asked: &Predictions, kind: &ReferenceKind, (reference, window): (Span, Span)) -> Run {
    Run {
        run_id: Uuid::now_v7().to_string(),
        computed_at_us: 0,
        model: asked.deployment.model.clone(),
        version: asked.deployment.version.clone().unwrap_or_default(),
        environment: asked.deployment.environment.clone().unwrap_or_default(),
        monitor: String::new(),
        reference_kind: kind.as_str().to_owned(),
        reference_name: kind.name().to_owned(),
        reference,
        window,
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
    findings::drift::write(store, &run, document).await.map_err(connection::not_recorded)?;
    Ok(())
}
