//! The categories of one population, counted and read as a stream: for a comparison with counts that are kept elsewhere.

use super::{Population, PopulationColumn};
use crate::{Consume, Statement};

/// The categories of a column with how often each occurs; read the answer with [`CountRows`]. `fold_case` reads `True` as
/// `true`.
#[must_use]
pub fn counts(population: &Population, column: &PopulationColumn, fold_case: bool) -> Statement {
    let text = column.storage.as_text().0;
    let text = if fold_case { format!("lower({text})") } else { text };
    Statement::new(format!(
        "SELECT assumeNotNull(maybe) AS category, count() AS n FROM (SELECT {text} AS maybe FROM {}) \
         WHERE isNotNull(maybe) GROUP BY category",
        population.from.read(&[column], &[])
    ))
}

/// Takes the categories of [`counts`] one by one.
pub trait CountSink: Send + 'static {
    /// Takes the next category and how often it occurs.
    fn push(&mut self, category: String, n: u64);
}

/// Reads the answer to [`counts`] in `RowBinary` into a sink.
#[derive(Debug)]
pub struct CountRows<S> {
    rest: Vec<u8>,
    /// Where the rows go.
    pub sink: S,
}

impl<S: CountSink> CountRows<S> {
    /// Hands each row to `sink`.
    pub fn new(sink: S) -> Self {
        Self { rest: Vec::new(), sink }
    }
}

impl<S: CountSink> Consume for CountRows<S> {
    fn consume(&mut self, chunk: &[u8]) {
        self.rest.extend_from_slice(chunk);
        let mut done = 0;
        while let Some((category, n, length)) = row(&self.rest[done..]) {
            self.sink.push(category, n);
            done += length;
        }
        self.rest.drain(..done);
    }
}

/// The first row and its bytes: a length in LEB128, that many bytes of text, a UInt64. `None` where it is not whole yet.
fn row(bytes: &[u8]) -> Option<(String, u64, usize)> {
    let mut length = 0_usize;
    let mut at = 0;
    loop {
        let byte = *bytes.get(at)?;
        length |= usize::from(byte & 0x7f).checked_shl(7 * u32::try_from(at).ok()?)?;
        at += 1;
        if byte & 0x80 == 0 {
            break;
        }
    }
    let end = at.checked_add(length)?;
    let text = bytes.get(at..end)?;
    let n = bytes.get(end..end + 8)?.try_into().ok().map(u64::from_le_bytes)?;
    // What a text column holds need not be UTF-8; two categories that differ only there count as one.
    Some((String::from_utf8_lossy(text).into_owned(), n, end + 8))
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
            rowbinary::string(&mut bytes, text);
            rowbinary::u64(&mut bytes, *n);
        }
        for size in 1..bytes.len() {
            let mut reader = CountRows::new(Vec::new());
            bytes.chunks(size).for_each(|chunk| reader.consume(chunk));
            assert_eq!(reader.sink, rows, "chunks of {size} bytes");
        }
    }
}
