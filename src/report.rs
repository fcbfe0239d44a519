//! Reports on disk: a file is there whole or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};

use crate::exit::{Because, Failure, Reason};

/// How every report for people begins.
const BEGINNING: &[u8] = b"<!DOCTYPE html>";

/// Writes a report; a file that was there is replaced once the new one is complete on disk. What a link points to is
/// replaced and not the link; a device or a pipe is written to.
///
/// # Errors
/// The folder is not there, cannot be written, or is full; or what is there is no report, such as the data that it is of. What was there
/// before stays.
pub fn write(path: &Path, text: &str) -> Result<(), Failure> {
    if text.as_bytes().starts_with(BEGINNING) && holds_something_else(path) {
        let told = anyhow!(
            "cannot write the report `{}`: what it holds is no report, and stays; give another file",
            path.display()
        );
        return Err(told).because(Reason::Usage);
    }
    put(path, text)
        .with_context(|| format!("cannot write the report `{}`", path.display()))
        .because(Reason::Unavailable)
}

/// Whether a file is there that is no report for people, and is not empty.
fn holds_something_else(path: &Path) -> bool {
    if !path.is_file() {
        return false;
    }
    let mut held = Vec::new();
    let read = File::open(path).and_then(|file| file.take(BEGINNING.len() as u64).read_to_end(&mut held));
    read.is_ok() && !held.is_empty() && held != BEGINNING
}

fn put(path: &Path, text: &str) -> io::Result<()> {
    let there = fs::metadata(path).ok();
    if there.is_some_and(|there| !there.is_file() && !there.is_dir()) {
        return OpenOptions::new().write(true).open(path)?.write_all(text.as_bytes());
    }
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let temporary = beside(&path)?;
    let written = fill(&temporary, text).and_then(|()| fs::rename(&temporary, &path));
    if written.is_err() {
        // What is left of it is of no use; that it cannot be removed is no news either.
        let _ = fs::remove_file(&temporary);
    }
    written
}

/// A name in the same folder, so that a rename is all that is left to do.
fn beside(path: &Path) -> io::Result<PathBuf> {
    let name = path
        .file_name()
        .filter(|_| !path.is_dir())
        .ok_or_else(|| io::Error::new(io::ErrorKind::IsADirectory, "it is a folder; give a file in it"))?;
    let mut hidden = std::ffi::OsString::from(".");
    hidden.push(name);
    hidden.push(format!(".{}.part", std::process::id()));
    Ok(path.with_file_name(hidden))
}

fn fill(path: &Path, text: &str) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_replaces_the_one_before_and_leaves_nothing_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report.html");
        for text in ["first", "second"] {
            write(&path, text).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_report_takes_the_place_of_reports_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows.csv");
        let report = "<!DOCTYPE html><html></html>";
        for (held, stays) in
            [("age,salary\n1,2\n", true), ("{}", true), ("", false), ("<!DOCTYPE html>", false)]
        {
            fs::write(&path, held).unwrap();
            let written = write(&path, report).map_err(|failure| (failure.reason, failure.error.to_string()));
            match stays {
                true => {
                    let (reason, told) = written.unwrap_err();
                    assert!(told.contains("give another file"), "{told}");
                    assert_eq!((reason, fs::read_to_string(&path).unwrap().as_str()), (Reason::Usage, held));
                }
                false => assert_eq!((written, fs::read_to_string(&path).unwrap().as_str()), (Ok(()), report)),
            }
        }
    }

    #[test]
    fn a_link_and_what_is_no_file_stay_what_they_are() {
        use std::os::unix::fs::{FileTypeExt, symlink};
        use std::os::unix::net::UnixListener;

        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("report.html"), folder.path().join("newest.html"));
        fs::write(&file, "first").unwrap();
        symlink("report.html", &link).unwrap();
        write(&link, "second").unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_to_string(&file).unwrap(), "second");

        // A socket takes no text by its path; that it is there afterwards is the question.
        let socket = folder.path().join("socket");
        let _listener = UnixListener::bind(&socket).unwrap();
        let failure = write(&socket, "text").unwrap_err();
        assert_eq!(failure.reason, Reason::Unavailable);
        assert!(fs::symlink_metadata(&socket).unwrap().file_type().is_socket());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3);
    }

    #[test]
    fn a_report_that_cannot_be_written_says_where() {
        let folder = tempfile::tempdir().unwrap();
        for path in [folder.path().join("no/such/folder.html"), folder.path().to_owned()] {
            let failure = write(&path, "text").unwrap_err();
            let told = format!("{:#}", failure.error);
            assert!(told.contains(&format!("cannot write the report `{}`", path.display())), "{told}");
            assert_eq!(failure.reason, Reason::Unavailable);
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
