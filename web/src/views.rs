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
    /// Outcomes recorded for the model, of all versions; one that was corrected counts twice until its rows are merged.
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

/// Whether anything is recorded of a model: predictions, or findings of any kind.
///
/// # Errors
/// ClickHouse does not answer or refuses.
pub async fn is_recorded(store: &Store, model: &str) -> Result<bool, StoreError> {
    #[derive(Deserialize)]
    struct Found {
        found: u8,
    }
    let found: Vec<Found> = store.rows(&Statement::new(RECORDED).param("model", model)).await?;
    Ok(found.first().is_some_and(|row| row.found == 1))
}

/// Answered from the projections `by_day` of predictions, which the condition asks for, and `by_model` of outcomes.
const MODELS: &str = "
    SELECT model, version, environment, predictions, outcomes.n AS outcomes,
           formatDateTime(first, '%Y-%m-%dT%H:%i:%SZ') AS first_ts,
           formatDateTime(last, '%Y-%m-%dT%H:%i:%SZ') AS last_ts,
           if(isFinite(q[1]), q[1], NULL) AS latency_p50_us, if(isFinite(q[3]), q[3], NULL) AS latency_p99_us
    FROM (
        SELECT model, version, environment, count() AS predictions, min(ts) AS first, max(ts) AS last,
               quantilesTDigest(0.5, 0.95, 0.99)(latency_us) AS q
        FROM windvane.predictions
        WHERE toStartOfDay(ts) >= toDateTime(0, 'UTC')
        GROUP BY model, version, environment
    ) AS recorded
    LEFT JOIN (SELECT model, count() AS n FROM windvane.outcomes GROUP BY model) AS outcomes USING (model)
    ORDER BY last DESC, model, version, environment
    LIMIT {limit:UInt64} OFFSET {offset:UInt64}";

const RECORDED: &str = "
    SELECT 1 AS found
    FROM (
        SELECT 1 FROM windvane.predictions WHERE model = {model:String} LIMIT 1
        UNION ALL SELECT 1 FROM windvane.drift_findings WHERE model = {model:String} LIMIT 1
        UNION ALL SELECT 1 FROM windvane.quality_findings WHERE model = {model:String} LIMIT 1
        UNION ALL SELECT 1 FROM windvane.performance_findings WHERE model = {model:String} LIMIT 1
        UNION ALL SELECT 1 FROM windvane.latency_findings WHERE model = {model:String} LIMIT 1
        UNION ALL SELECT 1 FROM windvane.fairness_findings WHERE model = {model:String} LIMIT 1
        UNION ALL SELECT 1 FROM windvane.attribution_findings WHERE model = {model:String} LIMIT 1
    )
    LIMIT 1";
