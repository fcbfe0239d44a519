//! What the analyzer reads through: rows of a statement, wherever the data are.

use serde::de::DeserializeOwned;

use crate::{KeptAnswers, LocalEngine, Statement, Store, StoreError, local::LocalError};

/// A source of rows.
#[derive(Debug, Clone)]
pub enum Reader {
    /// The tables behind a ClickHouse URL.
    Store(Store),
    /// The files of one command, read by an engine of its own.
    Local(LocalEngine),
    /// The tables behind a ClickHouse URL, where statements that were answered before are not asked again.
    Keeping(Store, KeptAnswers),
}

/// Takes the bytes of an answer as they come.
pub trait Consume: Send + 'static {
    /// Takes the next bytes; a chunk may end inside a row.
    fn consume(&mut self, chunk: &[u8]);
}

/// Why a statement gave no rows.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The command's own engine failed.
    #[error(transparent)]
    Local(#[from] LocalError),
    /// The thread that ran the engine ended without an answer.
    #[error("the thread of the embedded engine ended early")]
    Thread(#[source] tokio::task::JoinError),
}

impl ReadError {
    /// ClickHouse's error code, where it answered with one.
    #[must_use]
    pub fn code(&self) -> Option<i32> {
        match self {
            Self::Store(error) => error.code(),
            Self::Local(error) => error.code(),
            Self::Thread(_) => None,
        }
    }
}

impl Reader {
    /// A reader of the same store that keeps what it is answered, for statements over rows that do not change; the same as this one where
    /// nothing is to be kept, or rows are in files.
    #[must_use]
    pub fn keeping(&self, answers: Option<&KeptAnswers>) -> Self {
        match (self, answers) {
            (Self::Store(store), Some(answers)) => Self::Keeping(store.clone(), answers.clone()),
            _ => self.clone(),
        }
    }

    /// The rows of a statement.
    ///
    /// # Errors
    /// Where the statement fails, or a row is not a `T`.
    pub async fn rows<T: DeserializeOwned + Send + 'static>(
        &self,
        statement: &Statement,
    ) -> Result<Vec<T>, ReadError> {
        match self {
            Self::Store(store) => Ok(store.rows(statement).await?),
            Self::Keeping(store, answers) => Ok(answers.rows(store, statement).await?),
            Self::Local(engine) => {
                let (engine, statement) = (engine.clone(), statement.clone());
                blocking(move || Ok(engine.answer(&statement)?)).await
            }
        }
    }

    /// Hands the answer of a SELECT to a consumer, chunk by chunk, in a format whose chunks can be joined (`RowBinary`,
    /// `JSONEachRow`). Memory stays bounded however long the answer is; a chunk may end inside a row.
    ///
    /// # Errors
    /// Where the statement fails, also half-way.
    pub async fn fold<C: Consume>(
        &self,
        statement: &Statement,
        format: &'static str,
        mut consumer: C,
    ) -> Result<C, ReadError> {
        match self {
            Self::Store(store) => {
                store.fold(statement, format, |chunk| consumer.consume(chunk)).await?;
                Ok(consumer)
            }
            Self::Keeping(store, answers) => Ok(answers.fold(store, (statement, format), consumer).await?),
            Self::Local(engine) => {
                let (engine, statement) = (engine.clone(), statement.clone());
                blocking(move || {
                    engine.fold(&statement, format, &mut |chunk| consumer.consume(chunk))?;
                    Ok(consumer)
                })
                .await
            }
        }
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ReadError> + Send + 'static,
) -> Result<T, ReadError> {
    tokio::task::spawn_blocking(work).await.map_err(ReadError::Thread)?
}
