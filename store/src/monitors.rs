//! The `monitors` table: monitors as analyzers have announced them, for everyone who does not have their configuration.

use bytes::Bytes;

use crate::client::Insert;
use crate::rowbinary as rb;
use crate::wire::{Column, Wire, column};
use crate::{Store, StoreError, native};

const TABLE: &str = "monitors";

const COLUMNS: &[Column] = &[
    column("kind", Wire::Word),
    column("monitor", Wire::Text),
    column("model", Wire::Word),
    column("settings", Wire::Text),
    column("enabled", Wire::Flag),
    column("next_due", Wire::Micros),
    column("holder", Wire::Text),
    column("seen_at", Wire::Micros),
];

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

/// Announces monitors, all at once; each replaces what was announced under its name.
///
/// # Errors
/// As [`Store::insert`]; they may be announced again.
pub async fn announce(store: &Store, monitors: &[Announced], seen_at_us: i64) -> Result<(), StoreError> {
    let mut body = Vec::new();
    for monitor in monitors {
        for text in [&monitor.kind, &monitor.monitor, &monitor.model, &monitor.settings] {
            rb::string(&mut body, text);
        }
        body.push(u8::from(monitor.enabled));
        rb::i64(&mut body, monitor.next_due_us);
        rb::string(&mut body, &monitor.holder);
        rb::i64(&mut body, seen_at_us);
    }
    let Some(first) = monitors.first() else { return Ok(()) };
    let pieces = native::encode(COLUMNS, &[Bytes::from(body)], monitors.len() as u64)
        .expect("these rows were encoded for these columns");
    let token = format!("monitors-{}-{seen_at_us}", first.holder);
    store.send(Insert { table: TABLE, columns: COLUMNS, token: &token, pieces }).await
}
