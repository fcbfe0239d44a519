//! How many parts a table is in: what ClickHouse slows INSERTs down by, and refuses them at last.

use serde::Deserialize;

use crate::{Statement, Store, StoreError, Table};

#[derive(Debug, Deserialize)]
struct Row {
    parts: u64,
}

/// The active parts of the table's fullest partition, on the server that answers.
///
/// # Errors
/// Where ClickHouse does not answer or refuses.
pub async fn fullest_partition(store: &Store, table: Table) -> Result<u64, StoreError> {
    // On a cluster the parts are those of the table behind the Distributed one.
    let statement = Statement::new(
        "SELECT max(n) AS parts FROM (SELECT count() AS n FROM system.parts WHERE active \
         AND database = {database:String} AND table IN ({name:String}, concat({name:String}, '_local')) \
         GROUP BY table, partition_id)",
    );
    let statement = statement.param("database", store.database()).param("name", table.name());
    let rows: Vec<Row> = store.rows(&statement).await?;
    Ok(rows.first().map_or(0, |row| row.parts))
}
