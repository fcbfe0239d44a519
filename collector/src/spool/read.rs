//! Reading the frames of a block back out of the segment files.

use std::io;

use super::disk::Disk;
use super::log::{Sealed, segment_name};
use super::record::{HEADER, Kind, Parsed, next_header, parse};

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
        let len = usize::try_from(to.saturating_sub(from)).map_err(io::Error::other)?;
        let bytes = disk.read(&name, from, len)?;
        take_frames(&bytes, run.first..=run.last, &mut content);
    }
    Ok(content)
}

fn take_frames(bytes: &[u8], seqs: std::ops::RangeInclusive<u64>, content: &mut Content) {
    let mut at = 0;
    while at + HEADER <= bytes.len() {
        at += match parse(&bytes[at..]) {
            Parsed::Record(header, _, body) => {
                if header.kind == Kind::Frame && seqs.contains(&header.seq) {
                    content.rows += u64::from(header.rows);
                    content.body.extend_from_slice(body);
                    content.frames.push(FrameRows { seq: header.seq, rows: u64::from(header.rows) });
                }
                usize::try_from(header.record_bytes()).unwrap_or(usize::MAX)
            }
            Parsed::Damaged(skip) => usize::try_from(skip).unwrap_or(usize::MAX),
            Parsed::Short | Parsed::Nothing => next_header(&bytes[at..]).unwrap_or(bytes.len()),
        };
    }
}
