//! Where the tests find libchdb: the file that `WINDVANE_LIBCHDB` names, else the one installed under
//! `WINDVANE_RUNTIME_DIR`.

use std::path::PathBuf;

/// The library; a test without it fails, and says what to do.
pub fn libchdb() -> PathBuf {
    if let Some(named) = std::env::var_os("WINDVANE_LIBCHDB").filter(|value| !value.is_empty()) {
        return named.into();
    }
    let installed = std::env::var_os("WINDVANE_RUNTIME_DIR").and_then(|dir| {
        let folders = std::fs::read_dir(dir).ok()?.flatten();
        folders.map(|folder| folder.path().join("libchdb.so")).find(|file| file.is_file())
    });
    installed.expect(
        "libchdb.so is named by WINDVANE_LIBCHDB or installed under WINDVANE_RUNTIME_DIR (`make runtime`)",
    )
}
