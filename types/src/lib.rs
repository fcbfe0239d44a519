//! The nouns of Windvane and their wire format: events, rejections, findings, verdicts. No I/O, no async.

mod clock;

pub use clock::{Clock, SystemClock};
