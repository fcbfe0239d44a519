//! Ingestion: HTTP → checked events → spool on disk (the acknowledgement) → ClickHouse, exactly once.
//!
//! A 2xx answer means that the batch is on disk, synced, and that each of its events will be in ClickHouse exactly
//! once, whatever is killed at whatever instant. A batch that was never answered is stored once or not at all, whole.
//!
//! **Invariant**: nothing here names ClickHouse's language or libraries; blocks go to a [`Sink`].

mod collector;
mod decode;
mod http;
mod in_flight;
mod kserve;
mod metrics;
mod options;
mod otlp;
mod sink;
mod spool;
mod upload;

pub use collector::{Collector, Drained};
pub use http::Readiness;
pub use metrics::{DEFINITIONS, Definition};
pub use options::CollectorOptions;
pub use otlp::{Price, Prices};
pub use sink::{Answer, Sink};
pub use spool::{BlockLimits, KeyLimits, OpenError, SpoolOptions};

#[cfg(test)]
mod tests;
