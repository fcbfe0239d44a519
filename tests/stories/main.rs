//! End-to-end stories through the binary, on the real engine.

#![allow(clippy::unwrap_used, reason = "in a story an unwrap is an assertion")]

mod asking;
mod baselines;
mod command_line;
mod connections;
mod crash_ingestion;
mod dashboards;
mod demo;
mod doctor;
mod drift;
mod drift_parquet;
mod drift_peers;
mod engine_lifecycle;
mod experiment;
mod findings;
mod ingest;
mod latency;
mod latency_store;
mod memory;
mod metrics;
mod monitors;
mod pages;
mod performance;
mod performance_estimates;
mod performance_late;
mod performance_losses;
mod quality;
mod quality_store;
mod read_api;
mod repeated_names;
mod reports;
mod runtime;
mod scheduler;
mod schema;
mod seeded;
mod service;
mod shadow;
mod shadow_serve;
mod shadow_store;
mod spool;
mod telemetry;
mod tls;
mod tokens;
mod unknown_models;
mod vectors;
