//! `windvane alerts`: who is told of what, looked at, tried out, silenced, replayed over the past.

mod ack;
mod backtest;
mod lint;
mod list;
mod silence;
mod test;

use clap::{Args, Subcommand, ValueEnum};

use crate::exit::CommandResult;

/// Who is told of what is found: list what fires, silence it, try out receivers and rules.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    List(list::Arguments),
    Silence(silence::Arguments),
    Ack(ack::Arguments),
    Test(test::Arguments),
    Lint(lint::Arguments),
    Backtest(backtest::Arguments),
}

/// How a document is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Table,
    Json,
}

/// Runs `windvane alerts`.
pub fn run(arguments: Arguments) -> CommandResult {
    match arguments.command {
        Command::List(arguments) => list::run(&arguments),
        Command::Silence(arguments) => silence::run(arguments),
        Command::Ack(arguments) => ack::run(&arguments),
        Command::Test(arguments) => test::run(&arguments),
        Command::Lint(arguments) => lint::run(&arguments),
        Command::Backtest(arguments) => backtest::run(&arguments),
    }
}

/// Who runs a command, where they do not say.
fn somebody() -> String {
    std::env::var("USER").ok().filter(|user| !user.is_empty()).unwrap_or_else(|| "somebody".to_owned())
}

/// A table without spaces at the ends of its lines.
fn lines(table: &comfy_table::Table) -> String {
    let lines: Vec<String> = table.to_string().lines().map(|line| line.trim_end().to_owned()).collect();
    format!("{}\n", lines.join("\n"))
}
