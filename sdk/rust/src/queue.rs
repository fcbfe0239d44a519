//! The queue between callers and the sender. Bounded in bytes, with what is being sent and what waits for another try; what is done
//! under its lock takes the same time however much waits, and the sender is woken a full chunk at a time.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::chunk::{Chunk, Kind};
use crate::clock;
use crate::settings::{OnFull, Settings};
use crate::stats::Stats;

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
    /// How many callers of `flush` wait: as long as one does, nothing waits for a full chunk.
    flushing: usize,
    /// When the client was closed: that of everything that is left.
    deadline: Option<Instant>,
}

/// The queue.
#[derive(Debug)]
pub(crate) struct Queue {
    state: Mutex<State>,
    ready: Condvar,
    settled: Condvar,
    /// The most of one request, as lines.
    pub(crate) batch_bytes: usize,
    bytes_max: usize,
    chunk_bytes: usize,
    on_full: OnFull,
}

/// Buffers that are kept for the next chunks.
const SPARE_MAX: usize = 4;
/// What a buffer has at once, at the most; one that is larger is not kept.
const ROOM_MAX: usize = 4 << 20;

impl Queue {
    pub(crate) fn new(settings: &Settings) -> Self {
        Self {
            state: Mutex::default(),
            ready: Condvar::new(),
            settled: Condvar::new(),
            batch_bytes: settings.batch_bytes,
            bytes_max: settings.queue_bytes,
            // A chunk that waits for another try must leave room in the queue for what comes.
            chunk_bytes: settings.batch_bytes.min(settings.queue_bytes / 4).max(1),
            on_full: settings.on_full,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues a record or drops one, and never waits for the network.
    pub(crate) fn put(&self, kind: Kind, record: &[u8]) {
        let mut dropped = Vec::new();
        let mut state = self.lock();
        state.stats.logged += 1;
        if state.deadline.is_some() {
            state.stats.dropped_at_exit += 1;
            return;
        }
        let size = Chunk::size(record);
        let is_over = state.stats.queued_bytes.saturating_add(size) > self.bytes_max;
        if is_over && !self.make_room(&mut state, size, &mut dropped) {
            state.stats.dropped_queue_full += 1;
            return;
        }
        state.stats.queued += 1;
        state.stats.queued_bytes += size;
        state.entered += 1;
        let is_wanted = self.append(&mut state, kind, record);
        drop(state);
        if is_wanted {
            self.ready.notify_one();
        }
    }

    /// Says whether the sender has something to do: a chunk became full, or another buffer is wanted.
    fn append(&self, state: &mut State, kind: Kind, record: &[u8]) -> bool {
        let mut at = state.open.iter().position(|chunk| chunk.kind == kind);
        if let Some(open) = at {
            // A buffer never grows for one record more: that would copy all of it.
            if state.open[open].records.len() + Chunk::size(record) > self.chunk_bytes {
                seal(state, open);
                at = None;
            }
        }
        let is_new = at.is_none();
        let at = at.unwrap_or_else(|| {
            let records = state.spare.pop().unwrap_or_else(|| Vec::with_capacity(self.room()));
            state.open.push_back(Chunk { kind, records, events: 0 });
            state.open.len() - 1
        });
        state.open[at].push(record);
        let is_full = state.open[at].records.len() >= self.chunk_bytes;
        if is_full {
            seal(state, at);
        }
        is_new || is_full
    }

    /// Of a chunk's buffer.
    fn room(&self) -> usize {
        self.chunk_bytes.min(ROOM_MAX)
    }

    /// Has a buffer ready for the next chunk, each page of which was written to: the first write to a page is a fault that takes longer than
    /// all else that a caller does.
    pub(crate) fn prepare(&self) {
        if !self.lock().spare.is_empty() {
            return;
        }
        let mut buffer = Vec::with_capacity(self.room());
        buffer.resize(self.room(), 1);
        buffer.clear();
        let mut state = self.lock();
        if state.spare.is_empty() {
            state.spare.push(buffer);
        }
    }

    fn make_room(&self, state: &mut State, size: usize, dropped: &mut Vec<Vec<u8>>) -> bool {
        if self.on_full == OnFull::DropNewest || size > self.bytes_max {
            return false;
        }
        while state.stats.queued_bytes + size > self.bytes_max {
            let Some(oldest) = state.sealed.pop_front().or_else(|| state.open.pop_front()) else {
                return false;
            };
            state.stats.dropped_queue_full += oldest.events;
            dropped.extend(self.leave(state, oldest));
        }
        true
    }

    /// Counts an event that was not queued.
    pub(crate) fn count(&self, count: impl FnOnce(&mut Stats)) {
        count(&mut self.lock().stats);
    }

    /// Waits until there is a full chunk, or for this long, and then takes what there is.
    pub(crate) fn take(&self, interval: Duration) -> Taken {
        let end = clock::after(interval);
        let mut state = self.lock();
        loop {
            let now = Instant::now();
            let due = state.flushing > 0 || state.deadline.is_some() || now >= end;
            let next = match state.sealed.pop_front() {
                None if due => state.open.pop_front(),
                sealed => sealed,
            };
            if let Some(chunk) = next {
                return Taken::Chunk(chunk);
            }
            if state.deadline.is_some() {
                return Taken::Closed;
            }
            if now >= end {
                return Taken::Nothing;
            }
            state = self.wait(state, end - now);
        }
    }

    /// The fate of a chunk is known.
    pub(crate) fn settle(&self, chunk: Chunk, count: impl FnOnce(&mut Stats, u64)) {
        let mut state = self.lock();
        count(&mut state.stats, chunk.events);
        let freed = self.leave(&mut state, chunk);
        drop(state);
        drop(freed);
        self.settled.notify_all();
    }

    /// Answers a buffer that is not kept: it is for the caller to free, when the lock is free.
    fn leave(&self, state: &mut State, chunk: Chunk) -> Option<Vec<u8>> {
        state.stats.queued -= chunk.events;
        state.stats.queued_bytes -= chunk.records.len();
        state.left += chunk.events;
        let mut records = chunk.records;
        let fits = (self.room()..=ROOM_MAX).contains(&records.capacity());
        if state.spare.len() == SPARE_MAX || !fits {
            return Some(records);
        }
        records.clear();
        state.spare.push(records);
        None
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

    /// Puts a part of a chunk that was taken back to the front; it has been counted as queued all the while.
    pub(crate) fn put_back(&self, chunk: Chunk) {
        self.lock().sealed.push_front(chunk);
    }

    pub(crate) fn stats(&self) -> Stats {
        self.lock().stats
    }

    /// Waits until what was queued before has a known fate; says whether that came in time.
    pub(crate) fn flush(&self, limit: Duration) -> bool {
        let end = clock::after(limit);
        let mut state = self.lock();
        let target = state.entered;
        state.flushing += 1;
        self.ready.notify_one();
        while state.left < target {
            let now = Instant::now();
            if now >= end {
                break;
            }
            state = self.settled.wait_timeout(state, end - now).unwrap_or_else(PoisonError::into_inner).0;
        }
        state.flushing -= 1;
        state.left >= target
    }

    /// Takes nothing more; the sender ends when it is empty, or then.
    pub(crate) fn close(&self, deadline: Instant) {
        self.lock().deadline = Some(deadline);
        self.ready.notify_all();
    }

    /// Whether the time of a client that was closed is over.
    pub(crate) fn is_over(&self) -> bool {
        self.lock().deadline.is_some_and(|deadline| Instant::now() > deadline)
    }

    /// Waits; says no where the deadline of a client that was closed comes before.
    pub(crate) fn pause(&self, wait: Duration) -> bool {
        let end = clock::after(wait);
        let mut state = self.lock();
        loop {
            let now = Instant::now();
            if state.deadline.is_some_and(|deadline| deadline < end) {
                return false;
            }
            if now >= end {
                return true;
            }
            state = self.wait(state, end - now);
        }
    }

    /// Waits for callers. Meanwhile it has a buffer ready for their next chunk whose pages are there, so that none of them waits for the
    /// system to find one.
    fn wait<'a>(&'a self, state: MutexGuard<'a, State>, time: Duration) -> MutexGuard<'a, State> {
        if !state.spare.is_empty() || state.deadline.is_some() {
            return self.ready.wait_timeout(state, time).unwrap_or_else(PoisonError::into_inner).0;
        }
        drop(state);
        let mut buffer = vec![1; self.room()];
        buffer.clear();
        let mut state = self.lock();
        state.spare.push(buffer);
        state
    }

    /// Takes what still waits, a chunk at a time; its fate is the caller's to settle.
    pub(crate) fn take_left(&self) -> Option<Chunk> {
        let mut state = self.lock();
        state.sealed.pop_front().or_else(|| state.open.pop_front())
    }
}

fn seal(state: &mut State, at: usize) {
    if let Some(full) = state.open.remove(at) {
        state.sealed.push_back(full);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flush_that_ends_leaves_the_hurry_of_another_on() {
        const LIMIT: Duration = Duration::from_secs(20);
        let queue = Queue::new(&Settings::new("http://127.0.0.1:9"));
        queue.put(Kind::Outcomes, b"x");
        std::thread::scope(|scope| {
            let longer = scope.spawn(|| queue.flush(LIMIT));
            let begun = Instant::now();
            while queue.lock().flushing == 0 {
                assert!(begun.elapsed() < LIMIT, "the longer flush never began");
                std::thread::yield_now();
            }
            assert!(!queue.flush(Duration::ZERO), "nothing was sent");
            let Taken::Chunk(chunk) = queue.take(LIMIT) else { panic!("the event is not there") };
            assert!(begun.elapsed() < LIMIT, "the event waited for others");
            queue.settle(chunk, |stats, n| stats.received += n);
            assert!(longer.join().unwrap());
        });
    }

    #[test]
    fn a_chunk_begins_in_the_buffer_that_is_ready_and_is_no_larger_for_it() {
        let queue = Queue::new(&Settings::new("http://127.0.0.1:9"));
        queue.prepare();
        queue.prepare();
        let ready: Vec<(*const u8, usize)> =
            queue.lock().spare.iter().map(|buffer| (buffer.as_ptr(), buffer.capacity())).collect();
        assert_eq!(ready.len(), 1, "one is enough");
        queue.put(Kind::Outcomes, b"x");
        let state = queue.lock();
        let records = &state.open[0].records;
        assert_eq!((records.as_ptr(), records.capacity()), ready[0]);
        assert_eq!((records.len(), state.spare.len()), (Chunk::size(b"x"), 0));
    }
}
