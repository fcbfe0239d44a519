//! Answers that are kept: what statements over rows that do not change have said, so that they need not be run again.
//!
//! Only the caller knows whether the rows behind a statement are still the same ones; where they are not it begins with none. Answers
//! that a whole turn did not ask for are forgotten; beyond the bound, new ones are not kept.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use serde::de::DeserializeOwned;

use crate::client::rows_from_json;
use crate::{Consume, Statement, Store, StoreError};

/// Bytes of a kept answer that are handed on at once.
const CHUNK_BYTES: usize = 1 << 20;

/// Answers to statements, by their text with its parameters and settings. Clones share them.
#[derive(Debug, Clone)]
pub struct KeptAnswers(Arc<Mutex<Answers>>);

/// The text of a statement with its parameters and settings, and the format of its answer.
type Asked = (String, &'static str);

#[derive(Debug)]
struct Answers {
    by_statement: HashMap<Asked, Answer>,
    bytes: usize,
    bytes_max: usize,
}

#[derive(Debug)]
struct Answer {
    bytes: Arc<[u8]>,
    /// Whether it was asked for since the turn began.
    is_used: bool,
}

impl KeptAnswers {
    /// None yet; at most so many bytes of answers and the texts of their statements.
    #[must_use]
    pub fn new(bytes_max: usize) -> Self {
        Self(Arc::new(Mutex::new(Answers { by_statement: HashMap::new(), bytes: 0, bytes_max })))
    }

    /// Begins a turn: what the one before did not ask for is forgotten.
    pub fn turn(&self) {
        let mut answers = self.0.lock();
        answers.by_statement.retain(|_, answer| std::mem::take(&mut answer.is_used));
        answers.bytes = answers.by_statement.iter().map(|(asked, answer)| size(asked, &answer.bytes)).sum();
    }

    /// Forgets all of them.
    pub fn clear(&self) {
        let mut answers = self.0.lock();
        answers.by_statement.clear();
        answers.bytes = 0;
    }

    /// The rows of a statement, from the store where they are not kept.
    pub(crate) async fn rows<T: DeserializeOwned>(
        &self,
        store: &Store,
        statement: &Statement,
    ) -> Result<Vec<T>, StoreError> {
        let asked = asked(statement, "JSONEachRow");
        if let Some(answer) = self.find(&asked) {
            return rows_from_json(&answer);
        }
        let answer = store.answer(statement, asked.1).await?;
        self.keep(asked, &answer);
        rows_from_json(&answer)
    }

    /// Hands an answer to a consumer, from the store where it is not kept.
    pub(crate) async fn fold<C: Consume>(
        &self,
        store: &Store,
        (statement, format): (&Statement, &'static str),
        mut consumer: C,
    ) -> Result<C, StoreError> {
        let asked = asked(statement, format);
        if let Some(answer) = self.find(&asked) {
            // From the store it would come in chunks, too, between which other tasks go on.
            for chunk in answer.chunks(CHUNK_BYTES) {
                consumer.consume(chunk);
                tokio::task::yield_now().await;
            }
            return Ok(consumer);
        }
        let room = self.room();
        let (mut answer, mut is_whole) = (Vec::new(), true);
        let consume = |chunk: &[u8]| {
            consumer.consume(chunk);
            is_whole = is_whole && answer.len() + chunk.len() <= room;
            if is_whole {
                answer.extend_from_slice(chunk);
            } else {
                answer = Vec::new();
            }
        };
        store.fold(statement, format, consume).await?;
        if is_whole {
            self.keep(asked, &answer);
        }
        Ok(consumer)
    }

    fn find(&self, asked: &Asked) -> Option<Arc<[u8]>> {
        let mut answers = self.0.lock();
        let answer = answers.by_statement.get_mut(asked)?;
        answer.is_used = true;
        Some(Arc::clone(&answer.bytes))
    }

    fn keep(&self, asked: Asked, answer: &[u8]) {
        let mut answers = self.0.lock();
        let bytes = size(&asked, answer);
        let is_kept = answers.by_statement.contains_key(&asked);
        if is_kept || answers.bytes.saturating_add(bytes) > answers.bytes_max {
            return;
        }
        answers.bytes += bytes;
        answers.by_statement.insert(asked, Answer { bytes: answer.into(), is_used: true });
    }

    /// How many bytes more are kept.
    fn room(&self) -> usize {
        let answers = self.0.lock();
        answers.bytes_max.saturating_sub(answers.bytes)
    }
}

fn asked(statement: &Statement, format: &'static str) -> Asked {
    let mut text = statement.sql().to_owned();
    for (name, value) in statement.params().chain(statement.settings()) {
        // A statement holds no zero byte, nor does a value: it is escaped.
        text.extend(["\0", name, "\0", value]);
    }
    (text, format)
}

fn size((statement, _): &Asked, answer: &[u8]) -> usize {
    statement.len() + answer.len()
}

#[cfg(test)]
mod tests {
    use super::{KeptAnswers, Statement};

    #[test]
    fn statements_of_one_text_are_told_apart_by_what_is_bound_to_it() {
        let bound = |value: u64| Statement::new("SELECT {x:UInt64}").param("x", value);
        let asked = |statement: &Statement| super::asked(statement, "RowBinary");
        assert_eq!(asked(&bound(1)), asked(&bound(1)));
        assert_ne!(asked(&bound(1)), asked(&bound(2)));
        assert_ne!(asked(&bound(1)), asked(&bound(1).setting("max_threads", 1)));
    }

    fn asked(text: &str) -> (String, &'static str) {
        (text.to_owned(), "RowBinary")
    }

    #[test]
    fn answers_are_kept_up_to_the_bound_and_as_long_as_each_turn_asks_for_them() {
        let kept = KeptAnswers::new(10);
        kept.keep(asked("ab"), b"123");
        kept.keep(asked("cd"), b"45");
        kept.keep(asked("ef"), b"6");
        let found = |text: &str| kept.find(&asked(text)).map(|bytes| bytes.to_vec());
        assert_eq!(found("ab").as_deref(), Some(&b"123"[..]));
        assert_eq!(found("ef"), None, "beyond ten bytes");
        assert_eq!(kept.find(&("ab".to_owned(), "JSONEachRow")), None, "another format");
        kept.turn();
        assert_eq!(found("cd").as_deref(), Some(&b"45"[..]), "kept in the turn before");
        kept.turn();
        assert_eq!(found("ab"), None, "the turn before did not ask for it");
        kept.keep(asked("ef"), b"6");
        assert_eq!(found("ef").as_deref(), Some(&b"6"[..]), "there is room again");
        kept.clear();
        assert_eq!(found("cd"), None);
        kept.keep(asked("gh"), b"12345678");
        assert!(found("gh").is_some(), "nothing is counted any more");
    }
}
