//! The command line: one variant a subcommand, one file a subcommand.

use clap::{Parser, Subcommand};

use crate::exit::{CommandResult, Exit};

/// Shows which way a model drifts: collects what models predict, watches it, and says what changed.
#[derive(Debug, Parser)]
#[command(name = "windvane", version, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {}

/// Parses the process arguments and runs the subcommand they name.
pub fn run() -> CommandResult {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            if error.use_stderr() {
                std::process::exit(64)
            }
            return Ok(Exit::Ok);
        }
    };
    match cli.command {}
}
