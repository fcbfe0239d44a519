//! The `monitors` table: monitors as analyzers have announced them, for everyone who does not have their configuration.

use crate::{Statement, Store, StoreError};

/// A monitor and when it runs next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announced {
    /// What kind of job: `drift`.
    pub kind: String,
    /// Its name.
    pub monitor: String,
    /// The model.
    pub model: String,
    /// Its settings, as JSON.
    pub settings: String,
    /// Whether it runs by itself.
    pub enabled: bool,
    /// When its next window becomes due, microseconds since 1970 UTC.
    pub next_due_us: i64,
    /// The analyzer that announces it.
    pub holder: String,
}

/// Announces a monitor; it replaces what was announced under its name.
///
/// # Errors
/// ClickHouse does not answer or refuses; it may be announced again.
pub async fn announce(store: &Store, monitor: &Announced) -> Result<(), StoreError> {
    let statement = Statement::new(
        "INSERT INTO {database:Identifier}.monitors (kind, monitor, model, settings, enabled, next_due, holder, seen_at) \
         SELECT {kind:String}, {monitor:String}, {model:String}, {settings:String}, {enabled:Bool}, \
         fromUnixTimestamp64Micro({next_due:Int64}, 'UTC'), {holder:String}, now64(6, 'UTC')",
    )
    .param("database", store.database())
    .param("kind", &monitor.kind)
    .param("monitor", &monitor.monitor)
    .param("model", &monitor.model)
    .param("settings", &monitor.settings)
    .param("enabled", monitor.enabled)
    .param("next_due", monitor.next_due_us)
    .param("holder", &monitor.holder);
    store.execute(&statement).await
}
