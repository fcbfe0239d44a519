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
struct Spare<P> {
    kind: Kind,
    prepared: P,
    since: Instant,
}

/// All spare connections, the one idle for longest first; none at all once they were closed.
#[derive(Debug)]
pub(super) struct Spares<P = Prepared> {
    idle: Mutex<Option<VecDeque<Spare<P>>>>,
}

impl<P> Default for Spares<P> {
    fn default() -> Self {
        Self { idle: Mutex::new(Some(VecDeque::new())) }
    }
}

impl<P> Spares<P> {
    /// Takes one of this kind, that which was used last.
    pub(super) fn take(&self, kind: &Kind) -> Option<P> {
        let mut idle = self.idle.lock();
        let idle = idle.as_mut()?;
        let at = idle.iter().rposition(|spare| spare.kind == *kind)?;
        idle.remove(at).map(|spare| spare.prepared)
    }

    /// Keeps one that is as it was prepared; closes it where none are kept any more.
    pub(super) fn put(&self, kind: Kind, prepared: P) {
        let mut idle = self.idle.lock();
        let Some(spares) = idle.as_mut() else { return };
        let oldest = if spares.len() >= SPARES_MAX { spares.pop_front() } else { None };
        spares.push_back(Spare { kind, prepared, since: Instant::now() });
        // Closing takes its time: others need not wait for it.
        drop(idle);
        drop(oldest);
    }

    /// Closes those that nobody has used for a while.
    pub(super) fn sweep(&self, now: Instant) {
        if let Some(spares) = self.idle.lock().as_mut() {
            spares.retain(|spare| now.saturating_duration_since(spare.since) < IDLE_MAX);
        }
    }

    /// Closes all, and those that come later.
    pub(super) fn close(&self) {
        self.idle.lock().take();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(database: &str) -> Kind {
        let settings = vec![("max_threads".to_owned(), "1".to_owned())];
        Kind { role: Role::Reader, readonly: false, database: database.to_owned(), settings }
    }

    #[test]
    fn a_kind_takes_its_own_and_the_last_one_first() {
        let spares = Spares::default();
        for (database, number) in [("a", 1), ("b", 2), ("a", 3)] {
            spares.put(kind(database), number);
        }
        let other = Kind { role: Role::Writer, ..kind("a") };
        assert_eq!(spares.take(&other), None);
        assert_eq!(spares.take(&Kind { readonly: true, ..kind("a") }), None);
        assert_eq!(spares.take(&Kind { settings: Vec::new(), ..kind("a") }), None);
        let taken = [kind("a"), kind("a"), kind("a"), kind("b")].map(|kind| spares.take(&kind));
        assert_eq!(taken, [Some(3), Some(1), None, Some(2)]);
    }

    #[test]
    fn the_one_idle_for_longest_makes_room() {
        let spares = Spares::default();
        for number in 0..=SPARES_MAX {
            spares.put(kind(&number.to_string()), number);
        }
        assert_eq!((spares.take(&kind("0")), spares.take(&kind("1"))), (None, Some(1)));
    }

    #[test]
    fn none_is_kept_beyond_its_time_or_after_the_end() {
        let spares = Spares::default();
        spares.put(kind("a"), ());
        spares.sweep(Instant::now());
        assert_eq!(spares.take(&kind("a")), Some(()));
        spares.put(kind("a"), ());
        spares.sweep(Instant::now() + IDLE_MAX);
        assert_eq!(spares.take(&kind("a")), None);
        spares.put(kind("a"), ());
        spares.close();
        assert_eq!(spares.take(&kind("a")), None);
        spares.put(kind("a"), ());
        assert_eq!(spares.take(&kind("a")), None);
    }
}
