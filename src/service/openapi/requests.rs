//! What comes in under `/v1/`: the media that a body may have, and the headers that say more of it.

use serde_json::{Map, Value, json};

use super::components::reference;
use super::events;

const COMPRESSED: &str =
    "The body may be compressed (Content-Encoding); its bound counts after decompression.";

/// The body of a request with events of a schema.
pub fn records(event: &str) -> Value {
    if event == "CloudEvent" {
        return cloudevents();
    }
    let one = events::body(event);
    let lines = format!(
        "One {event} a line, an object as under application/json; a faulty line is rejected alone. `application/ndjson`, `application/jsonl` and `application/x-jsonlines` are the same."
    );
    let columns = format!(
        "A row of an Arrow IPC stream is one {event}, with the fields of the JSON as columns (docs/FORMATS.md). Buffers may be compressed with LZ4 or zstd."
    );
    json!({
        "required": true,
        "description": format!("An object, an array, an object a line, or a row a record. {COMPRESSED} Without a Content-Type the body shows which it is."),
        "content": {
            "application/json": {"schema": one},
            "application/x-ndjson": {"schema": {"type": "string", "description": lines}},
            "application/vnd.apache.arrow.stream": {"schema": {"description": columns}},
            "application/vnd.apache.arrow.file": {"schema": {"description": "The same as a file of Arrow IPC."}},
        },
    })
}

/// CloudEvents in their three modes.
fn cloudevents() -> Value {
    let event = reference("CloudEvent");
    json!({
        "required": true,
        "description": format!("Structured (one event), batch (an array of events), or binary: attributes in `ce-` headers, the data as body, of any content type, in JSON or with the binary tensors of the Open Inference Protocol behind it. {COMPRESSED}"),
        "content": {
            "application/cloudevents+json": {"schema": event},
            "application/cloudevents-batch+json": {"schema": {"type": "array", "items": event}},
            "application/json": {"schema": events::inference()},
        },
    })
}

/// An export request of OpenTelemetry's protocol.
pub fn telemetry(path: &str) -> Value {
    let (message, list) = match path {
        "/v1/traces" => ("ExportTraceServiceRequest", "resourceSpans"),
        "/v1/logs" => ("ExportLogsServiceRequest", "resourceLogs"),
        _ => ("ExportMetricsServiceRequest", "resourceMetrics"),
    };
    let mut properties = Map::new();
    properties.insert(list.to_owned(), json!({"type": "array", "items": {"type": "object"}}));
    json!({
        "required": true,
        "description": format!("An {message}; the answer has the encoding of the request. {COMPRESSED}"),
        "content": {
            "application/x-protobuf": {"schema": {"description": format!("opentelemetry.proto.collector.*.v1.{message}")}},
            "application/json": {"schema": {"type": "object", "properties": properties}},
        },
    })
}

/// How a body is compressed.
pub fn content_encoding() -> Value {
    header(
        "Content-Encoding",
        "How the body is compressed; one of them only.",
        json!({
            "type": "string", "enum": ["gzip", "x-gzip", "zstd", "identity"],
        }),
    )
}

/// The headers of a body with events of a schema.
pub fn headers(event: &str) -> Vec<Value> {
    let text = || json!({"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[A-Za-z0-9-]+$"});
    if event != "CloudEvent" {
        return vec![header(
            "Idempotency-Key",
            "A batch that comes again under its key is stored once. A key belongs to its path and to the token that it was sent with (to none, where no token is needed): under another token the same key is another one.",
            text(),
        )];
    }
    let kind = json!({"type": "string", "enum": events::CLOUD_EVENT_TYPES});
    vec![
        header("ce-type", "Binary mode: what the body is. Its presence makes the mode.", kind),
        header("ce-id", "Binary mode: what request and response share.", text()),
        header("ce-requestid", "Binary mode: the same where an event has an id of its own.", text()),
        header("ce-time", "Binary mode: when it was, by RFC 3339.", events::ts_text()),
        header("ce-inferenceservicename", "Binary mode: the model; Seldon's is `ce-modelid`.", text()),
        header("ce-modelid", "Binary mode: the model, as Seldon calls it.", text()),
        header("ce-namespace", "Binary mode: the environment.", text()),
        header("ce-component", "Binary mode: predictor, transformer or explainer, kept as a tag.", text()),
        header("ce-endpoint", "Binary mode: the version, but for `default`; kept as a tag, too.", text()),
    ]
}

fn header(name: &str, about: &str, schema: Value) -> Value {
    json!({"name": name, "in": "header", "required": false, "description": about, "schema": schema})
}
