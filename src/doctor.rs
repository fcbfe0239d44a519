//! `windvane doctor`: looks at everything that a service needs, and says of each what to do.

mod machine;
mod service;
mod spool;

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde::Serialize;

use crate::config;
use crate::exit::{CommandResult, Exit, Failure, Reason};
use crate::output::print;

/// Check the configuration, the machine, the spool and the store, and say what to do about each fault.
///
/// Exit code 0 where all is well, 1 where something deserves a look, 69 where something does not work.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The configuration file of the service.
    #[arg(long, value_name = "FILE", env = "WINDVANE_CONFIG")]
    config: Option<PathBuf>,
    /// How the result is written.
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    Table,
    Json,
}

/// How a check went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
enum Verdict {
    /// As it should be.
    Ok,
    /// It works, and deserves a look.
    Warn,
    /// It does not work.
    Fail,
}

impl Verdict {
    fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

/// One line of the result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Check {
    check: &'static str,
    verdict: Verdict,
    detail: String,
    /// What to do; empty where nothing is to be done.
    advice: String,
}

impl Check {
    fn ok(check: &'static str, detail: impl Into<String>) -> Self {
        Self { check, verdict: Verdict::Ok, detail: detail.into(), advice: String::new() }
    }

    fn warn(check: &'static str, detail: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { check, verdict: Verdict::Warn, detail: detail.into(), advice: advice.into() }
    }

    fn fail(check: &'static str, detail: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { check, verdict: Verdict::Fail, detail: detail.into(), advice: advice.into() }
    }
}

/// Runs `windvane doctor`.
pub fn run(arguments: &Arguments) -> CommandResult {
    let mut checks = Vec::new();
    match config::load(arguments.config.as_deref()) {
        Ok(config) => {
            checks.push(Check::ok("configuration", "is right"));
            machine::check(&config, &mut checks);
            spool::check(&config, &mut checks);
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(service::check(&config, &mut checks));
        }
        Err(faults) => {
            checks.push(Check::fail(
                "configuration",
                faults.to_string(),
                "mend the file; nothing else was checked",
            ));
        }
    }
    let worst = checks.iter().map(|check| check.verdict).max().unwrap_or(Verdict::Ok);
    // Also where the exit code says that something fails: the lines are what was asked for.
    print(&match arguments.format {
        Format::Table => table(&checks),
        Format::Json => {
            let document =
                serde_json::json!({"schema": "windvane.doctor/1", "verdict": worst, "checks": checks});
            format!("{document:#}\n")
        }
    })?;
    match worst {
        Verdict::Ok => Ok(Exit::Ok),
        Verdict::Warn => Ok(Exit::Found),
        Verdict::Fail => {
            let failed =
                checks.iter().filter(|check| check.verdict == Verdict::Fail).map(|check| check.check);
            let names: Vec<&str> = failed.collect();
            let error = anyhow::anyhow!("does not work: {}", names.join(", "));
            Err(Failure { reason: Reason::Unavailable, error })
        }
    }
}

fn table(checks: &[Check]) -> String {
    let width = checks.iter().map(|check| check.check.len()).max().unwrap_or(0);
    let mut text = String::new();
    for Check { check, verdict, detail, advice } in checks {
        let advice = if advice.is_empty() { String::new() } else { format!(" → {advice}") };
        let detail = detail.replace('\n', " ");
        text.push_str(&format!("{:<4}  {check:<width$}  {detail}{advice}\n", verdict.word()));
    }
    text
}
