//! Opening the spool: at the start, or as soon as its disk can be written to.
//!
//! A disk that is full or read-only at the start is no reason to end. Until the spool is open clients are told to come again, `/readyz`
//! says why, and the whole opening is tried again.

use std::fs::File;
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::collector::Shared;
use crate::dead_letters;
use crate::in_flight::InFlight;
use crate::spool::{OpenError, Spool, TableSpool};
use crate::upload::Uploader;
use crate::upload::backoff::pause;

/// Second blocks on their way at a time, of all tables together. A block is in memory with up to 64 MiB of rows and half as much of columns,
/// and one beside those of the tables keeps two cores of the engine busy.
const SECOND_BLOCKS_MAX: usize = 1;

/// The tables of a spool that is open, in the order of [`windvane_store::Table::ALL`].
#[derive(Debug)]
pub(crate) struct Tables {
    pub(crate) spools: Vec<Arc<TableSpool>>,
    pub(crate) in_flight: Vec<Arc<InFlight>>,
}

/// Where the spool of a collector stands: open, or not yet and why. Once open it stays so.
#[derive(Debug, Default)]
pub(crate) struct Opening {
    tables: OnceLock<Tables>,
    /// What the last try said.
    why: Mutex<String>,
}

impl Opening {
    /// The tables, once the spool is open.
    pub(crate) fn tables(&self) -> Option<&Tables> {
        self.tables.get()
    }

    /// Why nothing is taken, if the spool is not open.
    pub(crate) fn refusal(&self) -> Option<String> {
        let is_open = self.tables.get().is_some();
        (!is_open).then(|| {
            format!("the spool cannot be opened, which is tried again until it can: {}", self.why.lock())
        })
    }

    /// Keeps what a try said, and logs it where it is news.
    fn note(&self, error: &OpenError) {
        let why = error.told();
        let mut last = self.why.lock();
        if *last != why {
            tracing::error!(error = %why, "the spool cannot be opened; nothing is taken until it can, which is tried again and again");
            *last = why;
        }
    }
}

/// What goes on beside requests: an uploader a table, and before them the opening where the start could not do it.
#[derive(Debug, Clone)]
pub(crate) struct Work {
    shared: Arc<Shared>,
    pub(crate) tasks: TaskTracker,
    /// The uploaders send what there is and end.
    pub(crate) drain: CancellationToken,
    /// All end wherever they are.
    pub(crate) abort: CancellationToken,
    /// Keeps other processes out, once the spool is open.
    lock: Arc<Mutex<Option<File>>>,
}

impl Work {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            tasks: TaskTracker::new(),
            drain: CancellationToken::new(),
            abort: CancellationToken::new(),
            lock: Arc::default(),
        }
    }

    /// Takes events into this spool, and begins to send what it holds.
    pub(crate) fn begin(&self, spool: Spool) {
        let Spool { tables, recovered, lock } = spool;
        let (metrics, folder) = (&self.shared.metrics, self.shared.options.spool.folder.display());
        for (spool, found) in tables.iter().zip(&recovered) {
            let label = [spool.table.name()];
            metrics.recovered.with_label_values(&label).inc_by(found.rows);
            metrics.torn_bytes.with_label_values(&label).inc_by(found.torn_bytes);
            metrics.damaged_bytes.with_label_values(&label).inc_by(found.damaged_bytes);
            if found.damaged > 0 {
                tracing::error!(table = %spool.table, stretches = found.damaged, bytes = found.damaged_bytes, %folder, "the spool is damaged; the damaged bytes were laid aside in *.damaged files and the rest goes on");
            }
            if found.rows > 0 {
                tracing::info!(table = %spool.table, rows = found.rows, "found rows in the spool that are still to be sent");
            }
        }
        *self.lock.lock() = Some(lock);
        let spools: Vec<_> = tables.into_iter().map(Arc::new).collect();
        let in_flight = spools.iter().map(|_| Arc::default()).collect();
        self.start_uploaders(&spools);
        // A spool is opened once.
        let _ = self.shared.opening.tables.set(Tables { spools, in_flight });
    }

    /// Begins as soon as the spool can be opened, which was tried and failed.
    pub(crate) fn begin_later(&self, error: &OpenError) {
        self.shared.opening.note(error);
        self.tasks.spawn(self.clone().retry());
    }

    /// Tries again until the spool is open, or the collector ends.
    async fn retry(self) {
        let mut attempt = 0;
        loop {
            tokio::select! {
                () = self.drain.cancelled() => return,
                () = self.abort.cancelled() => return,
                () = tokio::time::sleep(pause("spool", attempt)) => {}
            }
            attempt += 1;
            let (options, seed) = (self.shared.options.spool.clone(), self.shared.options.seed);
            let tried = tokio::task::spawn_blocking(move || {
                Spool::probe(&options.folder)?;
                Spool::open(&options, seed)
            });
            let tried = tokio::select! {
                () = self.abort.cancelled() => return,
                tried = tried => tried,
            };
            match tried {
                Ok(Ok(spool)) => {
                    self.begin(spool);
                    tracing::info!(attempt, "the spool is open, and events are taken");
                    return;
                }
                Ok(Err(error)) => self.shared.opening.note(&error),
                Err(error) => tracing::error!(%error, "opening the spool broke off; trying again"),
            }
        }
    }

    fn start_uploaders(&self, spools: &[Arc<TableSpool>]) {
        let shared = &self.shared;
        let second = Arc::new(Semaphore::new(SECOND_BLOCKS_MAX));
        for spool in spools {
            let uploader = Uploader {
                spool: Arc::clone(spool),
                sink: Arc::clone(&shared.sink),
                metrics: shared.metrics.clone(),
                shares: Arc::clone(&shared.shares),
                clock: Arc::clone(&shared.clock),
                block_age: shared.options.block_age,
                dead_letters: shared.options.spool.folder.join(dead_letters::FOLDER),
                inserts_in_flight: shared.options.inserts_in_flight,
                second: Arc::clone(&second),
                drain: self.drain.clone(),
                abort: self.abort.clone(),
            };
            self.tasks.spawn(uploader.run());
        }
    }
}
