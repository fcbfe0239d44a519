//! Every row of a frame as one stream: what is true and predicted of two classes, and scores in descending order within each chunk.
//!
//! Counts and walks are both made of it, so that predictions are joined with their outcomes once. The classes have to be known before;
//! a row of another class says so.

use super::Frame;
use super::counts::ClassCount;
use super::frame::place;
use crate::{Consume, Statement};

/// Which of two classes a row is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OfTwo {
    /// The first.
    First,
    /// The second.
    Second,
    /// Neither.
    Neither,
    /// That is not known.
    Unknown,
}

impl OfTwo {
    /// All of them, each at its place.
    pub const ALL: [Self; 4] = [Self::First, Self::Second, Self::Neither, Self::Unknown];

    fn of(code: u8) -> Self {
        Self::ALL[usize::from(code & 3)]
    }
}

/// One row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EveryRow {
    /// The key of the chunk.
    pub chunk: i32,
    /// The number of the segment.
    pub segment: u16,
    /// The true class.
    pub truth: OfTwo,
    /// The predicted class.
    pub said: OfTwo,
    /// The score; `None` without one.
    pub score: Option<f64>,
    /// The row's weight.
    pub weight: f64,
    /// When it was, microseconds since 1970 UTC; `None` where that is not known.
    pub at_us: Option<i64>,
    /// Whether it is of the first and of the second population; of one population alone it is of the first.
    pub of: [bool; 2],
}

/// Whose rows a stream has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowsOf {
    /// One population's.
    One,
    /// Those of two that were put [together](crate::populations::together): their column of sides is the frame's first beside its roles.
    Both,
}

/// Stands for a time that is not known.
const NEVER: i64 = i64::MIN;

/// Asks for all rows, by chunk and then by score, those without a score last; `asked` has two classes. Read the answer with [`EveryRows`]
/// in `RowBinary`.
#[must_use]
pub fn every(frame: &Frame, asked: ClassCount<'_>, of: RowsOf) -> Statement {
    let sides = match of {
        RowsOf::One => "1",
        RowsOf::Both => "toUInt8(assumeNotNull(wv_n0))",
    };
    let class = |column: &str| format!("if(isNull({column}), toUInt16(3), {})", place(column, asked.classes));
    let said = match asked.from_label {
        true => class("wv_l"),
        false => {
            format!("if(isNull(wv_s), toUInt16(3), toUInt16(assumeNotNull(wv_s) >= {:?}))", asked.threshold)
        }
    };
    frame.statement(&format!(
        "SELECT wv_chunk, wv_segment, toUInt8(assumeNotNull({}) + 4 * assumeNotNull({said}) + 16 * {sides}), ifNull(wv_s, nan) AS score, \
         wv_w, ifNull(wv_time, toInt64({NEVER})) FROM {{frame}} ORDER BY wv_chunk, score DESC",
        class("wv_t"),
    ))
}

/// Takes the rows of [`every`] one by one.
pub trait EverySink: Send + 'static {
    /// Takes the next row.
    fn push(&mut self, row: EveryRow);
}

/// Reads the answer to [`every`] in `RowBinary` into a sink.
#[derive(Debug)]
pub struct EveryRows<S> {
    rest: Vec<u8>,
    /// Where the rows go.
    pub sink: S,
}

impl<S: EverySink> EveryRows<S> {
    /// Hands each row to `sink`.
    pub fn new(sink: S) -> Self {
        Self { rest: Vec::new(), sink }
    }
}

/// Bytes of a row: Int32, UInt16, UInt8, Float64, Float64, Int64.
const EVERY_ROW: usize = 31;

impl<S: EverySink> Consume for EveryRows<S> {
    fn consume(&mut self, mut chunk: &[u8]) {
        if !self.rest.is_empty() {
            let missing = (EVERY_ROW - self.rest.len()).min(chunk.len());
            self.rest.extend_from_slice(&chunk[..missing]);
            chunk = &chunk[missing..];
            if self.rest.len() < EVERY_ROW {
                return;
            }
            self.sink.push(every_row(&self.rest));
            self.rest.clear();
        }
        let rows = chunk.chunks_exact(EVERY_ROW);
        self.rest.extend_from_slice(rows.remainder());
        rows.for_each(|row| self.sink.push(every_row(row)));
    }
}

fn every_row(row: &[u8]) -> EveryRow {
    let eight = |at: usize| -> [u8; 8] { row[at..at + 8].try_into().expect("a whole row") };
    let score = f64::from_le_bytes(eight(7));
    let at_us = i64::from_le_bytes(eight(23));
    EveryRow {
        chunk: i32::from_le_bytes(row[..4].try_into().expect("a whole row")),
        segment: u16::from_le_bytes(row[4..6].try_into().expect("a whole row")),
        truth: OfTwo::of(row[6]),
        said: OfTwo::of(row[6] >> 2),
        score: Some(score).filter(|score| !score.is_nan()),
        weight: f64::from_le_bytes(eight(15)),
        at_us: Some(at_us).filter(|at| *at != NEVER),
        of: [row[6] & 16 != 0, row[6] & 32 != 0],
    }
}

#[cfg(test)]
mod tests {
    use super::{EveryRow, EveryRows, EverySink, NEVER, OfTwo};
    use crate::Consume;

    impl EverySink for Vec<EveryRow> {
        fn push(&mut self, row: EveryRow) {
            self.push(row);
        }
    }

    #[test]
    fn rows_survive_any_cut_between_chunks() {
        let rows: Vec<EveryRow> = (0..16_u16)
            .map(|i| EveryRow {
                chunk: -i32::from(i),
                segment: i,
                truth: OfTwo::ALL[usize::from(i % 4)],
                said: OfTwo::ALL[usize::from(i / 4)],
                score: (i % 3 > 0).then(|| f64::from(i) / 3.0),
                weight: f64::from(i) / 7.0,
                at_us: (i % 5 > 0).then(|| 1_735_689_600_000_000 + i64::from(i)),
                of: [i % 2 > 0, i % 3 > 0],
            })
            .collect();
        let bytes: Vec<u8> = rows
            .iter()
            .zip(0_u8..)
            .flat_map(|(row, i)| {
                let mut bytes = row.chunk.to_le_bytes().to_vec();
                bytes.extend(row.segment.to_le_bytes());
                // The true class counts 1, the predicted one 4: the number of the row, by its making. Sides count 16.
                bytes.push(i + 16 * u8::from(i % 2 > 0) + 32 * u8::from(i % 3 > 0));
                bytes.extend(row.score.unwrap_or(f64::NAN).to_le_bytes());
                bytes.extend(row.weight.to_le_bytes());
                bytes.extend(row.at_us.unwrap_or(NEVER).to_le_bytes());
                bytes
            })
            .collect();
        for size in 1..bytes.len() {
            let mut reader = EveryRows::new(Vec::new());
            bytes.chunks(size).for_each(|chunk| reader.consume(chunk));
            assert_eq!(reader.sink, rows, "chunks of {size} bytes");
        }
    }
}
