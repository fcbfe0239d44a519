//! `windvane monitor list`: each monitor of the configuration with its last run and its next one.

use comfy_table::{Table, presets};
use serde::Serialize;
use windvane_analyzer::monitor::Job;
use windvane_store::monitor_runs::{self, MonitorRun};
use windvane_store::{Store, StoreError};
use windvane_types::span;

use crate::connection;
use crate::exit::CommandResult;
use crate::output::{pretty, print};
use crate::service::analyzer;

/// A monitor as it is listed.
#[derive(Debug, Serialize)]
struct Listed {
    kind: &'static str,
    monitor: String,
    model: String,
    enabled: bool,
    next_due: String,
    settings: serde_json::Value,
    last_run: Option<LastRun>,
}

/// The run on its latest window.
#[derive(Debug, Serialize)]
struct LastRun {
    window_start: String,
    window_end: String,
    state: &'static str,
    attempt: u64,
    rows_reference: u64,
    rows_current: u64,
    findings: u64,
    verdict: String,
    error: String,
    note: String,
}

/// Prints the monitors.
pub fn run(connection: &connection::Flags, json: bool) -> CommandResult {
    let jobs = analyzer::jobs(&connection.config()?);
    let store = connection.store()?;
    connection::wait_for(async {
        let listed = list(&store, &jobs).await.map_err(connection::failure)?;
        if json {
            let document = serde_json::json!({"schema": "windvane.monitors/1", "monitors": listed});
            return print(&pretty(&document)?);
        }
        if listed.is_empty() {
            return print(
                "the configuration has no monitors; see [monitors.<NAME>] in docs/CONFIGURATION.md\n",
            );
        }
        print(&table(&listed))
    })
}

async fn list(store: &Store, jobs: &[Job]) -> Result<Vec<Listed>, StoreError> {
    let now_us = monitor_runs::now_us(store).await?;
    let mut listed = Vec::with_capacity(jobs.len());
    let (mut runs, mut read) = (Vec::new(), Vec::new());
    for job in jobs {
        if !read.contains(&job.kind()) {
            runs.extend(monitor_runs::latest(store, job.kind()).await?);
            read.push(job.kind());
        }
        let is_last = |run: &&MonitorRun| {
            (run.kind.as_str(), run.monitor.as_str(), run.model.as_str())
                == (job.kind(), job.name(), job.model())
        };
        let last = runs.iter().find(is_last);
        listed.push(Listed {
            kind: job.kind(),
            monitor: job.name().to_owned(),
            model: job.model().to_owned(),
            enabled: job.is_enabled(),
            next_due: span::shown(job.schedule().next_due(now_us)),
            settings: job.settings(),
            last_run: last.map(LastRun::of),
        });
    }
    Ok(listed)
}

impl Listed {
    /// What is odd about the last run, as a line below the table.
    fn note(&self) -> Option<String> {
        let note = self.last_run.as_ref().map(|run| run.note.as_str())?;
        (!note.is_empty()).then(|| format!("{}: {note}", self.monitor))
    }
}

impl LastRun {
    fn of(run: &MonitorRun) -> Self {
        Self {
            window_start: span::shown(run.window_start_us),
            window_end: span::shown(run.window_end_us),
            state: run.state.as_str(),
            attempt: run.attempt,
            rows_reference: run.rows_reference,
            rows_current: run.rows_current,
            findings: run.findings,
            verdict: run.verdict.clone(),
            error: run.error.clone(),
            note: run.note.clone(),
        }
    }
}

fn table(listed: &[Listed]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header([
        "monitor",
        "model",
        "window",
        "reference",
        "next due (UTC)",
        "last window (UTC)",
        "state",
        "verdict",
    ]);
    for monitor in listed {
        let word = |name: &str| monitor.settings[name].as_str().unwrap_or_default().to_owned();
        let last = monitor.last_run.as_ref();
        table.add_row([
            monitor.monitor.clone(),
            monitor.model.clone(),
            word("window"),
            word("reference"),
            if monitor.enabled { monitor.next_due.clone() } else { "never: not enabled".to_owned() },
            last.map_or_else(
                || "none".to_owned(),
                |run| format!("{} to {}", run.window_start, run.window_end),
            ),
            last.map_or_else(String::new, |run| run.state.to_owned()),
            last.map_or_else(String::new, |run| run.verdict.replace('_', " ")),
        ]);
    }
    let mut lines: Vec<String> = table.to_string().lines().map(|line| line.trim_end().to_owned()).collect();
    let mut notes: Vec<String> = listed.iter().filter_map(Listed::note).collect();
    if !notes.is_empty() {
        lines.push(String::new());
        lines.append(&mut notes);
    }
    format!("{}\n", lines.join("\n"))
}
