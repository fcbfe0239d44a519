//! The features of rows as numbers, for models of losses: read as a stream, or as a sample drawn by a hash of the row.

use super::Frame;
use super::frame::{place, texts};
use crate::{Consume, Statement};

/// One feature of the frame's columns beside its roles.
#[derive(Debug, Clone, PartialEq)]
pub enum Feature {
    /// A number as it is.
    Number,
    /// A word by the number that stands for it; others, and missing ones, by the last.
    Word {
        /// The words.
        words: Vec<String>,
        /// A number each.
        numbers: Vec<f64>,
        /// That of other words.
        other: f64,
    },
}

/// What is asked.
#[derive(Debug, Clone, Copy)]
pub struct FeaturesAsked<'a> {
    /// One entry a column beside the roles.
    pub features: &'a [Feature],
    /// The classes; none of a regression.
    pub classes: &'a [String],
    /// How many rows at most, drawn by a hash; all of them, in no order, where `None`.
    pub sample: Option<u64>,
    /// Whether only rows to learn from are asked for: those that have a target and count.
    pub labelled: bool,
}

/// A row with its features.
#[derive(Debug, Clone, PartialEq)]
pub struct FeatureRow {
    /// The key of the chunk.
    pub chunk: i32,
    /// The number of the segment.
    pub segment: u16,
    /// What was true: a number, or the place of a class; NaN where that is not known.
    pub truth: f64,
    /// What was predicted: a number, or the score of the second class.
    pub predicted: f64,
    /// The row's weight.
    pub weight: f64,
    /// The features, NaN where one is missing.
    pub features: Vec<f64>,
}

/// Asks for rows that have a prediction; read the answer with [`FeatureRows`] in `RowBinary`.
#[must_use]
pub fn features(frame: &Frame, asked: FeaturesAsked<'_>) -> Statement {
    let each: Vec<String> = asked
        .features
        .iter()
        .enumerate()
        .map(|(i, feature)| match feature {
            Feature::Number => format!("ifNull(wv_n{i}, nan)"),
            Feature::Word { words, numbers, other } => {
                let numbers: Vec<String> = numbers.iter().map(|number| format!("{number:?}")).collect();
                format!(
                    "transform(ifNull(wv_c{i}, '\\0'), {}, [{}]::Array(Float64), {other:?})",
                    texts(words),
                    numbers.join(", ")
                )
            }
        })
        .collect();
    let (truth, known) = match asked.classes {
        [] => ("ifNull(wv_y, nan)".to_owned(), "isNotNull(wv_y)".to_owned()),
        classes => {
            let place = place("wv_t", classes);
            let none = classes.len();
            (
                format!("if(isNull(wv_t) OR {place} = {none}, nan, toFloat64({place}))"),
                format!("isNotNull(wv_t) AND {place} < {none}"),
            )
        }
    };
    let predicted = if asked.classes.is_empty() { "wv_v" } else { "wv_s" };
    let labelled = if asked.labelled { format!(" AND {known} AND wv_w > 0") } else { String::new() };
    let drawn = match asked.sample {
        Some(most) => format!(" ORDER BY cityHash64(wv_row), wv_row LIMIT {most}"),
        None => String::new(),
    };
    frame.statement(&format!(
        "SELECT wv_chunk, wv_segment, assumeNotNull({truth}), assumeNotNull({predicted}), wv_w, [{}]::Array(Float64) \
         FROM {{frame}} WHERE isFinite({predicted}){labelled}{drawn}",
        each.join(", "),
    ))
}

/// Takes the rows of [`features`] one by one.
pub trait FeatureSink: Send + 'static {
    /// Takes the next row.
    fn push(&mut self, row: FeatureRow);
}

/// Reads the answer to [`features`] in `RowBinary` into a sink.
#[derive(Debug)]
pub struct FeatureRows<S> {
    rest: Vec<u8>,
    width: usize,
    /// Where the rows go.
    pub sink: S,
}

impl<S: FeatureSink> FeatureRows<S> {
    /// Hands each row of so many features to `sink`.
    pub fn new(width: usize, sink: S) -> Self {
        Self { rest: Vec::new(), width, sink }
    }

    /// Bytes of the count of features, in LEB128: rows have one width.
    fn count_bytes(&self) -> usize {
        if self.width < 128 { 1 } else { 2 }
    }

    /// Bytes of a row: Int32, UInt16, three Float64, the count of features, a Float64 each.
    fn row_bytes(&self) -> usize {
        30 + self.count_bytes() + 8 * self.width
    }

    fn row(&self, row: &[u8]) -> FeatureRow {
        let eight = |at: usize| f64::from_le_bytes(row[at..at + 8].try_into().expect("a whole row"));
        let first = 30 + self.count_bytes();
        FeatureRow {
            chunk: i32::from_le_bytes(row[..4].try_into().expect("a whole row")),
            segment: u16::from_le_bytes(row[4..6].try_into().expect("a whole row")),
            truth: eight(6),
            predicted: eight(14),
            weight: eight(22),
            features: (0..self.width).map(|i| eight(first + 8 * i)).collect(),
        }
    }
}

impl<S: FeatureSink> Consume for FeatureRows<S> {
    fn consume(&mut self, chunk: &[u8]) {
        self.rest.extend_from_slice(chunk);
        let size = self.row_bytes();
        let rest = std::mem::take(&mut self.rest);
        let rows = rest.chunks_exact(size);
        self.rest = rows.remainder().to_vec();
        for row in rows {
            let row = self.row(row);
            self.sink.push(row);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{FeatureRow, FeatureRows, FeatureSink};
    use crate::Consume;

    impl FeatureSink for Vec<FeatureRow> {
        fn push(&mut self, row: FeatureRow) {
            self.push(row);
        }
    }

    #[test]
    fn rows_survive_any_cut_between_chunks() {
        for width in [1_usize, 3, 130] {
            let rows: Vec<FeatureRow> = (0..3_u16)
                .map(|i| FeatureRow {
                    chunk: -i32::from(i),
                    segment: i,
                    truth: f64::from(i) / 3.0,
                    predicted: 0.5,
                    weight: 1.0,
                    features: (0..width).map(|at| at as f64 / 7.0).collect(),
                })
                .collect();
            let mut bytes = Vec::new();
            for row in &rows {
                bytes.extend(row.chunk.to_le_bytes());
                bytes.extend(row.segment.to_le_bytes());
                [row.truth, row.predicted, row.weight].iter().for_each(|x| bytes.extend(x.to_le_bytes()));
                match width {
                    130 => bytes.extend([0x82, 0x01]),
                    width => bytes.push(u8::try_from(width).unwrap()),
                }
                row.features.iter().for_each(|x| bytes.extend(x.to_le_bytes()));
            }
            for size in [1, 7, 29, 30, 31, 64, bytes.len()] {
                let mut reader = FeatureRows::new(width, Vec::new());
                bytes.chunks(size).for_each(|chunk| reader.consume(chunk));
                assert_eq!(reader.sink, rows, "chunks of {size} bytes");
            }
        }
    }
}
