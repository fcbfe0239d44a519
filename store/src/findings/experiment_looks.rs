//! The `experiment_looks` table: each look at an experiment as the whole document that was printed.

use bytes::Bytes;
use serde::Deserialize;
use windvane_types::experiment::Document;

use super::experiment::Look;
use crate::client::Insert;
use crate::rowbinary as rb;
use crate::wire::{Column, Wire, column};
use crate::{Statement, Store, StoreError, native};

const TABLE: &str = "experiment_looks";

const COLUMNS: &[Column] = &[
    column("run_id", Wire::Text),
    column("computed_at", Wire::Micros),
    column("as_of", Wire::Micros),
    column("experiment", Wire::Word),
    column("control", Wire::Word),
    column("units", Wire::Count),
    column("srm_verdict", Wire::Word),
    column("verdict", Wire::Word),
    column("document", Wire::Text),
];

/// Writes a look.
///
/// # Errors
/// As [`Store::insert`]; the same look may be written again.
pub(crate) async fn write(store: &Store, look: &Look, document: &Document) -> Result<(), StoreError> {
    let mut body = Vec::new();
    rb::string(&mut body, &look.run_id);
    rb::i64(&mut body, look.computed_at_us);
    rb::i64(&mut body, look.as_of_us);
    rb::string(&mut body, &look.experiment);
    rb::string(&mut body, &document.control);
    rb::u64(&mut body, document.arms.iter().map(|arm| arm.n).sum());
    rb::string(&mut body, document.srm.verdict.as_str());
    rb::string(&mut body, document.overall().as_str());
    rb::string(&mut body, &serde_json::to_string(document).unwrap_or_default());
    let pieces =
        native::encode(COLUMNS, &[Bytes::from(body)], 1).expect("this row was encoded for these columns");
    let token = format!("experiment-look-{}", look.run_id);
    store.send(Insert { table: TABLE, columns: COLUMNS, token: &token, pieces }).await
}

/// The latest look at an experiment.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Latest {
    /// The experiment.
    pub experiment: String,
    /// The run that looked.
    pub run_id: String,
    /// When it did, microseconds since 1970 UTC.
    pub computed_at_us: i64,
    /// Exposures before this time were looked at, microseconds since 1970 UTC.
    pub as_of_us: i64,
    /// As of when the first look was, microseconds since 1970 UTC.
    pub first_as_of_us: i64,
    /// How many looks there are.
    pub looks: u64,
    /// The answer in a word.
    pub verdict: String,
    /// The document `windvane.experiment/1` as it was printed.
    pub document: String,
}

/// Which experiments are asked for.
#[derive(Debug, Clone, Copy, Default)]
pub struct Asked<'a> {
    /// One experiment; all of them where it is empty.
    pub experiment: &'a str,
    /// Those whose latest look says this; all where it is empty.
    pub verdict: &'a str,
    /// Those whose sample ratio is `ok`, or a `mismatch`; all where it is empty.
    pub srm: &'a str,
    /// How many at most.
    pub limit: u64,
    /// After how many.
    pub offset: u64,
}

/// The latest look at each experiment, the one that was looked at last first.
///
/// # Errors
/// ClickHouse does not answer or refuses.
pub async fn latest(store: &Store, asked: Asked<'_>) -> Result<Vec<Latest>, StoreError> {
    let statement = Statement::new(LATEST)
        .param("experiment", asked.experiment)
        .param("verdict", asked.verdict)
        .param("srm", asked.srm)
        .param("limit", asked.limit)
        .param("offset", asked.offset);
    store.rows(&statement).await
}

/// Documents are read of the latest looks alone.
const LATEST: &str = "
    SELECT latest.experiment AS experiment, run_id, toUnixTimestamp64Micro(computed_at) AS computed_at_us,
           toUnixTimestamp64Micro(latest.as_of) AS as_of_us,
           toUnixTimestamp64Micro(seen.first_as_of) AS first_as_of_us, seen.looks AS looks, verdict, document
    FROM (
        SELECT * FROM windvane.experiment_looks FINAL
        WHERE (experiment, as_of) IN (
            SELECT experiment, max(as_of) FROM windvane.experiment_looks
            WHERE {experiment:String} IN ('', experiment) GROUP BY experiment
        )
    ) AS latest
    INNER JOIN (
        SELECT experiment, min(as_of) AS first_as_of, uniqExact(as_of) AS looks
        FROM windvane.experiment_looks GROUP BY experiment
    ) AS seen ON seen.experiment = latest.experiment
    WHERE {verdict:String} IN ('', verdict) AND {srm:String} IN ('', srm_verdict)
    ORDER BY latest.as_of DESC, experiment
    LIMIT {limit:UInt64} OFFSET {offset:UInt64}";
