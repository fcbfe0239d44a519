//! Reading the frames of a block back out of the segment files.

use std::io;
use std::ops::Range;

use super::disk::Disk;
use super::log::{Sealed, segment_name};
use super::record::{HEADER, Header, Kind, Parsed, next_header, parse};

/// The rows of a block, and where each frame's rows lie among them.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Content {
    pub(crate) layout: u16,
    pub(crate) rows: u64,
    /// RowBinary rows, back to back.
    pub(crate) body: Vec<u8>,
    pub(crate) frames: Vec<FrameRows>,
}

/// One frame of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FrameRows {
    pub(crate) seq: u64,
    pub(crate) rows: u64,
}

/// Reads a block. A frame that went bad on disk since the log was opened is left out, and the content has fewer rows than the
/// block says.
///
/// # Errors
/// What the file system says.
pub(crate) fn read_block<D: Disk>(disk: &D, block: &Sealed) -> io::Result<Content> {
    let run = &block.run;
    let mut content = Content { layout: run.layout, ..Content::default() };
    content.body.reserve(usize::try_from(run.bytes).unwrap_or(0));
    for number in run.start.segment..=run.end.segment {
        let name = segment_name(number);
        let from = if number == run.start.segment { run.start.offset } else { 0 };
        let to = match number == run.end.segment {
            true => run.end.offset,
            false => disk.len(&name)?,
        };
        read_frames(disk, &name, from..to, &mut |header, body| {
            if header.kind == Kind::Frame && (run.first..=run.last).contains(&header.seq) {
                content.rows += u64::from(header.rows);
                content.body.extend_from_slice(body);
                content.frames.push(FrameRows { seq: header.seq, rows: u64::from(header.rows) });
            }
        })?;
    }
    Ok(content)
}

/// Bytes that are read at once.
const CHUNK_BYTES: usize = 1 << 20;

/// Visits the records of a stretch of a segment file, a chunk at a time.
fn read_frames<D: Disk>(
    disk: &D,
    name: &str,
    stretch: Range<u64>,
    visit: &mut dyn FnMut(&Header, &[u8]),
) -> io::Result<()> {
    visit_stretch(stretch, CHUNK_BYTES, &mut |place, chunk| disk.read(name, place, chunk), visit)
}

/// Appends so many bytes from an offset.
type ReadPlace<'a> = dyn FnMut((u64, usize), &mut Vec<u8>) -> io::Result<()> + 'a;

/// Visits the records of a stretch of which `read` appends so many bytes from a place. Each byte is read once: a record that does
/// not end in a chunk waits there for the next one.
fn visit_stretch(
    stretch: Range<u64>,
    chunk_bytes: usize,
    read: &mut ReadPlace<'_>,
    visit: &mut dyn FnMut(&Header, &[u8]),
) -> io::Result<()> {
    let (mut from, mut chunk) = (stretch.start, Vec::new());
    loop {
        let (at, held) = (from + chunk.len() as u64, chunk.len());
        let left = usize::try_from(stretch.end.saturating_sub(at)).unwrap_or(usize::MAX);
        let len = chunk_bytes.min(left);
        if len == 0 {
            return Ok(());
        }
        read((at, len), &mut chunk)?;
        let is_last = len == left || chunk.len() < held + len;
        let consumed = visit_records(&chunk, is_last, visit);
        if is_last {
            return Ok(());
        }
        chunk.drain(..consumed.min(chunk.len()));
        from += consumed as u64;
    }
}

/// Visits the whole records at the start of a chunk and answers how many bytes they take, with the damage between them.
fn visit_records(chunk: &[u8], is_last: bool, visit: &mut dyn FnMut(&Header, &[u8])) -> usize {
    let mut at = 0;
    while at < chunk.len() {
        at += match parse(&chunk[at..]) {
            Parsed::Record(header, _, body) => {
                visit(&header, body);
                usize::try_from(header.record_bytes()).unwrap_or(usize::MAX)
            }
            Parsed::Damaged(skip) => usize::try_from(skip).unwrap_or(usize::MAX),
            // What looks short may go on in the next chunk.
            Parsed::Short | Parsed::Nothing if !is_last && at + HEADER > chunk.len() => return at,
            Parsed::Short if !is_last => return at,
            Parsed::Short | Parsed::Nothing => match next_header(&chunk[at..]) {
                Some(distance) => distance,
                None if is_last => chunk.len() - at,
                // A header may begin in the last bytes.
                None => return (chunk.len() - HEADER + 1).max(at + 1),
            },
        };
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spool::record::Record;

    /// Records with bodies of these lengths, all of sevens; `rubble` behind the second one.
    fn records(rubble: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (seq, len) in [(1, 3), (2, 200), (3, 0), (4, 50)] {
            let body = vec![7; len];
            Record { kind: Kind::Frame, layout: 1, seq, rows: 1, time_us: 0, meta: &[], body: &body }
                .encode(&mut bytes);
            if seq == 2 {
                bytes.extend_from_slice(rubble);
            }
        }
        bytes
    }

    /// The numbers of the records that are visited in chunks of this size, and how many bytes were read.
    fn visited(bytes: &[u8], size: usize) -> (Vec<u64>, usize) {
        let (mut seen, mut read) = (Vec::new(), 0);
        let mut source = |(at, len): (u64, usize), chunk: &mut Vec<u8>| -> io::Result<()> {
            let at = usize::try_from(at).unwrap();
            chunk.extend_from_slice(&bytes[at..bytes.len().min(at + len)]);
            read += len;
            Ok(())
        };
        visit_stretch(0..bytes.len() as u64, size, &mut source, &mut |header, body| {
            seen.push(header.seq);
            assert!(body.iter().all(|byte| *byte == 7), "chunks of {size}");
        })
        .unwrap();
        (seen, read)
    }

    #[test]
    fn records_are_visited_alike_in_chunks_of_any_size() {
        let bytes = records(b"rubble that is no record, and longer than a header is");
        for size in 1..bytes.len() + 1 {
            let (seen, read) = visited(&bytes, size);
            assert_eq!(read, bytes.len(), "each byte is read once, in chunks of {size}");
            assert_eq!(seen, [1, 2, 3, 4], "chunks of {size}");
        }
    }

    #[test]
    fn damage_anywhere_costs_one_record_in_chunks_of_any_size() {
        let mut bytes = records(b"");
        for at in 0..bytes.len() {
            bytes[at] ^= 1;
            let whole = visited(&bytes, bytes.len());
            assert_eq!(whole.0.len(), 3, "byte {at}: {whole:?}");
            for size in [1, HEADER - 1, HEADER, HEADER + 1, 100] {
                assert_eq!(visited(&bytes, size), whole, "byte {at}, chunks of {size}");
            }
            bytes[at] ^= 1;
        }
    }
}
