//! A column as a stream: its numbers in the order of time or of the file, read value by value.

use serde::Deserialize;

use super::{Population, PopulationColumn, Sql, Storage};
use crate::{Consume, Statement};

/// A value of a stream.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StreamRow {
    /// The value, finite.
    pub value: f64,
    /// When it was, microseconds since 1970 UTC; 0 where rows have no time.
    pub at_us: i64,
}

/// The finite numbers of a column, by a column of times (those that have one) or else in the order of the rows; read the answer with
/// [`StreamRows`] in `RowBinary`. `None` where the column of times does not say when.
#[must_use]
pub fn stream(
    population: &Population,
    column: &PopulationColumn,
    timestamp: Option<&str>,
) -> Option<Statement> {
    let value = value(&column.storage);
    let at = match timestamp {
        Some(name) => population.micros(name)?.0,
        None => "toInt64(0)".to_owned(),
    };
    let mut columns = vec![column.name.clone()];
    columns.extend(timestamp.map(str::to_owned));
    Some(Statement::new(format!(
        "SELECT assumeNotNull(x) AS value, ifNull(toInt64(at), toInt64(0)) AS at_us FROM \
         (SELECT {value} AS x, {at} AS at, {} AS place FROM {}) \
         WHERE ifNull(isFinite(x), 0) AND isNotNull(at) ORDER BY at_us, place",
        population.row.0,
        population.reading(&columns),
    )))
}

/// A value as a nullable number. Booleans are errors, too: true is 1.
fn value(storage: &Storage) -> String {
    let (Sql(number), Sql(text)) = (storage.as_number(), storage.as_text());
    format!(
        "CAST(multiIf(lower({text}) = 'true', 1., lower({text}) = 'false', 0., {number}), 'Nullable(Float64)')"
    )
}

/// A value of a column that no stream can have.
#[derive(Debug, Clone, Deserialize)]
pub struct WordRow {
    /// The first one by the alphabet, cut.
    pub word: String,
}

/// Asks for a value of a column of text that is neither a number, nor false or true, nor missing; no row where there is none.
#[must_use]
pub fn word(population: &Population, column: &PopulationColumn) -> Statement {
    other_than(population, column, &value(&column.storage))
}

/// The same where false and true are no numbers either.
#[must_use]
pub fn word_or_boolean(population: &Population, column: &PopulationColumn) -> Statement {
    other_than(population, column, &column.storage.as_number().0)
}

fn other_than(population: &Population, column: &PopulationColumn, number: &str) -> Statement {
    Statement::new(format!(
        "SELECT substringUTF8(min(assumeNotNull(said)), 1, 40) AS word FROM (SELECT {} AS said, {number} AS x FROM {}) \
         WHERE isNotNull(said) AND isNull(x) HAVING count() > 0",
        column.storage.as_text().0,
        population.reading(std::slice::from_ref(&column.name)),
    ))
}

/// How many rows there are.
#[derive(Debug, Clone, Deserialize)]
pub struct CountRow {
    /// With a value of the column or without.
    pub rows: u64,
    /// Those with a finite number.
    pub numbers: u64,
}

/// Asks how many rows a column has, those without a value among them, and how many have a number.
#[must_use]
pub fn row_count(population: &Population, column: &PopulationColumn) -> Statement {
    let rows = population.reading(std::slice::from_ref(&column.name));
    let value = value(&column.storage);
    Statement::new(format!(
        "SELECT count() AS rows, countIf(ifNull(isFinite({value}), 0)) AS numbers FROM {rows}"
    ))
}

/// Which columns of text hold numbers.
#[derive(Debug, Clone, Deserialize)]
pub struct NumbersRow {
    /// 1 for each that does.
    pub are: Vec<u8>,
}

/// Asks which of these columns hold numbers, and beside them nothing but missing values.
#[must_use]
pub fn hold_numbers(population: &Population, columns: &[&PopulationColumn]) -> Statement {
    let are: Vec<String> = columns
        .iter()
        .map(|column| {
            let (Sql(number), Sql(text)) = (column.storage.as_number(), column.storage.as_text());
            format!("count({number}) > 0 AND countIf(isNotNull({text}) AND isNull({number})) = 0")
        })
        .collect();
    let names: Vec<String> = columns.iter().map(|column| column.name.clone()).collect();
    Statement::new(format!("SELECT [{}] AS are FROM {}", are.join(", "), population.reading(&names)))
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
