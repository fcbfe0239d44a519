//! Log lines of ours: to standard error, as text or JSON, filtered by `--log` or `WINDVANE_LOG`.

use std::io::{self, IsTerminal};

use clap::{Args, ValueEnum};
use tracing_subscriber::EnvFilter;

use crate::exit::{Because, Exit, Failure, Reason};

/// How log lines are written; the same for every subcommand.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Which log lines to write: error, warn, info, debug, trace, or `target=level,…`. Without it `info`; `warn` where a
    /// command shows progress.
    #[arg(long, global = true, env = "WINDVANE_LOG", value_name = "FILTER", help_heading = "Logging")]
    log: Option<String>,
    /// Log lines as text for people or JSON for machines.
    #[arg(
        long,
        global = true,
        env = "WINDVANE_LOG_FORMAT",
        value_enum,
        default_value = "text",
        value_name = "FORMAT",
        help_heading = "Logging"
    )]
    log_format: LogFormat,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum LogFormat {
    Text,
    Json,
}

/// Starts logging for this process; `usual` is the filter where the user named none.
///
/// # Errors
/// The filter does not parse.
pub fn start(arguments: &Arguments, usual: &str) -> Result<Exit, Failure> {
    let filter = EnvFilter::try_new(arguments.log.as_deref().unwrap_or(usual)).because(Reason::Usage)?;
    let colours =
        io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let builder =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).with_ansi(colours);
    let started = match arguments.log_format {
        LogFormat::Text => builder.with_target(false).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    started.map_err(|error| anyhow::anyhow!(error))?;
    Ok(Exit::Ok)
}
