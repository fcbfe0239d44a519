//! `windvane alerts ack`: says that somebody looks after an alert, so that it is neither repeated nor escalated.

use anyhow::anyhow;
use clap::Args;
use windvane_store::alerts;
use windvane_types::alert::Standing;

use crate::connection;
use crate::exit::{Because, CommandResult, Failure, Reason};
use crate::output::print;

/// Acknowledge an alert that fires: until it has ended it is neither repeated nor escalated; its end is told.
#[derive(Debug, Args)]
pub struct Arguments {
    /// What `windvane alerts list` shows in its first column; the first characters do where they name one alert.
    alert: String,
    /// What to say about it.
    #[arg(long, value_name = "TEXT", default_value = "")]
    comment: String,
    /// Who looks after it; the user of this machine unless given.
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    #[command(flatten)]
    connection: connection::Flags,
}

/// Runs `windvane alerts ack`.
pub fn run(arguments: &Arguments) -> CommandResult {
    let store = arguments.connection.store()?;
    connection::wait_for(async {
        let standing = alerts::state::standing(&store).await.map_err(connection::failure)?;
        let standing: Vec<Standing> = serde_json::from_str(&standing).because(Reason::Software)?;
        let alert = the_one(&standing, &arguments.alert)?;
        let by = arguments.by.clone().unwrap_or_else(super::somebody);
        alerts::acknowledgements::write(&store, &alert.fingerprint, &by, &arguments.comment)
            .await
            .map_err(connection::failure)?;
        let what = alert.annotations.get("summary").unwrap_or(&alert.rule);
        print(&format!("{by} looks after {}: {what}\n", alert.fingerprint))
    })
}

fn the_one<'a>(standing: &'a [Standing], start: &str) -> Result<&'a Standing, Failure> {
    let named: Vec<&Standing> =
        standing.iter().filter(|alert| alert.fingerprint.starts_with(start)).collect();
    match named.as_slice() {
        [alert] => Ok(alert),
        [] => Err(anyhow!("no alert `{start}` fires; `windvane alerts list` lists those that do"))
            .because(Reason::Usage),
        several => Err(anyhow!("`{start}` begins the names of {} alerts; give more of it", several.len()))
            .because(Reason::Usage),
    }
}
