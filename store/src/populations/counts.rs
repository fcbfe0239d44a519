//! The categories of one population, counted and read as a stream: for a comparison with counts that are kept elsewhere.

use super::{Population, PopulationColumn, Storage, categories::bounded};
use crate::{Consume, Statement};

/// A column whose categories are counted on one side.
#[derive(Debug, Clone, Copy)]
pub struct CountedColumn<'a> {
    /// How it is read; `None` where the population does not have it.
    pub column: Option<&'a PopulationColumn>,
    /// Reads `True` as `true`.
    pub fold_case: bool,
}

impl CountedColumn<'_> {
    /// The expression of the values, as nullable String.
    pub(super) fn text(&self) -> String {
        let text = self.column.map_or(Storage::Nothing.as_text(), |column| column.storage.as_text()).0;
        if self.fold_case { format!("lower({text})") } else { text }
    }
}

/// The categories of these columns with how often each occurs; read the answer with [`CountRows`]. How many columns there may be, and
/// how many categories, is as for [`categories`](super::categories()).
#[must_use]
pub fn counts(population: &Population, columns: &[CountedColumn<'_>]) -> Statement {
    let each = |of: &dyn Fn(usize) -> String| (0..columns.len()).map(of).collect::<Vec<String>>().join(", ");
    let read: Vec<&PopulationColumn> = columns.iter().filter_map(|column| column.column).collect();
    let statement = Statement::new(format!(
        "SELECT column, category, n FROM (SELECT toUInt32(multiIf({}, {count})) AS column, ifNull(coalesce({}), '') AS category, \
         count() AS n FROM (SELECT {} FROM {}) GROUP BY GROUPING SETS ({})) WHERE column < {count}",
        each(&|i| format!("isNotNull(category_{i}), {i}")),
        each(&|i| format!("category_{i}")),
        each(&|i| format!("{} AS category_{i}", columns[i].text())),
        population.from.read(&read, &[]),
        each(&|i| format!("(category_{i})")),
        count = columns.len(),
    ));
    bounded(statement, columns.len())
}

/// Takes the categories of [`counts`] one by one.
pub trait CountSink: Send + 'static {
    /// Takes the next category and how often it occurs.
    fn push(&mut self, category: String, n: u64);
}

/// Reads the answer to [`counts`] in `RowBinary` into sinks, one a column.
#[derive(Debug)]
pub struct CountRows<S> {
    rest: Vec<u8>,
    /// Where the rows go.
    pub sinks: Vec<S>,
}

impl<S: CountSink> CountRows<S> {
    /// Hands each row to the sink of its column.
    pub fn new(sinks: Vec<S>) -> Self {
        Self { rest: Vec::new(), sinks }
    }
}

impl<S: CountSink> Consume for CountRows<S> {
    fn consume(&mut self, chunk: &[u8]) {
        self.rest.extend_from_slice(chunk);
        let mut done = 0;
        while let Some(row) = row(&self.rest[done..]) {
            done += row.bytes;
            if let Some(sink) = self.sinks.get_mut(row.column as usize) {
                sink.push(row.category, row.n);
            }
        }
        self.rest.drain(..done);
    }
}

/// A row, and how many bytes it takes.
struct Row {
    column: u32,
    category: String,
    n: u64,
    bytes: usize,
}

/// The first row: a UInt32, a length in LEB128, that many bytes of text, a UInt64. `None` where it is not whole yet.
fn row(bytes: &[u8]) -> Option<Row> {
    let (column, rest) = bytes.split_first_chunk::<4>()?;
    let mut length = 0_usize;
    let mut at = 0;
    loop {
        let byte = *rest.get(at)?;
        length |= usize::from(byte & 0x7f).checked_shl(7 * u32::try_from(at).ok()?)?;
        at += 1;
        if byte & 0x80 == 0 {
            break;
        }
    }
    let end = at.checked_add(length)?;
    let text = rest.get(at..end)?;
    let n = rest.get(end..end + 8)?.try_into().ok().map(u64::from_le_bytes)?;
    // What a text column holds need not be UTF-8; two categories that differ only there count as one.
    let category = String::from_utf8_lossy(text).into_owned();
    Some(Row { column: u32::from_le_bytes(*column), category, n, bytes: 4 + end + 8 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rowbinary;

    impl CountSink for Vec<(String, u64)> {
        fn push(&mut self, category: String, n: u64) {
            self.push((category, n));
        }
    }

    #[test]
    fn rows_survive_any_cut_between_chunks() {
        let rows: Vec<(String, u64)> =
            [("", 1), ("é", 2), (&"x".repeat(300), u64::MAX)].map(|(text, n)| (text.to_owned(), n)).into();
        let mut bytes = Vec::new();
        for (text, n) in &rows {
            for column in [1_u32, 0] {
                bytes.extend(column.to_le_bytes());
                rowbinary::string(&mut bytes, text);
                rowbinary::u64(&mut bytes, *n - u64::from(column));
            }
        }
        let others: Vec<(String, u64)> = rows.iter().map(|(text, n)| (text.clone(), n - 1)).collect();
        for size in 1..bytes.len() {
            let mut reader = CountRows::new(vec![Vec::new(), Vec::new()]);
            bytes.chunks(size).for_each(|chunk| reader.consume(chunk));
            assert_eq!(reader.sinks, [rows.clone(), others.clone()], "chunks of {size} bytes");
        }
    }
}
