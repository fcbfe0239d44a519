//! The thread that owns a table's log: group commit for many requests, and the way in for the uploader.

use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot, watch};
use windvane_store::Table;

use super::disk::RealDisk;
use super::error::CommitError;
use super::keys::Keys;
use super::log::{Backlog, Frame, Log, Op, Sealed};
use super::read::{Content, read_block};
use super::room::Room;

/// Batches that wait for a commit. With one commit of a few ms each at least 1,024 batches leave within a second.
const QUEUE_MAX: usize = 1024;

/// Bytes after which a commit takes no more batches: what a disk of 200 MB/s syncs in 80 ms.
const GROUP_BYTES_MAX: usize = 16 << 20;

/// Why a batch was not taken into the spool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum AppendError {
    /// The spool holds as many bytes as it may, or the disk is full.
    Full,
    /// Too many batches wait for the disk.
    Busy,
    /// The disk refuses or has failed.
    Failed,
}

enum Request {
    Append(Frame, oneshot::Sender<Result<u64, AppendError>>),
    Change(Op, oneshot::Sender<Result<Option<Sealed>, AppendError>>),
}

/// A handle on the log of one table.
#[derive(Debug)]
pub(crate) struct TableSpool {
    pub(crate) table: Table,
    requests: mpsc::Sender<Request>,
    backlog: watch::Receiver<Backlog>,
    keys: Arc<Mutex<Keys>>,
    disk: Arc<RealDisk>,
    room: Arc<Room>,
}

impl TableSpool {
    /// Starts the thread. It ends when the handle is dropped, after the commits that were asked for before.
    pub(crate) fn start(
        table: Table,
        log: Log<RealDisk>,
        keys: Arc<Mutex<Keys>>,
        room: Arc<Room>,
    ) -> io::Result<Self> {
        let (requests, queue) = mpsc::channel(QUEUE_MAX);
        let backlog = log.backlog();
        room.grown(0, backlog.disk_bytes);
        let (publish, backlog) = watch::channel(backlog);
        let disk = Arc::clone(&log.disk);
        let mut writer =
            Writer { table, log, queue, publish, room: Arc::clone(&room), waiting: None, refused_at: None };
        thread::Builder::new().name(format!("spool-{table}")).spawn(move || writer.run())?;
        Ok(Self { table, requests, backlog, keys, disk, room })
    }

    /// Takes a batch into the spool. It is durable when this returns, as the frame of this number.
    ///
    /// # Errors
    /// Nothing was taken, as far as anybody can know.
    pub(crate) async fn append(&self, frame: Frame) -> Result<u64, AppendError> {
        let bytes = frame.body.len() as u64;
        if !self.room.reserve(bytes, self.table) {
            return Err(AppendError::Full);
        }
        let (answer, answered) = oneshot::channel();
        let sent = self.requests.try_send(Request::Append(frame, answer));
        let result = match sent {
            Ok(()) => answered.await.unwrap_or(Err(AppendError::Failed)),
            Err(mpsc::error::TrySendError::Full(_)) => Err(AppendError::Busy),
            Err(mpsc::error::TrySendError::Closed(_)) => Err(AppendError::Failed),
        };
        self.room.release(bytes);
        result
    }

    /// Changes the log for the uploader.
    ///
    /// # Errors
    /// The disk refuses; the change may be tried again unless it has failed.
    pub(crate) async fn change(&self, op: Op) -> Result<Option<Sealed>, AppendError> {
        let (answer, answered) = oneshot::channel();
        self.requests.send(Request::Change(op, answer)).await.map_err(|_| AppendError::Failed)?;
        answered.await.unwrap_or(Err(AppendError::Failed))
    }

    /// Bytes that the spool may still take, all tables together.
    pub(crate) fn free_bytes(&self) -> u64 {
        self.room.free()
    }

    /// What waits; changes can be awaited.
    pub(crate) fn backlog(&self) -> watch::Receiver<Backlog> {
        self.backlog.clone()
    }

    /// The known idempotency keys.
    pub(crate) fn keys(&self) -> &Mutex<Keys> {
        &self.keys
    }

    /// What stands before changes of the disk.
    #[cfg(test)]
    pub(crate) fn gate(&self) -> &super::gate::Gate {
        self.disk.gate()
    }

    /// Reads a block from the disk; blocks the calling thread.
    ///
    /// # Errors
    /// What the file system says.
    pub(crate) fn reader(&self) -> impl Fn(&Sealed) -> io::Result<Content> + Send + 'static {
        let disk = Arc::clone(&self.disk);
        move |block| read_block(&*disk, block)
    }
}

struct Writer {
    table: Table,
    log: Log<RealDisk>,
    queue: mpsc::Receiver<Request>,
    publish: watch::Sender<Backlog>,
    room: Arc<Room>,
    /// A request that did not go into the last commit any more.
    waiting: Option<Request>,
    /// When the disk refused a commit, if none has succeeded since.
    refused_at: Option<Instant>,
}

impl Writer {
    fn run(&mut self) {
        while let Some(first) = self.waiting.take().or_else(|| self.queue.blocking_recv()) {
            self.commit(first);
        }
    }

    fn commit(&mut self, first: Request) {
        let (mut frames, mut answers, mut change, mut bytes) = (Vec::new(), Vec::new(), None, 0);
        let mut next = Some(first);
        while let Some(request) = next {
            match request {
                Request::Append(frame, answer) => {
                    bytes += frame.body.len();
                    frames.push(frame);
                    answers.push(answer);
                }
                Request::Change(..) if change.is_some() => {
                    self.waiting = Some(request);
                    break;
                }
                Request::Change(op, answer) => change = Some((op, answer)),
            }
            next = if bytes < GROUP_BYTES_MAX { self.queue.try_recv().ok() } else { None };
        }
        let (op, asked) = change.unzip();
        let frees = matches!(op, Some(Op::Checkpoint(_)));
        let first = self.log.next_seq();
        let result = self.log.commit(op, frames).map_err(|error| self.report(&error));
        self.refused_at = result.is_err().then(Instant::now);
        if frees && result.is_ok() {
            self.retire();
        }
        self.publish();
        for (seq, answer) in (first..).zip(answers) {
            // Whoever went away does not learn it; the batch is stored all the same.
            let _ = answer.send(result.as_ref().map(|_| seq).map_err(Clone::clone));
        }
        if let Some(asked) = asked {
            let _ = asked.send(result);
        }
    }

    fn retire(&mut self) {
        if let Err(error) = self.log.retire() {
            tracing::warn!(%error, table = %self.table, "cannot remove segment files that are done; trying again later");
        }
    }

    fn publish(&mut self) {
        let now = Backlog { refused_at: self.refused_at, ..self.log.backlog() };
        let before = self.publish.send_replace(now);
        self.room.grown(before.disk_bytes, now.disk_bytes);
    }

    fn report(&self, error: &CommitError) -> AppendError {
        let table = self.table;
        match error {
            CommitError::NotWritten(source) => {
                tracing::warn!(error = %source, %table, "cannot write to the spool; the batches were refused");
                match source.kind() {
                    io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => AppendError::Full,
                    _ => AppendError::Failed,
                }
            }
            CommitError::Failed(Some(source)) => {
                tracing::error!(error = %source, %table, "the spool's disk failed; nothing more is acknowledged until it can be written to again");
                AppendError::Failed
            }
            CommitError::Failed(None) => AppendError::Failed,
            CommitError::StillFailed(source) => {
                tracing::warn!(error = %source, %table, "the spool's disk cannot be written to yet; trying again");
                AppendError::Failed
            }
        }
    }
}
