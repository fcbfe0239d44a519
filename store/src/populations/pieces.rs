//! Items of an answer in ClickHouse's Native format, which may be cut anywhere between chunks, and the heads of its columns.

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

/// The heads of columns in an answer of several blocks: what stands before the values of each.
#[derive(Debug, Default)]
pub(super) struct Heads {
    pub(super) pieces: Pieces,
    part: Part,
    /// Columns and rows of the block that is read.
    pub(super) columns: usize,
    pub(super) rows: usize,
    /// The place of the column among those of the block.
    pub(super) column: usize,
}

/// What the next bytes of a head are.
#[derive(Debug, Clone, Copy, Default)]
enum Part {
    /// The number of columns of the next block.
    #[default]
    Columns,
    /// The number of its rows.
    Rows,
    /// The length of the name of a column.
    NameLength,
    /// The name, of so many bytes.
    Name(usize),
    /// The length of the name of its type.
    TypeLength,
    /// That name, of so many bytes.
    Type(usize),
}

impl Heads {
    /// The name of the type of the next column, whose values follow; `None` where more bytes are needed, and all of the chunk is taken.
    pub(super) fn type_name<'c>(&mut self, chunk: &mut &'c [u8]) -> Option<Cow<'c, [u8]>> {
        loop {
            self.part = match self.part {
                Part::Columns => {
                    self.columns = self.pieces.length(chunk)?;
                    Part::Rows
                }
                Part::Rows => {
                    self.rows = self.pieces.length(chunk)?;
                    self.column = 0;
                    Part::NameLength
                }
                Part::NameLength => Part::Name(self.pieces.length(chunk)?),
                Part::Name(length) => {
                    self.pieces.item(length, chunk)?;
                    Part::TypeLength
                }
                Part::TypeLength => Part::Type(self.pieces.length(chunk)?),
                Part::Type(length) => return self.pieces.item(length, chunk),
            };
        }
    }

    /// Ends a column, all values of which were read; whether it was the last one of its block.
    pub(super) fn end_column(&mut self) -> bool {
        self.column += 1;
        let ends_block = self.column >= self.columns;
        self.part = if ends_block { Part::Columns } else { Part::NameLength };
        ends_block
    }
}
