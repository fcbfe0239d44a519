//! What an experiment says, in sentences with the number behind each.

use windvane_types::experiment::{
    Advice, Better, Comparison, Document, Effect, GuardrailVerdict, Kind, SrmVerdict, Verdict, words,
};

pub use windvane_types::experiment::words::{chance, deciding_p, likely};

use crate::chart::cut;
use crate::listed::names;
use crate::numbers::{counted, number, p_value, percent, signed, signed_percent};

/// Characters of a name that are shown.
const NAME_MAX: usize = 48;
/// Comparisons of a verdict that the headline names.
const NAMED_MAX: usize = 12;

/// A name without control characters, cut where it is very long.
pub fn name(text: &str) -> String {
    cut(text, NAME_MAX)
}

/// The metric with its quantile or denominator.
pub fn metric(comparison: &Comparison) -> String {
    named(&comparison.metric, (comparison.quantile, comparison.denominator.as_deref()))
}

/// The metric that advice goes by, in the same way.
pub fn advised(advice: &Advice) -> String {
    named(&advice.metric, (advice.quantile, advice.denominator.as_deref()))
}

fn named(metric: &str, of: (Option<f64>, Option<&str>)) -> String {
    words::named(metric, of, name)
}

/// The document in one line.
pub fn headline(document: &Document) -> String {
    if document.srm.verdict == SrmVerdict::Mismatch {
        return "No verdict: the arms do not have their share of units".to_owned();
    }
    let of = |verdict| document.comparisons.iter().filter(move |found| found.verdict == verdict);
    let listed = |verdict| {
        let said: Vec<String> =
            of(verdict).map(|found| format!("{} on {}", name(&found.arm), metric(found))).collect();
        (!said.is_empty()).then(|| names(said, NAMED_MAX))
    };
    let guarded = |verdict: GuardrailVerdict| {
        let said: Vec<String> = document
            .comparisons
            .iter()
            .filter(|found| found.guardrail.as_ref().is_some_and(|guardrail| guardrail.verdict == verdict))
            .map(|found| format!("{} on {}", name(&found.arm), metric(found)))
            .collect();
        (!said.is_empty()).then(|| format!("Guardrail {}: {}", verdict.as_str(), names(said, NAMED_MAX)))
    };
    let mut parts: Vec<String> = [Verdict::Worse, Verdict::Better, Verdict::Equivalent]
        .into_iter()
        .filter_map(|verdict| Some(format!("{}: {}", capital(verdict.as_str()), listed(verdict)?)))
        .collect();
    parts.extend([GuardrailVerdict::Broken, GuardrailVerdict::Undecided].into_iter().filter_map(guarded));
    match parts.as_slice() {
        [] => "Nothing is shown yet: every comparison is inconclusive".to_owned(),
        parts => parts.join(". "),
    }
}

/// What one comparison says, with the number behind it.
pub fn sentence(comparison: &Comparison, alpha: f64) -> String {
    let (arm, control, metric) = (name(&comparison.arm), name(&comparison.control), metric(comparison));
    let said = match comparison.verdict {
        Verdict::Better => format!("{arm} is better than {control} on {metric}"),
        Verdict::Worse => format!("{arm} is worse than {control} on {metric}"),
        Verdict::Equivalent => {
            let margin =
                comparison.margin.map_or(String::new(), |margin| format!(" within {}", percent(margin)));
            format!("{arm} equals {control} on {metric}{margin}")
        }
        Verdict::Inconclusive => format!("Nothing is shown of {arm} on {metric} yet"),
    };
    let behind = match (&comparison.reason, &comparison.relative) {
        (Some(reason), _) => reason.clone(),
        (None, Some(relative)) => with_interval(relative, alpha, signed_percent),
        (None, None) if comparison.absolute.estimate.is_some() => {
            with_interval(&comparison.absolute, alpha, signed)
        }
        (None, None) => "there is no estimate".to_owned(),
    };
    let p = deciding_p(comparison);
    let p = if p.is_some() { format!("; {}", p_value(p)) } else { String::new() };
    let less = if comparison.better == Better::Lower { ", where less is better" } else { "" };
    let guardrail = comparison.guardrail.as_ref().map_or(String::new(), |guardrail| {
        let margin = if guardrail.margin > 0.0 {
            format!("a loss of {}", percent(guardrail.margin))
        } else {
            "any loss".to_owned()
        };
        match guardrail.verdict {
            GuardrailVerdict::Held => format!(". The guardrail holds: {margin} is ruled out"),
            GuardrailVerdict::Broken => format!(". The guardrail is broken: {margin} is exceeded"),
            GuardrailVerdict::Undecided => {
                format!(". Whether the guardrail holds is open: {margin} is not ruled out")
            }
        }
    });
    format!("{said}{less}: {behind}{p}{guardrail}")
}

/// What a verdict needs.
pub fn rule(document: &Document) -> String {
    let tests = match document.tests {
        1 => "One p-value".to_owned(),
        tests => counted(tests as u64, "p-value", "p-values"),
    };
    let sure = percent(1.0 - document.alpha);
    let needed = words::needed(document, &sure);
    format!("{tests} corrected by {}; {needed}; each interval holds {sure}.", document.correction)
}

fn with_interval(effect: &Effect, alpha: f64, one: fn(f64) -> String) -> String {
    let estimate = effect.estimate.map_or("–".to_owned(), one);
    match effect.ci {
        Some(ends) => {
            format!("{estimate} ({} % interval {})", number((1.0 - alpha) * 100.0), interval(ends, one))
        }
        None => estimate,
    }
}

/// `+4.1 to +20.4 %`.
pub fn interval([lo, hi]: [Option<f64>; 2], one: fn(f64) -> String) -> String {
    let (lo, hi) = (lo.map_or("−∞".to_owned(), one), hi.map_or("∞".to_owned(), one));
    let lo = if hi.ends_with(" %") { lo.trim_end_matches(" %") } else { &lo };
    format!("{lo} to {hi}")
}

/// The control's value and the arm's.
pub fn levels(comparison: &Comparison) -> [String; 2] {
    [comparison.mean_control, comparison.mean].map(|value| match (value, comparison.kind) {
        (None, _) => "–".to_owned(),
        (Some(value), Kind::Proportion) => percent(value),
        (Some(value), _) => number(value),
    })
}

/// Whether units were dealt out as planned.
pub fn sample_ratio(document: &Document) -> String {
    match (document.srm.verdict, document.srm.deciding_p_value(&document.inference)) {
        (SrmVerdict::Mismatch, p) => format!(
            "The arms do not have their share of units ({}): units are lost or dealt out wrongly, and those that are left are not \
             alike. Find out why before you read on.",
            p_value(p)
        ),
        (SrmVerdict::Ok, Some(p)) => format!("The arms have their share of units ({}).", p_value(Some(p))),
        (SrmVerdict::Ok, None) => "Whether the arms have their share of units cannot be told yet.".to_owned(),
    }
}

/// What was done on the way, each line once, with the comparisons that it is about where it is not about all.
pub fn ledger(document: &Document) -> Vec<String> {
    words::ledger(document, |_| true, |found| format!("{} of {}", metric(found), name(&found.arm)))
}

/// With a capital.
pub fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or(String::new(), |first| first.to_uppercase().chain(chars).collect())
}
