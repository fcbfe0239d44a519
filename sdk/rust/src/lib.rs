//! Windvane's hooks: record what a model predicts, without slowing it down.
//!
//! ```no_run
//! use windvane_sdk::{Answer, Client, Prediction, Settings};
//!
//! let client = Client::new(Settings { model: "delay".to_owned(), ..Settings::new("http://127.0.0.1:8080") })?;
//! let event_id = client.log_prediction(&Prediction {
//!     features: &[("distance", 1400.into()), ("carrier", "UA".into())],
//!     answer: Answer::Score(0.12),
//!     ..Prediction::default()
//! });
//! # Ok::<(), windvane_sdk::SettingsError>(())
//! ```
//!
//! A call copies the event into a queue that is bounded in bytes, and returns. A background thread writes it as JSON and sends batches, each under one Idempotency-Key over all tries. [`Client::stats`] says what became of every event.

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

pub mod assignment;
mod chunk;
mod client;
mod clock;
mod disk;
mod event;
mod fate;
mod id;
mod json;
#[cfg(feature = "tracing")]
pub mod layer;
#[cfg(feature = "tower")]
pub mod middleware;
mod queue;
mod record;
mod report;
pub mod sampling;
mod sender;
mod settings;
mod spool;
mod stats;

pub use client::Client;
pub use event::{Answer, Exposure, Measurement, Outcome, Prediction, Truth, Value};
pub use id::EventId;
pub use settings::{OnFull, Redact, Redacted, Settings, SettingsError};
pub use stats::Stats;
