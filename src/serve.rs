//! `windvane serve`: the service until a signal.

use std::path::PathBuf;

use clap::Args;

use crate::config;
use crate::exit::{Because, CommandResult, Exit, Failure, Reason};
use crate::runtime::Fetching;
use crate::service::{Role, Service};
use crate::shutdown::{self, Signals};
use crate::{arenas, telemetry};

/// Collect predictions and outcomes, keep them, and show them.
///
/// Without `store.url` in the configuration the embedded engine is started as a child process. SIGTERM, Ctrl-C and a
/// terminal that is closed finish what is in flight and exit 0; a second signal ends at once.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The configuration file.
    #[arg(long, value_name = "FILE", env = "WINDVANE_CONFIG")]
    config: Option<PathBuf>,
    /// The parts to run in this process, so that they can be spread over machines on one ClickHouse.
    #[arg(long, value_name = "A,B", value_enum, value_delimiter = ',', default_values_t = Role::ALL)]
    roles: Vec<Role>,
    /// Do not fetch the engine library when it is missing.
    #[arg(long)]
    offline: bool,
}

/// Runs `windvane serve`.
pub fn run(arguments: &Arguments, log: &telemetry::Arguments) -> CommandResult {
    let unbounded = arenas::bound();
    let config = config::load(arguments.config.as_deref()).because(Reason::Config)?;
    let traces = telemetry::start_with_traces(log, "info", config.telemetry.as_ref())?;
    if let Some(error) = unbounded {
        tracing::warn!(%error, "cannot begin again with fewer arenas of the allocator; more memory stays in use than need be");
    }
    let fetching = if arguments.offline { Fetching::Forbidden } else { Fetching::Allowed };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let ended: CommandResult = runtime.block_on(async {
        let mut signals = Signals::listen()?;
        let service = tokio::select! {
            service = Service::start(&config, &arguments.roles, fetching) => service?,
            signal = signals.next() => {
                tracing::info!(signal, "ending before the service was up");
                return Ok(Exit::Ok);
            }
        };
        let otlp = service.otlp();
        tracing::info!(address = service.url(), otlp, store = service.store().url(), "windvane is up");
        let signal = signals.next().await;
        tracing::info!(signal, "finishing; a second signal ends at once");
        tokio::select! {
            exit = service.stop() => Ok(exit),
            signal = signals.next() => Err(Failure {
                reason: Reason::Software,
                error: anyhow::anyhow!("ended by a second {signal} before everything was finished"),
            }),
        }
    });
    // An end that is forced waits for nobody, the receiver of traces included.
    if ended.is_ok() {
        traces.finish();
    }
    shutdown::end(runtime);
    ended
}
