//! A column as a stream: its numbers in the order of time or of the file, read value by value.

use super::{Population, PopulationColumn, Sql};
use crate::{Consume, Statement};

/// A value of a stream.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StreamRow {
    /// The value, finite.
    pub value: f64,
    /// When it was, microseconds since 1970 UTC; 0 where rows have no time.
    pub at_us: i64,
}

/// The finite numbers of a column, by a column of times or else in the order of the rows; read the answer with [`StreamRows`] in
/// `RowBinary`. `None` where the column of times does not say when.
#[must_use]
pub fn stream(
    population: &Population,
    column: &PopulationColumn,
    timestamp: Option<&str>,
) -> Option<Statement> {
    let Sql(number) = column.storage.as_number();
    // Booleans are errors, too: true is 1.
    let text = column.storage.as_text().0;
    let value = format!("multiIf(lower({text}) = 'true', 1., lower({text}) = 'false', 0., {number})");
    let at = match timestamp {
        Some(name) => population.micros(name)?.0,
        None => "toInt64(0)".to_owned(),
    };
    let mut columns = vec![column.name.clone()];
    columns.extend(timestamp.map(str::to_owned));
    Some(Statement::new(format!(
        "SELECT assumeNotNull(x) AS value, ifNull(toInt64(at), toInt64(0)) AS at_us FROM \
         (SELECT CAST({value}, 'Nullable(Float64)') AS x, {at} AS at, {} AS place FROM {}) \
         WHERE ifNull(isFinite(x), 0) ORDER BY at_us, place",
        population.row.0,
        population.reading(&columns),
    )))
}

/// Takes the rows of [`stream`] one by one.
pub trait StreamSink: Send + 'static {
    /// Takes the next value.
    fn push(&mut self, row: StreamRow);
}

/// Reads the answer to [`stream`] in `RowBinary` into a sink.
#[derive(Debug)]
pub struct StreamRows<S> {
    rest: Vec<u8>,
    /// Where the rows go.
    pub sink: S,
}

impl<S: StreamSink> StreamRows<S> {
    /// Hands each row to `sink`.
    pub fn new(sink: S) -> Self {
        Self { rest: Vec::new(), sink }
    }
}

/// Bytes of a row: Float64, Int64.
const ROW: usize = 16;

impl<S: StreamSink> Consume for StreamRows<S> {
    fn consume(&mut self, chunk: &[u8]) {
        self.rest.extend_from_slice(chunk);
        let whole = self.rest.len() / ROW * ROW;
        for row in self.rest[..whole].chunks_exact(ROW) {
            let (value, at) = row.split_at(8);
            self.sink.push(StreamRow {
                value: f64::from_le_bytes(value.try_into().expect("eight bytes")),
                at_us: i64::from_le_bytes(at.try_into().expect("eight bytes")),
            });
        }
        self.rest.drain(..whole);
    }
}

#[cfg(test)]
mod tests {
    use super::{StreamRow, StreamRows, StreamSink};
    use crate::Consume;

    impl StreamSink for Vec<StreamRow> {
        fn push(&mut self, row: StreamRow) {
            self.push(row);
        }
    }

    #[test]
    fn rows_survive_any_cut_between_chunks() {
        let rows: Vec<StreamRow> =
            (0..5_i32).map(|i| StreamRow { value: f64::from(i) / 3.0, at_us: i64::from(i) }).collect();
        let bytes: Vec<u8> =
            rows.iter().flat_map(|row| [row.value.to_le_bytes(), row.at_us.to_le_bytes()].concat()).collect();
        for size in 1..bytes.len() {
            let mut reader = StreamRows::new(Vec::new());
            bytes.chunks(size).for_each(|chunk| reader.consume(chunk));
            assert_eq!(reader.sink, rows, "chunks of {size} bytes");
        }
    }
}
