//! Opening a log after whatever happened: reads its segment files, cuts a torn end, lays damaged bytes aside, and takes up
//! the work where the checkpoints left it.

use std::io;
use std::sync::Arc;

use parking_lot::Mutex;

use super::disk::{Appender, Disk};
use super::keys::Keys;
use super::log::{Log, LogLimits, Sealed, Segment, begin_segment_on_a_full_disk, segment_name, token};
use super::record::{HEADER, Header, KeyRecord, Kind, Parsed, Seal, next_header, parse};
use super::reserve;
use super::retire::KeysFile;
use super::run::{FrameInfo, Position, Run, Runs};

/// What was found on the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Recovered {
    /// Rows that still have to be sent.
    pub(crate) rows: u64,
    /// Bytes cut off the end of the last segment file: a write that never finished, hence never acknowledged.
    pub(crate) torn_bytes: u64,
    /// Damaged stretches in the middle, copied into `*.damaged` files.
    pub(crate) damaged: u64,
    /// Their bytes.
    pub(crate) damaged_bytes: u64,
}

/// One stretch of a segment file.
pub(super) enum Item<'a> {
    Record(u64, Header, &'a [u8], &'a [u8]),
    /// From here, so many bytes, none of them a record.
    Damaged(u64, u64),
}

/// Walks over a segment file's records and the damage between them.
pub(super) fn walk<'a>(bytes: &'a [u8], mut visit: impl FnMut(Item<'a>)) {
    let mut at = 0;
    let mut damaged_from = None;
    while at < bytes.len() {
        let skip = match parse(&bytes[at..]) {
            Parsed::Record(header, meta, body) => {
                if let Some(from) = damaged_from.take() {
                    visit(Item::Damaged(from as u64, (at - from) as u64));
                }
                visit(Item::Record(at as u64, header, meta, body));
                at += usize::try_from(header.record_bytes()).unwrap_or(usize::MAX);
                continue;
            }
            Parsed::Damaged(skip) => usize::try_from(skip).unwrap_or(usize::MAX),
            Parsed::Short | Parsed::Nothing => next_header(&bytes[at..]).unwrap_or(usize::MAX),
        };
        damaged_from.get_or_insert(at);
        at = at.saturating_add(skip);
    }
    if let Some(from) = damaged_from {
        visit(Item::Damaged(from as u64, (bytes.len() - from) as u64));
    }
}

/// What the first pass over all records finds.
struct Survey<'k> {
    keys: &'k Mutex<Keys>,
    segments: Vec<Segment>,
    done_seq: u64,
    last_seq: u64,
    seals: Vec<Seal>,
    recovered: Recovered,
}

impl Survey<'_> {
    fn note(&mut self, header: &Header, meta: &[u8], body: &[u8]) {
        match header.kind {
            Kind::Frame => {
                self.last_seq = self.last_seq.max(header.seq);
                if let Some(record) = KeyRecord::decode(meta) {
                    self.keys.lock().remember(record, header.time_us, header.seq);
                }
            }
            Kind::Seal => {
                for seal in [meta, body].into_iter().filter_map(Seal::decode) {
                    // The halves of a split replace the whole.
                    self.seals.retain(|old| old.last < seal.first || old.first > seal.last);
                    self.seals.push(seal);
                }
            }
            Kind::Checkpoint => {
                self.done_seq = self.done_seq.max(header.seq);
                // Frames of checkpoints whose segment files are gone must not have their numbers used again.
                self.last_seq = self.last_seq.max(header.seq);
            }
            Kind::Key => {}
        }
    }
}

impl<D: Disk> Log<D> {
    /// Opens the log, in an empty folder too. `identity` begins the tokens of its blocks.
    ///
    /// # Errors
    /// What the file system says. Damaged content is no error: it is laid aside and counted.
    pub(crate) fn open(
        disk: Arc<D>,
        limits: LogLimits,
        identity: String,
        keys: Arc<Mutex<Keys>>,
    ) -> io::Result<(Self, Recovered)> {
        let keys_file = KeysFile::open(&*disk, &mut keys.lock())?;
        let mut numbers: Vec<u64> = disk.list()?.iter().filter_map(|name| segment_number(name)).collect();
        numbers.sort_unstable();
        let kept = keys_file.last_seq();
        let mut survey = Survey {
            keys: &keys,
            segments: Vec::new(),
            done_seq: kept,
            last_seq: kept,
            seals: Vec::new(),
            recovered: Recovered::default(),
        };
        let last = last_used(&*disk, &numbers)?;
        for number in &numbers {
            let is_last = last.is_none_or(|last| *number >= last);
            survey_segment(&*disk, *number, is_last, &mut survey)?;
        }
        let (sealed, runs) = rebuild(&*disk, &survey, &limits, &identity)?;
        let Survey { mut segments, done_seq, last_seq, mut recovered, .. } = survey;
        let number = numbers.last().map_or(1, |last| last + 1);
        let (file, bytes) = begin_segment_on_a_full_disk(&*disk, number, done_seq)?;
        if let Err(error) = reserve::keep(&*disk) {
            tracing::warn!(%error, "cannot keep room for emptying a full disk");
        }
        segments.push(Segment { number, bytes, last: last_seq });
        let log = Self {
            disk,
            limits,
            identity,
            keys,
            keys_file,
            file,
            segments: segments.into(),
            next_seq: last_seq + 1,
            done_seq,
            sealed: sealed.into(),
            runs,
            failed: false,
            buffer: Vec::new(),
        };
        recovered.rows = log.backlog().rows;
        Ok((log, recovered))
    }
}

pub(super) fn segment_number(name: &str) -> Option<u64> {
    u64::from_str_radix(name.strip_suffix(".segment")?, 16).ok()
}

/// The last segment file that was written to. Every file begins with a record before it is used; one without any, behind
/// it, is what a failed beginning left, and says nothing about the end of the log.
fn last_used<D: Disk>(disk: &D, numbers: &[u64]) -> io::Result<Option<u64>> {
    for number in numbers.iter().rev() {
        let mut is_used = false;
        walk(&read_all(disk, &segment_name(*number))?, |item| is_used |= matches!(item, Item::Record(..)));
        if is_used {
            return Ok(Some(*number));
        }
    }
    Ok(None)
}

/// Reads one segment file into the survey; cuts the torn end of the last one and copies damage aside.
fn survey_segment<D: Disk>(disk: &D, number: u64, is_last: bool, survey: &mut Survey<'_>) -> io::Result<()> {
    let name = segment_name(number);
    let bytes = read_all(disk, &name)?;
    let mut damage = Vec::new();
    let mut end = 0;
    walk(&bytes, |item| match item {
        Item::Record(at, header, meta, body) => {
            survey.note(&header, meta, body);
            end = at + header.record_bytes();
        }
        Item::Damaged(from, len) => damage.push((from, len)),
    });
    let mut len = bytes.len() as u64;
    if is_last && end < len {
        let from = usize::try_from(end).unwrap_or(usize::MAX);
        if is_torn(&bytes[from..]) {
            damage.retain(|(from, _)| *from < end);
            survey.recovered.torn_bytes += len - end;
        }
    }
    for (from, n) in damage {
        survey.recovered.damaged += 1;
        survey.recovered.damaged_bytes += n;
        let from = usize::try_from(from).unwrap_or(usize::MAX);
        let end = from.saturating_add(usize::try_from(n).unwrap_or(usize::MAX)).min(bytes.len());
        lay_aside(disk, &format!("{number:016x}-{from:08x}.damaged"), &bytes[from..end])?;
    }
    if is_last && end < len {
        let mut file = disk.open(&name)?;
        file.truncate(end)?;
        file.sync()?;
        len = end;
    }
    survey.segments.push(Segment { number, bytes: len, last: survey.last_seq });
    Ok(())
}

/// Whether the bytes behind the last good record are a write that a crash cut short: they end early, or the file system
/// kept the room and not the bytes. Anything else was whole once and went bad; it is kept aside.
fn is_torn(tail: &[u8]) -> bool {
    tail.len() < HEADER || matches!(parse(tail), Parsed::Short) || tail.iter().all(|byte| *byte == 0)
}

/// Copies damaged bytes into a file of their own, once, so that they outlive their segment file.
fn lay_aside<D: Disk>(disk: &D, name: &str, bytes: &[u8]) -> io::Result<()> {
    match disk.create(name) {
        Ok(mut file) => {
            file.append(bytes)?;
            file.sync()?;
            disk.sync_folder()
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

/// The second pass: the frames that are not done, as the blocks that were sealed and the runs behind them.
fn rebuild<D: Disk>(
    disk: &D,
    survey: &Survey<'_>,
    limits: &LogLimits,
    identity: &str,
) -> io::Result<(Vec<Sealed>, Runs)> {
    let done_seq = survey.done_seq;
    let mut sealed: Vec<(Seal, Option<Run>)> =
        survey.seals.iter().filter(|seal| seal.last > done_seq).map(|seal| (seal.clone(), None)).collect();
    sealed.sort_by_key(|(seal, _)| seal.first);
    seal_gaps(done_seq, &mut sealed);
    let mut runs = Runs::default();
    for segment in survey.segments.iter().filter(|segment| segment.last > done_seq) {
        let bytes = read_all(disk, &segment_name(segment.number))?;
        walk(&bytes, |item| {
            let Item::Record(offset, header, _, _) = item else { return };
            if header.kind != Kind::Frame || header.seq <= done_seq {
                return;
            }
            let frame = FrameInfo {
                seq: header.seq,
                layout: header.layout,
                rows: u64::from(header.rows),
                bytes: header.record_bytes(),
                at: Position { segment: segment.number, offset },
                time_us: header.time_us,
                crc: header.payload_crc,
            };
            match sealed.iter_mut().find(|(seal, _)| (seal.first..=seal.last).contains(&frame.seq)) {
                Some((_, Some(run))) => run.extend(&frame),
                Some((_, run)) => *run = Some(Run::of(&frame)),
                None => runs.push(&frame, &limits.block),
            }
        });
    }
    // A block keeps the ends and the token that it may have been sent with, also where a frame of it is damaged now.
    let sealed = sealed.into_iter().filter_map(|(seal, run)| {
        let run = Run { first: seal.first, last: seal.last, ..run? };
        let token = if seal.token.is_empty() { token(identity, &run) } else { seal.token };
        Some(Sealed { run, token })
    });
    Ok((sealed.collect(), runs))
}

/// Blocks are sealed in the order of their frames, so that frames before a sealed one are in a block as well: where the record of that one
/// went bad, it is made anew, with the token that it had. Left among the unsealed they would be sent behind a checkpoint that passed them.
fn seal_gaps(done_seq: u64, sealed: &mut Vec<(Seal, Option<Run>)>) {
    let mut before = done_seq;
    let mut gaps = Vec::new();
    for (seal, _) in &*sealed {
        if seal.first > before + 1 {
            gaps.push((Seal { first: before + 1, last: seal.first - 1, token: String::new() }, None));
        }
        before = before.max(seal.last);
    }
    sealed.extend(gaps);
    sealed.sort_by_key(|(seal, _)| seal.first);
}

pub(super) fn read_all<D: Disk>(disk: &D, name: &str) -> io::Result<Vec<u8>> {
    let len = usize::try_from(disk.len(name)?).map_err(io::Error::other)?;
    let mut bytes = Vec::new();
    disk.read(name, (0, len), &mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spool::record::Record;

    fn frame(seq: u64, body: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        Record { kind: Kind::Frame, layout: 1, seq, rows: 1, time_us: 0, meta: &[], body }.encode(&mut out);
        out
    }

    fn seen(bytes: &[u8]) -> Vec<String> {
        let mut seen = Vec::new();
        walk(bytes, |item| {
            seen.push(match item {
                Item::Record(_, header, ..) => format!("frame {}", header.seq),
                Item::Damaged(from, len) => format!("damaged {from}+{len}"),
            });
        });
        seen
    }

    #[test]
    fn a_damaged_frame_costs_itself_only() {
        let whole = [frame(1, b"aaaa"), frame(2, b"bbbb"), frame(3, b"cccc")].concat();
        assert_eq!(seen(&whole), ["frame 1", "frame 2", "frame 3"]);
        for (what, at) in [("header", 48 + 10), ("payload", 48 + 46)] {
            let mut damaged = whole.clone();
            damaged[at] ^= 1;
            assert_eq!(seen(&damaged), ["frame 1", "damaged 48+48", "frame 3"], "{what}");
        }
        assert_eq!(seen(&whole[..100]), ["frame 1", "frame 2", "damaged 96+4"]);
        assert_eq!(seen(&[0; 10]), ["damaged 0+10"]);
        assert!(seen(&[]).is_empty());
    }
}
