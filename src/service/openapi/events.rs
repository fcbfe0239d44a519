//! The schemas of events, as `/v1/…` takes them.

use serde_json::{Value, json};

use super::components::reference;

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
        ("CloudEvent", cloud_event()),
        (
            "Measurement",
            record(
                &["unit_id", "metric", "value"],
                json!({"unit_id": name(), "metric": name(), "value": {"type": "number"}, "ts": ts(), "event_id": event_id()}),
            ),
        ),
    ]
}

/// The types of CloudEvents that are taken.
pub const CLOUD_EVENT_TYPES: [&str; 10] = [
    "org.kubeflow.serving.inference.request",
    "org.kubeflow.serving.inference.response",
    "org.kubeflow.serving.inference.outlier",
    "org.kubeflow.serving.inference.drift",
    "org.kubeflow.serving.feedback",
    "io.seldon.serving.inference.request",
    "io.seldon.serving.inference.response",
    "io.seldon.serving.inference.outlier",
    "io.seldon.serving.inference.drift",
    "io.seldon.serving.feedback",
];

fn cloud_event() -> Value {
    json!({
        "type": "object", "required": ["id", "type"],
        "description": "An inference request or response of KServe or Seldon, or what a detector or a client says of it: outliers, drift, feedback. Other attributes are ignored.",
        "anyOf": [{"required": ["inferenceservicename"]}, {"required": ["modelid"]}],
        "oneOf": [{"required": ["data"]}, {"required": ["data_base64"]}],
        "properties": {
            "specversion": {"type": "string"}, "source": {"type": "string"},
            "id": name(), "requestid": name(), "type": {"type": "string", "enum": CLOUD_EVENT_TYPES}, "time": ts_text(),
            "inferenceservicename": name(), "modelid": name(), "namespace": name(), "component": name(), "endpoint": name(),
            "data": inference(),
            "data_base64": {"type": "string", "contentEncoding": "base64", "description": "The same body in base64."},
        },
    })
}

/// The data of a CloudEvent: the body of an inference request or response, of version 1 or of the Open Inference Protocol.
pub fn inference() -> Value {
    let rows = json!({"type": "array", "minItems": 1});
    json!({
        "type": "object",
        "description": "`instances` or `inputs` of a request, `predictions` or `outputs` of a response.",
        "properties": {"instances": rows, "predictions": rows, "inputs": tensors(), "outputs": tensors()},
    })
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

/// A body: one record, or an array of them.
pub fn body(schema: &str) -> Value {
    let one = reference(schema);
    json!({"oneOf": [one, {"type": "array", "minItems": 1, "items": one}]})
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

/// A time as RFC 3339 has it, or a part of those.
pub fn ts_text() -> Value {
    json!({"type": "string", "pattern": "^20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])T[01][0-9]:[0-5][0-9]:[0-5][0-9]Z$"})
}

fn ts() -> Value {
    json!({
        "description": "RFC 3339 with an offset, or integer microseconds since 1970; the time of arrival where it is left out.",
        "oneOf": [
            ts_text(),
            {"type": "integer", "minimum": 946_684_800_000_000_u64, "maximum": 4_102_444_800_000_000_u64},
        ],
    })
}
