//! The `windvane` binary: reads the command line, runs one subcommand, prints its error once, exits with its code.

mod check_config;
mod cli;
mod config;
mod connection;
mod drift;
mod exit;
mod output;
mod query;
mod runtime;
mod schema;
mod telemetry;

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(cli::conclude(&cli::run()))
}
