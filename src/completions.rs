//! `windvane completions` and `windvane man`: what shells and manual readers need, made from the command line's own definition.

use std::io;
use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, Command};
use clap_complete::Shell;

use crate::exit::{Because, CommandResult, Exit, Reason};
use crate::output::print;

/// Print a completion script for a shell.
#[derive(Debug, Args)]
pub struct CompletionsArguments {
    /// Which shell.
    #[arg(value_enum)]
    shell: Shell,
}

/// Write the manual pages into a folder.
#[derive(Debug, Args)]
pub struct ManArguments {
    /// The folder; it is made where there is none.
    #[arg(value_name = "DIR")]
    dir: PathBuf,
}

/// Runs `windvane completions` for the command line `command`.
pub fn completions(arguments: &CompletionsArguments, mut command: Command) -> CommandResult {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut command, "windvane", &mut script);
    print(&String::from_utf8_lossy(&script))
}

/// Runs `windvane man` for the command line `command`.
pub fn man(arguments: &ManArguments, command: Command) -> CommandResult {
    let write = |result: io::Result<()>| {
        result
            .with_context(|| format!("cannot write manual pages into `{}`", arguments.dir.display()))
            .because(Reason::Unavailable)
    };
    write(std::fs::create_dir_all(&arguments.dir))?;
    write(clap_mangen::generate_to(command, &arguments.dir))?;
    Ok(Exit::Ok)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn manual_pages_make_their_folder() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("share/man");
        for _ in 0..2 {
            man(&ManArguments { dir: dir.clone() }, Command::new("windvane")).unwrap();
            assert!(dir.join("windvane.1").is_file());
        }
        let told = man(&ManArguments { dir: dir.join("windvane.1") }, Command::new("windvane"));
        assert_eq!(told.unwrap_err().reason, Reason::Unavailable);
    }
}
