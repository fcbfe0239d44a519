//! The `measurements` table: its wire row.

use crate::rowbinary as rb;
use crate::wire::{Column, Wire, column};

/// The layouts of the table's wire rows, oldest first; see [`crate::Table`].
pub(crate) const LAYOUTS: &[&[Column]] = &[&[
    column("metric", Wire::Word),
    column("unit_id", Wire::Text),
    column("ts", Wire::Micros),
    column("value", Wire::Number),
    column("event_id", Wire::Text),
    column("ingested_at", Wire::Micros),
]];

/// One row of `measurements` in the current layout, borrowed from the event.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    /// The metric's name.
    pub metric: &'a str,
    /// Whose value it is.
    pub unit_id: &'a str,
    /// When it was measured, microseconds since 1970 UTC.
    pub ts_us: i64,
    /// The value, in the metric's unit.
    pub value: f64,
    /// The event's id, given or made.
    pub event_id: &'a str,
    /// When the collector took the event, microseconds since 1970 UTC.
    pub ingested_at_us: i64,
}

impl Row<'_> {
    /// Appends the row in layout 1.
    pub fn encode(self, out: &mut Vec<u8>) {
        rb::string(out, self.metric);
        rb::string(out, self.unit_id);
        rb::i64(out, self.ts_us);
        rb::f64(out, self.value);
        rb::string(out, self.event_id);
        rb::i64(out, self.ingested_at_us);
    }
}
