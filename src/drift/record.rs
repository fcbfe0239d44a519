//! Keeping what a comparison over the store found, for pages and alerts.

use windvane_store::Reader;
use windvane_store::findings::{self, Run};
use windvane_types::drift::Document;
use windvane_types::span::Span;
use windvane_types::{Clock, SystemClock};

use crate::connection;
use crate::exit::Failure;

/// Writes the findings; a comparison of the same spans overwrites them.
///
/// # Errors
/// The store does not take them.
pub async fn write(
    reader: &Reader,
    (run, reference): (Run, Span),
    document: &Document,
) -> Result<(), Failure> {
    let Reader::Store(store) = reader else { return Ok(()) };
    let run = Run { computed_at_us: SystemClock.now().as_microsecond(), ..run };
    findings::drift::write(store, (&run, reference), document).await.map_err(connection::not_recorded)?;
    Ok(())
}
