//! The unit of INSERT: rows of one table in one layout, with the token that makes a repetition harmless.

use bytes::Bytes;

use crate::Table;

/// The rows of one INSERT.
///
/// Whoever sends a block again must send the same bytes under the same token: ClickHouse takes the token for the
/// block's identity and drops what comes second, whatever it holds.
#[derive(Debug, Clone)]
pub struct Block {
    /// Where the rows go.
    pub table: Table,
    /// Which columns they have: [`Table::columns`].
    pub layout: u16,
    /// How many rows `body` holds.
    pub rows: u64,
    /// The deduplication token: derived from where the rows stand in the spool, unique among all blocks of the table.
    pub token: String,
    /// RowBinary rows, back to back; each chunk holds whole rows.
    pub body: Vec<Bytes>,
}

impl Block {
    /// The most rows of one INSERT. Above ClickHouse's `max_insert_block_size` of 1,048,449 an INSERT would become
    /// several inserted blocks, which a crash can tear apart.
    pub const ROWS_MAX: u64 = 1_000_000;

    /// The length of the body in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.body.iter().map(Bytes::len).sum()
    }
}
