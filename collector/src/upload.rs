//! From the spool to ClickHouse: one block of a table at a time, again and again until it is answered.
//!
//! A block that ClickHouse cannot take is halved by its frames until the bad one stands alone, and that one by its rows; the bad
//! rows go into files.

mod backoff;
mod mend;
mod pace;
mod sift;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;
use windvane_store::{Block, Fault, StoreError, Table};
use windvane_types::Clock;

use self::backoff::pause;
use self::pace::Pace;
use self::sift::{BAD_ROWS_MAX, Sieve, Step, halves};
use crate::dead_letters;
use crate::limits::Shares;
use crate::metrics::Metrics;
use crate::sink::Sink;
use crate::spool::{Content, FrameRows, Op, Sealed, TableSpool};

/// From so many rows on, a block is given four times as long to fill: the engine's CPU for a row, merges included, is 12 us in
/// blocks of 10,000 rows and 3 us in blocks of 100,000 (`benches/insert.rs`); below, there is little to save.
const WORTH_WAITING_ROWS: u64 = 2_000;

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
    pub(crate) drain: CancellationToken,
    pub(crate) abort: CancellationToken,
}

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
        let mut pace = Pace::default();
        let work = async {
            while self.next_is_due(&pace).await {
                if let Err(Stop) = self.upload_one().await {
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
            if now.has_full || (waits && self.drain.is_cancelled()) {
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

    async fn upload_one(&self) -> Result<(), Stop> {
        let Some(block) = self.change(|| Op::Seal).await? else { return Ok(()) };
        let attempt = self.read(block).await?;
        let (block, rows) = (&attempt.block, attempt.wire.rows);
        let missing = block.run.rows.saturating_sub(rows);
        if missing > 0 {
            self.metrics.damaged.with_label_values(&[self.table().name()]).inc_by(missing);
            tracing::error!(table = %self.table(), token = %block.token, missing, "rows of a block went bad on disk; the rest goes on");
        }
        if Sieve::is_begun(&self.dead_letters, &block.token) {
            return self.sift(&attempt, "ClickHouse could not take it before a restart").await;
        }
        let span = self.trace(rows);
        if rows > 0
            && let Err(error) = self.insert(&attempt.wire).instrument(span).await
        {
            return self.refused(&attempt, &error).await;
        }
        self.checkpoint(block).await?;
        self.metrics.stored.with_label_values(&[self.table().name()]).inc_by(rows);
        Ok(())
    }

    /// A trace of an INSERT; none of one into `spans`, which may hold the one before: where our own traces come back to us, each would be
    /// the reason for another.
    fn trace(&self, rows: u64) -> tracing::Span {
        match self.table() {
            Table::Spans => tracing::Span::none(),
            table => tracing::info_span!("insert a block", otel.kind = "client", table = table.name(), rows),
        }
    }

    async fn checkpoint(&self, block: &Sealed) -> Result<(), Stop> {
        self.change(|| Op::Checkpoint(block.clone())).await?;
        self.shares.done(self.table(), block.run.last);
        Ok(())
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

    async fn refused(&self, attempt: &Attempt, error: &StoreError) -> Result<(), Stop> {
        let table = self.table();
        let Attempt { block, frames, wire } = attempt;
        if frames.len() > 1 {
            let half = &frames[..frames.len() / 2];
            let rows = half.iter().map(|frame| frame.rows).sum();
            let last = half.iter().map(|frame| frame.seq).max().unwrap_or(block.run.first);
            tracing::warn!(%table, rows = wire.rows, error = %chain(error), "ClickHouse cannot take a block; halving it");
            self.change(|| Op::Split { block: block.clone(), last, rows }).await?;
            return Ok(());
        }
        self.sift(attempt, &chain(error)).await
    }

    /// Stores the good rows of a batch and lays the bad ones aside.
    async fn sift(&self, attempt: &Attempt, reason: &str) -> Result<(), Stop> {
        let (folder, whole) = (self.dead_letters.clone(), attempt.wire.clone());
        let opened = self.blocking(move || Sieve::open(&folder, &whole)).await?;
        let dead = match opened {
            None => {
                self.lay_aside(&attempt.wire, reason).await?;
                self.checkpoint(&attempt.block).await?;
                attempt.wire.rows
            }
            Some(mut sieve) => {
                let dead = self.walk(&mut sieve).await?;
                self.checkpoint(&attempt.block).await?;
                sieve.close();
                dead
            }
        };
        let table = [self.table().name()];
        self.metrics.stored.with_label_values(&table).inc_by(attempt.wire.rows - dead);
        self.metrics.dead_lettered.with_label_values(&table).inc_by(dead);
        Ok(())
    }

    /// Walks down to the bad rows; how many they are.
    async fn walk(&self, sieve: &mut Sieve) -> Result<u64, Stop> {
        let (mut dead, mut bad_rows) = (0, 0);
        let mut waiting = vec![sieve.all()];
        while let Some(range) = waiting.pop() {
            let part = match sieve.step(&range) {
                Step::LaidAside => {
                    dead += range.len() as u64;
                    bad_rows += 1;
                    continue;
                }
                Step::Halve => {
                    waiting.extend(halves(&range));
                    continue;
                }
                Step::Send(part) => part,
            };
            let Err(error) = self.insert(&part).await else { continue };
            if range.len() == 1 || bad_rows >= BAD_ROWS_MAX {
                self.lay_aside(&part, &chain(&error)).await?;
                dead += part.rows;
                bad_rows += 1;
                continue;
            }
            if let Err(error) = sieve.mark(&range) {
                tracing::warn!(%error, "cannot note what was found about a batch; trying again");
                tokio::time::sleep(pause(&part.token, 4)).await;
                waiting.push(range);
                continue;
            }
            waiting.extend(halves(&range));
        }
        Ok(dead)
    }

    async fn lay_aside(&self, rows: &Block, reason: &str) -> Result<(), Stop> {
        let (folder, laid_aside, why) = (self.dead_letters.clone(), rows.clone(), reason.to_owned());
        let file = self.blocking(move || dead_letters::write(&folder, &laid_aside, &why)).await?;
        tracing::error!(table = %self.table(), rows = rows.rows, file = %file.display(), error = reason, "rows that ClickHouse cannot take were laid aside; see `windvane spool list`");
        Ok(())
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
