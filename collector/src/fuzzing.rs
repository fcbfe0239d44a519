//! The decoders as one function each over bytes from outside, for fuzz targets; each tells or panics where an invariant is broken.

use bytes::Bytes;
use serde_json::json;
use uuid::Uuid;
use windvane_store::{Table, read_rows};
use windvane_types::event::{Kind, Limits};

use crate::admission::Caller;
use crate::decode::{ContentEncoding, Context, Format, IdMaker, decode_batch, decompress};
use crate::door::Door;
use crate::kserve::{Attributes, JSON_LENGTH, Joiner, Mode, events, take};
use crate::limits::{NameLimits, Names, Words};
use crate::otlp::{self, Encoding, Intake, Prices, Signal};
use crate::redact::Redaction;
use crate::spool::walk_segment;

const BODY_BYTES_MAX: usize = 1 << 20;
/// When each body arrives.
const NOW_US: i64 = 1_700_000_000_000_000;

/// Decodes a body as events of a kind; how many were accepted.
///
/// # Errors
/// What is accepted is not as many whole rows as the answer says.
pub fn body(kind: Kind, body: &Bytes) -> Result<u64, String> {
    decoded(kind, body, Format::Unsaid)
}

/// As [`body`], for Arrow IPC streams and files.
///
/// # Errors
/// What is accepted is not as many whole rows as the answer says.
pub fn arrow(kind: Kind, body: &Bytes) -> Result<u64, String> {
    decoded(kind, body, Format::Arrow)
}

fn decoded(kind: Kind, body: &Bytes, format: Format) -> Result<u64, String> {
    let (limits, ids, caller) = (Limits::default(), IdMaker::new(Uuid::nil()), Caller::default());
    let (redaction, bounds) = (Redaction::default(), NameLimits::default());
    let (names, words) = (Names::new(bounds), Words::new(bounds));
    let context = Context {
        limits: &limits,
        ids: &ids,
        body_bytes_max: BODY_BYTES_MAX,
        now_us: NOW_US,
        caller: &caller,
        door: Door { redaction: &redaction, names: &names, words: &words },
    };
    let batch = decode_batch(kind, body, format, &context);
    if batch.too_large.is_some() {
        return Ok(0);
    }
    let table = Table::from_name(kind.plural()).ok_or("a kind has a table")?;
    let rows = whole_rows(table, &batch.rows)?;
    match rows == u64::from(batch.accepted) && batch.records() > 0 {
        true => Ok(u64::from(batch.accepted)),
        false => Err(format!("{rows} rows, {} accepted of {}", batch.accepted, batch.records())),
    }
}

fn whole_rows(table: Table, rows: &[u8]) -> Result<u64, String> {
    let columns = table.columns(table.layout()).ok_or("a table has its own layout")?;
    let rows = read_rows(columns, rows).map_err(|error| format!("{table}: {error}"))?;
    Ok(rows.len() as u64)
}

/// Reads a message as each signal of OpenTelemetry's protocol, in both encodings; how many rows came of it.
///
/// # Errors
/// What is taken is not whole rows, or something was refused without a word why.
pub fn otlp(message: &[u8]) -> Result<u64, String> {
    let mut rows = 0;
    for signal in Signal::ALL {
        for encoding in [Encoding::Protobuf, Encoding::Json] {
            let intake = with_context(|context| otlp::rows(signal, message, encoding, context));
            if let Ok(intake) = intake {
                rows += rows_of(&intake).map_err(|why| format!("{signal:?}, {encoding:?}: {why}"))?;
            }
        }
    }
    Ok(rows)
}

/// Takes a body as CloudEvents in all their modes; how many rows came of them.
///
/// # Errors
/// An event was neither accepted nor rejected, or what is taken is not whole rows.
pub fn cloudevents(body: &[u8]) -> Result<u64, String> {
    let joiner = Joiner::default();
    let modes = [
        (Mode::Structured, Attributes::new()),
        (Mode::Batch, Attributes::new()),
        (Mode::Binary, logged("request")),
        (Mode::Binary, logged("response")),
    ];
    let mut rows = 0;
    for (mode, headers) in modes {
        rows += events_taken(mode, headers, (body, &joiner))?.0;
    }
    Ok(rows)
}

/// Takes a body as the data of an event with binary tensors. The first two bytes are the length of its JSON, the lower one first.
///
/// # Errors
/// As of [`cloudevents`], or other rows came of it where the length was said than where it was found.
pub fn binary_tensors(bytes: &[u8]) -> Result<u64, String> {
    let Some((length, body)) = bytes.split_first_chunk::<2>() else { return Ok(0) };
    let length = u16::from_le_bytes(*length);
    let mut rows = 0;
    for side in ["request", "response"] {
        let mut told = logged(side);
        told.insert(JSON_LENGTH[0].to_owned(), json!(length.to_string()));
        let (of_told, told_refused) = events_taken(Mode::Binary, told, (body, &Joiner::default()))?;
        let (of_found, found_refused) = events_taken(Mode::Binary, logged(side), (body, &Joiner::default()))?;
        if told_refused + found_refused == 0 && of_told != of_found {
            return Err(format!(
                "{side}: {of_told} rows where the length is {length}, {of_found} where it is found"
            ));
        }
        rows += of_told;
    }
    Ok(rows)
}

/// The rows that came of the events of a body, and the events that were refused.
fn events_taken(
    mode: Mode,
    headers: Attributes,
    (body, joiner): (&[u8], &Joiner),
) -> Result<(u64, u64), String> {
    let events = events(mode, headers, body);
    let came = events.len() as u64;
    let logged = with_context(|context| take(events, joiner, context));
    if logged.accepted + logged.refused != came {
        let (accepted, refused) = (logged.accepted, logged.refused);
        return Err(format!("{mode:?}: {accepted} accepted, {refused} refused of {came}"));
    }
    let rows = rows_of(&logged.intake).map_err(|why| format!("{mode:?}: {why}"))?;
    Ok((rows, logged.refused))
}

/// Headers of an event whose data is the body.
fn logged(side: &str) -> Attributes {
    let kind = format!("org.kubeflow.serving.inference.{side}");
    [("type", kind.as_str()), ("id", "r1"), ("inferenceservicename", "m"), ("time", "2023-11-14T22:13:20Z")]
        .map(|(name, value)| (name.to_owned(), json!(value)))
        .into_iter()
        .collect()
}

fn with_context<T>(run: impl FnOnce(&otlp::Context<'_>) -> T) -> T {
    let (limits, ids, prices) = (Limits::default(), IdMaker::new(Uuid::nil()), Prices::default());
    let (redaction, bounds) = (Redaction::default(), NameLimits::default());
    let (names, words) = (Names::new(bounds), Words::new(bounds));
    let door = Door { redaction: &redaction, names: &names, words: &words };
    let body_bytes_max = BODY_BYTES_MAX;
    run(&otlp::Context { door, limits: &limits, ids: &ids, prices: &prices, body_bytes_max, now_us: NOW_US })
}

/// The rows of all tables, which are whole; and what was refused has its reason.
fn rows_of(intake: &Intake) -> Result<u64, String> {
    let mut rows = 0;
    for part in &intake.parts {
        let whole = whole_rows(part.table, &part.bytes)?;
        if whole != u64::from(part.rows) {
            return Err(format!("{}: {whole} rows of {}", part.table, part.rows));
        }
        rows += whole;
    }
    let refused =
        intake.rejected + intake.parts.iter().map(|part| part.records() - u64::from(part.rows)).sum::<u64>();
    if refused > 0 && intake.why.is_none() {
        return Err(format!("{refused} are refused without a word why"));
    }
    Ok(rows)
}

/// Takes both compressions off a body.
///
/// # Panics
/// It is longer than the bound then.
pub fn compressed(body: &Bytes) {
    for encoding in [ContentEncoding::Gzip, ContentEncoding::Zstd] {
        if let Ok(unpacked) = decompress(body.clone(), encoding, BODY_BYTES_MAX) {
            assert!(unpacked.len() <= BODY_BYTES_MAX);
        }
    }
}

/// Walks over a segment file as a start does.
///
/// # Panics
/// The records and the damage between them are not all of its bytes.
pub fn segment(bytes: &[u8]) {
    assert_eq!(walk_segment(bytes), bytes.len() as u64);
}

/// A segment file with these bodies as frames.
#[must_use]
pub fn segment_of(bodies: &[&[u8]]) -> Vec<u8> {
    crate::spool::segment_of(bodies)
}
