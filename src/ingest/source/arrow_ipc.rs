//! Arrow IPC, the file format (also called Feather 2) and the stream format.

use std::fs::File;
use std::io::{BufReader, Seek};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::ipc::reader::{FileReader, StreamReader};

use super::{At, Format, Sink, Source, SourceError, columnar};
use crate::ingest::cell::Column;

const FORMAT: &str = "Arrow IPC";

enum Reader {
    File(FileReader<BufReader<File>>),
    Stream(StreamReader<BufReader<File>>),
}

impl Reader {
    fn open(source: &Source) -> Result<Self, SourceError> {
        let file = BufReader::new(source.file()?);
        let reader = match source.format {
            Format::ArrowStream => StreamReader::try_new(file, None).map(Self::Stream),
            _ => FileReader::try_new(file, None).map(Self::File),
        };
        reader.map_err(source.broken(FORMAT))
    }

    fn schema(&self) -> SchemaRef {
        match self {
            Self::File(reader) => reader.schema(),
            Self::Stream(reader) => reader.schema(),
        }
    }

    fn next(&mut self) -> Option<Result<RecordBatch, ArrowError>> {
        match self {
            Self::File(reader) => reader.next(),
            Self::Stream(reader) => reader.next(),
        }
    }

    /// How far the file is read.
    fn position(&mut self) -> u64 {
        let file = match self {
            Self::File(reader) => reader.get_mut(),
            Self::Stream(reader) => reader.get_mut(),
        };
        file.stream_position().unwrap_or(0)
    }
}

pub fn columns(source: &Source) -> Result<Vec<Column>, SourceError> {
    Ok(columnar::columns(&Reader::open(source)?.schema()))
}

pub fn read(source: &Source, sink: &mut Sink<'_>) -> Result<(), SourceError> {
    let mut reader = Reader::open(source)?;
    let mut number = 1;
    while let Some(batch) = reader.next() {
        let batch = batch.map_err(source.broken(FORMAT))?;
        let at = At { number, bytes: reader.position() };
        let flow = columnar::rows(&batch, source.columns(), at, sink);
        if flow.map_err(source.broken(FORMAT))?.is_break() {
            break;
        }
        number += batch.num_rows() as u64;
    }
    Ok(())
}
