//! What is told: alerts of one group, for one receiver.

use std::collections::BTreeMap;
use std::hash::Hasher;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use windvane_store::alerts::histogram::Histogram;
use windvane_store::alerts::sources::Observation;

const DAY_US: i64 = 86_400_000_000;

/// Names and values that identify an alert.
pub type Labels = BTreeMap<String, String>;

/// Whether an alert holds or has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It holds.
    Firing,
    /// It held and has ended.
    Resolved,
}

impl State {
    /// The word of the webhook body.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Firing => "firing",
            Self::Resolved => "resolved",
        }
    }
}

/// One thing that is wrong, or was.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Alert {
    /// Whether it holds.
    pub state: State,
    /// What identifies it; `alertname` and `severity` among them.
    pub labels: Labels,
    /// What people read; `summary` and `description` among them.
    pub annotations: Labels,
    /// Since when it holds.
    pub starts_at: Timestamp,
    /// When it ended.
    pub ends_at: Option<Timestamp>,
    /// The page of the finding behind it.
    pub link: Option<String>,
    /// Which feature it is about, where it is about one.
    #[serde(default)]
    pub feature: Option<Feature>,
    /// When it went wrong, where a new version of the model may be why and nobody has looked for one yet.
    #[serde(default)]
    pub origin: Option<Origin>,
    /// The feature's values, before and now, where they are known.
    #[serde(default)]
    pub chart: Option<Histogram>,
}

/// A feature that changed, and where its values are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Feature {
    /// The model.
    pub model: String,
    /// Its version; empty for all.
    pub version: String,
    /// Its environment; empty for all.
    pub environment: String,
    /// The feature.
    pub column: String,
    /// `numeric`, `categorical` or another kind.
    pub kind: String,
    /// The reference: its start and end, microseconds since 1970 UTC.
    pub reference_us: (i64, i64),
    /// The window.
    pub window_us: (i64, i64),
}

impl Feature {
    /// The feature that an observation is about; none where it is about a segment, whose rows are not told apart here.
    #[must_use]
    pub fn of(observation: &Observation) -> Option<Self> {
        let label = |name: &str| observation.labels.get(name).cloned().unwrap_or_default();
        let time = |name: &str| observation.fields.get(name)?.as_i64();
        if observation.labels.contains_key("segment") || !observation.labels.contains_key("column") {
            return None;
        }
        Some(Self {
            model: label("model"),
            version: label("version"),
            environment: label("environment"),
            column: label("column"),
            kind: observation.fields.get("column_kind")?.as_str()?.to_owned(),
            reference_us: (time("reference_start_us")?, time("reference_end_us")?),
            window_us: (observation.window_start_us, observation.window_end_us),
        })
    }
}

/// A span in which something went wrong, and what came before it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The model.
    pub model: String,
    /// From when on what came before counts, microseconds since 1970 UTC.
    pub before_us: i64,
    /// The window.
    pub window_us: (i64, i64),
}

impl Origin {
    /// That of an observation of all versions of a model in a window. The reference of a drift came before it; of what has none, or does
    /// not say when it was, the seven windows before, within a day and thirty.
    #[must_use]
    pub fn of(observation: &Observation) -> Option<Self> {
        let Observation { labels, window_start_us: start_us, window_end_us: end_us, .. } = observation;
        // A failed run is the monitor's own fault, not the model's.
        let of_a_window = labels.contains_key("monitor") && !labels.contains_key("kind") && *start_us > 0;
        if !of_a_window || labels.contains_key("version") {
            return None;
        }
        let reference_us = observation.fields.get("reference_start_us").and_then(serde_json::Value::as_i64);
        let back_us = end_us.saturating_sub(*start_us).saturating_mul(7).clamp(DAY_US, 30 * DAY_US);
        Some(Self {
            model: labels.get("model")?.clone(),
            before_us: reference_us.unwrap_or(start_us.saturating_sub(back_us)),
            window_us: (*start_us, *end_us),
        })
    }
}

/// Names an alert: a stable hash of its labels, 16 hexadecimal digits. FNV-1a over names and values in order with a byte 255
/// after each, as Alertmanager makes it, so that both name an alert alike.
#[must_use]
pub fn fingerprint(labels: &Labels) -> String {
    let mut hasher = fnv::FnvHasher::default();
    for (name, value) in labels {
        for text in [name, value] {
            hasher.write(text.as_bytes());
            hasher.write(&[255]);
        }
    }
    format!("{:016x}", hasher.finish())
}

/// A stable number of a text.
pub(crate) fn hash(text: &str) -> u64 {
    let mut hasher = fnv::FnvHasher::default();
    hasher.write(text.as_bytes());
    hasher.finish()
}

impl Alert {
    /// Names it.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        fingerprint(&self.labels)
    }

    /// Its name, for people.
    #[must_use]
    pub fn name(&self) -> &str {
        self.labels.get("alertname").map_or("alert", String::as_str)
    }
}

/// Whether a notification tells of something or tries a receiver out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// It tells of findings.
    Inform,
    /// It only shows that the receiver works, and says so.
    Test,
    /// It only says that this process lives.
    Heartbeat,
}

/// The alerts of a group, on their way to a receiver.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Notification {
    /// The same for every attempt to deliver it.
    pub id: String,
    /// What it is for.
    pub purpose: Purpose,
    /// Why it is sent, a word of `docs/ALERTS.md`; empty for a test.
    pub reason: String,
    /// What people have to know about the message itself.
    pub note: Option<String>,
    /// The receiver's name.
    pub receiver: String,
    /// The route that it took, as Alertmanager writes it: the root is `{}`.
    pub route: String,
    /// What the alerts of the group share and are grouped by.
    pub group: Labels,
    /// At least one.
    pub alerts: Vec<Alert>,
    /// Alerts that it has no room for.
    pub left_out: u64,
    /// Where the service's own pages are, where it is known.
    pub external_url: Option<String>,
    /// When it was made.
    pub made_at: Timestamp,
}

impl Notification {
    /// The notification of `windvane alerts test`.
    #[must_use]
    pub fn test(receiver: &str, id: String, now: Timestamp) -> Self {
        let labels = [("alertname", "WindvaneTest"), ("severity", "info"), ("test", "true")];
        let annotations = [
            ("summary", "This is a test notification; nothing is wrong"),
            (
                "description",
                "Somebody ran `windvane alerts test` to see whether this receiver works. It does.",
            ),
        ];
        let owned = |pairs: &[(&str, &str)]| -> Labels {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        let alert = Alert {
            state: State::Firing,
            labels: owned(&labels),
            annotations: owned(&annotations),
            starts_at: now,
            ends_at: None,
            link: None,
            feature: None,
            origin: None,
            chart: None,
        };
        Self {
            id,
            purpose: Purpose::Test,
            reason: String::new(),
            note: None,
            receiver: receiver.to_owned(),
            route: "{}".to_owned(),
            group: owned(&labels[..1]),
            alerts: vec![alert],
            left_out: 0,
            external_url: None,
            made_at: now,
        }
    }

    /// The notification that only says that this process lives.
    #[must_use]
    pub fn heartbeat(receiver: &str, now: Timestamp) -> Self {
        let mut beat = Self::test(receiver, format!("heartbeat-{}", now.as_second()), now);
        beat.purpose = Purpose::Heartbeat;
        let labels = [("alertname", "Heartbeat"), ("severity", "info")];
        beat.alerts[0].labels =
            labels.map(|(name, value)| (name.to_owned(), value.to_owned())).into_iter().collect();
        beat.alerts[0].annotations = [(
            "summary".to_owned(),
            "windvane watches; where this stops coming, nobody is told of anything".to_owned(),
        )]
        .into();
        beat.group = [("alertname".to_owned(), "Heartbeat".to_owned())].into();
        beat
    }

    /// Firing while any alert is.
    #[must_use]
    pub fn state(&self) -> State {
        match self.alerts.iter().any(|alert| alert.state == State::Firing) {
            true => State::Firing,
            false => State::Resolved,
        }
    }

    /// Names the group: the same for every notification about it.
    #[must_use]
    pub fn group_key(&self) -> String {
        let labels: Vec<String> =
            self.group.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
        format!("{}:{{{}}}", self.route, labels.join(", "))
    }

    /// The most urgent severity of its alerts: critical, error, warning or info.
    #[must_use]
    pub fn severity(&self) -> &'static str {
        let of = |alert: &Alert| match alert.labels.get("severity").map(String::as_str) {
            Some("critical" | "page") => 3,
            Some("error") => 2,
            Some("info") => 0,
            _ => 1,
        };
        match self.alerts.iter().map(of).max() {
            Some(3) => "critical",
            Some(2) => "error",
            Some(0) => "info",
            _ => "warning",
        }
    }

    /// The labels that all alerts have alike.
    #[must_use]
    pub fn common_labels(&self) -> Labels {
        common(self.alerts.iter().map(|alert| &alert.labels))
    }

    /// The annotations that all alerts have alike.
    #[must_use]
    pub fn common_annotations(&self) -> Labels {
        common(self.alerts.iter().map(|alert| &alert.annotations))
    }
}

fn common<'a>(mut all: impl Iterator<Item = &'a Labels>) -> Labels {
    let mut shared = all.next().cloned().unwrap_or_default();
    for labels in all {
        shared.retain(|name, value| labels.get(name) == Some(value));
    }
    shared
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alert(labels: &[(&str, &str)]) -> Alert {
        let labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let starts_at = Timestamp::UNIX_EPOCH;
        Alert {
            state: State::Firing,
            labels,
            annotations: Labels::new(),
            starts_at,
            ends_at: None,
            link: None,
            feature: None,
            origin: None,
            chart: None,
        }
    }

    #[test]
    fn a_fingerprint_is_the_one_that_alertmanager_makes() {
        // prometheus/common, model.LabelSet{}.Fingerprint() of no label: the offset basis of FNV-1a.
        assert_eq!(alert(&[]).fingerprint(), "cbf29ce484222325");
        // Recomputed in Python: h = 0xcbf29ce484222325; for b in b"a\xffb\xff": h = (h ^ b) * 0x100000001b3 % 2**64
        assert_eq!(alert(&[("a", "b")]).fingerprint(), "d2b371819297f98a");
    }

    #[test]
    fn what_all_alerts_share_is_common() {
        let mut notification = Notification::test("ops", "id".to_owned(), Timestamp::UNIX_EPOCH);
        notification.alerts = vec![
            alert(&[("model", "delay"), ("column", "carrier"), ("severity", "warning")]),
            alert(&[("model", "delay"), ("column", "distance"), ("severity", "critical")]),
        ];
        assert_eq!(notification.common_labels(), Labels::from([("model".to_owned(), "delay".to_owned())]));
        assert_eq!(notification.severity(), "critical");
    }

    #[test]
    fn a_group_is_firing_while_one_of_its_alerts_is() {
        let mut notification = Notification::test("ops", "id".to_owned(), Timestamp::UNIX_EPOCH);
        notification.alerts.push(Alert { state: State::Resolved, ..alert(&[]) });
        assert_eq!(notification.state(), State::Firing);
        notification.alerts.remove(0);
        assert_eq!(notification.state(), State::Resolved);
    }

    #[test]
    fn group_keys_have_the_form_of_alertmanagers() {
        let notification = Notification::test("ops", "id".to_owned(), Timestamp::UNIX_EPOCH);
        assert_eq!(notification.group_key(), "{}:{alertname=\"WindvaneTest\"}");
    }
}
