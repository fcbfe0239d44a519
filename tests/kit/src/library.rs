//! Where tests find the native engines: the file that a variable names, else the one that `make runtime` installed under
//! `WINDVANE_RUNTIME_DIR`.

use std::path::{Path, PathBuf};

/// libchdb.
///
/// # Panics
/// It is not there; the message says what to do.
#[must_use]
pub fn libchdb() -> PathBuf {
    library("WINDVANE_LIBCHDB", "libchdb")
}

/// ONNX Runtime, the processor's build.
///
/// # Panics
/// It is not there; the message says what to do.
#[must_use]
pub fn onnxruntime() -> PathBuf {
    library("ORT_DYLIB_PATH", "onnxruntime")
}

/// Folders are called by the engine and its version, files by the engine.
fn library(variable: &str, engine: &str) -> PathBuf {
    if let Some(named) = std::env::var_os(variable).filter(|value| !value.is_empty()) {
        return named.into();
    }
    let entries =
        |dir: &Path| std::fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
    let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let dir = std::env::var_os("WINDVANE_RUNTIME_DIR").map(PathBuf::from).unwrap_or_default();
    let file = format!("lib{}.so", engine.trim_start_matches("lib"));
    let installed = entries(&dir)
        .filter(|folder| name(folder).starts_with(&format!("{engine}-")) && !name(folder).contains("gpu"))
        .flat_map(|folder| entries(&folder).collect::<Vec<_>>())
        .find(|found| name(found).starts_with(&file));
    installed.unwrap_or_else(|| {
        panic!("{file} is named by {variable} or installed under WINDVANE_RUNTIME_DIR (`make runtime`)")
    })
}
