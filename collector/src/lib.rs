//! Ingestion: HTTP → checked events → spool on disk (the acknowledgement) → ClickHouse, exactly once.
//!
//! A 2xx answer means that the batch is on disk, synced, and that each of its events will be in ClickHouse exactly
//! once, whatever is killed at whatever instant. A batch that was never answered is stored once or not at all, whole.
//!
//! **Invariant**: nothing here names ClickHouse's language or libraries; blocks go to a [`Sink`].

mod admission;
mod collector;
mod dead_letters;
mod decode;
mod door;
#[doc(hidden)]
pub mod fuzzing;
mod http;
mod in_flight;
mod kserve;
mod limits;
mod metrics;
mod opening;
mod options;
mod otlp;
mod own_metrics;
mod proxies;
mod redact;
mod sink;
mod spool;
mod tokens;
mod upload;

pub use admission::{
    Caller, DEFINITIONS as GATE_DEFINITIONS, Gate, GateOptions, Hosts, Reach, SenderOrigins,
};
pub use collector::{Collector, Drained, Gauges};
pub use dead_letters::{DeadLetter, DeadLetters, Unreadable};
pub use http::{BodyRefused, Readiness, read_body};
pub use limits::NameLimits;
pub use metrics::{DEFINITIONS, Definition};
pub use options::CollectorOptions;
pub use otlp::{Price, Prices};
pub use own_metrics::OwnMetrics;
pub use proxies::Proxies;
pub use redact::{Keep, Redaction, Rule, Telemetry};
pub use sink::{Answer, Sink};
pub use spool::{BlockLimits, KeyLimits, OpenError, SpoolOptions, SpoolState, TableState};
pub use tokens::{Keyring, Scope, Token, Tokens, TokensError, Wanted};

#[cfg(test)]
mod tests;
