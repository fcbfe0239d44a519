//! `windvane alerts list`: what is pending, firing or recovering, and what keeps it from being told.

use clap::Args;
use comfy_table::{Table, presets};
use windvane_store::alerts;
use windvane_types::alert::{Standing, State};
use windvane_types::matcher::{Matcher, all_match};
use windvane_types::span;

use super::Format;
use crate::connection;
use crate::exit::{Because, CommandResult, Exit, Reason};
use crate::output::{pretty, print};

/// List alerts, the most urgent first; with --fail-on firing exit code 1 where any fires that nobody has silenced.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Only alerts that fulfil it, such as model="delay"; repeatable.
    #[arg(long = "match", value_name = "MATCHER")]
    matchers: Vec<Matcher>,
    /// Exit with 1 where an alert fires and is neither silenced nor inhibited.
    #[arg(long, value_enum)]
    fail_on: Option<FailOn>,
    #[command(flatten)]
    connection: connection::Flags,
    /// How to print.
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum FailOn {
    /// An alert that fires.
    Firing,
}

/// Runs `windvane alerts list`.
pub fn run(arguments: &Arguments) -> CommandResult {
    let store = arguments.connection.store()?;
    let standing =
        connection::wait_for(async { alerts::state::standing(&store).await.map_err(connection::failure) })?;
    let mut standing: Vec<Standing> = serde_json::from_str(&standing).because(Reason::Software)?;
    standing.retain(|alert| all_match(&arguments.matchers, &alert.labels));
    print(&match arguments.format {
        Format::Json => {
            let standing: Vec<Standing> = standing.iter().cloned().map(Standing::told).collect();
            let document = serde_json::json!({"schema": "windvane.alerts/1", "alerts": standing});
            pretty(&document)?
        }
        Format::Table if standing.is_empty() => "no alerts\n".to_owned(),
        Format::Table => table(&standing),
    })?;
    let told = |alert: &&Standing| {
        alert.state == State::Firing && alert.silenced_by.is_none() && alert.inhibited_by.is_none()
    };
    match arguments.fail_on.is_some() && standing.iter().any(|alert| told(&alert)) {
        true => Ok(Exit::Found),
        false => Ok(Exit::Ok),
    }
}

fn table(standing: &[Standing]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["alert", "severity", "state", "since (UTC)", "what", "told"]);
    for alert in standing {
        let told = match (&alert.silenced_by, &alert.inhibited_by, &alert.acknowledged_by) {
            (Some(by), _, _) => format!("no: silenced by {by}"),
            (None, Some(by), _) => format!("no: inhibited by {by}"),
            (None, None, Some(by)) => format!("{by} looks after it"),
            (None, None, None) if alert.receivers.is_empty() => "no: there is no receiver".to_owned(),
            (None, None, None) => alert.receivers.join(", "),
        };
        let text = |map: &std::collections::BTreeMap<String, String>, key: &str| {
            map.get(key).cloned().unwrap_or_default()
        };
        table.add_row([
            alert.fingerprint.clone(),
            text(&alert.labels, "severity"),
            alert.state.as_str().to_owned(),
            span::instant(&alert.since).map_or_else(|| alert.since.clone(), span::to_second),
            text(&alert.annotations, "summary"),
            told,
        ]);
    }
    super::lines(&table)
}
