//! The log of one table: appended frames, sealed blocks and checkpoints in segment files. The state machine of the
//! spool; every byte goes through [`Disk`], time and concurrency stay outside.
//!
//! - A frame is one request's batch. It is durable when [`Log::commit`] returns, and only then acknowledged.
//! - A block is a run of frames whose ends and token are written and synced before it is sent. Whoever sends it again after a crash
//!   sends the same frames under the same token, and ClickHouse stores them once.
//! - A checkpoint says up to which frame ClickHouse has answered. A lost one costs a repetition, never a row.
//! - A segment file is removed when all its frames are behind a durable checkpoint and its keys are in the file of keys.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;

use super::disk::{Appender, Disk};
use super::error::CommitError;
use super::keys::Keys;
use super::record::{HEADER, KeyRecord, Kind, Record, Seal};
use super::run::{BlockLimits, FrameInfo, Position, Run, Runs};

/// How the log of one table is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LogLimits {
    pub(crate) block: BlockLimits,
    /// A segment file of this size is followed by a new one.
    pub(crate) segment_bytes: u64,
}

/// One request's batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) layout: u16,
    pub(crate) rows: u32,
    pub(crate) time_us: i64,
    pub(crate) key: Option<KeyRecord>,
    /// RowBinary rows.
    pub(crate) body: Vec<u8>,
}

/// A block that was recorded: it may have been sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sealed {
    pub(crate) run: Run,
    pub(crate) token: String,
}

/// What the uploader asks of the log; one at a time.
#[derive(Debug)]
pub(crate) enum Op {
    /// Give the first block behind this frame, full or not; the same again until its checkpoint. 0 is before all frames.
    Seal { behind: u64 },
    /// The block was stored, or laid aside, and so was every block before it.
    Checkpoint(Sealed),
    /// The block is to be sent as two: one of these rows up to this frame, and the rest. Answers the first.
    Split { block: Sealed, last: u64, rows: u64 },
    /// See whether a disk that failed can be written to again.
    Mend,
}

/// What waits in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Backlog {
    /// Blocks that will not grow any more.
    pub(crate) full_blocks: usize,
    /// Rows that ClickHouse has not answered for.
    pub(crate) rows: u64,
    /// Bytes of their records.
    pub(crate) bytes: u64,
    /// When the oldest of them arrived, microseconds since 1970.
    pub(crate) oldest_us: Option<i64>,
    /// Bytes of all segment files.
    pub(crate) disk_bytes: u64,
    /// Whether the disk has failed.
    pub(crate) failed: bool,
    /// When the disk refused a commit, if none has succeeded since.
    pub(crate) refused_at: Option<std::time::Instant>,
}

/// One segment file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Segment {
    pub(super) number: u64,
    pub(super) bytes: u64,
    /// The last frame in it or before it.
    pub(super) last: u64,
}

/// The file name of a segment.
pub(super) fn segment_name(number: u64) -> String {
    format!("{number:016x}.segment")
}

/// Begins a segment file. A log whose disk is full can be opened and mended all the same, to be emptied: it gets the room that is
/// kept for that.
pub(super) fn begin_segment_on_a_full_disk<D: Disk>(
    disk: &D,
    number: u64,
    done_seq: u64,
) -> std::io::Result<(D::File, u64)> {
    begin_segment(disk, number, done_seq).or_else(|error| match super::reserve::release(disk) {
        true => {
            disk.remove(&segment_name(number))?;
            begin_segment(disk, number, done_seq)
        }
        false => Err(error),
    })
}

/// Begins a segment file with the checkpoint as it stands, so that removing older files never loses it: a forgotten
/// number would be used again, and with it a token.
fn begin_segment<D: Disk>(disk: &D, number: u64, done_seq: u64) -> std::io::Result<(D::File, u64)> {
    let mut record = Vec::new();
    checkpoint(done_seq).encode(&mut record);
    let mut file = disk.create(&segment_name(number))?;
    file.append(&record)?;
    file.sync()?;
    disk.sync_folder()?;
    Ok((file, record.len() as u64))
}

fn checkpoint(done_seq: u64) -> Record<'static> {
    Record { kind: Kind::Checkpoint, layout: 0, seq: done_seq, rows: 0, time_us: 0, meta: &[], body: &[] }
}

fn seal(block: &Sealed) -> Vec<u8> {
    Seal { first: block.run.first, last: block.run.last, token: block.token.clone() }.encode()
}

/// The token of a run that becomes a block.
pub(super) fn token(identity: &str, run: &Run) -> String {
    format!("{identity}-{}-{}-{:08x}", run.first, run.last, run.crc)
}

/// The log of one table. Sequence numbers begin at 1; 0 is before the first frame.
#[derive(Debug)]
pub(crate) struct Log<D: Disk> {
    pub(super) disk: Arc<D>,
    pub(super) limits: LogLimits,
    /// Begins every token: this spool and this table.
    pub(super) identity: String,
    pub(super) keys: Arc<Mutex<Keys>>,
    pub(super) keys_file: super::retire::KeysFile<D::File>,
    pub(super) file: D::File,
    /// The segment files, oldest first; the last one is written to.
    pub(super) segments: VecDeque<Segment>,
    pub(super) next_seq: u64,
    pub(super) done_seq: u64,
    pub(super) sealed: VecDeque<Sealed>,
    pub(super) runs: Runs,
    pub(super) failed: bool,
    pub(super) buffer: Vec<u8>,
}

/// A change that is in the buffer and takes effect once the buffer is durable.
enum Staged {
    Nothing,
    SealedNew(Sealed),
    SealedAgain(Sealed),
    Checkpoint(u64),
    Split(Sealed, Sealed),
}

impl<D: Disk> Log<D> {
    /// Writes the uploader's change and the batches with one write and one sync: all of it happens, or nothing. Answers the
    /// block that the change asked for.
    ///
    /// # Errors
    /// See [`CommitError`]; either way nothing counts as done.
    pub(crate) fn commit(
        &mut self,
        op: Option<Op>,
        frames: Vec<Frame>,
    ) -> Result<Option<Sealed>, CommitError> {
        if self.failed {
            match op {
                Some(Op::Mend) => self.mend().map_err(CommitError::StillFailed)?,
                _ => return Err(CommitError::Failed(None)),
            }
        }
        self.buffer.clear();
        let change = op.map_or(Staged::Nothing, |op| self.stage(op));
        let frames: Vec<_> =
            (self.next_seq..).zip(frames).map(|(seq, frame)| self.stage_frame(seq, frame)).collect();
        if !self.buffer.is_empty() {
            // The uploader's changes are what frees a full disk, so they get the room that is kept for them.
            match self.write() {
                Err(CommitError::NotWritten(error))
                    if frames.is_empty() && super::reserve::release(&*self.disk) =>
                {
                    tracing::warn!(%error, "the disk is full; going on with the room that is kept for that");
                    self.write()?;
                }
                result => result?,
            }
        }
        let block = self.apply(change);
        for (frame, key) in frames {
            self.apply_frame(&frame, key);
        }
        self.roll();
        Ok(block)
    }

    /// The number that the next frame gets.
    pub(crate) fn next_seq(&self) -> u64 {
        self.next_seq
    }

    /// What waits.
    pub(crate) fn backlog(&self) -> Backlog {
        let waiting = || self.sealed.iter().map(|sealed| &sealed.run).chain(self.runs.iter());
        Backlog {
            full_blocks: self.sealed.len() + self.runs.full(),
            rows: waiting().map(|run| run.rows).sum(),
            bytes: waiting().map(|run| run.bytes).sum(),
            oldest_us: waiting().map(|run| run.oldest_us).min(),
            disk_bytes: self.segments.iter().map(|segment| segment.bytes).sum(),
            failed: self.failed,
            refused_at: None,
        }
    }

    fn stage(&mut self, op: Op) -> Staged {
        match op {
            Op::Mend => Staged::Nothing,
            Op::Seal { behind } => {
                if let Some(sealed) = self.sealed.iter().find(|sealed| sealed.run.first > behind) {
                    return Staged::SealedAgain(sealed.clone());
                }
                let Some(run) = self.runs.next().copied() else { return Staged::Nothing };
                let sealed = Sealed { run, token: self.token(&run) };
                self.stage_seal(run.first, &[], &seal(&sealed));
                Staged::SealedNew(sealed)
            }
            Op::Checkpoint(block) => {
                checkpoint(block.run.last).encode(&mut self.buffer);
                Staged::Checkpoint(block.run.last)
            }
            Op::Split { block, last, rows } => {
                let mut first = Run { last, rows, ..block.run };
                first.bytes = block.run.bytes / 2;
                let rest = Run {
                    first: last + 1,
                    rows: block.run.rows.saturating_sub(rows),
                    bytes: block.run.bytes - first.bytes,
                    ..block.run
                };
                let halves = [first, rest].map(|run| Sealed { token: self.token(&run), run });
                self.stage_seal(first.first, &seal(&halves[0]), &seal(&halves[1]));
                let [first, rest] = halves;
                Staged::Split(first, rest)
            }
        }
    }

    fn stage_frame(&mut self, seq: u64, frame: Frame) -> (FrameInfo, Option<KeyRecord>) {
        let at = Position {
            segment: self.active().number,
            offset: self.active().bytes + self.buffer.len() as u64,
        };
        let meta = frame.key.as_ref().map(KeyRecord::encode).unwrap_or_default();
        let Frame { layout, rows, time_us, key, body } = frame;
        let record = Record { kind: Kind::Frame, layout, seq, rows, time_us, meta: &meta, body: &body };
        let crc = record.encode(&mut self.buffer);
        let bytes = (HEADER + meta.len() + body.len()) as u64;
        (FrameInfo { seq, layout, rows: u64::from(rows), bytes, at, time_us, crc }, key)
    }

    fn stage_seal(&mut self, seq: u64, meta: &[u8], body: &[u8]) {
        let record = Record { kind: Kind::Seal, layout: 0, seq, rows: 0, time_us: 0, meta, body };
        record.encode(&mut self.buffer);
    }

    fn token(&self, run: &Run) -> String {
        token(&self.identity, run)
    }

    /// Appends the buffer and syncs it. What could not be written is cut off again, and the log goes on; after a sync that failed
    /// nobody knows what the disk holds, and the log stops until it is mended.
    fn write(&mut self) -> Result<(), CommitError> {
        let before = self.active().bytes;
        if let Err(error) = self.file.append(&self.buffer) {
            return match self.file.truncate(before) {
                Ok(()) => Err(CommitError::NotWritten(error)),
                Err(_) => {
                    self.failed = true;
                    Err(CommitError::Failed(Some(error)))
                }
            };
        }
        if let Err(error) = self.file.sync() {
            self.failed = true;
            // Should the cut reach the disk, then what is refused now is not stored after a restart either.
            let _ = self.file.truncate(before);
            return Err(CommitError::Failed(Some(error)));
        }
        let written = self.buffer.len() as u64;
        self.active_mut().bytes += written;
        Ok(())
    }

    fn apply(&mut self, staged: Staged) -> Option<Sealed> {
        match staged {
            Staged::Nothing => None,
            Staged::SealedAgain(sealed) => Some(sealed),
            Staged::SealedNew(sealed) => {
                self.runs.take();
                self.sealed.push_back(sealed.clone());
                Some(sealed)
            }
            Staged::Checkpoint(last) => {
                self.done_seq = self.done_seq.max(last);
                self.sealed.retain(|sealed| sealed.run.last > last);
                None
            }
            Staged::Split(first, rest) => {
                self.sealed
                    .retain(|sealed| sealed.run.last < first.run.first || sealed.run.first > rest.run.last);
                self.sealed.push_front(rest);
                self.sealed.push_front(first.clone());
                Some(first)
            }
        }
    }

    fn apply_frame(&mut self, frame: &FrameInfo, key: Option<KeyRecord>) {
        self.next_seq = frame.seq + 1;
        self.active_mut().last = frame.seq;
        self.runs.push(frame, &self.limits.block);
        if let Some(key) = key {
            self.keys.lock().remember(key, frame.time_us, frame.seq);
        }
    }

    /// Begins a new segment file when the last one is long enough, or when everything in it is done and it is worth freeing.
    fn roll(&mut self) {
        let active = *self.active();
        let idle = self.done_seq + 1 == self.next_seq && active.bytes >= self.limits.segment_bytes / 8;
        if active.bytes < self.limits.segment_bytes && !idle {
            return;
        }
        let number = active.number + 1;
        match begin_segment(&*self.disk, number, self.done_seq) {
            Ok((file, bytes)) => {
                self.file = file;
                self.segments.push_back(Segment { number, bytes, last: active.last });
            }
            Err(error) => {
                // The segment at hand can still grow, so this is no reason to refuse anything.
                let _ = self.disk.remove(&segment_name(number));
                tracing::warn!(%error, number, "cannot begin a new segment file; the last one goes on growing");
            }
        }
    }

    pub(super) fn active(&self) -> &Segment {
        self.segments.back().expect("a log always has the segment file that it writes to")
    }

    fn active_mut(&mut self) -> &mut Segment {
        self.segments.back_mut().expect("a log always has the segment file that it writes to")
    }
}
