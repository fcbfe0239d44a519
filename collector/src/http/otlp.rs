//! `POST /v1/{traces,logs,metrics}`: OpenTelemetry's protocol over HTTP, protobuf and JSON; and what it shares with gRPC.
//!
//! A message becomes rows of several tables. Each table takes its rows under a key made of the message's bytes, so that a message that
//! is sent again is stored once, also where the first try reached only some of the tables.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use bytes::Bytes;
use opentelemetry_proto::tonic::collector::logs::v1::{ExportLogsPartialSuccess, ExportLogsServiceResponse};
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsPartialSuccess, ExportMetricsServiceResponse,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceResponse,
};
use prost::Message;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::time::Instant;
use uuid::Uuid;

use super::ingest::{
    encoding_of, internal, on_pool, over_share, read_body, refuse_while_shut, refused, sender, too_large,
    unpack, unsupported_type, wait,
};
use super::problem::Problem;
use crate::collector::Shared;
use crate::decode::ContentEncoding;
use crate::in_flight::Claim;
use crate::limits::Place;
use crate::otlp::{Encoding, Part, Signal, rows};
use crate::spool::{Frame, KeyRecord};

const CONTENT_TYPES: &str = "application/x-protobuf and application/json";

/// A message as it came.
#[derive(Debug)]
pub(super) struct Export {
    pub(super) signal: Signal,
    pub(super) encoding: Encoding,
    pub(super) compression: ContentEncoding,
    pub(super) body: Bytes,
}

/// What became of a message.
#[derive(Debug, Default)]
pub(super) struct Taken {
    rejected: i64,
    why: String,
}

impl Taken {
    /// The protocol's answer, in protobuf.
    pub(super) fn protobuf(self, signal: Signal) -> Vec<u8> {
        let Self { rejected, why } = self;
        let some = rejected > 0 || !why.is_empty();
        match signal {
            Signal::Traces => {
                let part = ExportTracePartialSuccess { rejected_spans: rejected, error_message: why };
                ExportTraceServiceResponse { partial_success: some.then_some(part) }.encode_to_vec()
            }
            Signal::Logs => {
                let part = ExportLogsPartialSuccess { rejected_log_records: rejected, error_message: why };
                ExportLogsServiceResponse { partial_success: some.then_some(part) }.encode_to_vec()
            }
            Signal::Metrics => {
                let part = ExportMetricsPartialSuccess { rejected_data_points: rejected, error_message: why };
                ExportMetricsServiceResponse { partial_success: some.then_some(part) }.encode_to_vec()
            }
        }
    }

    fn json(self, signal: Signal) -> Value {
        let Self { rejected, why } = self;
        if rejected == 0 && why.is_empty() {
            return json!({});
        }
        let field = match signal {
            Signal::Traces => "rejectedSpans",
            Signal::Logs => "rejectedLogRecords",
            Signal::Metrics => "rejectedDataPoints",
        };
        // The protocol writes 64-bit integers as strings.
        json!({"partialSuccess": {field: rejected.to_string(), "errorMessage": why}})
    }
}

/// Takes a message over HTTP.
pub(super) async fn export(shared: Arc<Shared>, signal: Signal, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let headers = &parts.headers;
    // What cannot be told is answered in protobuf, which the protocol's clients speak unless they say JSON.
    let encoding = encoding(headers);
    let answered = async {
        refuse_while_shut(&shared)?;
        let content_type = headers.get(header::CONTENT_TYPE).map(|value| value.to_str().unwrap_or("?"));
        let encoding = encoding.ok_or_else(|| unsupported_type(content_type, CONTENT_TYPES))?;
        let compression = encoding_of(headers)?;
        let (body, permit) = read_body(&shared, &sender(&shared, &parts), (headers, body)).await?;
        take(&shared, Export { signal, encoding, compression, body }, permit).await
    };
    let encoding = encoding.unwrap_or(Encoding::Protobuf);
    match answered.await {
        Ok(taken) if encoding == Encoding::Json => {
            response(StatusCode::OK, encoding, taken.json(signal).to_string().into_bytes())
        }
        Ok(taken) => response(StatusCode::OK, encoding, taken.protobuf(signal)),
        Err(problem) => {
            count_refusal(&shared, signal, &problem);
            failure(&problem, encoding)
        }
    }
}

pub(super) fn count_refusal(shared: &Shared, signal: Signal, problem: &Problem) {
    shared.metrics.refused.with_label_values(&[signal.table().name(), problem.code]).inc();
}

fn encoding(headers: &HeaderMap) -> Option<Encoding> {
    let content_type = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    match content_type.split(';').next()?.trim().to_ascii_lowercase().as_str() {
        "application/x-protobuf" => Some(Encoding::Protobuf),
        "application/json" => Some(Encoding::Json),
        _ => None,
    }
}

fn response(status: StatusCode, encoding: Encoding, body: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let content_type = match encoding {
        Encoding::Protobuf => "application/x-protobuf",
        Encoding::Json => "application/json",
    };
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// `google.rpc.Status`: the body of every refusal.
#[derive(Clone, PartialEq, Message)]
pub(super) struct RpcStatus {
    #[prost(int32, tag = "1")]
    pub(super) code: i32,
    #[prost(string, tag = "2")]
    pub(super) message: String,
    #[prost(message, repeated, tag = "3")]
    pub(super) details: Vec<RpcAny>,
}

/// `google.protobuf.Any`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct RpcAny {
    #[prost(string, tag = "1")]
    pub(super) type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    pub(super) value: Vec<u8>,
}

fn failure(problem: &Problem, encoding: Encoding) -> Response {
    let message = format!("{}: {}", problem.code, problem.detail);
    let code = rpc_code(problem) as i32;
    let body = match encoding {
        Encoding::Json => json!({"code": code, "message": message}).to_string().into_bytes(),
        Encoding::Protobuf => RpcStatus { code, message, details: Vec::new() }.encode_to_vec(),
    };
    let refusal = problem.response();
    let mut response = response(refusal.status(), encoding, body);
    for name in [header::RETRY_AFTER, header::CONNECTION] {
        if let Some(value) = refusal.headers().get(&name) {
            response.headers_mut().insert(name, value.clone());
        }
    }
    response
}

/// gRPC's word for a refusal. What may be tried again is `UNAVAILABLE`, whatever HTTP calls it.
pub(super) fn rpc_code(problem: &Problem) -> tonic::Code {
    match problem.status {
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => tonic::Code::Unavailable,
        StatusCode::PAYLOAD_TOO_LARGE => tonic::Code::ResourceExhausted,
        StatusCode::UNAUTHORIZED => tonic::Code::Unauthenticated,
        StatusCode::FORBIDDEN => tonic::Code::PermissionDenied,
        StatusCode::REQUEST_TIMEOUT => tonic::Code::DeadlineExceeded,
        status if status.is_client_error() => tonic::Code::InvalidArgument,
        _ => tonic::Code::Internal,
    }
}

/// Turns a message into rows and makes them durable. Runs in a task of its own, so that a client that goes away does not stop it
/// half-way.
pub(super) async fn take(shared: &Arc<Shared>, export: Export, permit: Place) -> Result<Taken, Problem> {
    let work = process(Arc::clone(shared), export, permit);
    shared.tasks.spawn(work).await.unwrap_or_else(|_| Err(internal()))
}

async fn process(shared: Arc<Shared>, export: Export, _permit: Place) -> Result<Taken, Problem> {
    let begun = Instant::now();
    let now_us = shared.clock.now().as_microsecond();
    let Export { signal, encoding, compression, body } = export;
    let decoder = Arc::clone(&shared);
    let decoded = on_pool(false, move || {
        let body = unpack(body, compression, decoder.options.body_bytes_max)?;
        let context = decoder.context(now_us);
        let intake = rows(signal, &body, encoding, &context)
            .map_err(|why| Problem::new(StatusCode::BAD_REQUEST, "invalid_otlp", why))?;
        Ok((intake, key_of(signal.word(), &[&body])))
    });
    let (intake, key) = decoded.await??;
    if let Some(why) = intake.too_large {
        return Err(too_large(why));
    }
    for part in intake.parts {
        append_once(&shared, part, Arrival { key, now_us }).await?;
    }
    let table = signal.table().name();
    shared.metrics.acknowledge_seconds.with_label_values(&[table]).observe(begun.elapsed().as_secs_f64());
    let rejected = i64::try_from(intake.rejected).unwrap_or(i64::MAX);
    // A warning where nothing was refused, which the protocol permits.
    Ok(Taken { rejected, why: intake.why.or(intake.warning).unwrap_or_default() })
}

/// Under which key a message came, and its fingerprint; and when.
#[derive(Debug, Clone, Copy)]
pub(super) struct Arrival {
    pub(super) key: (Uuid, u64),
    pub(super) now_us: i64,
}

/// A key made of the bytes: clients of the protocol send a message again as it was.
pub(super) fn key_of(path: &str, parts: &[&[u8]]) -> (Uuid, u64) {
    let mut digest = Sha256::new().chain_update("the bytes of ").chain_update(path);
    for part in parts {
        digest.update((part.len() as u64).to_le_bytes());
        digest.update(part);
    }
    let digest = digest.finalize();
    let mut half = [0; 16];
    half.copy_from_slice(&digest[..16]);
    let mut rest = [0; 8];
    rest.copy_from_slice(&digest[16..24]);
    (Uuid::from_bytes(half), u64::from_le_bytes(rest))
}

/// Makes the rows of one table durable, unless they are already.
pub(super) async fn append_once(
    shared: &Shared,
    mut part: Part,
    Arrival { key, now_us }: Arrival,
) -> Result<(), Problem> {
    let (spool, in_flight) = shared.of(part.table);
    let table = part.table.name();
    if part.rows > 0 {
        let (key, fingerprint) = key;
        let _guard = match in_flight.claim(key, spool.keys(), now_us).await {
            Claim::New(guard) => guard,
            Claim::Known(_) => {
                shared.metrics.deduplicated.with_label_values(&[table]).inc();
                shared.metrics.deduplicated_by_model(&part.models);
                return Ok(());
            }
        };
        let (models, free) = (std::mem::take(&mut part.models), spool.free_bytes());
        let _waits = wait(shared, &models)?;
        shared.shares.admit(&models, free, Instant::now().into_std()).map_err(|m| over_share(&m))?;
        let frame = Frame {
            layout: part.table.layout(),
            rows: part.rows,
            time_us: now_us,
            key: Some(KeyRecord { key, fingerprint, answer: Bytes::new() }),
            body: std::mem::take(&mut part.bytes),
        };
        let seq = spool.append(frame).await.map_err(|error| refused(&error))?;
        shared.metrics.accepted_by_model(&models);
        shared.shares.taken(part.table, seq, models);
    }
    shared.metrics.received.with_label_values(&[table]).inc_by(part.records());
    for (code, n) in &part.rejected {
        shared.metrics.rejected.with_label_values(&[table, code.as_str()]).inc_by(*n);
    }
    for (word, n) in &part.replaced {
        shared.metrics.replaced.with_label_values(&[word.as_str()]).inc_by(*n);
    }
    shared.metrics.rejected_by_model(&part.rejected_by_model);
    Ok(())
}
