//! Which tensors a model was given, out of `windvane.payloads`, with outcomes and features where they are known: traffic for a
//! replay. First which payloads there are, then their tensors some at a time, because one may have megabytes.

use std::ops::RangeInclusive;

use serde::Deserialize;

use crate::recorded_requests::{Which, in_segment};
use crate::{Param, Store, StoreError};

/// A captured payload, without its tensors.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Captured {
    /// The id of the prediction that was made of it.
    pub event_id: String,
    /// When the model was asked, microseconds since 1970 UTC.
    pub ts_us: i64,
    /// The hash of its id with the seed, by which samples are drawn.
    pub place: u64,
    /// Bytes of its inputs as text.
    pub bytes: u64,
    /// What came true, a class or a number as a word; `None` where it is not known.
    pub outcome: Option<String>,
    /// The features and tags that were asked for, in that order, as words; empty where one is missing, and none at all without a prediction.
    pub words: Vec<String>,
}

/// The tensors of a captured payload.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Tensors {
    /// The id of the prediction that was made of it.
    pub event_id: String,
    /// A JSON array of tensors.
    pub inputs: String,
}

/// How much of a window payloads and features cover.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct Coverage {
    /// Captured payloads.
    pub payloads: u64,
    /// Predictions with features.
    pub features: u64,
}

/// How many payloads, and how many predictions with features, pass the filter. One that was sent several times is one.
///
/// # Errors
/// ClickHouse does not answer or refuses.
pub async fn coverage(store: &Store, which: &Which) -> Result<Coverage, StoreError> {
    let rows: Vec<Coverage> = store.rows(&which.bound(COVERAGE, 0)).await?;
    Ok(rows.into_iter().next().unwrap_or(Coverage { payloads: 0, features: 0 }))
}

/// The payloads that pass the filter, at most `limit`: those whose hash with the seed is smallest, in order of it, which is a
/// uniform sample that is the same each time. A payload that was sent several times is one. `features`, some of which may be tags, are taken
/// from the predictions of the same ids, up to an hour outside of the window.
///
/// # Errors
/// ClickHouse does not answer or refuses.
pub async fn list(
    store: &Store,
    which: &Which,
    (limit, seed): (u64, u64),
    features: &[String],
) -> Result<Vec<Captured>, StoreError> {
    let statement = which.bound(LIST, seed).param("limit", limit).param("features", Param::texts(features));
    store.rows(&statement).await
}

/// The tensors of the payloads in a span of places.
///
/// # Errors
/// ClickHouse does not answer or refuses.
pub async fn tensors(
    store: &Store,
    which: &Which,
    (places, seed): (RangeInclusive<u64>, u64),
) -> Result<Vec<Tensors>, StoreError> {
    let statement = which.bound(TENSORS, seed).param("first", *places.start()).param("last", *places.end());
    store.rows(&statement).await
}

/// That a payload is one of a prediction which has the values of the segment, up to an hour outside of the window. Ids of payloads alone are
/// held: few predictions of a window have one.
macro_rules! of_segment {
    () => {
        concat!(
            "(empty({segment_names:Array(String)}) OR event_id GLOBAL IN (
                  SELECT event_id FROM windvane.predictions
                  WHERE notEmpty({segment_names:Array(String)}) AND model = {model:String}
                    AND ts >= fromUnixTimestamp64Micro({start:Int64} - 3600000000) AND ts < fromUnixTimestamp64Micro({end:Int64} + 3600000000)
                    AND event_id GLOBAL IN (
                        SELECT event_id FROM windvane.payloads
                        WHERE model = {model:String}
                          AND ts >= fromUnixTimestamp64Micro({start:Int64}) AND ts < fromUnixTimestamp64Micro({end:Int64})
                    )
                    AND ",
            in_segment!(),
            "
              ))"
        )
    };
}

const COVERAGE: &str = concat!("
    SELECT
        (
            SELECT uniqExact(event_id)
            FROM windvane.payloads
            WHERE model = {model:String} AND {version:String} IN ('', version) AND {environment:String} IN ('', environment)
              AND ts >= fromUnixTimestamp64Micro({start:Int64}) AND ts < fromUnixTimestamp64Micro({end:Int64})
              AND ingested_at < fromUnixTimestamp64Micro({stored_before:Int64})
              AND ", of_segment!(), "
        ) AS payloads,
        (
            SELECT uniqExact(event_id)
            FROM windvane.predictions
            WHERE model = {model:String} AND {version:String} IN ('', version) AND {environment:String} IN ('', environment)
              AND ts >= fromUnixTimestamp64Micro({start:Int64}) AND ts < fromUnixTimestamp64Micro({end:Int64})
              AND ingested_at < fromUnixTimestamp64Micro({stored_before:Int64})
              AND (notEmpty(num) OR notEmpty(cat))
              AND ", in_segment!(), "
        ) AS features");

const LIST: &str = concat!("
    SELECT asked.event_id AS event_id, ts_us, place, bytes,
           coalesce(nullIf(ifNull(known.label, ''), ''), toString(known.value)) AS outcome, described.words AS words
    FROM (
        SELECT event_id, min(toUnixTimestamp64Micro(ts)) AS ts_us, argMax(length(inputs), ingested_at) AS bytes,
               sipHash64({seed:UInt64}, event_id) AS place
        FROM windvane.payloads
        WHERE model = {model:String} AND {version:String} IN ('', version) AND {environment:String} IN ('', environment)
          AND ts >= fromUnixTimestamp64Micro({start:Int64}) AND ts < fromUnixTimestamp64Micro({end:Int64})
          AND ingested_at < fromUnixTimestamp64Micro({stored_before:Int64})
          AND ", of_segment!(), "
        GROUP BY event_id
        ORDER BY place, event_id
        LIMIT {limit:UInt64}
    ) AS asked
    LEFT JOIN (
        SELECT event_id, tupleElement(latest, 1) AS label, tupleElement(latest, 2) AS value
        FROM (
            SELECT event_id, argMax(tuple(label, value), ingested_at) AS latest
            FROM windvane.outcomes
            WHERE model = {model:String}
              AND event_id GLOBAL IN (
                  SELECT event_id FROM windvane.payloads
                  WHERE model = {model:String} AND {version:String} IN ('', version) AND {environment:String} IN ('', environment)
                    AND ts >= fromUnixTimestamp64Micro({start:Int64}) AND ts < fromUnixTimestamp64Micro({end:Int64})
              )
            GROUP BY event_id
        )
    ) AS known ON known.event_id = asked.event_id
    LEFT JOIN (
        SELECT event_id,
               argMax(arrayMap(name -> multiIf(mapContains(num, name), toString(num[name]), mapContains(cat, name), toString(cat[name]), toString(tags[name])),
                               {features:Array(String)}),
                      ingested_at) AS words
        FROM windvane.predictions
        WHERE notEmpty({features:Array(String)}) AND model = {model:String}
          AND ts >= fromUnixTimestamp64Micro({start:Int64} - 3600000000) AND ts < fromUnixTimestamp64Micro({end:Int64} + 3600000000)
          AND event_id GLOBAL IN (
              SELECT event_id FROM windvane.payloads
              WHERE model = {model:String} AND {version:String} IN ('', version) AND {environment:String} IN ('', environment)
                AND ts >= fromUnixTimestamp64Micro({start:Int64}) AND ts < fromUnixTimestamp64Micro({end:Int64})
          )
        GROUP BY event_id
    ) AS described ON described.event_id = asked.event_id
    ORDER BY place, event_id
    SETTINGS join_use_nulls = 1");

const TENSORS: &str = concat!("
    SELECT event_id, argMax(inputs, ingested_at) AS inputs
    FROM windvane.payloads
    WHERE model = {model:String} AND {version:String} IN ('', version) AND {environment:String} IN ('', environment)
      AND ts >= fromUnixTimestamp64Micro({start:Int64}) AND ts < fromUnixTimestamp64Micro({end:Int64})
      AND ingested_at < fromUnixTimestamp64Micro({stored_before:Int64})
      AND sipHash64({seed:UInt64}, event_id) BETWEEN {first:UInt64} AND {last:UInt64}
      AND ", of_segment!(), "
    GROUP BY event_id
    ORDER BY sipHash64({seed:UInt64}, event_id), event_id");
