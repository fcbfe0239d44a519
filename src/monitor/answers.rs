//! What one window said: printed, and as the exit code that was asked for.

use serde::Serialize;
use windvane_analyzer::monitor::Answer;
use windvane_types::{drift, fairness, performance, quality};

use super::{FailOn, Format};
use crate::drift::table;
use crate::exit::{CommandResult, Exit, Failure};
use crate::latency;
use crate::{attribution, experiment};

/// Prints an answer, and exits with what was asked for.
pub(super) fn print(answer: &Answer, (format, fail_on): (Format, Option<FailOn>)) -> CommandResult {
    let is_json = format == Format::Json;
    let text = match answer {
        Answer::Attribution(document) if is_json => json(document)?,
        Answer::Attribution(document) => attribution::table(document),
        Answer::Drift(document) if is_json => json(document)?,
        Answer::Drift(document) => table::render(document),
        Answer::Experiment(document) if is_json => json(document)?,
        Answer::Experiment(document) => experiment::table::render(document),
        Answer::Fairness(document) if is_json => json(document)?,
        Answer::Fairness(document) => crate::fairness::table(document),
        Answer::Latency(document) if is_json => json(document)?,
        Answer::Latency(document) => latency::table::render(document),
        Answer::Performance(document) if is_json => json(document)?,
        Answer::Performance(document) => crate::performance::table::render(document),
        Answer::Quality(document) if is_json => json(document)?,
        Answer::Quality(document) => crate::quality::table::render(document),
    };
    crate::output::print(&text)?;
    Ok(fail_on.map_or(Exit::Ok, |asked| found(answer, asked)))
}

/// What the exit code is where this was asked for, which the monitor's kind can find.
fn found(answer: &Answer, asked: FailOn) -> Exit {
    let (is_found, is_unsure) = match (answer, asked) {
        (Answer::Attribution(document), FailOn::Drift) => drifts(document.verdict),
        (Answer::Drift(document), FailOn::Drift) => drifts(document.verdict),
        (Answer::Fairness(document), FailOn::Fail) => (
            document.verdict == fairness::Verdict::Fail,
            document.verdict == fairness::Verdict::InsufficientData,
        ),
        (Answer::Performance(document), FailOn::Alert) => (
            document.verdict == performance::Verdict::Alert,
            document.verdict == performance::Verdict::InsufficientData,
        ),
        (Answer::Quality(document), FailOn::Fail) => (document.verdict == quality::Verdict::Fail, false),
        (Answer::Latency(document), FailOn::Slower) => {
            return latency::fails_on(document, latency::FailOn::Slower);
        }
        (Answer::Latency(document), FailOn::Breached) => {
            return latency::fails_on(document, latency::FailOn::Breached);
        }
        _ => (false, false),
    };
    match (is_found, is_unsure) {
        (true, _) => Exit::Found,
        (false, true) => Exit::Inconclusive,
        (false, false) => Exit::Ok,
    }
}

fn drifts(verdict: drift::Verdict) -> (bool, bool) {
    (verdict == drift::Verdict::Drift, verdict == drift::Verdict::InsufficientData)
}

/// A document as it is printed.
pub(super) fn json(document: &impl Serialize) -> Result<String, Failure> {
    Ok(format!("{}\n", serde_json::to_string_pretty(document)?))
}

/// What is said of a window that there is no answer about, and of names that nothing in it has.
pub(super) fn nothing(note: &str) -> String {
    let said = "nothing to compare yet: units of two arms, rows of the reference or its group, or attributions are needed\n";
    if note.is_empty() { said.to_owned() } else { format!("{said}{note}\n") }
}
