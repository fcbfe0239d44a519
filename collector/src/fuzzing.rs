//! The decoders as one function each over bytes from outside, for fuzz targets; each panics where an invariant is broken.

use bytes::Bytes;
use uuid::Uuid;
use windvane_store::{Table, read_rows};
use windvane_types::event::{Kind, Limits};

use crate::admission::Caller;
use crate::decode::{ContentEncoding, Context, Format, IdMaker, decode_batch, decompress};
use crate::door::Door;
use crate::limits::{NameLimits, Names};
use crate::redact::Redaction;
use crate::spool::walk_segment;

const BODY_BYTES_MAX: usize = 1 << 20;

/// Decodes a body as events of a kind; how many were accepted.
///
/// # Errors
/// What is accepted is not as many whole rows as the answer says.
pub fn body(kind: Kind, body: &Bytes) -> Result<u64, String> {
    let (limits, ids, caller) = (Limits::default(), IdMaker::new(Uuid::nil()), Caller::default());
    let (redaction, names) = (Redaction::default(), Names::new(NameLimits::default()));
    let context = Context {
        limits: &limits,
        ids: &ids,
        body_bytes_max: BODY_BYTES_MAX,
        now_us: 1_700_000_000_000_000,
        caller: &caller,
        door: Door { redaction: &redaction, names: &names },
    };
    let batch = decode_batch(kind, body, Format::Unsaid, &context);
    let table = Table::from_name(kind.plural()).ok_or("a kind has a table")?;
    let columns = table.columns(table.layout()).ok_or("a table has its own layout")?;
    let rows = read_rows(columns, &batch.rows).map_err(|error| error.to_string())?;
    match rows.len() as u64 == u64::from(batch.accepted) && batch.records() > 0 {
        true => Ok(u64::from(batch.accepted)),
        false => Err(format!("{} rows, {} accepted of {}", rows.len(), batch.accepted, batch.records())),
    }
}

/// Takes both compressions off a body.
///
/// # Panics
/// It is longer than the bound then.
pub fn compressed(body: &Bytes) {
    for encoding in [ContentEncoding::Gzip, ContentEncoding::Zstd] {
        if let Ok(unpacked) = decompress(body.clone(), encoding, BODY_BYTES_MAX) {
            assert!(unpacked.len() <= BODY_BYTES_MAX);
        }
    }
}

/// Walks over a segment file as a start does.
///
/// # Panics
/// The records and the damage between them are not all of its bytes.
pub fn segment(bytes: &[u8]) {
    assert_eq!(walk_segment(bytes), bytes.len() as u64);
}

/// A segment file with these bodies as frames.
#[must_use]
pub fn segment_of(bodies: &[&[u8]]) -> Vec<u8> {
    crate::spool::segment_of(bodies)
}
