//! What rules of alerts look at: a table of kinds, each one file with its statement, and one way of reading them all.
//!
//! A statement answers with a row an observation: `labels`, `window_start_us`, `window_end_us`, `value`, `evidence`; its other
//! columns are what templates may show. A new kind is a file with its statement and a line in [`KINDS`].

/// `found`: what monitors have found in windows that end within the span, runs by hand left out, with when the latest run on a row's
/// window ended, `newest`. Only rows of that run count: an earlier one may have had columns, checks or segments that it has not.
macro_rules! found {
    ($table:literal $(, $more:literal)?) => {
        concat!(
            "
    WITH found AS (
        SELECT *, max(computed_at) OVER (PARTITION BY model, monitor, version, environment, window_start, window_end)
            AS newest",
            $(", ", $more,)?
            "
        FROM windvane.",
            $table,
            " FINAL
        WHERE monitor != ''
          AND window_end > fromUnixTimestamp64Micro({from:Int64}, 'UTC')
          AND window_end <= fromUnixTimestamp64Micro({to:Int64}, 'UTC')
          AND ({any:Bool} OR toUnixTimestamp64Micro(window_end) + 3600000000
               + 2 * (toUnixTimestamp64Micro(window_end) - toUnixTimestamp64Micro(window_start)) > {to:Int64})
    )"
        )
    };
}

mod attribution;
mod drift;
mod experiment;
mod fairness;
mod gate;
mod ingestion;
mod latency;
mod monitor;
mod outcomes;
mod performance;
mod quality;
mod query;
mod sample_ratio;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{Statement, Store, StoreError};

pub use self::query::{QUERY_ROWS_MAX, QUERY_SECONDS_MAX, SAMPLE as QUERY_SAMPLE, asks_about_a_time};

/// Observations of one rule at one time: a thousand features of ten models.
pub const OBSERVATIONS_MAX: u64 = 10_000;

/// ClickHouse's code for a table that is not there.
const UNKNOWN_TABLE: i32 = 60;

/// Something that a kind can measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Measure {
    /// Its name, the `measure` of a rule.
    pub name: &'static str,
    /// What its number is.
    pub about: &'static str,
}

/// A kind of observation out of the tables.
#[derive(Debug, Clone, Copy)]
pub struct Kind {
    /// Its name, the `source` of a rule.
    pub name: &'static str,
    /// What it observes.
    pub about: &'static str,
    /// What it can measure, the usual one first.
    pub measures: &'static [Measure],
    /// Whether observations belong to windows, of which a rule may ask for k of the last n.
    pub windows: bool,
    /// An observation as the statement answers with it, JSON: what templates are tried on.
    pub sample: &'static str,
    statement: &'static str,
}

/// Every kind, in the order of the documentation.
pub const KINDS: &[Kind] = &[
    drift::KIND,
    quality::KIND,
    performance::KIND,
    latency::KIND,
    fairness::KIND,
    attribution::KIND,
    experiment::KIND,
    sample_ratio::KIND,
    gate::KIND,
    monitor::KIND,
    ingestion::KIND,
    outcomes::KIND,
];

/// The kind of this name.
#[must_use]
pub fn kind(name: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| kind.name == name)
}

/// One thing that was observed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Observation {
    /// What it is about; a label without a value is left out.
    pub labels: BTreeMap<String, String>,
    /// Start of the window, microseconds since 1970 UTC; 0 where there is none.
    #[serde(default)]
    pub window_start_us: i64,
    /// Its end, or when it was observed.
    #[serde(default)]
    pub window_end_us: i64,
    /// What a rule compares with its thresholds; none where there was too little to tell.
    pub value: Option<f64>,
    /// How much stands behind it, in rows or units.
    #[serde(default)]
    pub evidence: f64,
    /// What else is known of it.
    #[serde(flatten)]
    pub fields: Map<String, Value>,
}

impl Kind {
    /// The sample, read.
    ///
    /// # Panics
    /// It is no observation; a test reads all of them.
    #[must_use]
    pub fn sample(&self) -> Observation {
        serde_json::from_str(self.sample).expect("a test reads every sample")
    }
}

/// Which observations are asked for.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// What is measured.
    pub measure: &'a str,
    /// Windows that end after this time, microseconds since 1970 UTC.
    pub from_us: i64,
    /// Windows that end at this time or before.
    pub to_us: i64,
    /// How many of the latest windows of each thing.
    pub latest: u64,
    /// Whether windows count whose place two later ones should have taken.
    pub past: Past,
}

/// Whether an observation may be out of date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Past {
    /// No: what holds now.
    Current,
    /// Yes: what held at some time.
    Any,
}

/// Observations of a kind, each thing's latest window first.
///
/// # Errors
/// ClickHouse does not answer or refuses.
pub async fn read(store: &Store, kind: &Kind, asked: Asked<'_>) -> Result<Vec<Observation>, StoreError> {
    let statement = Statement::new(kind.statement)
        .param("measure", asked.measure)
        .param("from", asked.from_us)
        .param("to", asked.to_us)
        .param("latest", asked.latest)
        .param("any", asked.past == Past::Any)
        .param("rows", OBSERVATIONS_MAX)
        // What a statement answers with is called as the columns that it is made of.
        .setting("prefer_column_name_to_alias", 1);
    match store.rows(&statement).await {
        // A cluster whose schema is behind has not all tables yet: then there is nothing in them.
        Err(error) if error.code() == Some(UNKNOWN_TABLE) => Ok(Vec::new()),
        rows => Ok(named(rows?)),
    }
}

/// The rows of a statement of the user's own: `value`, and what it likes to call `evidence`; texts are labels.
///
/// # Errors
/// ClickHouse does not answer or refuses, the statement writes, takes too long, or has more rows than [`QUERY_ROWS_MAX`].
pub async fn ask(store: &Store, sql: &str, now_us: i64) -> Result<Vec<Observation>, StoreError> {
    let rows: Vec<Map<String, Value>> = store.rows(&query::statement(sql, now_us)).await?;
    Ok(named(rows.into_iter().map(|row| query::observation(row, now_us)).collect()))
}

fn named(mut observations: Vec<Observation>) -> Vec<Observation> {
    for observation in &mut observations {
        observation.labels.retain(|_, value| !value.is_empty());
    }
    observations
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_name_of_its_own_a_measure_and_a_sample() {
        for (i, kind) in KINDS.iter().enumerate() {
            assert!(KINDS[i + 1..].iter().all(|other| other.name != kind.name), "{}", kind.name);
            assert!(!kind.measures.is_empty(), "{}", kind.name);
            let sample = kind.sample();
            assert!(!sample.labels.is_empty() && sample.value.is_some(), "{}", kind.name);
        }
    }

    #[test]
    fn every_statement_measures_what_its_kind_lists() {
        for kind in KINDS {
            for measure in kind.measures {
                let word = format!("'{}'", measure.name);
                assert!(
                    kind.measures.len() == 1
                        || kind.statement.contains(&word)
                        || kind.statement.contains("= {measure:String}))"),
                    "{} has no {word}",
                    kind.name
                );
            }
            assert!(kind.statement.contains("{rows:UInt64}"), "{} has no bound", kind.name);
        }
    }
}
