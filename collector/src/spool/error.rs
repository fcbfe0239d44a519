//! What can go wrong in the spool.

use std::io;
use std::path::PathBuf;

/// Why the spool could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it.
    #[error(
        "the spool folder `{}` is in use by another process; each process needs one of its own",
        folder.display()
    )]
    InUse {
        /// The folder.
        folder: PathBuf,
    },
    /// The file system refused something.
    #[error("cannot {what} the spool in `{}`", folder.display())]
    Io {
        /// What was attempted.
        what: &'static str,
        /// The folder.
        folder: PathBuf,
        /// What the file system said.
        #[source]
        source: io::Error,
    },
}

impl OpenError {
    /// Whether waiting helps: a disk that is full or read-only, or a folder that may not be written to. Not a folder that is the wrong
    /// one, which another process uses, or which is none and may not be made.
    pub(crate) fn may_pass(&self) -> bool {
        let Self::Io { folder, source, .. } = self else { return false };
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::ReadOnlyFilesystem => {
                true
            }
            io::ErrorKind::PermissionDenied => folder.is_dir(),
            _ => false,
        }
    }

    /// It with its cause, in one line.
    pub(crate) fn told(&self) -> String {
        match self {
            Self::InUse { .. } => self.to_string(),
            Self::Io { source, .. } => format!("{self}: {source}"),
        }
    }
}

/// Why a commit did not happen.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CommitError {
    /// Nothing was written and nothing changed: there was no room, or the disk is read-only. Later commits may succeed.
    #[error("cannot write to the spool")]
    NotWritten(#[source] io::Error),
    /// The disk failed where nobody can say what is on it. No later commit will succeed until the log is mended or opened again.
    #[error("the spool's disk failed; nothing more is acknowledged until it can be written to again")]
    Failed(#[source] Option<io::Error>),
    /// The disk failed, and cannot be written to yet.
    #[error("the spool's disk cannot be written to yet")]
    StillFailed(#[source] io::Error),
}
