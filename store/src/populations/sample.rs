//! Bounded, seeded samples: which rows they take, and how their answers are read.
//!
//! A row is taken by a hash of what identifies it, so that the same rows come whatever the threads did, and in an order that has
//! nothing to do with that of the population.

use super::Sql;
use crate::Consume;

/// How many rows of each segment a sample takes.
#[derive(Debug, Clone, Copy)]
pub struct Sampled<'a> {
    /// Rows at most.
    pub rows_max: u64,
    /// How many there are to choose from, one entry a segment.
    pub available: &'a [u64],
    /// Which sample.
    pub seed: u64,
}

impl Sampled<'_> {
    /// The hash up to which a row of each segment is looked at: a few more than wanted, so that only they are sorted.
    #[expect(clippy::cast_sign_loss, reason = "a share of 0 to 1")]
    pub(super) fn up_to(&self) -> String {
        let wanted = self.rows_max as f64;
        let share = |available: &u64| (wanted + 6.0 * wanted.sqrt() + 50.0) / (*available).max(1) as f64;
        let hashes: Vec<String> = self
            .available
            .iter()
            .map(|available| match share(available) {
                share if share >= 1.0 => u64::MAX,
                share => (share * u64::MAX as f64) as u64,
            })
            .map(|hash| hash.to_string())
            .collect();
        let segments: Vec<String> = (0..self.available.len()).map(|i| i.to_string()).collect();
        format!(
            "transform(segment, [{}]::Array(UInt32), [{}]::Array(UInt64), toUInt64(0))",
            segments.join(", "),
            hashes.join(", ")
        )
    }

    /// The hash of a row.
    pub(super) fn hash(&self, Sql(row): &Sql) -> String {
        format!("sipHash64(toUInt64({}), {row})", self.seed)
    }
}

/// Takes sampled values one by one.
pub trait SampleSink: Send + 'static {
    /// Bytes of one element of a value: 4 of a vector of Float32, 1 of a text.
    const ELEMENT_BYTES: usize;

    /// Takes the elements of the next value of a segment, as they come on the wire.
    fn push(&mut self, segment: u32, elements: &[u8]);
}

/// Reads rows of a segment's number and a value of many elements, in `RowBinary`, into a sink.
#[derive(Debug)]
pub struct SampleRows<S> {
    rest: Vec<u8>,
    /// Where the values go.
    pub sink: S,
}

impl<S: SampleSink> SampleRows<S> {
    /// Hands each value to `sink`.
    pub fn new(sink: S) -> Self {
        Self { rest: Vec::new(), sink }
    }

    /// The bytes of the first row, or `None` where it is not whole yet.
    fn take(&mut self, bytes: &[u8]) -> Option<usize> {
        let (segment, rest) = bytes.split_first_chunk::<4>()?;
        let (count, prefix) = varint(rest)?;
        let elements = rest.get(prefix..)?.get(..S::ELEMENT_BYTES * count)?;
        self.sink.push(u32::from_le_bytes(*segment), elements);
        Some(4 + prefix + elements.len())
    }
}

impl<S: SampleSink> Consume for SampleRows<S> {
    fn consume(&mut self, chunk: &[u8]) {
        let mut bytes = std::mem::take(&mut self.rest);
        bytes.extend_from_slice(chunk);
        let mut at = 0;
        while let Some(taken) = self.take(&bytes[at..]) {
            at += taken;
        }
        bytes.drain(..at);
        self.rest = bytes;
    }
}

/// The Float32 values of an array on the wire.
pub fn floats(elements: &[u8]) -> impl Iterator<Item = f32> {
    elements.as_chunks::<4>().0.iter().map(|four| f32::from_le_bytes(*four))
}

/// A length in LEB128, and how many bytes it took.
fn varint(bytes: &[u8]) -> Option<(usize, usize)> {
    let mut value = 0_usize;
    for (i, byte) in bytes.iter().take(9).enumerate() {
        value |= usize::from(byte & 0x7f) << (7 * i);
        if byte & 0x80 == 0 {
            return Some((value, i + 1));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::{SampleRows, SampleSink, floats};
    use crate::Consume;

    #[derive(Debug, Default)]
    struct Vectors(Vec<(u32, Vec<f32>)>);

    impl SampleSink for Vectors {
        const ELEMENT_BYTES: usize = 4;

        fn push(&mut self, segment: u32, elements: &[u8]) {
            self.0.push((segment, floats(elements).collect()));
        }
    }

    #[test]
    fn vectors_survive_any_cut_between_chunks() {
        // 130 values need two bytes for their count.
        let rows: Vec<(u32, Vec<f32>)> = [2_u8, 130, 1]
            .into_iter()
            .map(|width| (u32::from(width), (0..width).map(f32::from).collect()))
            .collect();
        let mut bytes = Vec::new();
        for (segment, vector) in &rows {
            bytes.extend(segment.to_le_bytes());
            match vector.len() {
                130 => bytes.extend([0x82, 0x01]),
                width => bytes.push(u8::try_from(width).unwrap()),
            }
            vector.iter().for_each(|value| bytes.extend(value.to_le_bytes()));
        }
        for size in 1..bytes.len() {
            let mut reader = SampleRows::new(Vectors::default());
            bytes.chunks(size).for_each(|chunk| reader.consume(chunk));
            assert_eq!(reader.sink.0, rows, "chunks of {size} bytes");
        }
    }
}
