//! The seam to the file system: the few operations that the spool needs, so that tests can crash it at each of them.

use std::fmt::Debug;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::gate::Gate;

/// One folder of files. Names are plain file names within it.
pub(crate) trait Disk: Debug + Send + Sync + 'static {
    /// A file that is open for appending.
    type File: Appender;

    /// The names of the files.
    fn list(&self) -> io::Result<Vec<String>>;
    /// A new, empty file; an error if it exists. Durable only after [`Disk::sync_folder`].
    fn create(&self, name: &str) -> io::Result<Self::File>;
    /// An existing file, to be appended to.
    fn open(&self, name: &str) -> io::Result<Self::File>;
    /// Appends so many bytes from an offset; fewer only at the end of the file.
    fn read(&self, name: &str, place: (u64, usize), onto: &mut Vec<u8>) -> io::Result<()>;
    /// The length of a file in bytes.
    fn len(&self, name: &str) -> io::Result<u64>;
    /// Removes a file. Durable only after [`Disk::sync_folder`].
    fn remove(&self, name: &str) -> io::Result<()>;
    /// Replaces `to` by `from`. Durable only after [`Disk::sync_folder`].
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    /// Makes creations, renames and removals durable.
    fn sync_folder(&self) -> io::Result<()>;
}

/// A file that is appended to.
pub(crate) trait Appender: Debug + Send {
    /// Writes at the end.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Makes what was written durable. After an error nothing is known about what was.
    fn sync(&mut self) -> io::Result<()>;
    /// Cuts the file to `len` bytes.
    fn truncate(&mut self, len: u64) -> io::Result<()>;
}

/// A folder of the real file system.
#[derive(Debug)]
pub(crate) struct RealDisk {
    folder: PathBuf,
    gate: Gate,
}

impl RealDisk {
    /// The folder, made if it is missing.
    pub(crate) fn new(folder: PathBuf) -> io::Result<Self> {
        fs::create_dir_all(&folder)?;
        if let Some(parent) = folder.parent() {
            sync_folder(parent)?;
        }
        Ok(Self { folder, gate: Gate::default() })
    }

    #[cfg(test)]
    pub(crate) fn gate(&self) -> &Gate {
        &self.gate
    }

    fn file(&self, file: File) -> RealFile {
        RealFile { file, gate: self.gate.clone() }
    }
}

impl Disk for RealDisk {
    type File = RealFile;

    fn list(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            if entry.file_type()?.is_file()
                && let Ok(name) = entry.file_name().into_string()
            {
                names.push(name);
            }
        }
        Ok(names)
    }

    fn create(&self, name: &str) -> io::Result<RealFile> {
        self.gate.pass()?;
        let file = OpenOptions::new().append(true).create_new(true).open(self.folder.join(name))?;
        Ok(self.file(file))
    }

    fn open(&self, name: &str) -> io::Result<RealFile> {
        Ok(self.file(OpenOptions::new().append(true).open(self.folder.join(name))?))
    }

    fn read(&self, name: &str, (offset, len): (u64, usize), onto: &mut Vec<u8>) -> io::Result<()> {
        let file = File::open(self.folder.join(name))?;
        let held = onto.len();
        onto.resize(held + len, 0);
        let mut filled = 0;
        while filled < len {
            match file.read_at(&mut onto[held + filled..], offset + filled as u64) {
                Ok(0) => break,
                Ok(n) => filled += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        onto.truncate(held + filled);
        Ok(())
    }

    fn len(&self, name: &str) -> io::Result<u64> {
        Ok(fs::metadata(self.folder.join(name))?.len())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.gate.pass()?;
        fs::remove_file(self.folder.join(name))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.gate.pass()?;
        fs::rename(self.folder.join(from), self.folder.join(to))
    }

    fn sync_folder(&self) -> io::Result<()> {
        sync_folder(&self.folder)
    }
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// A file of the real file system.
#[derive(Debug)]
pub(crate) struct RealFile {
    file: File,
    gate: Gate,
}

impl Appender for RealFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.gate.grow()?;
        self.file.write_all(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.gate.pass()?;
        self.file.sync_data()
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        self.gate.pass()?;
        self.file.set_len(len)
    }
}
