//! What may be behind an alert: something upstream of it that fires for the same model. That is no proof, so it is told as
//! something that happens at the same time.

use crate::book::Book;
use crate::notification::Labels;
use crate::plan::Plan;
use crate::rule::Source;

/// Sources whose findings explain others, and those that they explain.
const UPSTREAM: &[&str] = &["quality", "ingestion", "outcomes"];
const DOWNSTREAM: &[&str] = &["drift", "performance", "fairness", "attribution"];
/// Alerts that are named.
const NAMED_MAX: usize = 2;
/// What such a cause begins with, and no other.
const SAME_TIME: &str = "At the same time";

/// The annotation `cause` as people read it: what it is, and the rest of it.
#[must_use]
pub fn labelled(cause: &str) -> (&'static str, &str) {
    match cause.strip_prefix(SAME_TIME).and_then(|rest| rest.strip_prefix(": ")) {
        Some(rest) => (SAME_TIME, rest),
        None => ("Likely cause", cause),
    }
}

/// Whether an annotation `cause` only says what else fires, so that a better one may take its place.
#[must_use]
pub fn is_same_time(cause: &str) -> bool {
    labelled(cause).0 == SAME_TIME
}

/// What fires at the same time upstream of an alert of this rule with these labels, in a line.
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
    (!named.is_empty()).then(|| format!("{SAME_TIME}: {}", named.join("; ")))
}

fn source<'a>(plan: &'a Plan, rule: &str) -> &'a str {
    match plan.rules.iter().find(|known| known.name == rule).map(|known| &known.source) {
        Some(Source::Stored { kind, .. }) => kind.name,
        Some(Source::Query(_)) => "query",
        Some(Source::Own { .. }) => "own",
        None => "",
    }
}

#[cfg(test)]
mod tests {
    use windvane_store::alerts;

    use super::*;
    use crate::book::Judge;
    use crate::desk::fixture;
    use crate::rule::Rule;

    #[test]
    fn what_fires_upstream_is_told_of_drift_and_not_of_latency() {
        let rule = |name: &str, kind: &str, measure: &'static str| Rule {
            name: name.to_owned(),
            source: Source::Stored { kind: alerts::sources::kind(kind).unwrap(), measure },
            annotations: Labels::from([("summary".to_owned(), "{{ labels.column }} is missing".to_owned())]),
            ..fixture::rule()
        };
        let mut plan = fixture::plan();
        plan.rules = vec![
            rule("FeatureDrift", "drift", "drifted"),
            rule("DataQuality", "quality", "failed"),
            rule("ModelSlower", "latency", "slower"),
            rule("ExperimentWorse", "experiment", "worse"),
            rule("FairnessGap", "fairness", "failed"),
            rule("AttributionDrift", "attribution", "drifted"),
        ];
        let mut book = Book::default();
        let judge = Judge { now_us: 0, holder: "test", external_url: None };
        let of = |book: &Book, rule: &str, model: &str| {
            cause(book, &plan, (rule, &Labels::from([("model".to_owned(), model.to_owned())])))
        };
        assert_eq!(of(&book, "FeatureDrift", "delay"), None);
        book.judge(&plan.rules[1], vec![plan.rules[1].sample()], judge);
        let said = of(&book, "FeatureDrift", "delay").unwrap();
        assert_eq!(said, "At the same time: temp is missing");
        assert_eq!(labelled(&said), ("At the same time", "temp is missing"));
        assert_eq!(labelled("version 8 was first seen"), ("Likely cause", "version 8 was first seen"));
        assert!(is_same_time(&said));
        for rule in ["FairnessGap", "AttributionDrift"] {
            assert_eq!(of(&book, rule, "delay"), Some(said.clone()), "{rule}");
        }
        for (rule, model) in
            [("FeatureDrift", "fraud"), ("ModelSlower", "delay"), ("ExperimentWorse", "delay")]
        {
            assert_eq!(of(&book, rule, model), None, "{rule}");
        }
    }
}
