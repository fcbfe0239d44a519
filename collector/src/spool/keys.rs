//! Idempotency keys: which batches are known, and what they were answered; kept beyond the life of their segment files.

use std::collections::{HashMap, VecDeque};

use uuid::Uuid;

use super::record::{KeyRecord, Kind, Record};

/// How long and how many keys are remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyLimits {
    /// Microseconds after which a key is forgotten.
    pub retention_us: i64,
    /// Keys of one table.
    pub keys_max: usize,
    /// Bytes of answers of one table.
    pub bytes_max: usize,
}

impl Default for KeyLimits {
    /// A day; at 100 bytes a usual key, 100,000 keys are 10 MB.
    fn default() -> Self {
        Self { retention_us: 24 * 3600 * 1_000_000, keys_max: 100_000, bytes_max: 16 << 20 }
    }
}

/// The keys of one table, oldest forgotten first.
#[derive(Debug)]
pub(crate) struct Keys {
    limits: KeyLimits,
    known: HashMap<Uuid, Known>,
    /// In the order of arrival; a key that was forgotten and came again stands twice, and its `seq` tells which counts.
    order: VecDeque<(Uuid, u64)>,
    bytes: usize,
    forgotten_early: u64,
}

#[derive(Debug, Clone)]
struct Known {
    record: KeyRecord,
    time_us: i64,
    seq: u64,
}

impl Keys {
    pub(crate) fn new(limits: KeyLimits) -> Self {
        Self { limits, known: HashMap::new(), order: VecDeque::new(), bytes: 0, forgotten_early: 0 }
    }

    /// Remembers the key of frame `seq`, and forgets what is too old or too much.
    pub(crate) fn remember(&mut self, record: KeyRecord, time_us: i64, seq: u64) {
        self.bytes += record.answer.len();
        self.order.push_back((record.key, seq));
        if let Some(old) = self.known.insert(record.key, Known { record, time_us, seq }) {
            self.bytes -= old.record.answer.len();
        }
        while let Some((key, seq)) = self.order.front().copied() {
            let counts = self.known.get(&key).filter(|known| known.seq == seq);
            let expired = counts.is_none_or(|known| known.time_us + self.limits.retention_us < time_us);
            let too_much = self.known.len() > self.limits.keys_max || self.bytes > self.limits.bytes_max;
            if !expired && !too_much {
                break;
            }
            self.forgotten_early += u64::from(!expired);
            self.order.pop_front();
            if counts.is_some()
                && let Some(old) = self.known.remove(&key)
            {
                self.bytes -= old.record.answer.len();
            }
        }
    }

    /// What is known of a key at this time.
    pub(crate) fn get(&self, key: &Uuid, now_us: i64) -> Option<&KeyRecord> {
        let known = self.known.get(key)?;
        (known.time_us + self.limits.retention_us >= now_us).then_some(&known.record)
    }

    pub(crate) fn len(&self) -> usize {
        self.known.len()
    }

    /// Keys that were forgotten before their time because there were too many.
    pub(crate) fn forgotten_early(&self) -> u64 {
        self.forgotten_early
    }

    /// The records, for the file of keys, of those keys whose frames lie in `seqs`; and their number.
    pub(crate) fn records(&self, seqs: std::ops::RangeInclusive<u64>) -> (Vec<u8>, usize) {
        let (mut out, mut n) = (Vec::new(), 0);
        for (key, seq) in self.order.iter().filter(|(_, seq)| seqs.contains(seq)) {
            let Some(known) = self.known.get(key).filter(|known| known.seq == *seq) else { continue };
            let meta = known.record.encode();
            let (time_us, seq) = (known.time_us, known.seq);
            Record { kind: Kind::Key, layout: 0, seq, rows: 0, time_us, meta: &meta, body: &[] }
                .encode(&mut out);
            n += 1;
        }
        (out, n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(key: u128, answer: &str) -> KeyRecord {
        KeyRecord { key: Uuid::from_u128(key), fingerprint: 0, answer: answer.to_owned().into() }
    }

    fn known(keys: &Keys, now_us: i64) -> Vec<u128> {
        (0..10).filter(|key| keys.get(&Uuid::from_u128(*key), now_us).is_some()).collect()
    }

    #[test]
    fn keys_are_forgotten_by_time_number_and_bytes_oldest_first() {
        let limits = KeyLimits { retention_us: 10, keys_max: 3, bytes_max: 8 };
        let mut keys = Keys::new(limits);
        for key in 0..4 {
            keys.remember(record(key, "a"), 0, key as u64);
        }
        assert_eq!((known(&keys, 0), keys.forgotten_early()), (vec![1, 2, 3], 1));
        assert_eq!(known(&keys, 11), Vec::<u128>::new());
        keys.remember(record(4, "a"), 20, 4);
        assert_eq!((known(&keys, 20), keys.forgotten_early()), (vec![4], 1));
        keys.remember(record(5, "12345678"), 20, 5);
        assert_eq!((known(&keys, 20), keys.len()), (vec![5], 1));
    }

    #[test]
    fn a_key_that_came_again_is_not_forgotten_with_its_first_time() {
        let mut keys = Keys::new(KeyLimits { retention_us: 10, ..KeyLimits::default() });
        keys.remember(record(1, "old"), 0, 1);
        keys.remember(record(1, "new"), 15, 2);
        keys.remember(record(2, "x"), 16, 3);
        assert_eq!(known(&keys, 16), vec![1, 2]);
        assert_eq!(keys.get(&Uuid::from_u128(1), 16).unwrap().answer, "new");
    }
}
