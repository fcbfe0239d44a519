//! What the analyzer reads through: rows of a statement, wherever the data are.

use serde::de::DeserializeOwned;

use crate::{Statement, Store, StoreError};

/// A source of rows.
#[derive(Debug, Clone)]
pub enum Reader {
    /// The tables behind a ClickHouse URL.
    Store(Store),
}

impl Reader {
    /// The rows of a statement.
    ///
    /// # Errors
    /// Where the statement fails, or a row is not a `T`.
    pub async fn rows<T: DeserializeOwned>(&self, statement: &Statement) -> Result<Vec<T>, StoreError> {
        match self {
            Self::Store(store) => store.rows(statement).await,
        }
    }
}
