//! `windvane experiment`: compares the arms of an experiment, prints the answer, and exits with what was asked for.

mod aa;
mod arguments;
mod covariates;
mod cuts;
mod inference;
mod junit;
mod markdown;
mod past;
mod plan;
mod roles;
mod source;
pub mod table;
pub mod words;

use windvane_types::experiment::{GuardrailVerdict, Role, SrmVerdict, Verdict};

pub use arguments::Arguments;
pub use source::failure;

use crate::by_hand::{self, Engine};
use crate::exit::{CommandResult, Exit};
use crate::output::{pretty, print};
use crate::report;
use arguments::{Asked, FailOn, Format, Options, usage};
use source::Read;

/// Runs `windvane experiment`.
pub fn run(arguments: Arguments) -> CommandResult {
    let arguments = match arguments.command {
        Some(Asked::Plan(asked)) => return plan::run(&asked),
        Some(Asked::Aa(asked)) => return aa::run(&asked),
        None => arguments,
    };
    let options = arguments.check()?;
    by_hand::run(Engine::embedded(options.embedded()), source::read(&options), |read: Read| {
        if let Some(path) = &options.report {
            report::write(path, &windvane_web::experiment_report(&read.document, &read.points))?;
        }
        answer(&read, &options)
    })
}

fn answer(read: &Read, options: &Options) -> CommandResult {
    let document = &read.document;
    let guarded = document.comparisons.iter().any(|comparison| comparison.role == Role::Guardrail);
    if options.fail_on == Some(FailOn::Guardrail) && !guarded {
        return Err(usage(
            "`--fail-on guardrail` is for guardrails, and no metric is one: give --guardrail NAME, or `role = \"guardrail\"` in [experiments.NAME.metrics.METRIC]"
                .to_owned(),
        ));
    }
    let text = match options.format {
        Format::Json => pretty(document)?,
        Format::Table => table::render(document),
        Format::Markdown => markdown::render(document),
        Format::Junit => junit::render(document),
        Format::Html => windvane_web::experiment_report(document, &read.points),
    };
    print(&text)?;
    let any = |verdict| document.comparisons.iter().any(|comparison| comparison.verdict == verdict);
    let guardrail = |verdict| {
        let mut said = document.comparisons.iter().filter_map(|comparison| comparison.guardrail.as_ref());
        said.any(|guardrail| guardrail.verdict == verdict)
    };
    let mismatch = document.srm.verdict == SrmVerdict::Mismatch;
    Ok(match options.fail_on {
        Some(FailOn::Worse) if any(Verdict::Worse) => Exit::Found,
        Some(FailOn::Worse) if mismatch => Exit::Inconclusive,
        Some(FailOn::Mismatch) if mismatch => Exit::Found,
        Some(FailOn::Guardrail) if guardrail(GuardrailVerdict::Broken) => Exit::Found,
        Some(FailOn::Guardrail) if guardrail(GuardrailVerdict::Undecided) => Exit::Inconclusive,
        _ => Exit::Ok,
    })
}
