//! The tables on the real engine, over its HTTP endpoint: migrations, inserting blocks, reading rows.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod alerting;
mod endpoint;
mod experiment_sums;
mod experiments;
mod findings;
mod inserts;
mod leases;
mod migrations;
mod populations;
mod projections;
mod replays;
mod statements;
mod telemetry;
