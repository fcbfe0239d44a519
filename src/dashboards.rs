//! `windvane dashboards`: writes Grafana's dashboards and provisioning, and checks that every panel's statement runs.

mod answer;
mod check;
mod write;

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::connection;
use crate::exit::CommandResult;

/// Grafana dashboards over the tables.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Write(WriteArguments),
    Check(CheckArguments),
}

/// Write dashboards, data source, contact point and alert rules as files that Grafana provisions itself from.
///
/// Files that are there are replaced; nothing else in the folder is touched.
#[derive(Debug, Args)]
pub struct WriteArguments {
    /// The folder; it is made where it is missing.
    #[arg(value_name = "DIR")]
    dir: PathBuf,
    /// The address of the pages, for links to them.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080")]
    url: String,
    /// ClickHouse's host, as Grafana reaches it.
    #[arg(long, value_name = "HOST", default_value = "127.0.0.1")]
    clickhouse_host: String,
    /// ClickHouse's HTTP port, or that of the embedded engine's endpoint.
    #[arg(long, value_name = "PORT", default_value_t = 8123)]
    clickhouse_port: u16,
    /// The folder in which Grafana will find the dashboards.
    #[arg(long, value_name = "DIR", default_value = "/var/lib/grafana/dashboards/windvane")]
    grafana_dir: String,
    /// Where Grafana's own alerts are posted to; without it no contact point and no alert rules are written.
    #[arg(long, value_name = "URL")]
    webhook: Option<String>,
}

/// Check the dashboards of this version: places, units, descriptions; with a store also every statement, macros and
/// variables written out as Grafana's data source does.
#[derive(Debug, Args)]
pub struct CheckArguments {
    #[command(flatten)]
    connection: connection::Flags,
    /// Only what can be checked without a store.
    #[arg(long)]
    offline: bool,
}

/// Runs `windvane dashboards`.
pub fn run(arguments: Arguments) -> CommandResult {
    match arguments.command {
        Command::Write(arguments) => write::run(&arguments),
        Command::Check(arguments) => check::run(&arguments),
    }
}
