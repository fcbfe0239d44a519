//! `windvane monitor`: the monitors and experiments of the configuration, listed, run by hand, run over the past.

mod answers;
mod lines;
mod list;

use std::time::{Duration, Instant};

use anyhow::anyhow;
use clap::{Args, Subcommand, ValueEnum};
use tokio_util::sync::CancellationToken;
use windvane_analyzer::drift::OpenError;
use windvane_analyzer::monitor::{Again, Job, JobError, Outcome, Ran, RunError, Runner};
use windvane_store::monitor_runs;
use windvane_types::span::{self, Span};

use crate::connection;
use crate::drift::arguments::usage;
use crate::drift::source;
use crate::exit::{Because, CommandResult, Exit, Failure, Reason};
use crate::experiment;
use crate::output::{pretty, print, tell};
use crate::service::analyzer;
use crate::shutdown::Signals;
use lines::Line;

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
        /// The monitor, or its kind and name, as in `experiment/checkout`.
        name: String,
        /// The window that had ended last at this time, which is not after now; now, less the monitor's delay, unless given.
        #[arg(long, value_name = "TIME")]
        at: Option<String>,
        /// Exit with 1 where this is found, and with 2 where there are too few rows to tell.
        #[arg(long, value_enum)]
        fail_on: Option<FailOn>,
        #[command(flatten)]
        connection: connection::Flags,
        /// How to print.
        #[arg(long, value_enum, default_value = "table")]
        format: Format,
    },
    /// Run every window of a monitor that lies in a span and has ended, oldest first; what was run before is overwritten.
    Backfill {
        /// The monitor, or its kind and name, as in `experiment/checkout`.
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
    /// Drift in any column, or of the ranking of attributions.
    Drift,
    /// A metric of performance that left its threshold.
    Alert,
    /// A check of quality, or a gap between groups, that fails.
    Fail,
    /// A group that is slower than its reference.
    Slower,
    /// An objective of latency that burns too fast.
    Breached,
}

impl FailOn {
    /// The kinds of monitors that find this.
    fn kinds(self) -> &'static [&'static str] {
        match self {
            Self::Drift => &["drift", "attribution"],
            Self::Alert => &["performance"],
            Self::Fail => &["quality", "fairness"],
            Self::Slower | Self::Breached => &["latency"],
        }
    }
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
            by_hand.can_find(fail_on)?;
            connection::wait_for(by_hand.until_signal(by_hand.one(at, (format, fail_on))))
        }
        Action::Backfill { name, from, to, connection, format } => {
            let span = Span { start_us: time(&from)?, end_us: time(&to)? }.ordered().map_err(usage)?;
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

/// The job of this name, or of this kind and name. A monitor and an experiment may share a name.
fn of_name<'a>(jobs: &'a [Job], name: &str) -> Result<Option<&'a Job>, Failure> {
    let called: Vec<&Job> = jobs.iter().filter(|job| job.name() == name).collect();
    if called.len() > 1 {
        let each: Vec<String> = called.iter().map(|job| format!("`{}/{name}`", job.kind())).collect();
        return Err(usage(format!("there are several jobs `{name}`: say {}", each.join(" or "))));
    }
    let with_kind = |job: &&Job| name.split_once('/') == Some((job.kind(), job.name()));
    Ok(called.first().copied().or_else(|| jobs.iter().find(with_kind)))
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
        let job = of_name(&jobs, name)?.cloned().ok_or_else(|| {
            let known: Vec<String> = jobs.iter().map(|job| format!("`{}`", job.name())).collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            usage(format!("the configuration has no monitor `{name}`; it has {known}"))
        })?;
        let cut = CancellationToken::new();
        let runner = analyzer::runner(&config, &store, "command").cut_off_by(cut.clone());
        Ok(Self { job, runner, cut })
    }

    /// Whether a monitor of this kind can find what the exit code is asked for: else it would be 0 whatever is found.
    fn can_find(&self, fail_on: Option<FailOn>) -> Result<(), Failure> {
        let kind = self.job.kind();
        if let (Some(FailOn::Breached), Job::Latency(latency)) = (fail_on, &self.job)
            && latency.objectives.is_empty()
        {
            return Err(usage(format!(
                "`--fail-on breached` needs an objective, and `{}` has none: give it one such as slo = [\"99.9%:250ms\"]",
                self.job.name()
            )));
        }
        match fail_on.filter(|asked| !asked.kinds().contains(&kind)) {
            None => Ok(()),
            Some(asked) => {
                let word =
                    asked.to_possible_value().map_or_else(String::new, |word| word.get_name().to_owned());
                let kinds = asked.kinds().join(" and ");
                Err(usage(format!(
                    "`--fail-on {word}` is for monitors of {kinds}, and `{}` is of {kind}",
                    self.job.name()
                )))
            }
        }
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
        let now = self.now().await?;
        let window = schedule.latest(at.unwrap_or(now - schedule.delay_us));
        if window.end_us > now {
            let latest = schedule.latest(now);
            return Err(usage(format!(
                "the window {window} has not ended yet; the latest that has is {latest}"
            )));
        }
        let outcome = self.window(window).await?;
        match &outcome.answer {
            Some(answer) => {
                if !outcome.note.is_empty() {
                    tell(&outcome.note);
                }
                answers::print(answer, (format, fail_on))
            }
            None => {
                print(&match format {
                    Format::Json => pretty(&self.nothing(window, &outcome))?,
                    Format::Table => answers::nothing(&outcome.note),
                })?;
                Ok(if fail_on.is_some() { Exit::Inconclusive } else { Exit::Ok })
            }
        }
    }

    async fn all(&self, span: Span, format: Format) -> CommandResult {
        let mut windows: Vec<Span> = self.job.schedule().within(span).take(WINDOWS_MAX + 1).collect();
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
        let now = self.now().await?;
        let (asked, ended) = (windows.len(), windows.partition_point(|window| window.end_us <= now));
        windows.truncate(ended);
        match (asked - ended, ended) {
            (0, _) => {}
            (_, 0) => return Err(usage(format!("no window in `{span}` has ended yet"))),
            (left, _) => tell(&format!("windows of `{span}` that have not ended yet are left out: {left}")),
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
                pretty(&document)?
            }
            Format::Table => Line::render(&lines, &self.job),
        })
    }

    /// What time it is by the clock of all analyzers.
    async fn now(&self) -> Result<i64, Failure> {
        monitor_runs::now_us(self.runner.store()).await.map_err(connection::failure)
    }

    /// The document of a window that there is no answer about.
    fn nothing(&self, window: Span, outcome: &Outcome) -> serde_json::Value {
        serde_json::json!({
            "schema": "windvane.monitor_run/1",
            "kind": self.job.kind(),
            "monitor": self.job.name(),
            "window_start": span::shown(window.start_us),
            "window_end": span::shown(window.end_us),
            "rows_current": outcome.rows_current,
            "verdict": outcome.verdict,
            "note": outcome.note,
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

/// The exit code of a run that failed.
fn failure(error: RunError) -> Failure {
    match error {
        RunError::Ledger(error) => connection::failure(error),
        RunError::Job(JobError::Open(error @ (OpenError::NoBaseline { .. } | OpenError::Gone { .. }))) => {
            source::open_failure(error)
        }
        RunError::Job(JobError::Open(error)) => source::open_failure(error),
        RunError::Job(JobError::Compare(error)) => crate::drift::failure(error),
        RunError::Job(JobError::Attribution(error)) => crate::attribution::failure(error),
        RunError::Job(JobError::Fairness(error)) => crate::fairness::failure(error),
        RunError::Job(JobError::Experiment(error)) => experiment::failure(error),
        RunError::Job(JobError::Latency(error)) => crate::latency::failure(error),
        RunError::Job(JobError::Performance(error)) => crate::performance::failure(error),
        RunError::Job(JobError::Quality(error)) => crate::quality::failure(error),
        RunError::Job(JobError::Write(error) | JobError::Read(error)) => connection::failure(error),
        error @ (RunError::LeaseLost | RunError::Job(JobError::TimedOut { .. })) => {
            Failure { reason: Reason::Unavailable, error: error.into() }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{analyzer, of_name};
    use crate::config;

    #[test]
    fn a_monitor_and_an_experiment_of_one_name_are_told_apart_by_their_kind() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("windvane.toml");
        let text = "[monitors.checkout]\nmodel = \"m\"\nreference = \"previous\"\n[monitors.other]\nmodel = \"m\"\nkind = \"latency\"\n\
                    [experiments.checkout]\ncontrol = \"A\"\nevery = \"1h\"\n[experiments.checkout.metrics.m]\n";
        std::fs::write(&file, text).unwrap();
        let jobs = analyzer::jobs(&config::load(Some(&file)).unwrap());
        let kind = |name: &str| {
            of_name(&jobs, name).map(|job| job.map(|job| job.kind())).map_err(|error| error.to_string())
        };
        for (name, expected) in [
            ("other", Some("latency")),
            ("latency/other", Some("latency")),
            ("drift/other", None),
            ("experiment/checkout", Some("experiment")),
            ("drift/checkout", Some("drift")),
            ("none", None),
        ] {
            assert_eq!(kind(name), Ok(expected), "{name}");
        }
        assert_eq!(
            kind("checkout"),
            Err("there are several jobs `checkout`: say `drift/checkout` or `experiment/checkout`".to_owned())
        );
    }
}
