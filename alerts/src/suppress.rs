//! What keeps an alert from being told: silences, maintenance, and other alerts that say the same thing better.

use std::collections::BTreeMap;

use windvane_types::alert::Silence;
use windvane_types::matcher::{Matcher, all_match};

use crate::interval::Intervals;
use crate::notification::Labels;

/// While a source fires, its targets are not told.
#[derive(Debug, Clone)]
pub struct Inhibition {
    /// Its name.
    pub name: String,
    /// What the alert that says it better fulfils.
    pub source: Vec<Matcher>,
    /// What the alert that is not told fulfils.
    pub target: Vec<Matcher>,
    /// Labels that both have alike; one that neither has is alike.
    pub equal: Vec<String>,
}

/// A span of time, or intervals that come again, in which alerts are not told.
#[derive(Debug, Clone)]
pub struct Maintenance {
    /// Its name.
    pub name: String,
    /// Alerts that fulfil all of them; none: all alerts.
    pub matchers: Vec<Matcher>,
    /// From when, microseconds since 1970 UTC, included.
    pub from_us: i64,
    /// Until when, excluded.
    pub to_us: i64,
    /// Intervals; none: the whole span.
    pub intervals: Vec<String>,
}

/// Why an alert is not told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Suppressed {
    /// A silence, by its id.
    Silenced(String),
    /// A maintenance window, by its name.
    Maintained(String),
    /// Another alert, by its fingerprint.
    Inhibited(String),
}

/// Everything that may keep alerts from being told, at one time.
#[derive(Debug, Clone, Copy)]
pub struct Suppression<'a> {
    /// Silences.
    pub silences: &'a [Silence],
    /// Maintenance windows.
    pub maintenance: &'a [Maintenance],
    /// Inhibitions.
    pub inhibitions: &'a [Inhibition],
    /// The intervals that maintenance names.
    pub intervals: &'a Intervals,
    /// All alerts that fire, by fingerprint.
    pub firing: &'a BTreeMap<String, &'a Labels>,
    /// The time, microseconds since 1970 UTC.
    pub now_us: i64,
}

impl Suppression<'_> {
    /// Why an alert is not told, if so.
    #[must_use]
    pub fn of(&self, fingerprint: &str, labels: &Labels) -> Option<Suppressed> {
        if let Some(silence) = self.silences.iter().find(|silence| silence.covers(labels, self.now_us)) {
            return Some(Suppressed::Silenced(silence.id.clone()));
        }
        if let Some(window) = self.maintenance.iter().find(|window| self.maintained(window, labels)) {
            return Some(Suppressed::Maintained(window.name.clone()));
        }
        let by =
            self.inhibitions.iter().find_map(|inhibition| self.inhibitor(inhibition, fingerprint, labels));
        by.map(|by| Suppressed::Inhibited(by.to_owned()))
    }

    fn maintained(&self, window: &Maintenance, labels: &Labels) -> bool {
        window.from_us <= self.now_us
            && self.now_us < window.to_us
            && all_match(&window.matchers, labels)
            && (window.intervals.is_empty() || self.intervals.any_holds(&window.intervals, self.now_us))
    }

    /// The alert that inhibits. One that is source and target both is not inhibited by another such one: they would
    /// silence each other.
    fn inhibitor(&self, inhibition: &Inhibition, fingerprint: &str, labels: &Labels) -> Option<&str> {
        if !all_match(&inhibition.target, labels) {
            return None;
        }
        let both = all_match(&inhibition.source, labels);
        let source = self.firing.iter().find(|(source, source_labels)| {
            source.as_str() != fingerprint
                && all_match(&inhibition.source, source_labels)
                && !(both && all_match(&inhibition.target, source_labels))
                && inhibition.equal.iter().all(|name| labels.get(name) == source_labels.get(name))
        });
        source.map(|(fingerprint, _)| fingerprint.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn matchers(texts: &[&str]) -> Vec<Matcher> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn suppressed(suppression: Suppression<'_>, labels: &Labels) -> Option<Suppressed> {
        suppression.of("self", labels)
    }

    #[test]
    fn an_alert_is_inhibited_by_a_firing_source_with_equal_labels() {
        let inhibitions = [Inhibition {
            name: "upstream".to_owned(),
            source: matchers(&["alertname=IngestionStalled"]),
            target: matchers(&["alertname=~\"OutcomesMissing|FeatureDrift\""]),
            equal: vec!["model".to_owned(), "environment".to_owned()],
        }];
        let stalled = labels(&[("alertname", "IngestionStalled"), ("model", "delay")]);
        let firing = BTreeMap::from([("s".to_owned(), &stalled)]);
        let intervals = Intervals::default();
        let suppression = Suppression {
            silences: &[],
            maintenance: &[],
            inhibitions: &inhibitions,
            intervals: &intervals,
            firing: &firing,
            now_us: 0,
        };
        let drift = |model: &str| labels(&[("alertname", "FeatureDrift"), ("model", model)]);
        assert_eq!(suppressed(suppression, &drift("delay")), Some(Suppressed::Inhibited("s".to_owned())));
        assert_eq!(suppressed(suppression, &drift("other")), None);
        assert_eq!(suppressed(suppression, &stalled), None);
    }

    #[test]
    fn alerts_that_are_source_and_target_do_not_silence_each_other() {
        let inhibitions = [Inhibition {
            name: "all".to_owned(),
            source: matchers(&["severity=critical"]),
            target: matchers(&["model=delay"]),
            equal: Vec::new(),
        }];
        let other = labels(&[("severity", "critical"), ("model", "delay")]);
        let firing = BTreeMap::from([("o".to_owned(), &other)]);
        let intervals = Intervals::default();
        let suppression = Suppression {
            silences: &[],
            maintenance: &[],
            inhibitions: &inhibitions,
            intervals: &intervals,
            firing: &firing,
            now_us: 0,
        };
        assert_eq!(suppressed(suppression, &other.clone()), None);
        let warning = labels(&[("severity", "warning"), ("model", "delay")]);
        assert_eq!(suppressed(suppression, &warning), Some(Suppressed::Inhibited("o".to_owned())));
    }

    #[test]
    fn silences_and_maintenance_hold_for_their_time() {
        let silence = Silence {
            id: "s1".to_owned(),
            matchers: matchers(&["model=delay"]),
            starts_at_us: 10,
            ends_at_us: 20,
            created_by: String::new(),
            comment: String::new(),
        };
        let maintenance = [Maintenance {
            name: "move".to_owned(),
            matchers: Vec::new(),
            from_us: 30,
            to_us: 40,
            intervals: Vec::new(),
        }];
        let (firing, intervals) = (BTreeMap::new(), Intervals::default());
        let at = |now_us: i64| Suppression {
            silences: std::slice::from_ref(&silence),
            maintenance: &maintenance,
            inhibitions: &[],
            intervals: &intervals,
            firing: &firing,
            now_us,
        };
        let delay = labels(&[("model", "delay")]);
        for (now, expected) in [
            (9, None),
            (10, Some(Suppressed::Silenced("s1".to_owned()))),
            (20, None),
            (30, Some(Suppressed::Maintained("move".to_owned()))),
            (40, None),
        ] {
            assert_eq!(suppressed(at(now), &delay), expected, "{now}");
        }
        assert_eq!(suppressed(at(15), &labels(&[("model", "other")])), None);
    }
}
