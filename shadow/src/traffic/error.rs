//! Why recorded traffic cannot be read, or does not feed a model.

use std::path::PathBuf;

use thiserror::Error;

type Source = Box<dyn std::error::Error + Send + Sync>;

/// Why recorded traffic cannot be read, or does not feed a model.
#[derive(Debug, Error)]
pub enum TrafficError {
    /// The file or folder cannot be read.
    #[error("cannot read traffic `{}`", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is broken, or is not what it says.
    #[error("cannot read traffic `{}` as {format}", path.display())]
    Broken {
        /// The file.
        path: PathBuf,
        /// The format.
        format: &'static str,
        /// Why.
        source: Source,
    },
    /// Nobody can tell what the file is.
    #[error(
        "cannot tell the format of traffic `{}`; accepted are .npz with one array an input, .parquet, .arrow, .arrows and .feather with one column an input, and a folder of requests in Open Inference Protocol JSON",
        path.display()
    )]
    Unknown {
        /// The file.
        path: PathBuf,
    },
    /// A part of the file has a type that no tensor has.
    #[error("`{name}` of traffic `{}` {problem}", path.display())]
    Unsupported {
        /// The file.
        path: PathBuf,
        /// The array, column or input.
        name: String,
        /// What is wrong with it, and what would have been accepted.
        problem: String,
    },
    /// The traffic lacks what a model takes.
    #[error("traffic `{}` has no `{name}`, which {taker} takes; it has {given}", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
        /// What is missing.
        name: String,
        /// The input as the model declares it, or the option that names the column.
        taker: String,
        /// What is there.
        given: String,
    },
    /// Arrays of different lengths.
    #[error(
        "arrays of traffic `{}` have different numbers of rows: `{name}` has {rows}, `{other}` has {other_rows}; the first axis counts requests",
        path.display()
    )]
    Uneven {
        /// The file.
        path: PathBuf,
        /// One array.
        name: String,
        /// Its rows.
        rows: u64,
        /// Another.
        other: String,
        /// Its rows.
        other_rows: u64,
    },
    /// A request has no instant.
    #[error(
        "row {row} of `{name}` of traffic `{}` is {value}, which is no instant; the pace `original` takes timestamps, or whole microseconds since 1970",
        path.display()
    )]
    Instant {
        /// The file or folder.
        path: PathBuf,
        /// The column.
        name: String,
        /// The request, from 0.
        row: u64,
        /// What is there.
        value: String,
    },
    /// A cell cannot become an element of the input.
    #[error("row {row} of `{name}` of traffic `{}` is {value}, which {element} cannot hold", path.display())]
    Cell {
        /// The file.
        path: PathBuf,
        /// The column.
        name: String,
        /// The row, from 0.
        row: u64,
        /// What is in it.
        value: String,
        /// The element type of the input.
        element: &'static str,
    },
}
