//! A column that grows value by value out of RowBinary rows and ends as bytes of the Native format.

use super::Pieces;
use super::cursor::{Cursor, Malformed};
use super::dictionary::Dictionary;
use crate::wire::Wire;

#[derive(Debug)]
pub(super) enum Builder<'a> {
    /// Strings with their lengths: the same bytes in both formats.
    Text(Vec<u8>),
    /// Values of one width: the same bytes in both formats.
    Fixed {
        width: usize,
        values: Vec<u8>,
    },
    OptionalFixed {
        missing: Vec<u8>,
        values: Vec<u8>,
    },
    Word(Dictionary<'a>),
    OptionalWord(Dictionary<'a>),
    Map {
        ends: Ends,
        keys: Dictionary<'a>,
        values: Values<'a>,
    },
    List {
        ends: Ends,
        items: Box<Builder<'a>>,
    },
}

/// The values of a map column.
#[derive(Debug)]
pub(super) enum Values<'a> {
    Words(Dictionary<'a>),
    /// Strings with their lengths.
    Texts(Vec<u8>),
    Numbers(Vec<u8>),
    Vectors {
        ends: Ends,
        floats: Vec<u8>,
    },
}

/// Where the elements of each row end: a running count, 8 bytes a row.
#[derive(Debug, Default)]
pub(super) struct Ends {
    total: u64,
    bytes: Vec<u8>,
}

impl Ends {
    fn push(&mut self, n: usize) {
        self.total += n as u64;
        self.bytes.extend_from_slice(&self.total.to_le_bytes());
    }
}

/// Width of numbers, counts and times.
const FIXED_BYTES: usize = 8;
const F32_BYTES: usize = 4;

impl<'a> Builder<'a> {
    pub(super) fn new(wire: Wire, rows: usize) -> Self {
        let fixed = |width| Vec::with_capacity(rows * width);
        let map = |values| Self::Map {
            ends: Ends { total: 0, bytes: Vec::with_capacity(rows * FIXED_BYTES) },
            keys: Dictionary::new(rows),
            values,
        };
        let list = |items| Self::List {
            ends: Ends { total: 0, bytes: Vec::with_capacity(rows * FIXED_BYTES) },
            items: Box::new(Self::new(items, 0)),
        };
        match wire {
            Wire::Text => Self::Text(Vec::new()),
            Wire::Word => Self::Word(Dictionary::new(rows)),
            Wire::OptionalWord => Self::OptionalWord(Dictionary::nullable(rows)),
            Wire::Micros | Wire::Nanos | Wire::Number | Wire::Count | Wire::Integer => {
                Self::Fixed { width: FIXED_BYTES, values: fixed(FIXED_BYTES) }
            }
            Wire::Flag => Self::Fixed { width: 1, values: fixed(1) },
            Wire::OptionalNumber | Wire::OptionalCount => {
                Self::OptionalFixed { missing: Vec::with_capacity(rows), values: fixed(FIXED_BYTES) }
            }
            Wire::Words => map(Values::Words(Dictionary::new(rows))),
            Wire::Numbers => map(Values::Numbers(Vec::new())),
            Wire::Vectors => map(Values::Vectors { ends: Ends::default(), floats: Vec::new() }),
            Wire::Attributes => map(Values::Texts(Vec::new())),
            Wire::NanosList => list(Wire::Nanos),
            Wire::WordList => list(Wire::Word),
            Wire::TextList => list(Wire::Text),
            Wire::AttributesList => list(Wire::Attributes),
            Wire::CountList => list(Wire::Count),
            Wire::NumberList => list(Wire::Number),
        }
    }

    /// Takes the value of the next row.
    pub(super) fn push(&mut self, row: &mut Cursor<'a>) -> Result<(), Malformed> {
        match self {
            Self::Text(bytes) => bytes.extend_from_slice(row.encoded_string()?),
            Self::Fixed { width, values } => values.extend_from_slice(row.take(*width)?),
            Self::OptionalFixed { missing, values } => {
                let is_some = row.is_some()?;
                missing.push(u8::from(!is_some));
                values.extend_from_slice(if is_some { row.take(FIXED_BYTES)? } else { &[0; FIXED_BYTES] });
            }
            Self::Word(words) => words.push(0, row.string()?),
            Self::OptionalWord(words) if row.is_some()? => words.push(0, row.string()?),
            Self::OptionalWord(words) => words.push_null(),
            Self::Map { ends, keys, values } => {
                let n = row.length()?;
                for slot in 0..n {
                    keys.push(slot, row.string()?);
                    values.push(slot, row)?;
                }
                ends.push(n);
            }
            Self::List { ends, items } => {
                let n = row.length()?;
                for _ in 0..n {
                    items.push(row)?;
                }
                ends.push(n);
            }
        }
        Ok(())
    }

    pub(super) fn finish(self, pieces: &mut Pieces) {
        self.prefix(pieces);
        self.values(pieces);
    }

    /// What stands before all values of the column, its parts' included.
    fn prefix(&self, pieces: &mut Pieces) {
        match self {
            Self::Text(_) | Self::Fixed { .. } | Self::OptionalFixed { .. } => {}
            Self::Word(_) | Self::OptionalWord(_) => Dictionary::prefix(pieces),
            Self::Map { values, .. } => {
                Dictionary::prefix(pieces);
                if let Values::Words(_) = values {
                    Dictionary::prefix(pieces);
                }
            }
            Self::List { items, .. } => items.prefix(pieces),
        }
    }

    fn values(self, pieces: &mut Pieces) {
        match self {
            Self::Text(bytes) | Self::Fixed { values: bytes, .. } => pieces.buffer(bytes),
            Self::OptionalFixed { missing, values } => {
                pieces.buffer(missing);
                pieces.buffer(values);
            }
            Self::Word(words) | Self::OptionalWord(words) => words.finish(pieces),
            Self::Map { ends, keys, values } => {
                pieces.buffer(ends.bytes);
                keys.finish(pieces);
                values.finish(pieces);
            }
            Self::List { ends, items } => {
                pieces.buffer(ends.bytes);
                items.values(pieces);
            }
        }
    }
}

impl<'a> Values<'a> {
    fn push(&mut self, slot: usize, row: &mut Cursor<'a>) -> Result<(), Malformed> {
        match self {
            Self::Words(words) => words.push(slot, row.string()?),
            Self::Texts(bytes) => bytes.extend_from_slice(row.encoded_string()?),
            Self::Numbers(bytes) => bytes.extend_from_slice(row.take(FIXED_BYTES)?),
            Self::Vectors { ends, floats } => {
                let n = row.length()?;
                floats.extend_from_slice(row.take(n.saturating_mul(F32_BYTES))?);
                ends.push(n);
            }
        }
        Ok(())
    }

    fn finish(self, pieces: &mut Pieces) {
        match self {
            Self::Words(words) => words.finish(pieces),
            Self::Texts(bytes) | Self::Numbers(bytes) => pieces.buffer(bytes),
            Self::Vectors { ends, floats } => {
                pieces.buffer(ends.bytes);
                pieces.buffer(floats);
            }
        }
    }
}
