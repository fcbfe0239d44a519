//! Rows of a file gathered into request bodies, each with a key that the same file gives again.

use std::fs::File;
use std::io::{self, Read};
use std::ops::ControlFlow;

use bytes::Bytes;
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;
use windvane_types::hex;

use super::mapping::Mapping;
use super::record::{self, Deployment, Row};
use super::source::{At, Item, Source, SourceError};

/// Bytes of one body; far below what the collector takes, so that wide rows make smaller batches and no 413.
const BODY_BYTES_MAX: usize = 4 * 1024 * 1024;

/// How files become requests.
#[derive(Debug)]
pub struct Plan {
    pub deployment: Deployment,
    pub rows_max: usize,
}

/// What the reader hands over, in the order of the file.
#[derive(Debug)]
pub enum Message {
    Batch(Batch),
    /// A row that is in no batch.
    Bad {
        file: usize,
        number: u64,
        problem: String,
    },
}

/// The bodies of two requests.
#[derive(Debug)]
pub struct Batch {
    /// Which file, from 0.
    pub file: usize,
    /// The idempotency key: the same file, read the same way, gives the same.
    pub key: String,
    /// NDJSON for `/v1/predictions`.
    pub predictions: Bytes,
    /// The number in the file of each record of `predictions`.
    pub numbers: Vec<u64>,
    /// NDJSON for `/v1/outcomes`.
    pub outcomes: Bytes,
    /// The number in the file of each record of `outcomes`.
    pub outcome_numbers: Vec<u64>,
    /// How much of the file is read behind it.
    pub bytes: u64,
}

/// Reads a file and sends its batches, until the receiver goes away.
///
/// # Errors
/// The file cannot be read any further.
pub fn read(
    plan: &Plan,
    file: usize,
    (source, mapping): (Source, Mapping),
    sender: &mpsc::Sender<Message>,
) -> Result<(), SourceError> {
    let hash = hash(&source)?;
    let mut reader = Reader { plan, file, hash, mapping, sender, open: Open::default(), batches: 0 };
    let mut stopped = false;
    source.read(&mut |item| {
        let flow = reader.take(item);
        stopped = flow.is_break();
        flow
    })?;
    if !stopped {
        let _ = reader.flush();
    }
    Ok(())
}

/// The SHA-256 of a file, in hex.
fn hash(source: &Source) -> Result<String, SourceError> {
    let io = |error| SourceError::Io { path: source.path().to_owned(), source: error };
    let mut file = File::open(source.path()).map_err(io)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(hex::encode(&hasher.finalize())),
            Ok(n) => hasher.update(&buffer[..n]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(io(error)),
        }
    }
}

/// The batch that is being gathered.
#[derive(Debug, Default)]
struct Open {
    predictions: Vec<u8>,
    numbers: Vec<u64>,
    outcomes: Vec<u8>,
    outcome_numbers: Vec<u64>,
    bytes: u64,
}

struct Reader<'a> {
    plan: &'a Plan,
    file: usize,
    hash: String,
    mapping: Mapping,
    sender: &'a mpsc::Sender<Message>,
    open: Open,
    batches: u64,
}

impl Reader<'_> {
    fn take(&mut self, item: Item<'_>) -> ControlFlow<()> {
        let (columns, cells, at) = match item {
            Item::Bad { at, problem } => return self.bad(at, problem),
            Item::Row { columns, cells, at } => (columns, cells, at),
        };
        self.mapping.extend(columns);
        // Part of the file's hash and the row: another file never makes the same id, the same file always does.
        let made_id = format!("{}-{}", &self.hash[..16], at.number);
        let row = Row { columns, mapping: &self.mapping, cells, made_id: &made_id };
        let lines = match record::lines(&self.plan.deployment, row) {
            Ok(lines) => lines,
            Err(problem) => return self.bad(at, problem),
        };
        let open = &mut self.open;
        open.predictions.extend_from_slice(lines.prediction.as_bytes());
        open.predictions.push(b'\n');
        open.numbers.push(at.number);
        if let Some(outcome) = lines.outcome {
            open.outcomes.extend_from_slice(outcome.as_bytes());
            open.outcomes.push(b'\n');
            open.outcome_numbers.push(at.number);
        }
        open.bytes = at.bytes;
        match open.numbers.len() >= self.plan.rows_max || open.predictions.len() >= BODY_BYTES_MAX {
            true => self.flush(),
            false => ControlFlow::Continue(()),
        }
    }

    fn bad(&mut self, at: At, problem: String) -> ControlFlow<()> {
        self.send(Message::Bad { file: self.file, number: at.number, problem })
    }

    fn flush(&mut self) -> ControlFlow<()> {
        let open = std::mem::take(&mut self.open);
        if open.numbers.is_empty() {
            return ControlFlow::Continue(());
        }
        // The bodies are part of the key: the same file read with other flags holds other events, and must be stored.
        let mut hasher = Sha256::new();
        hasher.update(&self.hash);
        hasher.update(self.batches.to_le_bytes());
        hasher.update(&open.predictions);
        hasher.update(&open.outcomes);
        let key = format!("ingest-{}", &hex::encode(&hasher.finalize())[..40]);
        self.batches += 1;
        self.send(Message::Batch(Batch {
            file: self.file,
            key,
            predictions: open.predictions.into(),
            numbers: open.numbers,
            outcomes: open.outcomes.into(),
            outcome_numbers: open.outcome_numbers,
            bytes: open.bytes,
        }))
    }

    fn send(&self, message: Message) -> ControlFlow<()> {
        match self.sender.blocking_send(message) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        }
    }
}
