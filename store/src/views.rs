//! Views: what pages show, as named statements. One text is behind a page's number, its "show SQL" link and its export.
//!
//! A view is data: its name, what it answers, its parameters and its text. So whoever reads a number can read the statement
//! behind it with the values filled in, and run it themselves.

/// The rows of a table of findings that are of one series, as `series`; `more` narrows them. Those that are `not final` may hold a row
/// twice, and rows of earlier runs.
macro_rules! series {
    (not final $table:literal, $more:literal) => {
        series!(@ $table, concat!("\n          ", $more))
    };
    ($table:literal) => {
        series!(@ concat!($table, " FINAL"), "")
    };
    ($table:literal, $more:literal) => {
        series!(@ concat!($table, " FINAL"), concat!("\n          ", $more))
    };
    (@ $table:expr, $more:expr) => {
        concat!(
            "
    WITH series AS (
        SELECT * FROM windvane.",
            $table,
            "
        WHERE model = {model:String} AND monitor = {monitor:String} AND granularity = {granularity:String}
          AND version = {version:String} AND environment = {environment:String}
          AND reference_kind = {reference_kind:String} AND reference_name = {reference_name:String}",
            $more,
            "
    )"
        )
    };
}

/// Keeps of `series` the latest run on each of the newest windows.
macro_rules! newest_windows {
    () => {
        "
    WHERE (series.window_start, series.window_end, series.computed_at) IN (
        SELECT window_start, window_end, max(computed_at) FROM series GROUP BY window_start, window_end
        ORDER BY window_start DESC, window_end DESC LIMIT {windows:UInt64}
    )"
    };
}

mod alerts;
mod drift;
mod experiments;
mod findings;
mod fleet;
mod gates;
mod model;
mod pipeline;

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;

use crate::{Statement, Store, StoreError};

/// Most rows of one answer.
pub const ROWS_MAX: u64 = 10_000;
/// The year 2200, beyond which DateTime64 does not go far.
const END_OF_TIME_US: &str = "7258118400000000";

/// A named statement.
#[derive(Debug, PartialEq, Eq)]
pub struct View {
    /// Its name in addresses.
    pub name: &'static str,
    /// The question that it answers, one line.
    pub about: &'static str,
    /// What it is asked with.
    pub parameters: &'static [Parameter],
    text: &'static str,
}

/// A value that a view is asked with.
#[derive(Debug, PartialEq, Eq)]
pub struct Parameter {
    /// Its name, in addresses and in the text.
    pub name: &'static str,
    /// What it may be.
    pub kind: Kind,
    /// The value where none is given; empty for a text.
    pub default: &'static str,
}

/// What the value of a parameter may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Any text; an empty one mostly means all.
    Text,
    /// A time: microseconds since 1970 UTC.
    Time,
    /// A whole number from 0 up to this one.
    Count(u64),
    /// A length in whole seconds from 1 up to this many.
    Seconds(u64),
}

/// The values that a view is asked with, by parameter.
pub type Asked = BTreeMap<&'static str, String>;

const fn text(name: &'static str) -> Parameter {
    Parameter { name, kind: Kind::Text, default: "" }
}

const FROM: Parameter = Parameter { name: "from", kind: Kind::Time, default: "0" };
const TO: Parameter = Parameter { name: "to", kind: Kind::Time, default: END_OF_TIME_US };
const BUCKET: Parameter = Parameter { name: "bucket", kind: Kind::Seconds(31_536_000), default: "86400" };
const OFFSET: Parameter = Parameter { name: "offset", kind: Kind::Count(1_000_000), default: "0" };

/// Rows of a series: as many as a page draws, unless fewer are asked for.
const MANY: Parameter = Parameter { name: "limit", kind: Kind::Count(50_000), default: "50000" };
const WINDOWS: Parameter = Parameter { name: "windows", kind: Kind::Count(400), default: "48" };
/// The newest windows of one monitor against one kind of reference.
const SERIES: &[Parameter] = &[
    text("model"),
    text("monitor"),
    text("granularity"),
    text("version"),
    text("environment"),
    text("reference_kind"),
    text("reference_name"),
    WINDOWS,
    MANY,
    OFFSET,
];

const fn limit(default: &'static str) -> Parameter {
    Parameter { name: "limit", kind: Kind::Count(ROWS_MAX), default }
}

pub use alerts::{ALERT_EVENTS, ALERTS, SILENCES};
pub use drift::{DRIFT_COLUMNS, DRIFT_LATEST, DRIFT_SEGMENTS, DRIFT_SERIES, FEATURE};
pub use experiments::{EXPERIMENT_COMPARISONS, EXPERIMENTS};
pub use findings::{
    ATTRIBUTION_FEATURES, FAIRNESS_GAPS, LATENCY_GROUPS, PERFORMANCE_METRICS, PERFORMANCE_SEGMENTS,
    QUALITY_CHECKS,
};
pub use fleet::{FLEET, FLEET_BY_DAY, FLEET_TRAFFIC, FLEET_TRAFFIC_BY_DAY, NEWEST, REVISION};
pub use gates::{GATE_CHECKS, GATES};
pub use model::{ANSWERS, DEPLOYMENTS, LATENCY, LATENCY_BY_DAY, NUMBERS, RECORDED, TRAFFIC, TRAFFIC_BY_DAY};
pub use pipeline::{MONITORS, RUNS, TABLES};

/// Every view.
pub const ALL: &[&View] = &[
    &FLEET,
    &FLEET_BY_DAY,
    &FLEET_TRAFFIC,
    &FLEET_TRAFFIC_BY_DAY,
    &DEPLOYMENTS,
    &RECORDED,
    &TRAFFIC,
    &TRAFFIC_BY_DAY,
    &LATENCY,
    &LATENCY_BY_DAY,
    &ANSWERS,
    &NUMBERS,
    &DRIFT_LATEST,
    &DRIFT_SERIES,
    &DRIFT_COLUMNS,
    &DRIFT_SEGMENTS,
    &FEATURE,
    &QUALITY_CHECKS,
    &PERFORMANCE_METRICS,
    &PERFORMANCE_SEGMENTS,
    &LATENCY_GROUPS,
    &FAIRNESS_GAPS,
    &ATTRIBUTION_FEATURES,
    &EXPERIMENTS,
    &EXPERIMENT_COMPARISONS,
    &GATES,
    &GATE_CHECKS,
    &ALERTS,
    &ALERT_EVENTS,
    &SILENCES,
    &MONITORS,
    &RUNS,
    &TABLES,
];

impl View {
    /// The view of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        ALL.iter().copied().find(|view| view.name == name)
    }

    /// The parameter of this name.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&'static Parameter> {
        self.parameters.iter().find(|parameter| parameter.name == name)
    }

    /// The statement with these values bound; a parameter without one has its default.
    #[must_use]
    pub fn statement(&self, asked: &Asked) -> Statement {
        self.parameters.iter().fold(Statement::new(self.text), |statement, parameter| {
            let value = asked.get(parameter.name).map_or(parameter.default, String::as_str);
            statement.param(parameter.name, value)
        })
    }

    /// The statement as text that runs as it stands, values filled in.
    #[must_use]
    pub fn spelled_out(&self, asked: &Asked) -> String {
        // From the start to the end, so that nothing is sought within a value.
        let (mut text, mut rest) = (String::new(), self.text.trim_matches('\n'));
        while let Some((before, after)) = rest.split_once('{') {
            text.push_str(before);
            let filled =
                after.split_once('}').and_then(|(place, after)| Some((self.literal(place, asked)?, after)));
            rest = match filled {
                Some((literal, after)) => {
                    text.push_str(&literal);
                    after
                }
                None => {
                    text.push('{');
                    after
                }
            };
        }
        text.push_str(rest);
        unindented(&text)
    }

    /// The value at a place `name:Kind` of the text.
    fn literal(&self, place: &str, asked: &Asked) -> Option<String> {
        let (name, kind) = place.split_once(':')?;
        let parameter = self.parameter(name)?;
        let value = asked.get(name).map_or(parameter.default, String::as_str);
        let (own, literal) = match parameter.kind {
            Kind::Text => ("String", quoted(value)),
            Kind::Time => ("Int64", value.to_owned()),
            Kind::Count(_) | Kind::Seconds(_) => ("UInt64", value.to_owned()),
        };
        (kind == own).then_some(literal)
    }

    /// The rows with these values.
    ///
    /// # Errors
    /// ClickHouse does not answer or refuses.
    pub async fn rows<T: DeserializeOwned>(
        &self,
        store: &Store,
        asked: &Asked,
    ) -> Result<Vec<T>, StoreError> {
        store.rows(&self.statement(asked)).await
    }
}

impl Kind {
    /// What is allowed, in words.
    #[must_use]
    pub fn allowed(self) -> String {
        match self {
            Self::Text => "any text".to_owned(),
            Self::Time => "a time such as 2013-01-01 or 2013-01-01T05:00:00Z".to_owned(),
            Self::Count(max) => format!("a whole number from 0 to {max}"),
            Self::Seconds(max) => format!("a whole number of seconds from 1 to {max}"),
        }
    }
}

/// A string literal, on one line: who pastes a statement into a shell runs no line that somebody has named a model.
fn quoted(text: &str) -> String {
    let mut literal = String::from("'");
    for c in text.chars() {
        match c {
            '\\' | '\'' => literal.extend(['\\', c]),
            '\n' => literal.push_str("\\n"),
            c if c.is_ascii_control() => literal.push_str(&format!("\\x{:02x}", u32::from(c))),
            c => literal.push(c),
        }
    }
    literal + "'"
}

/// The lines without the indentation that all of them share.
fn unindented(text: &str) -> String {
    let indent = |line: &str| line.len() - line.trim_start().len();
    let shared = text.lines().filter(|line| !line.trim().is_empty()).map(indent).min().unwrap_or(0);
    text.lines().map(|line| line.get(shared..).unwrap_or("")).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_view_binds_what_its_text_names() {
        for view in ALL.iter().copied().chain([&NEWEST, &REVISION]) {
            for parameter in view.parameters {
                assert!(
                    view.text.contains(&format!("{{{}:", parameter.name)),
                    "{} {}",
                    view.name,
                    parameter.name
                );
            }
            let spelled = view.spelled_out(&Asked::new());
            assert!(!spelled.contains('{'), "{}: {spelled}", view.name);
        }
    }

    #[test]
    fn values_are_literals_that_cannot_leave_their_quotes() {
        let asked = Asked::from([("model", "it's \\ a {to:Int64} model".to_owned())]);
        let spelled = TRAFFIC.spelled_out(&asked);
        assert!(spelled.contains(r"model = 'it\'s \\ a {to:Int64} model'"), "{spelled}");
        let asked = Asked::from([
            ("model", "a\nSQL\n\tb".to_owned()),
            ("version", "{environment:String}".to_owned()),
        ]);
        let spelled = TRAFFIC.spelled_out(&asked);
        assert!(spelled.contains(r"model = 'a\nSQL\n\x09b'"), "{spelled}");
        assert!(spelled.contains("version = '{environment:String}'"), "{spelled}");
    }

    #[test]
    fn every_view_is_read_page_by_page() {
        // What is recorded of a model is one row.
        for view in ALL.iter().filter(|view| view.name != RECORDED.name) {
            let limit = view.parameter("limit").map(|limit| (limit.default.parse::<u64>(), limit.kind));
            let Some((Ok(usual), Kind::Count(most))) = limit else { panic!("{} has no limit", view.name) };
            assert!((1..=most).contains(&usual), "{}: {usual} of {most}", view.name);
            assert!(view.parameter("offset").is_some(), "{} has no offset", view.name);
            let pages = "LIMIT {limit:UInt64} OFFSET {offset:UInt64}";
            assert!(view.text.ends_with(pages) && view.text.contains("ORDER BY"), "{}", view.name);
        }
    }

    #[test]
    fn views_have_different_names() {
        let names: std::collections::BTreeSet<&str> = ALL.iter().map(|view| view.name).collect();
        assert_eq!(names.len(), ALL.len());
    }
}
