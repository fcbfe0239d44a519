//! The documents of the Open Inference Protocol, version 2, and its errors.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Serialize, Serializer};
use serde_json::{Value, json};
use windvane_shadow::traffic::{Request, named};
use windvane_shadow::{Outputs, Port, Tensor, Values};

use super::host::Opened;
use super::model::Refused;

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

/// The answer to a request.
#[derive(Debug, Serialize)]
pub(super) struct Answered<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    model_name: &'a str,
    model_version: &'static str,
    outputs: Vec<Output<'a>>,
}

#[derive(Debug, Serialize)]
struct Output<'a> {
    data: Elements<'a>,
    datatype: &'static str,
    name: &'a str,
    shape: &'a [usize],
}

/// The outputs that a request names, or all where it names none.
pub(super) fn answer_of<'a>(model: &'a str, request: &'a Request, outputs: &'a Outputs) -> Answered<'a> {
    let wanted = |(name, _): &(&str, &Tensor)| {
        request.outputs.is_empty() || request.outputs.iter().any(|output| output.name == *name)
    };
    let output = |(name, tensor): (&'a str, &'a Tensor)| Output {
        data: Elements(tensor.values()),
        datatype: named(tensor.values().element()),
        name,
        shape: tensor.shape(),
    };
    let outputs = outputs.iter().filter(wanted).map(output).collect();
    Answered { id: request.id.as_deref(), model_name: model, model_version: VERSION, outputs }
}

/// The elements; numbers that JSON does not have are null. They become text one by one: as a document of its own kind of values, an answer
/// would take up to thirty times the memory that it has.
#[derive(Debug)]
struct Elements<'a>(&'a Values);

impl Serialize for Elements<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Values::F16(v) => serializer.collect_seq(v.iter().map(|x| f64::from(*x))),
            Values::F32(v) => serializer.collect_seq(v.iter().map(|x| f64::from(*x))),
            Values::F64(v) => serializer.collect_seq(v),
            Values::I8(v) => serializer.collect_seq(v),
            Values::I16(v) => serializer.collect_seq(v),
            Values::I32(v) => serializer.collect_seq(v),
            Values::I64(v) => serializer.collect_seq(v),
            Values::U8(v) => serializer.collect_seq(v),
            Values::U16(v) => serializer.collect_seq(v),
            Values::U32(v) => serializer.collect_seq(v),
            Values::U64(v) => serializer.collect_seq(v),
            Values::Bool(v) => serializer.collect_seq(v),
            Values::Text(v) => serializer.collect_seq(v),
        }
    }
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

/// There is no process with the model at present, whatever is asked of it.
pub(super) fn unavailable(reason: &str) -> Response {
    problem(StatusCode::SERVICE_UNAVAILABLE, "model_unavailable", reason)
}

/// Why a request has no answer.
pub(super) fn why(refused: Refused) -> Response {
    match refused {
        Refused::Full => problem(
            StatusCode::TOO_MANY_REQUESTS,
            "queue_full",
            "too many requests wait for this model; try again later",
        ),
        Refused::Late => problem(
            StatusCode::SERVICE_UNAVAILABLE,
            "deadline_exceeded",
            "the model did not answer before the deadline",
        ),
        Refused::Gone(reason) => unavailable(&reason),
        Refused::Input(what) => problem(StatusCode::BAD_REQUEST, "wrong_input", &what),
        Refused::Failed(what) => problem(StatusCode::INTERNAL_SERVER_ERROR, "model_failed", &what),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_comes_back_where_there_was_one() {
        let outputs = windvane_shadow::wire::outputs(&0_u64.to_le_bytes()).unwrap();
        let written = |request: &str| {
            let request: Request = serde_json::from_str(request).unwrap();
            serde_json::to_value(answer_of("m", &request, &outputs)).unwrap()
        };
        assert_eq!(written(r#"{"id": "a", "inputs": []}"#)["id"], "a");
        // The protocol has no id that is null.
        assert!(written(r#"{"inputs": []}"#).get("id").is_none());
    }

    #[test]
    fn elements_are_written_as_they_are_and_what_json_lacks_is_null() {
        let texts = vec!["a \"b\"".to_owned(), String::new()];
        for (values, expected) in [
            (Values::F32(vec![0.5, f32::NAN, f32::INFINITY, -0.0]), "[0.5,null,null,-0.0]"),
            (Values::F64(vec![0.1, f64::NEG_INFINITY, 1024.5]), "[0.1,null,1024.5]"),
            (Values::I8(vec![i8::MIN, i8::MAX]), "[-128,127]"),
            // Through a 64-bit float these would lose digits.
            (Values::I64(vec![i64::MIN, i64::MAX]), "[-9223372036854775808,9223372036854775807]"),
            (Values::U64(vec![u64::MAX]), "[18446744073709551615]"),
            (Values::U8(Vec::new()), "[]"),
            (Values::Bool(vec![true, false]), "[true,false]"),
            (Values::Text(texts), r#"["a \"b\"",""]"#),
        ] {
            assert_eq!(serde_json::to_string(&Elements(&values)).unwrap(), expected);
        }
    }
}
