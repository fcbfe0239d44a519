//! The engine of one command over its own files: in process, temporary, no endpoint.
//!
//! `windvane drift a.parquet b.parquet` reads its files through this. SQL text comes from this crate only; files enter
//! it through [`LocalEngine::source`], which knows the files that the command named and quotes them.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};
use serde::de::DeserializeOwned;
use tempfile::TempDir;

use crate::Statement;
use crate::chdb::{Connection, Engine, EngineError, EngineOptions, Library, LoadError};

/// Settings of every query that answers rows: 64-bit integers as numbers, NaN and infinities as words (see
/// [`crate::Real`]), named tuples as objects, and U+FFFD in place of bytes that are no UTF-8.
pub const ROW_SETTINGS: [(&str, &str); 5] = [
    ("output_format_json_quote_64bit_integers", "0"),
    ("output_format_json_quote_denormals", "1"),
    ("output_format_json_quote_decimals", "0"),
    ("output_format_json_named_tuples_as_objects", "1"),
    ("output_format_json_validate_utf8", "1"),
];

/// How files are read: by calls, because a mapped file counts as memory of this process as long as it is mapped; and with at
/// most 100 MB of decoded Parquet ahead of who takes it. A time that says no zone is UTC, as it is in CSV, which is read as text: the engine
/// would take that of NDJSON for one of the zone that the command runs in.
const FILE_SETTINGS: [(&str, &str); 3] = [
    ("storage_file_read_method", "'pread'"),
    ("input_format_parquet_memory_high_watermark", "100000000"),
    ("session_timezone", "'UTC'"),
];

/// The folders of the engines that this process has opened.
static FOLDERS: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// Removes the folders of all engines of a process that is about to end without dropping them, as at a signal. A file takes the place of
/// each until it is gone, so that statements that still run do not make it anew.
pub fn remove_folders() {
    for folder in FOLDERS.lock().iter() {
        let aside = folder.with_extension("removed");
        if fs::rename(folder, &aside).is_ok() {
            let _ = fs::write(folder, "");
            let _ = fs::remove_dir_all(&aside);
            let _ = fs::remove_file(folder);
        }
    }
}

/// Why a query of a command's own engine failed.
#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    /// The library cannot be loaded.
    #[error("cannot start the embedded engine")]
    Load(#[from] LoadError),
    /// The engine or the statement failed.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The temporary folder cannot be made.
    #[error("cannot make a temporary folder for the embedded engine (TMPDIR says where)")]
    Folder(#[source] std::io::Error),
    /// A file cannot be opened.
    #[error("cannot open `{}`", path.display())]
    File {
        /// The file as the command named it.
        path: PathBuf,
        /// What the file system says.
        source: std::io::Error,
    },
    /// A path that ClickHouse would expand (`*?{}`) or that is not UTF-8.
    #[error("the name of `{}` has a character that file patterns use: one of `*?{{}}` or a control character", path.display())]
    Name {
        /// The file as the command named it.
        path: PathBuf,
    },
    /// A row does not have the shape asked for.
    #[error("cannot read row {row} of the engine's answer")]
    Row {
        /// Number of the row, from 0.
        row: usize,
        /// What differs.
        source: serde_json::Error,
    },
    /// The answer is not UTF-8.
    #[error("the engine's answer is not UTF-8")]
    Encoding(#[from] std::string::FromUtf8Error),
}

impl LocalError {
    /// ClickHouse's error code, where it answered with one.
    #[must_use]
    pub fn code(&self) -> Option<i32> {
        match self {
            Self::Engine(EngineError::Exception(exception)) => Some(exception.code),
            _ => None,
        }
    }
}

/// The format of a file, by ClickHouse's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileFormat {
    /// Apache Parquet.
    Parquet,
    /// Arrow IPC file (`.arrow`, `.feather`).
    Arrow,
    /// Arrow IPC stream (`.arrows`).
    ArrowStream,
    /// Comma-separated with a header line.
    Csv,
    /// One JSON object a line.
    Ndjson,
}

impl FileFormat {
    /// ClickHouse's name of the format.
    pub fn name(self) -> &'static str {
        match self {
            Self::Parquet => "Parquet",
            Self::Arrow => "Arrow",
            Self::ArrowStream => "ArrowStream",
            Self::Csv => "CSVWithNames",
            Self::Ndjson => "JSONEachRow",
        }
    }

    /// The format a file name's ending says, `.gz` and `.zst` after it apart.
    pub fn of_path(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_str()?.to_ascii_lowercase();
        let name = name.trim_end_matches(".gz").trim_end_matches(".zst");
        match name.rsplit_once('.')?.1 {
            "parquet" | "pq" => Some(Self::Parquet),
            "arrow" | "feather" | "ipc" => Some(Self::Arrow),
            "arrows" => Some(Self::ArrowStream),
            "csv" => Some(Self::Csv),
            "ndjson" | "jsonl" | "json" => Some(Self::Ndjson),
            _ => None,
        }
    }
}

/// Statements that run at once: one is prepared or read while the other one computes.
pub const CONNECTIONS: usize = 2;

/// An in-process engine over a temporary folder. Clones share it. It blocks: call it from a blocking thread.
///
/// Close it before the process leaves: drop every clone, then end through [`crate::chdb::exit_now`].
#[derive(Debug, Clone)]
pub struct LocalEngine {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    // Dropped in this order: connections, engine, folder.
    connections: [Mutex<Connection>; CONNECTIONS],
    engine: Arc<Engine>,
    _folder: TempDir,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.engine.close();
    }
}

impl LocalEngine {
    /// Starts an engine that may take `memory_bytes_max` bytes; larger sorts and groupings spill to its folder.
    ///
    /// # Errors
    /// When the library, the folder or the engine cannot be opened.
    pub fn open(library: &Path, memory_bytes_max: u64) -> Result<Self, LocalError> {
        let library = Library::open(library)?;
        let folder = TempDir::with_prefix("windvane-").map_err(LocalError::Folder)?;
        FOLDERS.lock().push(folder.path().to_owned());
        let options = EngineOptions { memory_bytes_max, ..EngineOptions::new(folder.path()) };
        let engine = Engine::open(library, &options)?;
        let spill = memory_bytes_max / 4;
        let connect = || -> Result<Mutex<Connection>, LocalError> {
            let mut connection = engine.connect()?;
            let fixed = ROW_SETTINGS.into_iter().chain(FILE_SETTINGS);
            let mut settings: Vec<String> = fixed.map(|(name, value)| format!("{name} = {value}")).collect();
            settings.push(format!("max_bytes_before_external_group_by = {spill}"));
            settings.push(format!("max_bytes_before_external_sort = {spill}"));
            connection.execute(&format!("SET {}", settings.join(", ")))?;
            Ok(connection.into())
        };
        let connections = [connect()?, connect()?];
        Ok(Self { inner: Arc::new(Inner { connections, engine, _folder: folder }) })
    }

    /// A connection that is free, or else the first one once it is.
    fn connection(&self) -> MutexGuard<'_, Connection> {
        let free = self.inner.connections.iter().find_map(Mutex::try_lock);
        free.unwrap_or_else(|| self.inner.connections[0].lock())
    }

    /// The table expression of a file that the command named: `file('/abs/path', 'Parquet')`, correctly quoted.
    ///
    /// # Errors
    /// When the file cannot be opened, or its name is one that ClickHouse would expand as a pattern.
    pub fn source(&self, path: &Path, format: FileFormat) -> Result<String, LocalError> {
        let io = |source| LocalError::File { path: path.to_owned(), source };
        let absolute = path.canonicalize().map_err(io)?;
        fs::File::open(&absolute).map_err(io)?;
        let text = absolute
            .to_str()
            .filter(|text| !text.contains(['*', '?', '{', '}']) && !text.contains(char::is_control))
            .ok_or_else(|| LocalError::Name { path: path.to_owned() })?;
        Ok(format!("file({}, '{}')", quote(text), format.name()))
    }

    /// Runs a query and reads each row into `T`, by column name.
    ///
    /// # Errors
    /// The engine's exception, or the first row that does not fit `T`.
    pub fn rows<T: DeserializeOwned>(&self, sql: &str) -> Result<Vec<T>, LocalError> {
        let mut connection = self.connection();
        let output = connection.query(sql, "JSONEachRow", &[])?;
        serde_json::Deserializer::from_slice(output.bytes())
            .into_iter()
            .enumerate()
            .map(|(row, value)| value.map_err(|source| LocalError::Row { row, source }))
            .collect()
    }

    /// The rows of a statement with parameters and settings.
    ///
    /// # Errors
    /// The engine's exception, or the first row that does not fit `T`.
    pub fn answer<T: DeserializeOwned>(&self, statement: &Statement) -> Result<Vec<T>, LocalError> {
        let mut connection = self.connection();
        let output = connection.query(&with_settings(statement), "JSONEachRow", &parameters(statement))?;
        serde_json::Deserializer::from_slice(output.bytes())
            .into_iter()
            .enumerate()
            .map(|(row, value)| value.map_err(|source| LocalError::Row { row, source }))
            .collect()
    }

    /// Hands the answer of a SELECT to `consume`, chunk by chunk.
    ///
    /// # Errors
    /// The engine's exception, also half-way.
    pub fn fold(
        &self,
        statement: &Statement,
        format: &str,
        consume: &mut dyn FnMut(&[u8]),
    ) -> Result<(), LocalError> {
        let mut connection = self.connection();
        let parameters = parameters(statement);
        let mut stream = connection.stream(&with_settings(statement), format, &parameters)?;
        while let Some(chunk) = stream.next_chunk()? {
            consume(chunk.bytes());
        }
        Ok(())
    }

    /// Runs a statement without an answer.
    ///
    /// # Errors
    /// The engine's exception.
    pub fn execute(&self, statement: &Statement) -> Result<(), LocalError> {
        let mut connection = self.connection();
        connection.query(&with_settings(statement), "Null", &parameters(statement))?;
        Ok(())
    }

    /// Runs a statement and gives its output in the format it names (TabSeparated when it names none).
    ///
    /// # Errors
    /// The engine's exception, or an output that is not text.
    pub fn text(&self, sql: &str) -> Result<String, LocalError> {
        let mut connection = self.connection();
        let output = connection.query(sql, "TabSeparated", &[])?;
        Ok(String::from_utf8(output.bytes().to_vec())?)
    }
}

fn parameters(statement: &Statement) -> Vec<(String, String)> {
    statement.params().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// The statement with its settings as a clause; [`Statement`] promises that its text ends without a `FORMAT` clause.
fn with_settings(statement: &Statement) -> String {
    let settings: Vec<String> =
        statement.settings().map(|(name, value)| format!("{name} = {}", quote(value))).collect();
    match settings.as_slice() {
        [] => statement.sql().to_owned(),
        settings => format!("{} SETTINGS {}", statement.sql(), settings.join(", ")),
    }
}

/// A string literal of ClickHouse's SQL.
pub fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}

/// The value that a column of maps has under a key; NULL without one. By its place among the keys: to look up several keys of a map one
/// by one takes two to three times as long, since the engine takes the map apart for each.
pub fn map_value(map: &str, key: &str) -> String {
    format!("arrayElementOrNull({map}.values, indexOf({map}.keys, {}))", quote(key))
}

/// A quoted identifier of ClickHouse's SQL.
pub fn quote_identifier(name: &str) -> String {
    format!("`{}`", name.replace('\\', "\\\\").replace('`', "\\`"))
}
