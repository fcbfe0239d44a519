//! What all monitors of a model have: whose predictions they watch, when, and within which bounds.

use std::time::Duration;

use serde_json::{Value, json};
use windvane_store::findings::Run;
use windvane_store::populations::Population;

use super::Schedule;
use super::job::Attempt;
use crate::drift::Deployment;

/// Accepted names that are told of one that is none of them.
const NAMES_TOLD_MAX: usize = 50;

/// Whose predictions a monitor watches, when, and within which bounds.
#[derive(Debug, Clone)]
pub struct Watched {
    /// The monitor's name.
    pub name: String,
    /// Whose predictions.
    pub deployment: Deployment,
    /// When it runs. Of a quality monitor its delay is also after how long an event is late.
    pub schedule: Schedule,
    /// How long one window may take.
    pub timeout: Duration,
    /// Bytes that a statement of it may take in ClickHouse.
    pub memory_bytes_max: u64,
    /// Whether it runs by itself.
    pub enabled: bool,
}

impl Watched {
    /// What findings say of the run that they come from; kind and name are those of its reference, empty without one.
    pub(super) fn findings_of(&self, attempt: Attempt<'_>, (kind, name): (&str, &str)) -> Run {
        Run {
            run_id: attempt.run_id.to_owned(),
            computed_at_us: attempt.now_us,
            model: self.deployment.model.clone(),
            version: self.deployment.version.clone().unwrap_or_default(),
            environment: self.deployment.environment.clone().unwrap_or_default(),
            monitor: self.name.clone(),
            reference_kind: kind.to_owned(),
            reference_name: name.to_owned(),
            window: attempt.window,
            granularity: self.schedule.window.to_string(),
        }
    }

    /// The settings of a monitor, for people and pages: these, and those of its kind.
    pub(super) fn settings(&self, own: Value) -> Value {
        let mut all = json!({
            "version": self.deployment.version,
            "environment": self.deployment.environment,
            "window": self.schedule.window.to_string(),
            "every": self.schedule.every.to_string(),
            "delay_s": self.schedule.delay_us / 1_000_000,
            "catch_up": self.schedule.catch_up,
        });
        if let (Value::Object(all), Value::Object(own)) = (&mut all, own) {
            all.extend(own);
        }
        all
    }

    /// Lets populations be cut by names that none of their rows has. That a tag or an arm is absent for a while is no fault, and a name
    /// that is misspelt looks the same: so it is said, with the names that would have cut something. Answers the note of the run.
    pub(super) fn cut_by(&self, names: &[String], populations: &mut [&mut Population]) -> String {
        let accepted: Vec<String> =
            populations.iter().flat_map(|population| population.segment_names()).collect();
        let note = match populations.iter().any(|population| population.without_columns) {
            true => String::new(),
            false => self.tell_absent(("segment_by", names), accepted),
        };
        for population in populations {
            population.allow_absent(names);
        }
        note
    }

    /// Says which of the names that a key of the configuration gives are none of those that there are: to the log, and as the note of a
    /// run, which is empty where all are.
    pub(super) fn tell_absent(&self, (key, names): (&str, &[String]), accepted: Vec<String>) -> String {
        let Some((absent, accepted)) = absent(names, accepted) else { return String::new() };
        tracing::warn!(
            monitor = self.name.as_str(),
            model = self.deployment.model.as_str(),
            key,
            absent,
            accepted,
            "no prediction of the window or its reference has what a monitor names; is it misspelt?"
        );
        note((key, &absent), &accepted)
    }
}

/// The notes of a run as one.
pub(super) fn together(mut notes: Vec<String>) -> String {
    notes.retain(|note| !note.is_empty());
    notes.join("; ")
}

/// What is said of names that are none of those that there are.
fn note((key, absent): (&str, &str), accepted: &str) -> String {
    let there =
        if accepted.is_empty() { "there is none".to_owned() } else { format!("there are {accepted}") };
    format!("{key}: no prediction has {absent}; {there}")
}

/// The names that are none of the accepted ones, and the latter, each as a list; `None` where all are.
fn absent(names: &[String], mut accepted: Vec<String>) -> Option<(String, String)> {
    accepted.sort_unstable();
    accepted.dedup();
    let absent: Vec<&str> =
        names.iter().filter(|name| !accepted.contains(name)).map(String::as_str).collect();
    let more = if accepted.len() > NAMES_TOLD_MAX { ", …" } else { "" };
    accepted.truncate(NAMES_TOLD_MAX);
    (!absent.is_empty()).then(|| (absent.join(", "), format!("{}{more}", accepted.join(", "))))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use windvane_types::span::Span;

    use super::{Attempt, Deployment, NAMES_TOLD_MAX, Schedule, Watched, absent, note, together};
    use crate::monitor::Period;

    fn owned(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn names_that_nothing_has_are_told_with_those_that_there_are() {
        let there = owned(&["version", "region", "version"]);
        assert_eq!(absent(&owned(&["region"]), there.clone()), None);
        let told = absent(&owned(&["regoin", "region"]), there);
        assert_eq!(told, Some(("regoin".to_owned(), "region, version".to_owned())));
        let many: Vec<String> = (0..=NAMES_TOLD_MAX).map(|i| format!("c{i}")).collect();
        let (_, accepted) = absent(&owned(&["x"]), many).unwrap();
        assert!(accepted.ends_with(", …"), "{accepted}");
    }

    #[test]
    fn findings_tell_how_long_a_window_is_and_not_how_often_one_ends() {
        let [window, every] = ["12h", "6h"].map(|text| Period::parse(text).unwrap());
        let watched = Watched {
            name: "rolling".to_owned(),
            deployment: Deployment { model: "m".to_owned(), version: None, environment: None },
            schedule: Schedule { window, every, delay_us: 0, jitter_us: 0, catch_up: 1 },
            timeout: Duration::from_secs(60),
            memory_bytes_max: 1 << 30,
            enabled: true,
        };
        let attempt = Attempt { window: Span { start_us: 0, end_us: 1 }, run_id: "r", now_us: 2 };
        assert_eq!(watched.findings_of(attempt, ("previous", "")).granularity, "12h");
    }

    #[test]
    fn a_note_names_the_key_and_what_it_could_have_named() {
        let said = note(("segment_by", "regoin"), "region, version");
        assert_eq!(said, "segment_by: no prediction has regoin; there are region, version");
        assert_eq!(note(("columns", "x"), ""), "columns: no prediction has x; there is none");
        assert_eq!(together(vec!["a: 1".to_owned(), String::new(), "b: 2".to_owned()]), "a: 1; b: 2");
    }
}
