//! Parquet and Arrow IPC, one column an input; only the columns that are wanted are read.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::ipc::reader::{FileReader, StreamReader};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::convert::{self, Refusal};
use super::{CHUNK_ROWS, Chunk, TrafficError, Wanted};
use crate::batch::Batch;

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Parquet,
    ArrowFile,
    ArrowStream,
}

impl Format {
    /// By content, and by name where the content does not tell.
    pub(super) fn of(head: &[u8], extension: &str) -> Option<Self> {
        match (head, extension.to_ascii_lowercase().as_str()) {
            ([b'P', b'A', b'R', b'1', ..], _) | (_, "parquet") => Some(Self::Parquet),
            ([b'A', b'R', b'R', b'O', b'W', b'1', ..], _) | (_, "arrow" | "feather") => Some(Self::ArrowFile),
            ([0xFF, 0xFF, 0xFF, 0xFF, ..], _) | (_, "arrows") => Some(Self::ArrowStream),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Parquet => "Parquet",
            Self::ArrowFile | Self::ArrowStream => "Arrow IPC",
        }
    }
}

/// A table that was found.
#[derive(Debug)]
pub(super) struct Table {
    path: PathBuf,
    format: Format,
    schema: SchemaRef,
    rows: u64,
}

type Batches = Box<dyn Iterator<Item = Result<RecordBatch, ArrowError>> + Send>;

impl Table {
    pub(super) fn open(path: &Path, format: Format) -> Result<Self, TrafficError> {
        let mut table = Self {
            path: path.to_owned(),
            format,
            schema: SchemaRef::new(arrow::datatypes::Schema::empty()),
            rows: 0,
        };
        match format {
            Format::Parquet => {
                let builder = table.parquet()?;
                table.schema = builder.schema().clone();
                table.rows = u64::try_from(builder.metadata().file_metadata().num_rows()).unwrap_or(0);
            }
            Format::ArrowFile => {
                table.schema =
                    FileReader::try_new(table.file()?, None).map_err(|e| table.broken(e))?.schema();
            }
            Format::ArrowStream => {
                table.schema =
                    StreamReader::try_new(table.file()?, None).map_err(|e| table.broken(e))?.schema();
            }
        }
        if format != Format::Parquet {
            // Neither form of Arrow IPC says beforehand how many rows there are.
            let first = if table.schema.fields().is_empty() { vec![] } else { vec![0] };
            for batch in table.batches(first)? {
                table.rows += batch.map_err(|error| table.broken(error))?.num_rows() as u64;
            }
        }
        Ok(table)
    }

    pub(super) fn describe(&self) -> String {
        let one = |field: &std::sync::Arc<arrow::datatypes::Field>| {
            format!("{} {}", field.name(), field.data_type())
        };
        self.schema.fields().iter().map(one).collect::<Vec<_>>().join(", ")
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.schema.index_of(name).is_ok()
    }

    pub(super) fn rows(&self) -> u64 {
        self.rows
    }

    fn file(&self) -> Result<BufReader<File>, TrafficError> {
        let opened = File::open(&self.path);
        opened.map(BufReader::new).map_err(|source| TrafficError::Io { path: self.path.clone(), source })
    }

    fn parquet(&self) -> Result<ParquetRecordBatchReaderBuilder<File>, TrafficError> {
        let file = self.file()?.into_inner();
        ParquetRecordBatchReaderBuilder::try_new(file).map_err(|error| self.broken(error))
    }

    fn broken<E: Into<Box<dyn std::error::Error + Send + Sync>>>(&self, error: E) -> TrafficError {
        TrafficError::Broken { path: self.path.clone(), format: self.format.name(), source: error.into() }
    }

    /// The batches of some columns.
    fn batches(&self, columns: Vec<usize>) -> Result<Batches, TrafficError> {
        Ok(match self.format {
            Format::Parquet => {
                let builder = self.parquet()?;
                let mask = ProjectionMask::roots(builder.parquet_schema(), columns);
                let reader = builder.with_projection(mask).with_batch_size(CHUNK_ROWS).build();
                Box::new(reader.map_err(|error| self.broken(error))?)
            }
            Format::ArrowFile => Box::new(
                FileReader::try_new(self.file()?, Some(columns)).map_err(|error| self.broken(error))?,
            ),
            Format::ArrowStream => Box::new(
                StreamReader::try_new(self.file()?, Some(columns)).map_err(|error| self.broken(error))?,
            ),
        })
    }

    pub(super) fn reader(self, wanted: Wanted) -> Result<Reader, TrafficError> {
        let columns = wanted.names().filter_map(|name| self.schema.index_of(name).ok()).collect();
        Ok(Reader { batches: self.batches(columns)?, table: self, wanted, held: None, next: 0 })
    }
}

/// The columns, some rows at a time.
pub(super) struct Reader {
    table: Table,
    wanted: Wanted,
    batches: Batches,
    /// What is left of the last batch.
    held: Option<RecordBatch>,
    next: u64,
}

impl Reader {
    pub(super) fn next(&mut self, most: usize) -> Option<Result<Chunk, TrafficError>> {
        let batch = loop {
            match self.held.take().filter(|batch| batch.num_rows() > 0) {
                Some(batch) => break batch,
                None => match self.batches.next()? {
                    Ok(batch) => self.held = Some(batch),
                    Err(error) => return Some(Err(self.table.broken(error))),
                },
            }
        };
        let per_row = batch.get_array_memory_size() / batch.num_rows().max(1);
        let most = most.min((super::CHUNK_BYTES / per_row.max(1)).max(1)).min(batch.num_rows());
        self.held = Some(batch.slice(most, batch.num_rows() - most));
        Some(self.chunk(&batch.slice(0, most)))
    }

    fn chunk(&mut self, batch: &RecordBatch) -> Result<Chunk, TrafficError> {
        let (first, requests) = (self.next, batch.num_rows());
        self.next += requests as u64;
        let mut inputs = Batch::new(requests);
        let mut extras = BTreeMap::new();
        for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
            let name = field.name();
            if let Some((element, declared)) = self.wanted.inputs.get(name) {
                let unsupported = |problem: String| TrafficError::Unsupported {
                    path: self.table.path.clone(),
                    name: name.clone(),
                    problem,
                };
                let converted = convert::convert(column, *element).map_err(|refusal| match refusal {
                    Refusal::Column(problem) => unsupported(format!("{problem}; the model takes {declared}")),
                    Refusal::Cell(row, value) => TrafficError::Cell {
                        path: self.table.path.clone(),
                        name: name.clone(),
                        row: first + row as u64,
                        value,
                        element: element.as_str(),
                    },
                })?;
                inputs
                    .push_shaped(name, converted.values, converted.shape)
                    .map_err(|error| unsupported(error.to_string()))?;
            }
            if self.wanted.extras.contains(name) {
                let words = convert::words(column).map_err(|error| self.table.broken(error))?;
                extras.insert(name.clone(), words);
            }
        }
        Ok(Chunk { first, requests, batches: vec![inputs], extras, ..Chunk::default() })
    }
}
