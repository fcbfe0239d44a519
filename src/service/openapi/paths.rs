//! Every operation of the HTTP interface. A new route is one entry here.

use serde_json::{Value, json};
use windvane_types::fairness;
use windvane_types::performance::METRICS;
use windvane_types::quality::CHECKS;

use super::meanings::meaning;

/// One method of one path.
#[derive(Debug, Clone, Copy)]
pub struct Operation {
    /// In lower case.
    pub method: &'static str,
    /// As the router has it.
    pub path: &'static str,
    /// What it does, in a few words.
    pub summary: &'static str,
    /// The scope that it needs; empty: none.
    pub scope: &'static str,
    /// What may stand in its query.
    pub parameters: &'static [Parameter],
    /// What it answers.
    pub answers: Answers,
}

impl Operation {
    /// Whether the answers carry an ETag: all that is read of the store does, streams and files do not.
    pub fn is_tagged(&self) -> bool {
        let reads = matches!(self.answers, Answers::Document | Answers::Page | Answers::Rows);
        reads && self.method == "get" && self.path != "/api/openapi.json"
    }

    /// Whether a browser may do it with a token as password.
    pub fn is_for_browsers(&self) -> bool {
        self.method == "get" || self.answers == Answers::Form
    }
}

/// A shape of answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answers {
    /// A JSON document, or a problem.
    Document,
    /// A JSON document, with 409 where the answer is no.
    Permission,
    /// A page.
    Page,
    /// A way back to the page of the form, or a page that says why it was not taken.
    Form,
    /// What was accepted and what was not of events of this schema.
    Ingestion(&'static str),
    /// OpenTelemetry's protocol: what it answers, in the encoding of the request.
    Telemetry,
    /// Rows as JSON, CSV or Arrow.
    Rows,
    /// A file of the pages.
    Asset,
    /// Server-sent events.
    Stream,
    /// How the process is.
    Health,
    /// Prometheus's format.
    Metrics,
}

/// A parameter of a query.
#[derive(Debug, Clone, Copy)]
pub enum Parameter {
    /// Any text.
    Text(&'static str),
    /// One of these words.
    Word(&'static str, &'static [&'static str]),
    /// A time.
    Instant(&'static str),
    /// `key:value`.
    Pair(&'static str),
    /// Entries of a page, at most so many.
    Limit(u64),
    /// Entries before the page.
    Offset,
}

impl Parameter {
    /// Its description.
    pub fn described(&self) -> Value {
        let (name, schema) = match *self {
            Self::Text(name) => (name, json!({"type": "string"})),
            Self::Word(name, words) => (name, json!({"type": "string", "enum": words})),
            Self::Instant(name) => (
                name,
                json!({"type": "string", "pattern": "^20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])(T[01][0-9]:[0-5][0-9]:[0-5][0-9]Z)?$"}),
            ),
            Self::Pair(name) => (name, json!({"type": "string", "pattern": "^[a-z_]+:[^:]+$"})),
            Self::Limit(max) => ("limit", json!({"type": "integer", "minimum": 1, "maximum": max})),
            Self::Offset => ("offset", json!({"type": "integer", "minimum": 0, "maximum": 1_000_000})),
        };
        let mut described = json!({"name": name, "in": "query", "required": false, "schema": schema});
        if let Some(meaning) = meaning(name) {
            described["description"] = json!(meaning);
        }
        described
    }
}

use Parameter::{Instant, Limit, Offset, Pair, Text, Word};

const fn get(path: &'static str, summary: &'static str, parameters: &'static [Parameter]) -> Operation {
    Operation { method: "get", path, summary, scope: "read", parameters, answers: Answers::Document }
}

const fn page(path: &'static str, summary: &'static str) -> Operation {
    Operation { answers: Answers::Page, ..get(path, summary, &[]) }
}

const fn ingest(path: &'static str, summary: &'static str, event: &'static str) -> Operation {
    Operation {
        method: "post",
        scope: "ingest",
        answers: Answers::Ingestion(event),
        ..get(path, summary, &[])
    }
}

const fn change(method: &'static str, path: &'static str, summary: &'static str) -> Operation {
    Operation { method, scope: "admin", ..get(path, summary, &[]) }
}

const fn form(path: &'static str, summary: &'static str) -> Operation {
    Operation { answers: Answers::Form, ..change("post", path, summary) }
}

const fn telemetry(path: &'static str, summary: &'static str) -> Operation {
    Operation { answers: Answers::Telemetry, ..ingest(path, summary, "") }
}

const fn open(path: &'static str, summary: &'static str) -> Operation {
    Operation { scope: "", answers: Answers::Health, ..get(path, summary, &[]) }
}

/// Parameters of the evaluation of a gate.
const EVALUATION: &[Parameter] = &[
    Parameter::Text("candidate_sha256"),
    Parameter::Text("max_age_s"),
    Parameter::Text("weight"),
    Parameter::Text("experiment"),
];

/// All of them: ingestion, the read API, pages, the process.
pub const OPERATIONS: &[Operation] = &[
    ingest("/v1/predictions", "Take predictions", "Prediction"),
    ingest("/v1/outcomes", "Take outcomes: the truth of predictions", "Outcome"),
    ingest("/v1/exposures", "Take exposures: which unit saw which arm", "Exposure"),
    ingest("/v1/measurements", "Take measurements: values of metrics of units", "Measurement"),
    ingest("/v1/payloads", "Take payloads: what a model was given, for replay", "Payload"),
    ingest("/v1/cloudevents", "Take what KServe's and Seldon's loggers send", "CloudEvent"),
    telemetry("/v1/traces", "Take OpenTelemetry's spans"),
    telemetry("/v1/logs", "Take OpenTelemetry's log records"),
    telemetry("/v1/metrics", "Take OpenTelemetry's metrics"),
    get("/api/v1/models", "Every model with what is recorded of it", &[Limit(1_000), Offset]),
    get(
        "/api/v1/models/{model}/drift",
        "What drifted, run by run",
        &[
            Text("monitor"),
            Text("column"),
            Word("verdict", &["drift", "no_drift", "insufficient_data"]),
            Pair("segment"),
            Instant("from"),
            Instant("to"),
            Limit(100),
            Offset,
        ],
    ),
    get(
        "/api/v1/models/{model}/performance",
        "How well the model did, window by window",
        &[
            Text("monitor"),
            Word("metric", &METRICS),
            Word("verdict", &["alert", "no_alert", "insufficient_data"]),
            Pair("segment"),
            Instant("from"),
            Instant("to"),
            Limit(500),
            Offset,
        ],
    ),
    get(
        "/api/v1/models/{model}/latency",
        "How long the model took, run by run",
        &[Text("monitor"), Text("segment"), Instant("from"), Instant("to"), Limit(100), Offset],
    ),
    get(
        "/api/v1/models/{model}/quality",
        "Which checks of the data failed, run by run",
        &[
            Text("monitor"),
            Text("column"),
            Word("check", &CHECKS),
            Word("verdict", &["pass", "fail"]),
            Instant("from"),
            Instant("to"),
            Limit(100),
            Offset,
        ],
    ),
    get(
        "/api/v1/models/{model}/fairness",
        "Which groups the model treats unlike others, run by run",
        &[
            Text("monitor"),
            Text("segment"),
            Word("metric", &fairness::METRICS),
            Word("verdict", &["pass", "fail", "insufficient_data"]),
            Instant("from"),
            Instant("to"),
            Limit(100),
            Offset,
        ],
    ),
    get(
        "/api/v1/models/{model}/attribution",
        "Whether features still rank as in the reference, run by run",
        &[
            Text("monitor"),
            Text("column"),
            Word("verdict", &["drift", "no_drift", "insufficient_data"]),
            Instant("from"),
            Instant("to"),
            Limit(100),
            Offset,
        ],
    ),
    get(
        "/api/v1/experiments",
        "What the latest look at each experiment said",
        &[
            Word("verdict", &["better", "worse", "equivalent", "inconclusive"]),
            Word("srm", &["ok", "mismatch"]),
            Limit(200),
            Offset,
        ],
    ),
    get(
        "/api/v1/experiments/{name}",
        "The latest look, and every comparison over time",
        &[Text("metric"), Text("arm"), Instant("from"), Instant("to")],
    ),
    get("/api/v1/gates", "What each gate said last", &[Limit(200), Offset]),
    get("/api/v1/gates/{name}", "The latest run of a gate", &[]),
    get("/api/v1/gates/{name}/evaluate", "Whether a roll-out may go on, in the body", EVALUATION),
    Operation {
        method: "post",
        scope: "admin",
        answers: Answers::Permission,
        ..get("/api/v1/gates/{name}/evaluate", "Whether a roll-out may go on: 200 or 409", EVALUATION)
    },
    get(
        "/api/v1/alerts",
        "What is pending, firing or recovering",
        &[
            Word("state", &["pending", "firing", "recovering"]),
            Word("severity", &["info", "warning", "error", "critical"]),
            Text("model"),
            Text("rule"),
            Limit(1_000),
            Offset,
        ],
    ),
    get(
        "/api/v1/alerts/events",
        "Every change of state of an alert, the latest first",
        &[Text("rule"), Text("model"), Instant("from"), Instant("to"), Limit(1_000), Offset],
    ),
    change("post", "/api/v1/alerts/{fingerprint}/acknowledge", "Say who looks after an alert"),
    get("/api/v1/silences", "Silences that have not ended", &[Limit(1_000), Offset]),
    change("post", "/api/v1/silences", "Make a silence"),
    change("delete", "/api/v1/silences/{id}", "End a silence now"),
    get(
        "/api/v1/monitors",
        "Monitors with their state, last run and next one",
        &[Text("model"), Limit(1_000), Offset],
    ),
    get("/api/v1/views", "The statements behind the pages, with their parameters", &[]),
    Operation {
        answers: Answers::Rows,
        ..get(
            "/api/v1/views/{view}",
            "The rows of a view; its own parameters are in /api/v1/views",
            &[Word("format", &["json", "csv", "arrow"])],
        )
    },
    get("/api/openapi.json", "This document", &[]),
    page("/", "All models"),
    page("/models", "All models"),
    page("/models/{model}", "One model"),
    page("/models/{model}/features/{column}", "One feature of a model"),
    page("/alerts", "What fires, what is silenced, and what happened lately"),
    form("/alerts/acknowledge", "The form that acknowledges an alert"),
    form("/alerts/silences", "The form that makes a silence"),
    form("/alerts/silences/end", "The form that ends a silence"),
    page("/pipeline", "What the service does"),
    page("/settings", "What the service was configured with"),
    page("/sql", "The statements behind the pages"),
    page("/sql/{view}", "One statement"),
    Operation { answers: Answers::Asset, ..get("/assets/{name}", "Style and script of the pages", &[]) },
    Operation { answers: Answers::Stream, ..get("/events", "Tells a page to ask for itself again", &[]) },
    page("/experiments", "All experiments"),
    page("/experiments/{name}", "One experiment"),
    page("/gates", "All gates"),
    page("/gates/{name}", "One gate"),
    open("/healthz", "The process is up"),
    open("/readyz", "Ingestion and the store are usable"),
    Operation {
        answers: Answers::Metrics,
        ..get("/metrics", "What the service counts; public with server.metrics_public", &[])
    },
];
