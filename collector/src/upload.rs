//! From the spool to ClickHouse: one block of a table at a time, again and again until it is answered.
//!
//! While one is sent the next full one is read, and sent as well where two INSERTs of a table may be in flight: an INSERT keeps one core of
//! the engine busy for most of its time, and waits for the disk for the rest.

pub(crate) mod backoff;
mod mend;
mod pace;
mod settle;
mod sift;
mod wait;
mod way;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;
use windvane_store::{Block, Fault, StoreError, Table};
use windvane_types::Clock;

use self::backoff::pause;
use self::pace::Pace;
use self::settle::Sent;
use self::sift::Sieve;
use self::wait::Wait;
use self::way::Way;
use crate::limits::Shares;
use crate::metrics::Metrics;
use crate::sink::Sink;
use crate::spool::{Content, FrameRows, Op, Sealed, TableSpool};

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
    /// INSERTs of the table that may be in flight at once.
    pub(crate) inserts_in_flight: usize,
    /// Who has a place here may read a second block: memory is for one beside those of all tables.
    pub(crate) second: Arc<Semaphore>,
    pub(crate) drain: CancellationToken,
    pub(crate) abort: CancellationToken,
}

/// A block as it is sent.
struct Attempt {
    block: Sealed,
    frames: Vec<FrameRows>,
    wire: Block,
    /// The right to send an INSERT, kept until the log knows what became of a block that was not stored.
    turn: Option<OwnedSemaphorePermit>,
}

/// The spool's disk has failed while there is no time to wait for it, the uploader was told to abort, or a block has to come again behind
/// those before it.
struct Stop;

impl Uploader {
    pub(crate) async fn run(self) {
        let uploader = Arc::new(self);
        let mut way = Way::new(Arc::clone(&uploader));
        tokio::select! {
            // Where the disk failed, what was not sent stays in the spool.
            _ended = way.walk() => {}
            () = uploader.mend() => {}
            () = uploader.abort.cancelled() => {}
        }
        way.break_off().await;
    }

    fn table(&self) -> Table {
        self.spool.table
    }

    /// Waits until a block is full or old enough, counted from when its oldest row came: what came while the block before was sent has
    /// waited that long already. Where no row comes any more, it waits no longer for others. False when there is nothing left to drain.
    async fn next_is_due(&self, pace: &Pace) -> bool {
        let mut backlog = self.spool.backlog();
        let mut wait = Wait::new(pace, self.block_age);
        loop {
            let now = *backlog.borrow_and_update();
            let waits = now.oldest_us.is_some();
            if now.full_blocks > 0 || (waits && self.drain.is_cancelled()) {
                return true;
            }
            if !waits && self.drain.is_cancelled() {
                return false;
            }
            let due =
                now.oldest_us.map(|oldest_us| wait.until(Instant::now(), now.rows, || self.age(oldest_us)));
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

    /// Reads a block, waits for its turn and sends it, unless it is known to be stored or no turn comes. The log does not learn yet what
    /// became of it.
    async fn send(
        &self,
        block: Sealed,
        is_stored: bool,
        turn: impl Future<Output = Option<OwnedSemaphorePermit>>,
    ) -> Result<(Attempt, Sent), Stop> {
        let mut attempt = self.read(block).await?;
        let rows = attempt.wire.rows;
        if rows == 0 || is_stored {
            return Ok((attempt, Sent::Stored));
        }
        // Nothing became of it: one before it comes again as two, and this one behind these.
        let Some(turn) = turn.await else { return Err(Stop) };
        let sent = if Sieve::is_begun(&self.dead_letters, &attempt.wire.token) {
            Sent::SearchBegun
        } else {
            match self.insert(&attempt.wire).instrument(self.trace(rows)).await {
                Ok(()) => return Ok((attempt, Sent::Stored)),
                Err(error) => Sent::Refused(error),
            }
        };
        attempt.turn = Some(turn);
        Ok((attempt, sent))
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
        Ok(Attempt { block, frames, wire, turn: None })
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
