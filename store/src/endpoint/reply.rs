//! The answer: its head, and its body from the blocking worker to the connection.

use std::convert::Infallible;
use std::io::{self, Write};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::response::Builder;
use http::{HeaderValue, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Frame};
use tokio::sync::{mpsc, oneshot};

use super::encoding::{Encoder, Encoding};
use super::status::{code, exception, status};
use crate::chdb::{Exception, Progress};

/// Chunks in flight between the worker and the connection; a chunk of the engine is 0.6 MB.
const PARTS_MAX: usize = 4;
/// How long the connection has to send what it holds before a failed answer is cut off.
const CUT_DELAY: Duration = Duration::from_millis(100);
/// How long an idle connection is kept; told to clients in `Keep-Alive`.
pub(super) const KEEP_ALIVE: Duration = Duration::from_secs(10);

/// The body of every answer.
pub(super) type AnswerBody = UnsyncBoxBody<Bytes, io::Error>;

/// A body that is there at once.
pub(super) fn whole(bytes: impl Into<Bytes>) -> AnswerBody {
    Full::new(bytes.into()).map_err(|never: Infallible| match never {}).boxed_unsync()
}

/// What all answers of a request have in common.
#[derive(Debug, Clone)]
pub(super) struct Common {
    pub(super) query_id: String,
    pub(super) encoding: Encoding,
    pub(super) tag: String,
    pub(super) timezone: String,
    pub(super) version: String,
    pub(super) started: Instant,
}

impl Common {
    fn builder(&self) -> Builder {
        let header = |text: &str| HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static(""));
        Response::builder()
            .header("X-ClickHouse-Server-Display-Name", "windvane")
            .header("X-ClickHouse-Query-Id", header(&self.query_id))
            .header("X-ClickHouse-Timezone", header(&self.timezone))
            .header("X-ClickHouse-Exception-Tag", header(&self.tag))
            .header("Keep-Alive", format!("timeout={}", KEEP_ALIVE.as_secs()))
    }

    fn summary(&self, progress: &Progress) -> String {
        format!(
            "{{\"read_rows\":\"{}\",\"read_bytes\":\"{}\",\"written_rows\":\"{}\",\"written_bytes\":\"{}\",\
             \"total_rows_to_read\":\"0\",\"result_rows\":\"{}\",\"result_bytes\":\"{}\",\"elapsed_ns\":\"{}\"}}",
            progress.read_rows,
            progress.read_bytes,
            progress.written_rows,
            progress.written_bytes,
            progress.result_rows,
            progress.result_bytes,
            self.started.elapsed().as_nanos()
        )
    }

    /// The answer to a statement that failed before anything was sent.
    pub(super) fn failure(&self, failed: &Exception) -> Response<AnswerBody> {
        let mut builder = self
            .builder()
            .status(status(failed.code))
            .header("X-ClickHouse-Exception-Code", failed.code)
            .header("Content-Type", "text/plain; charset=UTF-8")
            .header("X-ClickHouse-Summary", self.summary(&Progress::default()));
        if failed.code == code::TOO_MANY_SIMULTANEOUS_QUERIES {
            builder = builder.header("Retry-After", "1");
        }
        finish(builder, whole(self.text_of(failed)))
    }

    /// An exception in ClickHouse's words; clients take it apart by them.
    fn text_of(&self, failed: &Exception) -> String {
        format!("{failed} (version {} (official build))\n", self.version)
    }
}

fn finish(builder: Builder, body: AnswerBody) -> Response<AnswerBody> {
    builder.body(body).unwrap_or_else(|_| {
        let mut response = Response::new(whole("cannot build the head of the answer"));
        *response.status_mut() = http::StatusCode::INTERNAL_SERVER_ERROR;
        response
    })
}

/// The media type of a format.
fn content_type(format: &str) -> &'static str {
    match format {
        "JSON"
        | "JSONStrings"
        | "JSONCompact"
        | "JSONCompactStrings"
        | "JSONColumns"
        | "JSONColumnsWithMetadata"
        | "JSONCompactColumns"
        | "JSONObjectEachRow" => "application/json; charset=UTF-8",
        "JSONEachRow" | "JSONLines" | "NDJSON" | "JSONStringsEachRow" | "JSONEachRowWithProgress" => {
            "application/x-ndjson; charset=UTF-8"
        }
        f if f.starts_with("JSONCompact") => "application/x-ndjson; charset=UTF-8",
        f if f.starts_with("CSV") => "text/csv; charset=UTF-8; header=present",
        f if f.starts_with("TSV") || f.starts_with("TabSeparated") || f == "TSKV" => {
            "text/tab-separated-values; charset=UTF-8"
        }
        "XML" => "application/xml; charset=UTF-8",
        "Markdown" => "text/markdown; charset=UTF-8",
        f if f.starts_with("Pretty") || f == "Vertical" || f == "Values" || f == "SQLInsert" => {
            "text/plain; charset=UTF-8"
        }
        _ => "application/octet-stream",
    }
}

/// The last step of an answer, not yet taken: the worker first gives back what the statement held (its session, its
/// id, its place), so that a client that has read the answer finds them free.
#[must_use]
pub(super) struct Finished {
    /// Whether the statement succeeded.
    pub(super) succeeded: bool,
    last: Last,
}

enum Last {
    Head(oneshot::Sender<Response<AnswerBody>>, Box<Response<AnswerBody>>),
    Part(PartSink, Part),
    /// The client has gone.
    Nothing,
}

impl Finished {
    /// Nobody is there to read an answer.
    pub(super) fn unread() -> Self {
        Self { succeeded: false, last: Last::Nothing }
    }

    /// Takes the last step.
    pub(super) fn deliver(self) {
        match self.last {
            Last::Head(sender, response) => drop(sender.send(*response)),
            Last::Part(mut sink, part) => drop(sink.send(part)),
            Last::Nothing => {}
        }
    }
}

/// The worker's side of an answer: exactly one of its methods makes the head.
pub(super) struct Reply {
    pub(super) common: Common,
    head: oneshot::Sender<Response<AnswerBody>>,
}

impl Reply {
    pub(super) fn new(common: Common, head: oneshot::Sender<Response<AnswerBody>>) -> Self {
        Self { common, head }
    }

    /// Answers with the exception.
    pub(super) fn fail(self, failed: &Exception) -> Finished {
        let response = Box::new(self.common.failure(failed));
        Finished { succeeded: false, last: Last::Head(self.head, response) }
    }

    /// Answers with a whole result; it is packed here.
    pub(super) fn send(self, format: &str, result: &[u8], progress: &Progress) -> Finished {
        let pack = || -> io::Result<Vec<u8>> {
            if result.is_empty() {
                return Ok(Vec::new());
            }
            let mut encoder = self.common.encoding.writer(Vec::new())?;
            encoder.write_all(result)?;
            encoder.finish()
        };
        match pack() {
            Ok(packed) => {
                let builder = self.ok(format, progress, !packed.is_empty());
                let response = Box::new(finish(builder, whole(packed)));
                Finished { succeeded: true, last: Last::Head(self.head, response) }
            }
            Err(error) => self.fail(&packing(&error)),
        }
    }

    /// Sends the head of a result that follows in pieces.
    pub(super) fn start(self, format: &str, progress: &Progress) -> Result<Streaming, Finished> {
        let (sender, parts) = mpsc::channel(PARTS_MAX);
        let encoder = match self.common.encoding.writer(PartSink { sender, buffer: Vec::new() }) {
            Ok(encoder) => encoder,
            Err(error) => return Err(self.fail(&packing(&error))),
        };
        let builder = self.ok(format, progress, true);
        let body = PartBody { parts, cut: None, ended: false };
        let _ = self.head.send(finish(builder, body.boxed_unsync()));
        Ok(Streaming { common: self.common, encoder })
    }

    fn ok(&self, format: &str, progress: &Progress, has_body: bool) -> Builder {
        let mut builder = self
            .common
            .builder()
            .status(200)
            .header("Content-Type", content_type(format))
            .header("X-ClickHouse-Format", format)
            .header("X-ClickHouse-Summary", self.common.summary(progress));
        if let (Some(token), true) = (self.common.encoding.token(), has_body) {
            builder = builder.header("Content-Encoding", token);
        }
        builder
    }
}

fn packing(error: &io::Error) -> Exception {
    exception(code::UNKNOWN_EXCEPTION, format!("Cannot pack the answer: {error}."))
}

/// An answer under way.
pub(super) struct Streaming {
    common: Common,
    encoder: Encoder<PartSink>,
}

/// The client has closed its connection.
#[derive(Debug)]
pub(super) struct Disconnected;

impl Streaming {
    /// Sends a piece of the result.
    pub(super) fn write(&mut self, piece: &[u8]) -> Result<(), Disconnected> {
        self.encoder.write_all(piece).and_then(|()| self.encoder.flush()).map_err(|_| Disconnected)
    }

    /// Ends a complete result.
    pub(super) fn finish(self) -> Finished {
        match self.encoder.finish().and_then(flushed) {
            Ok(sink) => Finished { succeeded: true, last: Last::Part(sink, Part::End) },
            Err(_) => Finished::unread(),
        }
    }

    /// Sends the exception that ended the statement, in the frame that clients look for, and cuts the answer off, so
    /// that a client which does not look for it sees a broken transfer and not a short result.
    pub(super) fn fail(mut self, failed: &Exception) -> Finished {
        let text = self.common.text_of(failed);
        let tag = &self.common.tag;
        let block = format!("\r\n__exception__\r\n{tag}\r\n{text}{} {tag}\r\n__exception__\r\n", text.len());
        let written = self.encoder.write_all(block.as_bytes());
        match written.and_then(|()| self.encoder.finish()).and_then(flushed) {
            Ok(sink) => Finished { succeeded: false, last: Last::Part(sink, Part::Cut) },
            Err(_) => Finished::unread(),
        }
    }
}

fn flushed(mut sink: PartSink) -> io::Result<PartSink> {
    sink.flush()?;
    Ok(sink)
}

enum Part {
    Data(Bytes),
    /// The result is complete.
    End,
    /// The result is not complete: break the connection.
    Cut,
}

/// Collects small writes of an encoder and hands pieces to the connection.
pub(super) struct PartSink {
    sender: mpsc::Sender<Part>,
    buffer: Vec<u8>,
}

/// Pieces below this are collected until the next flush.
const PIECE_BYTES: usize = 256 << 10;

impl PartSink {
    fn send(&mut self, part: Part) -> io::Result<()> {
        self.sender.blocking_send(part).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

impl Write for PartSink {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.buffer.extend_from_slice(buffer);
        if self.buffer.len() >= PIECE_BYTES {
            self.flush()?;
        }
        Ok(buffer.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let piece = std::mem::take(&mut self.buffer);
        self.send(Part::Data(piece.into()))
    }
}

/// The connection's side.
struct PartBody {
    parts: mpsc::Receiver<Part>,
    cut: Option<Pin<Box<tokio::time::Sleep>>>,
    ended: bool,
}

impl Body for PartBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        loop {
            if self.ended {
                return Poll::Ready(None);
            }
            if let Some(cut) = &mut self.cut {
                // While this waits, the connection flushes what it holds.
                std::task::ready!(cut.as_mut().poll(context));
                self.ended = true;
                return Poll::Ready(Some(Err(io::Error::other("the statement failed"))));
            }
            match std::task::ready!(self.parts.poll_recv(context)) {
                Some(Part::Data(data)) => return Poll::Ready(Some(Ok(Frame::data(data)))),
                Some(Part::End) => self.ended = true,
                Some(Part::Cut) => self.cut = Some(Box::pin(tokio::time::sleep(CUT_DELAY))),
                None => {
                    self.ended = true;
                    return Poll::Ready(Some(Err(io::Error::other("the worker has gone"))));
                }
            }
        }
    }
}
