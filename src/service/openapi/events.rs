//! The schemas of events, as `/v1/…` takes them.

use serde_json::{Value, json};

/// By name: what one record of each kind is.
pub fn schemas() -> [(&'static str, Value); 6] {
    [
        ("Prediction", prediction()),
        (
            "Outcome",
            json!({"oneOf": [
                record(&["model", "event_id", "label"], json!({"model": name(), "event_id": event_id(), "ts": ts(), "label": {"type": "string", "maxLength": 1000}})),
                record(&["model", "event_id", "value"], json!({"model": name(), "event_id": event_id(), "ts": ts(), "value": {"type": "number"}})),
            ]}),
        ),
        (
            "Exposure",
            record(
                &["experiment", "unit_id", "arm"],
                json!({"experiment": name(), "unit_id": name(), "arm": name(), "ts": ts(), "event_id": event_id()}),
            ),
        ),
        (
            "Payload",
            record(
                &["model", "inputs"],
                json!({
                    "model": name(), "version": name(), "environment": name(), "event_id": event_id(), "ts": ts(),
                    "inputs": tensors(), "outputs": tensors(),
                }),
            ),
        ),
        (
            "CloudEvent",
            json!({
                "type": "object", "required": ["id", "type", "data"],
                "description": "An inference request or response of KServe or Seldon.",
                "properties": {"id": name(), "type": name(), "inferenceservicename": name(), "data": {"type": "object"}},
            }),
        ),
        (
            "Measurement",
            record(
                &["unit_id", "metric", "value"],
                json!({"unit_id": name(), "metric": name(), "value": {"type": "number"}, "ts": ts(), "event_id": event_id()}),
            ),
        ),
    ]
}

fn prediction() -> Value {
    record(
        &["model"],
        json!({
            "model": name(), "version": name(), "event_id": event_id(), "ts": ts(), "environment": name(),
            "unit_id": {"type": "string", "maxLength": 1000},
            "arms": words("Experiment to arm."),
            "features": {
                "type": "object", "propertyNames": {"minLength": 1, "maxLength": 64},
                "additionalProperties": {"type": ["number", "string", "boolean", "null"], "maxLength": 1000},
                "description": "Numbers become numeric features, strings and booleans categorical ones; null is missing.",
            },
            "embeddings": {
                "type": "object", "maxProperties": 16, "propertyNames": {"minLength": 1, "maxLength": 64},
                "additionalProperties": {"type": "array", "items": {"type": "number", "minimum": -1e30, "maximum": 1e30}},
            },
            "prediction": {
                "description": "A score, a label with probabilities, or a value.",
                "oneOf": [
                    {"type": "object", "required": ["score"], "properties": {"score": {"type": "number", "minimum": 0, "maximum": 1}}, "additionalProperties": false},
                    {"type": "object", "required": ["label"], "properties": {"label": {"type": "string", "minLength": 1, "maxLength": 100}}, "additionalProperties": false},
                    {"type": "object", "required": ["value"], "properties": {"value": {"type": "number"}}, "additionalProperties": false},
                ],
            },
            "latency_us": {"type": "integer", "minimum": 0, "maximum": 86_400_000_000_u64},
            "status": name(), "trace_id": name(), "span_id": name(),
            "tags": words("Free, for segments."),
        }),
    )
}

/// How a body of this schema is announced.
pub fn media_type(schema: &str) -> &'static str {
    if schema == "CloudEvent" { "application/cloudevents+json" } else { "application/json" }
}

/// A body: one record, or an array of them.
pub fn body(schema: &str) -> Value {
    let reference = json!({"$ref": format!("#/components/schemas/{schema}")});
    json!({"oneOf": [reference, {"type": "array", "minItems": 1, "items": reference}]})
}

/// Unknown fields are refused, so none are permitted here.
fn record(required: &[&str], properties: Value) -> Value {
    json!({"type": "object", "required": required, "properties": properties, "additionalProperties": false})
}

fn name() -> Value {
    json!({"type": "string", "minLength": 1, "maxLength": 64})
}

fn tensors() -> Value {
    json!({
        "type": "array", "minItems": 1,
        "items": {
            "type": "object", "required": ["name", "datatype", "shape", "data"], "additionalProperties": false,
            "properties": {
                "name": name(), "datatype": {"type": "string", "enum": ["FP32", "FP64", "INT64", "BOOL", "BYTES"]},
                "shape": {"type": "array", "items": {"type": "integer", "minimum": 0}}, "data": {"type": "array"},
            },
        },
        "description": "Tensors of the Open Inference Protocol.",
    })
}

fn event_id() -> Value {
    json!({"type": "string", "minLength": 1, "maxLength": 32, "description": "Up to 128 bytes; made where it is left out."})
}

fn words(about: &str) -> Value {
    json!({
        "type": "object", "maxProperties": 64, "propertyNames": {"minLength": 1, "maxLength": 64},
        "additionalProperties": {"type": "string", "maxLength": 1000}, "description": about,
    })
}

fn ts() -> Value {
    json!({
        "description": "RFC 3339 with an offset, or integer microseconds since 1970; the time of arrival where it is left out.",
        "oneOf": [
            {"type": "string", "pattern": "^20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])T[01][0-9]:[0-5][0-9]:[0-5][0-9]Z$"},
            {"type": "integer", "minimum": 946_684_800_000_000_u64, "maximum": 4_102_444_800_000_000_u64},
        ],
    })
}
