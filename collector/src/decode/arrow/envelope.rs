//! The messages of an Arrow IPC stream, walked before anything is decoded: that they are whole, and that what they announce is
//! within the bounds.
//!
//! The reader allocates what a compressed buffer says it will become, and asserts that buffers lie within their message. Both come
//! from the client, so both are checked here first.

use std::ops::Range;

use arrow::ipc::{self, MessageHeader, root_as_message};

use super::Bounds;

/// Why a stream is not handed on.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Faulty {
    /// Its parts are not whole or lie elsewhere.
    Invalid(String),
    /// It announces more than it may.
    TooLarge(String),
}

/// Begins a file; the messages of a stream follow, and then a footer that is not needed to read them in order.
const FILE_MAGIC: &[u8] = b"ARROW1\0\0";
/// The widest alignment that writers of files choose.
const ALIGNMENT_MAX: usize = 64;
const CONTINUATION: u32 = 0xffff_ffff;
/// The length that stands before a buffer in a compressed message; -1 says that this one is not compressed.
const LENGTH_BYTES: usize = 8;
/// Values that rows may have in all columns together, counted by what the columns announce.
const VALUES_MAX: u64 = 1 << 27;

/// Checks a body and answers where the messages of its stream are.
pub(super) fn check(body: &[u8], bounds: &Bounds) -> Result<Range<usize>, Faulty> {
    let start = start(body);
    let (mut at, mut announced) = (start, Announced::default());
    while at < body.len() {
        let Some((metadata, next)) = metadata(body, at)? else {
            break;
        };
        let message = root_as_message(metadata)
            .map_err(|error| invalid(at, format!("its metadata is broken: {error}")))?;
        let length = usize::try_from(message.bodyLength())
            .ok()
            .filter(|length| *length <= body.len() - next)
            .ok_or_else(|| invalid(at, "its body is longer than what came".to_owned()))?;
        let content = &body[next..next + length];
        match message.header_type() {
            MessageHeader::RecordBatch => {
                let batch = message.header_as_record_batch().ok_or_else(|| no_header(at))?;
                announced.rows += non_negative(batch.length(), at)?;
                announced.add(&batch, content, at)?;
            }
            MessageHeader::DictionaryBatch => {
                let dictionary = message.header_as_dictionary_batch().ok_or_else(|| no_header(at))?;
                let batch = dictionary.data().ok_or_else(|| no_header(at))?;
                announced.add(&batch, content, at)?;
            }
            _ => {}
        }
        announced.within(bounds)?;
        at = next + length;
    }
    if at == start {
        return Err(Faulty::Invalid("it holds no message".to_owned()));
    }
    Ok(start..at)
}

/// Where the first message is: in a file behind the magic and the zeros that align what follows.
fn start(body: &[u8]) -> usize {
    if !body.starts_with(FILE_MAGIC) {
        return 0;
    }
    let words = body[..body.len().min(ALIGNMENT_MAX)].chunks_exact(FILE_MAGIC.len()).skip(1);
    FILE_MAGIC.len() * (1 + words.take_while(|word| word.iter().all(|byte| *byte == 0)).count())
}

/// The metadata of the message at a place, and where its body begins; nothing at the end of the stream.
fn metadata(body: &[u8], at: usize) -> Result<Option<(&[u8], usize)>, Faulty> {
    let cut = || invalid(at, "it is cut off".to_owned());
    let word = |at: usize| -> Result<u32, Faulty> {
        let bytes = body.get(at..at + 4).ok_or_else(cut)?;
        Ok(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    };
    // Before version 0.15 of the format there was no continuation marker.
    let (length, begin) = match word(at)? {
        CONTINUATION => (word(at + 4)?, at + 8),
        length => (length, at + 4),
    };
    if length == 0 {
        return Ok(None);
    }
    let end = begin.checked_add(usize::try_from(length).map_err(|_| cut())?).ok_or_else(cut)?;
    Ok(Some((body.get(begin..end).ok_or_else(cut)?, end)))
}

/// What the messages so far say that they hold.
#[derive(Debug, Default)]
struct Announced {
    rows: u64,
    values: u64,
    bytes: u64,
}

impl Announced {
    fn add(&mut self, batch: &ipc::RecordBatch<'_>, content: &[u8], at: usize) -> Result<(), Faulty> {
        for node in batch.nodes().iter().flatten() {
            self.values = self.values.saturating_add(non_negative(node.length(), at)?);
        }
        let compressed = batch.compression().is_some();
        for buffer in batch.buffers().iter().flatten() {
            let (offset, length) = (usize::try_from(buffer.offset()), usize::try_from(buffer.length()));
            let bytes = match (offset, length) {
                (Ok(offset), Ok(length)) => {
                    offset.checked_add(length).and_then(|end| content.get(offset..end))
                }
                _ => None,
            };
            let bytes =
                bytes.ok_or_else(|| invalid(at, "a buffer of it lies outside its body".to_owned()))?;
            let becomes = match bytes.first_chunk::<LENGTH_BYTES>() {
                Some(prefix) if compressed => i64::from_le_bytes(*prefix),
                _ => -1,
            };
            self.bytes = self.bytes.saturating_add(u64::try_from(becomes).unwrap_or(bytes.len() as u64));
        }
        Ok(())
    }

    fn within(&self, bounds: &Bounds) -> Result<(), Faulty> {
        let Bounds { rows_max, bytes_max } = *bounds;
        for (n, max, what) in [
            (self.rows, rows_max as u64, "rows"),
            (self.bytes, bytes_max as u64, "bytes after decompression"),
            (self.values, VALUES_MAX, "values in all columns"),
        ] {
            if n > max {
                let why = format!(
                    "the Arrow stream announces {n} {what}; accepted are up to {max}: send smaller batches"
                );
                return Err(Faulty::TooLarge(why));
            }
        }
        Ok(())
    }
}

fn non_negative(n: i64, at: usize) -> Result<u64, Faulty> {
    u64::try_from(n).map_err(|_| invalid(at, format!("it announces {n} rows")))
}

fn no_header(at: usize) -> Faulty {
    invalid(at, "it has no header".to_owned())
}

fn invalid(at: usize, why: String) -> Faulty {
    Faulty::Invalid(format!("the message at byte {at}: {why}"))
}
