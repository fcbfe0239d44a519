//! A sink in memory that knows tokens as ClickHouse does, and fails as it is told to.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use parking_lot::Mutex;
use windvane_store::{Block, StoreError, Table};

use crate::{Answer, Sink};

/// What the sink does with what comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Mood {
    #[default]
    Takes,
    /// Nobody is there.
    Away,
    /// Answers only when the mood changes.
    Waits,
    /// Takes each block and lets nobody know.
    TakesSilently,
    /// Cannot take blocks in which these bytes occur.
    Poisoned(&'static [u8]),
    /// The same for so many more inserts; then nobody is there.
    PoisonedThenAway(&'static [u8], u32),
}

#[derive(Debug, Default)]
pub(super) struct ToldSink {
    mood: Mutex<Mood>,
    blocks: Mutex<HashMap<String, Block>>,
    order: Mutex<Vec<u64>>,
    waiting: AtomicUsize,
    most_at_once: AtomicUsize,
    again: AtomicUsize,
    away: AtomicU64,
    poisoned: AtomicU64,
    parts: AtomicU64,
    asked_for_parts: AtomicUsize,
}

impl ToldSink {
    pub(super) fn be(&self, mood: Mood) {
        *self.mood.lock() = mood;
    }

    /// Blocks that wait for the mood to change.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::SeqCst)
    }

    /// The most blocks of all tables that waited for an answer at the same time.
    pub(super) fn most_at_once(&self) -> usize {
        self.most_at_once.load(Ordering::SeqCst)
    }

    /// Blocks that were stored.
    pub(super) fn blocks(&self) -> usize {
        self.blocks.lock().len()
    }

    /// The first frames of the blocks, and of their parts, in the order in which these were stored.
    pub(super) fn order(&self) -> Vec<u64> {
        self.order.lock().clone()
    }

    /// Blocks that came though they were stored.
    pub(super) fn again(&self) -> usize {
        self.again.load(Ordering::SeqCst)
    }

    /// INSERTs that failed, because nobody was there and because their rows cannot be taken.
    pub(super) fn failed(&self) -> [u64; 2] {
        [&self.away, &self.poisoned].map(|failed| failed.load(Ordering::SeqCst))
    }

    /// From now on the fullest partition of every table has so many parts.
    pub(super) fn have_parts(&self, parts: u64) {
        self.parts.store(parts, Ordering::SeqCst);
    }

    /// How often somebody wanted to know how many parts there are.
    pub(super) fn asked_for_parts(&self) -> usize {
        self.asked_for_parts.load(Ordering::SeqCst)
    }

    /// Rows of each block that was stored, fewest first.
    pub(super) fn block_rows(&self) -> Vec<u64> {
        let mut rows: Vec<u64> = self.blocks.lock().values().map(|block| block.rows).collect();
        rows.sort_unstable();
        rows
    }

    /// Rows of a table that were stored, each block once.
    pub(super) fn rows(&self, table: &str) -> u64 {
        self.blocks.lock().values().filter(|block| block.table.name() == table).map(|block| block.rows).sum()
    }

    /// The bytes of everything that was stored, each block once.
    pub(super) fn stored(&self) -> Vec<Vec<u8>> {
        self.blocks.lock().values().map(|block| block.body.concat()).collect()
    }

    /// The mood for this insert.
    fn next_mood(&self) -> Mood {
        let mut mood = self.mood.lock();
        match *mood {
            Mood::PoisonedThenAway(_, 0) => *mood = Mood::Away,
            Mood::PoisonedThenAway(bytes, more) => {
                *mood = Mood::PoisonedThenAway(bytes, more - 1);
                return Mood::Poisoned(bytes);
            }
            _ => {}
        }
        *mood
    }

    fn answer(&self, block: &Block) -> Result<(), StoreError> {
        let away = StoreError::TimedOut { url: "http://sink".to_owned(), seconds: 1 };
        let mood = self.next_mood();
        match mood {
            Mood::Away => {
                self.away.fetch_add(1, Ordering::SeqCst);
                return Err(away);
            }
            Mood::Poisoned(bytes)
                if block.body.iter().any(|chunk| memchr::memmem::find(chunk, bytes).is_some()) =>
            {
                self.poisoned.fetch_add(1, Ordering::SeqCst);
                let message = "Code: 117. DB::Exception: told so. (INCORRECT_DATA)".to_owned();
                return Err(StoreError::Exception { code: 117, message });
            }
            _ => {}
        }
        let mut blocks = self.blocks.lock();
        if let Some(first) = blocks.insert(block.token.clone(), block.clone()) {
            self.again.fetch_add(1, Ordering::SeqCst);
            assert_eq!(
                first.body.concat(),
                block.body.concat(),
                "token {} came with other rows",
                block.token
            );
        } else {
            let first_frame = block.token.split('-').nth(2).and_then(|frame| frame.parse().ok());
            self.order.lock().push(first_frame.expect("a token says which frames it is of"));
        }
        if mood == Mood::TakesSilently { Err(away) } else { Ok(()) }
    }
}

impl Sink for ToldSink {
    fn insert<'a>(&'a self, block: &'a Block) -> Answer<'a> {
        Box::pin(async move {
            let at_once = self.waiting.fetch_add(1, Ordering::SeqCst) + 1;
            self.most_at_once.fetch_max(at_once, Ordering::SeqCst);
            // Another block that is on its way comes in meanwhile.
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
            while *self.mood.lock() == Mood::Waits {
                tokio::time::sleep(std::time::Duration::from_millis(2)).await;
            }
            self.waiting.fetch_sub(1, Ordering::SeqCst);
            self.answer(block)
        })
    }

    fn ping(&self) -> Answer<'_> {
        let away = *self.mood.lock() == Mood::Away;
        let error = StoreError::TimedOut { url: "http://sink".to_owned(), seconds: 1 };
        Box::pin(async move { if away { Err(error) } else { Ok(()) } })
    }

    fn parts(&self, _: Table) -> Answer<'_, u64> {
        self.asked_for_parts.fetch_add(1, Ordering::SeqCst);
        let parts = self.parts.load(Ordering::SeqCst);
        Box::pin(async move { Ok(parts) })
    }
}
