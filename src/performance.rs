//! `windvane performance`: measures a model against its reference, prints the answer, and exits with what was asked for.

pub mod arguments;
pub mod junit;
pub mod markdown;
mod options;
mod source;
pub mod table;
mod words;

use windvane_analyzer::performance::{self, PerformanceError};
use windvane_store::{Reader, findings};
use windvane_types::performance::{Document, Verdict};

pub use arguments::Arguments;

use crate::by_hand::{self, Engine};
use crate::connection;
use crate::drift::source::reason_of;
use crate::exit::{CommandResult, Exit, Failure, Reason};
use crate::output::{pretty, print, tell};
use crate::report;
use arguments::{FailOn, Format};
use options::Options;

/// Runs `windvane performance`.
pub fn run(arguments: Arguments) -> CommandResult {
    let options = options::check(arguments)?;
    by_hand::run(Engine::embedded(options.embedded()), measure(&options), |document| {
        if let Some(path) = &options.report {
            report::write(path, &windvane_web::performance_report(&document))?;
        }
        answer(&document, &options)
    })
}

async fn measure(options: &Options) -> Result<Document, Failure> {
    let source::Opened { reader, request, run } = source::open(options).await?;
    let document = performance::run(&reader, &request).await.map_err(failure)?;
    if let (Some((run, against)), Reader::Store(store)) = (run, &reader) {
        findings::performance::write(store, (&run, against), &document)
            .await
            .map_err(connection::not_recorded)?;
    }
    Ok(document)
}

fn answer(document: &Document, options: &Options) -> CommandResult {
    let nothing_estimated = || {
        let is_asked = options.question.estimate;
        words::nothing_estimated(&document.chunks, document.task).filter(|_| is_asked)
    };
    if let Some(nothing) = words::nothing_measured(&document.chunks, document.task).or_else(nothing_estimated)
    {
        tell(&format!("windvane: {nothing}"));
    }
    let text = match options.format {
        Format::Json => pretty(document)?,
        Format::Table => table::render(document),
        Format::Markdown => markdown::render(document),
        Format::Junit => junit::render(document),
        Format::Html => windvane_web::performance_report(document),
    };
    print(&text)?;
    Ok(match (options.fail_on, document.verdict) {
        (Some(FailOn::Alert), Verdict::Alert) => Exit::Found,
        (Some(FailOn::Alert), Verdict::InsufficientData) => Exit::Inconclusive,
        _ => Exit::Ok,
    })
}

/// The exit code of each failure: what was asked for, what the data are, what is away, or what is ours.
pub fn failure(error: PerformanceError) -> Failure {
    let reason = match &error {
        PerformanceError::NoPositive { .. }
        | PerformanceError::TooManyClasses { .. }
        | PerformanceError::TooManyChunks { .. } => Reason::Usage,
        PerformanceError::Column { .. }
        | PerformanceError::UnknownPositive { .. }
        | PerformanceError::NotClasses { .. }
        | PerformanceError::ClassWithoutProbability { .. }
        | PerformanceError::UnknownLabel { .. }
        | PerformanceError::TargetNotNumeric { .. }
        | PerformanceError::OutcomesWithoutValue { .. }
        | PerformanceError::Weights { .. }
        | PerformanceError::NoTargets
        | PerformanceError::NoTimes { .. }
        | PerformanceError::UnknownFeature { .. }
        | PerformanceError::UnknownSegment { .. } => Reason::Data,
        PerformanceError::Groups { .. } => Reason::Software,
        PerformanceError::Read(error) => reason_of(error),
    };
    Failure { reason, error: error.into() }
}
