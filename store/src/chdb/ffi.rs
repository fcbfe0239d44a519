//! The C interface of libchdb behind safe types: the only `unsafe` code of the workspace.
//!
//! The library is opened at run time and never closed, because it starts threads of its own that outlive every
//! connection; so a function pointer taken from it stays valid for the life of the process. The declarations below are
//! written after the public header of libchdb 26.7 (`programs/local/chdb.h`); they hold for the C ABI of that version,
//! which is checked through `chdb_version` before anything else is called.
//!
//! What makes the types safe to use:
//! - Every handle has one owner here and is freed once, in `Drop`. A stream borrows its connection exclusively, so the
//!   engine's rule "one statement at a time on a connection" is checked by the compiler.
//! - Handles move between threads (`Send`): the library keeps no thread-local state in them and documents its calls as
//!   callable from any thread. They are not shared (`!Sync`), except for results, which are immutable once returned.
//! - All text goes in as pointer and length, so no terminating zero is needed; lengths of zero pass a valid pointer.
#![allow(unsafe_code)]

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::path::Path;
use std::ptr::NonNull;

use libloading::Library;

/// `chdb_connection`: the library hands out a pointer to it.
#[repr(C)]
struct ConnectionHandle {
    _opaque: [u8; 0],
}

/// `chdb_result`.
#[repr(C)]
struct ResultHandle {
    _opaque: [u8; 0],
}

/// What `chdb_insert_stream` points to.
#[repr(C)]
struct InsertHandle {
    _opaque: [u8; 0],
}

/// `chdb_query_analysis_v1`; versioned by its first field.
#[repr(C)]
struct Analysis {
    struct_size: u32,
    statement_count: u32,
    flags: u32,
    query_class: u32,
}

type Connection = *mut ConnectionHandle;
type Insert = *mut InsertHandle;
type Text = *const c_char;

type QueryWithParams = unsafe extern "C" fn(
    Connection,
    Text,
    usize,
    Text,
    usize,
    *const Text,
    *const usize,
    *const Text,
    *const usize,
    usize,
) -> *mut ResultHandle;

type InsertWithParams = unsafe extern "C" fn(
    Connection,
    Text,
    usize,
    Text,
    usize,
    *const Text,
    *const usize,
    *const Text,
    *const usize,
    usize,
) -> Insert;

/// Parameters as the library takes them: parallel arrays that borrow the texts.
struct Parameters {
    names: Vec<Text>,
    name_lengths: Vec<usize>,
    values: Vec<Text>,
    value_lengths: Vec<usize>,
}

impl Parameters {
    fn of(parameters: &[(String, String)]) -> Self {
        Self {
            names: parameters.iter().map(|(name, _)| name.as_ptr().cast()).collect(),
            name_lengths: parameters.iter().map(|(name, _)| name.len()).collect(),
            values: parameters.iter().map(|(_, value)| value.as_ptr().cast()).collect(),
            value_lengths: parameters.iter().map(|(_, value)| value.len()).collect(),
        }
    }
}

/// The functions of the library that we call.
#[derive(Debug)]
pub(super) struct Api {
    connect: unsafe extern "C" fn(c_int, *const Text) -> *mut Connection,
    close_conn: unsafe extern "C" fn(*mut Connection),
    query: QueryWithParams,
    stream_query: QueryWithParams,
    stream_fetch: unsafe extern "C" fn(Connection, *mut ResultHandle) -> *mut ResultHandle,
    stream_cancel: unsafe extern "C" fn(Connection, *mut ResultHandle),
    destroy_result: unsafe extern "C" fn(*mut ResultHandle),
    result_buffer: unsafe extern "C" fn(*mut ResultHandle) -> *const u8,
    result_length: unsafe extern "C" fn(*mut ResultHandle) -> usize,
    result_error: unsafe extern "C" fn(*mut ResultHandle) -> Text,
    result_rows: unsafe extern "C" fn(*mut ResultHandle) -> u64,
    result_bytes: unsafe extern "C" fn(*mut ResultHandle) -> u64,
    storage_rows: unsafe extern "C" fn(*mut ResultHandle) -> u64,
    storage_bytes: unsafe extern "C" fn(*mut ResultHandle) -> u64,
    written_rows: unsafe extern "C" fn(*mut ResultHandle) -> u64,
    written_bytes: unsafe extern "C" fn(*mut ResultHandle) -> u64,
    insert: InsertWithParams,
    insert_append: unsafe extern "C" fn(Insert, *const c_void, usize) -> c_int,
    insert_done: unsafe extern "C" fn(Insert) -> *mut ResultHandle,
    insert_cancel: unsafe extern "C" fn(Insert),
    insert_error: unsafe extern "C" fn(Insert) -> Text,
    insert_destroy: unsafe extern "C" fn(Insert),
    classify: unsafe extern "C" fn(Connection, Text, usize, Text, usize, *mut Analysis) -> c_int,
    version: unsafe extern "C" fn() -> Text,
    set_signal_handlers: unsafe extern "C" fn(c_int),
}

/// Why the library could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file is not there or is not a shared library of this platform.
    #[error("cannot load the engine library `{path}`")]
    Open {
        /// The file that was tried.
        path: String,
        /// What the dynamic linker says.
        source: libloading::Error,
    },
    /// The library is another version with another interface.
    #[error("the engine library `{path}` lacks `{symbol}`; windvane needs libchdb 26.7")]
    Symbol {
        /// The file that was tried.
        path: String,
        /// The missing function.
        symbol: &'static str,
    },
    /// The library is of a version whose interface was not checked.
    #[error("the engine library `{path}` is version {version}; windvane needs libchdb 26.7")]
    Version {
        /// The file that was tried.
        path: String,
        /// What it calls itself.
        version: String,
    },
}

/// The interface version the declarations above were written for.
const VERSION_PREFIX: &str = "26.7.";

impl Api {
    /// Opens the library and keeps it for the life of the process; switches its signal handlers off.
    pub(super) fn load(path: &Path) -> Result<&'static Self, LoadError> {
        let shown = path.display().to_string();
        // SAFETY: loading runs the library's initialisers. They are those of libchdb, which the caller names and whose
        // checksum the installer has verified; they touch nothing of ours.
        let library = unsafe { Library::new(path) };
        let library = library.map_err(|source| LoadError::Open { path: shown.clone(), source })?;
        // Never unloaded: the engine's threads run code of it until the process ends.
        let library: &'static Library = Box::leak(Box::new(library));
        let api: &'static Self = Box::leak(Box::new(Self::bind(library, &shown)?));
        let version = api.version();
        if !version.starts_with(VERSION_PREFIX) {
            return Err(LoadError::Version { path: shown, version });
        }
        // SAFETY: takes an integer; must and does happen before the first connect.
        unsafe { (api.set_signal_handlers)(0) };
        Ok(api)
    }

    fn bind(library: &'static Library, path: &str) -> Result<Self, LoadError> {
        macro_rules! symbol {
            ($name:literal) => {
                // SAFETY: the field's type repeats the declaration of the public header, and the library is leaked, so
                // the pointer stays valid.
                *unsafe { library.get($name.as_bytes()) }
                    .map_err(|_| LoadError::Symbol { path: path.to_owned(), symbol: $name })?
            };
        }
        Ok(Self {
            connect: symbol!("chdb_connect"),
            close_conn: symbol!("chdb_close_conn"),
            query: symbol!("chdb_query_with_params_n"),
            stream_query: symbol!("chdb_stream_query_with_params_n"),
            stream_fetch: symbol!("chdb_stream_fetch_result"),
            stream_cancel: symbol!("chdb_stream_cancel_query"),
            destroy_result: symbol!("chdb_destroy_query_result"),
            result_buffer: symbol!("chdb_result_buffer"),
            result_length: symbol!("chdb_result_length"),
            result_error: symbol!("chdb_result_error"),
            result_rows: symbol!("chdb_result_rows_read"),
            result_bytes: symbol!("chdb_result_bytes_read"),
            storage_rows: symbol!("chdb_result_storage_rows_read"),
            storage_bytes: symbol!("chdb_result_storage_bytes_read"),
            written_rows: symbol!("chdb_result_rows_written"),
            written_bytes: symbol!("chdb_result_bytes_written"),
            insert: symbol!("chdb_stream_insert_with_params_n"),
            insert_append: symbol!("chdb_stream_append"),
            insert_done: symbol!("chdb_stream_done"),
            insert_cancel: symbol!("chdb_stream_cancel_insert"),
            insert_error: symbol!("chdb_stream_insert_error"),
            insert_destroy: symbol!("chdb_destroy_insert_stream"),
            classify: symbol!("chdb_classify_query_n"),
            version: symbol!("chdb_version"),
            set_signal_handlers: symbol!("chdb_set_signal_handlers_enabled"),
        })
    }

    /// The library's own version, such as `26.7.3`.
    pub(super) fn version(&self) -> String {
        // SAFETY: returns a static, zero-terminated string.
        unsafe { text((self.version)()) }.unwrap_or_default()
    }
}

/// A copy of a zero-terminated string of the library, `None` for a null pointer.
///
/// # Safety
/// `pointer` is null or points to a zero-terminated string that lives during the call.
unsafe fn text(pointer: Text) -> Option<String> {
    if pointer.is_null() {
        return None;
    }
    // SAFETY: the caller's promise.
    Some(unsafe { CStr::from_ptr(pointer) }.to_string_lossy().into_owned())
}

/// An open connection; closed when dropped.
#[derive(Debug)]
pub(super) struct RawConnection {
    api: &'static Api,
    outer: NonNull<Connection>,
}

// SAFETY: the library documents its calls as callable from any thread, one at a time on a connection; `&mut self` and
// `!Sync` give the "one at a time".
unsafe impl Send for RawConnection {}

impl RawConnection {
    /// Opens a connection with these engine arguments (`--path=…`); `None` when the engine refuses.
    pub(super) fn open(api: &'static Api, arguments: &[CString]) -> Option<Self> {
        let pointers: Vec<Text> = arguments.iter().map(|argument| argument.as_ptr()).collect();
        let count = c_int::try_from(pointers.len()).ok()?;
        // SAFETY: `pointers` holds `count` zero-terminated strings that live during the call.
        let outer = NonNull::new(unsafe { (api.connect)(count, pointers.as_ptr()) })?;
        // SAFETY: a non-null answer points to the connection handle.
        if unsafe { *outer.as_ptr() }.is_null() {
            return None;
        }
        Some(Self { api, outer })
    }

    fn inner(&self) -> Connection {
        // SAFETY: `outer` came from `connect` and is closed only in `drop`.
        unsafe { *self.outer.as_ptr() }
    }

    /// Runs a statement to its end and gives its whole output.
    pub(super) fn query(
        &mut self,
        sql: &str,
        format: &str,
        parameters: &[(String, String)],
    ) -> Option<RawResult> {
        self.call(self.api.query, (sql, format), parameters)
    }

    /// Starts a statement whose output is fetched in chunks.
    pub(super) fn stream(
        &mut self,
        sql: &str,
        format: &str,
        parameters: &[(String, String)],
    ) -> Option<RawStream<'_>> {
        let state = self.call(self.api.stream_query, (sql, format), parameters)?;
        Some(RawStream { connection: self, state })
    }

    fn call(
        &self,
        function: QueryWithParams,
        (sql, format): (&str, &str),
        parameters: &[(String, String)],
    ) -> Option<RawResult> {
        let arrays = Parameters::of(parameters);
        // SAFETY: the connection is open; every pointer comes with the length of the buffer it points to, the four
        // arrays have `parameters.len()` elements, and all of them live during the call, which copies them.
        let result = unsafe {
            function(
                self.inner(),
                sql.as_ptr().cast(),
                sql.len(),
                format.as_ptr().cast(),
                format.len(),
                arrays.names.as_ptr(),
                arrays.name_lengths.as_ptr(),
                arrays.values.as_ptr(),
                arrays.value_lengths.as_ptr(),
                parameters.len(),
            )
        };
        NonNull::new(result).map(|handle| RawResult { api: self.api, handle })
    }

    /// Starts an insert; `sql` has no FORMAT clause and no data.
    pub(super) fn insert(
        &mut self,
        sql: &str,
        format: &str,
        parameters: &[(String, String)],
    ) -> Option<RawInsert<'_>> {
        let arrays = Parameters::of(parameters);
        // SAFETY: as in `call`.
        let handle = unsafe {
            (self.api.insert)(
                self.inner(),
                sql.as_ptr().cast(),
                sql.len(),
                format.as_ptr().cast(),
                format.len(),
                arrays.names.as_ptr(),
                arrays.name_lengths.as_ptr(),
                arrays.values.as_ptr(),
                arrays.value_lengths.as_ptr(),
                parameters.len(),
            )
        };
        NonNull::new(handle).map(|handle| RawInsert { connection: self, handle })
    }

    /// What the parser says of a statement: (number of statements, class, flags).
    pub(super) fn classify(&mut self, sql: &str) -> Option<(u32, u32, u32)> {
        let size = u32::try_from(size_of::<Analysis>()).ok()?;
        let mut analysis = Analysis { struct_size: size, statement_count: 0, flags: 0, query_class: 4 };
        // SAFETY: the connection is open, `sql` lives during the call, no target database is given, and `analysis`
        // states its size.
        let state = unsafe {
            (self.api.classify)(
                self.inner(),
                sql.as_ptr().cast(),
                sql.len(),
                std::ptr::null(),
                0,
                &raw mut analysis,
            )
        };
        (state == 0).then_some((analysis.statement_count, analysis.query_class, analysis.flags))
    }
}

impl Drop for RawConnection {
    fn drop(&mut self) {
        // SAFETY: opened once, closed once; streams borrow the connection, so none is left.
        unsafe { (self.api.close_conn)(self.outer.as_ptr()) }
    }
}

/// An owned, immutable result.
#[derive(Debug)]
pub(super) struct RawResult {
    api: &'static Api,
    handle: NonNull<ResultHandle>,
}

// SAFETY: a returned result is not touched by the library any more; it is read through const accessors and freed once,
// which the allocator of the library allows on any thread.
unsafe impl Send for RawResult {}
// SAFETY: as above; nothing changes a result behind a shared reference.
unsafe impl Sync for RawResult {}

impl RawResult {
    /// The exception, if the statement failed.
    pub(super) fn error(&self) -> Option<String> {
        // SAFETY: the handle is alive; the string lives as long as it does and is copied here.
        unsafe { text((self.api.result_error)(self.handle.as_ptr())) }.filter(|message| !message.is_empty())
    }

    /// The output bytes.
    pub(super) fn bytes(&self) -> &[u8] {
        // SAFETY: the handle is alive.
        let (pointer, length) = unsafe {
            ((self.api.result_buffer)(self.handle.as_ptr()), (self.api.result_length)(self.handle.as_ptr()))
        };
        if pointer.is_null() || length == 0 {
            return &[];
        }
        // SAFETY: the library owns `length` bytes at `pointer` until the result is destroyed, which needs `&mut self`.
        unsafe { std::slice::from_raw_parts(pointer, length) }
    }

    /// Counters of the statement so far, of this chunk alone in a stream.
    pub(super) fn progress(&self) -> super::Progress {
        let handle = self.handle.as_ptr();
        // SAFETY: the handle is alive; the accessors only read.
        unsafe {
            super::Progress {
                result_rows: (self.api.result_rows)(handle),
                result_bytes: (self.api.result_bytes)(handle),
                read_rows: (self.api.storage_rows)(handle),
                read_bytes: (self.api.storage_bytes)(handle),
                written_rows: (self.api.written_rows)(handle),
                written_bytes: (self.api.written_bytes)(handle),
            }
        }
    }
}

impl AsRef<[u8]> for RawResult {
    fn as_ref(&self) -> &[u8] {
        self.bytes()
    }
}

impl Drop for RawResult {
    fn drop(&mut self) {
        // SAFETY: the only owner frees it once.
        unsafe { (self.api.destroy_result)(self.handle.as_ptr()) }
    }
}

/// A running streamed statement; cancelled if dropped before its end.
#[derive(Debug)]
pub(super) struct RawStream<'c> {
    connection: &'c mut RawConnection,
    state: RawResult,
}

impl RawStream<'_> {
    /// The exception, if the statement could not start.
    pub(super) fn error(&self) -> Option<String> {
        self.state.error()
    }

    /// The next chunk; empty at the end.
    pub(super) fn fetch(&mut self) -> Option<RawResult> {
        let api = self.connection.api;
        // SAFETY: connection and stream are alive and exclusively borrowed; fetching past the end is defined.
        let result = unsafe { (api.stream_fetch)(self.connection.inner(), self.state.handle.as_ptr()) };
        NonNull::new(result).map(|handle| RawResult { api, handle })
    }

    /// Stops the statement.
    pub(super) fn cancel(&mut self) {
        // SAFETY: connection and stream are alive and exclusively borrowed.
        unsafe { (self.connection.api.stream_cancel)(self.connection.inner(), self.state.handle.as_ptr()) }
    }
}

/// A running insert; cancelled if dropped before `done`.
#[derive(Debug)]
pub(super) struct RawInsert<'c> {
    connection: &'c mut RawConnection,
    handle: NonNull<InsertHandle>,
}

impl RawInsert<'_> {
    /// The exception, if the insert failed.
    pub(super) fn error(&self) -> Option<String> {
        // SAFETY: the handle is alive; the string is copied.
        unsafe { text((self.connection.api.insert_error)(self.handle.as_ptr())) }
            .filter(|message| !message.is_empty())
    }

    /// Hands over one piece of data, blocking while the engine is behind; false when the insert has failed.
    pub(super) fn append(&mut self, data: &[u8]) -> bool {
        // SAFETY: the handle is alive and exclusively borrowed; the bytes are copied during the call.
        unsafe {
            (self.connection.api.insert_append)(self.handle.as_ptr(), data.as_ptr().cast(), data.len()) == 0
        }
    }

    /// Says that the data are complete and waits until they are stored.
    pub(super) fn done(self) -> Option<RawResult> {
        let api = self.connection.api;
        // SAFETY: the handle is alive; it is destroyed afterwards by `drop`.
        let result = unsafe { (api.insert_done)(self.handle.as_ptr()) };
        NonNull::new(result).map(|handle| RawResult { api, handle })
    }

    /// Gives the insert up.
    pub(super) fn cancel(self) {
        // SAFETY: the handle is alive; it is destroyed afterwards by `drop`.
        unsafe { (self.connection.api.insert_cancel)(self.handle.as_ptr()) }
    }
}

impl Drop for RawInsert<'_> {
    fn drop(&mut self) {
        // SAFETY: destroyed once; the library cancels an insert that was not finished.
        unsafe { (self.connection.api.insert_destroy)(self.handle.as_ptr()) }
    }
}

unsafe extern "C" {
    // SAFETY: `_exit` takes any integer and does not return.
    safe fn _exit(code: c_int) -> !;
}

/// Ends the process at once, without running anything of the library's that would run at exit.
pub(super) fn exit(code: i32) -> ! {
    _exit(code)
}

/// From now on an ordinary end of the process is one at once, with the same code: what the library registered earlier
/// to run at exit does not run. What is registered at exit runs last to first, so call this after the library set up.
#[cfg(target_env = "gnu")]
pub(super) fn leave_without_teardown() {
    extern "C" fn leave(code: c_int, _unused: *mut c_void) {
        _exit(code)
    }
    unsafe extern "C" {
        fn on_exit(run: extern "C" fn(c_int, *mut c_void), argument: *mut c_void) -> c_int;
    }
    // SAFETY: the function is static, takes what glibc passes, does not unwind and ignores its argument. A refusal (no
    // memory) leaves the exit as it was.
    unsafe { on_exit(leave, std::ptr::null_mut()) };
}

/// Elsewhere than with glibc the exit code cannot be had: such a process leaves through [`exit`] or takes its chances.
#[cfg(not(target_env = "gnu"))]
pub(super) fn leave_without_teardown() {}
