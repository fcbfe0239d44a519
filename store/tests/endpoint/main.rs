//! The endpoint through its public interface: attacks, the checklist of the HTTP interface, and the `clickhouse` crate.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test may fail at once and start tasks of its own"
)]

mod answers;
mod attacks;
mod checklist;
mod crate_clickhouse;
mod service;
mod spares;
