//! Batches on disk, for servers that are away for long: whole files, each with the key under which it is sent.
//!
//! A process owns one folder, by a lock that ends with the process. Folders of dead processes are taken over, so that what a process
//! could not send before its end is sent by the next one, once, because the key stays the same. A folder that has no lock file, or a
//! name that none of ours has, is somebody else's and left alone. A file that does not hold what its name says is set aside as
//! `NAME.damaged`. The Python hooks write the same files.

use std::collections::{HashSet, VecDeque};
use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;

use crate::chunk::Kind;
use crate::disk::compress;
use crate::id::EventId;

const LOCK: &str = "lock";
/// Folders that are begun before there is no spool.
const TRIES: usize = 8;
/// Lines of one batch: far more than `batch_bytes` allows, so that no file takes the memory of the process.
const LINES_BYTES_MAX: u64 = 256 << 20;
/// More than any batch has once it is compressed.
const BODY_BYTES_MAX: u64 = 64 << 20;

/// What stands behind the key of a batch in the keys of its halves.
const HALVES: [&str; 2] = ["-0", "-1"];

/// A batch in a file named `KEY.KIND.EVENTS.ndjson.gz`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stored {
    pub(crate) path: PathBuf,
    pub(crate) key: String,
    pub(crate) kind: Kind,
    pub(crate) events: u64,
    bytes: u64,
}

/// The files of this process, and those it took over, up to a bound in bytes.
#[derive(Debug)]
pub(crate) struct Spool {
    folder: PathBuf,
    bytes_max: u64,
    bytes: u64,
    files: VecDeque<Stored>,
    /// The folders of these files, with their locks, which are held for as long as the spool is.
    folders: Vec<(PathBuf, File)>,
}

impl Spool {
    /// Makes the folder of this process, and takes over those of dead ones.
    pub(crate) fn open(dir: &Path, bytes_max: u64) -> io::Result<Self> {
        let (folder, lock) = made(dir)?;
        let folders = vec![(folder.clone(), lock)];
        let mut spool = Self { folder, bytes_max, bytes: 0, files: VecDeque::new(), folders };
        for entry in fs::read_dir(dir)?.filter_map(Result::ok) {
            spool.adopt(&entry.path());
        }
        spool.files.make_contiguous().sort_by(|a, b| a.key.cmp(&b.key));
        spool.drop_begun_halves();
        Ok(spool)
    }

    /// Deletes halves beside the batch that they are of: their process ended before it deleted that.
    fn drop_begun_halves(&mut self) {
        let keys: HashSet<String> = self.files.iter().map(|stored| stored.key.clone()).collect();
        for stored in self.files.clone() {
            if wholes_of(&stored.key).any(|whole| keys.contains(whole)) {
                self.delete(&stored);
            }
        }
    }

    fn adopt(&mut self, folder: &Path) {
        if folder == self.folder || !name(folder).is_some_and(is_id) {
            return;
        }
        let Ok(lock) = File::options().write(true).open(folder.join(LOCK)) else { return };
        if lock.try_lock().is_err() {
            return; // its process lives
        }
        let Ok(entries) = fs::read_dir(folder) else { return };
        let found: Vec<Stored> =
            entries.filter_map(Result::ok).filter_map(|entry| Stored::parse(entry.path())).collect();
        self.bytes += found.iter().map(|stored| stored.bytes).sum::<u64>();
        self.files.extend(found);
        self.folders.push((folder.to_owned(), lock));
    }

    /// Events that wait here.
    pub(crate) fn events(&self) -> u64 {
        self.files.iter().map(|stored| stored.events).sum()
    }

    /// Writes a batch, whole or not at all; says whether there was room.
    pub(crate) fn add(&mut self, key: &EventId, (kind, events): (Kind, u64), body: &[u8]) -> bool {
        let bytes = body.len() as u64;
        let path = self.folder.join(file_name(key, kind, events));
        if self.bytes + bytes > self.bytes_max || write(&path, body).is_err() {
            return false;
        }
        self.bytes += bytes;
        self.files.push_back(Stored { path, key: key.to_string(), kind, events, bytes });
        true
    }

    /// The batch that waits longest.
    pub(crate) fn oldest(&self) -> Option<Stored> {
        self.files.front().cloned()
    }

    /// The batch's fate is known: its file is deleted. Killed before, it is sent again under the same key.
    pub(crate) fn delete(&mut self, stored: &Stored) {
        self.forget(stored);
        drop(fs::remove_file(&stored.path));
    }

    /// Puts two batches of half its events in the place of one that is too large for the server, which took nothing of it. Their keys are
    /// made of its own, so that whoever has to do it again sends them once all the same.
    pub(crate) fn halve(&mut self, stored: &Stored, body: &[u8]) -> io::Result<()> {
        let lines = unpacked(body)?;
        let half = stored.events / 2;
        let ends = lines.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1);
        let middle = usize::try_from(half).ok().and_then(|half| ends.take(half).last()).unwrap_or_default();
        let (first, second) = lines.split_at(middle);
        let mut halves = Vec::new();
        for (ending, (events, lines)) in HALVES.iter().zip([(half, first), (stored.events - half, second)]) {
            let key = format!("{}{ending}", stored.key);
            let path = stored.path.with_file_name(file_name(&key, stored.kind, events));
            let body = compress(lines, Vec::new())?;
            write(&path, &body)?;
            halves.push(Stored { path, key, kind: stored.kind, events, bytes: body.len() as u64 });
        }
        self.delete(stored);
        for half in halves.into_iter().rev() {
            self.bytes += half.bytes;
            self.files.push_front(half);
        }
        Ok(())
    }

    /// Keeps a file that does not hold what its name says, for somebody to look at; it is not sent.
    pub(crate) fn set_aside(&mut self, stored: &Stored) {
        self.forget(stored);
        let mut aside = stored.path.clone().into_os_string();
        aside.push(".damaged");
        drop(fs::rename(&stored.path, aside));
    }

    fn forget(&mut self, stored: &Stored) {
        let before = self.files.len();
        self.files.retain(|other| other != stored);
        if self.files.len() < before {
            self.bytes -= stored.bytes;
        }
    }
}

/// Gives the folders up; those without a batch are removed.
impl Drop for Spool {
    fn drop(&mut self) {
        for (folder, _lock) in &self.folders {
            if !self.files.iter().any(|stored| stored.path.starts_with(folder)) {
                remove(folder);
            }
        }
    }
}

/// Makes a folder and locks it. One that a process which starts at this moment has taken over already is that one's.
fn made(dir: &Path) -> io::Result<(PathBuf, File)> {
    for _ in 0..TRIES {
        let folder = dir.join(EventId::make().as_str());
        fs::create_dir_all(&folder)?;
        let lock = File::create(folder.join(LOCK))?;
        // Where a file system has no locks, two processes may send a batch, and its key makes it one.
        if !matches!(lock.try_lock(), Err(TryLockError::WouldBlock)) {
            return Ok((folder, lock));
        }
    }
    Err(io::Error::other("other processes took over each new folder"))
}

impl Stored {
    fn parse(path: PathBuf) -> Option<Self> {
        let parts: Vec<&str> = name(&path)?.split('.').collect();
        let [key, kind, events, "ndjson", "gz"] = parts[..] else { return None };
        let (kind, events) = (Kind::from_path(kind)?, events.parse().ok()?);
        let bytes = fs::metadata(&path).ok()?.len();
        let key = key.to_owned();
        Some(Self { path, key, kind, events, bytes })
    }

    /// The batch as it was written.
    ///
    /// # Errors
    /// A file that cannot be read, is no whole gzip, or holds another number of events than its name says.
    pub(crate) fn read(&self) -> io::Result<Vec<u8>> {
        let size = fs::metadata(&self.path)?.len();
        if size > BODY_BYTES_MAX {
            return Err(io::Error::other(format!("{size} bytes; accepted are up to {BODY_BYTES_MAX}")));
        }
        let body = fs::read(&self.path)?;
        let lines = unpacked(&body)?;
        let last = u64::from(lines.last().is_some_and(|byte| *byte != b'\n'));
        let events = lines.iter().filter(|byte| **byte == b'\n').count() as u64 + last;
        if events != self.events {
            return Err(io::Error::other(format!("{events} events, not {}", self.events)));
        }
        Ok(body)
    }
}

fn file_name(key: &str, kind: Kind, events: u64) -> String {
    format!("{key}.{}.{events}.ndjson.gz", kind.path())
}

/// The key of the batch that this is the key of a half of.
fn whole_of(key: &str) -> Option<&str> {
    let whole = HALVES.iter().find_map(|ending| key.strip_suffix(ending))?;
    is_id(whole.get(..ID_CHARS)?).then_some(whole)
}

/// The keys of all batches that this is the key of a part of.
fn wholes_of(key: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(whole_of(key), |whole| whole_of(whole))
}

/// The lines of a batch.
fn unpacked(body: &[u8]) -> io::Result<Vec<u8>> {
    let mut lines = Vec::new();
    GzDecoder::new(body).take(LINES_BYTES_MAX).read_to_end(&mut lines)?;
    Ok(lines)
}

fn write(path: &Path, body: &[u8]) -> io::Result<()> {
    let part = path.with_extension("part");
    let written = write_part(&part, body).and_then(|()| fs::rename(&part, path));
    if written.is_err() {
        // What a full disk took of it would count nowhere.
        drop(fs::remove_file(&part));
    }
    written
}

fn write_part(part: &Path, body: &[u8]) -> io::Result<()> {
    let mut file = File::create(part)?;
    file.write_all(body)?;
    file.sync_all()
}

/// Takes away what is ours; a folder that then holds something, a damaged batch say, stays.
fn remove(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for path in entries.filter_map(Result::ok).map(|entry| entry.path()) {
        let is_ours = name(&path).is_some_and(|name| name == LOCK || name.ends_with(".ndjson.part"));
        if is_ours {
            drop(fs::remove_file(&path));
        }
    }
    drop(fs::remove_dir(folder));
}

fn name(path: &Path) -> Option<&str> {
    path.file_name()?.to_str()
}

/// Characters of an `EventId`.
const ID_CHARS: usize = 36;

/// Whether this is the text of an `EventId`.
fn is_id(name: &str) -> bool {
    let is_right = |(at, byte): (usize, u8)| match at {
        8 | 13 | 18 | 23 => byte == b'-',
        _ => byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte),
    };
    name.len() == ID_CHARS && name.bytes().enumerate().all(is_right)
}
