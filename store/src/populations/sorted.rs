//! Sorted values of several columns at once, as arrays: for populations that are small enough to be answered so.
//!
//! A sort of rows carries every value with its side through the engine's pipeline and over the wire row by row. An array of one
//! side's values is sorted in place and comes as it lies in memory, at a quarter of the cost; but it has to be held.

use super::{Population, PopulationColumn, SegmentKeys, Sql};
use crate::{Consume, Statement};

/// Asks for the values of each column that are not missing, ascending, one row a segment; read the answer with [`SortedRows`].
#[must_use]
pub fn sorted(population: &Population, columns: &[&PopulationColumn], segments: &SegmentKeys) -> Statement {
    let arrays: Vec<String> = columns
        .iter()
        .map(|column| {
            let Sql(number) = column.storage.as_number();
            format!("arraySort(groupArray({number}))")
        })
        .collect();
    let (arrays, from) = (arrays.join(", "), population.from.read(columns, &segments.names));
    Statement::new(match segments.names.is_empty() {
        true => format!("SELECT toUInt32(0) AS segment, {arrays} FROM {from}"),
        false => format!(
            "SELECT {} AS segment, {arrays} FROM {from} GROUP BY segment HAVING segment < {}",
            segments.number(population),
            segments.count()
        ),
    })
}

/// Reads the answer to [`sorted`] in `RowBinary`.
#[derive(Debug)]
pub struct SortedRows {
    columns: usize,
    at: At,
    /// Bytes of an item that is not whole yet.
    rest: Vec<u8>,
    segment: u32,
    column: usize,
    /// The values: by segment, then by column.
    pub values: Vec<Vec<Vec<f64>>>,
}

/// What the next bytes are.
#[derive(Debug, Clone, Copy)]
enum At {
    Segment,
    Length,
    /// So many values are still to come.
    Values(usize),
}

impl SortedRows {
    /// No values yet of so many segments and columns.
    #[must_use]
    pub fn new(segments: usize, columns: usize) -> Self {
        let values = vec![vec![Vec::new(); columns]; segments];
        Self { columns, at: At::Segment, rest: Vec::new(), segment: 0, column: 0, values }
    }

    /// The next `size` bytes, once all of them are there.
    fn item<const SIZE: usize>(&mut self, chunk: &mut &[u8]) -> Option<[u8; SIZE]> {
        let taken = (SIZE - self.rest.len()).min(chunk.len());
        self.rest.extend_from_slice(&chunk[..taken]);
        *chunk = &chunk[taken..];
        let item = self.rest.as_slice().try_into().ok()?;
        self.rest.clear();
        Some(item)
    }

    /// A length in LEB128.
    fn length(&mut self, chunk: &mut &[u8]) -> Option<usize> {
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

    /// Takes what it can of an array; answers how many values are left.
    fn take(&mut self, mut left: usize, chunk: &mut &[u8]) -> usize {
        // A segment beyond those asked for has no place, and its values go nowhere.
        let place = self.values.get_mut(self.segment as usize).and_then(|row| row.get_mut(self.column));
        let mut taken = place.map(std::mem::take).unwrap_or_default();
        if !self.rest.is_empty()
            && let Some(bytes) = self.item::<8>(chunk)
        {
            taken.push(f64::from_le_bytes(bytes));
            left -= 1;
        }
        let whole = (chunk.len() / 8).min(left);
        let (values, others) = chunk.split_at(8 * whole);
        taken.extend(values.as_chunks::<8>().0.iter().map(|eight| f64::from_le_bytes(*eight)));
        left -= whole;
        *chunk = others;
        if left > 0 {
            self.rest.extend_from_slice(others);
            *chunk = &[];
        }
        if let Some(place) =
            self.values.get_mut(self.segment as usize).and_then(|row| row.get_mut(self.column))
        {
            *place = taken;
        }
        left
    }
}

impl Consume for SortedRows {
    fn consume(&mut self, mut chunk: &[u8]) {
        while !chunk.is_empty() {
            self.at = match self.at {
                At::Segment => match self.item::<4>(&mut chunk) {
                    None => return,
                    Some(bytes) => {
                        (self.segment, self.column) = (u32::from_le_bytes(bytes), 0);
                        At::Length
                    }
                },
                At::Length => match self.length(&mut chunk) {
                    None => return,
                    Some(length) => At::Values(length),
                },
                At::Values(left) => At::Values(self.take(left, &mut chunk)),
            };
            if let At::Values(0) = self.at {
                self.column += 1;
                self.at = if self.column < self.columns { At::Length } else { At::Segment };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::SortedRows;
    use crate::Consume;

    #[test]
    fn arrays_survive_any_cut_between_chunks() {
        // 130 values need two bytes for their count.
        let array = |count: u32| (0..count).map(|i| f64::from(i) / 3.0).collect::<Vec<f64>>();
        let expected = vec![vec![array(2), array(0)], vec![array(130), array(1)]];
        let mut bytes = Vec::new();
        for segment in [1_usize, 0] {
            bytes.extend(u32::try_from(segment).unwrap().to_le_bytes());
            for values in &expected[segment] {
                match values.len() {
                    130 => bytes.extend([0x82, 0x01]),
                    count => bytes.push(u8::try_from(count).unwrap()),
                }
                values.iter().for_each(|value| bytes.extend(value.to_le_bytes()));
            }
        }
        for size in 1..=bytes.len() {
            let mut reader = SortedRows::new(2, 2);
            bytes.chunks(size).for_each(|chunk| reader.consume(chunk));
            assert_eq!(reader.values, expected, "chunks of {size} bytes");
        }
    }
}
