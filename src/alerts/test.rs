//! `windvane alerts test`: one marked notification to one receiver, and what the receiver said.

use std::path::PathBuf;

use clap::Args;
use uuid::Uuid;
use windvane_alerts::{Notification, Patience, deliver};
use windvane_types::{Clock, SystemClock};

use crate::config;
use crate::connection::wait_for;
use crate::exit::{Because, CommandResult, Failure, Reason};
use crate::output::print;

/// Send one notification that is marked as a test; exit code 0 only when the receiver took it, else 69 with its last answer.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The receiver: the NAME of a table [alerts.receivers.NAME].
    #[arg(long, value_name = "NAME")]
    receiver: String,
    /// The TOML file.
    #[arg(long, value_name = "FILE", env = "WINDVANE_CONFIG")]
    config: Option<PathBuf>,
}

/// Runs `windvane alerts test`.
pub fn run(arguments: &Arguments) -> CommandResult {
    let config = config::load(arguments.config.as_deref()).because(Reason::Config)?;
    let found = config.alerts.receivers.iter().find(|receiver| receiver.name() == arguments.receiver);
    let Some(receiver) = found else {
        return Err(unknown(&arguments.receiver, &config));
    };
    let now = SystemClock.now();
    let notification = Notification::test(receiver.name(), Uuid::now_v7().to_string(), now);
    wait_for(async {
        let delivered =
            deliver(receiver, &notification, Patience::TEST).await.because(Reason::Unavailable)?;
        let tries = match delivered.tries {
            1 => String::new(),
            tries => format!(" at try {tries}"),
        };
        print(&format!(
            "receiver `{}` took the test notification{tries}: {}\n",
            receiver.name(),
            delivered.answer
        ))
    })
}

fn unknown(name: &str, config: &config::Config) -> Failure {
    let names: Vec<String> =
        config.alerts.receivers.iter().map(|receiver| format!("`{}`", receiver.name())).collect();
    let known = match names.as_slice() {
        [] => "the configuration has none; a table [alerts.receivers.NAME] makes one".to_owned(),
        names => format!("the configuration has {}", names.join(", ")),
    };
    Failure { reason: Reason::Usage, error: anyhow::anyhow!("there is no receiver `{name}`: {known}") }
}
