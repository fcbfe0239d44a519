//! The `alert_acknowledgements` table: alerts that somebody looks after.

use serde::{Deserialize, Serialize};

use crate::{Statement, Store, StoreError};

/// Acknowledgements that are read at once, the latest first.
pub(crate) const READ_MAX: u64 = 10_000;

/// Somebody looks after an alert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acknowledgement {
    /// Names the alert.
    pub fingerprint: String,
    /// Since when, microseconds since 1970 UTC.
    pub at_us: i64,
    /// Who.
    pub acknowledged_by: String,
    /// What they say.
    pub comment: String,
}

/// Acknowledges an alert now. The latest replaces earlier ones of the same alert, so it is later than they are, also where the
/// clock of the ClickHouse that took them was ahead.
///
/// # Errors
/// ClickHouse does not answer or refuses; it may be written again.
pub async fn write(store: &Store, fingerprint: &str, by: &str, comment: &str) -> Result<(), StoreError> {
    let statement = Statement::new(
        "INSERT INTO {database:Identifier}.alert_acknowledgements (fingerprint, at, acknowledged_by, comment) \
         SELECT {fingerprint:String}, greatest(now64(6, 'UTC'), max(at) + toIntervalMicrosecond(1)), {by:String}, {comment:String} \
         FROM {database:Identifier}.alert_acknowledgements AS earlier WHERE earlier.fingerprint = {fingerprint:String}",
    )
    .param("database", store.database())
    .param("fingerprint", fingerprint)
    .param("by", by)
    .param("comment", comment);
    store.execute(&statement).await
}

/// The acknowledgements, the latest first.
///
/// # Errors
/// ClickHouse does not answer or refuses.
pub async fn read(store: &Store) -> Result<Vec<Acknowledgement>, StoreError> {
    let statement = Statement::new(
        "SELECT fingerprint, toUnixTimestamp64Micro(at) AS at_us, acknowledged_by, comment \
         FROM windvane.alert_acknowledgements FINAL ORDER BY at_us DESC, fingerprint LIMIT {limit:UInt64}",
    )
    .param("limit", READ_MAX);
    store.rows(&statement).await
}
