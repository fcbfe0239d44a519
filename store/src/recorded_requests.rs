//! What a model was asked, out of `windvane.predictions`, with outcomes where they are known: traffic for a replay.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::populations::PredictionFilter;
use crate::{Statement, Store, StoreError};

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
    /// What came true, a class or a number as a word; `None` where it is not known.
    pub outcome: Option<String>,
}

/// The requests that pass the filter, at most `limit`, in order of time. Of more, those whose hash with the seed is smallest: a
/// uniform sample that is the same each time. A prediction that was sent several times is one request.
///
/// # Errors
/// ClickHouse does not answer or refuses.
pub async fn read(
    store: &Store,
    filter: &PredictionFilter,
    (limit, seed): (u64, u64),
) -> Result<Vec<Recorded>, StoreError> {
    let statement = Statement::new(READ)
        .param("model", filter.model.as_str())
        .param("version", filter.version.clone().unwrap_or_default().as_str())
        .param("environment", filter.environment.clone().unwrap_or_default().as_str())
        .param("start", filter.start_us)
        .param("end", filter.end_us)
        .param("stored_before", filter.stored_before_us)
        .param("limit", limit)
        .param("seed", seed);
    store.rows(&statement).await
}

const READ: &str = "
    SELECT asked.event_id AS event_id, ts_us, num, cat,
           coalesce(nullIf(ifNull(known.label, ''), ''), toString(known.value)) AS outcome
    FROM (
        SELECT event_id, min(toUnixTimestamp64Micro(ts)) AS ts_us, argMax(num, ingested_at) AS num, argMax(cat, ingested_at) AS cat
        FROM windvane.predictions
        WHERE model = {model:String} AND {version:String} IN ('', version) AND {environment:String} IN ('', environment)
          AND ts >= fromUnixTimestamp64Micro({start:Int64}) AND ts < fromUnixTimestamp64Micro({end:Int64})
          AND ingested_at < fromUnixTimestamp64Micro({stored_before:Int64})
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
    SETTINGS join_use_nulls = 1";
