//! Sessions: a connection that keeps `SET`, `USE` and temporary tables between the requests of a client.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::guard::Special;
use super::request::SessionRequest;
use super::status::{code, exception};
use crate::chdb::{Connection, Exception};

/// Sessions kept at once; the one idle for longest makes room.
const SESSIONS_MAX: usize = 256;
/// `SET` statements remembered for a session.
const JOURNAL_MAX: usize = 256;

/// The state of a session.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) connection: Connection,
    /// The database that the session uses.
    pub(super) database: String,
    /// Its `SET` statements, run again after the settings of one request were taken back.
    pub(super) journal: Vec<String>,
}

impl Session {
    /// Keeps what a statement that succeeded changed. Past [`JOURNAL_MAX`] a setting lasts until the next request that
    /// brings settings of its own.
    pub(super) fn remember(&mut self, special: &Special, text: String) {
        match special {
            Special::Set if self.journal.len() < JOURNAL_MAX => self.journal.push(text),
            Special::Use(database) => self.database.clone_from(database),
            _ => {}
        }
    }
}

enum Slot {
    Busy,
    Idle { session: Box<Session>, until: Instant },
}

/// All sessions, by user and id.
#[derive(Default)]
pub(super) struct Sessions {
    slots: Mutex<HashMap<(String, String), Slot>>,
}

impl Sessions {
    /// Takes a session for one statement; none when it does not exist yet. Either way the id is taken until
    /// [`Sessions::put`] or [`Sessions::forget`].
    pub(super) fn take(&self, user: &str, request: &SessionRequest) -> Result<Option<Session>, Exception> {
        let key = (user.to_owned(), request.id.clone());
        let mut slots = self.slots.lock();
        let now = Instant::now();
        slots.retain(|_, slot| !matches!(slot, Slot::Idle { until, .. } if *until < now));
        match slots.remove(&key) {
            Some(Slot::Busy) => {
                slots.insert(key, Slot::Busy);
                Err(exception(
                    code::SESSION_IS_LOCKED,
                    format!("Session {} is locked by a concurrent client.", request.id),
                ))
            }
            Some(Slot::Idle { session, .. }) => {
                slots.insert(key, Slot::Busy);
                Ok(Some(*session))
            }
            None if request.check => {
                Err(exception(code::SESSION_NOT_FOUND, format!("Session {} not found.", request.id)))
            }
            None => {
                if slots.len() >= SESSIONS_MAX {
                    make_room(&mut slots)?;
                }
                slots.insert(key, Slot::Busy);
                Ok(None)
            }
        }
    }

    /// Gives a session back.
    pub(super) fn put(&self, user: &str, request: &SessionRequest, session: Session) {
        let key = (user.to_owned(), request.id.clone());
        let until = Instant::now() + request.timeout.max(Duration::from_secs(1));
        self.slots.lock().insert(key, Slot::Idle { session: Box::new(session), until });
    }

    /// Drops a session whose state is not known any more.
    pub(super) fn forget(&self, user: &str, request: &SessionRequest) {
        self.slots.lock().remove(&(user.to_owned(), request.id.clone()));
    }

    /// Closes idle sessions past their time.
    pub(super) fn sweep(&self) {
        let now = Instant::now();
        self.slots.lock().retain(|_, slot| !matches!(slot, Slot::Idle { until, .. } if *until < now));
    }

    /// Closes all idle sessions.
    pub(super) fn clear(&self) {
        self.slots.lock().retain(|_, slot| matches!(slot, Slot::Busy));
    }
}

fn make_room(slots: &mut HashMap<(String, String), Slot>) -> Result<(), Exception> {
    let oldest = slots
        .iter()
        .filter_map(|(key, slot)| match slot {
            Slot::Idle { until, .. } => Some((*until, key.clone())),
            Slot::Busy => None,
        })
        .min();
    match oldest {
        Some((_, key)) => {
            slots.remove(&key);
            Ok(())
        }
        None => Err(exception(
            code::TOO_MANY_SIMULTANEOUS_QUERIES,
            format!("All {SESSIONS_MAX} sessions are running a statement."),
        )),
    }
}
