//! The `windvane` binary: reads the command line, runs one subcommand, prints its error once, exits with its code.

mod alerts;
mod arenas;
mod attribution;
mod baseline;
mod by_hand;
mod check_config;
mod cli;
mod completions;
mod config;
mod connection;
mod dashboards;
mod delivery;
mod demo;
mod detect;
mod doctor;
mod drift;
mod engine;
mod exit;
mod experiment;
mod fairness;
mod ingest;
mod latency;
mod monitor;
mod output;
mod performance;
mod quality;
mod query;
mod report;
mod runtime;
mod schema;
mod serve;
mod service;
mod shadow;
mod shutdown;
mod sockets;
mod spool;
mod telemetry;
mod token;

use std::io::Write;

fn main() {
    let code = cli::conclude(&cli::run());
    let _ = std::io::stdout().flush();
    // The embedded engine's own tear-down at exit crashes in some runs; its connections are closed by now.
    windvane_store::chdb::exit_now(code)
}
