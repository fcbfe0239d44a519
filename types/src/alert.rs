//! Alerts as other programs read them: the document of `/api/v1/alerts` and `windvane alerts list`, and silences.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::matcher::Matcher;

/// What an alert is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Its condition holds, but not for long enough yet.
    Pending,
    /// It holds, and people are told.
    Firing,
    /// Its condition has ended, but not for long enough yet.
    Recovering,
    /// It has ended.
    Resolved,
}

impl State {
    /// The word in tables and documents.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Firing => "firing",
            Self::Recovering => "recovering",
            Self::Resolved => "resolved",
        }
    }
}

/// How urgent an alert is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Somebody should look soon.
    Warning,
    /// Something does not work.
    Error,
    /// Somebody has to look now.
    Critical,
}

impl Severity {
    /// All of them, the least urgent first.
    pub const WORDS: &'static [&'static str] = &["info", "warning", "error", "critical"];

    /// The word of a label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
            Self::Critical => "critical",
        }
    }

    /// The severity of this word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Info, Self::Warning, Self::Error, Self::Critical].into_iter().find(|it| it.as_str() == word)
    }
}

/// An alert that is pending, firing or recovering, with everything that keeps it from being told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Standing {
    /// A stable hash of its labels; what `windvane alerts ack` takes.
    pub fingerprint: String,
    /// The rule that it comes from.
    pub rule: String,
    /// What it is in.
    pub state: State,
    /// Since when, RFC 3339.
    pub since: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// What people read.
    pub annotations: BTreeMap<String, String>,
    /// The value that the rule looks at.
    pub value: Option<f64>,
    /// The page of the finding.
    pub link: Option<String>,
    /// The silence that keeps it from being told.
    pub silenced_by: Option<String>,
    /// The alert that does.
    pub inhibited_by: Option<String>,
    /// Who has acknowledged it.
    pub acknowledged_by: Option<String>,
    /// Who is told of it.
    pub receivers: Vec<String>,
    /// When the latest acknowledgement of it that its process has read was made, by the clock of ClickHouse: microseconds since 1970 UTC, 0
    /// where there is none. For pages alone, which show a later one at once; `None` where an older version has written it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heard_until_us: Option<i64>,
}

impl Standing {
    /// As other programs read it, without what is for pages alone.
    #[must_use]
    pub fn told(self) -> Self {
        Self { heard_until_us: None, ..self }
    }
}

/// A bound in time on what is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Silence {
    /// Its name.
    pub id: String,
    /// Alerts that fulfil all of them are not told.
    pub matchers: Vec<Matcher>,
    /// From when, microseconds since 1970 UTC, included.
    pub starts_at_us: i64,
    /// Until when, excluded.
    pub ends_at_us: i64,
    /// Who made it.
    pub created_by: String,
    /// Why.
    pub comment: String,
}

impl Silence {
    /// Whether it holds at a time.
    #[must_use]
    pub fn holds(&self, now_us: i64) -> bool {
        self.starts_at_us <= now_us && now_us < self.ends_at_us
    }

    /// Checks a silence that somebody wants to make: it has time left, and is about something.
    ///
    /// # Errors
    /// What is wrong, and what would be right.
    pub fn check(&self, now_us: i64) -> Result<(), &'static str> {
        if self.ends_at_us <= self.starts_at_us.max(now_us) {
            return Err("the silence would end before it starts, or has ended already");
        }
        // As in Alertmanager: `model!=delay` alone, or a label that is misspelt, would also silence what has no such label.
        if crate::matcher::all_match(&self.matchers, &BTreeMap::new()) {
            return Err(
                "alerts without any of these labels would be silent, too, such as that ClickHouse is away; one matcher \
                        has to ask for a value, such as model=\"delay\", or alertname=~\".+\" where all alerts are meant",
            );
        }
        Ok(())
    }

    /// Whether it keeps an alert with these labels from being told.
    #[must_use]
    pub fn covers(&self, labels: &BTreeMap<String, String>, now_us: i64) -> bool {
        self.holds(now_us) && !self.matchers.is_empty() && crate::matcher::all_match(&self.matchers, labels)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silence_asks_for_a_value_and_has_time_left() {
        let check = |matchers: &[&str], (starts_at_us, ends_at_us): (i64, i64)| {
            let silence = Silence {
                id: String::new(),
                matchers: matchers.iter().map(|text| text.parse().unwrap()).collect(),
                starts_at_us,
                ends_at_us,
                created_by: String::new(),
                comment: String::new(),
            };
            silence.check(10)
        };
        for right in [&["model=delay"][..], &["model!=delay", "severity=info"], &["alertname=~\".+\""]] {
            assert_eq!(check(right, (5, 20)), Ok(()), "{right:?}");
        }
        for wide in [&["model!=delay"][..], &["model=~\".*\""], &["model!~\"a|b\"", "version=\"\""], &[]] {
            assert!(check(wide, (5, 20)).unwrap_err().contains("has to ask for a value"), "{wide:?}");
        }
        for times in [(5, 10), (30, 30), (30, 20)] {
            assert!(check(&["model=delay"], times).unwrap_err().contains("has ended already"), "{times:?}");
        }
    }
}
