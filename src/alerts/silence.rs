//! `windvane alerts silence`: nobody is told of some alerts for a while.

use clap::{Args, Subcommand};
use comfy_table::{Table, presets};
use uuid::Uuid;
use windvane_store::alerts::silences::{self, MakeError};
use windvane_types::alert::Silence;
use windvane_types::matcher::Matcher;
use windvane_types::{Clock, SystemClock, span};

use super::Format;
use crate::connection;
use crate::drift::arguments::usage;
use crate::exit::{CommandResult, Failure, Reason};
use crate::output::{pretty, print};

/// Keep alerts from being told for a while: make a silence, list them, end one.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Make a silence.
    Add {
        /// Alerts that fulfil all of these are not told, such as model="delay" 'column=~"temp|dewp"'.
        #[arg(required = true, value_name = "MATCHER")]
        matchers: Vec<Matcher>,
        /// How long, such as 90m, 4h or 2d.
        #[arg(long = "for", value_name = "LENGTH", default_value = "2h")]
        length: String,
        /// From when; now unless given.
        #[arg(long, value_name = "TIME")]
        from: Option<String>,
        /// Why.
        #[arg(long, value_name = "TEXT")]
        comment: String,
        /// Who makes it; the user of this machine unless given.
        #[arg(long, value_name = "NAME")]
        by: Option<String>,
        #[command(flatten)]
        connection: connection::Flags,
    },
    /// List silences that have not ended.
    List {
        #[command(flatten)]
        connection: connection::Flags,
        /// How to print.
        #[arg(long, value_enum, default_value = "table")]
        format: Format,
    },
    /// End a silence now.
    Expire {
        /// Its name.
        id: String,
        #[command(flatten)]
        connection: connection::Flags,
    },
}

/// Runs `windvane alerts silence`.
pub fn run(arguments: Arguments) -> CommandResult {
    let now_us = SystemClock.now().as_microsecond();
    match arguments.action {
        Action::Add { matchers, length, from, comment, by, connection } => {
            let length_us = span::length_us(&length)
                .filter(|length| *length > 0)
                .ok_or_else(|| usage(format!("`{length}` is no length: give one such as 90m, 4h or 2d")))?;
            let starts_at_us = from.map_or(Ok(now_us), |text| time(&text))?;
            let silence = Silence {
                id: Uuid::now_v7().to_string(),
                matchers,
                starts_at_us,
                ends_at_us: starts_at_us.saturating_add(length_us),
                created_by: by.unwrap_or_else(super::somebody),
                comment,
            };
            silence.check(now_us).map_err(|fault| usage(fault.to_owned()))?;
            let store = connection.store()?;
            connection::wait_for(async { silences::make(&store, &silence, now_us).await.map_err(not_made) })?;
            print(&format!("silence {} until {}\n", silence.id, span::to_second(silence.ends_at_us)))
        }
        Action::List { connection, format } => {
            let store = connection.store()?;
            let read = async { silences::read(&store, now_us).await.map_err(connection::failure) };
            print(&shown(&connection::wait_for(read)?, format)?)
        }
        Action::Expire { id, connection } => {
            let store = connection.store()?;
            connection::wait_for(async {
                let known = silences::read(&store, now_us).await.map_err(connection::failure)?;
                let silence = known.into_iter().find(|silence| silence.id == id).ok_or_else(|| {
                    usage(format!("there is no silence `{id}` that has not ended; `windvane alerts silence list` lists them"))
                })?;
                let ended = Silence { ends_at_us: now_us.max(silence.starts_at_us), ..silence };
                silences::write(&store, &ended).await.map_err(connection::failure)
            })?;
            print(&format!("silence {id} has ended\n"))
        }
    }
}

fn not_made(error: MakeError) -> Failure {
    match error {
        MakeError::Store(error) => connection::failure(error),
        MakeError::Full => Failure { reason: Reason::Unavailable, error: error.into() },
    }
}

fn time(text: &str) -> Result<i64, Failure> {
    span::instant(text).ok_or_else(|| {
        usage(format!("`{text}` is no time: give one such as 2026-03-01 or 2026-03-01T22:00:00Z"))
    })
}

fn shown(silences: &[Silence], format: Format) -> Result<String, Failure> {
    if format == Format::Json {
        let document = serde_json::json!({"schema": "windvane.silences/1", "silences": silences});
        return Ok(pretty(&document)?);
    }
    if silences.is_empty() {
        return Ok("no silences\n".to_owned());
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["silence", "from (UTC)", "until (UTC)", "alerts", "by", "why"]);
    for silence in silences {
        let matchers: Vec<String> = silence.matchers.iter().map(ToString::to_string).collect();
        table.add_row([
            silence.id.clone(),
            span::to_second(silence.starts_at_us),
            span::to_second(silence.ends_at_us),
            matchers.join(" "),
            silence.created_by.clone(),
            silence.comment.clone(),
        ]);
    }
    Ok(super::lines(&table))
}
