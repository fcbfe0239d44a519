//! An experiment of the configuration over a span of the past, as if it had begun then: what planning it and trying it out need.

use clap::Args;
use windvane_analyzer::experiment::StoredExperiment;
use windvane_store::Reader;
use windvane_types::experiment::Role;
use windvane_types::span::Span;
use windvane_types::{Clock, SystemClock};

use super::arguments::usage;
use super::source;
use crate::connection;
use crate::exit::Failure;

const DAY_US: i64 = 86_400_000_000;
/// Days on which units come, where no span is given: whole weeks, so that each weekday counts as often.
const DAYS: i64 = 28;

/// Which span, and which store.
#[derive(Debug, Args)]
pub struct PastFlags {
    /// With NAME: the span of the past to read, a length back from now or START/END as in 2013-01-01/2013-02-01. Four weeks
    /// and the experiment's window unless given.
    #[arg(long, value_name = "SPAN")]
    span: Option<String>,
    #[command(flatten)]
    connection: connection::Flags,
}

/// A metric of an experiment over a span.
#[derive(Debug)]
pub struct Past {
    pub reader: Reader,
    /// Starts and ends with the span.
    pub experiment: StoredExperiment,
    /// Which of its metrics.
    pub place: usize,
    pub span: Span,
}

impl Past {
    /// The metric's name.
    pub fn metric(&self) -> &str {
        &self.experiment.metrics[self.place].metric.name
    }

    /// How long units are followed, days.
    pub fn window_days(&self) -> f64 {
        self.experiment.exposed.window_us as f64 / DAY_US as f64
    }
}

/// Finds an experiment, its metric, and the span.
///
/// # Errors
/// There is no such experiment or metric, or the span is not longer than the experiment's window.
pub fn past(name: &str, metric: Option<&str>, flags: &PastFlags) -> Result<Past, Failure> {
    let config = flags.connection.config()?;
    let found = source::configured(&config, name)?;
    let now = SystemClock.now();
    let span = match &flags.span {
        Some(text) => Span::parse(text, now).map_err(usage)?,
        None => {
            let end_us = now.as_microsecond();
            let window_us = i64::try_from(found.window.as_micros()).unwrap_or(i64::MAX);
            Span { start_us: end_us.saturating_sub(window_us).saturating_sub(DAYS * DAY_US), end_us }
        }
    };
    let mut experiment = found.as_of(span.end_us);
    experiment.exposed.start_us = Some(span.start_us);
    if span.end_us - span.start_us <= experiment.exposed.window_us {
        return Err(usage(format!(
            "the span `{span}` is not longer than the experiment's window of {} days, within which no unit's window is over",
            experiment.exposed.window_us as f64 / DAY_US as f64
        )));
    }
    let place = place(&experiment, metric)?;
    let reader = Reader::Store(flags.connection.store()?);
    Ok(Past { reader, experiment, place, span })
}

/// The metric of this name; the first that decides where none is named.
fn place(experiment: &StoredExperiment, name: Option<&str>) -> Result<usize, Failure> {
    let names: Vec<&str> = experiment.metrics.iter().map(|metric| metric.metric.name.as_str()).collect();
    let of = &experiment.exposed.experiment;
    match name {
        Some(name) => names
            .iter()
            .position(|known| *known == name)
            .ok_or_else(|| usage(format!("`{of}` has no metric `{name}`; there are {}", names.join(", ")))),
        None if names.is_empty() => Err(usage(format!("`{of}` has no metrics"))),
        None => {
            let primary = experiment.metrics.iter().position(|metric| metric.metric.role == Role::Primary);
            Ok(primary.unwrap_or(0))
        }
    }
}
