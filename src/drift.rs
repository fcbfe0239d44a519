//! `windvane drift`: compares two populations, prints the answer, and exits with what was asked for.

pub mod arguments;
pub mod junit;
pub mod markdown;
pub mod record;
pub mod source;
pub mod table;
pub mod words;

use windvane_analyzer::drift::{self, DriftError};
use windvane_types::drift::{Document, Verdict};

pub use arguments::Arguments;

use crate::by_hand::{self, Engine};
use crate::exit::{CommandResult, Exit, Failure, Reason};
use crate::output::{self, pretty, print};
use crate::report;
use arguments::{FailOn, Format, Options};

/// Runs `windvane drift`.
pub fn run(arguments: Arguments) -> CommandResult {
    let options = arguments.check()?;
    by_hand::run(Engine::embedded(options.embedded()), compare(&options), |document| {
        if let Some(path) = &options.report {
            report::write(path, &windvane_web::drift_report(&document))?;
        }
        answer(&document, &options)
    })
}

async fn compare(options: &Options) -> Result<Document, Failure> {
    let source::Opened { reader, request, run } = source::open(options).await?;
    let document = drift::run(&reader, &request).await.map_err(failure)?;
    if let Some(run) = run {
        record::write(&reader, run, &document).await?;
    }
    Ok(document)
}

fn answer(document: &Document, options: &Options) -> CommandResult {
    for skipped in &document.skipped {
        output::tell(&format!(
            "windvane: column `{}` is skipped: {} ({})",
            skipped.column,
            skipped.reason.as_str(),
            skipped.detail
        ));
    }
    let text = match options.format {
        Format::Json => pretty(document)?,
        Format::Table => table::render(document),
        Format::Markdown => markdown::render(document),
        Format::Junit => junit::render(document),
        Format::Html => windvane_web::drift_report(document),
    };
    print(&text)?;
    Ok(match (options.fail_on, document.verdict) {
        (Some(FailOn::Drift), Verdict::Drift) => Exit::Found,
        (Some(FailOn::Drift), Verdict::InsufficientData) => Exit::Inconclusive,
        _ => Exit::Ok,
    })
}

/// The exit code of each failure: what was asked for, what the data are, what is away, or what is ours.
pub fn failure(error: DriftError) -> Failure {
    let reason = match &error {
        DriftError::MethodFitsNothing { .. } => Reason::Usage,
        DriftError::UnknownColumn { .. } | DriftError::NoColumns { .. } | DriftError::Segments => {
            Reason::Data
        }
        DriftError::Changed { .. } => Reason::Unavailable,
        DriftError::Read(error) => source::reason_of(error),
    };
    Failure { reason, error: error.into() }
}
