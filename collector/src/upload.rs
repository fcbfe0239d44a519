//! From the spool to ClickHouse: one block of a table at a time, again and again until it is answered.
//!
//! Where two full blocks wait and two INSERTs of a table may be in flight, both are sent at once: an INSERT keeps one core of the engine
//! busy for most of its time, and waits for the disk for the rest. The log learns of the second only after the first, so that a checkpoint
//! is true of all before it.

pub(crate) mod backoff;
mod mend;
mod pace;
mod settle;
mod sift;

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;
use windvane_store::{Block, Fault, StoreError, Table};
use windvane_types::Clock;

use self::backoff::pause;
use self::pace::Pace;
use self::settle::{Sent, Settled};
use self::sift::Sieve;
use crate::limits::Shares;
use crate::metrics::Metrics;
use crate::sink::Sink;
use crate::spool::{Content, FrameRows, Op, Sealed, TableSpool};

/// From so many rows on, a block is given four times as long to fill: the engine's CPU for a row, merges included, is 12 us in
/// blocks of 10,000 rows and 3 us in blocks of 100,000 (`benches/insert.rs`); below, there is little to save.
const WORTH_WAITING_ROWS: u64 = 2_000;

/// Full blocks from which on two are sent at once.
const BOTH_FROM_BLOCKS: usize = 2;

/// Longest wait for the answer to how many parts there are.
const PARTS_TIMEOUT: Duration = Duration::from_secs(5);

/// Uploads one table. Stopped by `drain`, after which it sends what the spool holds without waiting for more and ends; or by
/// `abort`, which ends it wherever it is. What is not sent stays in the spool.
#[derive(Debug)]
pub(crate) struct Uploader {
    pub(crate) spool: Arc<TableSpool>,
    pub(crate) sink: Arc<dyn Sink>,
    pub(crate) metrics: Metrics,
    pub(crate) shares: Arc<Shares>,
    /// The clock that frames are stamped by.
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) block_age: Duration,
    pub(crate) dead_letters: PathBuf,
    /// Who has a place here may send a second block: memory is for one beside those of all tables. Without places there is none.
    pub(crate) second: Arc<Semaphore>,
    pub(crate) drain: CancellationToken,
    pub(crate) abort: CancellationToken,
}

/// Tokens of blocks that were stored ahead of one that had to be halved. The log learns of them only after that one, maybe thousands of
/// INSERTs later, and ClickHouse remembers so many tokens and no more: they are not sent again.
type Ahead = HashSet<String>;

/// A block as it is sent.
struct Attempt {
    block: Sealed,
    frames: Vec<FrameRows>,
    wire: Block,
}

/// The spool's disk has failed while there is no time to wait for it, or the uploader was told to abort.
struct Stop;

impl Uploader {
    pub(crate) async fn run(self) {
        let (mut pace, mut ahead) = (Pace::default(), Ahead::new());
        let work = async {
            while self.next_is_due(&pace).await {
                if let Err(Stop) = self.upload_next(&mut ahead).await {
                    break;
                }
                self.keep_pace(&mut pace).await;
            }
        };
        tokio::select! {
            () = work => {}
            () = self.mend() => {}
            () = self.abort.cancelled() => {}
        }
    }

    fn table(&self) -> Table {
        self.spool.table
    }

    /// Waits until a block is full or old enough, counted from when its oldest row came: what came while the block before was sent has
    /// waited that long already. False when there is nothing left to drain.
    async fn next_is_due(&self, pace: &Pace) -> bool {
        let mut backlog = self.spool.backlog();
        let mut since = None;
        loop {
            let now = *backlog.borrow_and_update();
            let waits = now.oldest_us.is_some();
            if now.full_blocks > 0 || (waits && self.drain.is_cancelled()) {
                return true;
            }
            if !waits && self.drain.is_cancelled() {
                return false;
            }
            let usual = if now.rows < WORTH_WAITING_ROWS { self.block_age } else { 4 * self.block_age };
            let patience = pace.patience(usual);
            let due = now.oldest_us.map(|oldest_us| {
                let (seen_at, age) = *since.get_or_insert_with(|| (Instant::now(), self.age(oldest_us)));
                seen_at + patience.saturating_sub(age)
            });
            tokio::select! {
                changed = backlog.changed() => if changed.is_err() { return false },
                () = sleep_until(due) => return true,
                () = self.drain.cancelled() => {}
            }
        }
    }

    /// How long ago a row came. Whatever the clock does meanwhile, nothing waits longer than its patience for it.
    fn age(&self, arrived_us: i64) -> Duration {
        let age_us = self.clock.now().as_microsecond().saturating_sub(arrived_us);
        Duration::from_micros(u64::try_from(age_us).unwrap_or_default())
    }

    /// Asks the store from time to time how its merges get on. It need not answer: then the pace stays as it is.
    async fn keep_pace(&self, pace: &mut Pace) {
        if self.drain.is_cancelled() || !pace.is_due(Instant::now()) {
            return;
        }
        let asked = tokio::time::timeout(PARTS_TIMEOUT, self.sink.parts(self.table())).await;
        if let Ok(Ok(parts)) = asked
            && pace.learn(parts)
        {
            tracing::info!(table = %self.table(), parts, patience = ?pace.patience(self.block_age), "the parts of the fullest partition changed how long rows wait for others");
        }
    }

    /// Sends the next block, or the next two.
    async fn upload_next(&self, ahead: &mut Ahead) -> Result<(), Stop> {
        let Some(first) = self.change(|| Op::Seal { behind: 0 }).await? else { return Ok(()) };
        let (behind, full_blocks) = (first.run.last, self.spool.backlog().borrow().full_blocks);
        let place = (full_blocks >= BOTH_FROM_BLOCKS).then(|| self.second.try_acquire().ok()).flatten();
        let second = match place {
            Some(_) => self.change(|| Op::Seal { behind }).await?,
            None => None,
        };
        let Some(second) = second else {
            let (attempt, sent) = self.send(first, ahead).await?;
            self.settle(&attempt, sent).await?;
            ahead.remove(&attempt.block.token);
            return Ok(());
        };
        let (first, second) = tokio::join!(self.send(first, ahead), self.send(second, ahead));
        let (attempt, sent) = first?;
        let settled = self.settle(&attempt, sent).await?;
        ahead.remove(&attempt.block.token);
        let (attempt, sent) = second?;
        if settled == Settled::Halved {
            // The second one stays where it is in the log, and comes again behind the halves.
            if matches!(sent, Sent::Stored) {
                ahead.insert(attempt.block.token);
            }
            return Ok(());
        }
        self.settle(&attempt, sent).await?;
        ahead.remove(&attempt.block.token);
        Ok(())
    }

    /// Sends a block. The log does not learn yet what became of it.
    async fn send(&self, block: Sealed, ahead: &Ahead) -> Result<(Attempt, Sent), Stop> {
        let attempt = self.read(block).await?;
        if Sieve::is_begun(&self.dead_letters, &attempt.block.token) {
            return Ok((attempt, Sent::SearchBegun));
        }
        let rows = attempt.wire.rows;
        if rows == 0 || ahead.contains(&attempt.block.token) {
            return Ok((attempt, Sent::Stored));
        }
        let answer = self.insert(&attempt.wire).instrument(self.trace(rows)).await;
        Ok((attempt, answer.map_or_else(Sent::Refused, |()| Sent::Stored)))
    }

    /// A trace of an INSERT; none of one into `spans`, which may hold the one before: where our own traces come back to us, each would be
    /// the reason for another.
    fn trace(&self, rows: u64) -> tracing::Span {
        match self.table() {
            Table::Spans => tracing::Span::none(),
            table => tracing::info_span!("insert a block", otel.kind = "client", table = table.name(), rows),
        }
    }

    /// Sends a block until it is taken. The error is one that would come again every time.
    async fn insert(&self, block: &Block) -> Result<(), StoreError> {
        let table = self.table().name();
        let mut attempt = 0;
        loop {
            let begun = Instant::now();
            let Err(error) = self.sink.insert(block).await else {
                let seconds = begun.elapsed().as_secs_f64();
                self.metrics.insert_seconds.with_label_values(&[table]).observe(seconds);
                #[expect(clippy::cast_precision_loss, reason = "a histogram of row counts far below 2^53")]
                self.metrics.insert_rows.with_label_values(&[table]).observe(block.rows as f64);
                tracing::info!(table, rows = block.rows, bytes = block.bytes(), seconds, token = %block.token, "stored a block");
                return Ok(());
            };
            let fault = error.fault();
            self.metrics.insert_failures.with_label_values(&[table, fault_name(fault)]).inc();
            if fault == Fault::Poison {
                return Err(error);
            }
            let pause = pause(&block.token, attempt);
            tracing::warn!(table, rows = block.rows, attempt, ?pause, error = %chain(&error), "a block was not stored; trying again");
            attempt += 1;
            tokio::time::sleep(pause).await;
        }
    }

    async fn read(&self, block: Sealed) -> Result<Attempt, Stop> {
        let (read, wanted) = (self.spool.reader(), block.clone());
        let Content { layout, rows, body, frames } = self.blocking(move || read(&wanted)).await?;
        let token = block.token.clone();
        let wire = Block { table: self.table(), layout, rows, token, body: vec![Bytes::from(body)] };
        Ok(Attempt { block, frames, wire })
    }

    /// Does file work off the runtime, again and again until it succeeds.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl Fn() -> std::io::Result<T> + Send + 'static,
    ) -> Result<T, Stop> {
        let work = Arc::new(parking_lot::Mutex::new(work));
        for attempt in 0.. {
            let work = Arc::clone(&work);
            match tokio::task::spawn_blocking(move || (work.lock())()).await {
                Ok(Ok(value)) => return Ok(value),
                Ok(Err(error)) => {
                    tracing::warn!(table = %self.table(), %error, "cannot read or write files of the spool; trying again")
                }
                Err(_cancelled) => return Err(Stop),
            }
            tokio::time::sleep(pause(self.table().name(), attempt)).await;
        }
        Err(Stop)
    }

    /// Changes the log, again and again until the disk takes it. After a failure of the disk every try fails until it is mended.
    async fn change(&self, op: impl Fn() -> Op) -> Result<Option<Sealed>, Stop> {
        for attempt in 0.. {
            match self.spool.change(op()).await {
                Ok(block) => return Ok(block),
                Err(error) => {
                    tracing::debug!(table = %self.table(), ?error, "the spool took no change; trying again")
                }
            }
            if self.drain.is_cancelled() && self.spool.backlog().borrow().failed {
                return Err(Stop);
            }
            tokio::time::sleep(pause(self.table().name(), attempt)).await;
        }
        Err(Stop)
    }
}

async fn sleep_until(due: Option<Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}

fn fault_name(fault: Fault) -> &'static str {
    match fault {
        Fault::Unavailable => "unavailable",
        Fault::Retryable => "retryable",
        Fault::Poison => "poison",
    }
}

/// The error with its causes, on one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
