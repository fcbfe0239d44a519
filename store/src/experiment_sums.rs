//! The `experiment_sums` table: what experiments sum to in parts of `predictions`, so that a part is read once.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::client::Insert;
use crate::rowbinary as rb;
use crate::wire::{Column, Wire, column};
use crate::{Statement, Store, StoreError, native};

const TABLE: &str = "experiment_sums";

const COLUMNS: &[Column] =
    &[column("experiment", Wire::Text), column("definition", Wire::Text), column("sums", Wire::Text)];

/// Bytes of sums that are kept at most; more are not.
const BYTES_MAX: usize = 4_000_000;

/// Whose sums.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Key {
    /// The experiment.
    pub(crate) experiment: String,
    /// What decides the sums.
    pub(crate) definition: String,
}

/// The sums of one part.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct PartSums {
    /// The part's name.
    pub(crate) part: String,
    /// The hash of its files: a part of another table may have its name.
    pub(crate) hash: String,
    /// The arms that it has units of.
    pub(crate) arms: Vec<ArmSums>,
}

/// The sums of one arm in one part.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct ArmSums {
    /// The arm.
    pub(crate) arm: String,
    /// Its units.
    pub(crate) units: u64,
    /// One entry a form: units with a value, fractional, capped and floored ones; then Σ value, Σ value², Σ other, Σ other² and
    /// Σ value·other. All of them are finite.
    pub(crate) forms: Vec<([u64; 4], [f64; 5])>,
}

/// The parts that were looked at together; none where none are kept.
///
/// # Errors
/// ClickHouse does not answer or refuses, or what is kept is no such sums.
pub(crate) async fn find(store: &Store, key: &Key) -> Result<Vec<PartSums>, StoreError> {
    #[derive(Deserialize)]
    struct Row {
        sums: String,
    }
    let statement = Statement::new(
        "SELECT sums FROM experiment_sums FINAL WHERE experiment = {experiment:String} \
         AND definition = {definition:String} AND reader = currentUser()",
    )
    .param("experiment", &key.experiment)
    .param("definition", &key.definition);
    let rows: Vec<Row> = store.rows(&statement).await?;
    match rows.first() {
        None => Ok(Vec::new()),
        Some(row) => serde_json::from_str(&row.sums)
            .map_err(|error| StoreError::Rows { source: std::sync::Arc::new(error) }),
    }
}

/// Keeps parts that were looked at together, in place of those that were kept before; not where they are too many.
///
/// # Errors
/// As [`Store::insert`].
pub(crate) async fn save(store: &Store, key: &Key, parts: &[&PartSums]) -> Result<(), StoreError> {
    let sums = serde_json::to_string(parts).unwrap_or_default();
    if sums.is_empty() || sums.len() > BYTES_MAX {
        return Ok(());
    }
    let mut body = Vec::new();
    for text in [&key.experiment, &key.definition, &sums] {
        rb::string(&mut body, text);
    }
    let pieces =
        native::encode(COLUMNS, &[Bytes::from(body)], 1).expect("this row was encoded for these columns");
    // The same sums may be written again after others.
    let token = uuid::Uuid::now_v7().to_string();
    store.send(Insert { table: TABLE, columns: COLUMNS, token: &token, pieces }).await
}
