//! What an experiment says in words that a person reads: the verdict, the number behind it, how sure it is.

use windvane_types::experiment::{
    Advice, ArmAdvice, Better, Check, CheckVerdict, Comparison, Document, Effect, GuardrailVerdict, Kind,
    Segment, SrmVerdict, Verdict, words,
};

pub use windvane_types::experiment::words::chance;

use crate::drift::words::{counted, grouped, number, shortened};

/// The headline of a document.
pub fn headline(document: &Document) -> String {
    if document.srm.verdict == SrmVerdict::Mismatch {
        return "the arms do not have their share of units: no verdict can be trusted".to_owned();
    }
    let mut parts = Vec::new();
    for guardrail in [GuardrailVerdict::Broken, GuardrailVerdict::Undecided] {
        let said: Vec<String> = document
            .comparisons
            .iter()
            .filter(|comparison| {
                comparison.guardrail.as_ref().is_some_and(|found| found.verdict == guardrail)
            })
            .map(|comparison| format!("{} on {}", shortened(&comparison.arm), metric(comparison)))
            .collect();
        if !said.is_empty() {
            parts.push(format!("guardrail {}: {}", guardrail.as_str(), said.join(", ")));
        }
    }
    for verdict in [Verdict::Better, Verdict::Worse, Verdict::Equivalent] {
        let said: Vec<String> = document
            .comparisons
            .iter()
            .filter(|comparison| comparison.verdict == verdict)
            .map(|comparison| format!("{} on {}", shortened(&comparison.arm), metric(comparison)))
            .collect();
        if !said.is_empty() {
            parts.push(format!("{}: {}", verdict.as_str(), said.join(", ")));
        }
    }
    let tested = || document.comparisons.iter().filter(|found| document.is_tested(found));
    let open = tested().filter(|found| found.verdict == Verdict::Inconclusive).count();
    match (parts.is_empty(), open) {
        (true, _) => "nothing is shown yet: every comparison is inconclusive".to_owned(),
        (false, 0) => parts.join("; "),
        (false, open) => {
            format!("{}; inconclusive: {open} of {}", parts.join("; "), tested().count())
        }
    }
}

/// The arms with their units, in one line.
pub fn arms(document: &Document) -> String {
    let arms = document.arms.iter().map(|arm| {
        let control = if arm.arm == document.control { " (control)" } else { "" };
        format!("{}{control} {}", shortened(&arm.arm), counted(arm.n, "unit", "units"))
    });
    arms.collect::<Vec<_>>().join(", ")
}

/// Whether the arms have their share of units, in one line.
pub fn sample_ratio(document: &Document) -> String {
    match (document.srm.verdict, document.srm.deciding_p_value(&document.inference)) {
        (SrmVerdict::Mismatch, p) => format!(
            "sample ratio mismatch ({}): units are lost or dealt out wrongly; find out why before reading on",
            p_value(p)
        ),
        (SrmVerdict::Ok, Some(p)) => format!("the arms have their share of units ({})", p_value(Some(p))),
        (SrmVerdict::Ok, None) => "whether the arms have their share of units cannot be told".to_owned(),
    }
}

/// A segment with the units of its arms, in one line; `inference` is the document's.
pub fn segment(segment: &Segment, inference: &str) -> String {
    let values = segment
        .segment
        .iter()
        .map(|(column, value)| format!("{column}={}", shortened(value.as_deref().unwrap_or("(missing)"))));
    let units = segment.arms.iter().map(|arm| format!("{} {}", shortened(&arm.arm), grouped(arm.n)));
    let mismatch = match segment.srm.verdict {
        SrmVerdict::Mismatch => {
            format!("; sample ratio mismatch ({})", p_value(segment.srm.deciding_p_value(inference)))
        }
        SrmVerdict::Ok => String::new(),
    };
    format!(
        "{} ({} units{mismatch})",
        values.collect::<Vec<_>>().join(", "),
        units.collect::<Vec<_>>().join(", ")
    )
}

/// Segments that are not compared, in one line.
pub fn left_out(document: &Document) -> Option<String> {
    let left_out = document.segments_left_out.filter(|left_out| *left_out > 0)?;
    Some(format!(
        "{} not compared: too few units, or not among the largest",
        counted(left_out, "segment is", "segments are")
    ))
}

/// How the next units would be dealt out, one line a metric.
pub fn advice(document: &Document) -> Vec<String> {
    let of_arm = |arm: &ArmAdvice| {
        format!(
            "{} {} (top-two {}, best with {})",
            shortened(&arm.arm),
            percent(arm.thompson),
            percent(arm.top_two),
            words::likely(Some(arm.probability_best))
        )
    };
    let of_metric = |advice: &Advice| {
        let arms: Vec<String> = advice.arms.iter().map(of_arm).collect();
        let metric = named(&advice.metric, (advice.quantile, advice.denominator.as_deref()));
        format!("{metric}: {}. {}", arms.join(", "), advice.caution)
    };
    document.advice.iter().map(of_metric).collect()
}

/// A health check that is not well, in one line.
pub fn check(check: &Check) -> String {
    let subject =
        check.subject.as_ref().map_or(String::new(), |subject| format!(" ({})", shortened(subject)));
    format!("{}{subject}: {} {}", check.verdict.as_str(), check.meaning, check.advice).trim_end().to_owned()
}

/// Checks that a person should see.
pub fn unwell(document: &Document) -> impl Iterator<Item = &Check> {
    let srm = |check: &Check| check.check == "sample_ratio" && check.subject.is_none();
    document
        .health
        .iter()
        .filter(move |check| !srm(check))
        .filter(|check| matches!(check.verdict, CheckVerdict::Warning | CheckVerdict::Failure))
}

/// The metric with its quantile or denominator.
pub fn metric(comparison: &Comparison) -> String {
    named(&comparison.metric, (comparison.quantile, comparison.denominator.as_deref()))
}

fn named(metric: &str, of: (Option<f64>, Option<&str>)) -> String {
    words::named(metric, of, shortened)
}

/// The verdict, with what the guardrail says where the metric is one.
pub fn verdict(comparison: &Comparison) -> String {
    match &comparison.guardrail {
        None => comparison.verdict.as_str().to_owned(),
        Some(guardrail) => {
            format!("{}, guardrail {}", comparison.verdict.as_str(), guardrail.verdict.as_str())
        }
    }
}

/// What a verdict needs, in one line.
pub fn rule(document: &Document) -> String {
    let tests = counted(document.tests as u64, "p-value", "p-values");
    let sure = format!("{} %", number((1.0 - document.alpha) * 100.0));
    let needed = words::needed(document, &sure);
    format!("{tests} corrected by {}; {needed}; intervals hold {sure} each", document.correction)
}

/// `10.2 → 11.5`.
pub fn levels(comparison: &Comparison) -> String {
    let one = |value: Option<f64>| match (value, comparison.kind) {
        (None, _) => "–".to_owned(),
        (Some(value), Kind::Proportion) => percent(value),
        (Some(value), _) => number(value),
    };
    format!("{} → {}", one(comparison.mean_control), one(comparison.mean))
}

/// `+12.3 % [+4.1 %, +20.4 %]`, or the absolute difference where there is no relative one.
pub fn change(comparison: &Comparison) -> String {
    match &comparison.relative {
        Some(relative) => with_interval(relative, signed_percent),
        None if comparison.absolute.estimate.is_some() => with_interval(&comparison.absolute, signed),
        None => "–".to_owned(),
    }
}

/// The always-valid interval of the relative difference.
pub fn at_any_time(comparison: &Comparison) -> String {
    let interval = comparison.sequential.and_then(|sequential| sequential.ci);
    interval.map_or("–".to_owned(), |ends| bracketed(ends, signed_percent))
}

/// `p 0.0021`, corrected where it was.
pub fn p_value(p: Option<f64>) -> String {
    match p {
        None => "no p".to_owned(),
        Some(p) if p < 0.0001 => format!("p {p:.1e}"),
        Some(p) => format!("p {p:.4}"),
    }
}

/// The p-value that decides, in words.
pub fn deciding_p(comparison: &Comparison) -> String {
    p_value(words::deciding_p(comparison))
}

/// Everything that a comparison says, in one sentence.
pub fn sentence(comparison: &Comparison) -> String {
    let better = match comparison.better {
        Better::Higher => "",
        Better::Lower => ", less is better",
    };
    let reason = comparison.reason.as_ref().map_or(String::new(), |reason| format!(": {reason}"));
    format!(
        "{} on {}{better}: {}, {} ({}), {}{reason}",
        shortened(&comparison.arm),
        metric(comparison),
        verdict(comparison),
        change(comparison),
        levels(comparison),
        deciding_p(comparison),
    )
}

/// What was done on the way, each line once, with the metrics that it is about where it is not about all.
pub fn ledger(document: &Document) -> Vec<String> {
    let shown = |line: &str| !line.starts_with("corrected: ");
    words::ledger(document, shown, |found| format!("{} {}", metric(found), shortened(&found.arm)))
}

fn with_interval(effect: &Effect, one: fn(f64) -> String) -> String {
    let estimate = effect.estimate.map_or("–".to_owned(), one);
    match effect.ci {
        Some(ends) => format!("{estimate} {}", bracketed(ends, one)),
        None => estimate,
    }
}

fn bracketed([lo, hi]: [Option<f64>; 2], one: fn(f64) -> String) -> String {
    format!("[{}, {}]", lo.map_or("-∞".to_owned(), one), hi.map_or("∞".to_owned(), one))
}

fn signed(value: f64) -> String {
    let text = number(value);
    if value > 0.0 { format!("+{text}") } else { text }
}

fn signed_percent(share: f64) -> String {
    format!("{} %", signed(rounded(share * 100.0)))
}

fn percent(share: f64) -> String {
    format!("{} %", number(rounded(share * 100.0)))
}

/// To a hundredth, unless nothing would be left.
fn rounded(value: f64) -> f64 {
    let hundredth = (value * 100.0).round() / 100.0;
    if hundredth.abs() >= 0.1 { hundredth } else { value }
}
