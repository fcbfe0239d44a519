//! Files of expectations: TOML with comments, learnt by us, edited by people, kept in git.
//!
//! `write` makes a file, `read` takes one with all its faults at once, `update` learns anew without touching what people wrote.
//! Which values people wrote is known by fingerprints: each table keeps one of every value that was learnt.

mod agree;
mod fingerprint;
mod read;
#[cfg(test)]
mod tests;
mod update;
mod write;

use std::path::Path;

use windvane_types::counting::counted;
use windvane_types::quality::Expectations;

use crate::exit::{Because, Failure, Reason};

pub use update::{Renewed, update};
pub use write::write;

/// The value of `schema`.
const SCHEMA: &str = "windvane.expectations/1";
/// The key of a table that keeps fingerprints.
const LEARNT: &str = "learnt";
/// The largest file that is read: ten thousand columns of a hundred categories are smaller.
const FILE_BYTES_MAX: u64 = 64 << 20;

/// Reads a file of expectations.
///
/// # Errors
/// It cannot be read, is no TOML, or has faults; all of them are told.
pub fn load(path: &Path) -> Result<Expectations, Failure> {
    let text = text(path)?;
    read::read(&text)
        .map_err(|faults| {
            let count = counted(faults.len() as u64, "fault", "faults");
            anyhow::anyhow!("`{}` has {count}\n  {}", path.display(), faults.join("\n  "))
        })
        .because(Reason::Config)
}

/// Whether a file that was learnt anew can be read: what a person has edited may contradict it.
///
/// # Errors
/// It has faults; all of them are told.
pub fn sound(path: &Path, text: &str) -> Result<(), Failure> {
    let told = |faults: Vec<String>| {
        anyhow::anyhow!(
            "what is learnt contradicts what was edited in `{}`, which is left as it was\n  {}",
            path.display(),
            faults.join("\n  ")
        )
    };
    read::read(text).map(|_| ()).map_err(told).because(Reason::Config)
}

/// The text of a file of expectations.
///
/// # Errors
/// It cannot be read, or is too large.
pub fn text(path: &Path) -> Result<String, Failure> {
    let size = std::fs::metadata(path).map(|metadata| metadata.len());
    let text =
        size.and_then(
            |size| if size > FILE_BYTES_MAX { Ok(None) } else { std::fs::read_to_string(path).map(Some) },
        );
    match text {
        Ok(Some(text)) => Ok(text),
        Ok(None) => Err(anyhow::anyhow!("`{}` is larger than {FILE_BYTES_MAX} bytes", path.display())),
        Err(error) => Err(anyhow::anyhow!("cannot read the expectations `{}`: {error}", path.display())),
    }
    .because(Reason::Config)
}
