//! Alerts of a rule through several looks.

use std::time::Duration;

use windvane_types::alert::Severity;

use super::*;
use crate::machine::Timing;
use crate::rule::{Condition, Side, Windows};

fn rule(no_data: NoData, for_us: i64) -> Rule {
    Rule {
        name: "FeatureDrift".to_owned(),
        source: Source::Stored {
            kind: windvane_store::alerts::sources::kind("drift").unwrap(),
            measure: "drifted",
        },
        select: vec!["model=delay".parse().unwrap()],
        condition: Condition { side: Side::Above, enter: 0.5, leave: 0.5 },
        windows: Windows { wrong: 1, of: 1 },
        timing: Timing { for_us, keep_firing_for_us: 0, no_data },
        evidence_min: 0.0,
        every: Duration::ZERO,
        severity: Severity::Warning,
        labels: Labels::new(),
        annotations: Labels::from([("summary".to_owned(), "{{ labels.column }} moved".to_owned())]),
    }
}

fn observed(model: &str, column: &str, value: f64) -> Observation {
    let mut observation = windvane_store::alerts::sources::kind("drift").unwrap().sample();
    observation.labels.insert("model".to_owned(), model.to_owned());
    observation.labels.insert("column".to_owned(), column.to_owned());
    observation.value = Some(value);
    observation
}

fn at(now_us: i64) -> Judge<'static> {
    Judge { now_us, holder: "test", external_url: None }
}

fn changes(judged: &Judged) -> Vec<String> {
    let change = |event: &AlertEvent| format!("{} {}>{}", event.summary, event.from_state, event.to_state);
    judged.events.iter().map(change).collect()
}

#[test]
fn each_thing_has_an_alert_of_its_own() {
    let (mut book, rule) = (Book::default(), rule(NoData::Keep, 10));
    let all = |x: f64| {
        vec![observed("delay", "temp", x), observed("delay", "dewp", 0.0), observed("other", "temp", 1.0)]
    };
    assert_eq!(changes(&book.judge(&rule, all(1.0), at(0))), ["temp moved inactive>pending"]);
    assert_eq!(changes(&book.judge(&rule, all(1.0), at(9))), [""; 0]);
    assert_eq!(changes(&book.judge(&rule, all(1.0), at(10))), ["temp moved pending>firing"]);
    // Nothing is observed, and the rule says to keep.
    assert_eq!(changes(&book.judge(&rule, Vec::new(), at(11))), [""; 0]);
    let resolved = book.judge(&rule, all(0.0), at(12));
    assert_eq!(changes(&resolved), ["temp moved firing>resolved"]);
    assert_eq!((resolved.resolved.len(), book.entries.len()), (1, 0));
}

#[test]
fn a_thing_that_is_gone_is_over_where_no_data_is_ok() {
    let (mut book, rule) = (Book::default(), rule(NoData::Ok, 0));
    book.judge(&rule, vec![observed("delay", "temp", 1.0)], at(0));
    let judged = book.judge(&rule, vec![observed("delay", "dewp", 0.0)], at(1));
    assert_eq!(
        (changes(&judged), judged.events[0].reason.as_str()),
        (vec!["temp moved firing>resolved".to_owned()], "no_data")
    );
}

#[test]
fn the_alert_of_a_version_ends_where_its_gate_lets_another_one_pass() {
    let usual = crate::defaults::rules().find(|usual| usual.name == "GateFailed").unwrap();
    let kind = windvane_store::alerts::sources::kind("gate").unwrap();
    let source = Source::Stored { kind, measure: "failed" };
    let rule = Rule { source, select: Vec::new(), ..rule(usual.no_data, 0) };
    let run = |version: &str, value: f64| {
        let mut observation = kind.sample();
        observation.labels.insert("version".to_owned(), version.to_owned());
        observation.value = Some(value);
        vec![observation]
    };
    let mut book = Book::default();
    assert_eq!(book.judge(&rule, run("8", 1.0), at(0)).events[0].to_state, "firing");
    let judged = book.judge(&rule, run("9", 0.0), at(1));
    assert_eq!((judged.events[0].to_state.as_str(), judged.events.len()), ("resolved", 1));
    assert!(book.entries.is_empty());
}

#[test]
fn a_rule_that_observes_nothing_says_so_where_no_data_alert() {
    let (mut book, rule) = (Book::default(), rule(NoData::Alert, 5));
    assert_eq!(
        changes(&book.judge(&rule, Vec::new(), at(0))),
        ["FeatureDrift observes nothing at all inactive>pending"]
    );
    assert_eq!(
        changes(&book.judge(&rule, Vec::new(), at(5))),
        ["FeatureDrift observes nothing at all pending>firing"]
    );
    let judged = book.judge(&rule, vec![observed("delay", "temp", 0.0)], at(6));
    assert_eq!(changes(&judged), ["FeatureDrift observes nothing at all firing>resolved"]);
    assert!(book.entries.is_empty());
}

#[test]
fn alerts_of_a_rule_that_is_gone_are_resolved() {
    let (mut book, rule) = (Book::default(), rule(NoData::Keep, 0));
    book.judge(&rule, vec![observed("delay", "temp", 1.0)], at(0));
    let judged = book.retire(&[], at(1));
    assert_eq!((judged.events[0].reason.as_str(), judged.resolved.len()), ("rule_gone", 1));
    assert!(book.entries.is_empty());
}

#[test]
fn alerts_that_a_changed_rule_would_not_make_are_resolved() {
    let before = rule(NoData::Keep, 0);
    let changed = |change: &dyn Fn(&mut Rule)| {
        let mut rule = before.clone();
        change(&mut rule);
        rule
    };
    let temp = || vec![observed("delay", "temp", 1.0)];
    for (what, rule, fires) in [
        ("severity", changed(&|rule| rule.severity = Severity::Error), 1),
        ("labels", changed(&|rule| rule.labels = Labels::from([("team".to_owned(), "ml".to_owned())])), 1),
        ("match", changed(&|rule| rule.select = vec!["column!=temp".parse().unwrap()]), 0),
    ] {
        let mut book = Book::default();
        book.judge(&before, temp(), at(0));
        let judged = book.judge(&rule, temp(), at(1));
        let ends = judged.events.iter().filter(|event| event.to_state == "resolved");
        assert_eq!(ends.map(|event| event.reason.as_str()).collect::<Vec<_>>(), ["rule_changed"], "{what}");
        assert_eq!((judged.resolved.len(), book.entries.len()), (1, fires), "{what}");
        let description = &judged.resolved[0].annotations["description"];
        assert!(description.starts_with("Over because the rule has changed"), "{what}: {description}");
        assert_eq!(changes(&book.judge(&rule, temp(), at(2))), [""; 0], "{what}");
    }
    // Other thresholds are another answer to the same question.
    let stricter = changed(&|rule| rule.condition.enter = 0.9);
    let mut book = Book::default();
    book.judge(&before, temp(), at(0));
    assert_eq!(changes(&book.judge(&stricter, temp(), at(1))), [""; 0]);
    // That nothing is observed is wrong no more.
    let mut book = Book::default();
    book.judge(&rule(NoData::Alert, 0), Vec::new(), at(0));
    let judged = book.judge(&before, Vec::new(), at(1));
    assert_eq!((judged.events[0].reason.as_str(), book.entries.len()), ("rule_changed", 0));
}

#[test]
fn nothing_is_kept_for_ever() {
    let (mut book, rule) = (Book::default(), rule(NoData::Keep, 0));
    let temp = observed("delay", "temp", 1.0);
    let end_us = temp.window_end_us;
    book.judge(&rule, vec![temp], at(end_us));
    let last_us = end_us + crate::machine::KEEP_MAX_US;
    assert_eq!(changes(&book.judge(&rule, Vec::new(), at(last_us))), [""; 0]);
    // Windows with too little in them tell nothing either.
    let mut empty = observed("delay", "temp", 1.0);
    (empty.value, empty.window_end_us) = (None, last_us);
    let judged = book.judge(&rule, vec![empty], at(last_us + 1));
    assert_eq!(
        (changes(&judged), judged.events[0].reason.as_str()),
        (vec!["temp moved firing>resolved".to_owned()], "no_data")
    );
    assert!(book.entries.is_empty());
}

#[test]
fn what_is_over_keeps_its_words_and_says_what_is_now() {
    let mut rule = rule(NoData::Ok, 0);
    let annotations = [
        ("summary", "{{ labels.column }} moved by {{ value|digits }}"),
        ("description", "Drifted {{ value|digits }}."),
        ("next", "windvane drift"),
    ];
    rule.annotations = annotations.map(|(name, text)| (name.to_owned(), text.to_owned())).into();
    let told = |judged: &Judged| {
        let annotations = &judged.resolved[0].annotations;
        assert_eq!(annotations.get("summary").map(String::as_str), Some("temp moved by 1"));
        assert!(!annotations.contains_key("next"), "{annotations:?}");
        annotations["description"].clone()
    };
    let fired = || {
        let mut book = Book::default();
        book.judge(&rule, vec![observed("delay", "temp", 1.0)], at(0));
        book
    };
    let judged = fired().judge(&rule, vec![observed("delay", "temp", 0.2)], at(1));
    assert_eq!(told(&judged), "Over: drifted is 0.2 as of 2013-03-02 00:00 UTC. It fired with: Drifted 1.");
    assert_eq!((judged.events[0].summary.as_str(), judged.events[0].value), ("temp moved by 1", Some(0.2)));
    assert_eq!(
        told(&fired().judge(&rule, Vec::new(), at(1))),
        "Over because there are no data of it any more, or too few; the last ones are of 2013-03-02 00:00 UTC. \
         It fired with: Drifted 1."
    );
    assert_eq!(
        told(&fired().retire(&[], at(1))),
        "Over because the rule is gone; nothing else is known to have changed. It fired with: Drifted 1."
    );
}

#[test]
fn a_window_without_data_neither_ends_an_alert_nor_takes_its_words() {
    let (mut book, mut rule) = (Book::default(), rule(NoData::Keep, 0));
    rule.windows = Windows { wrong: 2, of: 3 };
    rule.annotations.insert("summary".to_owned(), "{{ value|digits }}".to_owned());
    let mut look = |values: &[Option<f64>], now_us: i64| {
        let window = |value: &Option<f64>| Observation { value: *value, ..observed("delay", "temp", 0.0) };
        let states = changes(&book.judge(&rule, values.iter().map(window).collect(), at(now_us)));
        (states, book.entries.values().map(|entry| entry.annotations["summary"].clone()).collect::<Vec<_>>())
    };
    let fires = vec!["2".to_owned()];
    assert_eq!(
        look(&[Some(2.0), Some(1.0), Some(0.0)], 0),
        (vec!["2 inactive>firing".to_owned()], fires.clone())
    );
    assert_eq!(look(&[None, Some(2.0), Some(1.0)], 1), (vec![], fires.clone()));
    assert_eq!(look(&[None, None, Some(2.0)], 2), (vec![], fires));
    assert_eq!(look(&[Some(0.0), None, None], 3), (vec!["2 firing>resolved".to_owned()], vec![]));
}

#[test]
fn what_recovers_keeps_its_words_until_it_fires_again() {
    let (mut book, mut rule) = (Book::default(), rule(NoData::Keep, 0));
    rule.timing.keep_firing_for_us = 10;
    rule.annotations.insert("summary".to_owned(), "{{ value|digits }}".to_owned());
    let mut summary = |value: f64, now_us: i64| {
        book.judge(&rule, vec![observed("delay", "temp", value)], at(now_us));
        let entry = book.entries.values().next().unwrap();
        (entry.phase.as_str(), entry.annotations["summary"].clone())
    };
    assert_eq!(summary(1.0, 0), ("firing", "1".to_owned()));
    assert_eq!(summary(0.0, 1), ("recovering", "1".to_owned()));
    assert_eq!(summary(2.0, 2), ("firing", "2".to_owned()));
}

#[test]
fn the_book_has_a_bound() {
    let (mut book, rule) = (Book::default(), rule(NoData::Keep, 0));
    let many = (0..ALERTS_MAX + 3).map(|i| observed("delay", &format!("c{i}"), 1.0)).collect();
    let judged = book.judge(&rule, many, at(0));
    assert_eq!((book.entries.len(), judged.left_out), (ALERTS_MAX, 3));
}
