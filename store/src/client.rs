//! `Store`: a handle on a ClickHouse URL, for statements and for inserting blocks.
//!
//! The `clickhouse` crate carries the bytes. Retrying is the caller's business, because only the caller knows how long
//! its data may wait; [`StoreError::fault`] tells it whether that makes sense.

mod insert;

use std::future::Future;
use std::ops::ControlFlow;
use std::time::Duration;

use bytes::Bytes;
use clickhouse::{Client, Compression};
use serde::de::DeserializeOwned;

pub(crate) use self::insert::Insert;
use crate::{Secret, Statement, StoreError};

/// The database of all tables, unless an option names another one.
pub const DATABASE: &str = "windvane";

/// A ping that takes longer than this counts as no answer.
const PING_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest wait for a statement: a scan over months of events, not a lost connection.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(600);
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

    /// The same address with a bound on what each statement may take: bytes of memory, and time.
    #[must_use]
    pub fn bounded(&self, memory_bytes_max: u64, time_max: Duration) -> Self {
        let client = self
            .client
            .clone()
            .with_setting("max_memory_usage", memory_bytes_max.to_string())
            .with_setting("max_execution_time", time_max.as_secs().max(1).to_string());
        Self { client, ..self.clone() }
    }

    /// Whether ClickHouse answers a statement of ours, which also says that it takes our password.
    ///
    /// # Errors
    /// Where nobody answers within 5 s, or ClickHouse refuses.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.within(PING_TIMEOUT, self.client.query_raw("SELECT 1").execute()).await
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

    /// The answer to a statement in this format, whole.
    ///
    /// # Errors
    /// Where ClickHouse does not answer or refuses.
    pub async fn answer(&self, statement: &Statement, format: &str) -> Result<Bytes, StoreError> {
        let client = self.client.clone().with_database(&self.database);
        self.fetch(&client, statement, format).await
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
        let consume = |chunk: &[u8]| {
            consume(chunk);
            ControlFlow::Continue(())
        };
        self.stream(statement, format, consume).await
    }

    /// The same until `consume` breaks off; the statement is then cancelled by closing its connection.
    ///
    /// # Errors
    /// Where ClickHouse does not answer or refuses, also half-way.
    pub async fn stream(
        &self,
        statement: &Statement,
        format: &str,
        mut consume: impl FnMut(&[u8]) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        let client = self.client.clone().with_database(&self.database);
        let streamed = async {
            let mut cursor = query(&client, statement).fetch_bytes(format)?;
            while let Some(chunk) = cursor.next().await? {
                if consume(&chunk).is_break() {
                    break;
                }
            }
            Ok(())
        };
        self.within(STATEMENT_TIMEOUT, streamed).await
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
