//! Installs one pinned package: lock, fetch, check, unpack beside, rename into place.
//!
//! The installed folder appears by one rename, so an interrupted install leaves nothing that could be mistaken for a whole
//! one; what it left in the staging folder is removed by the next install, under the lock.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

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

/// Installs a library into `dir` if it is not there yet, and returns the path of the file to load.
///
/// # Errors
/// No package for this platform, no client, no network, a wrong checksum, no room, or a file operation that failed.
pub fn install(library: Library, dir: &Path) -> Result<(PathBuf, Installed), RuntimeError> {
    let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
    let Some(package) = package(library, os, arch) else {
        return Err(RuntimeError::UnsupportedPlatform { library, os, arch, variable: library.variable() });
    };
    install_package(package, dir)
}

/// The file to load of an installed library, if it is installed.
pub fn installed(library: Library, dir: &Path) -> Option<PathBuf> {
    let package = package(library, std::env::consts::OS, std::env::consts::ARCH)?;
    let path = dir.join(package.folder()).join(package.library_file());
    path.is_file().then_some(path)
}

fn install_package(package: &'static Package, dir: &Path) -> Result<(PathBuf, Installed), RuntimeError> {
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
    let (archive_dir, contents) = (staging.path.join("archive"), staging.path.join("contents"));
    for folder in [&archive_dir, &contents] {
        fs::create_dir(folder).map_err(RuntimeError::file("create the folder", folder))?;
    }
    fill(package, &archive_dir, &contents)?;
    unpack::sync_folder(&contents)?;
    if place.exists() {
        fs::remove_dir_all(&place).map_err(RuntimeError::file("remove the broken folder", &place))?;
    }
    fs::rename(&contents, &place).map_err(RuntimeError::file("move into place", &place))?;
    unpack::sync_folder(dir)?;
    Ok((library, Installed::Now))
}

/// Fetches, checks and unpacks, with a bar for each on a terminal and one line each elsewhere.
fn fill(package: &Package, archive_dir: &Path, contents: &Path) -> Result<(), RuntimeError> {
    let bars = MultiProgress::new();
    let what = package.library;
    tracing::info!(library = %what, version = package.version, with = package.client.program(), "fetching");
    let bar = add_bar(&bars, format!("fetch {what}"), package.archive_bytes);
    let archive = download::fetch(package, archive_dir, &bar)?;
    bar.finish();
    let bytes = fs::metadata(&archive).map_err(RuntimeError::file("read", &archive))?.len();
    let bar = add_bar(&bars, format!("check {what}"), bytes);
    let found = unpack::checksum(&archive, &bar)?;
    bar.finish();
    if found != package.sha256 {
        return Err(RuntimeError::Checksum { spec: package.spec, expected: package.sha256, found });
    }
    let bar = add_bar(&bars, format!("unpack {what}"), package.unpacked_bytes);
    unpack::unpack(package, &archive, contents, &bar)?;
    bar.finish();
    Ok(())
}

fn add_bar(bars: &MultiProgress, name: String, bytes: u64) -> ProgressBar {
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
struct Staging {
    path: PathBuf,
}

impl Staging {
    fn create(path: PathBuf) -> Result<Self, RuntimeError> {
        if path.exists() {
            fs::remove_dir_all(&path).map_err(RuntimeError::file("remove the left-over", &path))?;
        }
        fs::create_dir(&path).map_err(RuntimeError::file("create the folder", &path))?;
        Ok(Self { path })
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
