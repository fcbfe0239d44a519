//! A rule: what it looks at, when that is wrong, and what is said about it.

use std::collections::BTreeMap;
use std::time::Duration;

use windvane_store::alerts::sources::{Kind, Observation, QUERY_SAMPLE};
use windvane_types::alert::Severity;
use windvane_types::matcher::Matcher;

use crate::machine::{Seen, Timing};
use crate::template;

/// What a rule looks at.
#[derive(Debug, Clone)]
pub enum Source {
    /// Findings and events in the tables.
    Stored {
        /// Which.
        kind: &'static Kind,
        /// What is measured.
        measure: &'static str,
    },
    /// A statement of the user's own.
    Query(String),
    /// What this process knows of itself, without ClickHouse.
    Own {
        /// What is measured: one of [`OWN_MEASURES`].
        measure: &'static str,
    },
}

/// What a process measures of itself, and what the number is.
pub const OWN_MEASURES: &[(&str, &str)] = &[
    ("store_unavailable", "1 while ClickHouse does not answer this process, else 0"),
    ("spool_age_s", "age of the oldest event that ClickHouse has not answered for, seconds, by table"),
    ("spool_failed", "1 after the spool's disk has failed, by table"),
    ("dead_lettered_rows", "rows that ClickHouse could not take within the last hour, by table"),
    ("damaged_rows", "acknowledged rows that went bad on disk within the last hour, by table"),
    ("undelivered", "notifications that were given up within the last hour, by receiver"),
    ("failed_evaluations", "evaluations that failed in a row while ClickHouse answered, by rule"),
];

/// When a value is wrong, and when it is right again.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Condition {
    /// On which side of the thresholds it is wrong.
    pub side: Side,
    /// Beyond this it becomes wrong.
    pub enter: f64,
    /// It stays wrong until it is at this or on the right side of it.
    pub leave: f64,
}

/// A side of a threshold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Values above it are wrong.
    Above,
    /// Values below it are wrong.
    Below,
}

impl Condition {
    fn enters(&self, value: f64) -> bool {
        self.beyond(value, self.enter)
    }

    fn remains(&self, value: f64) -> bool {
        self.enters(value) || self.beyond(value, self.leave)
    }

    fn beyond(&self, value: f64, threshold: f64) -> bool {
        match self.side {
            Side::Above => value > threshold,
            Side::Below => value < threshold,
        }
    }
}

/// How many of the last windows have to be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Windows {
    /// This many of them …
    pub wrong: u64,
    /// … of this many.
    pub of: u64,
}

/// A rule.
#[derive(Debug, Clone)]
pub struct Rule {
    /// Its name, the label `alertname` of its alerts.
    pub name: String,
    /// What it looks at.
    pub source: Source,
    /// Observations with labels that do not fulfil all of them are left out.
    pub select: Vec<Matcher>,
    /// When a value is wrong.
    pub condition: Condition,
    /// In how many windows.
    pub windows: Windows,
    /// For how long.
    pub timing: Timing,
    /// Less evidence counts as no data.
    pub evidence_min: f64,
    /// How often it is looked at, at most.
    pub every: Duration,
    /// How urgent it is.
    pub severity: Severity,
    /// Labels that its alerts have besides those of the observation.
    pub labels: BTreeMap<String, String>,
    /// Templates of what people read.
    pub annotations: BTreeMap<String, String>,
}

impl Rule {
    /// What the last windows of one thing say, the latest first.
    #[must_use]
    pub fn seen(&self, windows: &[Observation]) -> Seen {
        let of = usize::try_from(self.windows.of).unwrap_or(usize::MAX);
        let windows = &windows[..windows.len().min(of)];
        let values: Vec<f64> = windows.iter().filter_map(|observation| self.value_of(observation)).collect();
        if values.is_empty() {
            return Seen::Nothing;
        }
        let wrong = |test: &dyn Fn(f64) -> bool| {
            values.iter().filter(|value| test(**value)).count() as u64 >= self.windows.wrong
        };
        // All that have data are wrong, and those that have none may be the rest: that is no end.
        let may_be_wrong = values.iter().all(|value| self.condition.remains(*value))
            && windows.len() as u64 >= self.windows.wrong;
        match (wrong(&|value| self.condition.enters(value)), wrong(&|value| self.condition.remains(value))) {
            (true, _) => Seen::Entered,
            (false, true) => Seen::Remains,
            (false, false) if may_be_wrong => Seen::Remains,
            (false, false) => Seen::Left,
        }
    }

    /// What an observation says; none where there is too little to tell it by.
    #[must_use]
    pub fn value_of(&self, observation: &Observation) -> Option<f64> {
        observation.value.filter(|value| value.is_finite() && observation.evidence >= self.evidence_min)
    }

    /// Whether it looks at observations with these labels.
    #[must_use]
    pub fn selects(&self, labels: &BTreeMap<String, String>) -> bool {
        windvane_types::matcher::all_match(&self.select, labels)
    }

    /// The labels of an alert about an observation; the rule's own win, because routes rely on them.
    #[must_use]
    pub fn labels_of(&self, observed: &BTreeMap<String, String>) -> BTreeMap<String, String> {
        let mut labels = observed.clone();
        labels.extend(self.labels.clone());
        labels.insert("alertname".to_owned(), self.name.clone());
        labels.insert("severity".to_owned(), self.severity.as_str().to_owned());
        labels
    }

    /// An observation as this rule may meet it: what its templates are tried on.
    #[must_use]
    pub fn sample(&self) -> Observation {
        match &self.source {
            Source::Stored { kind, .. } => kind.sample(),
            Source::Query(_) | Source::Own { .. } => {
                serde_json::from_str(QUERY_SAMPLE).expect("the sample is an observation")
            }
        }
    }

    /// Tries its templates on the sample.
    ///
    /// # Errors
    /// The first annotation that fails, and why.
    pub fn check_templates(&self) -> Result<(), (String, String)> {
        let strict = matches!(self.source, Source::Stored { .. });
        let sample = self.sample();
        let labels = self.labels_of(&sample.labels);
        for (name, text) in &self.annotations {
            let about = template::About { rule: self, labels: &labels, observation: &sample };
            template::check(text, &about, strict).map_err(|problem| (name.clone(), problem))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
