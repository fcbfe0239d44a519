//! Parquet files.

use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::{At, Sink, Source, SourceError, columnar};
use crate::ingest::cell::Column;

const FORMAT: &str = "Parquet";
/// Rows decoded at a time: a few MB of a wide table.
const BATCH_ROWS: usize = 4096;

pub fn columns(source: &Source) -> Result<Vec<Column>, SourceError> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(source.file()?).map_err(source.broken(FORMAT))?;
    Ok(columnar::columns(reader.schema()))
}

pub fn read(source: &Source, sink: &mut Sink<'_>) -> Result<(), SourceError> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(source.file()?).map_err(source.broken(FORMAT))?;
    let rows_total = u64::try_from(builder.metadata().file_metadata().num_rows()).unwrap_or(0).max(1);
    let reader = builder.with_batch_size(BATCH_ROWS).build().map_err(source.broken(FORMAT))?;
    let mut number = 1;
    for batch in reader {
        let batch = batch.map_err(source.broken(FORMAT))?;
        let rows = batch.num_rows() as u64;
        let bytes = source.bytes() / rows_total * (number - 1 + rows);
        let flow = columnar::rows(&batch, source.columns(), At { number, bytes }, sink);
        if flow.map_err(source.broken(FORMAT))?.is_break() {
            break;
        }
        number += rows;
    }
    Ok(())
}
