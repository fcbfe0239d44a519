//! The `payloads` table: its wire row.

use crate::rowbinary as rb;
use crate::wire::{Column, Wire, column};

/// The layouts of the table's wire rows, oldest first; see [`crate::Table`].
pub(crate) const LAYOUTS: &[&[Column]] = &[&[
    column("event_id", Wire::Text),
    column("ts", Wire::Micros),
    column("ingested_at", Wire::Micros),
    column("model", Wire::Word),
    column("version", Wire::Word),
    column("environment", Wire::Word),
    column("inputs", Wire::Text),
    column("outputs", Wire::Text),
]];

/// One row of `payloads` in the current layout, borrowed from the event.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    /// The id of the prediction that was made of it.
    pub event_id: &'a str,
    /// When the model was asked, microseconds since 1970 UTC.
    pub ts_us: i64,
    /// When the collector took the event, microseconds since 1970 UTC.
    pub ingested_at_us: i64,
    /// Model name.
    pub model: &'a str,
    /// Model version; empty where the event has none.
    pub version: &'a str,
    /// Environment; empty where the event has none.
    pub environment: &'a str,
    /// What the model was given: a JSON array of tensors.
    pub inputs: &'a str,
    /// What it answered, in the same way; empty where the event has none.
    pub outputs: &'a str,
}

impl Row<'_> {
    /// Appends the row in layout 1.
    pub fn encode(self, out: &mut Vec<u8>) {
        rb::string(out, self.event_id);
        rb::i64(out, self.ts_us);
        rb::i64(out, self.ingested_at_us);
        rb::string(out, self.model);
        rb::string(out, self.version);
        rb::string(out, self.environment);
        rb::string(out, self.inputs);
        rb::string(out, self.outputs);
    }
}
