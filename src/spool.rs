//! `windvane spool`: what waits in the spool, and what ClickHouse could not take.

use std::io;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};
use comfy_table::{Table, presets};
use serde_json::json;
use windvane_collector::{DeadLetter, DeadLetters, SpoolState, Unreadable};
use windvane_store::{Fault, Store};
use windvane_types::counting::counted;
use windvane_types::{Clock, SystemClock, span};

use crate::exit::{Because, CommandResult, Exit, Failure, Reason};
use crate::output::{self, print};
use crate::{config, connection};

/// Look at the spool, and at the rows that ClickHouse could not take; also while the service runs.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List what waits for ClickHouse, and the dead letters with the reason of each; exit code 65 if a file of these cannot be read.
    List {
        #[command(flatten)]
        place: Place,
        /// How the list is written.
        #[arg(long, value_enum, default_value = "table")]
        format: Format,
    },
    /// Send dead letters to ClickHouse again, and remove those that it takes; exit code 1 if it refuses one again.
    Retry {
        #[command(flatten)]
        chosen: Chosen,
        /// The folder of the spool, in place of the configuration's.
        #[arg(long, value_name = "DIR")]
        spool_dir: Option<PathBuf>,
        #[command(flatten)]
        connection: connection::Flags,
    },
    /// Print the events of dead letters, one a line, as the paths under /v1/ take them.
    Export {
        #[command(flatten)]
        chosen: Chosen,
        #[command(flatten)]
        place: Place,
    },
}

/// Where the spool is.
#[derive(Debug, Args)]
struct Place {
    /// The configuration file of the service.
    #[arg(long, value_name = "FILE", env = "WINDVANE_CONFIG")]
    config: Option<PathBuf>,
    /// The folder of the spool, in place of the configuration's.
    #[arg(long, value_name = "DIR")]
    spool_dir: Option<PathBuf>,
}

impl Place {
    fn folder(&self) -> Result<PathBuf, Failure> {
        match &self.spool_dir {
            Some(folder) => Ok(folder.clone()),
            None => Ok(config::load(self.config.as_deref()).because(Reason::Config)?.collector.spool_dir),
        }
    }
}

/// Which dead letters.
#[derive(Debug, Args)]
struct Chosen {
    /// Their tokens, as `windvane spool list` shows them; without any, all.
    #[arg(value_name = "TOKEN")]
    tokens: Vec<String>,
}

impl Chosen {
    /// Files that cannot be read are in the way only where all letters are meant.
    fn of(&self, folder: &Path) -> Result<DeadLetters, Failure> {
        let DeadLetters { mut readable, mut unreadable } =
            DeadLetter::all(folder).because(Reason::Unavailable)?;
        let is_known = |token: &String| readable.iter().any(|letter| letter.token == *token);
        if let Some(unknown) = self.tokens.iter().find(|token| !is_known(token)) {
            let error =
                anyhow::anyhow!("there is no dead letter `{unknown}`; `windvane spool list` shows them");
            return Err(Failure { reason: Reason::Usage, error });
        }
        if !self.tokens.is_empty() {
            readable.retain(|letter| self.tokens.contains(&letter.token));
            unreadable.clear();
        }
        Ok(DeadLetters { readable, unreadable })
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    Table,
    Json,
}

/// Runs `windvane spool`.
pub fn run(arguments: Arguments) -> CommandResult {
    match arguments.action {
        Action::List { place, format } => list(&place.folder()?, format),
        Action::Retry { chosen, spool_dir, connection } => {
            let folder = match spool_dir {
                Some(folder) => folder,
                None => connection.config()?.collector.spool_dir,
            };
            let (letters, store) = (chosen.of(&folder)?, connection.store()?);
            connection::wait_for(retry(letters, &store))
        }
        Action::Export { chosen, place } => export(chosen.of(&place.folder()?)?),
    }
}

/// How a command ends that has done with the letters which can be read.
fn end(exit: Exit, unreadable: &[Unreadable]) -> CommandResult {
    if unreadable.is_empty() {
        return Ok(exit);
    }
    let problems: Vec<_> = unreadable.iter().map(|file| file.problem.as_str()).collect();
    let error = anyhow::anyhow!("{}; mend it, or move it out of the folder", problems.join("; "));
    Err(Failure { reason: Reason::Data, error })
}

/// Of a letter whose rows cannot be read.
fn unreadable(letter: &DeadLetter, error: &io::Error) -> Unreadable {
    let file = letter.file();
    let problem = format!("cannot read `{}`: {error}", file.display());
    Unreadable { file, problem }
}

fn list(folder: &Path, format: Format) -> CommandResult {
    let state = SpoolState::of(folder).because(Reason::Unavailable)?;
    let letters = DeadLetter::all(folder).because(Reason::Unavailable)?;
    match format {
        Format::Table => print(&table(&state, &letters))?,
        Format::Json => {
            let tables: Vec<_> = state
                .tables
                .iter()
                .map(|table| {
                    json!({
                        "table": table.table.name(),
                        "segments": table.segments,
                        "disk_bytes": table.disk_bytes,
                        "pending_rows": table.pending_rows,
                        "oldest": table.oldest_us.map(span::shown),
                        "damaged_files": table.damaged_files,
                    })
                })
                .collect();
            let readable: Vec<_> = letters.readable.iter().map(shown).collect();
            let unreadable = letters.unreadable.iter();
            let unreadable: Vec<_> = unreadable
                .map(|one| json!({"file": one.file.display().to_string(), "problem": one.problem}))
                .collect();
            let document = json!({
                "schema": "windvane.spool/1", "folder": folder.display().to_string(), "in_use": state.in_use,
                "tables": tables, "dead_letters": readable, "unreadable": unreadable,
            });
            print(&format!("{document:#}\n"))?
        }
    };
    end(Exit::Ok, &letters.unreadable)
}

fn shown(letter: &DeadLetter) -> serde_json::Value {
    json!({
        "token": letter.token, "table": letter.table.name(), "rows": letter.rows, "reason": letter.reason,
        "file": letter.file().display().to_string(),
    })
}

fn table(state: &SpoolState, DeadLetters { readable, unreadable }: &DeadLetters) -> String {
    let now_us = SystemClock.now().as_microsecond();
    let mut waits = Table::new();
    waits.load_style(presets::NOTHING);
    waits.set_header(["table", "pending rows", "oldest", "bytes on disk", "damaged files"]);
    for table in &state.tables {
        let age = table.oldest_us.map(|oldest| format!("{} s ago", (now_us - oldest).max(0) / 1_000_000));
        waits.add_row([
            table.table.name().to_owned(),
            table.pending_rows.to_string(),
            age.unwrap_or_else(|| "-".to_owned()),
            table.disk_bytes.to_string(),
            table.damaged_files.to_string(),
        ]);
    }
    let rows: u64 = readable.iter().map(|letter| letter.rows).sum();
    let mut text = format!(
        "{waits}\n\n{} with {}\n",
        counted(readable.len() as u64, "dead letter", "dead letters"),
        counted(rows, "row", "rows")
    );
    for letter in readable {
        let reason = letter.reason.lines().next().unwrap_or_default();
        text.push_str(&format!(
            "\n{} · {} · {}\n  {reason}\n",
            letter.token,
            letter.table,
            counted(letter.rows, "row", "rows")
        ));
    }
    if !unreadable.is_empty() {
        text.push_str(&format!(
            "\n{} beside them cannot be read\n",
            counted(unreadable.len() as u64, "file", "files")
        ));
    }
    text
}

async fn retry(mut letters: DeadLetters, store: &Store) -> CommandResult {
    let (mut stored, mut refused) = (0, 0);
    for letter in &letters.readable {
        let block = match letter.block() {
            Ok(block) => block,
            Err(error) => {
                letters.unreadable.push(unreadable(letter, &error));
                continue;
            }
        };
        match store.insert(&block).await {
            Ok(()) => {
                letter.remove().because(Reason::Unavailable)?;
                stored += letter.rows;
            }
            Err(error) if error.fault() == Fault::Poison => {
                refused += letter.rows;
                output::tell(&format!("windvane: {}: {error}", letter.token));
            }
            Err(error) => return Err(connection::failure(error)),
        }
    }
    print(&format!(
        "{} stored, {} refused again\n",
        counted(stored, "row is", "rows are"),
        counted(refused, "was", "were")
    ))?;
    end(if refused > 0 { Exit::Found } else { Exit::Ok }, &letters.unreadable)
}

fn export(mut letters: DeadLetters) -> CommandResult {
    let mut lines = String::new();
    for letter in &letters.readable {
        match letter.events() {
            Ok(events) => events.iter().for_each(|event| lines.push_str(&format!("{event}\n"))),
            Err(error) => letters.unreadable.push(unreadable(letter, &error)),
        }
    }
    print(&lines)?;
    end(Exit::Ok, &letters.unreadable)
}
