//! What becomes of a block that was sent: the log learns that it is done, or its bad rows are looked for.
//!
//! A block that ClickHouse cannot take is halved by its frames until the bad one stands alone, and that one by its rows; the bad
//! rows go into files.

use windvane_store::{Block, StoreError};

use super::backoff::pause;
use super::sift::{BAD_ROWS_MAX, Sieve, Step, halves};
use super::{Attempt, Stop, Uploader, chain};
use crate::dead_letters;
use crate::spool::Op;

/// What became of a block that was sent.
pub(super) enum Sent {
    Stored,
    /// ClickHouse cannot take it.
    Refused(StoreError),
    /// It was refused before a restart already, and was not sent whole again.
    SearchBegun,
}

/// How far the log has got by a block.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Settled {
    /// It is behind the checkpoint.
    Whole,
    /// It is to be sent again as two.
    Halved,
}

impl Uploader {
    /// Tells the log what became of a block, after looking for the bad rows of one that was refused.
    pub(super) async fn settle(&self, attempt: &Attempt, sent: Sent) -> Result<Settled, Stop> {
        let reason = match sent {
            Sent::Stored => {
                self.checkpoint(attempt).await?;
                let table = [self.table().name()];
                self.metrics.stored.with_label_values(&table).inc_by(attempt.wire.rows);
                return Ok(Settled::Whole);
            }
            Sent::Refused(error) if attempt.frames.len() > 1 => {
                self.halve(attempt, &error).await?;
                return Ok(Settled::Halved);
            }
            Sent::Refused(error) => chain(&error),
            Sent::SearchBegun => "ClickHouse could not take it before a restart".to_owned(),
        };
        self.sift(attempt, &reason).await?;
        Ok(Settled::Whole)
    }

    /// Lets the log cut a block of several batches in two.
    async fn halve(&self, attempt: &Attempt, error: &StoreError) -> Result<(), Stop> {
        let Attempt { block, frames, wire, .. } = attempt;
        let half = &frames[..frames.len() / 2];
        let rows = half.iter().map(|frame| frame.rows).sum();
        let last = half.iter().map(|frame| frame.seq).max().unwrap_or(block.run.first);
        tracing::warn!(table = %self.table(), rows = wire.rows, error = %chain(error), "ClickHouse cannot take a block; halving it");
        self.change(|| Op::Split { block: block.clone(), last, rows }).await.map(drop)
    }

    /// Stores the good rows of a batch and lays the bad ones aside.
    async fn sift(&self, attempt: &Attempt, reason: &str) -> Result<(), Stop> {
        let (folder, whole) = (self.dead_letters.clone(), attempt.wire.clone());
        let opened = self.blocking(move || Sieve::open(&folder, &whole)).await?;
        let dead = match opened {
            None => {
                self.lay_aside(&attempt.wire, reason).await?;
                self.checkpoint(attempt).await?;
                attempt.wire.rows
            }
            Some(mut sieve) => {
                let dead = self.walk(&mut sieve).await?;
                self.checkpoint(attempt).await?;
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
        let (file, by_model) = self
            .blocking(move || {
                let file = dead_letters::write(&folder, &laid_aside, &why)?;
                Ok((file, dead_letters::by_model(&laid_aside)))
            })
            .await?;
        self.metrics.dead_lettered_by_model(&by_model);
        tracing::error!(table = %self.table(), rows = rows.rows, file = %file.display(), error = reason, "rows that ClickHouse cannot take were laid aside; see `windvane spool list`");
        Ok(())
    }

    async fn checkpoint(&self, Attempt { block, wire, .. }: &Attempt) -> Result<(), Stop> {
        self.change(|| Op::Checkpoint(block.clone())).await?;
        self.shares.done(self.table(), block.run.last);
        let missing = block.run.rows.saturating_sub(wire.rows);
        if missing > 0 {
            self.metrics.damaged.with_label_values(&[self.table().name()]).inc_by(missing);
            tracing::error!(table = %self.table(), token = %block.token, missing, "rows of a block went bad on disk; the rest goes on");
        }
        Ok(())
    }
}
