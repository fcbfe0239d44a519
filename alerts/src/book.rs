//! The book of alerts: every alert that is not inactive, with what was observed of it last. Judging is a function of the book,
//! the rule, the observations and the time.

mod over;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use windvane_store::alerts::events::AlertEvent;
use windvane_store::alerts::sources::Observation;

use crate::link::link;
use crate::machine::{NoData, Phase, Seen, Why, step};
use crate::notification::{Labels, fingerprint};
use crate::rule::{Rule, Source};
use crate::template;

/// Alerts at most: forty features of a hundred models, twice over. More are counted and left out.
pub const ALERTS_MAX: usize = 10_000;
/// The label of the alert that says that a rule observes nothing at all.
const NO_DATA_LABEL: &str = "no_data";

/// An alert and what is known of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Its rule.
    pub rule: String,
    /// Its labels.
    pub labels: Labels,
    /// Where it is.
    pub phase: Phase,
    /// What people read: of what was wrong last.
    pub annotations: Labels,
    /// The page of the finding.
    pub link: Option<String>,
    /// What was observed last.
    pub observation: Observation,
}

/// All alerts that are not inactive, by fingerprint.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Book {
    /// By fingerprint.
    pub entries: BTreeMap<String, Entry>,
}

/// What came of judging.
#[derive(Debug, Default)]
pub struct Judged {
    /// Every change, in order.
    pub events: Vec<AlertEvent>,
    /// Alerts that were resolved, with what was known of them last.
    pub resolved: Vec<Entry>,
    /// Alerts that were left out because the book is full.
    pub left_out: u64,
}

/// Who judges when.
#[derive(Debug, Clone, Copy)]
pub struct Judge<'a> {
    /// The time, microseconds since 1970 UTC.
    pub now_us: i64,
    /// Names the process in events.
    pub holder: &'a str,
    /// Where pages are, where that is known.
    pub external_url: Option<&'a str>,
}

impl Book {
    /// Judges everything that a rule observes now: observations of the same labels are windows, the latest first.
    pub fn judge(&mut self, rule: &Rule, observations: Vec<Observation>, judge: Judge<'_>) -> Judged {
        // Nothing of what it observes now would ever end an alert that it makes no more.
        let is_former = |entry: &Entry| entry.rule == rule.name && !is_of(entry, rule);
        let mut judged = self.end(is_former, Why::RuleChanged, judge);
        let mut things: BTreeMap<String, (Labels, Vec<Observation>)> = BTreeMap::new();
        for observation in observations {
            if rule.selects(&observation.labels) {
                let labels = rule.labels_of(&observation.labels);
                let thing = things.entry(fingerprint(&labels)).or_insert((labels, Vec::new()));
                thing.1.push(observation);
            }
        }
        if rule.timing.no_data == NoData::Alert {
            self.watch_for_silence(rule, &mut things, judge);
        }
        let known: BTreeSet<String> = self.of(&rule.name).collect();
        for (fingerprint, (labels, windows)) in &things {
            let seen = match labels.contains_key(NO_DATA_LABEL) {
                // The alert about the rule's silence: it holds where nothing else was observed.
                true if things.len() == 1 => Seen::Nothing,
                true => Seen::Left,
                false => rule.seen(windows),
            };
            // A window without data has no words for what is wrong.
            let telling = windows.iter().find(|window| rule.value_of(window).is_some());
            let latest = telling.or(windows.first()).cloned();
            self.turn((rule, fingerprint, labels), (seen, latest), (judge, &mut judged));
        }
        for fingerprint in known.iter().filter(|known| !things.contains_key(*known)) {
            let labels = self.entries[fingerprint].labels.clone();
            self.turn((rule, fingerprint, &labels), (Seen::Nothing, None), (judge, &mut judged));
        }
        judged
    }

    /// Resolves alerts whose rule is no more among these.
    pub fn retire(&mut self, rules: &[Rule], judge: Judge<'_>) -> Judged {
        self.end(|entry| rules.iter().all(|rule| rule.name != entry.rule), Why::RuleGone, judge)
    }

    /// Resolves alerts that no rule says anything about.
    fn end(&mut self, is_over: impl Fn(&Entry) -> bool, why: Why, judge: Judge<'_>) -> Judged {
        let mut judged = Judged::default();
        let ended = self.entries.iter().filter(|(_, entry)| is_over(entry));
        let ended: Vec<String> = ended.map(|(fingerprint, _)| fingerprint.clone()).collect();
        for fingerprint in ended {
            if let Some(mut entry) = self.entries.remove(&fingerprint) {
                let phases = (entry.phase, Phase::Inactive);
                judged.events.push(event((&fingerprint, &entry), phases, why, judge));
                if entry.phase.fires() {
                    over::tell(&mut entry, None, why);
                    judged.resolved.push(entry);
                }
            }
        }
        judged
    }

    /// The alerts of a rule.
    fn of<'a>(&'a self, rule: &'a str) -> impl Iterator<Item = String> + 'a {
        self.entries
            .iter()
            .filter(move |(_, entry)| entry.rule == rule)
            .map(|(fingerprint, _)| fingerprint.clone())
    }

    /// Adds the alert that holds while the rule observes nothing, where it may have to begin or to end.
    fn watch_for_silence(
        &self,
        rule: &Rule,
        things: &mut BTreeMap<String, (Labels, Vec<Observation>)>,
        judge: Judge<'_>,
    ) {
        let silent = Labels::from([(NO_DATA_LABEL.to_owned(), "true".to_owned())]);
        let labels = rule.labels_of(&silent);
        let name = fingerprint(&labels);
        if things.is_empty() || self.entries.contains_key(&name) {
            let observation = Observation {
                labels: silent,
                window_start_us: 0,
                window_end_us: judge.now_us,
                value: None,
                evidence: 0.0,
                fields: rule.sample().fields,
            };
            things.insert(name, (labels, vec![observation]));
        }
    }

    fn turn(
        &mut self,
        (rule, fingerprint, labels): (&Rule, &str, &Labels),
        (seen, latest): (Seen, Option<Observation>),
        (judge, judged): (Judge<'_>, &mut Judged),
    ) {
        let known = self.entries.get(fingerprint);
        let before = known.map_or(Phase::Inactive, |entry| entry.phase);
        let timing = known.map_or(rule.timing, |entry| {
            let last = &entry.observation;
            // Without a start it is a look, not a window.
            let start_us = if last.window_start_us == 0 { last.window_end_us } else { last.window_start_us };
            let age_us = judge.now_us.saturating_sub(last.window_end_us);
            rule.timing.aged(age_us, last.window_end_us.saturating_sub(start_us))
        });
        let (after, why) = step(before, seen, &timing, judge.now_us);
        if before == Phase::Inactive && after == Phase::Inactive {
            return;
        }
        if before == Phase::Inactive && self.entries.len() >= ALERTS_MAX {
            judged.left_out += 1;
            return;
        }
        let mut entry = match (self.entries.remove(fingerprint), latest, seen) {
            // Too little to tell it by says nothing about it.
            (Some(entry), _, Seen::Nothing) | (Some(entry), None, _) => entry,
            // What was wrong stays in words: they would be false of what is right.
            (Some(entry), Some(observation), Seen::Left) => Entry { observation, ..entry },
            (_, Some(observation), _) => described(rule, labels, observation, judge.external_url),
            (None, None, _) => return,
        };
        entry.phase = after;
        if let (true, Phase::Inactive, Some(why)) = (before.fires(), after, why) {
            over::tell(&mut entry, Some(rule), why);
        }
        if let Some(why) = why {
            judged.events.push(event((fingerprint, &entry), (before, after), why, judge));
        }
        match after {
            Phase::Inactive if before.fires() => judged.resolved.push(entry),
            Phase::Inactive => {}
            _ => {
                self.entries.insert(fingerprint.to_owned(), entry);
            }
        }
    }
}

/// Whether a rule as it is now makes such an alert: it may have got other labels or another severity, or look at other things.
fn is_of(entry: &Entry, rule: &Rule) -> bool {
    let observed = &entry.observation.labels;
    let is_looked_at = match observed.contains_key(NO_DATA_LABEL) {
        true => rule.timing.no_data == NoData::Alert,
        false => rule.selects(observed),
    };
    is_looked_at && rule.labels_of(observed) == entry.labels
}

fn described(rule: &Rule, labels: &Labels, observation: Observation, external_url: Option<&str>) -> Entry {
    let annotations = match labels.contains_key(NO_DATA_LABEL) {
        true => Labels::from([("summary".to_owned(), format!("{} observes nothing at all", rule.name))]),
        false => template::annotations(&template::About { rule, labels, observation: &observation }),
    };
    let kind = match &rule.source {
        Source::Stored { kind, .. } => kind.name,
        Source::Query(_) => "query",
        Source::Own { .. } => "own",
    };
    Entry {
        rule: rule.name.clone(),
        labels: labels.clone(),
        phase: Phase::Inactive,
        annotations,
        link: external_url.map(|url| link(url, kind, &observation)),
        observation,
    }
}

/// A change as it is kept; what was firing and ends is told as resolved.
fn event(
    (fingerprint, entry): (&str, &Entry),
    (before, after): (Phase, Phase),
    why: Why,
    judge: Judge<'_>,
) -> AlertEvent {
    let to_state = if before.fires() && !after.fires() { "resolved" } else { after.as_str() };
    AlertEvent {
        at_us: judge.now_us,
        rule: entry.rule.clone(),
        fingerprint: fingerprint.to_owned(),
        from_state: before.as_str().to_owned(),
        to_state: to_state.to_owned(),
        reason: why.as_str().to_owned(),
        severity: entry.labels.get("severity").cloned().unwrap_or_default(),
        labels: entry.labels.clone(),
        value: entry.observation.value,
        window_start_us: entry.observation.window_start_us,
        window_end_us: entry.observation.window_end_us,
        summary: entry.annotations.get("summary").cloned().unwrap_or_default(),
        link: entry.link.clone().unwrap_or_default(),
        holder: judge.holder.to_owned(),
    }
}

#[cfg(test)]
mod tests;
