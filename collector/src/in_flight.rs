//! Idempotency keys whose batches are being taken right now: a second batch under the same key waits for the first.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::watch;
use uuid::Uuid;

use crate::spool::{KeyRecord, Keys};

/// The keys in work. Bounded by the number of requests in work.
#[derive(Debug, Default)]
pub(crate) struct InFlight {
    keys: Mutex<HashMap<Uuid, watch::Receiver<()>>>,
}

/// What a batch's key means.
#[derive(Debug)]
pub(crate) enum Claim {
    /// The batch is in the spool, or beyond it.
    Known(KeyRecord),
    /// Nobody has it; it is ours until the guard is dropped.
    New(Guard),
}

/// Holds a key.
#[derive(Debug)]
pub(crate) struct Guard {
    key: Uuid,
    in_flight: Arc<InFlight>,
    /// Dropping it wakes those who wait.
    _wake: watch::Sender<()>,
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.in_flight.keys.lock().remove(&self.key);
    }
}

impl InFlight {
    /// Claims a key, after waiting for whoever has it. The log remembers a key before its claim ends, so there is no
    /// instant at which it is neither in work nor known.
    pub(crate) async fn claim(self: &Arc<Self>, key: Uuid, known: &Mutex<Keys>, now_us: i64) -> Claim {
        loop {
            let mut other = {
                let mut keys = self.keys.lock();
                if let Some(record) = known.lock().get(&key, now_us) {
                    return Claim::Known(record.clone());
                }
                match keys.get(&key) {
                    Some(other) => other.clone(),
                    None => {
                        let (wake, woken) = watch::channel(());
                        keys.insert(key, woken);
                        return Claim::New(Guard { key, in_flight: Arc::clone(self), _wake: wake });
                    }
                }
            };
            // An error says that the other one is done, which is what we wait for.
            let _ = other.changed().await;
        }
    }
}
