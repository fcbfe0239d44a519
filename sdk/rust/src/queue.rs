//! The queue between callers and the sender: lines of one kind side by side in a buffer, so that an event costs a copy of its bytes
//! and no allocation. Bounded in bytes, with what is being sent and what waits for another try.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::settings::{OnFull, Settings};
use crate::stats::Stats;

/// Which of the four kinds an event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Predictions,
    Outcomes,
    Exposures,
    Measurements,
}

impl Kind {
    /// The last word of its path.
    pub(crate) fn path(self) -> &'static str {
        ["predictions", "outcomes", "exposures", "measurements"][self as usize]
    }

    /// The kind of this path.
    pub(crate) fn from_path(word: &str) -> Option<Self> {
        let all = [Self::Predictions, Self::Outcomes, Self::Exposures, Self::Measurements];
        all.into_iter().find(|kind| kind.path() == word)
    }
}

/// Lines of one kind.
#[derive(Debug)]
pub(crate) struct Chunk {
    pub(crate) kind: Kind,
    pub(crate) lines: Vec<u8>,
    pub(crate) events: u64,
}

/// What waiting for a chunk came to.
#[derive(Debug)]
pub(crate) enum Taken {
    Chunk(Chunk),
    /// Nothing was there in time.
    Nothing,
    /// The queue is closed and empty.
    Closed,
}

#[derive(Debug, Default)]
struct State {
    stats: Stats,
    sealed: VecDeque<Chunk>,
    open: VecDeque<Chunk>,
    /// Buffers of chunks that were sent, to be filled again.
    spare: Vec<Vec<u8>>,
    /// Events that ever entered and left, for `flush`.
    entered: u64,
    left: u64,
    flushing: bool,
    closed: bool,
}

/// The queue.
#[derive(Debug)]
pub(crate) struct Queue {
    state: Mutex<State>,
    ready: Condvar,
    settled: Condvar,
    bytes_max: usize,
    chunk_bytes: usize,
    on_full: OnFull,
}

/// Buffers that are kept for the next chunks.
const SPARE_MAX: usize = 4;

impl Queue {
    pub(crate) fn new(settings: &Settings) -> Self {
        Self {
            state: Mutex::default(),
            ready: Condvar::new(),
            settled: Condvar::new(),
            bytes_max: settings.queue_bytes,
            // A chunk that waits for another try must leave room in the queue for what comes.
            chunk_bytes: settings.batch_bytes.min(settings.queue_bytes / 4).max(1),
            on_full: settings.on_full,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues a line or drops one, and never waits for the network.
    pub(crate) fn put(&self, kind: Kind, line: &[u8]) {
        let mut state = self.lock();
        state.stats.logged += 1;
        if state.closed {
            state.stats.dropped_at_exit += 1;
            return;
        }
        let size = line.len() + 1;
        if state.stats.queued_bytes + size > self.bytes_max && !self.make_room(&mut state, size) {
            state.stats.dropped_queue_full += 1;
            return;
        }
        state.stats.queued += 1;
        state.stats.queued_bytes += size;
        state.entered += 1;
        if self.append(&mut state, kind, line) {
            drop(state);
            self.ready.notify_one();
        }
    }

    /// Says whether a chunk became full.
    fn append(&self, state: &mut State, kind: Kind, line: &[u8]) -> bool {
        let at = match state.open.iter().position(|chunk| chunk.kind == kind) {
            Some(at) => at,
            None => {
                let lines = state.spare.pop().unwrap_or_default();
                state.open.push_back(Chunk { kind, lines, events: 0 });
                state.open.len() - 1
            }
        };
        let chunk = &mut state.open[at];
        chunk.lines.extend_from_slice(line);
        chunk.lines.push(b'\n');
        chunk.events += 1;
        if chunk.lines.len() < self.chunk_bytes {
            return false;
        }
        if let Some(full) = state.open.remove(at) {
            state.sealed.push_back(full);
        }
        true
    }

    fn make_room(&self, state: &mut State, size: usize) -> bool {
        if self.on_full == OnFull::DropNewest || size > self.bytes_max {
            return false;
        }
        while state.stats.queued_bytes + size > self.bytes_max {
            let Some(oldest) = state.sealed.pop_front().or_else(|| state.open.pop_front()) else {
                return false;
            };
            state.stats.dropped_queue_full += oldest.events;
            leave(state, oldest);
        }
        true
    }

    /// Counts an event that was not queued.
    pub(crate) fn count(&self, count: impl FnOnce(&mut Stats)) {
        count(&mut self.lock().stats);
    }

    /// Waits until there is a full chunk, or for this long, and then takes what there is.
    pub(crate) fn take(&self, interval: Duration) -> Taken {
        let end = Instant::now() + interval;
        let mut state = self.lock();
        loop {
            let now = Instant::now();
            let due = state.flushing || state.closed || now >= end;
            let next = match state.sealed.pop_front() {
                None if due => state.open.pop_front(),
                sealed => sealed,
            };
            if let Some(chunk) = next {
                return Taken::Chunk(chunk);
            }
            if state.closed {
                return Taken::Closed;
            }
            if now >= end {
                return Taken::Nothing;
            }
            state = self.ready.wait_timeout(state, end - now).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// The fate of a chunk is known.
    pub(crate) fn settle(&self, chunk: Chunk, count: impl FnOnce(&mut Stats, u64)) {
        let mut state = self.lock();
        count(&mut state.stats, chunk.events);
        leave(&mut state, chunk);
        drop(state);
        self.settled.notify_all();
    }

    /// The fate of a chunk is known that another thread still holds.
    pub(crate) fn settle_held(&self, events: u64, bytes: usize, count: impl FnOnce(&mut Stats, u64)) {
        let mut state = self.lock();
        count(&mut state.stats, events);
        state.stats.queued -= events;
        state.stats.queued_bytes -= bytes;
        state.left += events;
        drop(state);
        self.settled.notify_all();
    }

    /// Two chunks of half the events, for a server that finds one too large.
    pub(crate) fn halves(chunk: &Chunk) -> [Chunk; 2] {
        let middle = chunk.events / 2;
        let mut ends =
            chunk.lines.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1);
        let at = usize::try_from(middle)
            .ok()
            .and_then(|n| n.checked_sub(1))
            .and_then(|n| ends.nth(n))
            .unwrap_or(0);
        let half = |lines: &[u8], events| Chunk { kind: chunk.kind, lines: lines.to_vec(), events };
        [half(&chunk.lines[..at], middle), half(&chunk.lines[at..], chunk.events - middle)]
    }

    pub(crate) fn stats(&self) -> Stats {
        self.lock().stats
    }

    /// Waits until what was queued before has a known fate; says whether that came in time.
    pub(crate) fn flush(&self, limit: Duration) -> bool {
        let end = Instant::now() + limit;
        let mut state = self.lock();
        let target = state.entered;
        state.flushing = true;
        self.ready.notify_one();
        while state.left < target {
            let now = Instant::now();
            if now >= end {
                break;
            }
            state = self.settled.wait_timeout(state, end - now).unwrap_or_else(PoisonError::into_inner).0;
        }
        state.flushing = false;
        state.left >= target
    }

    /// Takes nothing more; the sender ends when it is empty.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.ready.notify_all();
    }

    /// Takes what still waits, a chunk at a time; its fate is the caller's to settle.
    pub(crate) fn take_left(&self) -> Option<Chunk> {
        let mut state = self.lock();
        state.sealed.pop_front().or_else(|| state.open.pop_front())
    }
}

fn leave(state: &mut State, chunk: Chunk) {
    state.stats.queued -= chunk.events;
    state.stats.queued_bytes -= chunk.lines.len();
    state.left += chunk.events;
    let mut lines = chunk.lines;
    if state.spare.len() < SPARE_MAX {
        lines.clear();
        state.spare.push(lines);
    }
}
