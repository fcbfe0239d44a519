//! The spool's folder: its lock, its identity, one folder a table, and the room it may take.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use uuid::Uuid;
use windvane_store::Table;

use super::disk::RealDisk;
use super::error::OpenError;
use super::keys::{KeyLimits, Keys};
use super::log::{Log, LogLimits};
use super::recover::Recovered;
use super::room::Room;
use super::run::BlockLimits;
use super::writer::TableSpool;

/// Where the spool is and how large it may become.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpoolOptions {
    /// The folder; made if it is missing. Only one process at a time uses it.
    pub folder: PathBuf,
    /// Bytes that the segment files may take together; a batch beyond is refused.
    pub bytes_max: u64,
    /// How large one block may become.
    pub block: BlockLimits,
    /// How long idempotency keys are remembered.
    pub keys: KeyLimits,
}

impl SpoolOptions {
    /// The defaults in this folder: 4 GiB, about two hours at 1,000 events a second.
    #[must_use]
    pub fn new(folder: PathBuf) -> Self {
        Self { folder, bytes_max: 4 << 30, block: BlockLimits::default(), keys: KeyLimits::default() }
    }
}

/// A segment file is at most this long, apart from its last frame.
const SEGMENT_BYTES_MAX: u64 = 32 << 20;

/// All logs, and the lock that keeps other processes out.
#[derive(Debug)]
pub(crate) struct Spool {
    /// One a table, in the order of [`Table::ALL`].
    pub(crate) tables: Vec<TableSpool>,
    /// What was found in each log.
    pub(crate) recovered: Vec<Recovered>,
    /// To be held as long as the spool is open.
    pub(crate) lock: File,
}

impl Spool {
    /// Opens the spool and starts its threads.
    ///
    /// # Errors
    /// Another process has it, or the file system refuses something; [`OpenError::may_pass`] tells what is worth another try.
    pub(crate) fn open(options: &SpoolOptions, new_identity: Uuid) -> Result<Self, OpenError> {
        let failed = |what| {
            let folder = options.folder.clone();
            move |source| OpenError::Io { what, folder, source }
        };
        fs::create_dir_all(&options.folder).map_err(failed("create"))?;
        let lock = lock(&options.folder)?;
        let identity = identity(&options.folder, new_identity).map_err(failed("name"))?;
        let limits =
            LogLimits { block: options.block, segment_bytes: SEGMENT_BYTES_MAX.min(options.bytes_max / 16) };
        let room = Arc::new(Room::new(options.bytes_max, options.folder.clone()));
        let (mut tables, mut recovered) = (Vec::new(), Vec::new());
        for table in Table::ALL {
            let disk = RealDisk::new(options.folder.join(table.name())).map_err(failed("create"))?;
            let disk = Arc::new(disk);
            let keys = Arc::new(Mutex::new(Keys::new(options.keys)));
            let identity = format!("{}-{table}", identity.simple());
            let (log, found) =
                Log::open(Arc::clone(&disk), limits, identity, Arc::clone(&keys)).map_err(failed("read"))?;
            recovered.push(found);
            let spool = TableSpool::start(table, log, keys, Arc::clone(&room)).map_err(failed("start"))?;
            tables.push(spool);
        }
        Ok(Self { tables, recovered, lock })
    }

    /// Whether the folders of the spool that are there can be written to, and every file in them. To be asked before a spool that could
    /// not be opened is tried again: opening reads all that it holds and begins a segment file a table, also where it fails at the last.
    ///
    /// # Errors
    /// The first folder in which something cannot be written.
    pub(crate) fn probe(folder: &Path) -> Result<(), OpenError> {
        let tables = Table::ALL.into_iter().map(|table| folder.join(table.name()));
        for folder in std::iter::once(folder.to_owned()).chain(tables).filter(|folder| folder.is_dir()) {
            write_in(&folder).map_err(|source| OpenError::Io { what: "write to", folder, source })?;
        }
        Ok(())
    }
}

/// Opens each file, and writes one that does not stay.
fn write_in(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            File::options().read(true).write(true).open(entry.path())?;
        }
    }
    let path = folder.join("probe");
    let written = File::create(&path).and_then(|mut file| {
        file.write_all(&[0; 4096])?;
        file.sync_all()
    });
    // One that cannot be removed is overwritten by the next.
    let _ = fs::remove_file(path);
    written
}

fn lock(folder: &Path) -> Result<File, OpenError> {
    let io = |source| OpenError::Io { what: "lock", folder: folder.to_owned(), source };
    let file =
        File::options().write(true).create(true).truncate(false).open(folder.join("lock")).map_err(io)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse { folder: folder.to_owned() }),
        Err(TryLockError::Error(source)) => Err(io(source)),
    }
}

/// The spool's own name in tokens: several collectors on one ClickHouse, and a spool that was thrown away and made anew, must never
/// use a token twice.
fn identity(folder: &Path, new_identity: Uuid) -> io::Result<Uuid> {
    let path = folder.join("identity");
    match fs::read_to_string(&path) {
        Ok(text) => text.trim().parse::<Uuid>().map_err(|_| {
            let (name, kind) = (path.display(), io::ErrorKind::InvalidData);
            io::Error::new(
                kind,
                format!("`{name}` holds no UUID; accepted is what the spool's first start wrote into it"),
            )
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let new = folder.join("identity.new");
            let mut file = File::create(&new)?;
            writeln!(file, "{new_identity}")?;
            file.sync_all()?;
            fs::rename(&new, &path)?;
            File::open(folder)?.sync_all()?;
            Ok(new_identity)
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_opening_is_refused_and_a_later_one_keeps_the_identity() {
        let folder = tempfile::tempdir().unwrap();
        let options = SpoolOptions::new(folder.path().join("spool"));
        let first = Spool::open(&options, Uuid::from_u128(1)).unwrap();
        let second = Spool::open(&options, Uuid::from_u128(2)).unwrap_err();
        assert!(matches!(second, OpenError::InUse { .. }), "{second}");
        assert!(second.to_string().contains("is in use by another process"), "{second}");
        drop(first);
        let path = options.folder.join("identity");
        assert_eq!(fs::read_to_string(path).unwrap().trim(), Uuid::from_u128(1).to_string());
    }

    #[test]
    fn a_folder_that_is_the_wrong_one_does_not_pass() {
        let folder = tempfile::tempdir().unwrap();
        let options = SpoolOptions::new(folder.path().join("spool"));
        let refused = || Spool::open(&options, Uuid::from_u128(1)).unwrap_err();
        fs::write(&options.folder, "a file").unwrap();
        let error = refused();
        assert!(!error.may_pass() && error.told().contains("cannot create the spool in"), "{}", error.told());
        fs::remove_file(&options.folder).unwrap();
        fs::create_dir(&options.folder).unwrap();
        fs::write(options.folder.join("identity"), "not a UUID").unwrap();
        let error = refused();
        assert!(!error.may_pass() && error.told().contains("holds no UUID; accepted is"), "{}", error.told());
        fs::remove_file(options.folder.join("identity")).unwrap();
        let _first = Spool::open(&options, Uuid::from_u128(1)).unwrap();
        assert!(!refused().may_pass());
    }

    /// `/dev/full` has no room, and sysfs makes no files, for root neither.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_disk_that_cannot_be_written_to_passes() {
        use std::os::unix::fs::symlink;

        let folder = tempfile::tempdir().unwrap();
        let full = SpoolOptions::new(folder.path().join("full"));
        fs::create_dir(&full.folder).unwrap();
        symlink("/dev/full", full.folder.join("identity.new")).unwrap();
        let error = Spool::open(&full, Uuid::from_u128(1)).unwrap_err();
        assert!(error.may_pass() && error.told().contains("No space left"), "{}", error.told());
        Spool::probe(&full.folder).unwrap();
        assert!(!full.folder.join("probe").exists());
        let read_only = SpoolOptions::new(folder.path().join("read-only"));
        symlink("/sys/kernel", &read_only.folder).unwrap();
        let error = Spool::open(&read_only, Uuid::from_u128(1)).unwrap_err();
        assert!(error.may_pass() && error.told().contains("cannot lock the spool in"), "{}", error.told());
        let error = Spool::probe(&read_only.folder).unwrap_err();
        assert!(
            error.may_pass() && error.told().contains("cannot write to the spool in"),
            "{}",
            error.told()
        );
        let table = full.folder.join(Table::Predictions.name());
        symlink("/sys/kernel", &table).unwrap();
        assert!(Spool::probe(&full.folder).unwrap_err().told().contains("predictions"));
    }
}
