//! The rows of a stream by chunk, sorted by score here: a chunk is taken whole by one of a few threads, while the next one is read.
//!
//! Sorted by the engine, all rows go through one merge of many sorted blocks. A chunk of a day or a week is small enough to be sorted at once,
//! and chunks are counted and walked beside each other. No more than a few chunks are held at a time, of which none is larger than a bound: where
//! one is, the rows are asked for again, sorted.

use std::num::NonZero;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::task::block_in_place;
use windvane_store::performance::{EveryRow, EverySink, OfTwo};

/// Rows of a chunk that are held at most: 16 MiB of them.
pub(super) const LANE_ROWS_MAX: usize = 1 << 20;
/// Threads that take chunks. Each holds one; another one is being read.
const THREADS_MAX: usize = 4;
/// The bit of a number's sign.
const SIGN: u64 = 1 << 63;
/// Stands for no score, behind all scores: it would be one that is not a number.
const UNSCORED: u64 = u64::MAX;

/// The rows of one chunk, without weights or times.
#[derive(Debug, Default)]
pub(super) struct Lane {
    chunk: i32,
    /// Each as a number that is the less the greater the score is.
    rows: Vec<u128>,
    /// Whether one of them is not of both populations.
    has_other: bool,
}

impl Lane {
    fn push(&mut self, row: &EveryRow) {
        self.has_other |= row.of != [true, true];
        self.rows.push(packed(row));
    }

    /// Its rows.
    pub(super) fn rows(&self) -> impl Iterator<Item = EveryRow> + '_ {
        self.rows.iter().map(|packed| unpacked(self.chunk, *packed))
    }

    /// Whether each of its rows is of both populations.
    pub(super) fn is_of_both(&self) -> bool {
        !self.has_other
    }
}

/// A row in one number: the score, and beside it segment, populations and classes.
fn packed(row: &EveryRow) -> u128 {
    let score = row.score.map_or(UNSCORED, |score| {
        let bits = score.to_bits();
        // As numbers without a sign these bits ascend with the score.
        let ascending = if bits & SIGN == 0 { bits | SIGN } else { !bits };
        !ascending
    });
    let [first, second] = row.of.map(u64::from);
    let classes = (row.truth as u64) | ((row.said as u64) << 2);
    let beside = (u64::from(row.segment) << 8) | (first << 4) | (second << 5) | classes;
    (u128::from(score) << 64) | u128::from(beside)
}

/// The row that was [packed].
fn unpacked(chunk: i32, packed: u128) -> EveryRow {
    let [score, beside] = [(packed >> 64) as u64, packed as u64];
    let score = (score != UNSCORED).then(|| {
        let ascending = !score;
        f64::from_bits(if ascending & SIGN == 0 { !ascending } else { ascending & !SIGN })
    });
    let class = |shift: u32| OfTwo::ALL[((beside >> shift) & 3) as usize];
    EveryRow {
        chunk,
        segment: (beside >> 8) as u16,
        truth: class(0),
        said: class(2),
        score,
        weight: 1.0,
        at_us: None,
        of: [(beside >> 4) & 1 == 1, (beside >> 5) & 1 == 1],
    }
}

/// A sink that takes chunks whole, and of which several can share the chunks of a stream.
pub(super) trait ChunkSink: EverySink {
    /// Takes a chunk, sorted.
    fn take(&mut self, lane: &Lane);

    /// Adds what another one has taken of other chunks.
    fn absorb(&mut self, other: Self);
}

/// The sink of a stream by chunk. Its threads end with it.
#[derive(Debug)]
pub(super) struct Lanes<S> {
    lane: Lane,
    rows_max: usize,
    queue: SyncSender<Lane>,
    threads: Vec<JoinHandle<S>>,
    /// A chunk was too large, or a thread is gone; what follows is passed over.
    given_up: bool,
}

impl<S: ChunkSink + Clone> Lanes<S> {
    /// For chunks of at most so many rows, which copies of `sink` take.
    pub(super) fn new(sink: &S, rows_max: usize) -> Self {
        let (queue, lanes) = sync_channel(0);
        let lanes = Arc::new(Mutex::new(lanes));
        let threads = std::thread::available_parallelism().map_or(1, NonZero::get).min(THREADS_MAX);
        let thread = |_: usize| {
            let (lanes, sink) = (Arc::clone(&lanes), sink.clone());
            std::thread::spawn(move || taken(&lanes, sink))
        };
        Self {
            lane: Lane::default(),
            rows_max,
            queue,
            threads: (0..threads).map(thread).collect(),
            given_up: false,
        }
    }

    /// What all rows have made; `None` where a chunk was too large.
    pub(super) fn finish(mut self) -> Option<S> {
        self.hand_on();
        let Self { queue, threads, given_up, .. } = self;
        // Threads end when nothing can follow.
        drop(queue);
        let joined = || threads.into_iter().map(|thread| thread.join().ok()).collect();
        let sinks: Option<Vec<S>> = waiting(joined);
        let mut sinks = sinks.filter(|_| !given_up)?.into_iter();
        let mut whole = sinks.next()?;
        sinks.for_each(|sink| whole.absorb(sink));
        Some(whole)
    }

    /// Hands the chunk to the first thread that is free, and waits for one.
    fn hand_on(&mut self) {
        let rows = self.lane.rows.len();
        if rows > 0 {
            // The next chunk is about as large.
            let next = Lane { rows: Vec::with_capacity(rows), ..Lane::default() };
            let lane = std::mem::replace(&mut self.lane, next);
            self.given_up |= waiting(|| self.queue.send(lane)).is_err();
        }
    }
}

/// What may have to wait for as long as a chunk takes, tens of milliseconds: a thread of the service that runs other tasks hands them over first.
fn waiting<T>(work: impl FnOnce() -> T) -> T {
    match Handle::try_current().map(|handle| handle.runtime_flavor()) {
        Ok(RuntimeFlavor::MultiThread) => block_in_place(work),
        _ => work(),
    }
}

/// Takes chunk by chunk until none can follow.
fn taken<S: ChunkSink>(lanes: &Mutex<Receiver<Lane>>, mut sink: S) -> S {
    loop {
        // One waits for a chunk, the others wait for the lock.
        let lane = lanes.lock().ok().and_then(|lanes| lanes.recv().ok());
        let Some(mut lane) = lane else { return sink };
        sort(&mut lane.rows);
        sink.take(&lane);
    }
}

/// Sorts packed rows by score, those of one score as they came: by the digits of its upper half, which takes half the time of all its digits and
/// a quarter of that of a sort by comparing. Rows that share that half, which are few of scores that differ, are compared.
fn sort(rows: &mut [u128]) {
    let upper = |packed: &u128| (packed >> 96) as u32;
    radsort::sort_by_key(rows, upper);
    for alike in rows.chunk_by_mut(|one, other| upper(one) == upper(other)).filter(|rows| rows.len() > 1) {
        alike.sort_by_key(|packed| (packed >> 64) as u64);
    }
}

impl<S: ChunkSink + Clone> EverySink for Lanes<S> {
    fn push(&mut self, row: EveryRow) {
        if self.given_up {
            return;
        }
        if self.lane.chunk != row.chunk {
            self.hand_on();
            self.lane.chunk = row.chunk;
        }
        if self.lane.rows.len() >= self.rows_max {
            self.lane = Lane::default();
            self.given_up = true;
            return;
        }
        self.lane.push(&row);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use windvane_store::performance::{EveryRow, EverySink, OfTwo};

    use super::{ChunkSink, Lane, Lanes, packed, unpacked};

    /// Chunks as they were taken.
    #[derive(Debug, Clone, Default)]
    struct Chunks(Vec<Vec<EveryRow>>);

    impl EverySink for Chunks {
        fn push(&mut self, row: EveryRow) {
            self.0.push(vec![row]);
        }
    }

    impl ChunkSink for Chunks {
        fn take(&mut self, lane: &Lane) {
            self.0.push(lane.rows().collect());
        }

        fn absorb(&mut self, other: Self) {
            self.0.extend(other.0);
        }
    }

    fn row(chunk: i32, score: Option<f64>) -> EveryRow {
        EveryRow {
            chunk,
            segment: 7,
            truth: OfTwo::First,
            said: OfTwo::Second,
            score,
            weight: 1.0,
            at_us: None,
            of: [true, false],
        }
    }

    #[test]
    fn scores_descend_and_none_is_last() {
        let tiny = f64::from_bits(1);
        let scores = [f64::INFINITY, f64::MAX, 1.5, 1.0, tiny, 0.0, -0.0, -tiny, -2.0, f64::NEG_INFINITY];
        let scores: Vec<Option<f64>> = scores.into_iter().map(Some).chain([None]).collect();
        let rows: Vec<u128> = scores.iter().map(|score| packed(&row(3, *score))).collect();
        assert!(rows.is_sorted_by(|a, b| a < b), "{rows:?}");
        let bits = |score: Option<f64>| score.map(f64::to_bits);
        for (row, score) in rows.iter().zip(scores) {
            assert_eq!(bits(unpacked(3, *row).score), bits(score));
        }
    }

    #[test]
    fn a_chunk_that_is_too_large_ends_it() {
        for (rows, ends) in [(3, false), (4, true), (9, true)] {
            let mut lanes = Lanes::new(&Chunks::default(), 3);
            lanes.push(row(0, Some(0.5)));
            (0..rows).for_each(|_| lanes.push(row(1, Some(0.5))));
            lanes.push(row(2, Some(0.5)));
            let found = lanes.finish().map(|chunks| chunks.0.iter().map(Vec::len).sum::<usize>());
            assert_eq!(found, (!ends).then_some(rows + 2), "{rows}");
        }
    }

    proptest! {
        #[test]
        fn each_chunk_is_taken_once_and_sorted(
            rows in prop::collection::vec(
                (0..5_i32, prop::option::of(-9..9_i8), any::<u16>(), 0..16_u8, any::<[bool; 2]>()),
                0..200,
            ),
        ) {
            let mut rows: Vec<EveryRow> = rows
                .into_iter()
                .map(|(chunk, score, segment, classes, of)| EveryRow {
                    segment,
                    truth: OfTwo::ALL[usize::from(classes % 4)],
                    said: OfTwo::ALL[usize::from(classes / 4)],
                    of,
                    ..row(chunk, score.map(f64::from))
                })
                .collect();
            rows.sort_by_key(|row| row.chunk);
            let mut lanes = Lanes::new(&Chunks::default(), 200);
            rows.iter().for_each(|row| lanes.push(*row));
            let mut chunks = lanes.finish().unwrap().0;
            chunks.sort_by_key(|chunk| chunk[0].chunk);
            for chunk in &chunks {
                prop_assert!(chunk.iter().all(|row| row.chunk == chunk[0].chunk));
                let scores: Vec<f64> = chunk.iter().map(|row| row.score.unwrap_or(f64::NEG_INFINITY)).collect();
                prop_assert!(scores.is_sorted_by(|a, b| a >= b), "{:?}", scores);
            }
            let numbers: Vec<i32> = chunks.iter().map(|chunk| chunk[0].chunk).collect();
            prop_assert!(numbers.is_sorted_by(|a, b| a < b), "a chunk was taken twice: {:?}", numbers);
            let (mut found, mut expected) = (chunks.concat(), rows);
            for rows in [&mut found, &mut expected] {
                rows.sort_by_key(|row| (row.chunk, packed(row)));
            }
            prop_assert_eq!(found, expected);
        }
    }
}
