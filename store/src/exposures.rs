//! The `exposures` table: its wire row.

use crate::rowbinary as rb;
use crate::wire::{Column, Wire, column};

/// The layouts of the table's wire rows, oldest first; see [`crate::Table`].
pub(crate) const LAYOUTS: &[&[Column]] = &[&[
    column("experiment", Wire::Word),
    column("unit_id", Wire::Text),
    column("arm", Wire::Word),
    column("ts", Wire::Micros),
    column("event_id", Wire::Text),
    column("ingested_at", Wire::Micros),
]];

/// One row of `exposures` in the current layout, borrowed from the event.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    /// The experiment's name.
    pub experiment: &'a str,
    /// Who or what was assigned.
    pub unit_id: &'a str,
    /// The arm it was assigned to.
    pub arm: &'a str,
    /// When it was first exposed, microseconds since 1970 UTC.
    pub ts_us: i64,
    /// The event's id, given or made.
    pub event_id: &'a str,
    /// When the collector took the event, microseconds since 1970 UTC.
    pub ingested_at_us: i64,
}

impl Row<'_> {
    /// Appends the row in layout 1.
    pub fn encode(self, out: &mut Vec<u8>) {
        rb::string(out, self.experiment);
        rb::string(out, self.unit_id);
        rb::string(out, self.arm);
        rb::i64(out, self.ts_us);
        rb::string(out, self.event_id);
        rb::i64(out, self.ingested_at_us);
    }
}
