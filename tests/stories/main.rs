//! End-to-end stories through the binary, on the real engine.

mod runtime;
mod service;
mod schema;
