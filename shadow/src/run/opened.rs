//! A model that was opened, and its file: what the verdict names by its hash is what was asked, although somebody may replace files meanwhile.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

use sha2::{Digest, Sha256};
use windvane_types::hex;

use super::{Job, RunError};
use crate::runtime::Runtime;
use crate::session::Session;
use crate::timings::Start;

/// A model and what was seen while it was opened.
pub(super) struct Opened {
    pub(super) session: Session,
    pub(super) start: Start,
    pub(super) file: Hashed,
}

/// A file by its content.
#[derive(Debug)]
pub(super) struct Hashed {
    pub(super) path: PathBuf,
    /// SHA-256 in hex.
    pub(super) sha256: String,
    pub(super) bytes: u64,
}

/// Which file is at a place, and when it was written last: as long as both stay, so does its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Look {
    file: (u64, u64),
    is_file: bool,
    bytes: u64,
    written: (i64, i64),
}

impl Look {
    /// What is there; `None` where nothing is that can be looked at.
    pub(super) fn at(path: &Path) -> Option<Self> {
        let found = std::fs::metadata(path).ok()?;
        Some(Self {
            file: (found.dev(), found.ino()),
            is_file: found.is_file(),
            bytes: found.len(),
            written: (found.mtime(), found.mtime_nsec()),
        })
    }

    /// Whether it is a file, and not a folder or a device.
    pub(super) fn is_file(self) -> bool {
        self.is_file
    }
}

/// Opens a model, profiled until it is asked where its nodes ran.
///
/// # Errors
/// The runtime refuses it, or its file was not the same before and after.
pub(super) fn open(runtime: &Runtime, job: &Job, path: &Path, profile: &Path) -> Result<Opened, RunError> {
    let before = Look::at(path);
    let began = Instant::now();
    let session = Session::open_profiled(runtime, path, &job.session, Some(profile))?;
    let start = Start { open: Some(began.elapsed()), cold: None };
    Ok(Opened { session, start, file: unchanged(path, before)? })
}

/// The hash of a model's file that has not changed since it was looked at.
fn unchanged(path: &Path, before: Option<Look>) -> Result<Hashed, RunError> {
    let path = path.to_owned();
    match hash(&path) {
        Ok(_) if before.is_none() || Look::at(&path) != before => Err(RunError::Changed { path }),
        Ok((sha256, bytes)) => Ok(Hashed { path, sha256, bytes }),
        Err(source) if source.kind() == io::ErrorKind::NotFound => Err(RunError::Changed { path }),
        Err(source) => Err(RunError::Model { path, source }),
    }
}

/// SHA-256 of a file in hex, and its size.
pub(super) fn hash(path: &Path) -> io::Result<(String, u64)> {
    let (mut file, mut hasher, mut bytes) = (File::open(path)?, Sha256::new(), 0);
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok((hex::encode(&hasher.finalize()), bytes)),
            read => {
                hasher.update(&buffer[..read]);
                bytes += read as u64;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_stays_has_its_hash() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.onnx");
        std::fs::write(&path, b"abc").unwrap();
        let found = unchanged(&path, Look::at(&path)).unwrap();
        // FIPS 180-2, appendix B.1.
        let published = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!((found.sha256.as_str(), found.bytes, found.path), (published, 3, path));
    }

    #[test]
    fn a_file_that_was_replaced_written_or_removed_is_not_the_one_that_was_opened() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.onnx");
        let other = folder.path().join("b.onnx");
        let changes: [fn(&Path, &Path); 3] = [
            // By one of the same length, as a deployment does.
            |path, other| std::fs::rename(other, path).unwrap(),
            |path, _| std::fs::write(path, b"abcd").unwrap(),
            |path, _| std::fs::remove_file(path).unwrap(),
        ];
        for change in changes {
            std::fs::write(&path, b"abc").unwrap();
            std::fs::write(&other, b"xyz").unwrap();
            let before = Look::at(&path);
            change(&path, &other);
            let refused = unchanged(&path, before).unwrap_err();
            assert!(matches!(refused, RunError::Changed { .. }), "{refused}");
            assert!(refused.to_string().contains("a.onnx"), "{refused}");
        }
    }
}
