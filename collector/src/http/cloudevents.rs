//! `POST /v1/cloudevents`: what KServe's and Seldon's request loggers send.

use std::sync::Arc;

use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use bytes::Bytes;
use serde_json::{Value, json};
use windvane_store::Table;

use super::ingest::{
    encoding_of, internal, on_pool, read_body, refuse_while_shut, sender, too_large, unpack, unsupported_type,
};
use super::otlp::{Arrival, append_once, key_of};
use super::problem::{Problem, json_response};
use crate::collector::Shared;
use crate::decode::ContentEncoding;
use crate::kserve::{Attributes, JSON_LENGTH, Mode, events, take};

const CONTENT_TYPES: &str =
    "application/cloudevents+json, application/cloudevents-batch+json, and any type with ce- headers";

/// A request whose headers were understood.
#[derive(Debug)]
struct Log {
    mode: Mode,
    attributes: Attributes,
    compression: ContentEncoding,
}

/// Takes events.
pub(super) async fn log(shared: Arc<Shared>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let headers = &parts.headers;
    let answered = async {
        refuse_while_shut(&shared)?;
        let request = parse_headers(headers)?;
        let (body, permit) = read_body(&shared, &sender(&shared, &parts), (headers, body)).await?;
        let work = process(Arc::clone(&shared), request, body);
        let work = async move {
            let _permit = permit;
            work.await
        };
        shared.tasks.spawn(work).await.unwrap_or_else(|_| Err(internal()))
    };
    answered.await.unwrap_or_else(|problem: Problem| {
        shared.metrics.refused.with_label_values(&[Table::Payloads.name(), problem.code]).inc();
        problem.response()
    })
}

fn parse_headers(headers: &HeaderMap) -> Result<Log, Problem> {
    let mut attributes = Attributes::new();
    for (name, value) in headers {
        if let (Some(name), Ok(value)) = (name.as_str().strip_prefix("ce-"), value.to_str()) {
            attributes.insert(name.to_owned(), Value::from(value));
        }
    }
    // The header of a client's own request to its model server, which a logger may hand on as it is.
    let [attribute, spelt] = JSON_LENGTH;
    if let Some(Ok(length)) = headers.get(spelt).map(|length| length.to_str())
        && !attributes.contains_key(attribute)
    {
        attributes.insert(attribute.to_owned(), Value::from(length));
    }
    let content_type = headers.get(header::CONTENT_TYPE).map(|value| value.to_str().unwrap_or("?"));
    let essence = content_type.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    let mode = Mode::of(&essence.to_ascii_lowercase(), attributes.contains_key("type"))
        .ok_or_else(|| unsupported_type(content_type, CONTENT_TYPES))?;
    Ok(Log { mode, attributes, compression: encoding_of(headers)? })
}

async fn process(shared: Arc<Shared>, request: Log, body: Bytes) -> Result<Response, Problem> {
    let now_us = shared.clock.now().as_microsecond();
    let decoder = Arc::clone(&shared);
    let decoded = on_pool(false, move || {
        let Log { mode, attributes, compression } = request;
        let body = unpack(body, compression, decoder.options.body_bytes_max)?;
        let context = decoder.context(now_us);
        let names = Value::Object(attributes.clone()).to_string();
        let key = key_of("cloudevents", &[names.as_bytes(), &body]);
        Ok((take(events(mode, attributes, &body), &decoder.joiner, &context), key))
    });
    let (logged, key) = decoded.await??;
    if let Some(why) = logged.intake.too_large {
        shared.joiner.put_back(logged.taken);
        return Err(too_large(why));
    }
    for part in logged.intake.parts {
        if let Err(problem) = append_once(&shared, part, Arrival { key, now_us }).await {
            shared.joiner.put_back(logged.taken);
            return Err(problem);
        }
    }
    let mut answer = json!({"accepted": logged.accepted, "rejected": logged.rejected});
    let status = if logged.accepted > 0 || logged.rejected.is_empty() {
        StatusCode::OK
    } else {
        answer["code"] = json!("no_event_accepted");
        StatusCode::BAD_REQUEST
    };
    Ok(json_response(status, answer.to_string().into()))
}
