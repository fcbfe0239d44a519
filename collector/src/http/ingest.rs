//! `POST /v1/{predictions,outcomes,exposures,measurements,payloads}`: parse the headers, read the body, decode, make it durable, answer.
//!
//! The work after the last byte of the body runs in a task of its own: a client that goes away neither stops it half-way
//! nor frees its Idempotency-Key too early.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use bytes::Bytes;
use serde_json::json;
use sha2::{Digest, Sha256};
use tokio::time::Instant;
use uuid::Uuid;
use windvane_store::Table;
use windvane_types::event::Kind;

use super::body::BodyRefused;
use super::problem::{Problem, json_response};
use crate::admission::Caller;
use crate::collector::Shared;
use crate::decode::{
    Batch, BodyError, CONTENT_ENCODINGS, CONTENT_TYPES, ContentEncoding, Context, Format, decode_batch,
    decompress,
};
use crate::in_flight::Claim;
use crate::limits::{ModelBytes, NoPlace, Place};
use crate::spool::{AppendError, Frame, KeyRecord, TableSpool};

/// The longest Idempotency-Key, in bytes.
const KEY_BYTES_MAX: usize = 255;

/// Up to this many bytes are decoded where they arrive: below 0.5 ms; more goes to the pool for blocking work.
const INLINE_BYTES_MAX: usize = 16 << 10;

/// A request whose headers were understood.
#[derive(Debug)]
struct Request {
    kind: Kind,
    format: Format,
    encoding: ContentEncoding,
    key: Option<Uuid>,
    caller: Caller,
}

/// Takes a batch of events.
pub(super) async fn ingest(shared: Arc<Shared>, kind: Kind, request: axum::extract::Request) -> Response {
    let table = table_of(kind);
    let (parts, body) = request.into_parts();
    let answer = match receive(&shared, kind, &parts, body).await {
        Ok((request, body, permit)) => {
            let work = process(Arc::clone(&shared), request, body, permit);
            shared.tasks.spawn(work).await.unwrap_or_else(|_| Err(internal()))
        }
        Err(problem) => Err(problem),
    };
    answer.unwrap_or_else(|problem| {
        shared.metrics.refused.with_label_values(&[table.name(), problem.code]).inc();
        problem.response()
    })
}

fn table_of(kind: Kind) -> Table {
    match kind {
        Kind::Prediction => Table::Predictions,
        Kind::Outcome => Table::Outcomes,
        Kind::Exposure => Table::Exposures,
        Kind::Measurement => Table::Measurements,
        Kind::Payload => Table::Payloads,
    }
}

/// Reads the headers and the body, within the bounds of requests, bytes and time.
async fn receive(
    shared: &Shared,
    kind: Kind,
    parts: &Parts,
    body: Body,
) -> Result<(Request, Bytes, Place), Problem> {
    refuse_while_shut(shared)?;
    let headers = &parts.headers;
    // Without a gate, in tests, everybody may do everything.
    let caller = parts.extensions.get::<Caller>().cloned().unwrap_or_default();
    let request = parse_headers(kind, headers, caller)?;
    let (body, permit) = read_body(shared, &sender(shared, parts), (headers, body)).await?;
    Ok((request, body, permit))
}

/// Lets nothing in before the spool is open, and nothing once the service shuts down.
pub(super) fn refuse_while_shut(shared: &Shared) -> Result<(), Problem> {
    let unavailable = |code, detail: &str| {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, code, detail.to_owned())
            .retry_after(Duration::from_secs(5))
    };
    if shared.is_closing() {
        return Err(unavailable("shutting_down", "the service is shutting down"));
    }
    if shared.opening.tables().is_none() {
        let detail = "the spool's disk cannot be written to yet; nothing of the batch was taken";
        return Err(unavailable("spool_failed", detail));
    }
    Ok(())
}

/// Who sends, so that senders are told apart: by token, and without one by address.
pub(super) fn sender(shared: &Shared, Parts { headers, extensions, .. }: &Parts) -> String {
    if let Some(id) = extensions.get::<Caller>().and_then(Caller::token_id) {
        return format!("token {id}");
    }
    let peer = extensions.get::<ConnectInfo<SocketAddr>>();
    let proxies = &shared.options.proxies;
    peer.map_or_else(String::new, |ConnectInfo(peer)| proxies.client(peer.ip(), headers).to_string())
}

/// One of the requests that may be in work at the same time.
fn permit(shared: &Shared, sender: &str) -> Result<Place, Problem> {
    shared.places.take(sender).map_err(|why| match why {
        NoPlace::Full => {
            let detail = "as many requests as allowed are in work".to_owned();
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "too_many_requests_in_work", detail)
                .retry_after(Duration::from_secs(1))
        }
        NoPlace::OverShare => requests_over_share("this sender has"),
    })
}

fn requests_over_share(who: &str) -> Problem {
    let detail = format!(
        "{who} its share of the requests that may be in work, the rest is kept for others; nothing of the batch was taken; accepted are fewer requests at a time"
    );
    Problem::new(StatusCode::TOO_MANY_REQUESTS, "requests_over_share", detail)
        .retry_after(Duration::from_secs(1))
}

/// Lets a batch wait for the disk, if its models have not their share of those that do.
pub(super) fn wait(shared: &Shared, models: &[ModelBytes]) -> Result<Place, Problem> {
    shared.places.wait(models).map_err(|model| requests_over_share(&format!("model `{model}` has")))
}

/// Reads the body as it came.
pub(super) async fn read_body(
    shared: &Shared,
    sender: &str,
    (headers, body): (&HeaderMap, Body),
) -> Result<(Bytes, Place), Problem> {
    read_framed(shared, sender, (headers, body, 0)).await
}

/// Reads the body as it came, of which so many bytes are the frame of a protocol and count for nothing.
pub(super) async fn read_framed(
    shared: &Shared,
    sender: &str,
    (headers, body, frame_bytes): (&HeaderMap, Body, usize),
) -> Result<(Bytes, Place), Problem> {
    let permit = permit(shared, sender)?;
    let bytes_max = shared.options.body_bytes_max;
    let bounds = (bytes_max.saturating_add(frame_bytes), shared.options.body_timeout);
    let body = super::body::read_body(headers, body, bounds).await;
    let body = body.map_err(|refused| match refused {
        BodyRefused::TooLarge(_) => too_many_bytes(bytes_max),
        BodyRefused::Incomplete | BodyRefused::Late(_) => {
            Problem::new(refused.status(), refused.code(), refused.to_string())
        }
    })?;
    Ok((body, permit))
}

fn parse_headers(kind: Kind, headers: &HeaderMap, caller: Caller) -> Result<Request, Problem> {
    let content_type = headers.get(header::CONTENT_TYPE).map(|value| value.to_str().unwrap_or("?"));
    let format = Format::of(content_type).ok_or_else(|| unsupported_type(content_type, CONTENT_TYPES))?;
    let encoding = encoding_of(headers)?;
    let key = headers.get("idempotency-key");
    let key = key.map(|key| key_of(kind, caller.token_id(), key.as_bytes())).transpose()?;
    Ok(Request { kind, format, encoding, key, caller })
}

pub(super) fn unsupported_type(found: Option<&str>, accepted: &str) -> Problem {
    let found = found.unwrap_or_default();
    let detail = format!("Content-Type `{found}` is not taken; accepted are {accepted}");
    Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_content_type", detail)
}

/// How a body is compressed, by its headers.
pub(super) fn encoding_of(headers: &HeaderMap) -> Result<ContentEncoding, Problem> {
    let found = headers.get(header::CONTENT_ENCODING).map(|value| value.to_str().unwrap_or("?"));
    ContentEncoding::of(found).ok_or_else(|| {
        let (found, accepted) = (found.unwrap_or_default(), CONTENT_ENCODINGS);
        let detail = format!("Content-Encoding `{found}` is not taken; accepted are {accepted}");
        Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_content_encoding", detail)
    })
}

/// The hash of a key, for its path and its token: the same key on two paths, or under two tokens, is two keys. So whoever may send guesses
/// nobody else's keys, neither to read what was answered nor to have another's batch taken for one of its own.
fn key_of(kind: Kind, token_id: Option<&str>, key: &[u8]) -> Result<Uuid, Problem> {
    if key.is_empty() || key.len() > KEY_BYTES_MAX {
        let detail = format!("Idempotency-Key has {} bytes; accepted are 1 to {KEY_BYTES_MAX}", key.len());
        return Err(Problem::new(StatusCode::BAD_REQUEST, "idempotency_key_invalid", detail));
    }
    let mut hasher = Sha256::new().chain_update(kind.plural()).chain_update([0]);
    // No header has a byte of zero: a key without a token is none with one.
    if let Some(id) = token_id {
        hasher = hasher.chain_update(id).chain_update([0]);
    }
    let digest = hasher.chain_update(key).finalize();
    let mut half = [0; 16];
    half.copy_from_slice(&digest[..16]);
    Ok(Uuid::from_bytes(half))
}

pub(super) fn too_large(detail: String) -> Problem {
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", detail)
}

fn too_many_bytes(bytes_max: usize) -> Problem {
    too_large(format!(
        "the body has more than {bytes_max} bytes; accepted are up to {bytes_max}, also after decompression (collector.body_bytes_max): send smaller batches"
    ))
}

pub(super) fn internal() -> Problem {
    let detail = "the batch could not be taken; it was not stored".to_owned();
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail)
}

/// Everything after the last byte of the body.
async fn process(
    shared: Arc<Shared>,
    request: Request,
    body: Bytes,
    _permit: Place,
) -> Result<Response, Problem> {
    let begun = Instant::now();
    let table = table_of(request.kind);
    let now_us = shared.clock.now().as_microsecond();
    let (encoding, bytes_max) = (request.encoding, shared.options.body_bytes_max);
    let inline = body.len() <= INLINE_BYTES_MAX && encoding == ContentEncoding::Identity;
    let body = on_pool(inline, move || unpack(body, encoding, bytes_max)).await??;
    let (spool, in_flight) = shared.of(table);
    let fingerprint = u64::from(crc32c::crc32c(&body)) << 32 | (body.len() as u64 & 0xffff_ffff);
    let claim = match request.key {
        Some(key) => Some((key, in_flight.claim(key, spool.keys(), now_us).await)),
        None => None,
    };
    let decoder = Arc::clone(&shared);
    let decode = move || {
        let context = Context {
            limits: &decoder.options.limits,
            ids: &decoder.ids,
            body_bytes_max: bytes_max,
            now_us,
            caller: &request.caller,
            door: decoder.door(),
        };
        decode_batch(request.kind, &body, request.format, &context)
    };
    let claimed = match claim {
        Some((_, Claim::Known(record))) => {
            let response = repeated(&shared, table, &record, fingerprint)?;
            // Only to learn whose rows they are: nothing of it is taken.
            if let Ok(batch) = on_pool(inline, decode).await {
                shared.metrics.deduplicated_by_model(&batch.models);
            }
            return Ok(response);
        }
        Some((key, Claim::New(guard))) => Some((key, guard)),
        None => None,
    };
    let batch = on_pool(inline, decode).await?;
    let key = claimed.as_ref().map(|(key, _)| (*key, fingerprint));
    let response = settle(&shared, spool, batch, Arrival { key, now_us }).await?;
    shared
        .metrics
        .acknowledge_seconds
        .with_label_values(&[table.name()])
        .observe(begun.elapsed().as_secs_f64());
    Ok(response)
}

/// Takes the compression off a body.
pub(super) fn unpack(body: Bytes, encoding: ContentEncoding, bytes_max: usize) -> Result<Bytes, Problem> {
    decompress(body, encoding, bytes_max).map_err(|error| match error {
        BodyError::TooLarge { max } => too_many_bytes(max),
        BodyError::Corrupt(_) => {
            Problem::new(StatusCode::BAD_REQUEST, "invalid_content_encoding", error.to_string())
        }
    })
}

pub(super) async fn on_pool<T: Send + 'static>(
    inline: bool,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Problem> {
    if inline {
        return Ok(work());
    }
    tokio::task::spawn_blocking(work).await.map_err(|_| internal())
}

/// When a batch came, and under which key and fingerprint.
#[derive(Debug, Clone, Copy)]
struct Arrival {
    key: Option<(Uuid, u64)>,
    now_us: i64,
}

/// Makes the batch durable and answers it.
async fn settle(
    shared: &Shared,
    spool: &TableSpool,
    mut batch: Batch,
    Arrival { key, now_us }: Arrival,
) -> Result<Response, Problem> {
    if let Some(why) = batch.too_large.take() {
        return Err(too_large(why));
    }
    let table = spool.table;
    let answer = answer(&batch);
    if batch.accepted > 0 {
        let _waits = wait(shared, &batch.models)?;
        let free = spool.free_bytes();
        shared.shares.admit(&batch.models, free, Instant::now().into_std()).map_err(|m| over_share(&m))?;
        let record = |(key, fingerprint)| KeyRecord { key, fingerprint, answer: answer.clone() };
        let frame = Frame {
            layout: table.layout(),
            rows: batch.accepted,
            time_us: now_us,
            key: key.map(record),
            body: std::mem::take(&mut batch.rows),
        };
        let seq = spool.append(frame).await.map_err(|error| refused(&error))?;
        shared.metrics.accepted_by_model(&batch.models);
        shared.shares.taken(table, seq, std::mem::take(&mut batch.models));
    }
    shared.metrics.received.with_label_values(&[table.name()]).inc_by(batch.records());
    for (code, n) in &batch.rejected_by_code {
        shared.metrics.rejected.with_label_values(&[table.name(), code.as_str()]).inc_by(*n);
    }
    shared.metrics.rejected_by_model(&batch.rejected_by_model);
    let status = if batch.accepted > 0 { StatusCode::OK } else { StatusCode::BAD_REQUEST };
    Ok(json_response(status, answer))
}

fn answer(batch: &Batch) -> Bytes {
    let mut answer = json!({"accepted": batch.accepted, "rejected": batch.rejected});
    let rejected: u64 = batch.rejected_by_code.iter().map(|(_, n)| n).sum();
    if rejected > batch.rejected.len() as u64 {
        answer["rejected_not_shown"] = json!(rejected - batch.rejected.len() as u64);
    }
    if !batch.made_ids.is_empty() {
        answer["event_ids"] = json!(batch.made_ids);
    }
    if batch.accepted == 0 {
        answer["code"] = json!("no_event_accepted");
    }
    answer.to_string().into()
}

/// Answers a batch whose key is known: what it was answered the first time, if it is the same batch.
fn repeated(
    shared: &Shared,
    table: Table,
    record: &KeyRecord,
    fingerprint: u64,
) -> Result<Response, Problem> {
    if record.fingerprint != fingerprint {
        let detail =
            "this Idempotency-Key came with another body before; accepted are the same body, or a new key";
        return Err(Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "idempotency_key_reused",
            detail.to_owned(),
        ));
    }
    shared.metrics.deduplicated.with_label_values(&[table.name()]).inc();
    let mut response = json_response(StatusCode::OK, record.answer.clone());
    response.headers_mut().insert("idempotent-replayed", HeaderValue::from_static("true"));
    Ok(response)
}

pub(super) fn over_share(model: &str) -> Problem {
    let detail = format!(
        "model `{model}` fills its share of the spool until the store has taken more, the rest is kept for other models; nothing of the batch was taken"
    );
    Problem::new(StatusCode::TOO_MANY_REQUESTS, "model_over_share", detail)
        .retry_after(Duration::from_secs(5))
}

pub(super) fn refused(error: &AppendError) -> Problem {
    match error {
        AppendError::Full => {
            let detail =
                "the spool is full until the store has taken more; nothing of the batch was taken".to_owned();
            Problem::new(StatusCode::TOO_MANY_REQUESTS, "spool_full", detail)
                .retry_after(Duration::from_secs(5))
        }
        AppendError::Busy => {
            let detail = "too many batches wait for the disk; nothing of the batch was taken".to_owned();
            Problem::new(StatusCode::TOO_MANY_REQUESTS, "spool_busy", detail)
                .retry_after(Duration::from_secs(1))
        }
        AppendError::Failed => {
            let detail = "the spool's disk refuses; whether the batch was taken is not known".to_owned();
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "spool_failed", detail)
                .retry_after(Duration::from_secs(30))
        }
    }
}
