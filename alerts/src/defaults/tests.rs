//! What rules say of samples of what they look at.

use super::*;
use crate::notification::Labels;
use crate::rule::{Rule, Source};
use crate::template::{About, annotations};

/// What a rule says of the sample of its source.
fn said(name: &str) -> Labels {
    said_with(name, |_| {})
}

/// What it says of the sample with other labels.
fn said_with(name: &str, change: impl Fn(&mut Labels)) -> Labels {
    let usual = rules().find(|usual| usual.name == name).unwrap();
    let kind = windvane_store::alerts::sources::kind(usual.source).unwrap();
    let templates = usual.annotations().map(|(name, text)| (name.to_owned(), text.to_owned()));
    let rule = Rule {
        name: usual.name.to_owned(),
        source: Source::Stored { kind, measure: usual.measure },
        annotations: templates.collect(),
        ..crate::desk::fixture::rule()
    };
    let mut sample = rule.sample();
    change(&mut sample.labels);
    annotations(&About { rule: &rule, labels: &sample.labels, observation: &sample })
}

#[test]
fn they_say_what_was_found() {
    for (name, summary, description) in [
        (
            "AttributionDrift",
            "delay decides by other features than before: temp 6 → 1, dep_delay 1 → 4",
            "2013-03-01 00:00 UTC to 2013-03-02 00:00 UTC against the baseline spring: the ranking of features by \
             attribution keeps 0.71 of 1 (nDCG), 0.66 to 0.77; this fires below 0.9, and where a feature is attributed on \
             one side only. 1,400 rows against 17,218. Monitor attribution.",
        ),
        (
            "FairnessGap",
            "delay, demographic parity where origin is JFK: 31.0 % against 49.0 % where it is EWR",
            "2013-03-01 00:00 UTC to 2013-03-02 00:00 UTC: the interval of the gap is -22.0 to -14.0 points, \
             beyond 5.0 points it counts, p < 0.001; 1,400 rows against 1,900. Monitor fairness.",
        ),
        (
            "ExperimentWorse",
            "checkout: revenue of B is 4 % worse than A",
            "guardrail metric; the interval of the change is -6 % to -2 %, p 0.001; 4,000 units against 4,100.",
        ),
        (
            "GateFailed",
            "the gate delay does not let version 8 of delay pass",
            "agreement 0.91, at least 0.99 is asked for; 4000 requests.",
        ),
        (
            "LatencyBudgetBurns",
            "delay burns its latency budget 16.2 times as fast as the budget allows",
            "The objective is 99.9 % within 250 ms over 1 h; this fires at 14.4 times. 21 of 1,400 answers \
             were too slow. Monitor latency.",
        ),
    ] {
        let said = said(name);
        assert_eq!((said["summary"].as_str(), said["description"].as_str()), (summary, description));
    }
    let drift = said("FeatureDrift");
    assert!(drift["description"].contains(" against the baseline spring: ks 0.31"), "{drift:?}");
}

#[test]
fn rows_with_an_empty_text_are_told_apart_from_all_rows() {
    let segmented = rules().filter(|usual| usual.words.summary.contains("labels.segment_key"));
    let mut names = Vec::new();
    for Usual { name, .. } in segmented {
        let told = said_with(name, |labels| {
            labels.insert("segment_key".to_owned(), "origin".to_owned());
            // A label without a value is left out.
            labels.remove("segment");
        });
        assert!(told["summary"].contains(" where origin is empty"), "{name}: {}", told["summary"]);
        names.push(*name);
    }
    assert_eq!(names.len(), 5, "{names:?}");
}

#[test]
fn they_stand_in_the_order_of_their_names() {
    for table in [findings::RULES, service::RULES] {
        assert!(table.windows(2).all(|pair| pair[0].name < pair[1].name));
    }
}

#[test]
fn what_a_process_measures_of_itself_is_told_with_what_to_do() {
    for usual in rules().filter(|usual| usual.source == "own") {
        assert!(!usual.words.next.is_empty(), "{}", usual.name);
    }
    let usual = rules().find(|usual| usual.name == "NotificationsUndelivered").unwrap();
    let templates = usual.annotations();
    let rule = Rule {
        name: usual.name.to_owned(),
        source: Source::Own { measure: usual.measure },
        annotations: templates.map(|(name, text)| (name.to_owned(), text.to_owned())).collect(),
        ..crate::desk::fixture::rule()
    };
    let labels = Labels::from([("receiver".to_owned(), "pager".to_owned())]);
    let measured = crate::watch::Measured::new("undelivered", labels.clone(), 1.0);
    let observed = crate::watch::of_own(&[measured], "undelivered", 0);
    let said = annotations(&About { rule: &rule, labels: &labels, observation: &observed[0] });
    assert_eq!(said["summary"], "the receiver pager did not get 1 message");
    assert!(said["description"].ends_with("they are not sent again."), "{said:?}");
    assert!(said["next"].contains("FROM notifications WHERE outcome = 'dead'"), "{said:?}");
}
