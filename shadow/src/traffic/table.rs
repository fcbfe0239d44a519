//! Parquet and Arrow IPC, one column an input; only the columns that are wanted are read. A row with a cell that does not become
//! an element is left out and told; a column that does not fit ends the reading.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use arrow::array::{BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::ipc::reader::{FileReader, StreamReader};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::convert::{self, Refusal};
use super::{CHUNK_ROWS, Chunk, NO_ELEMENTS, Skipped, TrafficError, Wanted};
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
        Some(self.chunk(batch.slice(0, most)))
    }

    /// Rows as requests, without those that have a cell which does not become an element.
    fn chunk(&mut self, mut batch: RecordBatch) -> Result<Chunk, TrafficError> {
        let first = self.next;
        self.next += batch.num_rows() as u64;
        let mut numbers: Vec<u64> = (first..self.next).collect();
        let mut skipped = Vec::new();
        // A row that is left out may have hidden others: lists of another length than most, say, are seen once none is missing.
        let inputs = loop {
            let (inputs, mut broken) = self.inputs(&batch, &numbers)?;
            if broken.is_empty() {
                break inputs;
            }
            let kept: Vec<bool> = (0..numbers.len()).map(|row| !broken.contains_key(&row)).collect();
            let taken = filter_record_batch(&batch, &BooleanArray::from(kept));
            batch = taken.map_err(|error| self.table.broken(error))?;
            let all = std::mem::take(&mut numbers);
            for (row, request) in all.into_iter().enumerate() {
                match broken.remove(&row) {
                    None => numbers.push(request),
                    Some(error) => {
                        skipped.push(Skipped {
                            request,
                            name: format!("row {request}"),
                            error: error.into(),
                        });
                    }
                }
            }
        };
        skipped.sort_by_key(|skipped| skipped.request);
        let requests = numbers.len();
        if skipped.is_empty() {
            numbers.clear();
        }
        let batches = if requests > 0 { vec![inputs] } else { Vec::new() };
        Ok(Chunk {
            first,
            requests,
            numbers,
            batches,
            extras: self.extras(&batch)?,
            skipped,
            ..Chunk::default()
        })
    }

    /// The inputs, whole where no row is broken; else the broken rows with the first fault of each.
    fn inputs(
        &self,
        batch: &RecordBatch,
        numbers: &[u64],
    ) -> Result<(Batch, BTreeMap<usize, TrafficError>), TrafficError> {
        let (mut inputs, mut broken) = (Batch::new(batch.num_rows()), BTreeMap::new());
        for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
            let name = field.name();
            let Some((element, declared)) = self.wanted.inputs.get(name) else { continue };
            let path = || self.table.path.clone();
            let unsupported =
                |problem| TrafficError::Unsupported { path: path(), name: name.clone(), problem };
            match convert::convert(column, *element) {
                Ok(converted) => inputs
                    .push_shaped(name, converted.values, converted.shape)
                    .map_err(|_| unsupported(NO_ELEMENTS.to_owned()))?,
                Err(Refusal::Column(problem)) => {
                    return Err(unsupported(format!("{problem}; the model takes {declared}")));
                }
                Err(Refusal::Cells(cells)) => {
                    for (row, value) in cells {
                        broken.entry(row).or_insert_with(|| TrafficError::Cell {
                            path: path(),
                            name: name.clone(),
                            row: numbers[row],
                            value,
                            element: element.as_str(),
                        });
                    }
                }
            }
        }
        Ok((inputs, broken))
    }

    fn extras(&self, batch: &RecordBatch) -> Result<BTreeMap<String, Vec<Option<String>>>, TrafficError> {
        let schema = batch.schema();
        let columns = schema.fields().iter().zip(batch.columns());
        let wanted = columns.filter(|(field, _)| self.wanted.extras.contains(field.name()));
        let words = wanted.map(|(field, column)| {
            let words = convert::words(column).map_err(|error| self.table.broken(error));
            words.map(|words| (field.name().clone(), words))
        });
        words.collect()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int64Array, StringArray};
    use arrow::ipc::writer::FileWriter;

    use super::*;
    use crate::tensor::{Element, Values};
    use crate::traffic::Traffic;

    /// A row an hour: the hour, a day that fits into 8 bits in all rows but the first, and a word.
    fn written(folder: &Path, hours: &[Option<i64>]) -> PathBuf {
        let rows = 0..i64::try_from(hours.len()).unwrap();
        let days = rows.clone().map(|row| if row == 0 { 900 } else { 10 + row });
        let columns: [(&str, ArrayRef); 3] = [
            ("hour", Arc::new(Int64Array::from(hours.to_vec()))),
            ("day", Arc::new(Int64Array::from_iter_values(days))),
            ("word", Arc::new(StringArray::from_iter_values(rows.map(|row| format!("w{row}"))))),
        ];
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let path = folder.join("a.arrow");
        let mut file = FileWriter::try_new(File::create(&path).unwrap(), &batch.schema()).unwrap();
        file.write(&batch).unwrap();
        file.finish().unwrap();
        path
    }

    /// The only chunk.
    fn read(path: &Path, inputs: &[(&str, Element)], picked: Option<Vec<u64>>) -> Chunk {
        let declared = |(name, element): &(&str, Element)| ((*name).to_owned(), (*element, "it".to_owned()));
        let wanted =
            Wanted { inputs: inputs.iter().map(declared).collect(), extras: ["word".to_owned()].into() };
        let chunks = Traffic::open(path).unwrap().read(wanted, picked).unwrap();
        let mut chunks: Vec<Chunk> = chunks.into_iter().map(Result::unwrap).collect();
        assert_eq!(chunks.len(), 1, "{chunks:?}");
        chunks.remove(0)
    }

    fn told(chunk: &Chunk) -> Vec<(u64, String)> {
        chunk.skipped.iter().map(|one| (one.request, one.error.to_string())).collect()
    }

    #[test]
    fn broken_rows_are_left_out_and_named_by_row_and_column() {
        let folder = tempfile::tempdir().unwrap();
        let path = written(folder.path(), &[Some(0), Some(1), Some(2), None, Some(4)]);
        let chunk = read(&path, &[("hour", Element::I64), ("day", Element::U8)], None);
        assert_eq!((chunk.requests, chunk.numbers.as_slice()), (3, &[1, 2, 4][..]));
        assert_eq!(chunk.batches[0].values("hour"), Some((&Values::I64(vec![1, 2, 4]), 1)));
        assert_eq!(chunk.batches[0].values("day"), Some((&Values::U8(vec![11, 12, 14]), 1)));
        assert_eq!(chunk.extras["word"][2].as_deref(), Some("w4"));
        assert_eq!(chunk.skipped[1].name, "row 3");
        let said = |row: u64, column: &str, what: &str| {
            (row, format!("row {row} of `{column}` of traffic `{}` is {what}", path.display()))
        };
        let expected = [
            said(0, "day", "900, which uint8 cannot hold"),
            said(3, "hour", "missing, which int64 cannot hold"),
        ];
        assert_eq!(told(&chunk), expected);
    }

    #[test]
    fn a_row_with_two_broken_cells_is_one_request_that_cannot_be_asked() {
        let folder = tempfile::tempdir().unwrap();
        let path = written(folder.path(), &[None, Some(1)]);
        let chunk = read(&path, &[("hour", Element::I64), ("day", Element::U8)], None);
        assert_eq!((chunk.requests, chunk.skipped.len(), chunk.skipped[0].request), (1, 1, 0));
    }

    #[test]
    fn rows_that_are_drawn_and_broken_are_told_and_others_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = written(folder.path(), &[None, Some(1), Some(2), None, Some(4)]);
        let chunk = read(&path, &[("hour", Element::I64)], Some(vec![2, 3]));
        assert_eq!((chunk.numbers.as_slice(), chunk.skipped.len()), (&[2][..], 1));
        assert_eq!(chunk.skipped[0].request, 3);
    }

    #[test]
    fn rows_that_are_all_broken_are_told_and_nothing_is_asked() {
        let folder = tempfile::tempdir().unwrap();
        let path = written(folder.path(), &[None, None]);
        let chunk = read(&path, &[("hour", Element::I64)], None);
        assert_eq!((chunk.requests, chunk.batches.len(), chunk.skipped.len()), (0, 0, 2));
        assert_eq!(chunk.end(), 2);
    }
}
