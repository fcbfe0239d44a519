//! A LowCardinality column: each different value once, and for each row the number of its value.
//!
//! In the Native format: before the column a prefix, the version 1 as 8 bytes; then, unless it has no rows, 8 bytes of
//! flags (width of the indices, 0 to 3 for 1 to 8 bytes; bit 9, keys follow; bit 10, they replace the dictionary), the
//! number of keys, the keys, the number of rows, the indices. Index 0 of a nullable dictionary is NULL.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::Pieces;

const VERSION: u64 = 1;
const HAS_KEYS: u64 = 1 << 9;
const REPLACES_DICTIONARY: u64 = 1 << 10;

/// Places of a map whose last key is remembered; rows of a model mostly have the same features in the same order.
const SLOTS: usize = 64;

#[derive(Debug)]
pub(super) struct Dictionary<'a> {
    numbers: HashMap<&'a [u8], u32, RandomState>,
    keys: Vec<u8>,
    key_count: u32,
    indices: Vec<u32>,
    recent: Vec<(&'a [u8], u32)>,
}

impl<'a> Dictionary<'a> {
    pub(super) fn new(capacity: usize) -> Self {
        // Key 0 is the default value, as in ClickHouse's own dictionaries.
        let numbers = HashMap::from_iter([(&b""[..], 0)]);
        Self {
            numbers,
            keys: vec![0],
            key_count: 1,
            indices: Vec::with_capacity(capacity),
            recent: Vec::new(),
        }
    }

    /// One whose index 0 is NULL; an empty string is a value like any other.
    pub(super) fn nullable(capacity: usize) -> Self {
        Self { numbers: HashMap::default(), ..Self::new(capacity) }
    }

    /// Adds the value at a place of its row: 0, or the position in a map.
    pub(super) fn push(&mut self, slot: usize, value: &'a [u8]) {
        if let Some((last, number)) = self.recent.get(slot)
            && *last == value
        {
            self.indices.push(*number);
            return;
        }
        let number = *self.numbers.entry(value).or_insert_with(|| {
            crate::rowbinary::varint(&mut self.keys, value.len());
            self.keys.extend_from_slice(value);
            self.key_count += 1;
            self.key_count - 1
        });
        self.indices.push(number);
        if slot < self.recent.len() {
            self.recent[slot] = (value, number);
        } else if slot == self.recent.len() && slot < SLOTS {
            self.recent.push((value, number));
        }
    }

    /// Adds a NULL.
    pub(super) fn push_null(&mut self) {
        self.indices.push(0);
    }

    pub(super) fn prefix(pieces: &mut Pieces) {
        pieces.u64(VERSION);
    }

    pub(super) fn finish(self, pieces: &mut Pieces) {
        if self.indices.is_empty() {
            return;
        }
        let (width, indices) = self.narrowest();
        pieces.u64(width | HAS_KEYS | REPLACES_DICTIONARY);
        pieces.u64(u64::from(self.key_count));
        pieces.buffer(self.keys);
        pieces.u64(self.indices.len() as u64);
        pieces.buffer(indices);
    }

    /// The indices in as many bytes as the largest needs, and ClickHouse's number of that width.
    #[expect(clippy::cast_possible_truncation, reason = "the count of keys says that each index fits")]
    fn narrowest(&self) -> (u64, Vec<u8>) {
        match self.key_count {
            0..=0x100 => (0, self.indices.iter().map(|i| *i as u8).collect()),
            0x101..=0x1_0000 => (1, self.indices.iter().flat_map(|i| (*i as u16).to_le_bytes()).collect()),
            _ => (2, self.indices.iter().flat_map(|i| i.to_le_bytes()).collect()),
        }
    }
}
