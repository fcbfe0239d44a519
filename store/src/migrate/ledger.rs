//! The ledger: which migrations a database has seen, one row a migration and state.
//!
//! Rows are only ever added, so that appliers working at once cannot undo each other: a migration is applied once any
//! row says so.

use serde::Deserialize;

use super::{Migration, State, Topology};
use crate::{Param, Statement, Store, StoreError};

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

/// Notes that migrations of one topology reached a state, all or none of them.
pub(super) async fn write(store: &Store, rows: &[(Entry, State)]) -> Result<(), StoreError> {
    let texts = |of: fn(&(Entry, State)) -> String| Param::texts(&rows.iter().map(of).collect::<Vec<_>>());
    let topology = rows.first().map_or("", |(entry, _)| &entry.topology);
    let statement = Statement::new(
        "INSERT INTO {database:Identifier}.schema_migrations \
         (version, name, checksum, state, topology, applied_at, applied_by) \
         SELECT toUInt32(row.1), row.2, row.3, row.4, {topology:String}, now64(6, 'UTC'), {applied_by:String} \
         FROM (SELECT arrayJoin(arrayZip({versions:Array(String)}, {names:Array(String)}, {checksums:Array(String)}, \
         {states:Array(String)})) AS row)",
    )
    .param("database", store.database())
    .param("versions", texts(|(entry, _)| entry.version.to_string()))
    .param("names", texts(|(entry, _)| entry.name.clone()))
    .param("checksums", texts(|(entry, _)| entry.checksum.clone()))
    .param("states", texts(|(_, state)| state.name().to_owned()))
    .param("topology", topology)
    .param("applied_by", env!("CARGO_PKG_VERSION"));
    store.execute(&statement).await
}
