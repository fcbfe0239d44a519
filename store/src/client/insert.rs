//! Inserting: one block, one INSERT, one deduplication token.

use std::time::Duration;

use bytes::Bytes;

use super::Store;
use crate::wire::Column;
use crate::{Block, StoreError, native};

/// Longest wait for one chunk of an INSERT to leave.
const SEND_TIMEOUT: Duration = Duration::from_secs(30);
/// Longest wait for the answer to an INSERT; a repetition with the same token is harmless.
const INSERT_TIMEOUT: Duration = Duration::from_secs(300);

/// One INSERT on its way.
#[derive(Debug)]
pub(crate) struct Insert<'a> {
    pub(crate) table: &'a str,
    pub(crate) columns: &'a [Column],
    pub(crate) token: &'a str,
    /// A Native block with these columns.
    pub(crate) pieces: Vec<Bytes>,
}

impl Store {
    /// Inserts a block. Inserting it again under the same token changes nothing.
    ///
    /// # Errors
    /// [`StoreError::fault`] says whether the same block may be tried again. Without an answer the block may have been
    /// stored or not.
    pub async fn insert(&self, block: &Block) -> Result<(), StoreError> {
        let Block { table, layout, token, .. } = block;
        let (table, layout) = (*table, *layout);
        let Some(columns) = table.columns(layout) else {
            return Err(StoreError::UnknownLayout { table, layout, token: token.clone() });
        };
        let (chunks, rows) = (block.body.clone(), block.rows);
        let pieces = tokio::task::spawn_blocking(move || native::encode(columns, &chunks, rows))
            .await
            .expect("turning rows into columns does not panic and is not cancelled")
            .map_err(|source| StoreError::Malformed { table, layout, token: token.clone(), source })?;
        if rows == 0 {
            return Ok(());
        }
        self.send(Insert { table: table.name(), columns, token, pieces }).await
    }

    pub(crate) async fn send(&self, insert: Insert<'_>) -> Result<(), StoreError> {
        let Insert { table, columns, token, pieces } = insert;
        let names: Vec<&str> = columns.iter().map(|column| column.name).collect();
        let sql = format!("INSERT INTO {table} ({}) FORMAT Native", names.join(", "));
        let mut insert = self
            .client
            .clone()
            .with_database(&self.database)
            .insert_formatted_with(sql)
            .with_timeouts(Some(SEND_TIMEOUT), Some(INSERT_TIMEOUT))
            .with_setting("insert_deduplication_token", token);
        for (name, value) in INSERT_SETTINGS {
            insert = insert.with_setting(name, value);
        }
        let sent = async {
            for piece in pieces {
                insert.send(piece).await?;
            }
            insert.end().await
        };
        sent.await.map_err(|error| self.failed(error, INSERT_TIMEOUT))
    }
}

/// What makes one INSERT one inserted block, so that its token covers all of it: no splitting by rows, bytes or threads,
/// no bound on partitions, no asynchronous queue; and over a Distributed table the shards answer before we do.
/// `optimize_on_insert` would collapse repetitions within a block already, at five times the CPU of the whole INSERT;
/// merges do that.
const INSERT_SETTINGS: [(&str, &str); 10] = [
    ("optimize_on_insert", "0"),
    ("insert_deduplicate", "1"),
    ("async_insert", "0"),
    ("max_insert_block_size", "1048576"),
    ("min_insert_block_size_rows", "1048576"),
    ("min_insert_block_size_bytes", "0"),
    ("max_insert_threads", "1"),
    ("input_format_parallel_parsing", "0"),
    ("max_partitions_per_insert_block", "0"),
    ("distributed_foreground_insert", "1"),
];
