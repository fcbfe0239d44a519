//! What one window said: printed, and as the exit code that was asked for.

use windvane_analyzer::monitor::Answer;
use windvane_types::drift::Verdict as DriftVerdict;
use windvane_types::fairness::Verdict as FairnessVerdict;
use windvane_types::performance::Verdict as PerformanceVerdict;
use windvane_types::quality::Verdict as QualityVerdict;

use super::{FailOn, Format};
use crate::exit::{CommandResult, Exit};
use crate::output::{self, pretty};
use crate::{attribution, drift, experiment, fairness, latency, performance, quality};

/// Prints an answer, and exits with what was asked for.
pub(super) fn print(answer: &Answer, (format, fail_on): (Format, Option<FailOn>)) -> CommandResult {
    let text = match format {
        Format::Json => as_json(answer)?,
        Format::Table => as_table(answer),
    };
    output::print(&text)?;
    Ok(fail_on.map_or(Exit::Ok, |asked| found(answer, asked)))
}

fn as_json(answer: &Answer) -> serde_json::Result<String> {
    match answer {
        Answer::Attribution(document) => pretty(document),
        Answer::Drift(document) => pretty(document),
        Answer::Experiment(document) => pretty(document),
        Answer::Fairness(document) => pretty(document),
        Answer::Latency(document) => pretty(document),
        Answer::Performance(document) => pretty(document),
        Answer::Quality(document) => pretty(document),
    }
}

fn as_table(answer: &Answer) -> String {
    match answer {
        Answer::Attribution(document) => attribution::table(document),
        Answer::Drift(document) => drift::table::render(document),
        Answer::Experiment(document) => experiment::table::render(document),
        Answer::Fairness(document) => fairness::table(document),
        Answer::Latency(document) => latency::table::render(document),
        Answer::Performance(document) => performance::table::render(document),
        Answer::Quality(document) => quality::table::render(document),
    }
}

/// What the exit code is where this was asked for, which the monitor's kind can find.
fn found(answer: &Answer, asked: FailOn) -> Exit {
    let (is_found, is_unsure) = match (answer, asked) {
        (Answer::Attribution(document), FailOn::Drift) => drifts(document.verdict),
        (Answer::Drift(document), FailOn::Drift) => drifts(document.verdict),
        (Answer::Fairness(document), FailOn::Fail) => {
            (document.verdict == FairnessVerdict::Fail, document.verdict == FairnessVerdict::InsufficientData)
        }
        (Answer::Performance(document), FailOn::Alert) => (
            document.verdict == PerformanceVerdict::Alert,
            document.verdict == PerformanceVerdict::InsufficientData,
        ),
        (Answer::Quality(document), FailOn::Fail) => (document.verdict == QualityVerdict::Fail, false),
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

fn drifts(verdict: DriftVerdict) -> (bool, bool) {
    (verdict == DriftVerdict::Drift, verdict == DriftVerdict::InsufficientData)
}

/// What is said of a window that there is no answer about, and of names that nothing in it has.
pub(super) fn nothing(note: &str) -> String {
    let said = "nothing to compare yet: units of two arms, rows of the reference or its group, or attributions are needed\n";
    if note.is_empty() { said.to_owned() } else { format!("{said}{note}\n") }
}
