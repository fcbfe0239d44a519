//! What pages and the read API show, as rows out of the store.

use serde::{Deserialize, Serialize};
use windvane_store::{Statement, Store, StoreError};

/// Most models that the page shows at once.
const MODELS_MAX: u64 = 200;
/// Most findings that are shown at once.
const FINDINGS_MAX: u32 = 200;

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

/// One drifted column of one window.
#[derive(Debug, Clone, Deserialize)]
pub struct Finding {
    /// The model's name.
    pub model: String,
    /// Its version, or empty for all.
    pub version: String,
    /// The window, as `2013-07-01 – 2013-08-01`.
    pub window: String,
    /// Which column.
    pub column: String,
    /// Which way.
    pub direction: String,
    /// By which methods, and how far: `ks 0.12, psi 0.34`.
    pub effects: String,
}

/// What the first page shows.
#[derive(Debug)]
pub struct Overview {
    /// Latest first.
    pub models: Vec<Model>,
    /// Latest window first, the largest effect first within it.
    pub findings: Vec<Finding>,
}

/// Everything for the first page.
///
/// # Errors
/// ClickHouse does not answer or refuses.
pub async fn overview(store: &Store) -> Result<Overview, StoreError> {
    let (models, findings) = tokio::try_join!(models(store, MODELS_MAX, 0), findings(store))?;
    Ok(Overview { models: models.models, findings })
}

/// Models, versions and environments, the latest first: `limit` of them after `offset`.
///
/// # Errors
/// ClickHouse does not answer or refuses.
pub async fn models(store: &Store, limit: u64, offset: u64) -> Result<Models, StoreError> {
    let statement = Statement::new(MODELS).param("limit", limit).param("offset", offset);
    Ok(Models { schema: "windvane.models/1", models: store.rows(&statement).await?, next_offset: None })
}

async fn findings(store: &Store) -> Result<Vec<Finding>, StoreError> {
    store.rows(&Statement::new(FINDINGS).param("limit", FINDINGS_MAX)).await
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

/// Only rows of the latest run on a window count: an earlier one may have had columns that the latest has not.
const FINDINGS: &str = "
    SELECT model, version,
           concat(toString(toDate(window_start)), ' – ', toString(toDate(window_end))) AS window,
           column_name AS column, any(direction) AS direction,
           arrayStringConcat(groupArray(concat(method, ' ', toString(round(effect, 3)))), ', ') AS effects
    FROM windvane.drift_findings FINAL
    WHERE verdict = 'drift' AND drifted AND segment_key = '' AND effect IS NOT NULL
      AND (model, monitor, window_start, window_end, granularity, version, environment, reference_kind, reference_name,
           computed_at) IN (
        SELECT model, monitor, window_start, window_end, granularity, version, environment, reference_kind,
               reference_name, max(computed_at)
        FROM windvane.drift_findings
        GROUP BY model, monitor, window_start, window_end, granularity, version, environment, reference_kind,
                 reference_name
      )
    GROUP BY model, version, window_start, window_end, column_name
    ORDER BY window_start DESC, max(abs(effect)) DESC, column
    LIMIT {limit:UInt32}";
