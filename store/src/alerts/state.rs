//! The `alert_state` table: the state of alerts and groups, for whoever takes over and for pages.

use bytes::Bytes;
use serde::Deserialize;

use crate::client::Insert;
use crate::rowbinary as rb;
use crate::wire::{Column, Wire, column};
use crate::{Statement, Store, StoreError, native};

const COLUMNS: &[Column] = &[
    column("name", Wire::Word),
    column("revision", Wire::Count),
    column("at", Wire::Micros),
    column("holder", Wire::Text),
    column("standing", Wire::Text),
    column("document", Wire::Text),
];

/// The state in one document.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Stored {
    /// Counts up with each change.
    pub revision: u64,
    /// When it was written, microseconds since 1970 UTC.
    pub at_us: i64,
    /// Who wrote it.
    pub holder: String,
    /// Alerts as pages show them; JSON.
    pub standing: String,
    /// What the next process needs; JSON.
    pub document: String,
}

/// Writes the state; an older revision never replaces a newer one.
///
/// # Errors
/// ClickHouse does not answer or refuses; it may be written again.
pub async fn write(store: &Store, state: &Stored) -> Result<(), StoreError> {
    let mut body = Vec::new();
    rb::string(&mut body, "alerts");
    rb::u64(&mut body, state.revision);
    rb::i64(&mut body, state.at_us);
    for text in [&state.holder, &state.standing, &state.document] {
        rb::string(&mut body, text);
    }
    let pieces =
        native::encode(COLUMNS, &[Bytes::from(body)], 1).expect("this row was encoded for these columns");
    let token = format!("alert-state-{}-{}", state.revision, state.at_us);
    store.send(Insert { table: "alert_state", columns: COLUMNS, token: &token, pieces }).await
}

/// The newest state, where there is one.
///
/// # Errors
/// ClickHouse does not answer or refuses.
pub async fn read(store: &Store) -> Result<Option<Stored>, StoreError> {
    let statement = Statement::new(
        "SELECT revision, toUnixTimestamp64Micro(at) AS at_us, holder, standing, document \
         FROM windvane.alert_state FINAL WHERE name = 'alerts' LIMIT 1",
    );
    Ok(store.rows(&statement).await?.pop())
}

/// The alerts of the newest state as pages show them, JSON; `[]` before there is one.
///
/// # Errors
/// ClickHouse does not answer or refuses.
pub async fn standing(store: &Store) -> Result<String, StoreError> {
    #[derive(Deserialize)]
    struct Row {
        standing: String,
    }
    let statement =
        Statement::new("SELECT standing FROM windvane.alert_state FINAL WHERE name = 'alerts' LIMIT 1");
    let rows: Vec<Row> = store.rows(&statement).await?;
    Ok(rows.into_iter().next().map_or_else(|| "[]".to_owned(), |row| row.standing))
}
