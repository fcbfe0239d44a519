//! The ledger: which migrations a database has seen, one row a migration and state.
//!
//! Rows are only ever added, so that appliers working at once cannot undo each other: a migration is applied once any
//! row says so.

use serde::Deserialize;

use super::{Migration, State, Topology};
use crate::{Statement, Store, StoreError};

/// The migration that makes the ledger's table.
pub(super) const MADE_BY: u32 = 2;

/// One row of the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Entry {
    pub(super) version: u32,
    pub(super) name: String,
    pub(super) checksum: String,
    pub(super) state: String,
    pub(super) topology: String,
}

impl Entry {
    pub(super) fn new(migration: &Migration, topology: &Topology) -> Self {
        Self {
            version: migration.version,
            name: migration.name.to_owned(),
            checksum: migration.checksum(),
            state: String::new(),
            topology: topology.name().to_owned(),
        }
    }
}

/// Every row; none where there is no ledger yet.
pub(super) async fn read(store: &Store) -> Result<Vec<Entry>, StoreError> {
    #[derive(Deserialize)]
    struct Tables {
        n: u64,
    }
    let exists = Statement::new(
        "SELECT count() AS n FROM system.tables WHERE database = {database:String} AND name = 'schema_migrations'",
    )
    .param("database", store.database());
    if store.rows_outside::<Tables>(&exists).await?.iter().all(|tables| tables.n == 0) {
        return Ok(Vec::new());
    }
    let all = Statement::new(
        "SELECT version, name, checksum, state, topology FROM schema_migrations ORDER BY version",
    );
    store.rows(&all).await
}

/// Notes that a migration reached a state.
pub(super) async fn write(store: &Store, entry: &Entry, state: State) -> Result<(), StoreError> {
    let statement = Statement::new(
        "INSERT INTO {database:Identifier}.schema_migrations \
         (version, name, checksum, state, topology, applied_at, applied_by) \
         SELECT {version:UInt32}, {name:String}, {checksum:String}, {state:String}, {topology:String}, \
         now64(6, 'UTC'), {applied_by:String}",
    )
    .param("database", store.database())
    .param("version", entry.version)
    .param("name", &entry.name)
    .param("checksum", &entry.checksum)
    .param("state", state.name())
    .param("topology", &entry.topology)
    .param("applied_by", env!("CARGO_PKG_VERSION"));
    store.execute(&statement).await
}
