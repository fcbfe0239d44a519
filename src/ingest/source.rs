//! The rows of a file: Parquet, Arrow IPC (file and stream), CSV and NDJSON, told apart by content and name.

mod arrow_ipc;
mod columnar;
mod csv;
mod ndjson;
mod parquet;

use std::fs::File;
use std::io::Read;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::cell::{Cell, Column};

/// Rows that are looked at to tell the kinds of columns of a text file.
const SAMPLED_ROWS: usize = 10_000;

/// Why a file cannot be read, as a whole.
#[derive(Debug, Error)]
pub enum SourceError {
    /// The file cannot be opened or read.
    #[error("cannot read `{}`", path.display())]
    Io { path: PathBuf, source: std::io::Error },
    /// The file is no Parquet or Arrow file, or a broken one.
    #[error("cannot read `{}` as {format}", path.display())]
    Broken { path: PathBuf, format: &'static str, source: Box<dyn std::error::Error + Send + Sync> },
    /// Neither content nor name tells the format.
    #[error(
        "cannot tell the format of `{}`; accepted are .parquet, .arrow, .feather, .arrows, .csv, .tsv, .ndjson and .jsonl",
        path.display()
    )]
    Unknown { path: PathBuf },
}

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Parquet,
    ArrowFile,
    ArrowStream,
    Csv { delimiter: u8 },
    Ndjson,
}

/// What reading a file brings, in its order.
#[derive(Debug)]
pub enum Item<'a> {
    /// A row; `columns` may have grown since the row before (NDJSON), and `cells` are as many.
    Row { columns: &'a [Column], cells: &'a [Cell<'a>], at: At },
    /// A row that cannot be read; reading goes on behind it.
    Bad { at: At, problem: String },
}

/// Where a row stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct At {
    /// The line of a text file, or the row of a columnar one, from 1.
    pub number: u64,
    /// How much of the file is read behind it, in bytes; an estimate in columnar files.
    pub bytes: u64,
}

/// A file that can be read from its beginning.
#[derive(Debug, Clone)]
pub struct Source {
    path: PathBuf,
    format: Format,
    bytes: u64,
    columns: Vec<Column>,
}

/// Takes what is read; `Break` stops reading.
pub type Sink<'s> = dyn FnMut(Item<'_>) -> ControlFlow<()> + 's;

impl Source {
    /// Looks at a file: its format and its columns.
    ///
    /// # Errors
    /// [`SourceError`] if it cannot be read or its format cannot be told.
    pub fn open(path: &Path) -> Result<Self, SourceError> {
        let io = |source| SourceError::Io { path: path.to_owned(), source };
        let mut file = File::open(path).map_err(io)?;
        let bytes = file.metadata().map_err(io)?.len();
        let mut head = Vec::new();
        file.by_ref().take(8).read_to_end(&mut head).map_err(io)?;
        let format = format(path, &head).ok_or_else(|| SourceError::Unknown { path: path.to_owned() })?;
        let mut source = Self { path: path.to_owned(), format, bytes, columns: Vec::new() };
        source.columns = match format {
            Format::Parquet => parquet::columns(&source)?,
            Format::ArrowFile | Format::ArrowStream => arrow_ipc::columns(&source)?,
            Format::Csv { delimiter } => csv::columns(&source, delimiter)?,
            Format::Ndjson => ndjson::columns(&source)?,
        };
        Ok(source)
    }

    /// The columns; of NDJSON those of the first rows.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its size in bytes.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// What a number of a row counts: `line` or `row`.
    pub fn unit(&self) -> &'static str {
        match self.format {
            Format::Csv { .. } | Format::Ndjson => "line",
            _ => "row",
        }
    }

    /// Reads all rows, from the first.
    ///
    /// # Errors
    /// [`SourceError`] where reading cannot go on: what was read before it has been handed over.
    pub fn read(&self, sink: &mut Sink<'_>) -> Result<(), SourceError> {
        match self.format {
            Format::Parquet => parquet::read(self, sink),
            Format::ArrowFile | Format::ArrowStream => arrow_ipc::read(self, sink),
            Format::Csv { delimiter } => csv::read(self, delimiter, sink),
            Format::Ndjson => ndjson::read(self, sink),
        }
    }

    fn file(&self) -> Result<File, SourceError> {
        File::open(&self.path).map_err(|source| self.io(source))
    }

    fn io(&self, source: std::io::Error) -> SourceError {
        SourceError::Io { path: self.path.clone(), source }
    }

    fn broken<E>(&self, format: &'static str) -> impl Fn(E) -> SourceError + '_
    where
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        move |source| SourceError::Broken { path: self.path.clone(), format, source: source.into() }
    }
}

fn format(path: &Path, head: &[u8]) -> Option<Format> {
    if head.starts_with(b"PAR1") {
        return Some(Format::Parquet);
    }
    if head.starts_with(b"ARROW1") {
        return Some(Format::ArrowFile);
    }
    if head.starts_with(&[0xFF, 0xFF, 0xFF, 0xFF]) {
        return Some(Format::ArrowStream);
    }
    let extension = path.extension()?.to_str()?.to_ascii_lowercase();
    match extension.as_str() {
        "parquet" => Some(Format::Parquet),
        "arrow" | "feather" => Some(Format::ArrowFile),
        "arrows" => Some(Format::ArrowStream),
        "csv" => Some(Format::Csv { delimiter: b',' }),
        "tsv" => Some(Format::Csv { delimiter: b'\t' }),
        "ndjson" | "jsonl" | "json" => Some(Format::Ndjson),
        _ => None,
    }
}
