//! A bundle: the packages of the native libraries as files that machines without a registry can be given.
//!
//! Packages are kept as the registry has them, so that a machine that installs from a bundle checks the same pinned sums as
//! one that fetches. Each is split into numbered parts of a given size, for disks and mails with a limit; `manifest.json` tells
//! the size and the sum of every part, and is written last: a folder without it is no bundle.

mod error;
mod manifest;
mod parts;
mod size;
#[cfg(test)]
mod tests;

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use indicatif::{MultiProgress, ProgressBar};

pub use self::error::BundleError;
use self::manifest::{Manifest, Packed};
pub use self::size::PartSize;
use super::catalogue::Package;
use super::error::RuntimeError;
use super::install::{self, Source, Staging};
use super::unpack;

/// Where packages are fetched to and split before they are moved into place.
const STAGING: &str = ".staging";

/// A bundle that was found.
#[derive(Debug)]
pub struct Bundle {
    dir: PathBuf,
    manifest: Manifest,
}

/// What `windvane runtime bundle` says about a package that it wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The library and its version.
    pub library: String,
    /// Bytes of all parts.
    pub bytes: u64,
    /// How many parts.
    pub parts: usize,
}

/// Fetches packages into the new or empty folder `dir`, in parts of a size.
///
/// # Errors
/// The folder holds something or is being written to, there is no room, or a package cannot be fetched or is not the pinned one.
pub fn write(
    packages: &[&'static Package],
    dir: &Path,
    size: PartSize,
) -> Result<Vec<Written>, RuntimeError> {
    fs::create_dir_all(dir).map_err(RuntimeError::file("create the folder", dir))?;
    let _lock = lock(dir)?;
    must_be_empty(dir)?;
    let staging = Staging::create(dir.join(STAGING))?;
    must_have_room(packages, dir)?;
    let parts = staging.folder("parts")?;
    let mut packed = Vec::new();
    for package in packages {
        let archive_dir = staging.folder("archive")?;
        let archive = install::obtain(package, &archive_dir, Source::Registry)?;
        packed.push(pack(package, &archive, (&parts, size))?);
        // What was split is of no more use, and a disk may hold either but not both of all packages.
        fs::remove_dir_all(&archive_dir).map_err(RuntimeError::file("remove the folder", &archive_dir))?;
    }
    let manifest = Manifest::of_this_machine(packed);
    place(&manifest, &parts, dir)?;
    Ok(manifest.packages.iter().map(written).collect())
}

fn written(packed: &Packed) -> Written {
    Written {
        library: format!("{} {}", packed.library, packed.version),
        bytes: packed.bytes,
        parts: packed.parts.len(),
    }
}

/// Splits the archive of a package into a folder.
fn pack(package: &Package, archive: &Path, (into, size): (&Path, PartSize)) -> Result<Packed, RuntimeError> {
    let parts = parts::split(archive, (into, &package.folder()), size)?;
    Ok(Packed {
        library: package.library.to_string(),
        version: package.version.to_owned(),
        spec: package.spec.to_owned(),
        bytes: parts.iter().map(|part| part.bytes).sum(),
        sha256: package.sha256.to_owned(),
        parts,
    })
}

/// Moves the parts out of the staging folder, and writes the manifest when all are there.
fn place(manifest: &Manifest, parts: &Path, dir: &Path) -> Result<(), RuntimeError> {
    for part in manifest.packages.iter().flat_map(|packed| &packed.parts) {
        let to = dir.join(&part.file);
        fs::rename(parts.join(&part.file), &to).map_err(RuntimeError::file("move into place", &to))?;
    }
    manifest.write(parts, dir)?;
    unpack::sync_folder(dir)
}

/// Two that write into one folder would take each other's files. The lock dies with the process that holds it.
fn lock(dir: &Path) -> Result<File, RuntimeError> {
    let file = File::open(dir).map_err(RuntimeError::file("open the folder", dir))?;
    match file.try_lock() {
        Err(fs::TryLockError::WouldBlock) => Err(BundleError::Busy { dir: dir.to_owned() }.into()),
        // A file system without locks has nobody else who holds one.
        _ => Ok(file),
    }
}

fn must_be_empty(dir: &Path) -> Result<(), RuntimeError> {
    let entries = fs::read_dir(dir).map_err(RuntimeError::file("read the folder", dir))?;
    let held = entries.flatten().map(|entry| entry.file_name()).find(|name| *name != STAGING);
    match held {
        None => Ok(()),
        Some(name) => {
            Err(BundleError::NotEmpty { dir: dir.to_owned(), holds: name.to_string_lossy().into_owned() }
                .into())
        }
    }
}

/// All parts, and the archive that is being split.
fn must_have_room(packages: &[&'static Package], dir: &Path) -> Result<(), RuntimeError> {
    let bytes = packages.iter().map(|package| package.archive_bytes);
    let needed = bytes.clone().sum::<u64>() + bytes.max().unwrap_or(0);
    let free = fs4::available_space(dir).map_err(RuntimeError::file("read the free space of", dir))?;
    if free < needed {
        return Err(BundleError::Room { dir: dir.to_owned(), free, needed }.into());
    }
    Ok(())
}

impl Bundle {
    /// Reads what a bundle says it holds.
    ///
    /// # Errors
    /// The folder is no bundle, one of another version, or one for another platform.
    pub fn open(dir: &Path) -> Result<Self, RuntimeError> {
        let manifest = Manifest::read(dir)?;
        Ok(Self { dir: dir.to_owned(), manifest })
    }

    /// Checks that the bundle holds these packages whole: every part, and all parts of one together. Nothing is written.
    ///
    /// # Errors
    /// The first thing that is wrong, with the name of the part.
    pub fn check(&self, packages: &[&'static Package]) -> Result<(), RuntimeError> {
        let wanted = packages.iter().map(|package| self.packed(package)).collect::<Result<Vec<_>, _>>()?;
        for part in wanted.iter().flat_map(|packed| &packed.parts) {
            parts::check_length(&self.dir, part)?;
        }
        self.manifest.refuse_foreign_parts(&self.dir)?;
        let bars = MultiProgress::new();
        for packed in wanted {
            let bar = install::add_bar(&bars, format!("check {}", packed.library), packed.bytes);
            parts::check(&self.dir, packed, &bar)?;
            bar.finish();
        }
        Ok(())
    }

    /// Joins the parts of a package in the empty folder `into` and returns the archive's path. Whoever asks checks its sum.
    ///
    /// # Errors
    /// The bundle has no such package, or a file cannot be read or written.
    pub fn join(&self, package: &Package, into: &Path, bar: &ProgressBar) -> Result<PathBuf, RuntimeError> {
        let archive = into.join("archive");
        parts::join(&self.dir, self.packed(package)?, (&archive, bar))?;
        Ok(archive)
    }

    /// What the bundle has of a package, which must be the pinned one.
    fn packed(&self, package: &Package) -> Result<&Packed, BundleError> {
        let name = package.library.to_string();
        let Some(packed) = self.manifest.packages.iter().find(|packed| packed.library == name) else {
            let held: Vec<&str> = self.manifest.packages.iter().map(|held| held.library.as_str()).collect();
            let holds = if held.is_empty() { "no package".to_owned() } else { held.join(", ") };
            return Err(BundleError::NoPackage { dir: self.dir.clone(), library: package.library, holds });
        };
        if packed.version != package.version || packed.sha256 != package.sha256 {
            return Err(BundleError::OtherPackage {
                dir: self.dir.clone(),
                library: package.library,
                found: format!("{} ({})", packed.version, packed.sha256),
                wanted: format!("{} ({})", package.version, package.sha256),
                windvane: self.manifest.windvane.clone(),
            });
        }
        Ok(packed)
    }
}
