//! The statements that run now, by the id their clients gave them.
//!
//! The engine makes its own ids, which its C interface does not tell. So every statement runs with a mark of ours in
//! the setting `log_comment`, by which `KILL QUERY` finds it; clients' ids are kept here.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;

use super::access::Role;
use super::status::{code, exception};
use crate::chdb::{Connection, Exception};

/// One running statement.
#[derive(Debug)]
pub(super) struct Running {
    /// The client's id, or one of ours.
    pub(super) query_id: String,
    /// Our mark in `log_comment`.
    mark: String,
    role: Role,
    user: String,
    /// Someone asked for the statement to end.
    cancelled: AtomicBool,
    done: AtomicBool,
}

impl Running {
    /// Whether the statement is to stop at the next occasion.
    pub(super) fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }

    /// Whether the statement is over.
    pub(super) fn is_done(&self) -> bool {
        self.done.load(Ordering::Relaxed)
    }

    /// The value of the setting `log_comment`, before what the client wants there.
    pub(super) fn mark(&self) -> &str {
        &self.mark
    }

    /// Who runs it.
    pub(super) fn user(&self) -> &str {
        &self.user
    }

    /// Stops the statement: the engine's part by `KILL QUERY … ASYNC` (`SYNC` hangs the engine), ours by the flag.
    pub(super) fn cancel(&self, connection: &mut Connection) {
        self.cancelled.store(true, Ordering::Relaxed);
        if self.is_done() {
            return;
        }
        let sql = format!("KILL QUERY WHERE startsWith(Settings['log_comment'], '{}') ASYNC", self.mark);
        if let Err(error) = connection.execute(&sql) {
            tracing::warn!(query_id = self.query_id, %error, "cannot stop a statement");
        }
    }
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
        self.running.done.store(true, Ordering::Relaxed);
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
            mark: format!("wv:{}", uuid::Uuid::new_v4().simple()),
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
