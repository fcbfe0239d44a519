//! The command line: one variant a subcommand, one file a subcommand.

use std::ffi::OsString;

use clap::error::ErrorKind;
use clap::{Parser, Subcommand};

use crate::exit::{CommandResult, Exit, Failure, Reason};
use crate::{
    alerts, attribution, baseline, check_config, completions, dashboards, demo, detect, doctor, drift,
    engine, experiment, fairness, ingest, latency, monitor, output, performance, quality, query, runtime,
    schema, serve, shadow, spool, telemetry, token,
};

/// Shows which way a model drifts: collects what models predict, watches it, and says what changed.
#[derive(Debug, Parser)]
#[command(name = "windvane", version, propagate_version = true, max_term_width = 110)]
pub struct Cli {
    #[command(flatten)]
    log: telemetry::Arguments,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Demo(demo::Arguments),
    Serve(serve::Arguments),
    Ingest(ingest::Arguments),
    Detect(detect::Arguments),
    Drift(drift::Arguments),
    Performance(Box<performance::Arguments>),
    Attribution(Box<attribution::Arguments>),
    Fairness(Box<fairness::Arguments>),
    Baseline(baseline::Arguments),
    Quality(Box<quality::Arguments>),
    Latency(Box<latency::Arguments>),
    Monitor(monitor::Arguments),
    Experiment(Box<experiment::Arguments>),
    Shadow(shadow::Arguments),
    Alerts(alerts::Arguments),
    Dashboards(dashboards::Arguments),
    Query(query::Arguments),
    Engine(engine::Arguments),
    Schema(schema::Arguments),
    Runtime(runtime::Arguments),
    Token(token::Arguments),
    CheckConfig(check_config::Arguments),
    Doctor(doctor::Arguments),
    Spool(spool::Arguments),
    Completions(completions::CompletionsArguments),
    Man(completions::ManArguments),
}

/// Parses the process arguments and runs the subcommand they name.
pub fn run() -> CommandResult {
    let cli = match parse::<Cli>(std::env::args_os()) {
        Ok(cli) => cli,
        Err(error) => return answer_for(&error),
    };
    // Log lines of every block would tear the progress bars of these two apart.
    let usual = if matches!(cli.command, Command::Demo(_) | Command::Ingest(_)) { "warn" } else { "info" };
    // The service reads first whether it sends traces, too.
    if !matches!(cli.command, Command::Serve(_)) {
        telemetry::start(&cli.log, usual)?;
    }
    match cli.command {
        Command::Demo(arguments) => demo::run(arguments),
        Command::Serve(arguments) => serve::run(&arguments, &cli.log),
        Command::Ingest(arguments) => ingest::run(arguments),
        Command::Detect(arguments) => detect::run(arguments),
        Command::Drift(arguments) => drift::run(arguments),
        Command::Performance(arguments) => performance::run(*arguments),
        Command::Attribution(arguments) => attribution::run(*arguments),
        Command::Fairness(arguments) => fairness::run(*arguments),
        Command::Baseline(arguments) => baseline::run(arguments),
        Command::Quality(arguments) => quality::run(*arguments),
        Command::Latency(arguments) => latency::run(*arguments),
        Command::Monitor(arguments) => monitor::run(arguments),
        Command::Experiment(arguments) => experiment::run(*arguments),
        Command::Shadow(arguments) => shadow::run(arguments),
        Command::Alerts(arguments) => alerts::run(arguments),
        Command::Dashboards(arguments) => dashboards::run(arguments),
        Command::Query(arguments) => query::run(&arguments),
        Command::Engine(arguments) => engine::run(arguments),
        Command::Schema(arguments) => schema::run(&arguments),
        Command::Runtime(arguments) => runtime::run(arguments),
        Command::Token(arguments) => token::run(arguments),
        Command::CheckConfig(arguments) => check_config::run(arguments),
        Command::Doctor(arguments) => doctor::run(&arguments),
        Command::Spool(arguments) => spool::run(arguments),
        Command::Completions(arguments) => completions::completions(&arguments, command::<Cli>()),
        Command::Man(arguments) => completions::man(&arguments, command::<Cli>()),
    }
}

/// Reads words as a command line.
///
/// # Errors
/// They are none, or ask for help.
pub fn parse<P: Parser>(
    words: impl IntoIterator<Item = impl Into<OsString> + Clone>,
) -> Result<P, clap::Error> {
    let mut command = command::<P>();
    let mut matches = command.try_get_matches_from_mut(words)?;
    P::from_arg_matches_mut(&mut matches).map_err(|error| error.format(&mut command))
}

/// A command line where a number below 0 behind an option is its value: whether it may be is for the option to say.
fn command<P: Parser>() -> clap::Command {
    taking_negative_numbers(P::command())
}

fn taking_negative_numbers(command: clap::Command) -> clap::Command {
    let taking = |arg: clap::Arg| match arg.is_positional() || !arg.get_action().takes_values() {
        true => arg,
        false => arg.allow_negative_numbers(true),
    };
    command.mut_args(taking).mut_subcommands(taking_negative_numbers)
}

/// Help and version go to standard output and are no error; a wrong command line is exit code 64.
fn answer_for(error: &clap::Error) -> CommandResult {
    if !error.use_stderr() {
        return output::print(&error.render().to_string());
    }
    let text = error.render().to_string();
    let text = text.strip_prefix("error: ").unwrap_or(&text).trim_end();
    // What clap writes then is the help alone.
    let missing = error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand;
    let why = if missing { "a command is missing\n\n" } else { "" };
    Err(Failure { reason: Reason::Usage, error: anyhow::anyhow!("{why}{text}") })
}

/// Ends the process with the exit code of `result`, after printing its error once.
pub fn conclude(result: &CommandResult) -> u8 {
    match result {
        Ok(exit) => Exit::code(*exit),
        Err(failure) => {
            output::tell(&format!("windvane: {failure}"));
            failure.reason.code()
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_command_line_is_sound() {
        super::command::<super::Cli>().debug_assert();
    }
}
