//! What can be wrong with a bundle.

use std::io;
use std::path::PathBuf;

use super::manifest::{FILE, SCHEMA};
use crate::exit::Reason;
use crate::runtime::catalogue::Library;

/// A fault of a bundle. It is found before anything is installed.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// The folder to write to holds something.
    #[error("`{}` holds `{holds}`; a bundle needs a folder that is new or empty", dir.display())]
    NotEmpty {
        /// The folder.
        dir: PathBuf,
        /// One of the things in it.
        holds: String,
    },
    /// Another process writes to the folder.
    #[error("another `windvane runtime bundle` is writing to `{}`", dir.display())]
    Busy {
        /// The folder.
        dir: PathBuf,
    },
    /// Too little room.
    #[error("`{}` has {} MB free, and writing the bundle needs {} MB", dir.display(), free / 1_000_000, needed.div_ceil(1_000_000))]
    Room {
        /// The folder.
        dir: PathBuf,
        /// Free bytes.
        free: u64,
        /// Needed bytes.
        needed: u64,
    },
    /// The folder has no manifest.
    #[error(
        "`{}` is no bundle: it has no {FILE}; `windvane runtime bundle DIR` writes one where there is a network",
        dir.display()
    )]
    NoManifest {
        /// The folder.
        dir: PathBuf,
    },
    /// The manifest is there and cannot be read.
    #[error("cannot read {FILE} of bundle `{}`; nothing was installed", dir.display())]
    Manifest {
        /// The folder.
        dir: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The manifest is of another version of Windvane.
    #[error("bundle `{}` is written as `{found}`; accepted is `{SCHEMA}`; nothing was installed", dir.display())]
    Schema {
        /// The folder.
        dir: PathBuf,
        /// Its schema.
        found: String,
    },
    /// The bundle is for another operating system or processor.
    #[error(
        "bundle `{}` is for {found}, and this machine is {wanted}; write it on a machine like this one; nothing was installed",
        dir.display()
    )]
    Platform {
        /// The folder.
        dir: PathBuf,
        /// The bundle's operating system and processor.
        found: String,
        /// Those of this machine.
        wanted: String,
    },
    /// The manifest contradicts itself.
    #[error("{FILE} of bundle `{}` {problem}; copy it again; nothing was installed", dir.display())]
    Contradiction {
        /// The folder.
        dir: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// The bundle lacks a package.
    #[error(
        "bundle `{}` lacks {library} (it has {holds}); `windvane runtime bundle{}` writes it; nothing was installed",
        dir.display(),
        if *library == Library::OnnxRuntimeGpu { " --gpu" } else { "" }
    )]
    NoPackage {
        /// The folder.
        dir: PathBuf,
        /// What is wanted.
        library: Library,
        /// What is there.
        holds: String,
    },
    /// The bundle has another version of a package, or another archive under its name.
    #[error(
        "bundle `{}`, written by windvane {windvane}, has {library} {found}, and this windvane installs {wanted}; write it with this version; nothing was installed",
        dir.display()
    )]
    OtherPackage {
        /// The folder.
        dir: PathBuf,
        /// What is wanted.
        library: Library,
        /// The version and sum of what is there.
        found: String,
        /// The pinned ones.
        wanted: String,
        /// Who wrote the bundle.
        windvane: String,
    },
    /// A part is not there.
    #[error("part `{file}` of bundle `{}` is missing; copy it again; nothing was installed", dir.display())]
    PartMissing {
        /// The folder.
        dir: PathBuf,
        /// The part.
        file: String,
    },
    /// A part is too short or too long.
    #[error(
        "part `{file}` of bundle `{}` has {found} bytes, expected {expected}; copy it again; nothing was installed",
        dir.display()
    )]
    PartLength {
        /// The folder.
        dir: PathBuf,
        /// The part.
        file: String,
        /// Its bytes.
        found: u64,
        /// The manifest's.
        expected: u64,
    },
    /// A part has another content.
    #[error(
        "part `{file}` of bundle `{}` has SHA-256 {found}, expected {expected}; copy it again; nothing was installed",
        dir.display()
    )]
    PartChanged {
        /// The folder.
        dir: PathBuf,
        /// The part.
        file: String,
        /// Its sum.
        found: String,
        /// The manifest's.
        expected: String,
    },
    /// A part that the manifest does not know.
    #[error(
        "`{file}` in `{}` is no part of that bundle; keep the parts of one bundle in a folder of their own; nothing was installed",
        dir.display()
    )]
    PartForeign {
        /// The folder.
        dir: PathBuf,
        /// The file.
        file: String,
    },
    /// The parts are as the manifest says and do not make the pinned archive.
    #[error(
        "the parts of {library} in bundle `{}` join to SHA-256 {found}, expected {expected}; nothing was installed",
        dir.display()
    )]
    Whole {
        /// The folder.
        dir: PathBuf,
        /// The library.
        library: String,
        /// The sum of all parts.
        found: String,
        /// The pinned one.
        expected: String,
    },
}

impl BundleError {
    /// Whose fault it is.
    pub fn reason(&self) -> Reason {
        match self {
            Self::NotEmpty { .. } => Reason::Usage,
            Self::Busy { .. } | Self::Room { .. } => Reason::Unavailable,
            _ => Reason::Data,
        }
    }
}
