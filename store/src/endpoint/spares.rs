//! Spare connections: prepared for a statement of some kind, and left as they were by it.
//!
//! A connection takes 1 to 1.5 ms to make and to prepare (connect, `USE`, `SET`), as much as a small statement. A SELECT that has
//! succeeded changes nothing of its connection: neither its own `SETTINGS` nor its parameters outlive it. So the next statement
//! with the same database and settings, of somebody with the same rights, takes it as it stands; nothing is ever taken back.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::access::Role;
use crate::chdb::Connection;

/// Most spare connections at once: as many statements as read at once by default. The one idle for longest makes room.
const SPARES_MAX: usize = 16;
/// How long a spare connection waits for a statement.
const IDLE_MAX: Duration = Duration::from_secs(60);

/// What a connection is prepared for. Statements of the same kind may follow each other on one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Kind {
    pub(super) role: Role,
    /// Whether it runs read-only statements alone.
    pub(super) readonly: bool,
    pub(super) database: String,
    /// Settings in the order in which they were sent.
    pub(super) settings: Vec<(String, String)>,
}

/// A prepared connection.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) connection: Connection,
    /// The mark by which its statement can be stopped; no other connection has it.
    pub(super) mark: String,
}

#[derive(Debug)]
struct Spare {
    kind: Kind,
    prepared: Prepared,
    since: Instant,
}

/// All spare connections, the one idle for longest first; none at all once they were closed.
#[derive(Debug)]
pub(super) struct Spares {
    idle: Mutex<Option<VecDeque<Spare>>>,
}

impl Default for Spares {
    fn default() -> Self {
        Self { idle: Mutex::new(Some(VecDeque::new())) }
    }
}

impl Spares {
    /// Takes one of this kind, that which was used last.
    pub(super) fn take(&self, kind: &Kind) -> Option<Prepared> {
        let mut idle = self.idle.lock();
        let idle = idle.as_mut()?;
        let at = idle.iter().rposition(|spare| spare.kind == *kind)?;
        idle.remove(at).map(|spare| spare.prepared)
    }

    /// Keeps one that is as it was prepared; closes it where none are kept any more.
    pub(super) fn put(&self, kind: Kind, prepared: Prepared) {
        let mut idle = self.idle.lock();
        let Some(spares) = idle.as_mut() else { return };
        let oldest = if spares.len() >= SPARES_MAX { spares.pop_front() } else { None };
        spares.push_back(Spare { kind, prepared, since: Instant::now() });
        // Closing takes its time: others need not wait for it.
        drop(idle);
        drop(oldest);
    }

    /// Closes those that nobody has used for a while.
    pub(super) fn sweep(&self) {
        if let Some(spares) = self.idle.lock().as_mut() {
            spares.retain(|spare| spare.since.elapsed() < IDLE_MAX);
        }
    }

    /// Closes all, and those that come later.
    pub(super) fn close(&self) {
        self.idle.lock().take();
    }
}
