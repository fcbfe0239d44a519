//! A statement that answers: streamed where the format allows, else through a file.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};

use super::job::{Context, Statement};
use super::reply::{Finished, Reply};
use super::statement::Shape;
use super::status::{code, exception};
use super::stitch::{Joint, Stitcher};
use crate::chdb::{Connection, EngineError, Exception, Output, Progress, QueryStream};
use crate::local::quote;

/// Results held back (`wait_end_of_query`) stay in memory up to this size and go to a file beyond.
const HELD_BYTES_MAX: usize = 8 << 20;
/// The largest result that may go through a file.
const SPILL_BYTES_MAX: u64 = 16 << 30;
/// Piece in which a file is sent.
const PIECE_BYTES: usize = 512 << 10;

/// Runs the statement and answers.
pub(super) fn run(
    context: &Context,
    connection: &mut Connection,
    statement: &Statement,
    reply: Reply,
) -> Finished {
    let query = Query::of(context, statement);
    if !query.streams {
        return all_at_once(context, connection, &query, reply);
    }
    if query.joint == Joint::Whole {
        return through_file(context, connection, &query, reply);
    }
    streamed(context, connection, &query, reply)
}

/// A statement ready to run.
struct Query<'s> {
    /// The text without a closing semicolon.
    sql: &'s str,
    /// Where its FORMAT clause begins.
    format_at: Option<usize>,
    format: String,
    joint: Joint,
    /// Whether it is a SELECT, which alone can be streamed.
    streams: bool,
}

impl<'s> Query<'s> {
    fn of(context: &Context, statement: &'s Statement) -> Self {
        let text = statement.text.as_str();
        let asked = || context.request.format.clone().unwrap_or_else(|| "TabSeparated".to_owned());
        let Shape::Query { format, end, select, totals, .. } = &statement.shape else {
            return Self { sql: text, format_at: None, format: asked(), joint: Joint::Whole, streams: false };
        };
        let format_at = format.as_ref().map(|(at, _)| *at);
        let name = format.as_ref().map_or_else(asked, |(_, name)| name.clone());
        let changes = |setting: &str| context.request.settings.iter().any(|(name, _)| name == setting);
        // Totals, extremes and an array of rows come once for the whole result.
        let joint = if *totals || changes("extremes") || changes("output_format_json_array_of_rows") {
            Joint::Whole
        } else {
            Joint::of(&name)
        };
        Self { sql: text.get(..*end).unwrap_or(text), format_at, format: name, joint, streams: *select }
    }
}

fn failed(reply: Reply, error: EngineError) -> Finished {
    reply.fail(&error.into_exception())
}

/// DDL, SHOW, EXPLAIN and the like: small results.
fn all_at_once(context: &Context, connection: &mut Connection, query: &Query, reply: Reply) -> Finished {
    match connection.query(query.sql, &query.format, &context.request.parameters) {
        Ok(output) => reply.send(&query.format, output.bytes(), &output.progress()),
        Err(error) => failed(reply, error),
    }
}

fn add(total: &mut Progress, chunk: &Output) {
    let progress = chunk.progress();
    total.result_rows += progress.result_rows;
    total.result_bytes += progress.result_bytes;
    total.read_rows += progress.read_rows;
    total.read_bytes += progress.read_bytes;
}

fn streamed(context: &Context, connection: &mut Connection, query: &Query, reply: Reply) -> Finished {
    match connection.stream(query.sql, &query.format, &context.request.parameters) {
        Ok(stream) => return fetched(context, query, stream, reply),
        // `WITH … INSERT` and the like.
        Err(EngineError::Exception(error))
            if error.code == code::BAD_ARGUMENTS && error.message.starts_with("Streaming query") => {}
        Err(error) => return failed(reply, error),
    }
    all_at_once(context, connection, query, reply)
}

fn fetched(context: &Context, query: &Query, mut stream: QueryStream<'_>, reply: Reply) -> Finished {
    // With two chunks in hand a small result is known whole, with its counters and without an error behind it.
    let mut two = || Ok::<_, EngineError>((stream.next_chunk()?, stream.next_chunk()?));
    let (first, second) = match two() {
        Ok(two) => two,
        Err(error) => return failed(reply, error),
    };
    let mut total = Progress::default();
    [&first, &second].into_iter().flatten().for_each(|chunk| add(&mut total, chunk));
    let Some(second) = second else {
        let bytes = first.as_ref().map_or(&[] as &[u8], Output::bytes);
        return reply.send(&query.format, bytes, &total);
    };
    let ready = [first, Some(second)].into_iter().flatten().collect();
    let chunks = Chunks { context, query, stream, ready, stitcher: Stitcher::new(query.joint), total };
    if context.request.wait_end { chunks.held(reply) } else { chunks.sent(reply) }
}

/// A result under way.
struct Chunks<'c> {
    context: &'c Context<'c>,
    query: &'c Query<'c>,
    stream: QueryStream<'c>,
    /// Chunks that were fetched already.
    ready: VecDeque<Output>,
    stitcher: Stitcher,
    total: Progress,
}

impl Chunks<'_> {
    fn fetch(&mut self) -> Result<Option<Output>, Exception> {
        if let Some(chunk) = self.ready.pop_front() {
            return Ok(Some(chunk));
        }
        if self.context.running.is_cancelled() {
            return Err(exception(code::QUERY_WAS_CANCELLED, "Query was cancelled."));
        }
        let chunk = self.stream.next_chunk().map_err(EngineError::into_exception)?;
        if let Some(chunk) = &chunk {
            add(&mut self.total, chunk);
        }
        Ok(chunk)
    }

    /// The next piece of the joined result.
    fn next_piece(&mut self) -> Result<Option<Piece>, Exception> {
        let Some(chunk) = self.fetch()? else { return Ok(None) };
        let skip = self.stitcher.skip(chunk.bytes()).map_err(|_| {
            exception(
                code::UNKNOWN_EXCEPTION,
                "The engine changed the header of the result between two chunks.",
            )
        })?;
        Ok(Some(Piece { chunk, skip }))
    }

    /// Sends chunk by chunk.
    fn sent(mut self, reply: Reply) -> Finished {
        let mut answer = match reply.start(&self.query.format, &self.total) {
            Ok(answer) => answer,
            Err(finished) => return finished,
        };
        loop {
            match self.next_piece() {
                Ok(Some(piece)) => {
                    if answer.write(piece.bytes()).is_err() {
                        return Finished::unread();
                    }
                }
                Ok(None) => return answer.finish(),
                Err(error) => return answer.fail(&error),
            }
        }
    }

    /// Holds the result back until the statement has ended.
    fn held(mut self, reply: Reply) -> Finished {
        let mut held = tempfile::SpooledTempFile::new_in(HELD_BYTES_MAX, &self.context.shared.spill_dir);
        match self.hold(&mut held) {
            Ok(()) => send_file(&mut held, (self.query, &self.total), reply),
            Err(error) => reply.fail(&error),
        }
    }

    fn hold(&mut self, held: &mut impl Write) -> Result<(), Exception> {
        let mut bytes = 0_u64;
        while let Some(piece) = self.next_piece()? {
            bytes += piece.bytes().len() as u64;
            if bytes > SPILL_BYTES_MAX {
                let message = format!("Limit for a held result exceeded: {SPILL_BYTES_MAX} bytes.");
                return Err(exception(code::TOO_MANY_ROWS_OR_BYTES, message));
            }
            held.write_all(piece.bytes()).map_err(|error| disk(&error))?;
        }
        Ok(())
    }
}

/// A chunk without its repeated header.
struct Piece {
    chunk: Output,
    skip: usize,
}

impl Piece {
    fn bytes(&self) -> &[u8] {
        &self.chunk.bytes()[self.skip..]
    }
}

fn disk(error: &std::io::Error) -> Exception {
    exception(code::UNKNOWN_EXCEPTION, format!("Cannot keep the result in a temporary file: {error}."))
}

/// Formats that make sense only whole: the engine writes the result into a file of ours.
fn through_file(context: &Context, connection: &mut Connection, query: &Query, reply: Reply) -> Finished {
    let path = context.shared.spill_dir.join(uuid::Uuid::new_v4().simple().to_string());
    let Some(target) = path.to_str() else {
        return reply.fail(&exception(code::UNKNOWN_EXCEPTION, "The data folder's name is not UTF-8."));
    };
    let cut = query.format_at.unwrap_or(query.sql.len());
    let (select, clause) = query.sql.split_at(cut.min(query.sql.len()));
    let format = if clause.is_empty() { format!("FORMAT {}", query.format) } else { clause.to_owned() };
    let sql = format!("{select}\nINTO OUTFILE {}\n{format}", quote(target));
    let outcome = connection.query(&sql, &query.format, &context.request.parameters);
    let file = File::open(&path);
    // The open file lives on without its name.
    let _ = std::fs::remove_file(&path);
    let progress = match outcome {
        Ok(output) => output.progress(),
        Err(error) => return failed(reply, error),
    };
    match file {
        Ok(mut file) => send_file(&mut file, (query, &progress), reply),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            reply.send(&query.format, &[], &progress)
        }
        Err(error) => reply.fail(&disk(&error)),
    }
}

fn send_file(file: &mut (impl Read + Seek), (query, total): (&Query, &Progress), reply: Reply) -> Finished {
    let mut piece = vec![0; PIECE_BYTES];
    let begin = file.seek(SeekFrom::Start(0)).and_then(|_| fill(file, &mut piece));
    let mut count = match begin {
        Ok(count) => count,
        Err(error) => return reply.fail(&disk(&error)),
    };
    if count < PIECE_BYTES {
        return reply.send(&query.format, &piece[..count], total);
    }
    let mut answer = match reply.start(&query.format, total) {
        Ok(answer) => answer,
        Err(finished) => return finished,
    };
    while count > 0 {
        if answer.write(&piece[..count]).is_err() {
            return Finished::unread();
        }
        count = match fill(file, &mut piece) {
            Ok(count) => count,
            Err(error) => return answer.fail(&disk(&error)),
        };
    }
    answer.finish()
}

fn fill(file: &mut impl Read, piece: &mut [u8]) -> std::io::Result<usize> {
    let mut filled = 0;
    while filled < piece.len() {
        match file.read(&mut piece[filled..])? {
            0 => break,
            count => filled += count,
        }
    }
    Ok(filled)
}
