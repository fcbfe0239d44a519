//! `manifest.json`: which packages a bundle holds, in which parts, of which sizes and with which sums.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::error::BundleError;
use super::parts;
use crate::runtime::error::RuntimeError;

/// The file's name.
pub const FILE: &str = "manifest.json";
/// The value of [`Manifest::schema`].
pub const SCHEMA: &str = "windvane.runtime_bundle/1";
/// Bytes of a manifest that are read: one with three packages of a few hundred parts has a tenth of it.
const BYTES_MAX: u64 = 1 << 20;

/// What a bundle holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// The version of Windvane that wrote it.
    pub windvane: String,
    /// The operating system that the packages are for, as Rust names it.
    pub os: String,
    /// The processor.
    pub arch: String,
    /// The packages.
    pub packages: Vec<Packed>,
}

/// One package in parts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Packed {
    /// Which library it carries.
    pub library: String,
    /// Its version.
    pub version: String,
    /// The package in the words of its registry.
    pub spec: String,
    /// Bytes of all parts.
    pub bytes: u64,
    /// SHA-256 of all parts, one after the other, in hex.
    pub sha256: String,
    /// The parts in their order.
    pub parts: Vec<Part>,
}

/// One part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// The file's name in the bundle's folder.
    pub file: String,
    /// Its bytes.
    pub bytes: u64,
    /// Its SHA-256, in hex.
    pub sha256: String,
}

impl Manifest {
    /// A manifest of packages for the machine that this runs on.
    pub fn of_this_machine(packages: Vec<Packed>) -> Self {
        Self {
            schema: SCHEMA.to_owned(),
            windvane: env!("CARGO_PKG_VERSION").to_owned(),
            os: std::env::consts::OS.to_owned(),
            arch: std::env::consts::ARCH.to_owned(),
            packages,
        }
    }

    /// Writes the manifest in the folder `beside` and moves it into `dir`, so that it is there whole or not at all.
    ///
    /// # Errors
    /// A file operation failed.
    pub fn write(&self, beside: &Path, dir: &Path) -> Result<(), RuntimeError> {
        let (staged, path) = (beside.join(FILE), dir.join(FILE));
        let mut text = serde_json::to_vec_pretty(self)
            .map_err(io::Error::from)
            .map_err(RuntimeError::file("write", &path))?;
        text.push(b'\n');
        File::create(&staged)
            .and_then(|mut file| file.write_all(&text).and_then(|()| file.sync_all()))
            .map_err(RuntimeError::file("write", &staged))?;
        fs::rename(&staged, &path).map_err(RuntimeError::file("move into place", &path))
    }

    /// Reads the manifest of a bundle.
    ///
    /// # Errors
    /// There is none, it cannot be read, or it is of another version or for another platform.
    pub fn read(dir: &Path) -> Result<Self, BundleError> {
        let broken = |source| BundleError::Manifest { dir: dir.to_owned(), source };
        let mut text = Vec::new();
        match File::open(dir.join(FILE)).and_then(|file| file.take(BYTES_MAX).read_to_end(&mut text)) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(BundleError::NoManifest { dir: dir.to_owned() });
            }
            Err(error) => return Err(broken(error)),
        }
        let head: Head = serde_json::from_slice(&text).map_err(|error| broken(error.into()))?;
        if head.schema != SCHEMA {
            return Err(BundleError::Schema { dir: dir.to_owned(), found: head.schema });
        }
        let manifest: Self = serde_json::from_slice(&text).map_err(|error| broken(error.into()))?;
        let platform = |os: &str, arch: &str| format!("{os} on {arch}");
        let found = platform(&manifest.os, &manifest.arch);
        let wanted = platform(std::env::consts::OS, std::env::consts::ARCH);
        if found != wanted {
            return Err(BundleError::Platform { dir: dir.to_owned(), found, wanted });
        }
        manifest.check(dir)?;
        Ok(manifest)
    }

    /// Names are those that [`parts::name`] gives, so that none leads out of the folder, and sizes add up.
    fn check(&self, dir: &Path) -> Result<(), BundleError> {
        let contradicts = |problem| BundleError::Contradiction { dir: dir.to_owned(), problem };
        for packed in &self.packages {
            let stem = packed.stem();
            if stem.contains(['/', '\\']) {
                return Err(contradicts(format!("names the package `{stem}`, which is no file's name")));
            }
            for (at, part) in packed.parts.iter().enumerate() {
                let expected = parts::name(&stem, at + 1);
                if part.file != expected {
                    let file = &part.file;
                    return Err(contradicts(format!("names the part `{file}` where `{expected}` belongs")));
                }
            }
            let sum = packed.parts.iter().try_fold(0_u64, |sum, part| sum.checked_add(part.bytes));
            if sum != Some(packed.bytes) {
                return Err(contradicts(format!(
                    "has parts of `{stem}` whose sizes do not add up to its size"
                )));
            }
        }
        Ok(())
    }

    /// Parts of another bundle in the same folder are a sign that the two were mixed.
    ///
    /// # Errors
    /// The folder holds a part that is none of this bundle.
    pub fn refuse_foreign_parts(&self, dir: &Path) -> Result<(), RuntimeError> {
        let all = self.packages.iter().flat_map(|packed| &packed.parts);
        let known: BTreeSet<&str> = all.map(|part| part.file.as_str()).collect();
        let entries = fs::read_dir(dir).map_err(RuntimeError::file("read the folder", dir))?;
        let mut names = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
        match names.find(|name| parts::is_name(name) && !known.contains(name.as_str())) {
            None => Ok(()),
            Some(file) => Err(BundleError::PartForeign { dir: dir.to_owned(), file }.into()),
        }
    }
}

impl Packed {
    /// What the names of its parts begin with.
    fn stem(&self) -> String {
        format!("{}-{}", self.library, self.version)
    }
}

/// The one field that every version has.
#[derive(Debug, Deserialize)]
struct Head {
    schema: String,
}
