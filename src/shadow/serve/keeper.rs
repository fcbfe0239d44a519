//! The thread of a model: keeps a process with it running, and answers in its place while there is none.
//!
//! A process that is lost is started again after a pause, which grows while that goes on (`health.rs`). Requests do not wait for it: they
//! are refused with the reason as they come.

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use windvane_shadow::pace::Batching;
use windvane_shadow::run::Blame;

use super::health::Health;
use super::host::{Job, Opened};
use super::model::{Counts, Waiting, Worker};
use super::process::{Bounds, Cause, Ended, Process};

/// What the thread needs.
pub(super) struct Keeper {
    pub name: String,
    pub job: Job,
    pub bounds: Bounds,
    pub batching: Batching,
    /// What the model declared when it was open first.
    pub opened: Arc<OnceLock<Opened>>,
    pub counts: Arc<Counts>,
    pub health: Arc<Health>,
    /// Who wants to know what came of opening it for the first time.
    pub first: Option<oneshot::Sender<Result<(), Ended>>>,
}

impl Keeper {
    /// The life of the thread. It ends when nobody can send requests any more, and the process with it.
    pub(super) fn keep(mut self, queue: &Receiver<Waiting>) {
        loop {
            let ended = match self.open(queue) {
                Ok(open) => {
                    self.health.up();
                    self.tell(Ok(()));
                    let shared = (self.batching, Arc::clone(&self.counts));
                    match Worker::new(&self.name, open, shared).work(queue) {
                        Some(ended) => ended,
                        None => return,
                    }
                }
                Err(ended) => ended,
            };
            let pause = self.health.lost(&ended.reason);
            self.counts.lost(ended.cause);
            let restart_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
            let (model, cause) = (self.name.as_str(), ended.cause.as_str());
            let (reason, words) = (ended.reason.as_str(), ended.words.as_str());
            tracing::error!(model, cause, reason, words, restart_ms, "the process of a model was lost");
            self.tell(Err(ended));
            if !self.pause(queue, pause) {
                return;
            }
            self.health.opening();
        }
    }

    fn open(&self, queue: &Receiver<Waiting>) -> Result<(Process, Opened), Ended> {
        let mut process = Process::start(&self.job, self.bounds)?;
        let opened = process.opened(&mut || {
            while let Ok(waiting) = queue.try_recv() {
                self.refuse(waiting);
            }
        })?;
        let known = self.opened.get_or_init(|| opened.clone());
        if (&known.inputs, &known.outputs) != (&opened.inputs, &opened.outputs) {
            let reason =
                "the file of the model declares other inputs or outputs than when it was opened first"
                    .to_owned();
            return Err(Ended { cause: Cause::Refused, blame: Blame::Data, reason, words: String::new() });
        }
        let (model, pid, calls) = (self.name.as_str(), process.id(), opened.warm.sizes.as_slice());
        tracing::info!(model, pid, ?calls, "a model is open");
        if let Some(fault) = &opened.warm.fault {
            tracing::info!(model, fault, "a model is not quite warm; its first requests may take longer");
        }
        Ok((process, opened))
    }

    /// Refuses what comes until there is to be another process; false where nothing will come any more.
    fn pause(&self, queue: &Receiver<Waiting>, pause: Duration) -> bool {
        let until = Instant::now() + pause;
        loop {
            match queue.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(waiting) => self.refuse(waiting),
                Err(RecvTimeoutError::Timeout) => return true,
                Err(RecvTimeoutError::Disconnected) => return false,
            }
        }
    }

    /// Nothing new comes while the model does not answer, so that this ends.
    fn refuse(&self, waiting: Waiting) {
        self.counts.refuse(waiting, self.health.answers().err().unwrap_or_default());
    }

    fn tell(&mut self, came: Result<(), Ended>) {
        if let Some(first) = self.first.take() {
            // Whoever asked may have gone.
            let _ = first.send(came);
        }
    }
}
