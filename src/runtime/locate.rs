//! Finds the file of a native library: named by the user, installed, or installed now.

use std::path::PathBuf;

use super::catalogue::Library;
use super::error::RuntimeError;
use super::install::{self, Source};

/// May a library that is missing be fetched?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fetching {
    /// Install on first use.
    Allowed,
    /// `--offline`: say which command to run instead.
    Forbidden,
}

/// Where native libraries are, as the configuration says.
#[derive(Debug, Clone)]
pub struct Places {
    /// The folder that holds the installed versions.
    pub dir: PathBuf,
    /// A file to load instead of the installed libchdb.
    pub libchdb: Option<PathBuf>,
    /// A file to load instead of the installed ONNX Runtime.
    pub onnxruntime: Option<PathBuf>,
}

impl Places {
    /// The places that the environment names, and the platform's data folder elsewhere.
    ///
    /// # Errors
    /// There is no home folder and the environment names no folder.
    pub fn from_environment() -> Result<Self, RuntimeError> {
        let file = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let dir = match file("WINDVANE_RUNTIME_DIR") {
            Some(dir) => dir,
            None => default_dir()?,
        };
        Ok(Self { dir, libchdb: file("WINDVANE_LIBCHDB"), onnxruntime: file("ORT_DYLIB_PATH") })
    }

    /// The file that the user named for this library.
    pub fn named(&self, library: Library) -> Option<&PathBuf> {
        match library {
            Library::Chdb => self.libchdb.as_ref(),
            Library::OnnxRuntime | Library::OnnxRuntimeGpu => self.onnxruntime.as_ref(),
        }
    }

    /// The file to load.
    ///
    /// # Errors
    /// The named file is missing; the library is not installed and `fetching` forbids to fetch it; the install failed.
    pub fn locate(&self, library: Library, fetching: Fetching) -> Result<PathBuf, RuntimeError> {
        if let Some(path) = self.named(library) {
            return match path.is_file() {
                true => Ok(path.clone()),
                false => {
                    Err(RuntimeError::OverrideMissing { variable: library.variable(), path: path.clone() })
                }
            };
        }
        match (install::installed(library, &self.dir), fetching) {
            (Some(path), _) => Ok(path),
            (None, Fetching::Allowed) => Ok(install::install(library, &self.dir, Source::Registry)?.0),
            (None, Fetching::Forbidden) => Err(RuntimeError::NotInstalled {
                library,
                command: library.install_command(),
                variable: library.variable(),
            }),
        }
    }
}

/// The versioned data folder of the platform, `~/.local/share/windvane/runtime` on Linux.
fn default_dir() -> Result<PathBuf, RuntimeError> {
    use etcetera::BaseStrategy;
    let strategy = etcetera::choose_base_strategy().map_err(|_| RuntimeError::NoHome)?;
    Ok(strategy.data_dir().join("windvane").join("runtime"))
}
