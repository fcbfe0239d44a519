//! End-to-end stories through the binary, on the real engine.

mod engine_lifecycle;
mod runtime;
mod service;
mod schema;
