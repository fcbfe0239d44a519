//! CSV with a header line. The kind of a column is what all values of its first rows can be read as.

use std::borrow::Cow;
use std::fs::File;

use csv::{ErrorKind, Reader, ReaderBuilder, StringRecord};

use super::super::cell::{Cell, Column, Kind};
use super::{At, Item, SAMPLED_ROWS, Sink, Source, SourceError};

const FORMAT: &str = "CSV";

fn open(source: &Source, delimiter: u8) -> Result<Reader<File>, SourceError> {
    Ok(ReaderBuilder::new().delimiter(delimiter).from_reader(source.file()?))
}

fn is_missing(text: &str) -> bool {
    matches!(text, "" | "NA" | "NaN" | "nan" | "null")
}

pub fn columns(source: &Source, delimiter: u8) -> Result<Vec<Column>, SourceError> {
    let mut reader = open(source, delimiter)?;
    let header = reader.headers().map_err(source.broken(FORMAT))?.clone();
    let mut kinds = vec![Kind::Unknown; header.len()];
    for record in reader.records().take(SAMPLED_ROWS).flatten() {
        for (kind, text) in kinds.iter_mut().zip(&record) {
            *kind = widen(*kind, text.trim());
        }
    }
    let names = header.iter().map(|name| name.trim_start_matches('\u{feff}').to_owned());
    Ok(names.zip(kinds).map(|(name, kind)| Column { name, kind }).collect())
}

/// The kind that holds what was seen before and this value.
fn widen(seen: Kind, text: &str) -> Kind {
    if is_missing(text) {
        return seen;
    }
    let this = if text.parse::<f64>().is_ok() {
        Kind::Number
    } else if matches!(text, "true" | "false" | "True" | "False" | "TRUE" | "FALSE") {
        Kind::Flag
    } else {
        Kind::Text
    };
    match seen {
        Kind::Unknown => this,
        seen if seen == this => seen,
        _ => Kind::Text,
    }
}

pub fn read(source: &Source, delimiter: u8, sink: &mut Sink<'_>) -> Result<(), SourceError> {
    let mut reader = open(source, delimiter)?;
    reader.headers().map_err(source.broken(FORMAT))?;
    let mut record = StringRecord::new();
    let mut cells = Vec::with_capacity(source.columns().len());
    loop {
        let start = reader.position().clone();
        let read = reader.read_record(&mut record);
        let number = record.position().map_or(start.line(), csv::Position::line);
        let at = At { number, bytes: reader.position().byte() };
        let flow = match read {
            Ok(false) => return Ok(()),
            Ok(true) => {
                cells.clear();
                cells.extend(record.iter().map(cell));
                // The borrow of `record` must end before the next read, so the cells are made anew for each row.
                let flow = sink(Item::Row { columns: source.columns(), cells: &cells, at });
                cells = Vec::with_capacity(source.columns().len());
                flow
            }
            Err(error) if matches!(error.kind(), ErrorKind::Io(_)) => {
                return Err(source.broken(FORMAT)(error));
            }
            Err(error) => sink(Item::Bad { at, problem: problem(&error, source.columns().len()) }),
        };
        if flow.is_break() {
            return Ok(());
        }
    }
}

fn cell(text: &str) -> Cell<'_> {
    if is_missing(text.trim()) { Cell::Missing } else { Cell::Text(Cow::Borrowed(text)) }
}

fn problem(error: &csv::Error, columns: usize) -> String {
    match error.kind() {
        ErrorKind::UnequalLengths { len, .. } => format!("has {len} fields; the header has {columns}"),
        ErrorKind::Utf8 { .. } => "is not UTF-8".to_owned(),
        _ => error.to_string(),
    }
}
