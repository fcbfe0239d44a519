//! The log against a model: whatever fails or crashes at whatever operation of the disk, every acknowledged frame is
//! stored exactly once, and no other frame more than once.

mod sim_disk;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use parking_lot::Mutex;
use proptest::prelude::*;
use uuid::Uuid;

use self::sim_disk::{Fault, SimDisk};
use super::keys::{KeyLimits, Keys};
use super::log::{Frame, Log, LogLimits, Op, Sealed};
use super::read::read_block;
use super::record::KeyRecord;
use super::run::BlockLimits;

/// What the store does with an insert.
#[derive(Debug, Clone, Copy)]
enum Answer {
    Stored,
    StoredUnheard,
    Unavailable,
    Poison,
}

#[derive(Debug, Clone)]
enum Step {
    /// A commit of frames with these numbers of rows.
    Append(Vec<u8>),
    Upload(Answer),
    /// The block behind the next one is stored before it, which the log does not learn yet.
    SendAhead,
    Retire,
    /// A disk that failed is tried again.
    Mend,
    /// The operation of the disk after this many others fails.
    FaultIn(u8, Fault),
    /// Power is lost; this seed decides what of the unsynced bytes survives.
    Crash(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let answer = prop_oneof![
        4 => Just(Answer::Stored),
        1 => Just(Answer::StoredUnheard),
        1 => Just(Answer::Unavailable),
        1 => Just(Answer::Poison),
    ];
    let fault = prop_oneof![Just(Fault::NoSpace), Just(Fault::Broken), Just(Fault::PowerCut)];
    let step = prop_oneof![
        6 => prop::collection::vec(1u8..6, 1..4).prop_map(Step::Append),
        6 => answer.prop_map(Step::Upload),
        2 => Just(Step::SendAhead),
        2 => Just(Step::Retire),
        2 => Just(Step::Mend),
        1 => (0u8..12, fault).prop_map(|(after, fault)| Step::FaultIn(after, fault)),
        1 => any::<u64>().prop_map(Step::Crash),
    ];
    prop::collection::vec(step, 1..60)
}

/// The store: it knows tokens, and adds what comes under a new one.
#[derive(Debug, Default)]
struct Store {
    blocks: HashMap<String, Vec<u8>>,
    rows: BTreeMap<u64, u64>,
}

impl Store {
    fn insert(&mut self, token: &str, body: &[u8]) {
        if let Some(first) = self.blocks.get(token) {
            assert_eq!(first, body, "token {token} came with other rows");
            return;
        }
        self.blocks.insert(token.to_owned(), body.to_vec());
        for row in body.chunks_exact(8) {
            *self.rows.entry(u64::from_le_bytes(row.try_into().unwrap())).or_default() += 1;
        }
    }
}

struct World {
    disk: Arc<SimDisk>,
    keys: Arc<Mutex<Keys>>,
    log: Option<Log<SimDisk>>,
    store: Store,
    next_frame: u64,
    rows_of: BTreeMap<u64, u8>,
    acknowledged: BTreeSet<u64>,
}

fn limits() -> LogLimits {
    let block = BlockLimits { rows_max: 8, bytes_max: 1 << 20, frames_max: 4 };
    LogLimits { block, segment_bytes: 400 }
}

impl World {
    fn new() -> Self {
        let keys = Arc::new(Mutex::new(Keys::new(KeyLimits::default())));
        let (store, disk) = (Store::default(), Arc::new(SimDisk::default()));
        let (rows_of, acknowledged) = (BTreeMap::new(), BTreeSet::new());
        let mut world = Self { disk, keys, log: None, store, next_frame: 1, rows_of, acknowledged };
        world.open();
        world
    }

    fn open(&mut self) {
        self.keys = Arc::new(Mutex::new(Keys::new(KeyLimits::default())));
        let opened = Log::open(Arc::clone(&self.disk), limits(), "t".to_owned(), Arc::clone(&self.keys));
        self.log = opened.ok().map(|(log, recovered)| {
            assert_eq!(recovered.damaged, 0, "a crash damages nothing in the middle: {recovered:?}");
            log
        });
    }

    fn crash(&mut self, seed: u64) {
        self.log = None;
        self.disk.crash(seed);
        self.open();
    }

    fn step(&mut self, step: Step) {
        if self.disk.is_cut() {
            self.crash(7);
        }
        match step {
            Step::Crash(seed) => self.crash(seed),
            Step::FaultIn(after, fault) => self.disk.fault_in(after, fault),
            Step::Append(rows) => self.append(&rows),
            Step::Upload(answer) => self.upload(answer),
            Step::SendAhead => self.send_ahead(),
            Step::Retire => drop(self.log.as_mut().map(Log::retire)),
            Step::Mend => drop(self.change(Op::Mend)),
        }
    }

    fn append(&mut self, rows: &[u8]) {
        let Some(log) = &mut self.log else { return self.open() };
        let mut ids = Vec::new();
        let frames = rows.iter().map(|rows| {
            let id = self.next_frame;
            self.next_frame += 1;
            ids.push(id);
            self.rows_of.insert(id, *rows);
            let body = id.to_le_bytes().repeat(usize::from(*rows));
            let key = key_of(id).map(|key| KeyRecord { key, fingerprint: id, answer: "a".into() });
            Frame { layout: 1, rows: u32::from(*rows), time_us: 0, key, body }
        });
        let frames = frames.collect();
        if log.commit(None, frames).is_ok() {
            self.acknowledged.extend(ids);
        }
    }

    fn change(&mut self, op: Op) -> Option<Sealed> {
        self.log.as_mut()?.commit(Some(op), Vec::new()).ok()?
    }

    fn upload(&mut self, answer: Answer) {
        let Some(block) = self.change(Op::Seal { behind: 0 }) else { return };
        let Ok(content) = read_block(&*self.disk, &block) else { return };
        match answer {
            Answer::Unavailable => {}
            Answer::StoredUnheard => self.store.insert(&block.token, &content.body),
            // What was stored once is no poison the second time.
            Answer::Poison if content.frames.len() > 1 && !self.store.blocks.contains_key(&block.token) => {
                let half = &content.frames[..content.frames.len() / 2];
                let rows = half.iter().map(|frame| frame.rows).sum();
                let last = half[half.len() - 1].seq;
                self.change(Op::Split { block, last, rows });
            }
            Answer::Stored | Answer::Poison => {
                self.store.insert(&block.token, &content.body);
                self.change(Op::Checkpoint(block));
            }
        }
    }

    fn send_ahead(&mut self) {
        let Some(first) = self.change(Op::Seal { behind: 0 }) else { return };
        let Some(second) = self.change(Op::Seal { behind: first.run.last }) else { return };
        assert_eq!(second.run.first, first.run.last + 1, "nothing is left between two blocks");
        if let Ok(content) = read_block(&*self.disk, &second) {
            self.store.insert(&second.token, &content.body);
        }
    }

    fn drain(&mut self) {
        self.disk.heal();
        self.crash(3);
        for _ in 0..1000 {
            self.upload(Answer::Stored);
            let log = self.log.as_mut().expect("a healthy disk opens");
            log.retire().unwrap();
            if log.backlog().rows == 0 {
                return;
            }
        }
        panic!("the log did not drain: {:?}", self.log.as_ref().map(Log::backlog));
    }

    fn check(&self) {
        for (frame, rows) in &self.rows_of {
            let stored = self.store.rows.get(frame).copied().unwrap_or(0);
            let whole = u64::from(*rows);
            if self.acknowledged.contains(frame) {
                assert_eq!(stored, whole, "acknowledged frame {frame}");
            } else {
                assert!(
                    stored == 0 || stored == whole,
                    "frame {frame} was stored in part or twice: {stored} of {whole}"
                );
            }
            if let Some(key) = key_of(*frame) {
                let known = self.keys.lock().get(&key, 0).map(|record| record.fingerprint);
                let expected = (stored > 0).then_some(*frame);
                assert_eq!(
                    known, expected,
                    "the key of frame {frame} is known if and only if the frame was stored"
                );
            }
        }
        assert_eq!(self.store.rows.keys().filter(|row| !self.rows_of.contains_key(row)).count(), 0);
    }
}

/// Every other frame has an idempotency key.
fn key_of(frame: u64) -> Option<Uuid> {
    frame.is_multiple_of(2).then(|| Uuid::from_u128(u128::from(frame)))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, ..ProptestConfig::default() })]

    /// Acknowledged = stored exactly once, whole; never acknowledged = stored at most once, whole; a key is known if and
    /// only if its frame was stored, however many segment files are gone.
    #[test]
    fn every_acknowledged_frame_is_stored_exactly_once(steps in steps()) {
        let mut world = World::new();
        for step in steps {
            world.step(step);
        }
        world.drain();
        world.check();
    }

    /// A flipped bit on disk costs at most the frames it hits, also where it hits what is known of two blocks that may be on their way;
    /// every other acknowledged frame is still stored exactly once, and what was damaged is counted and laid aside.
    #[test]
    fn a_flipped_bit_costs_the_frame_it_hits_only(
        batches in prop::collection::vec(prop::collection::vec(1u8..6, 1..4), 3..20),
        at in any::<prop::sample::Index>(),
        bit in 0u8..8,
    ) {
        let mut world = World::new();
        for rows in &batches {
            world.append(rows);
        }
        if let Some(first) = world.change(Op::Seal { behind: 0 }) {
            world.change(Op::Seal { behind: first.run.last });
        }
        world.log = None;
        let frame = world.disk.flip(|len| at.index(len), bit);
        let keys = Arc::new(Mutex::new(Keys::new(KeyLimits::default())));
        let (log, recovered) = Log::open(Arc::clone(&world.disk), limits(), "t".to_owned(), keys).unwrap();
        world.log = Some(log);
        prop_assert_eq!(recovered.damaged, 1, "{}", frame);
        prop_assert_eq!(world.disk.names().iter().filter(|name| name.ends_with(".damaged")).count(), 1);
        for _ in 0..200 {
            world.upload(Answer::Stored);
        }
        let missing: Vec<u64> = world.acknowledged.iter().copied()
            .filter(|frame| world.store.rows.get(frame).copied() != Some(u64::from(world.rows_of[frame])))
            .collect();
        prop_assert!(missing.len() <= 1, "{missing:?}");
        prop_assert!(missing.iter().all(|frame| !world.store.rows.contains_key(frame)));
    }
}

/// Two blocks are on their way when the power goes, and what is left of the first is its frames.
#[test]
fn a_block_whose_record_went_bad_is_sent_before_the_one_behind_it_and_under_its_token() {
    let mut world = World::new();
    world.append(&[5, 3, 5, 3, 1]);
    let first = world.change(Op::Seal { behind: 0 }).unwrap();
    let second = world.change(Op::Seal { behind: first.run.last }).unwrap();
    let bytes = read_block(&*world.disk, &first).unwrap().body;
    world.store.insert(&first.token, &bytes);
    world.disk.spoil(first.token.as_bytes());
    let keys = Arc::clone(&world.keys);
    let (log, recovered) = Log::open(Arc::clone(&world.disk), limits(), "t".to_owned(), keys).unwrap();
    world.log = Some(log);
    assert_eq!(recovered.damaged, 1);
    for expected in [&first, &second] {
        assert_eq!(world.change(Op::Seal { behind: 0 }).as_ref(), Some(expected));
        world.upload(Answer::Stored);
    }
    world.upload(Answer::Stored);
    world.check();
}

/// Of a block of four frames, of which ClickHouse refuses something, a crash may keep any part of any split that is being
/// written; whatever it keeps, no frame is left between the halves.
#[test]
fn a_split_that_a_crash_cut_short_happened_or_did_not() {
    for splits in 1..3 {
        for cut in 0..4 {
            for seed in 0..200 {
                let mut world = World::new();
                world.append(&[1, 1, 1, 1]);
                (1..splits).for_each(|_| world.upload(Answer::Poison));
                world.disk.fault_in(cut, Fault::PowerCut);
                world.upload(Answer::Poison);
                world.crash(seed);
                world.drain();
                world.check();
            }
        }
    }
}

/// Mends or opens the log of a world that acknowledged only the first of three frames: the fourth is taken, and nothing is lost.
fn takes_again(mut world: World, mends: bool) {
    if mends {
        world.step(Step::Mend);
    } else {
        world.open();
    }
    world.append(&[1]);
    assert_eq!(world.acknowledged, BTreeSet::from([1, 4]), "mended: {mends}");
    world.drain();
    world.check();
}

#[test]
fn a_disk_whose_sync_failed_acknowledges_nothing_until_it_is_mended_or_opened_again() {
    for mends in [false, true] {
        let mut world = World::new();
        world.append(&[1]);
        world.disk.fault_in(1, Fault::Broken);
        world.append(&[1]);
        world.disk.heal();
        world.append(&[1]);
        assert_eq!(world.acknowledged, BTreeSet::from([1]));
        takes_again(world, mends);
    }
}

#[test]
fn a_disk_that_became_read_only_loses_nothing_and_takes_again_when_it_can_be_written_to() {
    for mends in [false, true] {
        let mut world = World::new();
        world.append(&[1]);
        world.disk.be_read_only(true);
        world.append(&[1]);
        world.upload(Answer::Stored);
        world.step(Step::Mend);
        world.append(&[1]);
        world.disk.be_read_only(false);
        assert_eq!((world.acknowledged.clone(), world.store.blocks.len()), (BTreeSet::from([1]), 0));
        takes_again(world, mends);
    }
}

/// Of a commit that failed, whatever part of it the disk kept is cut off, and the power may go at each operation of that.
#[test]
fn mending_may_fail_or_be_cut_short_at_every_operation() {
    for fault in [Fault::Broken, Fault::NoSpace, Fault::PowerCut] {
        for after in 0..8 {
            for seed in 0..20 {
                let mut world = World::new();
                world.append(&[1, 1]);
                world.disk.fault_in(1, Fault::Broken);
                world.append(&[1, 1]);
                world.disk.fault_in(after, fault);
                world.step(Step::Mend);
                world.append(&[1]);
                world.crash(seed);
                world.append(&[1]);
                world.drain();
                world.check();
            }
        }
    }
}

#[test]
fn a_disk_that_lost_what_was_acknowledged_is_not_mended() {
    let mut world = World::new();
    world.append(&[1]);
    world.disk.fault_in(1, Fault::Broken);
    world.append(&[1]);
    world.disk.cut_off(10);
    world.step(Step::Mend);
    assert!(world.log.as_ref().is_some_and(|log| log.backlog().failed));
}

#[test]
fn a_full_disk_refuses_and_takes_again_when_there_is_room() {
    let mut world = World::new();
    world.disk.fault_in(0, Fault::NoSpace);
    world.append(&[1]);
    assert!(world.acknowledged.is_empty());
    world.append(&[1]);
    assert_eq!(world.acknowledged, BTreeSet::from([2]));
    world.drain();
    world.check();
}

#[test]
fn a_full_disk_can_still_be_emptied() {
    let mut world = World::new();
    world.append(&[1, 2]);
    for _ in 0..2 {
        world.disk.fault_in(0, Fault::NoSpace);
        world.upload(Answer::Stored);
    }
    assert_eq!(world.log.as_ref().map(|log| log.backlog().rows), Some(0));
    world.check();
}
