//! When versions of a model were seen first, for messages that look for a cause.

use serde::Deserialize;
use windvane_types::span::Span;

use crate::{Statement, Store, StoreError};

/// A version and when it was seen first.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct FirstSeen {
    /// The version.
    pub version: String,
    /// When, microseconds since 1970 UTC.
    pub first_us: i64,
}

/// The versions of a model within a span, the first one first; two hundred at most.
///
/// # Errors
/// ClickHouse does not answer or refuses.
pub async fn first_seen(store: &Store, model: &str, span: Span) -> Result<Vec<FirstSeen>, StoreError> {
    let statement = Statement::new(
        "SELECT toString(version) AS version, toUnixTimestamp64Micro(min(ts)) AS first_us FROM windvane.predictions \
         WHERE model = {model:String} AND ts >= fromUnixTimestamp64Micro({start:Int64}, 'UTC') \
         AND ts < fromUnixTimestamp64Micro({end:Int64}, 'UTC') \
         GROUP BY version ORDER BY first_us, version LIMIT 200",
    )
    .param("model", model)
    .param("start", span.start_us)
    .param("end", span.end_us)
    .setting("max_execution_time", 30);
    store.rows(&statement).await
}
