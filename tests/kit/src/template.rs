//! The tables of an empty store, made once for a binary and copied for each service: migrations take two seconds of the
//! processor, a copy takes a tenth of one.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::time::UNIX_EPOCH;

use crate::Service;

/// Puts the tables that `binary` makes where its embedded engine will look for them.
///
/// # Panics
/// The service does not come up, or files cannot be copied.
pub(crate) fn lay_out(binary: &Path, data_dir: &Path) {
    let made = binary.with_file_name("windvane-tables");
    fs::create_dir_all(&made).expect("the folder of the binary can be written");
    // Tests are processes of their own: the first one makes the tables, and nobody copies them meanwhile.
    let lock = File::create(made.join("lock")).expect("the folder of the binary can be written");
    lock.lock_shared().expect("files can be locked");
    let key = key(binary);
    if !is_of(&made, &key) {
        lock.unlock().expect("files can be unlocked");
        lock.lock().expect("files can be locked");
        if !is_of(&made, &key) {
            make(binary, &made);
            fs::write(made.join("key"), &key).expect("the folder of the binary can be written");
        }
    }
    copy(&made.join("data"), &data_dir.join("data")).expect("tables can be copied");
}

/// Tells one build of the binary from another.
fn key(binary: &Path) -> String {
    let file = fs::metadata(binary).expect("the binary is there");
    let changed = file.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    format!("{} {changed:?}", file.len())
}

fn is_of(made: &Path, key: &str) -> bool {
    fs::read_to_string(made.join("key")).is_ok_and(|found| found == key)
}

fn make(binary: &Path, made: &Path) {
    let (run, data) = (made.join("run"), made.join("data"));
    for old in [&run, &data] {
        if old.exists() {
            fs::remove_dir_all(old).expect("the folder of the binary can be written");
        }
    }
    fs::create_dir_all(&run).expect("the folder of the binary can be written");
    assert_eq!(Service::start_bare(binary, &run, "").terminate(), Some(0));
    fs::rename(run.join("data/data"), data).expect("the folder of the binary can be written");
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (kind, to) = (entry.file_type()?, to.join(entry.file_name()));
        if kind.is_dir() {
            copy(&entry.path(), &to)?;
        } else if kind.is_symlink() {
            std::os::unix::fs::symlink(fs::read_link(entry.path())?, to)?;
        } else {
            fs::copy(entry.path(), to)?;
        }
    }
    Ok(())
}
