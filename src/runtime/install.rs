//! Installs one pinned package: lock, fetch or join, check, unpack beside, rename into place.
//!
//! The installed folder appears by one rename, so an interrupted install leaves nothing that could be mistaken for a whole
//! one; what it left in the staging folder is removed by the next install, under the lock.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::bundle::Bundle;
use super::catalogue::{Library, Package, package};
use super::error::RuntimeError;
use super::{download, unpack};

/// What an install did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Installed {
    /// The package was fetched and put in place.
    Now,
    /// The same version was there before.
    Already,
}

/// Where a package's archive comes from.
#[derive(Debug, Clone, Copy)]
pub enum Source<'b> {
    /// The registry, by its client.
    Registry,
    /// A bundle that was checked.
    Bundle(&'b Bundle),
}

/// Installs a library into `dir` if it is not there yet, and returns the path of the file to load.
///
/// # Errors
/// No package for this platform, no client, no network, a wrong checksum, no room, or a file operation that failed.
pub fn install(
    library: Library,
    dir: &Path,
    source: Source<'_>,
) -> Result<(PathBuf, Installed), RuntimeError> {
    install_package(published(library)?, dir, source)
}

/// The package of a library for this machine.
///
/// # Errors
/// There is none.
pub fn published(library: Library) -> Result<&'static Package, RuntimeError> {
    let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
    let none = || RuntimeError::UnsupportedPlatform { library, os, arch, variable: library.variable() };
    package(library, os, arch).ok_or_else(none)
}

/// The file to load of an installed library, if it is installed.
pub fn installed(library: Library, dir: &Path) -> Option<PathBuf> {
    let package = package(library, std::env::consts::OS, std::env::consts::ARCH)?;
    let path = dir.join(package.folder()).join(package.library_file());
    path.is_file().then_some(path)
}

/// Installs a package as [`install`] does.
///
/// # Errors
/// As [`install`].
pub(super) fn install_package(
    package: &'static Package,
    dir: &Path,
    source: Source<'_>,
) -> Result<(PathBuf, Installed), RuntimeError> {
    let place = dir.join(package.folder());
    let library = place.join(package.library_file());
    if library.is_file() {
        return Ok((library, Installed::Already));
    }
    fs::create_dir_all(dir).map_err(RuntimeError::file("create the folder", dir))?;
    let _lock = lock(package, dir)?;
    if library.is_file() {
        return Ok((library, Installed::Already));
    }
    let staging = Staging::create(dir.join(format!(".staging-{}", package.folder())))?;
    check_room(package, dir)?;
    let (archive_dir, contents) = (staging.folder("archive")?, staging.folder("contents")?);
    let archive = obtain(package, &archive_dir, source)?;
    let bar = add_bar(&MultiProgress::new(), format!("unpack {}", package.library), package.unpacked_bytes);
    unpack::unpack(package, &archive, &contents, &bar)?;
    bar.finish();
    unpack::sync_folder(&contents)?;
    if place.exists() {
        fs::remove_dir_all(&place).map_err(RuntimeError::file("remove the broken folder", &place))?;
    }
    fs::rename(&contents, &place).map_err(RuntimeError::file("move into place", &place))?;
    unpack::sync_folder(dir)?;
    Ok((library, Installed::Now))
}

/// Fetches or joins an archive in the empty folder `into`, and checks it, with a bar for each on a terminal and one line elsewhere.
///
/// # Errors
/// The archive does not come, or is not the pinned one.
pub(super) fn obtain(package: &Package, into: &Path, source: Source<'_>) -> Result<PathBuf, RuntimeError> {
    let bars = MultiProgress::new();
    let (what, version) = (package.library, package.version);
    let archive = match source {
        Source::Registry => {
            tracing::info!(library = %what, version, with = package.client.program(), "fetching");
            let bar = add_bar(&bars, format!("fetch {what}"), package.archive_bytes);
            let archive = download::fetch(package, into, &bar)?;
            bar.finish();
            archive
        }
        Source::Bundle(bundle) => {
            tracing::info!(library = %what, version, "joining the parts of the bundle");
            let bar = add_bar(&bars, format!("join {what}"), package.archive_bytes);
            let archive = bundle.join(package, into, &bar)?;
            bar.finish();
            archive
        }
    };
    let bytes = fs::metadata(&archive).map_err(RuntimeError::file("read", &archive))?.len();
    let bar = add_bar(&bars, format!("check {what}"), bytes);
    let found = unpack::checksum(&archive, &bar)?;
    bar.finish();
    if found != package.sha256 {
        return Err(RuntimeError::Checksum { spec: package.spec, expected: package.sha256, found });
    }
    Ok(archive)
}

/// A bar for the bytes of one step.
pub(super) fn add_bar(bars: &MultiProgress, name: String, bytes: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{prefix:24} {bar:30} {bytes:>10} / {total_bytes:10} {elapsed}")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = bars.add(ProgressBar::new(bytes).with_style(style).with_prefix(name));
    bar.enable_steady_tick(std::time::Duration::from_millis(200));
    bar
}

/// Waits until no other install of the same package runs. The lock dies with the process that holds it.
fn lock(package: &Package, dir: &Path) -> Result<File, RuntimeError> {
    let path = dir.join(format!(".lock-{}", package.folder()));
    let file = File::create(&path).map_err(RuntimeError::file("create the lock file", &path))?;
    if matches!(file.try_lock(), Err(fs::TryLockError::WouldBlock)) {
        tracing::info!(library = %package.library, "another install is running; waiting for it");
    }
    file.lock().map_err(RuntimeError::file("lock", &path))?;
    Ok(file)
}

/// A folder that is emptied when an install begins and removed when it ends, well or badly.
pub(super) struct Staging {
    path: PathBuf,
}

impl Staging {
    /// Makes the folder, without what an interrupted command left in it.
    pub(super) fn create(path: PathBuf) -> Result<Self, RuntimeError> {
        if path.exists() {
            fs::remove_dir_all(&path).map_err(RuntimeError::file("remove the left-over", &path))?;
        }
        fs::create_dir(&path).map_err(RuntimeError::file("create the folder", &path))?;
        Ok(Self { path })
    }

    /// Makes a new folder in it.
    pub(super) fn folder(&self, name: &str) -> Result<PathBuf, RuntimeError> {
        let path = self.path.join(name);
        fs::create_dir(&path).map_err(RuntimeError::file("create the folder", &path))?;
        Ok(path)
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.path) {
            tracing::warn!(path = %self.path.display(), %error, "cannot remove the staging folder");
        }
    }
}

fn check_room(package: &Package, dir: &Path) -> Result<(), RuntimeError> {
    const MB: u64 = 1_000_000;
    let free = fs4::available_space(dir).map_err(RuntimeError::file("read the free space of", dir))?;
    let needed = package.archive_bytes + package.unpacked_bytes;
    if free < needed {
        return Err(RuntimeError::DiskSpace {
            spec: package.spec,
            path: dir.to_owned(),
            free_mb: free / MB,
            needed_mb: needed.div_ceil(MB),
        });
    }
    Ok(())
}
