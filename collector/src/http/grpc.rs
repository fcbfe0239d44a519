//! OpenTelemetry's protocol over gRPC: unary `Export` calls, of which only the framing differs from HTTP.
//!
//! The frame is taken off here and not by tonic's server, which reads and decompresses a message before it asks anybody. So a call has its
//! place among the requests in work before its body is read, the bounds of bytes and of time are those of HTTP, and what is compressed is
//! unpacked on the pool for blocking work, within the same bound.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use bytes::{Buf, BufMut, Bytes, BytesMut};
use http_body_util::{BodyExt, Full};
use prost::Message;
use tonic::{Code, Status};

use super::ingest::{read_framed, refuse_while_shut, sender};
use super::otlp::{Export, RpcAny, RpcStatus, Taken, count_refusal, rpc_code, take};
use super::problem::Problem;
use crate::collector::Shared;
use crate::decode::{CONTENT_ENCODINGS, ContentEncoding};
use crate::otlp::{Encoding, Signal};

/// What stands before a message: whether it is compressed, and its length.
const PREFIX_BYTES: usize = 5;

/// What a client may compress by.
const ACCEPT_ENCODING: HeaderValue = HeaderValue::from_static("gzip,zstd,identity");

/// Takes a message over gRPC.
pub(super) async fn export(shared: Arc<Shared>, signal: Signal, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    match receive(&shared, signal, &parts, body).await {
        Ok(taken) => answer(&taken.protobuf(signal)),
        Err(problem) => {
            count_refusal(&shared, signal, &problem);
            refusal(&problem)
        }
    }
}

/// Whether a request is a call. gRPC-Web, which has its status in the body, is another protocol.
pub(crate) fn is_call(headers: &HeaderMap) -> bool {
    const KIND: &str = "application/grpc";
    let said = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let is_of_kind = said.get(..KIND.len()).is_some_and(|start| start.eq_ignore_ascii_case(KIND));
    is_of_kind && matches!(said.as_bytes().get(KIND.len()), None | Some(b'+' | b';' | b' '))
}

/// A refusal as clients of gRPC read it: HTTP's 200, and the status in the headers because no message comes before it.
pub(crate) fn refusal(problem: &Problem) -> Response {
    let mut response = status(problem).into_http::<Body>();
    if problem.status == StatusCode::UNSUPPORTED_MEDIA_TYPE {
        response.headers_mut().insert("grpc-accept-encoding", ACCEPT_ENCODING);
    }
    response
}

/// Answers a call of a method that is not there.
pub(super) async fn unimplemented() -> Response {
    let methods = Signal::ALL.map(Signal::method).join(", ");
    Status::unimplemented(format!("no such method; there are {methods}")).into_http::<Body>()
}

/// Reads the one message of a call, within the bounds of requests, bytes and time, and makes it durable.
async fn receive(shared: &Arc<Shared>, signal: Signal, parts: &Parts, body: Body) -> Result<Taken, Problem> {
    refuse_while_shut(shared)?;
    let declared = declared(&parts.headers)?;
    let (body, permit) =
        read_framed(shared, &sender(shared, parts), (&parts.headers, body, PREFIX_BYTES)).await?;
    let (compression, body) =
        unframed(body, declared).map_err(|why| Problem::new(StatusCode::BAD_REQUEST, "invalid_otlp", why))?;
    take(shared, Export { signal, encoding: Encoding::Protobuf, compression, body }, permit).await
}

/// How compressed messages of a call are compressed, by its headers.
fn declared(headers: &HeaderMap) -> Result<ContentEncoding, Problem> {
    let found = headers.get("grpc-encoding").map(|value| value.to_str().unwrap_or("?"));
    ContentEncoding::of(found).ok_or_else(|| {
        let (found, accepted) = (found.unwrap_or_default(), CONTENT_ENCODINGS);
        let detail = format!("grpc-encoding `{found}` is not taken; accepted are {accepted}");
        Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_content_encoding", detail)
    })
}

/// The one message of a unary call without its frame, and how it is compressed.
fn unframed(mut body: Bytes, declared: ContentEncoding) -> Result<(ContentEncoding, Bytes), String> {
    let Some(prefix) = body.first_chunk::<PREFIX_BYTES>() else {
        let len = body.len();
        return Err(format!(
            "the call has {len} bytes; accepted is one message, behind {PREFIX_BYTES} bytes that say how long it is"
        ));
    };
    let [flag, length @ ..] = *prefix;
    let length = u32::from_be_bytes(length);
    body.advance(PREFIX_BYTES);
    if usize::try_from(length) != Ok(body.len()) {
        let len = body.len();
        return Err(format!("the call has {len} bytes of messages; accepted is one, which says {length}"));
    }
    match flag {
        0 => Ok((ContentEncoding::Identity, body)),
        1 if declared != ContentEncoding::Identity => Ok((declared, body)),
        1 => Err(
            "the message is compressed and the call says not how; accepted is grpc-encoding: gzip or zstd"
                .to_owned(),
        ),
        flag => Err(format!("the message has the flag {flag}; accepted are 0, and 1 where it is compressed")),
    }
}

/// The answer of a call that went well.
fn answer(message: &[u8]) -> Response {
    let mut frame = BytesMut::with_capacity(PREFIX_BYTES + message.len());
    frame.put_u8(0);
    frame.put_u32(u32::try_from(message.len()).expect("an answer is a few counts and a sentence"));
    frame.put_slice(message);
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    let body = Full::new(frame.freeze()).with_trailers(std::future::ready(Some(Ok(trailers))));
    let mut response = Response::new(Body::new(body));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    response
}

/// `google.rpc.RetryInfo`.
#[derive(Clone, PartialEq, Message)]
struct RetryInfo {
    #[prost(message, optional, tag = "1")]
    retry_delay: Option<RetryDelay>,
}

/// `google.protobuf.Duration`.
#[derive(Clone, PartialEq, Message)]
struct RetryDelay {
    #[prost(int64, tag = "1")]
    seconds: i64,
}

/// A refusal in gRPC's words, with when to try again where that makes sense.
fn status(problem: &Problem) -> Status {
    let code = match problem.status {
        // The protocol's word for a compression that is not known; over HTTP there is 415.
        StatusCode::UNSUPPORTED_MEDIA_TYPE => Code::Unimplemented,
        _ => rpc_code(problem),
    };
    let message = format!("{}: {}", problem.code, problem.detail);
    if code != Code::Unavailable {
        return Status::new(code, message);
    }
    let seconds = problem.retry_after.unwrap_or(Duration::from_secs(1)).as_secs();
    let delay = RetryDelay { seconds: i64::try_from(seconds).unwrap_or(1) };
    let info = RpcAny {
        type_url: "type.googleapis.com/google.rpc.RetryInfo".to_owned(),
        value: RetryInfo { retry_delay: Some(delay) }.encode_to_vec(),
    };
    let details = RpcStatus { code: code as i32, message: message.clone(), details: vec![info] };
    Status::with_details(code, message, details.encode_to_vec().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_known_by_its_content_type() {
        for (said, is_one) in [
            ("application/grpc", true),
            ("application/grpc+proto", true),
            ("Application/GRPC; charset=utf-8", true),
            ("application/grpc-web", false),
            ("application/grpc-web+proto", false),
            ("application/json", false),
            ("", false),
        ] {
            let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, said.parse().unwrap())]);
            assert_eq!(is_call(&headers), is_one, "{said}");
        }
        assert!(!is_call(&HeaderMap::new()));
    }

    #[test]
    fn one_message_is_taken_out_of_its_frame_and_all_else_is_told() {
        use ContentEncoding::{Gzip, Identity};
        type Expected = Result<(ContentEncoding, Bytes), &'static str>;
        let taken = |encoding, message: &'static [u8]| Ok((encoding, Bytes::from_static(message)));
        let cases: [(&'static [u8], ContentEncoding, Expected); 11] = [
            (b"\0\0\0\0\0", Identity, taken(Identity, b"")),
            (b"\0\0\0\0\x02ab", Identity, taken(Identity, b"ab")),
            (b"\0\0\0\0\x02ab", Gzip, taken(Identity, b"ab")),
            (b"\x01\0\0\0\x02ab", Gzip, taken(Gzip, b"ab")),
            (b"", Identity, Err("has 0 bytes")),
            (b"\0\0\0\0", Identity, Err("has 4 bytes")),
            (b"\0\0\0\0\x03ab", Identity, Err("which says 3")),
            (b"\0\0\0\0\x01ab", Identity, Err("2 bytes of messages")),
            (b"\0\xff\xff\xff\xffab", Identity, Err("which says 4294967295")),
            (b"\x01\0\0\0\x02ab", Identity, Err("grpc-encoding: gzip or zstd")),
            (b"\x02\0\0\0\x02ab", Gzip, Err("the flag 2")),
        ];
        for (body, declared, expected) in cases {
            match (unframed(Bytes::from_static(body), declared), expected) {
                (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{body:?}"),
                (Err(why), Err(part)) => assert!(why.contains(part), "{body:?}: {why}"),
                (found, expected) => panic!("{body:?}: {found:?}, not {expected:?}"),
            }
        }
    }
}
