//! Sorted values of several columns at once, as arrays: for populations that are small enough to be answered so.
//!
//! A sort of rows carries every value with its side through the engine's pipeline and over the wire row by row. An array of one
//! side's values is sorted in place and comes as it lies in memory, at a quarter of the cost; but it has to be held. It comes in
//! ClickHouse's Native format ([`native`](crate::native) tells its shape), which copies it where RowBinary writes value by value, and
//! of a file that is read in place in the type that the file has: 32 bits are sorted and copied in less time than 64.

use super::element::Element;
use super::pieces::Heads;
use super::{Population, PopulationColumn, SegmentKeys, Sql, Storage};
use crate::{Consume, Statement};

/// Asks for the values of each column that are not missing, ascending, one row a segment; read the answer with [`SortedRows`].
#[must_use]
pub fn sorted(population: &Population, columns: &[&PopulationColumn], segments: &SegmentKeys) -> Statement {
    let arrays: Vec<String> =
        columns.iter().map(|column| format!("arraySort({})", gathered(population, column))).collect();
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

/// The array of the values of a column that are not missing, of an [`Element`].
fn gathered(population: &Population, column: &PopulationColumn) -> String {
    let of_file = population.type_of(&column.name).and_then(Element::named);
    match (&column.storage, of_file) {
        (Storage::Number(Sql(sql)), Some(element)) if element.has_nan() => {
            format!("groupArrayIf({sql}, NOT isNaN({sql}))")
        }
        (Storage::Number(Sql(sql)), Some(_)) => format!("groupArray({sql})"),
        (storage, _) => format!("groupArray({})", storage.as_number().0),
    }
}

/// Reads the answer to [`sorted`] in `Native`. Of an answer of another shape it keeps no values, which whoever knows how many there are
/// sees.
#[derive(Debug)]
pub struct SortedRows {
    at: At,
    heads: Heads,
    block: Block,
    /// The values: by segment, then by column.
    pub values: Vec<Vec<Vec<f64>>>,
}

/// What the next bytes are.
#[derive(Debug, Clone, Copy)]
enum At {
    /// The head of a column.
    Head,
    /// The number of the segment of each row.
    Segments,
    /// Where the values of each row end.
    Ends(Element),
    /// The values of all rows.
    Values(Element),
    /// Nothing that is known.
    Unknown,
}

/// The block that is read.
#[derive(Debug, Default)]
struct Block {
    segments: Vec<usize>,
    ends: Vec<usize>,
    /// The row of the column, and how many values of the column were read.
    row: usize,
    done: usize,
}

impl SortedRows {
    /// No values yet of so many segments and columns.
    #[must_use]
    pub fn new(segments: usize, columns: usize) -> Self {
        let values = vec![vec![Vec::new(); columns]; segments];
        Self { at: At::Head, heads: Heads::default(), block: Block::default(), values }
    }

    /// Reads what comes next; `None` where more bytes are needed, and all of the chunk is taken.
    fn step(&mut self, chunk: &mut &[u8]) -> Option<At> {
        Some(match self.at {
            At::Head => {
                let name = self.heads.type_name(chunk)?;
                match (self.heads.column, Element::of_array(&name)) {
                    (0, _) if *name == *b"UInt32" => At::Segments,
                    (1.., Some(element)) => At::Ends(element),
                    _ => At::Unknown,
                }
            }
            At::Segments => {
                let numbers = self.heads.pieces.item(self.heads.rows.saturating_mul(4), chunk)?;
                let number = |bytes: &[u8; 4]| u32::from_le_bytes(*bytes) as usize;
                self.block.segments = numbers.as_chunks::<4>().0.iter().map(number).collect();
                self.heads.end_column();
                At::Head
            }
            At::Ends(element) => {
                let ends = self.heads.pieces.item(self.heads.rows.saturating_mul(8), chunk)?;
                let end = |bytes: &[u8; 8]| usize::try_from(u64::from_le_bytes(*bytes)).unwrap_or(usize::MAX);
                self.block.ends = ends.as_chunks::<8>().0.iter().map(end).collect();
                (self.block.row, self.block.done) = (0, 0);
                At::Values(element)
            }
            At::Values(element) => {
                while let Some(end) = self.block.ends.get(self.block.row) {
                    let left = end.saturating_sub(self.block.done);
                    let taken = self.take(element, left, chunk);
                    self.block.done += taken;
                    if taken < left {
                        return None;
                    }
                    self.block.row += 1;
                }
                self.heads.end_column();
                At::Head
            }
            At::Unknown => {
                *chunk = &[];
                At::Unknown
            }
        })
    }

    /// Takes what it can of the values that are left of a row; answers how many these are. Where they are fewer, it takes all of the
    /// chunk.
    fn take(&mut self, element: Element, left: usize, chunk: &mut &[u8]) -> usize {
        let width = element.width();
        let mut taken = 0;
        // A segment beyond those asked for has no place, and its values go nowhere.
        let mut nowhere = Vec::new();
        let segment =
            self.block.segments.get(self.block.row).and_then(|segment| self.values.get_mut(*segment));
        let place = segment.and_then(|row| row.get_mut(self.heads.column - 1)).unwrap_or(&mut nowhere);
        let rest = &mut self.heads.pieces.rest;
        if !rest.is_empty() {
            let more = (width - rest.len()).min(chunk.len());
            rest.extend_from_slice(&chunk[..more]);
            *chunk = &chunk[more..];
            if rest.len() == width {
                element.read(rest, place);
                rest.clear();
                taken = 1;
            }
        }
        let whole = (chunk.len() / width).min(left - taken);
        let (items, others) = chunk.split_at(width * whole);
        element.read(items, place);
        *chunk = others;
        taken += whole;
        if taken < left {
            rest.extend_from_slice(others);
            *chunk = &[];
        }
        taken
    }
}

impl Consume for SortedRows {
    fn consume(&mut self, mut chunk: &[u8]) {
        while !chunk.is_empty() {
            match self.step(&mut chunk) {
                None => return,
                Some(next) => self.at = next,
            }
        }
    }
}

#[cfg(test)]
mod tests;
