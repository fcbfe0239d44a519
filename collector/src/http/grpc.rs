//! OpenTelemetry's protocol over gRPC: unary `Export` calls, of which only the framing differs from HTTP.
//!
//! Messages are handed on as bytes, so that they are decoded on the pool for blocking work and hashed as they came.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::http::HeaderValue;
use axum::response::Response;
use bytes::{Buf, BufMut, Bytes};
use futures_util::future::BoxFuture;
use prost::Message;
use tonic::codec::{Codec, CompressionEncoding, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::server::UnaryService;
use tonic::{Code, Status};

use super::ingest::{permit, refuse_while_shut};
use super::otlp::{Export, RpcAny, RpcStatus, count_refusal, rpc_code, take};
use super::problem::Problem;
use crate::collector::Shared;
use crate::decode::ContentEncoding;
use crate::otlp::{Encoding, Signal};

/// Bytes of one message, before and after decompression: what the protocol's servers take.
const MESSAGE_BYTES_MAX: usize = 4 << 20;

/// Takes a message over gRPC.
pub(super) async fn export(shared: Arc<Shared>, signal: Signal, request: Request) -> Response {
    let mut grpc = tonic::server::Grpc::new(Raw)
        .accept_compressed(CompressionEncoding::Gzip)
        .accept_compressed(CompressionEncoding::Zstd)
        .max_decoding_message_size(MESSAGE_BYTES_MAX);
    let mut response = grpc.unary(Service { shared, signal }, request).await.map(Body::new);
    // The library calls a message that is too long out of range; the protocol's word is that a resource is exhausted.
    if response.headers().get("grpc-status").is_some_and(|code| code == OUT_OF_RANGE) {
        response.headers_mut().insert("grpc-status", RESOURCE_EXHAUSTED);
    }
    response
}

const OUT_OF_RANGE: &str = "11";
const RESOURCE_EXHAUSTED: HeaderValue = HeaderValue::from_static("8");

/// Answers a call of a method that is not there.
pub(super) async fn unimplemented() -> Response {
    let methods = Signal::ALL.map(Signal::method).join(", ");
    Status::unimplemented(format!("no such method; there are {methods}")).into_http::<Body>()
}

#[derive(Debug)]
struct Service {
    shared: Arc<Shared>,
    signal: Signal,
}

impl UnaryService<Bytes> for Service {
    type Response = Vec<u8>;
    type Future = BoxFuture<'static, Result<tonic::Response<Vec<u8>>, Status>>;

    fn call(&mut self, request: tonic::Request<Bytes>) -> Self::Future {
        let (shared, signal) = (Arc::clone(&self.shared), self.signal);
        Box::pin(async move {
            let taken = async {
                refuse_while_shut(&shared)?;
                let permit = permit(&shared)?;
                let (encoding, compression) = (Encoding::Protobuf, ContentEncoding::Identity);
                take(&shared, Export { signal, encoding, compression, body: request.into_inner() }, permit)
                    .await
            };
            match taken.await {
                Ok(taken) => Ok(tonic::Response::new(taken.protobuf(signal))),
                Err(problem) => {
                    count_refusal(&shared, signal, &problem);
                    Err(status(&problem))
                }
            }
        })
    }
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
    let code = rpc_code(problem);
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

/// Messages as bytes.
#[derive(Debug, Clone, Copy)]
struct Raw;

impl Codec for Raw {
    type Encode = Vec<u8>;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Encoder for Raw {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, message: Vec<u8>, into: &mut EncodeBuf<'_>) -> Result<(), Status> {
        into.put_slice(&message);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(from.copy_to_bytes(from.remaining())))
    }
}
