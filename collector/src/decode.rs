//! From a request's body to rows: content encoding, records, events, RowBinary. Pure functions over bytes; no I/O.

mod arrow;
mod batch;
mod body;
mod ids;
mod records;
mod rows;

pub(crate) use batch::{Batch, Context, REJECTIONS_SHOWN_MAX, ROW_BYTES_FACTOR, decode_batch};
pub(crate) use body::{BodyError, CONTENT_ENCODINGS, CONTENT_TYPES, ContentEncoding, Format, decompress};
pub(crate) use ids::IdMaker;
pub(crate) use rows::ToRow;
