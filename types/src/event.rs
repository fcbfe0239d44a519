//! Events on their way in: the four kinds, and the decoding of one JSON record into an event or a fault.
//!
//! An event borrows its text from the record where JSON allows it (strings without escapes), and [`decode()`] writes into
//! an event that the caller keeps and reuses: a batch of events costs no allocation an event once its vectors have
//! grown. This is the hot path of the collector; nothing here builds a tree of JSON values.

mod answer;
mod decode;
mod exposure;
mod features;
mod limits;
mod measurement;
mod outcome;
mod prediction;
mod reader;
mod ts;
mod values;

use std::borrow::Cow;

pub use answer::{Answer, AnswerKind};
pub use decode::{Event, decode};
pub use exposure::Exposure;
pub use limits::Limits;
pub use measurement::Measurement;
pub use outcome::Outcome;
pub use prediction::Prediction;
pub use ts::{TS_MAX_US, TS_MIN_US};

/// Text of an event: borrowed from the record, or owned where the record had escapes in it.
pub type Text<'a> = Cow<'a, str>;

/// Entries of a map column in the order of the record, without repeated keys.
pub type Entries<'a, V> = Vec<(Text<'a>, V)>;

/// Which of the four kinds an event is; the last word of its path under `/v1/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// One answer of a model.
    Prediction,
    /// The truth of a prediction.
    Outcome,
    /// A unit was assigned to an arm.
    Exposure,
    /// One value of a metric of a unit.
    Measurement,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Prediction, Self::Outcome, Self::Exposure, Self::Measurement];

    /// The plural, as in paths, tables and metrics.
    pub fn plural(self) -> &'static str {
        match self {
            Self::Prediction => "predictions",
            Self::Outcome => "outcomes",
            Self::Exposure => "exposures",
            Self::Measurement => "measurements",
        }
    }
}

#[cfg(test)]
mod tests;
