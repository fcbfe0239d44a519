//! The statements that run now, by the id their clients gave them.
//!
//! The engine makes its own ids, which its C interface does not tell. So every statement runs with a mark of ours in
//! the setting `log_comment` of its connection, by which `KILL QUERY` finds it; clients' ids are kept here.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use parking_lot::Mutex;

use super::access::Role;
use super::status::{code, exception};
use crate::chdb::{Connection, Exception};

/// One running statement.
#[derive(Debug)]
pub(super) struct Running {
    /// The client's id, or one of ours.
    pub(super) query_id: String,
    /// The mark in `log_comment` of the connection that it runs on, once it has one.
    mark: OnceLock<String>,
    role: Role,
    user: String,
    /// Someone asked for the statement to end.
    cancelled: AtomicBool,
    done: AtomicBool,
}

impl Running {
    /// Whether the statement is to stop at the next occasion.
    pub(super) fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::SeqCst)
    }

    /// Whether the statement is over.
    pub(super) fn is_done(&self) -> bool {
        self.done.load(Ordering::SeqCst)
    }

    /// Says on which connection it runs: by the mark that its `log_comment` begins with.
    pub(super) fn runs_under(&self, mark: &str) {
        self.mark.get_or_init(|| mark.to_owned());
    }

    /// Says that its connection is done with it; false where it may still be stopped by its mark, under which nothing else may run
    /// then. Whoever stops it says so first and looks whether it is done after that; here it is the other way round. So one sees the other.
    pub(super) fn leaves_its_mark(&self) -> bool {
        self.done.store(true, Ordering::SeqCst);
        !self.is_cancelled()
    }

    /// Who runs it.
    pub(super) fn user(&self) -> &str {
        &self.user
    }

    /// Stops the statement: the engine's part by `KILL QUERY … ASYNC` (`SYNC` hangs the engine), ours by the flag.
    pub(super) fn cancel(&self, connection: &mut Connection) {
        self.cancelled.store(true, Ordering::SeqCst);
        let Some(mark) = self.mark.get().filter(|_| !self.is_done()) else { return };
        let sql = format!("KILL QUERY WHERE startsWith(Settings['log_comment'], '{mark}') ASYNC");
        if let Err(error) = connection.execute(&sql) {
            tracing::warn!(query_id = self.query_id, %error, "cannot stop a statement");
        }
    }
}

/// A mark that no connection has yet.
pub(super) fn new_mark() -> String {
    format!("wv:{}", uuid::Uuid::new_v4().simple())
}

/// All running statements.
#[derive(Debug, Default)]
pub(super) struct Registry {
    running: Mutex<HashMap<String, Arc<Running>>>,
}

/// Takes the statement out of the registry when it is over.
pub(super) struct Registered {
    registry: Arc<Registry>,
    running: Arc<Running>,
}

impl Registered {
    /// The statement.
    pub(super) fn running(&self) -> &Arc<Running> {
        &self.running
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.running.done.store(true, Ordering::SeqCst);
        self.registry.running.lock().remove(&self.running.query_id);
    }
}

impl Registry {
    /// Enters a statement; an id that runs already is an error (code 216).
    pub(super) fn enter(
        self: &Arc<Self>,
        query_id: String,
        role: Role,
        user: &str,
    ) -> Result<Registered, Exception> {
        let running = Arc::new(Running {
            query_id: query_id.clone(),
            mark: OnceLock::new(),
            role,
            user: user.to_owned(),
            cancelled: AtomicBool::new(false),
            done: AtomicBool::new(false),
        });
        let mut map = self.running.lock();
        if map.contains_key(&query_id) {
            return Err(exception(
                code::QUERY_WITH_SAME_ID_IS_ALREADY_RUNNING,
                format!("Query with id = {query_id} is already running."),
            ));
        }
        map.insert(query_id, running.clone());
        Ok(Registered { registry: self.clone(), running })
    }

    /// The statement of this id that this role may stop: a reader only statements of readers.
    pub(super) fn find(&self, query_id: &str, role: Role) -> Option<Arc<Running>> {
        let map = self.running.lock();
        map.get(query_id).filter(|running| role == Role::Writer || running.role == role).cloned()
    }

    /// Every running statement.
    pub(super) fn all(&self) -> Vec<Arc<Running>> {
        self.running.lock().values().cloned().collect()
    }
}
