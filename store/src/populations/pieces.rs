//! Items of an answer in ClickHouse's Native format, which may be cut anywhere between chunks.

use std::borrow::Cow;

/// What has come of an item that is not whole yet.
#[derive(Debug, Default)]
pub(super) struct Pieces {
    /// Its first bytes.
    pub(super) rest: Vec<u8>,
}

impl Pieces {
    /// The next `size` bytes, once all of them are there; copied only where they came in several chunks.
    pub(super) fn item<'c>(&mut self, size: usize, chunk: &mut &'c [u8]) -> Option<Cow<'c, [u8]>> {
        let (taken, others) = chunk.split_at((size - self.rest.len()).min(chunk.len()));
        *chunk = others;
        if self.rest.is_empty() && taken.len() == size {
            return Some(Cow::Borrowed(taken));
        }
        self.rest.extend_from_slice(taken);
        (self.rest.len() == size).then(|| Cow::Owned(std::mem::take(&mut self.rest)))
    }

    /// A length in LEB128.
    pub(super) fn length(&mut self, chunk: &mut &[u8]) -> Option<usize> {
        while let Some((byte, others)) = chunk.split_first() {
            *chunk = others;
            self.rest.push(*byte);
            if byte & 0x80 == 0 {
                let length = self.rest.iter().rev().fold(0, |sum, byte| sum << 7 | usize::from(byte & 0x7f));
                self.rest.clear();
                return Some(length);
            }
        }
        None
    }
}
