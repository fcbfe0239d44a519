//! `windvane quality`: are these data what the reference, or a file of expectations, says they should be?

pub mod arguments;
mod expectations;
mod junit;
mod markdown;
mod record;
mod source;
pub mod table;
mod words;

use std::path::Path;

use windvane_analyzer::quality::{self, QualityError};
use windvane_types::quality::{Document, Verdict};

pub use arguments::Arguments;
pub use expectations::load;

use crate::by_hand::{self, Engine};
use crate::drift::source::reason_of;
use crate::exit::{Because, CommandResult, Exit, Failure, Reason};
use crate::output::{pretty, print, tell};
use crate::report;
use arguments::{Action, Answering, FailOn, Format};

/// Runs `windvane quality`.
pub fn run(arguments: Arguments) -> CommandResult {
    let action = arguments.check()?;
    by_hand::run(Engine::embedded(action.is_embedded()), act(&action), Ok)
}

async fn act(action: &Action) -> CommandResult {
    match action {
        Action::Compare { sides, learning, answering } => {
            let opened = source::pair(sides).await?;
            let options = learning.options(&opened.reference);
            let learnt =
                quality::learn(&opened.reader, &opened.reference, &options).await.map_err(failure)?;
            let checked = quality::check(&opened.reader, &opened.current, (&learnt, options.now_us)).await;
            let document = checked.map_err(failure)?;
            if let Some(run) = opened.run {
                record::write(&opened.reader, run, &document).await?;
            }
            answer(&document, answering)
        }
        Action::Check { side, expectations, answering } => {
            let expected = expectations::load(expectations)?;
            let (reader, current, run) = source::one(side).await?;
            let checked = quality::check(&reader, &current, (&expected, source::now_us())).await;
            let document = checked.map_err(failure)?;
            if let Some(run) = run {
                record::write(&reader, run, &document).await?;
            }
            answer(&document, answering)
        }
        Action::Learn { side, learning, update } => {
            // A file that cannot be read is told before anything is learnt.
            let before = update.as_ref().map(|path| Ok::<_, Failure>((path, editable(path)?))).transpose()?;
            let (reader, reference, _) = source::one(side).await?;
            let options = learning.options(&reference);
            let learnt = quality::learn(&reader, &reference, &options).await.map_err(failure)?;
            if learnt.rows == 0 {
                tell(&words::without_rows(&learnt.source));
            }
            let fresh = expectations::write(&learnt);
            match before {
                None => print(&fresh.to_string()),
                Some((path, mut file)) => {
                    let renewed = expectations::update(&mut file, &fresh);
                    let text = file.to_string();
                    expectations::sound(path, &text)?;
                    replace(path, &text)?;
                    print(&words::renewed(path, &renewed))
                }
            }
        }
    }
}

/// The file of expectations that is to be learnt anew, if it is a sound one.
fn editable(path: &Path) -> Result<toml_edit::DocumentMut, Failure> {
    expectations::load(path)?;
    expectations::text(path)?.parse::<toml_edit::DocumentMut>().because(Reason::Config)
}

/// Puts the new text in the place of the file, whole or not at all; of a link, in that of what it points to.
fn replace(named: &Path, text: &str) -> Result<(), Failure> {
    let failed = |error: std::io::Error| anyhow::anyhow!("cannot write `{}`: {error}", named.display());
    let path = std::fs::canonicalize(named).map_err(failed).because(Reason::Unavailable)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(failed).because(Reason::Unavailable)?;
    std::io::Write::write_all(&mut file, text.as_bytes()).map_err(failed).because(Reason::Unavailable)?;
    if let Ok(metadata) = std::fs::metadata(&path) {
        std::fs::set_permissions(file.path(), metadata.permissions())
            .map_err(failed)
            .because(Reason::Unavailable)?;
    }
    file.persist(&path).map_err(|error| failed(error.error)).because(Reason::Unavailable)?;
    Ok(())
}

fn answer(document: &Document, answering: &Answering) -> CommandResult {
    if let Some(path) = &answering.report {
        report::write(path, &windvane_web::quality_report(document))?;
    }
    let text = match answering.format {
        Format::Json => pretty(document)?,
        Format::Table => table::render(document),
        Format::Markdown => markdown::render(document),
        Format::Junit => junit::render(document),
        Format::Html => windvane_web::quality_report(document),
    };
    print(&text)?;
    Ok(match (answering.fail_on, document.verdict) {
        (Some(FailOn::Fail), Verdict::Fail) => Exit::Found,
        _ => Exit::Ok,
    })
}

/// The exit code of each failure.
pub fn failure(error: QualityError) -> Failure {
    let reason = match &error {
        QualityError::UnknownColumn { .. } | QualityError::NoTimes { .. } => Reason::Data,
        QualityError::Read(error) => reason_of(error),
    };
    Failure { reason, error: error.into() }
}
