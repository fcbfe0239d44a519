//! Finding the bad rows of a batch: halves it until they stand alone, and lays those aside.
//!
//! ClickHouse may have taken one half when a crash comes, so the way down has to be the same the second time. Every range
//! that was found bad is written into a file before its halves are sent, and is not sent again; every other range has a token
//! of its own, derived from the block's. Whatever is sent twice is therefore sent under the same token, and kept once.

use std::collections::HashSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use windvane_store::{Block, row_ends};

use crate::dead_letters;

/// After so many bad rows of one batch, ranges that fail are laid aside whole: a batch that is bad throughout would cost an INSERT
/// and two synced files a row.
pub(super) const BAD_ROWS_MAX: usize = 100;

/// The rows of a block, and what is known of its ranges.
#[derive(Debug)]
pub(super) struct Sieve {
    block: Block,
    ends: Vec<usize>,
    body: Bytes,
    folder: PathBuf,
    known_bad: HashSet<(usize, usize)>,
}

/// What to do with a range.
#[derive(Debug)]
pub(super) enum Step {
    /// It lies aside from an earlier time.
    LaidAside,
    /// It is known to be bad: look at its halves.
    Halve,
    /// Send it.
    Send(Block),
}

impl Sieve {
    /// A sieve for a block that was found bad. `None` where its rows cannot be told apart.
    ///
    /// # Errors
    /// What the file system says.
    pub(super) fn open(folder: &Path, block: &Block) -> io::Result<Option<Self>> {
        let Some(columns) = block.table.columns(block.layout) else { return Ok(None) };
        let body = Bytes::from(block.body.concat());
        let Ok(ends) = row_ends(columns, &body) else { return Ok(None) };
        if ends.len() as u64 != block.rows || ends.len() < 2 {
            return Ok(None);
        }
        fs::create_dir_all(folder)?;
        let known_bad = read(&marks(folder, &block.token))?;
        let (block, folder) = (block.clone(), folder.to_owned());
        let mut sieve = Self { block, ends, body, folder, known_bad };
        sieve.mark(&sieve.all())?;
        Ok(Some(sieve))
    }

    /// Whether a block was found bad before, so that it must not be sent whole again.
    pub(super) fn is_begun(folder: &Path, token: &str) -> bool {
        marks(folder, token).exists()
    }

    pub(super) fn all(&self) -> Range<usize> {
        0..self.ends.len()
    }

    pub(super) fn step(&self, range: &Range<usize>) -> Step {
        if dead_letters::is_there(&self.folder, &self.token(range)) {
            return Step::LaidAside;
        }
        match self.known_bad.contains(&(range.start, range.end)) {
            true => Step::Halve,
            false => Step::Send(self.part(range)),
        }
    }

    /// Remembers, durably, that a range is bad; only then may its halves be sent.
    pub(super) fn mark(&mut self, range: &Range<usize>) -> io::Result<()> {
        let bounds = (range.start, range.end);
        if self.known_bad.contains(&bounds) {
            return Ok(());
        }
        let path = marks(&self.folder, &self.block.token);
        let mut file = OpenOptions::new().create(true).append(true).open(path)?;
        // On a line of its own, also where an earlier try left the beginning of one.
        write!(file, "\n{} {}\n", bounds.0, bounds.1)?;
        file.sync_all()?;
        File::open(&self.folder)?.sync_all()?;
        self.known_bad.insert(bounds);
        Ok(())
    }

    /// Forgets the marks, once the whole block is checkpointed.
    pub(super) fn close(&self) {
        if let Err(error) = fs::remove_file(marks(&self.folder, &self.block.token)) {
            tracing::warn!(%error, token = %self.block.token, "cannot remove the marks of a block that is done");
        }
    }

    /// The rows of a range as a block of their own.
    pub(super) fn part(&self, range: &Range<usize>) -> Block {
        let from = range.start.checked_sub(1).map_or(0, |before| self.ends[before]);
        let body = vec![self.body.slice(from..self.ends[range.end - 1])];
        Block { rows: range.len() as u64, token: self.token(range), body, ..self.block.clone() }
    }

    fn token(&self, range: &Range<usize>) -> String {
        format!("{}-r{}-{}", self.block.token, range.start, range.end)
    }
}

/// The halves of a range, the first one last, so that a stack gives it first.
pub(super) fn halves(range: &Range<usize>) -> [Range<usize>; 2] {
    let middle = range.start + range.len() / 2;
    [middle..range.end, range.start..middle]
}

fn marks(folder: &Path, token: &str) -> PathBuf {
    folder.join(format!("{token}.marks"))
}

/// Reads marks; a last line that a crash cut short counts for nothing, because its halves were not sent.
fn read(path: &Path) -> io::Result<HashSet<(usize, usize)>> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(HashSet::new()),
        Err(error) => return Err(error),
    };
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    let pair = |line: &str| {
        let (from, to) = line.split_once(' ')?;
        Some((from.parse().ok()?, to.parse().ok()?))
    };
    Ok(whole.lines().filter_map(pair).collect())
}
