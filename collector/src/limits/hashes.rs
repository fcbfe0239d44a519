//! Sets of 64-bit hashes: what is remembered of names and words to count them.

use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hasher};

/// Hashes; 100,000 of them take about a megabyte.
pub(super) type Hashes = HashSet<u64, BuildHasherDefault<AsItIs>>;

/// A hash is spread already.
#[derive(Debug, Default)]
pub(super) struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes.iter().fold(self.0, |hash, byte| hash << 8 | u64::from(*byte));
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}
