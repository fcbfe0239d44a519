//! CloudEvents 0.3 and 1.0 over HTTP, in their three modes: attributes in headers, one JSON object, an array of such objects.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};
use windvane_types::rejection::{Code, Fault};

use super::join::Key;

/// Which half of a pair an event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Request,
    Response,
}

/// The event types that are taken.
const TYPES: [(&str, Side); 4] = [
    ("org.kubeflow.serving.inference.request", Side::Request),
    ("org.kubeflow.serving.inference.response", Side::Response),
    ("io.seldon.serving.inference.request", Side::Request),
    ("io.seldon.serving.inference.response", Side::Response),
];

/// How events stand in a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Attributes in `ce-` headers, the body is the data.
    Binary,
    /// The body is one event.
    Structured,
    /// The body is an array of events.
    Batch,
}

impl Mode {
    /// The mode of a content type, where there are `ce-` headers or none.
    pub(crate) fn of(content_type: &str, has_headers: bool) -> Option<Self> {
        match content_type {
            "application/cloudevents+json" => Some(Self::Structured),
            "application/cloudevents-batch+json" => Some(Self::Batch),
            // A logger hands on the content type of the request that it logs.
            _ if has_headers => Some(Self::Binary),
            _ => None,
        }
    }
}

/// Attributes by their names in lower case.
pub(crate) type Attributes = Map<String, Value>;

/// Where a half comes from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Origin {
    pub(super) model: String,
    pub(super) version: String,
    pub(super) environment: String,
    component: String,
    endpoint: String,
}

impl Origin {
    /// What segments can be cut by.
    pub(super) fn tags(&self) -> Value {
        let tags = [("component", &self.component), ("endpoint", &self.endpoint)];
        let some = tags.into_iter().filter(|(_, value)| !value.is_empty());
        some.map(|(key, value)| (key.to_owned(), Value::String(value.clone()))).collect::<Map<_, _>>().into()
    }
}

/// One half of a pair.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    pub(super) side: Side,
    pub(super) id: String,
    pub(super) ts: Option<Value>,
    pub(super) origin: Origin,
    pub(super) body: Value,
}

impl Event {
    /// What the two halves of a pair have in common.
    pub(super) fn key(&self) -> Key {
        Key {
            model: self.origin.model.clone(),
            component: self.origin.component.clone(),
            id: self.id.clone(),
        }
    }
}

/// The events of a body.
pub(crate) fn events(mode: Mode, headers: Attributes, body: &[u8]) -> Vec<Result<Event, Fault>> {
    if mode == Mode::Binary {
        return vec![data(body).and_then(|data| event(headers, data))];
    }
    let parsed: Result<Value, _> = serde_json::from_slice(body);
    let broken = |why: String| vec![Err(Fault::new(Code::InvalidJson, why))];
    match (mode, parsed) {
        (_, Err(error)) => broken(format!("the body is no JSON: {error}; accepted are CloudEvents as JSON")),
        (Mode::Batch, Ok(Value::Array(all))) => all.into_iter().map(structured).collect(),
        (Mode::Batch, Ok(_)) => broken("a batch of CloudEvents is a JSON array".to_owned()),
        (_, Ok(one)) => vec![structured(one)],
    }
}

fn structured(value: Value) -> Result<Event, Fault> {
    let Value::Object(mut object) = value else {
        return Err(Fault::new(Code::NotAnObject, "a CloudEvent is a JSON object"));
    };
    let body = match (object.remove("data"), object.remove("data_base64")) {
        (Some(Value::String(text)), _) => data(text.as_bytes())?,
        (Some(body), _) => body,
        (None, Some(Value::String(text))) => {
            let bytes = STANDARD.decode(text).map_err(|error| {
                Fault::new(Code::InvalidType, format!("`data_base64` is no base64: {error}"))
            })?;
            data(&bytes)?
        }
        _ => return Err(missing("data", "the body of an inference request or response")),
    };
    event(object, body)
}

fn data(bytes: &[u8]) -> Result<Value, Fault> {
    serde_json::from_slice(bytes).map_err(|error| {
        let message = format!(
            "the data of the event is no JSON: {error}; accepted are bodies of the Open Inference Protocol in JSON"
        );
        Fault::new(Code::InvalidJson, message)
    })
}

fn event(attributes: Attributes, body: Value) -> Result<Event, Fault> {
    let text = |names: &[&str]| {
        let found =
            names.iter().find_map(|name| attributes.get(*name)?.as_str().filter(|text| !text.is_empty()));
        found.unwrap_or_default().to_owned()
    };
    let kind = text(&["type"]);
    let Some((_, side)) = TYPES.iter().find(|(known, _)| *known == kind) else {
        let known: Vec<&str> = TYPES.iter().map(|(known, _)| *known).collect();
        let kind: String = kind.chars().take(64).collect();
        let message = format!("the event has the type `{kind}`; accepted are {}", known.join(", "));
        return Err(Fault::new(Code::EventTypeUnsupported, message));
    };
    // Seldon's request id is shared by the pair, its event id is not.
    let id = text(&["requestid", "id"]);
    if id.is_empty() {
        return Err(missing("id", "the id that request and response share"));
    }
    let endpoint = text(&["endpoint"]);
    let origin = Origin {
        model: text(&["modelid", "inferenceservicename"]),
        version: if endpoint == "default" { String::new() } else { endpoint.clone() },
        environment: text(&["namespace"]),
        component: text(&["component"]),
        endpoint,
    };
    if origin.model.is_empty() {
        return Err(missing("inferenceservicename", "the name of the model"));
    }
    let ts = attributes.get("time").cloned();
    Ok(Event { side: *side, id, ts, origin, body })
}

fn missing(attribute: &str, what: &str) -> Fault {
    Fault::new(Code::MissingField, format!("the event has no `{attribute}`; accepted are events with {what}"))
}
