//! Events on their way in: the five kinds, and the decoding of one JSON record into an event or a fault.
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
mod payload;
mod prediction;
mod reader;
mod tensor;
mod ts;
mod values;

use std::borrow::Cow;

pub use answer::{Answer, AnswerKind};
pub use decode::{Event, decode, decode_record};
pub use exposure::Exposure;
pub use limits::Limits;
pub use measurement::Measurement;
pub use outcome::Outcome;
pub use payload::Payload;
pub use prediction::Prediction;
pub use tensor::{Datatype, Element, NO_TEXT, Tensor};
pub use ts::{TS_MAX_US, TS_MIN_US, from_text as ts_of_text};

/// Text of an event: borrowed from the record, or owned where the record had escapes in it.
pub type Text<'a> = Cow<'a, str>;

/// Entries of a map column in the order of the record, without repeated keys.
pub type Entries<'a, V> = Vec<(Text<'a>, V)>;

/// Which of the five kinds an event is; the last word of its path under `/v1/`.
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
    /// The tensors that a model was given.
    Payload,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 5] =
        [Self::Prediction, Self::Outcome, Self::Exposure, Self::Measurement, Self::Payload];

    /// The plural, as in paths, tables and metrics.
    pub fn plural(self) -> &'static str {
        match self {
            Self::Prediction => "predictions",
            Self::Outcome => "outcomes",
            Self::Exposure => "exposures",
            Self::Measurement => "measurements",
            Self::Payload => "payloads",
        }
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod vector_tests;
