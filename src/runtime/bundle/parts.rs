//! Splits a file into numbered parts with their sums, checks them, and joins them again.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;

use indicatif::ProgressBar;
use sha2::{Digest, Sha256};
use windvane_types::hex;

use super::error::BundleError;
use super::manifest::{Packed, Part};
use super::size::PartSize;
use crate::runtime::error::RuntimeError;

const BUFFER_BYTES: usize = 256 << 10;

/// The name of a part, counted from 1, so that names sort as parts follow.
pub fn name(stem: &str, number: usize) -> String {
    format!("{stem}.{number:03}")
}

/// Whether a file's name could be that of a part.
pub fn is_name(file: &str) -> bool {
    let ending = file.rsplit_once('.').map_or("", |(_, ending)| ending);
    ending.len() >= 3 && ending.bytes().all(|byte| byte.is_ascii_digit())
}

/// Splits `archive` into parts in the folder `into`, each flushed to disk.
///
/// # Errors
/// A file cannot be read or written.
pub fn split(archive: &Path, (into, stem): (&Path, &str), size: PartSize) -> Result<Vec<Part>, RuntimeError> {
    let mut whole = File::open(archive).map_err(RuntimeError::file("open", archive))?;
    let mut left = whole.metadata().map_err(RuntimeError::file("read", archive))?.len();
    let mut parts = Vec::new();
    while left > 0 {
        let bytes = left.min(size.bytes());
        let file = name(stem, parts.len() + 1);
        let path = into.join(&file);
        let mut part = File::create(&path).map_err(RuntimeError::file("create", &path))?;
        let sha256 = copy(&mut (&mut whole).take(bytes), &mut part)
            .and_then(|sha256| part.sync_all().map(|()| sha256))
            .map_err(RuntimeError::file("write", &path))?;
        parts.push(Part { file, bytes, sha256 });
        left -= bytes;
    }
    Ok(parts)
}

/// Checks that a part is there in its size.
///
/// # Errors
/// It is missing, short or long.
pub fn check_length(dir: &Path, part: &Part) -> Result<(), RuntimeError> {
    let path = dir.join(&part.file);
    let found = match fs::metadata(&path) {
        Ok(metadata) => metadata.len(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(BundleError::PartMissing { dir: dir.to_owned(), file: part.file.clone() }.into());
        }
        Err(error) => return Err(RuntimeError::file("read", path)(error)),
    };
    if found == part.bytes {
        return Ok(());
    }
    let (file, expected) = (part.file.clone(), part.bytes);
    Err(BundleError::PartLength { dir: dir.to_owned(), file, found, expected }.into())
}

/// Checks the content of every part of a package, and of all together; `bar` advances by the bytes read.
///
/// # Errors
/// The first part whose content is another, or parts that are right and make another archive.
pub fn check(dir: &Path, packed: &Packed, bar: &ProgressBar) -> Result<(), RuntimeError> {
    let mut whole = Sha256::new();
    for part in &packed.parts {
        let path = dir.join(&part.file);
        let file = File::open(&path).map_err(RuntimeError::file("open", &path))?;
        let found = copy(&mut bar.wrap_read(file), &mut whole).map_err(RuntimeError::file("read", &path))?;
        if found != part.sha256 {
            let (file, expected) = (part.file.clone(), part.sha256.clone());
            return Err(BundleError::PartChanged { dir: dir.to_owned(), file, found, expected }.into());
        }
    }
    let found = hex::encode(&whole.finalize());
    if found != packed.sha256 {
        let (library, expected) = (packed.library.clone(), packed.sha256.clone());
        return Err(BundleError::Whole { dir: dir.to_owned(), library, found, expected }.into());
    }
    Ok(())
}

/// Writes all parts of a package one after the other into the new file `archive`.
///
/// # Errors
/// A file cannot be read or written.
pub fn join(dir: &Path, packed: &Packed, (archive, bar): (&Path, &ProgressBar)) -> Result<(), RuntimeError> {
    let mut whole = File::create(archive).map_err(RuntimeError::file("create", archive))?;
    for part in &packed.parts {
        let path = dir.join(&part.file);
        let file = File::open(&path).map_err(RuntimeError::file("open", &path))?;
        io::copy(&mut bar.wrap_read(file), &mut whole).map_err(RuntimeError::file("join into", archive))?;
    }
    Ok(())
}

/// Copies everything and returns its SHA-256 in hex.
fn copy(from: &mut impl Read, to: &mut impl Write) -> io::Result<String> {
    let (mut hasher, mut buffer) = (Sha256::new(), vec![0; BUFFER_BYTES]);
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return Ok(hex::encode(&hasher.finalize())),
            Ok(read) => {
                hasher.update(&buffer[..read]);
                to.write_all(&buffer[..read])?;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
