//! What can go wrong with a runtime, with opening a model, and with running it.

use std::path::PathBuf;

use thiserror::Error;

/// Why the native library could not be used.
#[derive(Debug, Error)]
pub enum RuntimeError {
    /// The file is missing, no ONNX Runtime, or too old.
    #[error(
        "cannot load ONNX Runtime from `{}`; `windvane runtime install` puts one in place, or name one in ORT_DYLIB_PATH",
        path.display()
    )]
    Load {
        /// The file.
        path: PathBuf,
        /// Why the loader refused it.
        source: ort::LoadDynamicError,
    },
    /// The library was loaded and would not start.
    #[error("cannot start ONNX Runtime from `{}`", path.display())]
    Start {
        /// The file.
        path: PathBuf,
        /// What it said.
        source: ort::Error,
    },
    /// A process has one runtime, and it is another file.
    #[error("cannot load ONNX Runtime from `{}`: this process already uses `{}`", asked.display(), loaded.display())]
    Other {
        /// The file asked for.
        asked: PathBuf,
        /// The file in use.
        loaded: PathBuf,
    },
}

/// Why a model could not be opened or run. `model` is the file's path, or the name it was given.
#[derive(Debug, Error)]
pub enum SessionError {
    /// The runtime refused the file.
    #[error("cannot open model `{model}`")]
    Open {
        /// The model.
        model: String,
        /// What the runtime said.
        source: ort::Error,
    },
    /// The device is not there, or the library was built without its provider.
    #[error(
        "device `{device}` is not available: {}",
        if source.is_some() { "its provider does not start" } else { "the loaded ONNX Runtime was built without its provider (`windvane runtime install --gpu`)" }
    )]
    Device {
        /// The device.
        device: &'static str,
        /// What the runtime said.
        source: Option<ort::Error>,
    },
    /// The runtime refuses what it is told about sessions, such as a library of operators.
    #[error("ONNX Runtime refuses the settings of a session")]
    Settings {
        /// What the runtime said.
        source: ort::Error,
    },
    /// There is no profile that says where nodes ran.
    #[error("cannot read the profile `{}` of model `{model}`", path.display())]
    Profile {
        /// The model.
        model: String,
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The model has an input or output that is no tensor of a supported type.
    #[error(
        "cannot use model `{model}`: `{port}` is declared as {declared}; tensors of floats of 16, 32 and 64 bits, \
         integers, bool and string are supported (a scikit-learn classifier is exported with the option `zipmap: False`)"
    )]
    Unsupported {
        /// The model.
        model: String,
        /// The input or output.
        port: String,
        /// Its declared type.
        declared: String,
    },
    /// The elements of a column cannot be divided evenly among the rows.
    #[error("column `{column}` holds {elements} elements, which cannot be divided among {rows} rows")]
    Ragged {
        /// The column.
        column: String,
        /// How many elements it has.
        elements: usize,
        /// How many rows the batch has.
        rows: usize,
    },
    /// The batch lacks a column for an input.
    #[error("model `{model}` takes {declared}, which was not given; given: {given}")]
    MissingInput {
        /// The model.
        model: String,
        /// The input as declared.
        declared: String,
        /// All columns of the batch.
        given: String,
    },
    /// A column has another type or width than its input.
    #[error("model `{model}` takes {declared}; given: {given}")]
    WrongInput {
        /// The model.
        model: String,
        /// The input as declared.
        declared: String,
        /// The column.
        given: String,
    },
    /// The rows asked for lie outside the batch.
    #[error("rows {start} to {end} were asked of a batch of {rows}")]
    NoSuchRows {
        /// The first row.
        start: usize,
        /// One past the last row.
        end: usize,
        /// How many there are.
        rows: usize,
    },
    /// The model failed on these rows.
    #[error("model `{model}` failed on {rows} rows")]
    Run {
        /// The model.
        model: String,
        /// How many rows.
        rows: usize,
        /// What the runtime said.
        source: ort::Error,
    },
    /// The model took too long on these rows and was broken off.
    #[error("model `{model}` did not answer {rows} rows within {seconds} s and was broken off")]
    Endless {
        /// The model.
        model: String,
        /// How many rows.
        rows: usize,
        /// The limit.
        seconds: f64,
    },
}
