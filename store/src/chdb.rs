//! libchdb, the embedded ClickHouse: the library, one engine a process, connections that run one statement at a time.
//!
//! Everything here blocks; async callers run it on a blocking thread. Before a process that opened an engine ends, it
//! drops every [`Connection`], closes the [`Engine`] and leaves through [`exit_now`]: the library's own tear-down at
//! exit crashes in some runs. A process that leaves in another way skips that tear-down too where glibc tells the code.

mod error;
mod ffi;
mod insert;
mod stream;
mod zone;

use std::ffi::CString;
use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;

pub use error::{EngineError, Exception};
pub use ffi::LoadError;
pub use insert::InsertStream;
pub use stream::QueryStream;

/// The loaded library.
#[derive(Debug, Clone, Copy)]
pub struct Library {
    api: &'static ffi::Api,
}

impl Library {
    /// Loads `libchdb.so` and keeps it until the process ends.
    ///
    /// # Errors
    /// When the file is missing, is no library, or is not libchdb 26.7.
    pub fn open(path: &Path) -> Result<Self, LoadError> {
        Ok(Self { api: ffi::Api::load(path)? })
    }

    /// The version of the library, such as `26.7.3`; the SQL function `version()` gives that of ClickHouse.
    pub fn version(&self) -> String {
        self.api.version()
    }
}

/// Free memory that each thread of a statement needs, in bytes: where there is less, a statement gets fewer threads. The library's own
/// default of 1 GiB leaves one thread to all statements of an engine of 2 GiB, however many cores there are.
const THREAD_MEMORY_BYTES: u64 = 128 << 20;

/// Where an engine keeps its data and how much memory it may take.
#[derive(Debug, Clone)]
pub struct EngineOptions {
    /// The folder of the data; made when missing.
    pub data_dir: PathBuf,
    /// Bound of all memory of the engine, in bytes; a statement beyond it fails with code 241.
    pub memory_bytes_max: u64,
    /// Bound of the cache of index marks, in bytes (the library's own default is 5 GiB).
    pub mark_cache_bytes: u64,
    /// Threads that merge parts in the background.
    pub background_threads: u16,
}

impl EngineOptions {
    /// Options for this folder with the bounds of a small machine: 2 GiB in all, 64 MiB for marks.
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            data_dir: data_dir.into(),
            memory_bytes_max: 2 << 30,
            mark_cache_bytes: 64 << 20,
            background_threads: 2,
        }
    }

    fn arguments(&self) -> Result<Vec<CString>, EngineError> {
        let path = self.data_dir.join("data");
        [
            "clickhouse".to_owned(),
            format!("--path={}", path.display()),
            format!("--max_server_memory_usage={}", self.memory_bytes_max),
            format!("--mark_cache_size={}", self.mark_cache_bytes),
            format!("--background_pool_size={}", self.background_threads),
            format!("--max_threads_min_free_memory_per_thread={THREAD_MEMORY_BYTES}"),
            "--log-level=none".to_owned(),
        ]
        .into_iter()
        .map(|argument| CString::new(argument).map_err(|_| EngineError::Path { path: path.clone() }))
        .collect()
    }
}

/// The engine over one folder. A process can have one folder open at a time.
#[derive(Debug)]
pub struct Engine {
    library: Library,
    arguments: Vec<CString>,
    data_dir: PathBuf,
    /// Keeps the engine running while no other connection is open.
    anchor: parking_lot::Mutex<Option<Connection>>,
    /// Held by every connection, so that the folder is free for another process only when all are closed.
    lock: Arc<File>,
}

impl Engine {
    /// Starts the engine over its folder.
    ///
    /// # Errors
    /// [`EngineError::InUse`] when another process has the folder open; [`EngineError::TimeZone`] when TZ names a time zone that there is
    /// not; otherwise what the file system or the engine says.
    pub fn open(library: Library, options: &EngineOptions) -> Result<Arc<Self>, EngineError> {
        let dir = &options.data_dir;
        let io = |source| EngineError::Folder { path: dir.clone(), source };
        std::fs::create_dir_all(dir).map_err(io)?;
        let dir = dir.canonicalize().map_err(io)?;
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(dir.join("engine.lock"))
            .map_err(io)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(EngineError::InUse { path: dir }),
            Err(TryLockError::Error(source)) => return Err(io(source)),
        }
        let arguments = EngineOptions { data_dir: dir.clone(), ..options.clone() }.arguments()?;
        let lock = Arc::new(lock);
        let anchor = Connection::open(library, &arguments, &lock, &dir).map_err(|error| {
            let named = std::env::var_os("TZ").and_then(|value| value.into_string().ok());
            named.filter(|zone| zone::is_unknown(zone)).map_or(error, |zone| EngineError::TimeZone { zone })
        })?;
        ffi::leave_without_teardown();
        Ok(Arc::new(Self { library, arguments, data_dir: dir, anchor: Some(anchor).into(), lock }))
    }

    /// The folder of this engine.
    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// Opens one more connection (0.3 ms); its settings and current database are its own.
    ///
    /// # Errors
    /// [`EngineError::Closed`] after [`Engine::close`]; [`EngineError::Connect`] when the engine refuses.
    pub fn connect(&self) -> Result<Connection, EngineError> {
        if self.anchor.lock().is_none() {
            return Err(EngineError::Closed);
        }
        Connection::open(self.library, &self.arguments, &self.lock, &self.data_dir)
    }

    /// How many connections are open beside the engine's own.
    pub fn connections(&self) -> usize {
        // One count is the engine's, one its anchor's.
        Arc::strong_count(&self.lock).saturating_sub(2)
    }

    /// Refuses new connections and closes the engine's own; the engine stops when the last one is dropped.
    pub fn close(&self) {
        self.anchor.lock().take();
    }
}

/// A connection: one statement at a time, which the borrow of a stream enforces.
#[derive(Debug)]
pub struct Connection {
    raw: ffi::RawConnection,
    _lock: Arc<File>,
}

impl Connection {
    fn open(
        library: Library,
        arguments: &[CString],
        lock: &Arc<File>,
        dir: &Path,
    ) -> Result<Self, EngineError> {
        let raw = ffi::RawConnection::open(library.api, arguments)
            .ok_or_else(|| EngineError::Connect { path: dir.to_owned() })?;
        Ok(Self { raw, _lock: lock.clone() })
    }

    /// Runs any statement but an insert with data, and gives its whole output. `format` holds unless the statement
    /// names another; `parameters` fill `{name:Type}`, written as ClickHouse reads them from text (escaped).
    ///
    /// # Errors
    /// The exception of the statement.
    pub fn query(
        &mut self,
        sql: &str,
        format: &str,
        parameters: &[(String, String)],
    ) -> Result<Output, EngineError> {
        Output::checked(self.raw.query(sql, format, parameters))
    }

    /// Runs a statement without parameters for its effect.
    ///
    /// # Errors
    /// The exception of the statement.
    pub fn execute(&mut self, sql: &str) -> Result<(), EngineError> {
        self.query(sql, "Null", &[]).map(drop)
    }

    /// Starts a SELECT whose output comes in chunks; each chunk is a document of its own in `format`. Other statements
    /// cannot be streamed by the engine (code 36).
    ///
    /// # Errors
    /// The exception, when the statement cannot start; some show up only at the first chunk.
    pub fn stream(
        &mut self,
        sql: &str,
        format: &str,
        parameters: &[(String, String)],
    ) -> Result<QueryStream<'_>, EngineError> {
        QueryStream::start(self.raw.stream(sql, format, parameters))
    }

    /// Starts an insert. `sql` is `INSERT INTO t (a, b)` without FORMAT and without data; `format` is that of the data.
    ///
    /// # Errors
    /// The exception, when the insert cannot start.
    pub fn insert(
        &mut self,
        sql: &str,
        format: &str,
        parameters: &[(String, String)],
    ) -> Result<InsertStream<'_>, EngineError> {
        InsertStream::start(self.raw.insert(sql, format, parameters))
    }

    /// What the parser says of a statement, without running it.
    ///
    /// # Errors
    /// When the engine gives no answer at all; text that does not parse is [`Class::Unknown`].
    pub fn classify(&mut self, sql: &str) -> Result<Classification, EngineError> {
        let (statements, class, _flags) = self.raw.classify(sql).ok_or(EngineError::NoAnswer)?;
        Ok(Classification { statements, class: Class::from_code(class) })
    }
}

/// What the parser says of a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Classification {
    /// Executable statements in the text; 0 when it does not parse.
    pub statements: u32,
    /// The most restricted class among them.
    pub class: Class,
}

/// What a statement does to state that outlives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// SELECT, SHOW, DESCRIBE, EXPLAIN, EXISTS.
    ReadOnly,
    /// INSERT, CREATE, ALTER, DROP, …
    Mutating,
    /// Functions, users, named collections.
    MutatingGlobal,
    /// USE, SET, SYSTEM, KILL, BACKUP, INTO OUTFILE, …
    Control,
    /// Text that does not parse.
    Unknown,
}

impl Class {
    fn from_code(code: u32) -> Self {
        match code {
            0 => Self::ReadOnly,
            1 => Self::Mutating,
            2 => Self::MutatingGlobal,
            3 => Self::Control,
            _ => Self::Unknown,
        }
    }
}

/// Counters of a statement.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Rows of the result.
    pub result_rows: u64,
    /// Bytes of the result in the engine's memory.
    pub result_bytes: u64,
    /// Rows read from tables.
    pub read_rows: u64,
    /// Bytes read from tables.
    pub read_bytes: u64,
    /// Rows written, those of materialized views included.
    pub written_rows: u64,
    /// Bytes written, those of materialized views included.
    pub written_bytes: u64,
}

/// The output of a statement, or one chunk of it.
#[derive(Debug)]
pub struct Output {
    raw: ffi::RawResult,
}

impl Output {
    fn checked(raw: Option<ffi::RawResult>) -> Result<Self, EngineError> {
        let raw = raw.ok_or(EngineError::NoAnswer)?;
        match raw.error() {
            Some(text) => Err(EngineError::Exception(Exception::parse(&text))),
            None => Ok(Self { raw }),
        }
    }

    /// The bytes, in the format asked for.
    pub fn bytes(&self) -> &[u8] {
        self.raw.bytes()
    }

    /// The counters.
    pub fn progress(&self) -> Progress {
        self.raw.progress()
    }

    /// The bytes without a copy; the library's buffer is freed with the last reference.
    pub fn into_bytes(self) -> Bytes {
        Bytes::from_owner(self.raw)
    }
}

/// Ends the process at once with this exit code. Call it after every connection was dropped and all output flushed.
pub fn exit_now(code: u8) -> ! {
    ffi::exit(i32::from(code))
}
