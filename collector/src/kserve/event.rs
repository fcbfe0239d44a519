//! CloudEvents 0.3 and 1.0 over HTTP, in their three modes: attributes in headers, one JSON object, an array of such objects.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};
use windvane_store::Table;
use windvane_types::event::ts_of_text;
use windvane_types::rejection::{Code, Fault};

use super::join::Key;
use super::{binary, seldon};

/// Which half of a pair an event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Request,
    Response,
}

impl Side {
    /// The field of a body of version 2 that has its tensors.
    pub(super) fn tensors(self) -> &'static str {
        match self {
            Self::Request => "inputs",
            Self::Response => "outputs",
        }
    }
}

/// What an event tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Subject {
    /// A request or its response.
    Half(Side),
    /// Which instances of a request a detector takes for outliers.
    Outliers,
    /// What a detector says of the latest requests.
    Drift,
    /// What was true, or what it was worth.
    Feedback,
}

impl Subject {
    /// The table that refusals of whole events are counted under.
    pub(super) fn table(self) -> Table {
        match self {
            Self::Half(_) => Table::Predictions,
            Self::Outliers => Table::Measurements,
            Self::Drift => Table::MetricsGauge,
            Self::Feedback => Table::Outcomes,
        }
    }
}

/// The event types that are taken.
const TYPES: [(&str, Subject); 10] = [
    ("org.kubeflow.serving.inference.request", Subject::Half(Side::Request)),
    ("org.kubeflow.serving.inference.response", Subject::Half(Side::Response)),
    ("org.kubeflow.serving.inference.outlier", Subject::Outliers),
    ("org.kubeflow.serving.inference.drift", Subject::Drift),
    ("org.kubeflow.serving.feedback", Subject::Feedback),
    ("io.seldon.serving.inference.request", Subject::Half(Side::Request)),
    ("io.seldon.serving.inference.response", Subject::Half(Side::Response)),
    ("io.seldon.serving.inference.outlier", Subject::Outliers),
    ("io.seldon.serving.inference.drift", Subject::Drift),
    ("io.seldon.serving.feedback", Subject::Feedback),
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
        let tags = self.words().filter(|(key, _)| matches!(*key, "component" | "endpoint"));
        tags.map(|(key, word)| (key.to_owned(), Value::from(word))).collect::<Map<_, _>>().into()
    }

    /// All that there is, by its name.
    pub(super) fn words(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let words = [
            ("model", self.model.as_str()),
            ("version", self.version.as_str()),
            ("environment", self.environment.as_str()),
            ("component", self.component.as_str()),
            ("endpoint", self.endpoint.as_str()),
        ];
        words.into_iter().filter(|(_, word)| !word.is_empty())
    }
}

/// One event, read as far as all are alike.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    pub(super) subject: Subject,
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

    /// When it was; one without a time was now.
    pub(super) fn ts_us(&self, now_us: i64) -> Result<i64, Fault> {
        match &self.ts {
            None => Ok(now_us),
            Some(Value::String(text)) => ts_of_text(text),
            Some(_) => {
                let message = "the `time` of the event is no string; accepted is RFC 3339 with an offset";
                Err(Fault::new(Code::TsInvalid, message))
            }
        }
    }
}

/// The data of an event, read or as it came.
enum Data<'a> {
    Read(Value),
    Bytes(&'a [u8]),
}

/// The events of a body.
pub(crate) fn events(mode: Mode, headers: Attributes, body: &[u8]) -> Vec<Result<Event, Fault>> {
    if mode == Mode::Binary {
        return vec![event(headers, Data::Bytes(body))];
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
    let bytes;
    let data = match (object.remove("data"), object.remove("data_base64")) {
        (Some(Value::String(text)), _) => {
            bytes = text.into_bytes();
            Data::Bytes(&bytes)
        }
        (Some(body), _) => Data::Read(body),
        (None, Some(Value::String(text))) => {
            bytes = STANDARD.decode(text).map_err(|error| {
                Fault::new(Code::InvalidType, format!("`data_base64` is no base64: {error}"))
            })?;
            Data::Bytes(&bytes)
        }
        _ => return Err(missing("data", "the body of an inference request or response")),
    };
    event(object, data)
}

/// The fault of data that cannot be read.
pub(super) fn no_json(error: &serde_json::Error) -> Fault {
    let message = format!(
        "the data of the event is no JSON: {error}; accepted are bodies of the Open Inference Protocol in JSON, with or without binary tensors"
    );
    Fault::new(Code::InvalidJson, message)
}

fn event(attributes: Attributes, data: Data<'_>) -> Result<Event, Fault> {
    let text = |names: &[&str]| {
        let found =
            names.iter().find_map(|name| attributes.get(*name)?.as_str().filter(|text| !text.is_empty()));
        found.unwrap_or_default().to_owned()
    };
    let kind = text(&["type"]);
    let Some((_, subject)) = TYPES.iter().find(|(known, _)| *known == kind) else {
        let known: Vec<&str> = TYPES.iter().map(|(known, _)| *known).collect();
        let kind: String = kind.chars().take(64).collect();
        let message = format!("the event has the type `{kind}`; accepted are {}", known.join(", "));
        return Err(Fault::new(Code::EventTypeUnsupported, message));
    };
    // Seldon's request id is shared by all events of a request, its event id is not.
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
    let body = match (data, *subject) {
        (Data::Read(body), _) => body,
        (Data::Bytes(bytes), Subject::Half(side)) => {
            binary::body(bytes, json_length(&attributes, side)?, side)?
        }
        (Data::Bytes(bytes), _) => seldon::read(bytes)?,
    };
    let body = match *subject {
        Subject::Half(side) => seldon::translated(body, side),
        _ => body,
    };
    let ts = attributes.get("time").cloned();
    Ok(Event { subject: *subject, id, ts, origin, body })
}

/// Names of the header with the length of the JSON before binary tensors: as CloudEvents spell attributes, and as the protocol spells it.
pub(crate) const JSON_LENGTH: [&str; 2] = ["inferenceheadercontentlength", "inference-header-content-length"];

/// How many bytes of the data are JSON, where the headers say it.
fn json_length(attributes: &Attributes, side: Side) -> Result<Option<usize>, Fault> {
    let attribute = JSON_LENGTH.iter().find_map(|name| attributes.get(*name)).cloned();
    // KServe's logger gives the headers of the request to the response, too.
    let metadata = || (side == Side::Request).then(|| length_of_metadata(attributes)).flatten();
    let Some(said) = attribute.or_else(metadata) else { return Ok(None) };
    let length = match &said {
        Value::String(text) => text.trim().parse::<usize>().ok(),
        number => number.as_u64().and_then(|length| usize::try_from(length).ok()),
    };
    length.map(Some).ok_or_else(|| {
        let message =
            "`Inference-Header-Content-Length` is no count; accepted is the length of the JSON in bytes";
        Fault::new(Code::InvalidType, message)
    })
}

/// From the headers that KServe's logger was told to log: names and their values.
fn length_of_metadata(attributes: &Attributes) -> Option<Value> {
    let metadata: Attributes = serde_json::from_str(attributes.get("metadata")?.as_str()?).ok()?;
    let mut headers = metadata.into_iter();
    let (_, values) = headers.find(|(name, _)| name.eq_ignore_ascii_case(JSON_LENGTH[1]))?;
    match values {
        Value::Array(values) => values.into_iter().next(),
        value => Some(value),
    }
}

fn missing(attribute: &str, what: &str) -> Fault {
    Fault::new(Code::MissingField, format!("the event has no `{attribute}`; accepted are events with {what}"))
}
