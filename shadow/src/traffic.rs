//! Recorded traffic: what models were asked, read chunk by chunk from a file or a folder.
//!
//! One row is one request. What a model takes is found by name; what else is wanted of a row (its outcome, the segment it
//! belongs to, when it was asked) comes beside it as words.

mod convert;
mod error;
mod npy;
mod npz;
mod requests;
pub(crate) mod sample;
mod skipped;
mod table;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, sync_channel};

pub use error::TrafficError;
pub use requests::{Input, Request, WantedOutput, element, named};
pub use sample::Sample;
pub use skipped::{Skipped, SkippedBy};

use crate::batch::Batch;
use crate::tensor::{Element, Values};

/// Bytes of inputs that a chunk holds, unless a single row is larger.
const CHUNK_BYTES: usize = 8 << 20;
/// Rows of a chunk: few enough that champion and candidate take turns often, so that both see the same machine.
pub const CHUNK_ROWS: usize = 256;
/// What is wrong with a column whose rows have shapes with an extent of 0; the runtime takes no such tensors.
const NO_ELEMENTS: &str = "has rows without elements; one or more are taken";
/// Chunks that wait to be asked.
const CHUNKS_AHEAD: usize = 2;

/// What is wanted of each request.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Inputs of the models, with the element type that the first of them declares and how it declares them.
    pub inputs: BTreeMap<String, (Element, String)>,
    /// Further columns, as words.
    pub extras: BTreeSet<String>,
}

impl Wanted {
    /// Everything that is wanted, each name once.
    fn names(&self) -> impl Iterator<Item = &str> {
        let more = self.extras.iter().filter(|name| !self.inputs.contains_key(*name));
        self.inputs.keys().chain(more).map(String::as_str)
    }

    fn is_input(&self, name: &str) -> bool {
        self.inputs.contains_key(name)
    }
}

/// Some requests in a row.
#[derive(Debug, Default)]
pub struct Chunk {
    /// The number of the first, from 0, in the traffic as it is recorded.
    pub first: u64,
    /// How many.
    pub requests: usize,
    /// The number of each, in order; empty where they follow one another from the first.
    pub numbers: Vec<u64>,
    /// What each is called; empty where they have no names.
    pub names: Vec<String>,
    /// Their inputs: the rows of one batch after the other are the requests.
    pub batches: Vec<Batch>,
    /// Further columns by name, a word a request; `None` where it is missing.
    pub extras: BTreeMap<String, Vec<Option<String>>>,
    /// Requests among them that cannot be asked.
    pub skipped: Vec<Skipped>,
    /// Whether each request is a batch of its own that brings its types and shapes.
    pub is_single: bool,
}

/// Recorded traffic that was found and can be read.
#[derive(Debug)]
pub struct Traffic {
    path: PathBuf,
    source: Source,
}

#[derive(Debug)]
enum Source {
    Npz(npz::Npz),
    Table(table::Table),
    Requests(requests::Folder),
}

impl Traffic {
    /// Looks at a file or folder; its format is told by its content and its name.
    ///
    /// # Errors
    /// [`TrafficError`] if it cannot be read, is broken, or is no traffic.
    pub fn open(path: &Path) -> Result<Self, TrafficError> {
        let io = |source| TrafficError::Io { path: path.to_owned(), source };
        if std::fs::metadata(path).map_err(io)?.is_dir() {
            let source = Source::Requests(requests::Folder::open(path)?);
            return Ok(Self { path: path.to_owned(), source });
        }
        let mut head = Vec::new();
        File::open(path).map_err(io)?.take(8).read_to_end(&mut head).map_err(io)?;
        let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        let source = match (head.as_slice(), extension.to_ascii_lowercase().as_str()) {
            ([b'P', b'K', 3 | 5, 4 | 6, ..], _) | (_, "npz") => Source::Npz(npz::Npz::open(path)?),
            (_, _) => match table::Format::of(&head, extension) {
                Some(format) => Source::Table(table::Table::open(path, format)?),
                None => return Err(TrafficError::Unknown { path: path.to_owned() }),
            },
        };
        Ok(Self { path: path.to_owned(), source })
    }

    /// What is in it, in words.
    pub fn describe(&self) -> String {
        match &self.source {
            Source::Npz(npz) => npz.describe(),
            Source::Table(table) => table.describe(),
            Source::Requests(folder) => folder.describe(),
        }
    }

    /// Whether it has an array, column or input of this name.
    pub fn has(&self, name: &str) -> bool {
        match &self.source {
            Source::Npz(npz) => npz.has(name),
            Source::Table(table) => table.has(name),
            Source::Requests(folder) => folder.has(name),
        }
    }

    /// How many requests it holds.
    ///
    /// # Errors
    /// The wanted arrays have different lengths, or one cannot be read.
    pub fn rows(&self, wanted: &Wanted) -> Result<u64, TrafficError> {
        match &self.source {
            Source::Npz(npz) => npz.rows(wanted),
            Source::Table(table) => Ok(table.rows()),
            Source::Requests(folder) => Ok(folder.rows()),
        }
    }

    /// Whether everything that is wanted is there.
    ///
    /// # Errors
    /// [`TrafficError::Missing`] shows what is wanted by whom, and what is there.
    pub fn check(&self, wanted: &Wanted) -> Result<(), TrafficError> {
        let taker = |name: &str| match wanted.inputs.get(name) {
            Some((_, declared)) => declared.clone(),
            None => "the command line or the policy".to_owned(),
        };
        match wanted.names().find(|name| !self.has(name)) {
            None => Ok(()),
            Some(name) => Err(TrafficError::Missing {
                path: self.path.clone(),
                name: name.to_owned(),
                taker: taker(name),
                given: self.describe(),
            }),
        }
    }

    /// Reads chunks in a thread of its own, a few ahead of whoever takes them. The thread ends with the traffic, at an error, or
    /// when nobody takes chunks any more.
    ///
    /// # Errors
    /// The arrays, columns or inputs that are wanted cannot be read.
    pub fn read(
        self,
        wanted: Wanted,
        picked: Option<Vec<u64>>,
    ) -> Result<Receiver<Result<Chunk, TrafficError>>, TrafficError> {
        self.check(&wanted)?;
        let mut reader = match self.source {
            Source::Npz(npz) => Reader::Npz(npz.reader(wanted)?),
            Source::Table(table) => Reader::Table(table.reader(wanted)?),
            Source::Requests(folder) => Reader::Requests(folder.reader(wanted)),
        };
        let mut picks = sample::Picks::new(picked);
        let (send, receive) = sync_channel(CHUNKS_AHEAD);
        std::thread::spawn(move || {
            while let Some(chunk) = reader.next(CHUNK_ROWS) {
                let chunk = chunk.and_then(|chunk| picks.of(chunk));
                let failed = chunk.is_err();
                let empty = matches!(&chunk, Ok(chunk) if chunk.requests == 0 && chunk.skipped.is_empty());
                if failed || !empty {
                    let gone = send.send(chunk).is_err();
                    if gone || failed {
                        break;
                    }
                }
            }
        });
        Ok(receive)
    }
}

enum Reader {
    Npz(npz::Reader),
    Table(table::Reader),
    Requests(requests::Reader),
}

impl Reader {
    fn next(&mut self, most: usize) -> Option<Result<Chunk, TrafficError>> {
        match self {
            Self::Npz(reader) => reader.next(most),
            Self::Table(reader) => reader.next(most),
            Self::Requests(reader) => reader.next(most),
        }
    }
}

/// The first element of each row as a word; a text without letters and a number that is none are missing.
fn extras(values: &Values, rows: usize) -> Vec<Option<String>> {
    let width = values.len().checked_div(rows).unwrap_or(0);
    let missing = |row: usize| values.number(row * width).is_some_and(f64::is_nan);
    let word = |row: usize| {
        if width == 0 || missing(row) {
            None
        } else {
            values.word(row * width).filter(|word| !word.is_empty())
        }
    };
    (0..rows).map(word).collect()
}
