//! What can go wrong while a native library is found or installed.

use std::io;
use std::path::PathBuf;

use super::bundle::BundleError;
use super::catalogue::Library;

/// A fault of finding or installing a native library.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// The registry has no package for this machine.
    #[error(
        "no package of {library} is published for {os} on {arch}; build or obtain the library yourself and name it with {variable}=FILE"
    )]
    UnsupportedPlatform {
        /// Which library.
        library: Library,
        /// The operating system.
        os: &'static str,
        /// The processor.
        arch: &'static str,
        /// The variable that names a file.
        variable: &'static str,
    },
    /// The library is not there and may not be fetched.
    #[error(
        "{library} is not installed; run `{command}` (it needs npm and pip and their registries, or a bundle by --from-bundle DIR), or name the file with {variable}=FILE"
    )]
    NotInstalled {
        /// Which library.
        library: Library,
        /// What installs it.
        command: &'static str,
        /// The variable that names a file.
        variable: &'static str,
    },
    /// The file named by the user is not there.
    #[error("{variable} names `{}`, which is not a file", path.display())]
    OverrideMissing {
        /// The variable or configuration key.
        variable: &'static str,
        /// What it names.
        path: PathBuf,
    },
    /// The client is not on the PATH.
    #[error(
        "cannot fetch {spec}: `{program}` is not installed; install {program}, then run the command again"
    )]
    ClientMissing {
        /// What was to be fetched.
        spec: &'static str,
        /// The client.
        program: &'static str,
    },
    /// The client failed.
    #[error(
        "cannot fetch {spec} with {program}: {detail}; check the network, the proxy and the registry that {program} is set up with"
    )]
    ClientFailed {
        /// What was to be fetched.
        spec: &'static str,
        /// The client.
        program: &'static str,
        /// The client's own words, one line.
        detail: String,
    },
    /// The archive is not the pinned one.
    #[error("the archive of {spec} has SHA-256 {found}, expected {expected}; it was not installed")]
    Checksum {
        /// What was fetched.
        spec: &'static str,
        /// The pinned sum.
        expected: &'static str,
        /// The sum of what came.
        found: String,
    },
    /// The archive lacks a file that it should hold.
    #[error("the archive of {spec} does not hold `{member}`; it was not installed")]
    MemberMissing {
        /// What was fetched.
        spec: &'static str,
        /// The missing file.
        member: &'static str,
    },
    /// Too little room for the archive and its contents.
    #[error("`{}` has {free_mb} MB free, and installing {spec} needs {needed_mb} MB", path.display())]
    DiskSpace {
        /// What was to be installed.
        spec: &'static str,
        /// Where.
        path: PathBuf,
        /// Free space.
        free_mb: u64,
        /// Needed space.
        needed_mb: u64,
    },
    /// A bundle cannot be written or installed from.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// A file operation failed.
    #[error("cannot {action} `{}`", path.display())]
    File {
        /// What was attempted.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// The user has no home folder and named none.
    #[error(
        "cannot tell where to install native libraries: there is no home folder; set runtime.dir in the configuration or WINDVANE_RUNTIME_DIR"
    )]
    NoHome,
}

impl RuntimeError {
    /// A mapper for `map_err` that names the operation and the file.
    pub fn file(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { action, path, source }
    }
}
