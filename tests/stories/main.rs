//! End-to-end stories through the binary, on the real engine.

mod crash_ingestion;
mod demo;
mod engine_lifecycle;
mod ingest;
mod runtime;
mod schema;
mod service;
