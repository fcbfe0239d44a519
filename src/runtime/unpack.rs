//! Checks an archive's checksum and takes the wanted files out of it.

use std::fs::{self, File};
use std::io::{self, Read, Seek, Write};
use std::path::Path;

use flate2::read::GzDecoder;
use indicatif::ProgressBar;
use sha2::{Digest, Sha256};
use windvane_types::hex;

use super::catalogue::{Client, Member, Package};
use super::error::RuntimeError;

/// SHA-256 of a whole file, in hex; `bar` advances by the bytes read.
///
/// # Errors
/// The file cannot be read.
pub fn checksum(path: &Path, bar: &ProgressBar) -> Result<String, RuntimeError> {
    let file = File::open(path).map_err(RuntimeError::file("open", path))?;
    let mut hasher = Sha256::new();
    io::copy(&mut bar.wrap_read(file), &mut hasher).map_err(RuntimeError::file("read", path))?;
    Ok(hex::encode(&hasher.finalize()))
}

/// Takes the package's members out of `archive` into the folder `into`, each flushed to disk.
///
/// # Errors
/// The archive is broken, lacks a member, or the disk is full.
pub fn unpack(package: &Package, archive: &Path, into: &Path, bar: &ProgressBar) -> Result<(), RuntimeError> {
    let file = File::open(archive).map_err(RuntimeError::file("open", archive))?;
    match package.client {
        Client::Npm => unpack_tar(package, file, into, bar),
        Client::Pip { .. } => unpack_wheel(package, file, into, bar),
    }
    .map_err(|fault| fault.at(archive))?;
    let missing = package.members.iter().find(|member| !into.join(member.name).is_file());
    match missing {
        Some(member) => Err(RuntimeError::MemberMissing { spec: package.spec, member: member.path }),
        None => Ok(()),
    }
}

/// A fault while unpacking, before it is known which file to name.
enum Fault {
    Archive(io::Error),
    Ours(RuntimeError),
}

impl Fault {
    fn at(self, archive: &Path) -> RuntimeError {
        match self {
            Self::Archive(source) => {
                RuntimeError::File { action: "unpack", path: archive.to_owned(), source }
            }
            Self::Ours(error) => error,
        }
    }
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Self::Archive(error)
    }
}

fn unpack_tar(package: &Package, file: File, into: &Path, bar: &ProgressBar) -> Result<(), Fault> {
    let mut archive = tar::Archive::new(GzDecoder::new(file));
    for entry in archive.entries()? {
        let mut entry = entry?;
        let path = entry.path()?.into_owned();
        if let Some(member) = wanted(package, &path) {
            write_member(&mut entry, member, into, bar)?;
        }
    }
    Ok(())
}

fn unpack_wheel(
    package: &Package,
    file: impl Read + Seek,
    into: &Path,
    bar: &ProgressBar,
) -> Result<(), Fault> {
    let mut archive = zip::ZipArchive::new(file).map_err(io::Error::other)?;
    for member in package.members {
        match archive.by_name(member.path) {
            Ok(mut entry) => write_member(&mut entry, member, into, bar)?,
            Err(zip::result::ZipError::FileNotFound) => {}
            Err(error) => return Err(io::Error::other(error).into()),
        }
    }
    Ok(())
}

fn wanted(package: &Package, path: &Path) -> Option<&'static Member> {
    package.members.iter().find(|member| Path::new(member.path) == path)
}

fn write_member(from: &mut impl Read, member: &Member, into: &Path, bar: &ProgressBar) -> Result<(), Fault> {
    let path = into.join(member.name);
    let ours = |action, error| Fault::Ours(RuntimeError::File { action, path: path.clone(), source: error });
    let mut file = File::create(&path).map_err(|error| ours("create", error))?;
    let mut buffer = vec![0; 256 * 1024];
    loop {
        let read = from.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        file.write_all(&buffer[..read]).map_err(|error| ours("write", error))?;
        bar.inc(read as u64);
    }
    file.sync_all().map_err(|error| ours("flush", error))
}

/// Flushes a folder's own entries, so that a rename in it survives a power cut.
///
/// # Errors
/// The folder cannot be opened or flushed.
pub fn sync_folder(path: &Path) -> Result<(), RuntimeError> {
    fs::File::open(path)
        .and_then(|folder| folder.sync_all())
        .map_err(RuntimeError::file("flush the folder", path))
}
