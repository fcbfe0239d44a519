//! The `baselines` table: named reference populations with their profile.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use windvane_types::span::Span;

use crate::client::Insert;
use crate::rowbinary as rb;
use crate::wire::{Column, Wire, column};
use crate::{Statement, Store, StoreError, native};

const TABLE: &str = "baselines";

const COLUMNS: &[Column] = &[
    column("model", Wire::Word),
    column("name", Wire::Text),
    column("version", Wire::Word),
    column("environment", Wire::Word),
    column("window_start", Wire::Micros),
    column("window_end", Wire::Micros),
    column("row_count", Wire::Count),
    column("profile", Wire::Text),
    column("created_at", Wire::Micros),
];

/// What a baseline is, without its profile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Baseline {
    /// The model.
    pub model: String,
    /// The baseline's name, unique for the model.
    pub name: String,
    /// The version whose predictions it holds; empty for all.
    pub version: String,
    /// The environment whose predictions it holds; empty for all.
    pub environment: String,
    /// Its start in event time, microseconds since 1970 UTC, included.
    pub start_us: i64,
    /// Its end, excluded.
    pub end_us: i64,
    /// Its rows.
    pub rows: u64,
    /// When it was saved, microseconds since 1970 UTC; of two the later one wins.
    pub created_at_us: i64,
}

impl Baseline {
    /// Its span of event time.
    #[must_use]
    pub fn span(&self) -> Span {
        Span { start_us: self.start_us, end_us: self.end_us }
    }
}

/// A baseline with its profile, as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Saved {
    /// What it is.
    #[serde(flatten)]
    pub baseline: Baseline,
    /// Its profile (`windvane_types::baseline::Profile`), as JSON.
    pub profile: String,
}

/// Keeps a baseline; one of the same model and name is replaced.
///
/// # Errors
/// As [`Store::insert`]; the same baseline may be kept again.
pub async fn save(store: &Store, saved: &Saved) -> Result<(), StoreError> {
    let Saved { baseline, profile } = saved;
    let mut body = Vec::new();
    for text in [&baseline.model, &baseline.name, &baseline.version, &baseline.environment] {
        rb::string(&mut body, text);
    }
    rb::i64(&mut body, baseline.start_us);
    rb::i64(&mut body, baseline.end_us);
    rb::u64(&mut body, baseline.rows);
    rb::string(&mut body, profile);
    rb::i64(&mut body, baseline.created_at_us);
    let pieces =
        native::encode(COLUMNS, &[Bytes::from(body)], 1).expect("this row was encoded for these columns");
    let token = format!("baseline-{}-{}-{}", baseline.model, baseline.name, baseline.created_at_us);
    store.send(Insert { table: TABLE, columns: COLUMNS, token: &token, pieces }).await
}

/// Looks a baseline up by its name.
///
/// # Errors
/// ClickHouse does not answer or refuses.
pub async fn find(store: &Store, model: &str, name: &str) -> Result<Option<Saved>, StoreError> {
    let statement = Statement::new(format!(
        "SELECT {FIELDS}, profile FROM baselines FINAL WHERE model = {{model:String}} AND name = {{name:String}}"
    ))
    .param("model", model)
    .param("name", name);
    Ok(store.rows(&statement).await?.into_iter().next())
}

/// All baselines, of one model or of every one, by model and name.
///
/// # Errors
/// ClickHouse does not answer or refuses.
pub async fn list(store: &Store, model: Option<&str>) -> Result<Vec<Baseline>, StoreError> {
    let statement = Statement::new(format!(
        "SELECT {FIELDS} FROM baselines FINAL WHERE {{model:String}} IN ('', model) ORDER BY model, name"
    ))
    .param("model", model.unwrap_or_default());
    store.rows(&statement).await
}

/// Forgets a baseline. Findings that were made against it stay.
///
/// # Errors
/// ClickHouse does not answer or refuses.
pub async fn delete(store: &Store, model: &str, name: &str) -> Result<(), StoreError> {
    let statement = Statement::new(
        "ALTER TABLE {database:Identifier}.baselines DELETE WHERE model = {model:String} AND name = {name:String}",
    )
    .param("database", store.database())
    .param("model", model)
    .param("name", name)
    .setting("mutations_sync", 2);
    store.execute(&statement).await
}

const FIELDS: &str = "model, name, version, environment, toUnixTimestamp64Micro(window_start) AS start_us, \
     toUnixTimestamp64Micro(window_end) AS end_us, row_count AS rows, toUnixTimestamp64Micro(created_at) AS created_at_us";
