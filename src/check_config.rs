//! `windvane check-config`: says whether a configuration file is right, without starting anything.

use std::path::PathBuf;

use clap::Args;

use crate::config;
use crate::exit::{Because, CommandResult, Reason};
use crate::output::print;

/// Check a configuration file and the environment over it; every fault is told at once.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The TOML file.
    #[arg(long, value_name = "FILE", env = "WINDVANE_CONFIG", conflicts_with = "document")]
    config: Option<PathBuf>,
    /// Print the documentation of every key, as Markdown, instead.
    #[arg(long)]
    document: bool,
}

/// Runs `windvane check-config`.
pub fn run(arguments: Arguments) -> CommandResult {
    if arguments.document {
        return print(&config::documentation());
    }
    config::load(arguments.config.as_deref()).because(Reason::Config)?;
    print("the configuration is right\n")
}
