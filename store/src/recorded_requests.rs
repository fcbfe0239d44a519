//! What a model was asked, out of `windvane.predictions`, with outcomes where they are known: traffic for a replay.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::populations::PredictionFilter;
use crate::{Param, Statement, Store, StoreError};

/// Which requests are asked again.
#[derive(Debug, Clone)]
pub struct Which {
    /// Of which model and which time.
    pub filter: PredictionFilter,
    /// The value, as a word, that each of these features and tags has to have; a feature beats a tag of its name.
    pub segment: BTreeMap<String, String>,
}

impl Which {
    /// A statement with its parameters.
    pub(crate) fn bound(&self, sql: &'static str, seed: u64) -> Statement {
        let filter = &self.filter;
        let (names, values): (Vec<&String>, Vec<&String>) = self.segment.iter().unzip();
        Statement::new(sql)
            .param("model", filter.model.as_str())
            .param("version", filter.version.clone().unwrap_or_default().as_str())
            .param("environment", filter.environment.clone().unwrap_or_default().as_str())
            .param("start", filter.start_us)
            .param("end", filter.end_us)
            .param("stored_before", filter.stored_before_us)
            .param("segment_names", Param::texts(&names))
            .param("segment_values", Param::texts(&values))
            .param("seed", seed)
    }
}

/// That a row of predictions has the values of the segment. Columns carry the name of their table: beside it stand aggregates that
/// are called as they are.
macro_rules! in_segment {
    () => {
        "arrayAll((name, word) -> multiIf(mapContains(predictions.num, name), toString(predictions.num[name]),
                                         mapContains(predictions.cat, name), toString(predictions.cat[name]), toString(predictions.tags[name])) = word,
                       {segment_names:Array(String)}, {segment_values:Array(String)})"
    };
}
pub(crate) use in_segment;

/// A prediction as a request to ask again.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Recorded {
    /// Its id.
    pub event_id: String,
    /// When the model answered, microseconds since 1970 UTC.
    pub ts_us: i64,
    /// Numeric features.
    pub num: BTreeMap<String, f64>,
    /// Categorical features.
    pub cat: BTreeMap<String, String>,
    /// Those of its tags that were asked for.
    pub tags: BTreeMap<String, String>,
    /// What came true, a class or a number as a word; `None` where it is not known.
    pub outcome: Option<String>,
}

/// The requests that are meant, with these of their tags, at most `limit`, in order of time. Of more, those whose hash with the
/// seed is smallest: a uniform sample that is the same each time. A prediction that was sent several times is one request.
///
/// # Errors
/// ClickHouse does not answer or refuses.
pub async fn read(
    store: &Store,
    which: &Which,
    (limit, seed): (u64, u64),
    tags: &[String],
) -> Result<Vec<Recorded>, StoreError> {
    let statement = which.bound(READ, seed).param("limit", limit).param("tags", Param::texts(tags));
    store.rows(&statement).await
}

const READ: &str = concat!("
    SELECT asked.event_id AS event_id, ts_us, num, cat, tags,
           coalesce(nullIf(ifNull(known.label, ''), ''), toString(known.value)) AS outcome
    FROM (
        SELECT event_id, min(toUnixTimestamp64Micro(ts)) AS ts_us, argMax(num, ingested_at) AS num, argMax(cat, ingested_at) AS cat,
               mapFilter((name, word) -> has({tags:Array(String)}, name), argMax(predictions.tags, ingested_at)) AS tags
        FROM windvane.predictions
        WHERE model = {model:String} AND {version:String} IN ('', version) AND {environment:String} IN ('', environment)
          AND ts >= fromUnixTimestamp64Micro({start:Int64}) AND ts < fromUnixTimestamp64Micro({end:Int64})
          AND ingested_at < fromUnixTimestamp64Micro({stored_before:Int64})
          AND ", in_segment!(), "
        GROUP BY event_id
        ORDER BY sipHash64({seed:UInt64}, event_id)
        LIMIT {limit:UInt64}
    ) AS asked
    LEFT JOIN (
        SELECT event_id, tupleElement(latest, 1) AS label, tupleElement(latest, 2) AS value
        FROM (
            SELECT event_id, argMax(tuple(label, value), ingested_at) AS latest
            FROM windvane.outcomes WHERE model = {model:String} GROUP BY event_id
        )
    ) AS known ON known.event_id = asked.event_id
    ORDER BY ts_us, event_id
    SETTINGS join_use_nulls = 1");
