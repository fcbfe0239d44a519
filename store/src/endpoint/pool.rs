//! Places for statements of one kind, so that long reads cannot keep inserts out, and the other way round.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A bounded number of places.
#[derive(Debug)]
pub(super) struct Pool {
    places: Arc<Semaphore>,
    size: usize,
    wait: Duration,
}

impl Pool {
    pub(super) fn new(size: usize, wait: Duration) -> Self {
        Self { places: Arc::new(Semaphore::new(size)), size, wait }
    }

    /// Takes a place, waiting on this blocking thread; none when there is none in time.
    pub(super) fn enter(&self, runtime: &Handle) -> Option<OwnedSemaphorePermit> {
        let entering = tokio::time::timeout(self.wait, self.places.clone().acquire_owned());
        runtime.block_on(async { entering.await.ok()?.ok() })
    }

    /// How many places there are.
    pub(super) fn size(&self) -> usize {
        self.size
    }
}
