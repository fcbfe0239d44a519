//! The native library: loaded once a process from a path that the caller names.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use ort::environment::Environment;
use parking_lot::Mutex;

use crate::error::RuntimeError;

/// ONNX Runtime, loaded. Cheap to clone; a process has one.
#[derive(Debug, Clone)]
pub struct Runtime {
    loaded: &'static Loaded,
}

#[derive(Debug)]
struct Loaded {
    path: PathBuf,
    environment: Environment,
}

/// Never dropped: releasing the environment at exit corrupts memory in some builds of the library, after a correct run.
static LOADED: OnceLock<Loaded> = OnceLock::new();
/// Held while loading, so that two threads that load at once get the same runtime.
static LOADING: Mutex<()> = Mutex::new(());

impl Runtime {
    /// Loads the library, or hands out the one loaded before. Its telemetry is off.
    ///
    /// # Errors
    /// [`RuntimeError`] if the file cannot be used or if this process already uses another file.
    pub fn load(path: &Path) -> Result<Self, RuntimeError> {
        let _one_at_a_time = LOADING.lock();
        if let Some(loaded) = LOADED.get() {
            if loaded.path != path {
                return Err(RuntimeError::Other { asked: path.to_owned(), loaded: loaded.path.clone() });
            }
            return Ok(Self { loaded });
        }
        let environment = ort::init_from(path)
            .map_err(|source| RuntimeError::Load { path: path.to_owned(), source })?
            .with_name("windvane")
            .with_telemetry(false)
            .build()
            .map_err(|source| RuntimeError::Start { path: path.to_owned(), source })?;
        let loaded = LOADED.get_or_init(|| Loaded { path: path.to_owned(), environment });
        Ok(Self { loaded })
    }

    /// The file that was loaded.
    pub fn path(&self) -> &Path {
        &self.loaded.path
    }

    /// The library's own description of its build: version, commit, compiler flags.
    pub fn build_info(&self) -> &'static str {
        ort::info()
    }

    pub(crate) fn environment(&self) -> &Environment {
        &self.loaded.environment
    }
}

/// The version of a library by its file name, and what the loaded one says of its build.
pub(crate) fn version(library: &Path) -> String {
    let file = std::fs::canonicalize(library).unwrap_or_else(|_| library.to_owned());
    let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let version: String = name
        .chars()
        .skip_while(|c| !c.is_ascii_digit())
        .take_while(|c| c.is_ascii_digit() || *c == '.')
        .collect();
    format!("ONNX Runtime {} ({})", version.trim_end_matches('.'), ort::info())
}
