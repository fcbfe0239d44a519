//! Keeping what a gate said, for roll-outs, pages and alerts.

use uuid::Uuid;
use windvane_store::Store;
use windvane_store::findings::{self, gate::Run};
use windvane_types::gate::Document;
use windvane_types::{Clock, SystemClock};

use super::source;
use crate::connection;
use crate::exit::Failure;

/// Writes the verdict under a name.
///
/// # Errors
/// The store does not take it.
pub fn write(
    store: &Store,
    (name, source): (&str, &source::Flags),
    document: &Document,
) -> Result<(), Failure> {
    let run = Run {
        run_id: Uuid::now_v7().to_string(),
        computed_at_us: SystemClock.now().as_microsecond(),
        gate: name.to_owned(),
        model: source.model().to_owned(),
        version: source.version().to_owned(),
    };
    let written = findings::gate::write(store, &run, document);
    connection::wait_for(async { written.await.map_err(connection::failure) })
        .map_err(|failure| Failure { error: failure.error.context("the verdict is not recorded"), ..failure })
}
