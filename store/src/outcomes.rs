//! The `outcomes` table: its wire row.

use crate::rowbinary as rb;
use crate::wire::{Column, Wire, column};

/// The layouts of the table's wire rows, oldest first; see [`crate::Table`].
pub(crate) const LAYOUTS: &[&[Column]] = &[&[
    column("model", Wire::Word),
    column("event_id", Wire::Text),
    column("ts", Wire::Micros),
    column("ingested_at", Wire::Micros),
    column("label", Wire::OptionalWord),
    column("value", Wire::OptionalNumber),
]];

/// One row of `outcomes` in the current layout, borrowed from the event.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    /// The model that made the prediction.
    pub model: &'a str,
    /// The prediction's `event_id`.
    pub event_id: &'a str,
    /// When the outcome became known, microseconds since 1970 UTC.
    pub ts_us: i64,
    /// When the collector took the event, microseconds since 1970 UTC; the latest row of an event wins.
    pub ingested_at_us: i64,
    /// The true class.
    pub label: Option<&'a str>,
    /// The true number.
    pub value: Option<f64>,
}

impl Row<'_> {
    /// Appends the row in layout 1.
    pub fn encode(self, out: &mut Vec<u8>) {
        rb::string(out, self.model);
        rb::string(out, self.event_id);
        rb::i64(out, self.ts_us);
        rb::i64(out, self.ingested_at_us);
        rb::nullable(out, self.label, rb::string);
        rb::nullable(out, self.value, rb::f64);
    }
}
