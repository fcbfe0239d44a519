//! Arrow IPC bodies, stream or file form, as records: columns are borrowed, and each row is read through a cursor by the same rules
//! as a JSON record.
//!
//! Nothing is built for a row: its strings are slices of the body, and one event is filled again and again. Which layouts are
//! taken: docs/FORMATS.md.

mod cell;
mod column;
mod envelope;

use std::panic::{AssertUnwindSafe, catch_unwind};

use arrow::array::RecordBatch;
use arrow::buffer::Buffer;
use arrow::error::ArrowError;
use arrow::ipc::reader::StreamDecoder;
use bytes::Bytes;
use windvane_types::rejection::{Code, Fault, Rejection};

pub(super) use self::cell::Cell;
use self::column::Column;
use self::envelope::Faulty;

/// One record batch: its columns under one root, and how many rows they have.
#[derive(Debug)]
pub(super) struct Rows {
    pub(super) root: Column,
    pub(super) count: usize,
}

/// How large the parts of a stream may be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// Rows of all record batches.
    pub(super) rows_max: usize,
    /// Bytes of all buffers once they are decompressed.
    pub(super) bytes_max: usize,
}

/// Why a body was not read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unreadable {
    /// It is no valid stream.
    Invalid(Rejection),
    /// It is larger than it may be.
    TooLarge(String),
}

/// Reads a body. A stream that is broken somewhere is refused whole, as a broken JSON array is.
pub(super) fn read(body: &Bytes, bounds: &Bounds) -> Result<Vec<Rows>, Unreadable> {
    let invalid = |why: String| {
        let message = format!(
            "the body is no valid Arrow IPC stream, so nothing of it was taken: {why}; accepted are the stream \
             and the file form, plain or with LZ4 or zstd buffers"
        );
        Unreadable::Invalid(Fault::new(Code::InvalidArrow, message).at(0))
    };
    let stream = match envelope::check(body, bounds) {
        Ok(stream) => stream,
        Err(Faulty::Invalid(why)) => return Err(invalid(why)),
        Err(Faulty::TooLarge(why)) => return Err(Unreadable::TooLarge(why)),
    };
    let stream = Buffer::from(body.slice(stream));
    // The reader has asserts of its own about what senders should never send.
    catch_unwind(AssertUnwindSafe(|| decode(stream)))
        .unwrap_or_else(|_| Err(ArrowError::IpcError("its parts do not fit together".to_owned())))
        .map_err(|error| invalid(error.to_string()))
}

fn decode(mut stream: Buffer) -> Result<Vec<Rows>, ArrowError> {
    let mut decoder = StreamDecoder::new();
    let mut batches = Vec::new();
    while !stream.is_empty() {
        if let Some(batch) = decoder.decode(&mut stream)?
            && batch.num_rows() > 0
        {
            batches.push(rows(&batch)?);
        }
    }
    decoder.finish()?;
    Ok(batches)
}

fn rows(batch: &RecordBatch) -> Result<Rows, ArrowError> {
    Ok(Rows { root: Column::root(batch)?, count: batch.num_rows() })
}

#[cfg(test)]
mod tests;
