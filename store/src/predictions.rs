//! The `predictions` table: its wire row.

use std::fmt;

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
    column("unit_id", Wire::Text),
    column("arms", Wire::Words),
    column("num", Wire::Numbers),
    column("cat", Wire::Words),
    column("embeddings", Wire::Vectors),
    column("kind", Wire::Word),
    column("score", Wire::OptionalNumber),
    column("label", Wire::OptionalWord),
    column("probabilities", Wire::Numbers),
    column("value", Wire::OptionalNumber),
    column("latency_us", Wire::OptionalCount),
    column("status", Wire::Word),
    column("trace_id", Wire::Text),
    column("span_id", Wire::Text),
    column("tags", Wire::Words),
]];

/// The keys and values of a map column, walked once: `'m` is the borrow of the iterator, `'a` that of the event.
pub type Entries<'m, 'a, V> = &'m mut (dyn Iterator<Item = (&'a str, V)> + 'a);

/// One row of `predictions` in the current layout, borrowed from the event. Encoding it consumes its iterators.
pub struct Row<'m, 'a> {
    /// The event's id, unique for the model; at most 128 bytes.
    pub event_id: &'a str,
    /// When the model answered, microseconds since 1970 UTC.
    pub ts_us: i64,
    /// When the collector took the event, microseconds since 1970 UTC; the same in every repetition of a block.
    pub ingested_at_us: i64,
    /// Model name.
    pub model: &'a str,
    /// Model version; empty where the event has none.
    pub version: &'a str,
    /// Environment, such as `prod`; empty where the event has none.
    pub environment: &'a str,
    /// Who or what the prediction is about; empty where the event has none.
    pub unit_id: &'a str,
    /// Experiment name → arm.
    pub arms: Entries<'m, 'a, &'a str>,
    /// Numeric features that are not missing.
    pub num: Entries<'m, 'a, f64>,
    /// Categorical features that are not missing; booleans as `true` and `false`.
    pub cat: Entries<'m, 'a, &'a str>,
    /// Embedding name → vector.
    pub embeddings: Entries<'m, 'a, &'a [f32]>,
    /// Which column is the answer: `score`, `label` or `value`; empty where the event has none.
    pub kind: &'a str,
    /// The score.
    pub score: Option<f64>,
    /// The predicted class.
    pub label: Option<&'a str>,
    /// Class → probability.
    pub probabilities: Entries<'m, 'a, f64>,
    /// The predicted number.
    pub value: Option<f64>,
    /// How long the model took, microseconds.
    pub latency_us: Option<u64>,
    /// How the call ended: `ok` or a word for the failure.
    pub status: &'a str,
    /// W3C trace id in hex; empty where the event has none.
    pub trace_id: &'a str,
    /// W3C span id in hex; empty where the event has none.
    pub span_id: &'a str,
    /// Free labels to cut segments by.
    pub tags: Entries<'m, 'a, &'a str>,
}

impl Row<'_, '_> {
    /// Appends the row in layout 1.
    pub fn encode(self, out: &mut Vec<u8>) {
        rb::string(out, self.event_id);
        rb::i64(out, self.ts_us);
        rb::i64(out, self.ingested_at_us);
        rb::string(out, self.model);
        rb::string(out, self.version);
        rb::string(out, self.environment);
        rb::string(out, self.unit_id);
        rb::map(out, self.arms, rb::string);
        rb::map(out, self.num, rb::f64);
        rb::map(out, self.cat, rb::string);
        rb::map(out, self.embeddings, rb::f32s);
        rb::string(out, self.kind);
        rb::nullable(out, self.score, rb::f64);
        rb::nullable(out, self.label, rb::string);
        rb::map(out, self.probabilities, rb::f64);
        rb::nullable(out, self.value, rb::f64);
        rb::nullable(out, self.latency_us, rb::u64);
        rb::string(out, self.status);
        rb::string(out, self.trace_id);
        rb::string(out, self.span_id);
        rb::map(out, self.tags, rb::string);
    }
}

impl fmt::Debug for Row<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Row")
            .field("event_id", &self.event_id)
            .field("model", &self.model)
            .finish_non_exhaustive()
    }
}
