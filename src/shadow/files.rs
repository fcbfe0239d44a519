//! The folder that `--report` names: the same answer for people, for pull requests, for build servers and for programs.

use std::path::Path;

use anyhow::Context;
use windvane_types::gate::Document;

use super::{junit, markdown};
use crate::exit::{Because, Failure, Reason};
use crate::output::pretty;
use crate::report;

/// Writes all files; each is there whole or not at all.
///
/// # Errors
/// The folder cannot be made or written.
pub fn write(folder: &Path, document: &Document) -> Result<(), Failure> {
    std::fs::create_dir_all(folder)
        .with_context(|| format!("cannot make the folder `{}`", folder.display()))
        .because(Reason::Unavailable)?;
    let json = pretty(document)?;
    let worst = pretty(&document.agreement.worst)?;
    for (name, text) in [
        ("gate.json", json),
        ("worst.json", worst),
        ("gate.md", markdown::render(document)),
        ("junit.xml", junit::render(document)),
        ("gate.html", windvane_web::gate_report(document)),
    ] {
        report::write(&folder.join(name), &text)?;
    }
    Ok(())
}
