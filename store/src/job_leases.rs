//! The `job_leases` table: claims of analyzers on jobs, by the clock of ClickHouse.

use std::time::Duration;

use serde::Deserialize;

use crate::{Statement, Store, StoreError};

/// A claim on a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// What is claimed.
    pub job: String,
    /// Which claim, unique among all.
    pub token: String,
    /// Who claims.
    pub holder: String,
}

/// Inserts a claim or renews it: it is live for `length` from now on. `renewal` counts up; a claim under [`u64::MAX`] with
/// no length is given back.
///
/// # Errors
/// ClickHouse does not answer or refuses; the claim may have been written all the same.
pub async fn write(store: &Store, claim: &Claim, renewal: u64, length: Duration) -> Result<(), StoreError> {
    let length_us = i64::try_from(length.as_micros()).unwrap_or(i64::MAX);
    let statement = Statement::new(
        "INSERT INTO {database:Identifier}.job_leases (job, token, holder, renewal, expires_at) \
         SELECT {job:String}, {token:String}, {holder:String}, {renewal:UInt64}, \
         now64(6, 'UTC') + toIntervalMicrosecond({length:Int64})",
    )
    .param("database", store.database())
    .param("job", &claim.job)
    .param("token", &claim.token)
    .param("holder", &claim.holder)
    .param("renewal", renewal)
    .param("length", length_us);
    store.execute(&statement).await
}

/// A claim that has not run out.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Live {
    /// Which claim.
    pub token: String,
    /// When that was seen, by the clock of ClickHouse: microseconds since 1970 UTC.
    pub seen_us: i64,
    /// How often it was renewed: never before it has won.
    pub renewals: u64,
}

/// The claims on a job that have not run out, by token.
///
/// # Errors
/// ClickHouse does not answer or refuses.
pub async fn live(store: &Store, job: &str) -> Result<Vec<Live>, StoreError> {
    let statement = Statement::new(
        "SELECT token, toUnixTimestamp64Micro(now64(6, 'UTC')) AS seen_us, max(renewal) AS renewals \
         FROM job_leases WHERE job = {job:String} GROUP BY token \
         HAVING argMax(expires_at, renewal) > now64(6, 'UTC') ORDER BY token",
    )
    .param("job", job);
    store.rows(&statement).await
}
