//! The values of several columns of a file that is read in place, as they lie in it: for populations that are small enough to be held.
//!
//! Of a file nothing is gained by asking for [`sorted`](super::sorted()) values: the engine is in this process, gathers each column into one
//! array, and sorts places in it where numbers themselves can be put in order. Blocks of columns come in ClickHouse's Native format in
//! the type that the file has, in any order, and whoever needs an order makes it. Three columns of 200,000 numbers so take the engine
//! 6 ms of the processor, and sorted ones 16.

use super::element::Element;
use super::pieces::Heads;
use super::{Population, PopulationColumn, Sql, Storage};
use crate::{Consume, Statement};

/// Asks for the values of each column, at least one, of a population that is in a file; read the answer with [`PlainRows`].
#[must_use]
pub fn plain(population: &Population, columns: &[&PopulationColumn]) -> Statement {
    let value = |column: &&PopulationColumn| {
        let of_file = population.type_of(&column.name).and_then(Element::named);
        match (&column.storage, of_file) {
            (Storage::Number(Sql(sql)), Some(_)) => sql.clone(),
            (storage, _) => storage.as_number().0,
        }
    };
    let values: Vec<String> = columns.iter().map(value).collect();
    Statement::new(format!("SELECT {} FROM {}", values.join(", "), population.from.read(columns, &[])))
}

/// Reads the answer to [`plain`] in `Native`, and keeps the values that are not missing. Of an answer of another shape it keeps none, and
/// counts no rows.
#[derive(Debug)]
pub struct PlainRows {
    at: At,
    heads: Heads,
    /// Which values of the column are missing, where it says so: 1 for each that is.
    missing: Vec<u8>,
    /// Rows that came, those of which values are missing among them.
    pub rows: u64,
    /// The values: by column, in the order in which they came.
    pub values: Vec<Vec<f64>>,
}

/// What the next bytes are.
#[derive(Debug, Clone, Copy)]
enum At {
    /// The head of a column.
    Head,
    /// Whether the value of each row is missing.
    Missing(Element),
    /// The value of each row.
    Values(Element),
    /// Nothing that is known.
    Unknown,
}

impl PlainRows {
    /// Adds what comes to these values, a place a column.
    #[must_use]
    pub fn new(values: Vec<Vec<f64>>) -> Self {
        Self { at: At::Head, heads: Heads::default(), missing: Vec::new(), rows: 0, values }
    }

    /// Reads what comes next; `None` where more bytes are needed, and all of the chunk is taken.
    fn step(&mut self, chunk: &mut &[u8]) -> Option<At> {
        Some(match self.at {
            At::Head => {
                let name = self.heads.type_name(chunk)?;
                self.missing.clear();
                match Element::of_column(&name) {
                    _ if self.heads.columns != self.values.len() => At::Unknown,
                    Some((element, true)) => At::Missing(element),
                    Some((element, false)) => At::Values(element),
                    None => At::Unknown,
                }
            }
            At::Missing(element) => {
                let missing = self.heads.pieces.item(self.heads.rows, chunk)?;
                self.missing.extend_from_slice(&missing);
                At::Values(element)
            }
            At::Values(element) => {
                let size = self.heads.rows.saturating_mul(element.width());
                let items = self.heads.pieces.item(size, chunk)?;
                keep(element, &items, &self.missing, &mut self.values[self.heads.column]);
                if self.heads.end_column() {
                    self.rows += self.heads.rows as u64;
                }
                At::Head
            }
            At::Unknown => {
                *chunk = &[];
                At::Unknown
            }
        })
    }
}

/// Appends the values of whole items that are numbers and not marked as missing.
fn keep(element: Element, items: &[u8], missing: &[u8], values: &mut Vec<f64>) {
    let first = values.len();
    element.read(items, values);
    let none_is_missing = missing.iter().all(|missing| *missing == 0);
    if none_is_missing && !(element.has_nan() && values[first..].iter().any(|value| value.is_nan())) {
        return;
    }
    let mut kept = first;
    for row in 0..values.len() - first {
        let value = values[first + row];
        values[kept] = value;
        let is_missing = missing.get(row).is_some_and(|missing| *missing != 0);
        kept += usize::from(!(is_missing || value.is_nan()));
    }
    values.truncate(kept);
}

impl Consume for PlainRows {
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
mod tests {
    use std::collections::BTreeMap;

    use super::super::Origin;
    use super::*;
    use crate::rowbinary;

    /// A column of a block: its type, which values are missing, its items.
    type BlockColumn<'a> = (&'a str, &'a [u8], Vec<Vec<u8>>);

    fn block(rows: usize, columns: &[BlockColumn<'_>]) -> Vec<u8> {
        let mut bytes = Vec::new();
        rowbinary::varint(&mut bytes, columns.len());
        rowbinary::varint(&mut bytes, rows);
        for (type_name, missing, items) in columns {
            rowbinary::string(&mut bytes, &"a long name ".repeat(20));
            rowbinary::string(&mut bytes, type_name);
            bytes.extend_from_slice(missing);
            items.iter().for_each(|item| bytes.extend(item));
        }
        bytes
    }

    #[test]
    fn values_survive_any_cut_between_chunks() {
        let singles = |values: &[f32]| values.iter().map(|value| value.to_le_bytes().to_vec()).collect();
        let whole = |values: &[i64]| values.iter().map(|value| value.to_le_bytes().to_vec()).collect();
        let single = "Nullable(Float32)";
        let mut bytes = block(
            4,
            &[
                (single, &[0, 1, 0, 0], singles(&[0.5, 0.0, f32::NAN, -0.25])),
                ("Int64", &[], whole(&[3, -1, i64::MAX, 7])),
            ],
        );
        bytes.extend(block(0, &[(single, &[], Vec::new()), ("Int64", &[], Vec::new())]));
        bytes.extend(block(1, &[(single, &[0], singles(&[f32::INFINITY])), ("Int64", &[], whole(&[9]))]));
        bytes.extend(block(1, &[(single, &[1], singles(&[0.0])), ("Int64", &[], whole(&[-9]))]));
        let expected =
            [vec![8.0, 0.5, -0.25, f64::INFINITY], vec![3.0, -1.0, i64::MAX as f64, 7.0, 9.0, -9.0]];
        for size in 1..=bytes.len() {
            let mut reader = PlainRows::new(vec![vec![8.0], Vec::new()]);
            bytes.chunks(size).for_each(|chunk| reader.consume(chunk));
            assert_eq!(reader.values, expected, "chunks of {size} bytes");
            assert_eq!(reader.rows, 6, "chunks of {size} bytes");
        }
    }

    #[test]
    fn an_answer_of_another_shape_counts_no_rows() {
        let narrow = |type_name| block(1, &[(type_name, &[], vec![vec![0; 4]])]);
        for (columns, answer, rows) in [
            (1, narrow("Int32"), 1),
            (2, narrow("Int32"), 0),
            (1, narrow("String"), 0),
            (1, narrow("LowCardinality(Nullable(Float32))"), 0),
        ] {
            let mut reader = PlainRows::new(vec![Vec::new(); columns]);
            reader.consume(&answer);
            assert_eq!((reader.rows, reader.values.concat().len() as u64), (rows, rows), "{columns} columns");
        }
    }

    #[test]
    fn numbers_of_a_file_keep_its_type() {
        let types = [("f", "Nullable(Float32)"), ("i", "Int64"), ("d", "Nullable(Decimal(9, 2))")];
        let columns: Vec<PopulationColumn> = types
            .iter()
            .map(|(name, _)| PopulationColumn {
                name: (*name).to_owned(),
                storage: Storage::Number(Sql((*name).to_owned())),
            })
            .collect();
        let mut population = Population::of_sql("rows".to_owned(), "t".to_owned(), columns.clone());
        let types: BTreeMap<String, String> =
            types.iter().map(|(name, of)| ((*name).to_owned(), (*of).to_owned())).collect();
        population.from = Origin::File { function: "file('/a.parquet', 'Parquet')".to_owned(), types };
        let asked: Vec<&PopulationColumn> = columns.iter().collect();
        assert!(plain(&population, &asked).sql().starts_with(
            "SELECT f, i, (if(isNaN(toFloat64(d)), NULL, toFloat64(d))) FROM file('/a.parquet', 'Parquet', "
        ));
    }
}
