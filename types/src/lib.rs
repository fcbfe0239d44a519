//! The nouns of Windvane and their wire format: events, rejections, findings, verdicts. No I/O, no async.

pub mod address;
pub mod alert;
pub mod assignment;
pub mod attribution;
pub mod baseline;
mod clock;
pub mod counting;
pub mod detect;
pub mod distinct;
pub mod drift;
pub mod event;
pub mod experiment;
pub mod experiment_aa;
pub mod experiment_plan;
pub mod experiment_summary;
pub mod fairness;
pub mod gate;
pub mod hex;
pub mod latency;
pub mod matcher;
pub mod nearest;
pub mod performance;
pub mod quality;
pub mod rejection;
pub mod span;

pub use clock::{Clock, SystemClock};
