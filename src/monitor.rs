//! `windvane monitor`: the monitors and experiments of the configuration, listed, run by hand, run over the past.

mod list;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::anyhow;
use clap::{Args, Subcommand, ValueEnum};
use comfy_table::{Table, presets};
use serde::Serialize;
use tokio_util::sync::CancellationToken;
use windvane_analyzer::drift::OpenError;
use windvane_analyzer::monitor::{Again, Answer, Job, JobError, Outcome, Ran, RunError, Runner};
use windvane_store::monitor_runs;
use windvane_types::drift::{Column, Verdict};
use windvane_types::performance;
use windvane_types::span::{self, Span};

use crate::connection;
use crate::drift::arguments::usage;
use crate::drift::{source, table, words};
use crate::exit::{Because, CommandResult, Exit, Failure, Reason};
use crate::experiment;
use crate::output::print;
use crate::service::analyzer;
use crate::shutdown::Signals;

/// The monitors of the configuration, and its experiments: list them, run one by hand, or run one over the past.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List monitors with their last run.
    List {
        #[command(flatten)]
        connection: connection::Flags,
        /// How to print.
        #[arg(long, value_enum, default_value = "table")]
        format: Format,
    },
    /// Run one window of a monitor now, also if it was run before.
    Run {
        /// The monitor.
        name: String,
        /// The window that had ended last at this time; now, less the monitor's delay, unless given.
        #[arg(long, value_name = "TIME")]
        at: Option<String>,
        /// Exit with 1 where there is drift, and with 2 where there are too few rows to tell.
        #[arg(long, value_enum)]
        fail_on: Option<FailOn>,
        #[command(flatten)]
        connection: connection::Flags,
        /// How to print.
        #[arg(long, value_enum, default_value = "table")]
        format: Format,
    },
    /// Run every window of a monitor that lies in a span of the past, oldest first; what was run before is overwritten.
    Backfill {
        /// The monitor.
        name: String,
        /// Start of the span, such as 2013-01-01 or 2013-01-01T05:00:00Z.
        #[arg(long, value_name = "TIME")]
        from: String,
        /// Its end, excluded.
        #[arg(long, value_name = "TIME")]
        to: String,
        #[command(flatten)]
        connection: connection::Flags,
        /// How to print.
        #[arg(long, value_enum, default_value = "table")]
        format: Format,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Table,
    Json,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FailOn {
    /// Drift in any column.
    Drift,
    /// A metric of performance that left its threshold.
    Alert,
}

/// Windows of one backfill: an hourly monitor over more than a year.
const WINDOWS_MAX: usize = 10_000;

/// The pause between two looks at a window that another analyzer runs.
const PAUSE: Duration = Duration::from_secs(1);

/// Runs `windvane monitor`.
pub fn run(arguments: Arguments) -> CommandResult {
    match arguments.action {
        Action::List { connection, format } => list::run(&connection, format == Format::Json),
        Action::Run { name, at, fail_on, connection, format } => {
            let at = at.map(|text| time(&text)).transpose()?;
            let by_hand = ByHand::new(&name, &connection)?;
            connection::wait_for(by_hand.until_signal(by_hand.one(at, (format, fail_on))))
        }
        Action::Backfill { name, from, to, connection, format } => {
            let span = Span { start_us: time(&from)?, end_us: time(&to)? };
            if span.start_us >= span.end_us {
                return Err(usage(format!("the span `{span}` ends before it starts")));
            }
            let by_hand = ByHand::new(&name, &connection)?;
            connection::wait_for(by_hand.until_signal(by_hand.all(span, format)))
        }
    }
}

fn time(text: &str) -> Result<i64, Failure> {
    span::instant(text).ok_or_else(|| {
        usage(format!("`{text}` is no time: give one such as 2013-01-01 or 2013-01-01T05:00:00Z"))
    })
}

/// A monitor that is run by hand.
struct ByHand {
    job: Job,
    runner: Runner,
    cut: CancellationToken,
}

impl ByHand {
    fn new(name: &str, connection: &connection::Flags) -> Result<Self, Failure> {
        let config = connection.config()?;
        let store = connection.store()?;
        let jobs = analyzer::jobs(&config);
        let known: Vec<String> = jobs.iter().map(|job| format!("`{}`", job.name())).collect();
        let job = jobs.into_iter().find(|job| job.name() == name).ok_or_else(|| {
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            anyhow!("the configuration has no monitor `{name}`; it has {known}")
        });
        let cut = CancellationToken::new();
        let runner = analyzer::runner(&config, &store, "command").cut_off_by(cut.clone());
        Ok(Self { job: job.because(Reason::Config)?, runner, cut })
    }

    /// Cuts the work off at a signal, so that the lease is given back.
    async fn until_signal(&self, work: impl Future<Output = CommandResult>) -> CommandResult {
        let mut signals = Signals::listen()?;
        tokio::pin!(work);
        tokio::select! {
            result = &mut work => result,
            signal = signals.next() => {
                self.cut.cancel();
                let _ = work.await;
                Err(anyhow!("ended by {signal}; the window in work is not done, those before it are"))
                    .because(Reason::Unavailable)
            }
        }
    }

    async fn one(&self, at: Option<i64>, (format, fail_on): (Format, Option<FailOn>)) -> CommandResult {
        let schedule = self.job.schedule();
        let at = match at {
            Some(at) => at,
            None => {
                let now = monitor_runs::now_us(self.runner.store()).await.map_err(connection::failure)?;
                now - schedule.delay_us
            }
        };
        let outcome = self.window(schedule.latest(at)).await?;
        let drift = match outcome.answer {
            Some(Answer::Drift(document)) => document,
            Some(Answer::Experiment(document)) => {
                return print(&match format {
                    Format::Json => format!("{}\n", serde_json::to_string_pretty(&document)?),
                    Format::Table => experiment::table::render(&document),
                });
            }
            Some(Answer::Performance(document)) => return told(&document, (format, fail_on)),
            None => return print("nothing to compare yet: units of two arms are needed\n"),
        };
        print(&match format {
            Format::Json => format!("{}\n", serde_json::to_string_pretty(&drift)?),
            Format::Table => table::render(&drift),
        })?;
        Ok(match (fail_on, drift.verdict) {
            (Some(FailOn::Drift), Verdict::Drift) => Exit::Found,
            (Some(FailOn::Drift), Verdict::InsufficientData) => Exit::Inconclusive,
            _ => Exit::Ok,
        })
    }

    async fn all(&self, span: Span, format: Format) -> CommandResult {
        let windows: Vec<Span> = self.job.schedule().within(span).take(WINDOWS_MAX + 1).collect();
        if windows.is_empty() {
            let schedule = self.job.schedule();
            return Err(usage(format!(
                "no window of {} ending every {} lies in `{span}`",
                schedule.window, schedule.every
            )));
        }
        if windows.len() > WINDOWS_MAX {
            return Err(usage(format!("`{span}` has more than {WINDOWS_MAX} windows; give a shorter one")));
        }
        let mut lines = Vec::with_capacity(windows.len());
        for window in windows {
            lines.push(Line::of(window, &self.window(window).await?));
        }
        print(&match format {
            Format::Json => {
                let document = serde_json::json!({
                    "schema": "windvane.backfill/1", "monitor": self.job.name(), "windows": lines,
                });
                format!("{}\n", serde_json::to_string_pretty(&document)?)
            }
            Format::Table => match &self.job {
                Job::Drift(_) => Line::table(&lines),
                Job::Experiment(_) => Line::looks(&lines),
                Job::Performance(_) => Line::measured(&lines),
            },
        })
    }

    /// Runs one window; one that another analyzer runs just now is waited for.
    async fn window(&self, window: Span) -> Result<Outcome, Failure> {
        let begun = Instant::now();
        let mut ran = self.runner.run(&self.job, window, Again::Yes).await;
        while matches!(ran, Ok(Ran::Elsewhere)) && begun.elapsed() < self.job.timeout() {
            tokio::time::sleep(PAUSE).await;
            ran = self.runner.run(&self.job, window, Again::Yes).await;
        }
        match ran {
            Ok(Ran::Done(outcome)) => Ok(*outcome),
            Ok(Ran::Elsewhere) => {
                Err(anyhow!("another analyzer runs the window {window}")).because(Reason::Unavailable)
            }
            Ok(Ran::Before | Ran::Stopped) => {
                Err(anyhow!("the window {window} was cut off")).because(Reason::Unavailable)
            }
            Err(error) => Err(failure(error)),
        }
    }
}

/// Prints what a performance monitor found, and exits with what was asked for.
fn told(document: &performance::Document, (format, fail_on): (Format, Option<FailOn>)) -> CommandResult {
    print(&match format {
        Format::Json => format!("{}\n", serde_json::to_string_pretty(document)?),
        Format::Table => crate::performance::table::render(document),
    })?;
    Ok(match (fail_on, document.verdict) {
        (Some(FailOn::Alert), performance::Verdict::Alert) => Exit::Found,
        (Some(FailOn::Alert), performance::Verdict::InsufficientData) => Exit::Inconclusive,
        _ => Exit::Ok,
    })
}

/// The exit code of a run that failed.
fn failure(error: RunError) -> Failure {
    match error {
        RunError::Ledger(error) => connection::failure(error),
        RunError::Job(JobError::Open(error @ (OpenError::NoBaseline { .. } | OpenError::Gone { .. }))) => {
            source::open_failure(error)
        }
        RunError::Job(JobError::Open(error)) => source::open_failure(error),
        RunError::Job(JobError::Compare(error)) => crate::drift::failure(error),
        RunError::Job(JobError::Experiment(error)) => experiment::failure(error),
        RunError::Job(JobError::Performance(error)) => crate::performance::failure(error),
        RunError::Job(JobError::Write(error) | JobError::Read(error)) => connection::failure(error),
        error @ (RunError::LeaseLost | RunError::Job(JobError::TimedOut { .. })) => {
            Failure { reason: Reason::Unavailable, error: error.into() }
        }
    }
}

/// One window of a backfill.
#[derive(Serialize)]
struct Line {
    window_start: String,
    window_end: String,
    rows_reference: u64,
    rows_current: u64,
    verdict: String,
    findings: u64,
    /// Columns that drifted, the strongest first.
    drifted: Vec<String>,
    segments: usize,
    /// Segments with columns that drifted, the one with the most of them first.
    segments_drifted: Vec<Within>,
}

/// A segment that drifted.
#[derive(Serialize)]
struct Within {
    segment: BTreeMap<String, Option<String>>,
    drifted: Vec<String>,
}

/// Columns that a line names, and segments.
const COLUMNS_NAMED: usize = 4;
const SEGMENTS_NAMED: usize = 2;

impl Line {
    fn of(window: Span, outcome: &Outcome) -> Self {
        let drift = match &outcome.answer {
            Some(Answer::Drift(document)) => Some(document),
            _ => None,
        };
        let segments = drift.map_or(&[][..], |document| &document.segments);
        let mut segments_drifted: Vec<Within> = segments
            .iter()
            .filter(|segment| segment.verdict == Verdict::Drift)
            .map(|segment| Within { segment: segment.segment.clone(), drifted: drifted(&segment.columns) })
            .collect();
        segments_drifted.sort_by_key(|within| std::cmp::Reverse(within.drifted.len()));
        Self {
            window_start: span::shown(window.start_us),
            window_end: span::shown(window.end_us),
            rows_reference: outcome.rows_reference,
            rows_current: outcome.rows_current,
            verdict: outcome.verdict.clone(),
            findings: outcome.findings,
            drifted: drift.map(|document| drifted(&document.columns)).unwrap_or_default(),
            segments: segments.len(),
            segments_drifted,
        }
    }

    /// The looks at an experiment.
    fn looks(lines: &[Self]) -> String {
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        table.set_header(["as of (UTC)", "units", "verdict"]);
        for line in lines {
            table.add_row([
                short(&line.window_end).to_owned(),
                words::grouped(line.rows_reference + line.rows_current),
                line.verdict.clone(),
            ]);
        }
        trimmed(&table)
    }

    /// The windows of a performance monitor.
    fn measured(lines: &[Self]) -> String {
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        table.set_header(["window (UTC)", "predictions", "verdict"]);
        for line in lines {
            table.add_row([
                format!("{} to {}", short(&line.window_start), short(&line.window_end)),
                words::grouped(line.rows_current),
                line.verdict.replace('_', " "),
            ]);
        }
        trimmed(&table)
    }

    fn table(lines: &[Self]) -> String {
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        table.set_header(["window (UTC)", "predictions", "drifted", "segments drifted"]);
        for line in lines {
            let whole = match line.verdict.as_str() {
                "insufficient_data" => "too few rows".to_owned(),
                _ if line.drifted.is_empty() => "nothing".to_owned(),
                _ => named(line.drifted.iter().cloned(), COLUMNS_NAMED),
            };
            let within = line.segments_drifted.iter().map(|within| {
                let values = within.segment.values().map(|value| value.as_deref().unwrap_or("missing"));
                format!("{} ({})", values.collect::<Vec<_>>().join(" "), within.drifted.join(", "))
            });
            table.add_row([
                format!("{} to {}", short(&line.window_start), short(&line.window_end)),
                words::grouped(line.rows_current),
                whole,
                match line.segments {
                    0 => String::new(),
                    0.. if line.segments_drifted.is_empty() => format!("0 of {}", line.segments),
                    all => {
                        let count = line.segments_drifted.len();
                        format!("{count} of {all}: {}", named(within, SEGMENTS_NAMED))
                    }
                },
            ]);
        }
        trimmed(&table)
    }
}

/// A table without spaces at the ends of its lines.
fn trimmed(table: &Table) -> String {
    let lines: Vec<String> = table.to_string().lines().map(|line| line.trim_end().to_owned()).collect();
    format!("{}\n", lines.join("\n"))
}

/// The columns that drifted, the strongest first, with their direction.
fn drifted(columns: &[Column]) -> Vec<String> {
    let sorted = words::by_strength(columns).into_iter();
    sorted
        .filter(|column| column.verdict == Verdict::Drift)
        .map(|column| format!("{}{}", column.column, words::verdict(column).trim_start_matches("drift")))
        .collect()
}

/// The first few names, and how many more there are.
fn named(names: impl ExactSizeIterator<Item = String>, most: usize) -> String {
    let more = names.len().saturating_sub(most);
    let named = names.take(most).collect::<Vec<_>>().join(", ");
    if more > 0 { format!("{named} and {more} more") } else { named }
}

/// A midnight as its day.
fn short(time: &str) -> &str {
    time.strip_suffix("T00:00:00Z").unwrap_or(time)
}
