//! The `windvane` binary: reads the command line, runs one subcommand, prints its error once, exits with its code.

mod cli;
mod exit;

use std::process::ExitCode;

fn main() -> ExitCode {
    match cli::run() {
        Ok(exit) => ExitCode::from(exit.code()),
        Err(failure) => {
            eprintln!("windvane: {failure}");
            ExitCode::from(failure.reason.code())
        }
    }
}
