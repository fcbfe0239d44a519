//! Every row of a frame as one stream, chunk by chunk: what is true and predicted of two classes, and the score.
//!
//! Counts and walks are both made of it, so that predictions are joined with their outcomes once. The classes have to be known before;
//! a row of another class says so.

use std::collections::HashMap;

use foldhash::fast::RandomState;

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

    /// Whether it is the second; `None` where it is neither or not known.
    #[must_use]
    pub fn is_second(self) -> Option<bool> {
        match self {
            Self::First => Some(false),
            Self::Second => Some(true),
            Self::Neither | Self::Unknown => None,
        }
    }
}

/// One row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EveryRow {
    /// The key of the chunk.
    pub chunk: i32,
    /// The number of the segment; of a frame [of classes](super::frame_of_classes) the place of its code among [`Every::codes`].
    pub segment: u16,
    /// The true class.
    pub truth: OfTwo,
    /// The predicted class.
    pub said: OfTwo,
    /// The score; `None` without one.
    pub score: Option<f64>,
    /// The row's weight.
    pub weight: f64,
    /// When it was, microseconds since 1970 UTC; `None` where that is not known, and where the chunk says it.
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

/// In which order a stream has its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowsBy {
    /// By chunk, in any order within one. To sort ten million rows by their scores too costs the engine half as much again as all the rest.
    Chunk,
    /// By chunk and then by descending score, those without a score last.
    ChunkAndScore,
}

/// Stands for a time that is not known.
const NEVER: i64 = i64::MIN;

/// The columns that the stream of a frame has beside chunk, segment, classes and score.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Beside {
    /// Weights; else each row counts 1.
    weight: bool,
    /// Times.
    time: bool,
    /// Codes in place of the numbers of segments.
    codes: bool,
}

impl Beside {
    fn of(frame: &Frame) -> Self {
        Self { weight: frame.weighted, time: !frame.by_time, codes: frame.coded }
    }

    /// Whether each of the [`COLUMNS`] is there.
    fn here(self) -> [bool; 7] {
        [true, !self.codes, self.codes, true, true, self.weight, self.time]
    }
}

/// Asks for all rows; `asked` has two classes, those of the frame where it is one [of classes](super::frame_of_classes). Read the answer
/// with [`EveryRows`] in `Native`.
#[must_use]
pub fn every(frame: &Frame, asked: ClassCount<'_>, (of, by): (RowsOf, RowsBy)) -> Statement {
    let sides = match of {
        RowsOf::One => "1",
        RowsOf::Both => "toUInt8(assumeNotNull(wv_n0))",
    };
    let class = |column: &str| format!("if(isNull({column}), toUInt16(3), {})", place(column, asked.classes));
    let truth = match frame.placed {
        // From 0, not known, and the places counted from 1 to the places from 0, and 3.
        true => "bitAnd(wv_truth + 3, 3)".to_owned(),
        false => class("wv_t"),
    };
    let said = match asked.from_label {
        true => class("wv_l"),
        false => {
            format!("if(isNull(wv_s), toUInt16(3), toUInt16(assumeNotNull(wv_s) >= {:?}))", asked.threshold)
        }
    };
    let beside = Beside::of(frame);
    let weight = if beside.weight { ", wv_w" } else { "" };
    let time = match beside.time {
        true => format!(", ifNull(wv_time, toInt64({NEVER}))"),
        false => String::new(),
    };
    let segment = if beside.codes { "wv_code" } else { "wv_segment" };
    let order = match by {
        RowsBy::Chunk => "wv_chunk",
        RowsBy::ChunkAndScore => "wv_chunk, score DESC",
    };
    frame.statement(&format!(
        "SELECT wv_chunk, {segment}, toUInt8(assumeNotNull({truth}) + 4 * assumeNotNull({said}) + 16 * {sides}), \
         ifNull(wv_s, nan) AS score{weight}{time} FROM {{frame}} ORDER BY {order}",
    ))
}

/// Takes the rows of [`every`] one by one.
pub trait EverySink: Send + 'static {
    /// Takes the next row.
    fn push(&mut self, row: EveryRow);
}

/// Segments that may be met where they are not known before.
pub const CODES_MAX: usize = 512;

/// All rows of an answer.
#[derive(Debug)]
pub struct Every<S> {
    /// The sink that has taken them.
    pub sink: S,
    /// The [codes](crate::populations::Population::segments_of_codes) of the segments that were met, each at the number that its rows have.
    pub codes: Vec<u64>,
}

/// The numbers of segments by their codes, in the order in which they come.
#[derive(Debug, Default)]
struct Numbers {
    codes: Vec<u64>,
    by_code: HashMap<u64, u16, RandomState>,
}

impl Numbers {
    /// `None` beyond [`CODES_MAX`].
    fn of(&mut self, code: u64) -> Option<u16> {
        if let Some(number) = self.by_code.get(&code) {
            return Some(*number);
        }
        let number = u16::try_from(self.codes.len()).ok();
        self.codes.push(code);
        let number = number.filter(|_| !self.are_too_many())?;
        self.by_code.insert(code, number);
        Some(number)
    }

    fn are_too_many(&self) -> bool {
        self.codes.len() > CODES_MAX
    }
}

/// Reads the answer to [`every`] in `Native` into a sink, block by block.
#[derive(Debug)]
pub struct EveryRows<S> {
    beside: Beside,
    numbers: Numbers,
    /// Bytes of a block that is not whole yet.
    rest: Vec<u8>,
    /// The answer has another shape: what follows is passed over.
    odd: bool,
    sink: S,
}

impl<S: EverySink> EveryRows<S> {
    /// Hands each row of the answer of a frame to `sink`.
    pub fn new(frame: &Frame, sink: S) -> Self {
        Self::of(Beside::of(frame), sink)
    }

    fn of(beside: Beside, sink: S) -> Self {
        Self { beside, numbers: Numbers::default(), rest: Vec::new(), odd: false, sink }
    }

    /// Whether there are more than [`CODES_MAX`] segments, so that no answer can be read.
    #[must_use]
    pub fn has_too_many_codes(&self) -> bool {
        self.numbers.are_too_many()
    }

    /// All rows; `None` where the answer had another shape than it was asked for, broke off, or had more than [`CODES_MAX`] codes.
    pub fn finish(self) -> Option<Every<S>> {
        let Self { odd, rest, sink, numbers, .. } = self;
        (!odd && rest.is_empty()).then_some(Every { sink, codes: numbers.codes })
    }

    /// Hands on the rows of the first block; answers how many bytes it had.
    fn block(&mut self, bytes: &[u8]) -> Result<usize, Unread> {
        let mut cut = Cut(bytes);
        let (columns, rows) = (cut.length()?, cut.length()?);
        let here = self.beside.here();
        let asked = here.iter().filter(|here| **here).count();
        // The last block may say that nothing follows.
        if columns != asked && (columns, rows) != (0, 0) {
            return Err(Unread::Odd);
        }
        let mut values: [&[u8]; 7] = [&[]; 7];
        for (place, (name, width)) in
            COLUMNS.into_iter().enumerate().filter(|(place, _)| here[*place]).take(columns)
        {
            let called = cut.length()?;
            cut.bytes(called)?;
            let of_type = cut.length()?;
            if cut.bytes(of_type)? != name.as_bytes() {
                return Err(Unread::Odd);
            }
            values[place] = cut.bytes(rows.checked_mul(width).ok_or(Unread::Odd)?)?;
        }
        let [chunks, segments, codes, classes, scores, weights, times] = values;
        let (chunks, segments) = (chunks.as_chunks::<4>().0, segments.as_chunks::<2>().0);
        let [codes, scores, weights, times] =
            [codes, scores, weights, times].map(|bytes| bytes.as_chunks::<8>().0);
        let rows = chunks.iter().zip(classes).zip(scores);
        for (at, ((chunk, class), score)) in rows.enumerate() {
            let time = times.get(at).map(|time| i64::from_le_bytes(*time));
            let segment = match codes.get(at) {
                Some(code) => self.numbers.of(u64::from_le_bytes(*code)).ok_or(Unread::Odd)?,
                None => segments.get(at).map_or(0, |segment| u16::from_le_bytes(*segment)),
            };
            self.sink.push(EveryRow {
                chunk: i32::from_le_bytes(*chunk),
                segment,
                truth: OfTwo::of(*class),
                said: OfTwo::of(class >> 2),
                score: Some(f64::from_le_bytes(*score)).filter(|score| !score.is_nan()),
                weight: weights.get(at).map_or(1.0, |weight| f64::from_le_bytes(*weight)),
                at_us: time.filter(|time| *time != NEVER),
                of: [class & 16 != 0, class & 32 != 0],
            });
        }
        Ok(bytes.len() - cut.0.len())
    }
}

/// The columns in their order: the name of the type, and bytes of a value.
const COLUMNS: [(&str, usize); 7] =
    [("Int32", 4), ("UInt16", 2), ("UInt64", 8), ("UInt8", 1), ("Float64", 8), ("Float64", 8), ("Int64", 8)];

/// Why a block was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unread {
    /// Its end has not come yet.
    Short,
    /// It has another shape than was asked for.
    Odd,
}

/// What is left of the bytes of a block.
struct Cut<'b>(&'b [u8]);

impl<'b> Cut<'b> {
    /// A length in LEB128.
    fn length(&mut self) -> Result<usize, Unread> {
        let mut length = 0;
        for shift in (0..usize::BITS).step_by(7) {
            let (byte, left) = self.0.split_first().ok_or(Unread::Short)?;
            self.0 = left;
            length |= usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(length);
            }
        }
        Err(Unread::Odd)
    }

    fn bytes(&mut self, size: usize) -> Result<&'b [u8], Unread> {
        let (bytes, left) = self.0.split_at_checked(size).ok_or(Unread::Short)?;
        self.0 = left;
        Ok(bytes)
    }
}

impl<S: EverySink> Consume for EveryRows<S> {
    fn consume(&mut self, chunk: &[u8]) {
        if self.odd {
            return;
        }
        let mut rest = std::mem::take(&mut self.rest);
        rest.extend_from_slice(chunk);
        let mut read = 0;
        while read < rest.len() {
            match self.block(&rest[read..]) {
                Ok(bytes) => read += bytes,
                Err(Unread::Short) => break,
                Err(Unread::Odd) => {
                    self.odd = true;
                    return;
                }
            }
        }
        rest.drain(..read);
        self.rest = rest;
    }
}

#[cfg(test)]
mod tests {
    use super::{Beside, CODES_MAX, COLUMNS, EveryRow, EveryRows, EverySink, NEVER, OfTwo};
    use crate::Consume;

    impl EverySink for Vec<EveryRow> {
        fn push(&mut self, row: EveryRow) {
            self.push(row);
        }
    }

    fn rows(beside: Beside) -> Vec<EveryRow> {
        (0..16_u16)
            .map(|i| EveryRow {
                chunk: -i32::from(i),
                segment: i,
                truth: OfTwo::ALL[usize::from(i % 4)],
                said: OfTwo::ALL[usize::from(i / 4)],
                score: (i % 3 > 0).then(|| f64::from(i) / 3.0),
                weight: if beside.weight { f64::from(i) / 7.0 } else { 1.0 },
                at_us: (beside.time && i % 5 > 0).then(|| 1_735_689_600_000_000 + i64::from(i)),
                of: [i % 2 > 0, i % 3 > 0],
            })
            .collect()
    }

    /// Some code for each segment.
    fn segment_code(segment: u16) -> u64 {
        u64::from(segment).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }

    /// The values of a column of a block.
    fn column(rows: &[EveryRow], place: usize) -> Vec<u8> {
        // The true class counts 1, the predicted one 4, by their places; sides count 16.
        let code = |row: &EveryRow| {
            row.truth as u8 + 4 * row.said as u8 + 16 * u8::from(row.of[0]) + 32 * u8::from(row.of[1])
        };
        let value = |row: &EveryRow| match place {
            0 => row.chunk.to_le_bytes().to_vec(),
            1 => row.segment.to_le_bytes().to_vec(),
            2 => segment_code(row.segment).to_le_bytes().to_vec(),
            3 => vec![code(row)],
            4 => row.score.unwrap_or(f64::NAN).to_le_bytes().to_vec(),
            5 => row.weight.to_le_bytes().to_vec(),
            _ => row.at_us.unwrap_or(NEVER).to_le_bytes().to_vec(),
        };
        rows.iter().flat_map(value).collect()
    }

    fn block(rows: &[EveryRow], beside: Beside) -> Vec<u8> {
        let here = beside.here();
        let places: Vec<usize> = (0..here.len()).filter(|place| here[*place]).collect();
        let mut bytes = vec![u8::try_from(places.len()).unwrap(), u8::try_from(rows.len()).unwrap()];
        for place in places {
            for text in ["score", COLUMNS[place].0] {
                bytes.push(u8::try_from(text.len()).unwrap());
                bytes.extend(text.as_bytes());
            }
            bytes.extend(column(rows, place));
        }
        bytes
    }

    #[test]
    fn rows_survive_any_cut_between_chunks() {
        let bits = (0..8_u8).map(|bits| [1, 2, 4].map(|bit| bits & bit != 0));
        for [weight, time, codes] in bits {
            let beside = Beside { weight, time, codes };
            let rows = rows(beside);
            let blocks = [&rows[..0], &rows[..5], &rows[5..]].map(|rows| block(rows, beside));
            let bytes = [blocks.concat(), vec![0, 0]].concat();
            for size in 1..bytes.len() {
                let mut reader = EveryRows::of(beside, Vec::new());
                bytes.chunks(size).for_each(|chunk| reader.consume(chunk));
                let every = reader.finish().unwrap();
                assert_eq!(every.sink, rows, "chunks of {size} bytes, {beside:?}");
                let expected = if codes { (0..16).map(segment_code).collect() } else { Vec::new() };
                assert_eq!(every.codes, expected);
            }
        }
    }

    #[test]
    fn an_answer_of_another_shape_or_without_its_end_is_none() {
        let [narrow, wide] = [false, true].map(|weight| Beside { weight, time: false, codes: false });
        let bytes = block(&rows(wide), wide);
        let read = |beside, bytes: &[u8]| {
            let mut reader = EveryRows::of(beside, Vec::<EveryRow>::new());
            reader.consume(bytes);
            reader.finish().map(|every| every.sink.len())
        };
        assert_eq!(read(wide, &bytes), Some(16));
        assert_eq!(read(narrow, &bytes), None);
        assert_eq!(read(wide, &bytes[..bytes.len() - 1]), None);
        let text = String::from_utf8_lossy(&bytes[2..15]).into_owned();
        assert!(text.contains("score\u{5}Int32"), "{text:?}");
        let odd = [&bytes[..9], b"UInt3", &bytes[14..]].concat();
        assert_eq!(read(wide, &odd), None);
    }

    #[test]
    fn more_segments_than_may_be_met_are_none() {
        let beside = Beside { weight: false, time: false, codes: true };
        let row = |segment: usize| EveryRow { segment: u16::try_from(segment).unwrap(), ..rows(beside)[0] };
        for (segments, fits) in [(CODES_MAX, true), (CODES_MAX + 1, false)] {
            let bytes: Vec<u8> = (0..segments).flat_map(|segment| block(&[row(segment)], beside)).collect();
            let mut reader = EveryRows::of(beside, Vec::new());
            reader.consume(&bytes);
            assert_eq!(reader.has_too_many_codes(), !fits);
            assert_eq!(reader.finish().map(|every| every.codes.len()), fits.then_some(segments));
        }
    }
}
