//! The spool between the sender's thread and whoever closes the client: what a request that hangs still holds, the closing thread writes,
//! or counts where there is no spool.

use std::io::{self, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::chunk::{Chunk, Kind};
use crate::id::EventId;
use crate::queue::Queue;
use crate::spool::{Spool, Stored};

/// The spool, where there is one, and what is being sent.
#[derive(Debug, Default)]
pub(crate) struct Disk(Mutex<Held>);

#[derive(Debug, Default)]
struct Held {
    spool: Option<Spool>,
    in_flight: Option<Flight>,
    /// The closing thread has counted the batch in flight.
    is_taken: bool,
}

/// A batch that is being sent.
#[derive(Debug)]
struct Flight {
    key: EventId,
    kind: Kind,
    events: u64,
    queued_bytes: usize,
    /// Empty where there is no spool to write it to.
    body: Vec<u8>,
    in_doubt: bool,
}

impl Disk {
    fn lock(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Uses the spool from here on; says how many events wait in it.
    pub(crate) fn set(&self, spool: Spool) -> u64 {
        let events = spool.events();
        self.lock().spool = Some(spool);
        events
    }

    /// The sender begins with a batch.
    pub(crate) fn begin(&self, chunk: &Chunk, key: &EventId, body: &[u8]) {
        let mut held = self.lock();
        let body = if held.spool.is_some() { body.to_vec() } else { Vec::new() };
        held.in_flight = Some(Flight {
            key: *key,
            kind: chunk.kind,
            events: chunk.events,
            queued_bytes: chunk.records.len(),
            body,
            in_doubt: false,
        });
    }

    /// Says whether the batch in flight may have arrived.
    pub(crate) fn doubt(&self, in_doubt: bool) {
        if let Some(flight) = &mut self.lock().in_flight {
            flight.in_doubt = in_doubt;
        }
    }

    /// The sender has done with the batch; says whether it is still the one to count it.
    pub(crate) fn end(&self) -> bool {
        let mut held = self.lock();
        held.in_flight = None;
        !std::mem::take(&mut held.is_taken)
    }

    /// Writes the batch in flight, which failed, so that it costs no memory while it waits; says whether it need not be tried here.
    pub(crate) fn keep(&self) -> bool {
        let mut held = self.lock();
        let Held { spool, in_flight, is_taken } = &mut *held;
        let (Some(spool), Some(flight)) = (spool, in_flight.as_ref()) else { return *is_taken };
        let is_kept = spool.add(&flight.key, (flight.kind, flight.events), &flight.body);
        if is_kept {
            *in_flight = None;
        }
        is_kept
    }

    /// The batch that waits longest.
    pub(crate) fn oldest(&self) -> Option<Stored> {
        self.lock().spool.as_ref()?.oldest()
    }

    /// The batch's fate is known.
    pub(crate) fn delete(&self, stored: &Stored) {
        if let Some(spool) = &mut self.lock().spool {
            spool.delete(stored);
        }
    }

    /// The batch is too large for the server; what it holds waits as two. Where the spool was given up, the next process finds it.
    pub(crate) fn halve(&self, stored: &Stored, body: &[u8]) -> io::Result<()> {
        self.lock().spool.as_mut().map_or(Ok(()), |spool| spool.halve(stored, body))
    }

    /// The batch cannot be read.
    pub(crate) fn set_aside(&self, stored: &Stored) {
        if let Some(spool) = &mut self.lock().spool {
            spool.set_aside(stored);
        }
    }

    /// What is left goes to the spool, or is counted: as unconfirmed where it may have arrived, else as lost at the exit. The spool is
    /// given up.
    pub(crate) fn close(&self, queue: &Queue) {
        let mut held = self.lock();
        let Held { spool, in_flight, is_taken } = &mut *held;
        if let Some(flight) = in_flight.take() {
            let batch = (flight.kind, flight.events);
            let is_kept = spool.as_mut().is_some_and(|spool| spool.add(&flight.key, batch, &flight.body));
            queue.settle_held(flight.events, flight.queued_bytes, |stats, n| {
                *(match (is_kept, flight.in_doubt) {
                    (true, _) => &mut stats.spooled,
                    (false, true) => &mut stats.unconfirmed,
                    (false, false) => &mut stats.dropped_at_exit,
                }) += n;
            });
            *is_taken = true;
        }
        let mut lines = Vec::new();
        while let Some(mut chunk) = queue.take_left() {
            let is_kept = spool.as_mut().is_some_and(|spool| {
                lines.clear();
                if let Some(rest) = chunk.lines(queue.batch_bytes, &mut lines) {
                    queue.put_back(rest);
                }
                write(spool, (chunk.kind, chunk.events), &lines)
            });
            queue.settle(chunk, |stats, n| {
                *(if is_kept { &mut stats.spooled } else { &mut stats.dropped_at_exit }) += n;
            });
        }
        *spool = None;
    }
}

fn write(spool: &mut Spool, batch: (Kind, u64), lines: &[u8]) -> bool {
    compress(lines, Vec::new()).is_ok_and(|body| spool.add(&EventId::make(), batch, &body))
}

/// Gzip of the fastest level: JSON shrinks to a tenth, and higher levels cost the model server's CPU.
pub(crate) fn compress(lines: &[u8], into: Vec<u8>) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(into, Compression::fast());
    encoder.write_all(lines)?;
    encoder.finish()
}
