//! What the read API says of models, as rows out of the store.

use serde::{Deserialize, Serialize};
use windvane_store::{Statement, Store, StoreError};

/// The document of `/api/v1/models`.
#[derive(Debug, Serialize)]
pub struct Models {
    schema: &'static str,
    /// Latest first.
    pub models: Vec<Model>,
    /// Where the next page starts, where there is one.
    pub next_offset: Option<u64>,
}

/// What is recorded of one deployment.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Model {
    /// The model's name.
    pub model: String,
    /// Its version.
    pub version: String,
    /// Where it runs.
    pub environment: String,
    /// Recorded predictions.
    pub predictions: u64,
    /// Outcomes recorded for the model, of all versions.
    pub outcomes: u64,
    /// Event time of the first prediction, RFC 3339.
    pub first_ts: String,
    /// Event time of the last prediction, RFC 3339.
    pub last_ts: String,
    /// Median latency, microseconds.
    pub latency_p50_us: Option<f64>,
    /// 99th percentile of latency, microseconds.
    pub latency_p99_us: Option<f64>,
}

/// Models, versions and environments, the latest first: `limit` of them after `offset`.
///
/// # Errors
/// ClickHouse does not answer or refuses.
pub async fn models(store: &Store, limit: u64, offset: u64) -> Result<Models, StoreError> {
    let statement = Statement::new(MODELS).param("limit", limit).param("offset", offset);
    Ok(Models { schema: "windvane.models/1", models: store.rows(&statement).await?, next_offset: None })
}

const MODELS: &str = "
    SELECT model, version, environment, predictions, outcomes.n AS outcomes,
           formatDateTime(first, '%Y-%m-%dT%H:%i:%SZ') AS first_ts,
           formatDateTime(last, '%Y-%m-%dT%H:%i:%SZ') AS last_ts,
           latency_p50_us, latency_p99_us
    FROM (
        SELECT model, version, environment, count() AS predictions, min(ts) AS first, max(ts) AS last,
               quantileOrNull(0.5)(latency_us) AS latency_p50_us, quantileOrNull(0.99)(latency_us) AS latency_p99_us
        FROM windvane.predictions
        GROUP BY model, version, environment
    ) AS recorded
    LEFT JOIN (SELECT model, uniqExact(event_id) AS n FROM windvane.outcomes GROUP BY model) AS outcomes USING (model)
    ORDER BY last DESC, model, version, environment
    LIMIT {limit:UInt64} OFFSET {offset:UInt64}";
