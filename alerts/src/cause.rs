//! What may be behind an alert: something upstream of it that fires for the same model.

use crate::book::Book;
use crate::notification::Labels;
use crate::plan::Plan;
use crate::rule::Source;

/// Sources whose findings explain others, and those that they explain.
const UPSTREAM: &[&str] = &["quality", "ingestion", "outcomes"];
const DOWNSTREAM: &[&str] = &["drift", "performance", "experiment", "latency"];
/// Causes that are named.
const NAMED_MAX: usize = 2;

/// The likely cause of an alert of this rule with these labels, in a line.
#[must_use]
pub fn cause(book: &Book, plan: &Plan, (rule, labels): (&str, &Labels)) -> Option<String> {
    let model = labels.get("model")?;
    if !DOWNSTREAM.contains(&source(plan, rule)) {
        return None;
    }
    let behind = book.entries.values().filter(|entry| {
        entry.phase.fires()
            && entry.labels.get("model") == Some(model)
            && UPSTREAM.contains(&source(plan, &entry.rule))
    });
    let named: Vec<&str> = behind
        .take(NAMED_MAX)
        .map(|entry| entry.annotations.get("summary").map_or(entry.rule.as_str(), String::as_str))
        .collect();
    (!named.is_empty()).then(|| format!("it fires at the same time that {}", named.join("; and that ")))
}

fn source<'a>(plan: &'a Plan, rule: &str) -> &'a str {
    match plan.rules.iter().find(|known| known.name == rule).map(|known| &known.source) {
        Some(Source::Stored { kind, .. }) => kind.name,
        Some(Source::Query(_)) => "query",
        Some(Source::Own { .. }) => "own",
        None => "",
    }
}
