//! What became of every event, against a small HTTP server that fails on purpose; the layers, and the example.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

#[path = "collector/server.rs"]
mod server;

#[path = "collector/example.rs"]
mod example;
#[path = "collector/faults.rs"]
mod faults;
#[path = "collector/layers.rs"]
mod layers;
#[path = "collector/readme.rs"]
mod readme;
#[path = "collector/spool.rs"]
mod spool;
#[path = "collector/vectors.rs"]
mod vectors;
