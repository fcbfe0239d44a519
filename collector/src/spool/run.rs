//! Runs of frames: what the next blocks will be, known by their ends only, so that a long backlog costs no memory a frame.

use std::collections::VecDeque;

/// How large one block may become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockLimits {
    /// Rows of one block; at most [`windvane_store::Block::ROWS_MAX`]. A single larger frame is a block of its own.
    pub rows_max: u64,
    /// Bytes of one block.
    pub bytes_max: u64,
    /// Frames of one block: the uploader keeps 24 bytes of each.
    pub frames_max: u64,
}

impl Default for BlockLimits {
    /// Rows of 20 numeric and 5 categorical features have about 550 bytes each here, so that 64 MiB hold 100,000 of them: the fewer parts
    /// the engine gets, the less it merges. A block is in memory once as rows and, at under half the bytes, as columns.
    fn default() -> Self {
        Self { rows_max: 100_000, bytes_max: 64 << 20, frames_max: 1 << 16 }
    }
}

/// A place in the segment files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Position {
    /// The segment file's number.
    pub(crate) segment: u64,
    /// Bytes from its start.
    pub(crate) offset: u64,
}

/// One frame as far as a run needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FrameInfo {
    pub(crate) seq: u64,
    pub(crate) layout: u16,
    pub(crate) rows: u64,
    /// Bytes of the whole record.
    pub(crate) bytes: u64,
    pub(crate) at: Position,
    pub(crate) time_us: i64,
    pub(crate) crc: u32,
}

/// Frames next to each other, of one layout, together no larger than a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) first: u64,
    pub(crate) last: u64,
    pub(crate) layout: u16,
    pub(crate) rows: u64,
    pub(crate) bytes: u64,
    /// Where the first frame begins.
    pub(crate) start: Position,
    /// Where the last frame ends.
    pub(crate) end: Position,
    /// When the oldest frame arrived, microseconds since 1970.
    pub(crate) oldest_us: i64,
    /// A checksum over the frames' checksums: part of the token.
    pub(crate) crc: u32,
}

impl Run {
    pub(crate) fn of(frame: &FrameInfo) -> Self {
        Self {
            first: frame.seq,
            last: frame.seq,
            layout: frame.layout,
            rows: frame.rows,
            bytes: frame.bytes,
            start: frame.at,
            end: Position { offset: frame.at.offset + frame.bytes, ..frame.at },
            oldest_us: frame.time_us,
            crc: crc32c::crc32c(&frame.crc.to_le_bytes()),
        }
    }

    /// Adds a frame behind the last one.
    pub(crate) fn extend(&mut self, frame: &FrameInfo) {
        self.last = frame.seq;
        self.rows += frame.rows;
        self.bytes += frame.bytes;
        self.end = Position { offset: frame.at.offset + frame.bytes, ..frame.at };
        self.oldest_us = self.oldest_us.min(frame.time_us);
        self.crc = crc32c::crc32c_append(self.crc, &frame.crc.to_le_bytes());
    }

    fn takes(&self, frame: &FrameInfo, limits: &BlockLimits) -> bool {
        self.layout == frame.layout
            && self.rows + frame.rows <= limits.rows_max
            && self.bytes + frame.bytes <= limits.bytes_max
            && self.last - self.first + 1 < limits.frames_max
    }
}

/// The frames that are in no block yet, as runs: full ones, and the one that still grows.
#[derive(Debug, Default)]
pub(crate) struct Runs {
    full: VecDeque<Run>,
    open: Option<Run>,
}

impl Runs {
    pub(crate) fn push(&mut self, frame: &FrameInfo, limits: &BlockLimits) {
        match &mut self.open {
            Some(open) if open.takes(frame, limits) => open.extend(frame),
            open => self.full.extend(open.replace(Run::of(frame))),
        }
        if self.open.is_some_and(|open| open.rows >= limits.rows_max || open.bytes >= limits.bytes_max) {
            self.full.extend(self.open.take());
        }
    }

    /// The next run, full or not.
    pub(crate) fn next(&self) -> Option<&Run> {
        self.full.front().or(self.open.as_ref())
    }

    /// Takes the run that [`Runs::next`] showed.
    pub(crate) fn take(&mut self) -> Option<Run> {
        self.full.pop_front().or_else(|| self.open.take())
    }

    /// How many do not grow any more.
    pub(crate) fn full(&self) -> usize {
        self.full.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Run> {
        self.full.iter().chain(&self.open)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(seq: u64, rows: u64, layout: u16) -> FrameInfo {
        let at = Position { segment: 0, offset: seq * 10 };
        FrameInfo { seq, layout, rows, bytes: 10, at, time_us: 0, crc: 0 }
    }

    #[test]
    fn a_run_ends_at_each_of_its_limits_and_at_another_layout() {
        let limits = BlockLimits { rows_max: 5, bytes_max: 100, frames_max: 3 };
        type Case<'c> = (&'c str, &'c [(u64, u16)], &'c [u64]);
        let cases: [Case<'_>; 5] = [
            ("rows", &[(2, 1), (2, 1), (2, 1)], &[4, 2]),
            ("exactly the rows", &[(2, 1), (3, 1), (1, 1)], &[5, 1]),
            ("frames", &[(1, 1), (1, 1), (1, 1), (1, 1)], &[3, 1]),
            ("layout", &[(1, 1), (1, 2), (1, 2)], &[1, 2]),
            ("one frame larger than a block", &[(1, 1), (9, 1), (1, 1)], &[1, 9, 1]),
        ];
        for (name, frames, expected) in cases {
            let mut runs = Runs::default();
            for (seq, (rows, layout)) in (0..).zip(frames) {
                runs.push(&frame(seq, *rows, *layout), &limits);
            }
            let rows: Vec<u64> = std::iter::from_fn(|| runs.take()).map(|run| run.rows).collect();
            assert_eq!(rows, expected, "{name}");
        }
    }
}
