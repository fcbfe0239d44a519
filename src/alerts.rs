//! `windvane alerts`: who is told, tried out.

mod test;

use clap::{Args, Subcommand};

use crate::exit::CommandResult;

/// Try out who is told about findings.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Test(test::Arguments),
}

/// Runs `windvane alerts`.
pub fn run(arguments: Arguments) -> CommandResult {
    match arguments.command {
        Command::Test(arguments) => test::run(&arguments),
    }
}
