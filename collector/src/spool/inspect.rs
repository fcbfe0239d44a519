//! Looking at a spool without opening it: what waits, what was damaged; also while a service uses it.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::Path;

use windvane_store::Table;

use super::record::Kind;
use super::recover::{Item, segment_number, walk};

/// What a spool holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SpoolState {
    /// Whether a process uses it now.
    pub in_use: bool,
    /// Table by table; one that has no folder yet is left out.
    pub tables: Vec<TableState>,
}

/// What waits for one table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableState {
    /// The table.
    pub table: Table,
    /// Segment files.
    pub segments: u64,
    /// Bytes of them.
    pub disk_bytes: u64,
    /// Rows that ClickHouse has not answered for.
    pub pending_rows: u64,
    /// When the oldest of them arrived, microseconds since 1970.
    pub oldest_us: Option<i64>,
    /// Files of damaged bytes that a start laid aside.
    pub damaged_files: u64,
}

impl SpoolState {
    /// Looks at a spool; one that is not there holds nothing.
    ///
    /// # Errors
    /// What the file system says.
    pub fn of(folder: &Path) -> io::Result<Self> {
        let mut state = Self { in_use: is_locked(folder)?, tables: Vec::new() };
        for table in Table::ALL {
            match table_state(table, &folder.join(table.name())) {
                Ok(found) => state.tables.push(found),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(state)
    }
}

fn is_locked(folder: &Path) -> io::Result<bool> {
    match File::open(folder.join("lock")) {
        Ok(file) => match file.try_lock_shared() {
            Ok(()) => Ok(false),
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(error)) => Err(error),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

fn table_state(table: Table, folder: &Path) -> io::Result<TableState> {
    let (mut numbered, mut damaged_files) = (Vec::new(), 0);
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        match segment_number(&name) {
            Some(number) => numbered.push((number, path)),
            None => damaged_files += u64::from(name.ends_with(".damaged")),
        }
    }
    numbered.sort_unstable();
    let mut state = TableState {
        table,
        segments: numbered.len() as u64,
        disk_bytes: 0,
        pending_rows: 0,
        oldest_us: None,
        damaged_files,
    };
    // The newest checkpoint says how far ClickHouse is; what is behind it waits.
    let mut done_seq = 0;
    for (_, path) in &numbered {
        walk(&read(path)?, |item| {
            if let Item::Record(_, header, ..) = item
                && header.kind == Kind::Checkpoint
            {
                done_seq = done_seq.max(header.seq);
            }
        });
    }
    for (_, path) in &numbered {
        let bytes = read(path)?;
        state.disk_bytes += bytes.len() as u64;
        walk(&bytes, |item| {
            if let Item::Record(_, header, ..) = item
                && header.kind == Kind::Frame
                && header.seq > done_seq
            {
                state.pending_rows += u64::from(header.rows);
                let time_us = header.time_us;
                state.oldest_us = Some(state.oldest_us.map_or(time_us, |oldest| oldest.min(time_us)));
            }
        });
    }
    Ok(state)
}

/// A segment file; one that was done and removed meanwhile holds nothing.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        result => result,
    }
}
