//! Blocks of a table on their way: while one is being sent, the one behind it is read, so that the store need not wait for the disk.
//!
//! The log learns what became of them in their order, so that a checkpoint is true of all before it.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use futures_util::FutureExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

use super::pace::Pace;
use super::settle::{Sent, Settled};
use super::{Attempt, Stop, Uploader};
use crate::spool::{Op, Sealed};

/// Blocks of a table on their way at once, at most.
const UNDER_WAY_MAX: usize = 2;

/// Full blocks from which on one is taken on its way behind another.
const BOTH_FROM_BLOCKS: usize = 2;

/// The blocks of one table that are on their way.
pub(super) struct Way {
    uploader: Arc<Uploader>,
    tasks: TaskTracker,
    blocks: VecDeque<UnderWay>,
    /// Who has one of these may send an INSERT. Closed where what waits for one is not to be sent.
    turns: Arc<Semaphore>,
    /// Tokens of blocks that were stored ahead of one that had to be halved. The log learns of them only after that one, maybe thousands
    /// of INSERTs later, and ClickHouse remembers so many tokens and no more: they are not sent again.
    ahead: HashSet<String>,
}

/// A block on its way.
struct UnderWay {
    /// Its last frame.
    last: u64,
    sent: AbortOnDropHandle<Result<(Attempt, Sent), Stop>>,
    /// Its place in memory, unless it is the first.
    place: Option<OwnedSemaphorePermit>,
}

impl Way {
    pub(super) fn new(uploader: Arc<Uploader>) -> Self {
        let turns = Arc::new(Semaphore::new(uploader.inserts_in_flight));
        Self { uploader, tasks: TaskTracker::new(), blocks: VecDeque::new(), turns, ahead: HashSet::new() }
    }

    /// Sends block after block. Ends when there is nothing left to drain, or the disk fails while there is no time to wait for it.
    pub(super) async fn walk(&mut self) -> Result<(), Stop> {
        let mut pace = Pace::default();
        loop {
            if self.blocks.is_empty() {
                if !self.uploader.next_is_due(&pace).await {
                    return Ok(());
                }
                if let Some(first) = self.uploader.change(|| Op::Seal { behind: 0 }).await? {
                    self.start(first, None);
                }
            }
            if !self.blocks.is_empty() {
                let (attempt, sent) = self.answer().await?;
                self.settle(attempt, sent).await?;
            }
            self.uploader.keep_pace(&mut pace).await;
        }
    }

    /// Breaks off whatever is on its way.
    pub(super) async fn break_off(self) {
        drop(self.blocks);
        self.tasks.close();
        self.tasks.wait().await;
    }

    fn start(&mut self, block: Sealed, place: Option<OwnedSemaphorePermit>) {
        let (uploader, turn) = (Arc::clone(&self.uploader), next_turn(Arc::clone(&self.turns)));
        let (last, is_stored) = (block.run.last, self.ahead.contains(&block.token));
        let sent = self.tasks.spawn(async move { uploader.send(block, is_stored, turn).await });
        self.blocks.push_back(UnderWay { last, sent: AbortOnDropHandle::new(sent), place });
    }

    /// What became of the first block; the one behind it is taken on its way as soon as it is full.
    async fn answer(&mut self) -> Result<(Attempt, Sent), Stop> {
        loop {
            let (has_room, uploader) = (self.blocks.len() < UNDER_WAY_MAX, &self.uploader);
            let Some(first) = self.blocks.front_mut() else { return Err(Stop) };
            let behind = first.last;
            let (second, place) = tokio::select! {
                sent = &mut first.sent => {
                    self.blocks.pop_front();
                    return sent.unwrap_or(Err(Stop));
                }
                second = uploader.full_block_behind(behind), if has_room => second?,
            };
            self.start(second, Some(place));
        }
    }

    /// Tells the log what became of the first block. Where it has to come again as two, so has what was on its way behind it.
    async fn settle(&mut self, attempt: Attempt, sent: Sent) -> Result<(), Stop> {
        let settled = self.uploader.settle(&attempt, sent).await?;
        self.ahead.remove(&attempt.block.token);
        if settled == Settled::Halved {
            // Before the turn of this one is given back, or the one behind it has it at once.
            self.turns.close();
            drop(attempt);
            for block in self.blocks.drain(..) {
                // One that was not sent comes again behind the halves; what else stops one stops it there, too.
                if let Ok(Ok((attempt, Sent::Stored))) = block.sent.await {
                    self.ahead.insert(attempt.block.token);
                }
            }
            self.turns = Arc::new(Semaphore::new(self.uploader.inserts_in_flight));
        }
        if let Some(first) = self.blocks.front_mut() {
            first.place = None;
        }
        Ok(())
    }
}

/// The next turn. Who asks first has it first, however late it is waited for: a block may be read sooner than the one before it, and
/// where it came first and was refused, it would keep the turn that the one before waits for.
fn next_turn(turns: Arc<Semaphore>) -> impl Future<Output = Option<OwnedSemaphorePermit>> + Send {
    let mut turn = Box::pin(tokio::task::coop::unconstrained(turns.acquire_owned()));
    // Asking once is what takes the place in the line.
    let at_once = turn.as_mut().now_or_never();
    async move {
        match at_once {
            Some(turn) => turn.ok(),
            None => turn.await.ok(),
        }
    }
}

impl Uploader {
    /// The block behind this frame, once it is full and there is memory for it.
    async fn full_block_behind(&self, behind: u64) -> Result<(Sealed, OwnedSemaphorePermit), Stop> {
        let mut backlog = self.spool.backlog();
        loop {
            if backlog.wait_for(|now| now.full_blocks >= BOTH_FROM_BLOCKS).await.is_err() {
                return Err(Stop);
            }
            let place = Arc::clone(&self.second).acquire_owned().await.map_err(|_closed| Stop)?;
            if let Some(block) = self.change(|| Op::Seal { behind }).await? {
                return Ok((block, place));
            }
            backlog.changed().await.map_err(|_closed| Stop)?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As where the block behind is read sooner, which the disk decides.
    #[tokio::test]
    async fn who_asks_first_has_the_turn_however_late_it_waits_for_it() {
        let turns = Arc::new(Semaphore::new(1));
        let next = || next_turn(Arc::clone(&turns));
        let sent = next().await.unwrap();
        let (mut first, mut behind) = (Box::pin(next()), Box::pin(next()));
        drop(sent);
        assert!(behind.as_mut().now_or_never().is_none(), "the one before is still being read");
        let turn = first.as_mut().now_or_never().expect("it is its turn").unwrap();
        assert!(behind.as_mut().now_or_never().is_none());
        drop(turn);
        assert!(behind.await.is_some());
        // What is known to be stored asks, and waits for nothing.
        drop((next(), next()));
        assert!(next().now_or_never().flatten().is_some());
        let (held, waiting) = (next(), next());
        turns.close();
        assert!(held.await.is_some() && waiting.await.is_none(), "nobody is let in any more");
    }
}
