//! Keeping what a check over the store found, for pages and alerts.

use windvane_store::Reader;
use windvane_store::findings::{self, Run};
use windvane_types::quality::Document;
use windvane_types::{Clock, SystemClock};

use crate::connection;
use crate::exit::Failure;

/// Writes the findings; a check of the same span overwrites them.
///
/// # Errors
/// The store does not take them.
pub async fn write(reader: &Reader, run: Run, document: &Document) -> Result<(), Failure> {
    let Reader::Store(store) = reader else { return Ok(()) };
    let run = Run { computed_at_us: SystemClock.now().as_microsecond(), ..run };
    findings::quality::write(store, &run, document).await.map_err(connection::not_recorded)?;
    Ok(())
}
