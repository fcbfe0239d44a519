//! Reads RowBinary values out of a chunk, with every length checked.

/// Rows that are not what they are said to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// A chunk ends inside a row, or a length in it leads past its end.
    #[error("a row is cut off at byte {at} of its chunk")]
    CutOff {
        /// Where, bytes from the start of the chunk.
        at: usize,
    },
    /// A length of more than ten bytes, or a flag other than 0 and 1.
    #[error("byte {at} of a chunk is no length or flag")]
    Value {
        /// Where, bytes from the start of the chunk.
        at: usize,
    },
    /// The chunks hold another number of rows than the block says.
    #[error("the block says {said} rows and holds {found}")]
    RowCount {
        /// Rows counted.
        found: u64,
        /// Rows said.
        said: u64,
    },
}

/// A position in a chunk of rows.
#[derive(Debug)]
pub(super) struct Cursor<'a> {
    chunk: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(chunk: &'a [u8]) -> Self {
        Self { chunk, at: 0 }
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.at == self.chunk.len()
    }

    /// Bytes from the start of the chunk.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    pub(super) fn take(&mut self, n: usize) -> Result<&'a [u8], Malformed> {
        let cut_off = Malformed::CutOff { at: self.at };
        let taken = self.chunk.get(self.at..self.at.checked_add(n).ok_or(cut_off)?).ok_or(cut_off)?;
        self.at += n;
        Ok(taken)
    }

    pub(super) fn length(&mut self) -> Result<usize, Malformed> {
        let start = self.at;
        let mut length = 0_usize;
        for shift in (0..usize::BITS).step_by(7) {
            let byte = self.take(1)?[0];
            length |= usize::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(length);
            }
        }
        Err(Malformed::Value { at: start })
    }

    /// The bytes of a string without its length.
    pub(super) fn string(&mut self) -> Result<&'a [u8], Malformed> {
        let length = self.length()?;
        self.take(length)
    }

    /// A string as it is encoded, length first.
    pub(super) fn encoded_string(&mut self) -> Result<&'a [u8], Malformed> {
        let start = self.at;
        self.string()?;
        Ok(&self.chunk[start..self.at])
    }

    /// Whether a Nullable value is there.
    pub(super) fn is_some(&mut self) -> Result<bool, Malformed> {
        match self.take(1)?[0] {
            0 => Ok(true),
            1 => Ok(false),
            _ => Err(Malformed::Value { at: self.at - 1 }),
        }
    }
}
