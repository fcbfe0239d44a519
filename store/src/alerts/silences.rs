//! The `silences` table: alerts that nobody is told of for a while.

use serde::Deserialize;
use windvane_types::alert::Silence;

use crate::{Param, Statement, Store, StoreError};

/// Silences that have not ended, at most: each look holds every alert against all of them.
pub const SILENCES_MAX: u64 = 1_000;
/// Silences that are read at once: as many again for those that are made at the same moment, or by hand.
const READ_MAX: u64 = 2 * SILENCES_MAX;

/// Why a silence is not made.
#[derive(Debug, thiserror::Error)]
pub enum MakeError {
    /// There are as many as there may be.
    #[error(
        "there are {} silences that have not ended, which is the most; end some first, or make one for several: model=~\"a|b\"",
        SILENCES_MAX
    )]
    Full,
    /// ClickHouse does not answer or refuses.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Makes a silence, where there is room for one more that has not ended at a time.
///
/// # Errors
/// There is none, or ClickHouse does not answer or refuses.
pub async fn make(store: &Store, silence: &Silence, now_us: i64) -> Result<(), MakeError> {
    #[derive(Deserialize)]
    struct Row {
        n: u64,
    }
    let statement = Statement::new(
        "SELECT count() AS n FROM windvane.silences FINAL WHERE ends_at > fromUnixTimestamp64Micro({after:Int64}, 'UTC')",
    )
    .param("after", now_us);
    let rows: Vec<Row> = store.rows(&statement).await?;
    if rows.iter().any(|row| row.n >= SILENCES_MAX) {
        return Err(MakeError::Full);
    }
    write(store, silence).await?;
    Ok(())
}

/// Writes a silence; it replaces an earlier wording of the same name.
///
/// # Errors
/// ClickHouse does not answer or refuses; it may be written again.
pub async fn write(store: &Store, silence: &Silence) -> Result<(), StoreError> {
    let matchers: Vec<String> = silence.matchers.iter().map(ToString::to_string).collect();
    let statement = Statement::new(
        "INSERT INTO {database:Identifier}.silences (id, matchers, starts_at, ends_at, created_by, comment, updated_at) \
         SELECT {id:String}, {matchers:Array(String)}, fromUnixTimestamp64Micro({starts_at:Int64}, 'UTC'), \
         fromUnixTimestamp64Micro({ends_at:Int64}, 'UTC'), {created_by:String}, {comment:String}, now64(6, 'UTC')",
    )
    .param("database", store.database())
    .param("id", &silence.id)
    .param("matchers", Param::texts(&matchers))
    .param("starts_at", silence.starts_at_us)
    .param("ends_at", silence.ends_at_us)
    .param("created_by", &silence.created_by)
    .param("comment", &silence.comment);
    store.execute(&statement).await
}

/// A row; what somebody wrote by hand and is no matcher makes no silence.
#[derive(Debug, Deserialize)]
struct Row {
    id: String,
    matchers: Vec<String>,
    starts_at_us: i64,
    ends_at_us: i64,
    created_by: String,
    comment: String,
}

/// Silences that have not ended at a time, the first to end first.
///
/// # Errors
/// ClickHouse does not answer or refuses.
pub async fn read(store: &Store, ending_after_us: i64) -> Result<Vec<Silence>, StoreError> {
    let statement = Statement::new(
        "SELECT id, matchers, toUnixTimestamp64Micro(starts_at) AS starts_at_us, toUnixTimestamp64Micro(ends_at) AS ends_at_us, \
         created_by, comment FROM windvane.silences FINAL \
         WHERE ends_at > fromUnixTimestamp64Micro({after:Int64}, 'UTC') ORDER BY ends_at, id LIMIT {limit:UInt64}",
    )
    .param("after", ending_after_us)
    .param("limit", READ_MAX);
    let rows: Vec<Row> = store.rows(&statement).await?;
    if rows.len() as u64 >= READ_MAX {
        tracing::warn!(
            silences = READ_MAX,
            "there are more silences than are read; those that end last may not hold"
        );
    }
    Ok(rows.into_iter().filter_map(silence).collect())
}

fn silence(row: Row) -> Option<Silence> {
    let matchers = row.matchers.iter().map(|text| text.parse()).collect::<Result<_, _>>();
    match matchers {
        Ok(matchers) => Some(Silence {
            id: row.id,
            matchers,
            starts_at_us: row.starts_at_us,
            ends_at_us: row.ends_at_us,
            created_by: row.created_by,
            comment: row.comment,
        }),
        Err(problem) => {
            tracing::warn!(silence = row.id, problem, "a silence of the store is not understood");
            None
        }
    }
}
