//! The documents of the Open Inference Protocol, version 2, and its errors.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use windvane_shadow::traffic::{Request, named};
use windvane_shadow::{Element, Outputs, Port, Tensor};

use super::host::Opened;

/// The version of every model.
pub(super) const VERSION: &str = "1";

/// `GET /v2`.
pub(super) fn server() -> Value {
    json!({"name": "windvane", "version": env!("CARGO_PKG_VERSION"), "extensions": []})
}

/// `GET /v2/models/{name}`.
pub(super) fn metadata(name: &str, opened: &Opened) -> Value {
    let port = |port: &Port| {
        let shape: Vec<i64> = port
            .shape
            .iter()
            .map(|extent| extent.and_then(|extent| i64::try_from(extent).ok()).unwrap_or(-1))
            .collect();
        json!({"name": port.name, "datatype": named(port.element), "shape": shape})
    };
    json!({
        "name": name,
        "versions": [VERSION],
        "platform": "onnxruntime_onnx",
        "inputs": opened.inputs.iter().map(port).collect::<Vec<_>>(),
        "outputs": opened.outputs.iter().map(port).collect::<Vec<_>>(),
    })
}

/// The answer to a request: the outputs that it names, or all where it names none.
pub(super) fn answer_of(model: &str, request: &Request, outputs: &Outputs) -> Value {
    let wanted = |(name, _): &(&str, &Tensor)| {
        request.outputs.is_empty() || request.outputs.iter().any(|output| output.name == *name)
    };
    let output = |(name, tensor): (&str, &Tensor)| {
        let datatype = named(tensor.values().element());
        json!({"name": name, "datatype": datatype, "shape": tensor.shape(), "data": elements(tensor)})
    };
    json!({"model_name": model, "model_version": VERSION, "id": request.id, "outputs": outputs.iter().filter(wanted).map(output).collect::<Vec<_>>()})
}

/// The elements; numbers that JSON does not have are null.
pub(super) fn elements(tensor: &Tensor) -> Vec<Value> {
    let values = tensor.values();
    let element = |at: usize| match values.element() {
        Element::Text => json!(values.word(at)),
        Element::Bool => json!(values.number(at) == Some(1.0)),
        // Through a 64-bit float large integers would lose digits.
        Element::I64 => json!(values.word(at).and_then(|word| word.parse::<i64>().ok())),
        Element::U64 => json!(values.word(at).and_then(|word| word.parse::<u64>().ok())),
        element if element.is_float() => json!(values.number(at)),
        _ => json!(values.number(at).map(|x| x as i64)),
    };
    (0..values.len()).map(element).collect()
}

/// An error: the protocol's field `error`, and those of problem+json beside it.
pub(super) fn problem(status: StatusCode, code: &str, detail: &str) -> Response {
    let body = json!({
        "type": "about:blank",
        "title": status.canonical_reason().unwrap_or("Error"),
        "status": status.as_u16(),
        "code": code,
        "detail": detail,
        "error": detail,
    });
    (status, [(axum::http::header::CONTENT_TYPE, "application/problem+json")], body.to_string())
        .into_response()
}
