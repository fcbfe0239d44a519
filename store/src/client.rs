//! `Store`: a handle on a ClickHouse URL, for statements and for inserting blocks.
//!
//! The `clickhouse` crate carries the bytes. Retrying is the caller's business, because only the caller knows how long
//! its data may wait; [`StoreError::fault`] tells it whether that makes sense.

use std::future::Future;
use std::time::Duration;

use bytes::Bytes;
use clickhouse::{Client, Compression};
use serde::de::DeserializeOwned;

use crate::{Block, Secret, Statement, StoreError, native};

/// The database of all tables, unless an option names another one.
pub const DATABASE: &str = "windvane";

/// A ping that takes longer than this counts as no answer.
const PING_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest wait for a statement: a scan over months of events, not a lost connection.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(600);
/// Longest wait for one chunk of an INSERT to leave.
const SEND_TIMEOUT: Duration = Duration::from_secs(30);
/// Longest wait for the answer to an INSERT; a repetition with the same token is harmless.
const INSERT_TIMEOUT: Duration = Duration::from_secs(300);

/// Where ClickHouse is and who we are there.
#[derive(Debug, Clone)]
pub struct StoreOptions {
    /// `http://host:8123` or `https://…`.
    pub url: String,
    /// The user; empty for ClickHouse's default user.
    pub user: String,
    /// Its password.
    pub password: Secret,
    /// The database that holds the tables: [`DATABASE`] outside tests.
    pub database: String,
}

/// A handle on a ClickHouse URL. Cloning shares its connections.
#[derive(Clone)]
pub struct Store {
    client: Client,
    url: String,
    database: String,
}

impl Store {
    /// A handle; nothing is sent yet.
    #[must_use]
    pub fn connect(options: &StoreOptions) -> Self {
        let mut client =
            Client::default().with_url(&options.url).with_compression(compression_for(&options.url));
        if !options.user.is_empty() {
            client = client.with_user(&options.user).with_password(options.password.expose());
        }
        client = client.with_product_info("windvane", env!("CARGO_PKG_VERSION"));
        Self { client, url: options.url.clone(), database: options.database.clone() }
    }

    /// The address.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The database that holds the tables.
    #[must_use]
    pub fn database(&self) -> &str {
        &self.database
    }

    /// Whether ClickHouse answers a statement of ours, which also says that it takes our password.
    ///
    /// # Errors
    /// Where nobody answers within 5 s, or ClickHouse refuses.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.within(PING_TIMEOUT, self.client.query_raw("SELECT 1").execute()).await
    }

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

    /// The rows of a statement. 64-bit integers come as numbers; NaN and the infinities as the words `nan`, `inf`,
    /// `-inf`.
    ///
    /// # Errors
    /// Where ClickHouse does not answer or refuses, or a row is not a `T`.
    pub async fn rows<T: DeserializeOwned>(&self, statement: &Statement) -> Result<Vec<T>, StoreError> {
        let client = self.client.clone().with_database(&self.database);
        rows_from_json(&self.fetch(&client, statement, "JSONEachRow").await?)
    }

    /// The same for a statement whose names are qualified, while the database may not exist yet.
    pub(crate) async fn rows_outside<T: DeserializeOwned>(
        &self,
        statement: &Statement,
    ) -> Result<Vec<T>, StoreError> {
        rows_from_json(&self.fetch(&self.client, statement, "JSONEachRow").await?)
    }

    /// The answer to a statement as ClickHouse writes it: in `format`, unless the text ends in a `FORMAT` clause.
    ///
    /// # Errors
    /// Where ClickHouse does not answer or refuses.
    pub async fn text(&self, sql: &str, format: &str) -> Result<Bytes, StoreError> {
        let client = self.client.clone().with_database(&self.database);
        self.fetch(&client, &Statement::new(sql.to_owned()), format).await
    }

    /// Hands the answer to a SELECT to `consume` as it arrives; a chunk may end inside a row.
    ///
    /// # Errors
    /// Where ClickHouse does not answer or refuses, also half-way.
    pub async fn fold(
        &self,
        statement: &Statement,
        format: &str,
        mut consume: impl FnMut(&[u8]),
    ) -> Result<(), StoreError> {
        let client = self.client.clone().with_database(&self.database);
        let folded = async {
            let mut cursor = query(&client, statement).fetch_bytes(format)?;
            while let Some(chunk) = cursor.next().await? {
                consume(&chunk);
            }
            Ok(())
        };
        self.within(STATEMENT_TIMEOUT, folded).await
    }

    /// Runs a statement without an answer, such as a migration. Names in it must be qualified: it runs outside the
    /// database, which may not exist yet.
    ///
    /// # Errors
    /// Where ClickHouse does not answer or refuses.
    pub async fn execute(&self, statement: &Statement) -> Result<(), StoreError> {
        self.within(STATEMENT_TIMEOUT, query(&self.client, statement).execute()).await
    }

    async fn fetch(&self, client: &Client, statement: &Statement, format: &str) -> Result<Bytes, StoreError> {
        let mut query = query(client, statement);
        for (name, value) in ROW_SETTINGS {
            query = query.with_setting(name, value);
        }
        let collected = async { query.fetch_bytes(format)?.collect().await };
        self.within(STATEMENT_TIMEOUT, collected).await
    }

    async fn within<T>(
        &self,
        limit: Duration,
        work: impl Future<Output = clickhouse::error::Result<T>>,
    ) -> Result<T, StoreError> {
        let result = match tokio::time::timeout(limit, work).await {
            Ok(result) => result,
            Err(_elapsed) => Err(clickhouse::error::Error::TimedOut),
        };
        result.map_err(|error| self.failed(error, limit))
    }

    fn failed(&self, error: clickhouse::error::Error, limit: Duration) -> StoreError {
        match error {
            clickhouse::error::Error::TimedOut => {
                StoreError::TimedOut { url: self.url.clone(), seconds: limit.as_secs() }
            }
            error => StoreError::from_client(&self.url, error),
        }
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store")
            .field("url", &self.url)
            .field("database", &self.database)
            .finish_non_exhaustive()
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

/// How values look in rows and in text.
const ROW_SETTINGS: [(&str, &str); 2] =
    [("output_format_json_quote_64bit_integers", "0"), ("output_format_json_quote_denormals", "1")];

/// On one machine LZ4 costs more than the loop-back interface; over a network it pays.
fn compression_for(url: &str) -> Compression {
    let host = url.split_once("://").map_or(url, |(_, rest)| rest);
    let local = ["127.", "localhost", "[::1]"].iter().any(|prefix| host.starts_with(prefix));
    if local { Compression::None } else { Compression::Lz4 }
}

fn query(client: &Client, statement: &Statement) -> clickhouse::query::Query {
    let mut query = client.query_raw(statement.sql());
    for (name, value) in statement.settings() {
        query = query.with_setting(name, value);
    }
    for (name, value) in statement.params() {
        query = query.with_setting(format!("param_{name}"), value);
    }
    query
}

/// Reads `JSONEachRow`.
pub(crate) fn rows_from_json<T: DeserializeOwned>(body: &[u8]) -> Result<Vec<T>, StoreError> {
    serde_json::Deserializer::from_slice(body)
        .into_iter()
        .collect::<Result<Vec<T>, _>>()
        .map_err(|error| StoreError::Rows { source: std::sync::Arc::new(error) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_password() {
        let options = StoreOptions {
            url: "http://127.0.0.1:1".to_owned(),
            user: "windvane".to_owned(),
            password: Secret::new("hunter2"),
            database: DATABASE.to_owned(),
        };
        assert!(!format!("{options:?} {:?}", Store::connect(&options)).contains("hunter2"));
    }

    #[test]
    fn only_a_remote_address_is_compressed() {
        for (url, local) in [
            ("http://127.0.0.1:8123", true),
            ("http://localhost:1/", true),
            ("https://ch.example:8443", false),
        ] {
            assert_eq!(compression_for(url) == Compression::None, local, "{url}");
        }
    }
}
