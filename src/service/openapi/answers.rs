//! What an operation can answer: status by status, with its media, its headers and the codes of its problems.

use serde_json::{Map, Value, json};

use super::components::reference;
use super::documents;
use super::paths::{Answers, Operation};

const JSON: &str = "application/json";
const PROTOBUF: &str = "application/x-protobuf";
const PROBLEM: &str = "application/problem+json";
/// Beyond the rate of a token, or of all requests without one.
const RATE: &str = "rate_exceeded";
/// The body was not read, or not as its header says.
const BODY: [&str; 2] = ["body_incomplete", "invalid_content_encoding"];
const LATE: [&str; 1] = ["body_timeout"];
const TOO_LARGE: [&str; 1] = ["body_too_large"];
const UNSUPPORTED: [&str; 2] = ["unsupported_content_type", "unsupported_content_encoding"];
/// The spool takes no more of it for now.
const SHED: [&str; 4] = ["spool_full", "spool_busy", "model_over_share", "requests_over_share"];
const AWAY: [&str; 3] = ["too_many_requests_in_work", "shutting_down", "spool_failed"];
const INTERNAL: [&str; 1] = ["internal"];
/// Paths whose every record names a model, which a token that is limited to models may use.
const BY_MODEL: [&str; 3] = ["/v1/predictions", "/v1/outcomes", "/v1/payloads"];

/// The answers of one operation, by status.
#[derive(Default)]
struct Responses(Map<String, Value>);

impl Responses {
    /// Adds one; the later of two with the same status counts.
    fn add(&mut self, status: &str, response: Value) {
        self.0.insert(status.to_owned(), response);
    }

    fn pages(&mut self, pages: &[(&str, &str)]) {
        for (status, what) in pages {
            self.add(status, with(what, "text/html", json!({"type": "string"})));
        }
    }
}

/// All answers of an operation.
pub fn of(operation: &Operation) -> Value {
    let mut all = Responses::default();
    if !operation.scope.is_empty() {
        gate(operation, &mut all);
    }
    match operation.answers {
        Answers::Document | Answers::Permission | Answers::Rows => read(operation, &mut all),
        Answers::Page => {
            all.pages(&[("200", "The page."), ("503", "The store does not answer.")]);
            if operation.path.contains('{') {
                all.pages(&[("404", "There is no such thing.")]);
            }
            if operation.path == "/sql/{view}" {
                all.pages(&[("400", "A parameter is not known or not allowed; the page says which are.")]);
            }
        }
        Answers::Form => {
            let mut taken = json!({"description": "Taken; the page to go on with is at Location."});
            taken["headers"]["Location"] = header("Where to go on.", json!({"type": "string"}));
            all.add("303", taken);
            all.pages(&[
                ("400", "A field is missing or not allowed; the page says which."),
                ("413", "The form is too large."),
                ("415", "It is no form."),
                ("503", "The store does not answer."),
            ]);
            all.pages(&[match operation.path {
                "/alerts/silences" => ("409", "There are as many silences as there may be."),
                _ => ("404", "There is no such alert or silence; the page says so."),
            }]);
        }
        Answers::Ingestion(event) => ingestion(event, &mut all),
        Answers::Telemetry => telemetry(operation, &mut all),
        Answers::Asset => {
            all.add("200", with("The file.", "*/*", json!({})));
            all.add("404", json!({"description": "There is no such file."}));
        }
        Answers::Stream => {
            all.add("200", with("A stream of events.", "text/event-stream", json!({"type": "string"})));
            let full = json!({"description": "As many connections as allowed are open; see Retry-After."});
            all.add("503", later(full));
        }
        Answers::Health => health(operation, &mut all),
        Answers::Metrics => {
            all.add("200", with("Prometheus's text format.", "text/plain", json!({"type": "string"})));
            all.add("500", json!({"description": "The metrics cannot be written."}));
        }
    }
    // What may be tried again after a while says when.
    for status in ["429", "503"] {
        if operation.answers != Answers::Health
            && let Some(response) = all.0.get_mut(status)
        {
            *response = later(response.take());
        }
    }
    if operation.is_tagged() {
        too_large(operation, &mut all);
        all.add(
            "304",
            json!({"description": "Nothing has changed since the answer that If-None-Match names."}),
        );
        let tag = json!({"type": "string", "pattern": "^\"[0-9a-f]{32}\"$"});
        all.0["200"]["headers"]["ETag"] = header("Names this answer, for If-None-Match.", tag);
    }
    Value::Object(all.0)
}

/// What the gate before every route answers.
fn gate(operation: &Operation, all: &mut Responses) {
    let mut unknown = problem("No token, or not an active one.", &["token_missing", "token_invalid"]);
    unknown["headers"]["WWW-Authenticate"] =
        header("Bearer, and Basic for browsers, a header each.", json!({"type": "string"}));
    all.add("401", unknown);
    let forbidden: &[&str] = match operation.scope {
        "admin" => &["scope_missing", "cross_origin"],
        "ingest" if !BY_MODEL.contains(&operation.path) => &["scope_missing", "token_limited_to_models"],
        _ => &["scope_missing"],
    };
    all.add(
        "403",
        problem("The token, or the page that the request comes from, may not do this.", forbidden),
    );
    all.add("421", problem("The request asks for a name that is none of the service.", &["unknown_host"]));
    all.add("429", problem("Too many requests a second.", &[RATE]));
}

/// What is tagged has a bound.
fn too_large(operation: &Operation, all: &mut Responses) {
    match operation.answers {
        Answers::Page => all.pages(&[("422", "The page would be too large.")]),
        _ => all.add(
            "422",
            problem("The answer would be too large; a smaller `limit` helps.", &["page_too_large"]),
        ),
    }
}

/// Documents of the read API, and of what is changed through it.
fn read(operation: &Operation, all: &mut Responses) {
    let Operation { method, path, answers, .. } = *operation;
    let document = || documents::at(method, path);
    all.add(
        "200",
        if answers == Answers::Rows { rows(document()) } else { with("The document.", JSON, document()) },
    );
    if path == "/api/openapi.json" {
        return;
    }
    if answers == Answers::Permission {
        all.add("409", with("The answer is no.", JSON, document()));
    }
    let (what, codes): (&str, &[&str]) = match method {
        "post" if answers != Answers::Permission => ("The body is not allowed.", &["invalid_body"][..]),
        "post" => (
            "The body, or a parameter, is not known or not allowed.",
            &["invalid_body", "unknown_parameter", "invalid_parameter"][..],
        ),
        _ => ("A parameter is not known or not allowed.", &["unknown_parameter", "invalid_parameter"][..]),
    };
    if method != "delete" {
        all.add("400", problem(what, codes));
    }
    if method == "post" {
        all.add("413", problem("The body is too large.", &TOO_LARGE));
    }
    if method == "post" && answers != Answers::Permission {
        all.add("415", problem("The body is no JSON by its Content-Type.", &UNSUPPORTED[..1]));
    }
    if (method, path) == ("post", "/api/v1/silences") {
        all.add("409", problem("There are as many silences as there may be.", &["too_many_silences"]));
    }
    if let Some(code) = missing(path) {
        all.add("404", problem("There is no such thing.", &[code]));
    }
    all.add("503", problem("The store does not answer.", &["store_unavailable"]));
}

/// The code of what a path names and is not there.
fn missing(path: &str) -> Option<&'static str> {
    let things = [
        ("/models/{model}/", "unknown_model"),
        ("/experiments/{name}", "unknown_experiment"),
        ("/views/{view}", "unknown_view"),
        ("/alerts/{fingerprint}/", "unknown_alert"),
        ("/silences/{id}", "unknown_silence"),
    ];
    // A gate that nobody has run is evaluated, too: as one of which nothing is known.
    let found = things.into_iter().find(|(part, _)| path.contains(*part)).map(|(_, code)| code);
    found.or_else(|| path.ends_with("/gates/{name}").then_some("unknown_gate"))
}

fn health(operation: &Operation, all: &mut Responses) {
    if operation.path == "/healthz" {
        let alive =
            json!({"type": "object", "required": ["status"], "properties": {"status": {"const": "ok"}}});
        all.add("200", with("The process is up.", JSON, alive));
        return;
    }
    let schema = json!({
        "type": "object", "required": ["ready", "checks"],
        "properties": {
            "ready": {"type": "boolean"},
            "checks": {
                "type": "object", "additionalProperties": {"type": "string"},
                "description": "`ok`, or what is wrong, of `ingest` and `store`.",
            },
        },
    });
    all.add("200", with("All is well.", JSON, schema.clone()));
    all.add("503", with("Something is missing; it is named.", JSON, schema));
}

/// Events, CloudEvents among them.
fn ingestion(event: &str, all: &mut Responses) {
    let has_key = event != "CloudEvent";
    let mut taken =
        with("Some of the batch is durable; what is not taken is listed.", JSON, reference("Accepted"));
    if has_key {
        let again = json!({
            "description": "`true` where the batch came before under its Idempotency-Key and with the same token: this is the first answer.",
            "required": false, "schema": {"type": "string", "const": "true"},
        });
        taken["headers"]["Idempotent-Replayed"] = again;
    }
    all.add("200", taken);
    let mut codes = BODY.to_vec();
    codes.extend(has_key.then_some("idempotency_key_invalid"));
    let mut none = problem("Nothing of the batch was taken.", &codes);
    none["content"][JSON] = json!({"schema": {"allOf": [reference("Accepted"), {"required": ["code"]}]}});
    all.add("400", none);
    if has_key {
        let reused = problem(
            "The Idempotency-Key came with another body and the same token before.",
            &["idempotency_key_reused"],
        );
        all.add("422", reused);
    }
    for (status, what, codes) in refusals() {
        all.add(status, problem(what, &codes));
    }
}

/// OpenTelemetry's protocol answers in the encoding of the request; a refusal is a `google.rpc.Status`, but for those of the gate.
fn telemetry(operation: &Operation, all: &mut Responses) {
    let rejected = match operation.path {
        "/v1/traces" => "rejectedSpans",
        "/v1/logs" => "rejectedLogRecords",
        _ => "rejectedDataPoints",
    };
    let partial = json!({
        "type": "object",
        "properties": {
            rejected: {"type": "string", "pattern": "^[0-9]+$", "description": "How many were not taken."},
            "errorMessage": {"type": "string", "description": "Why not."},
        },
    });
    let taken = json!({"type": "object", "properties": {"partialSuccess": partial}});
    all.add("200", in_its_encoding("Taken; what was not is counted in the partial success.", taken));
    let mut codes = BODY.to_vec();
    codes.push("invalid_otlp");
    all.add("400", in_its_encoding("The message cannot be read.", status(&codes)));
    for (number, what, codes) in refusals() {
        let mut refused = in_its_encoding(what, status(&codes));
        if number == "429" {
            let rate = problem("", &[RATE]);
            refused["content"][PROBLEM] = rate["content"][PROBLEM].clone();
        }
        all.add(number, refused);
    }
}

/// What is refused whole of everything that comes in under `/v1/`: status, words and codes.
fn refusals() -> [(&'static str, &'static str, Vec<&'static str>); 6] {
    let shed = SHED.into_iter().chain([RATE]).collect();
    [
        ("408", "The body did not arrive in time; the connection is closed.", LATE.to_vec()),
        ("413", "The body is too large, or what it becomes.", TOO_LARGE.to_vec()),
        ("415", "The content type or the content encoding is not taken.", UNSUPPORTED.to_vec()),
        ("429", "Too many requests a second, or the spool takes no more for now; see Retry-After.", shed),
        ("500", "A fault of the service; nothing was stored.", INTERNAL.to_vec()),
        ("503", "The service cannot take it now; see Retry-After.", AWAY.to_vec()),
    ]
}

/// The rows of a view, in the format that `format` or `Accept` asks for.
fn rows(document: Value) -> Value {
    let mut rows = with("The rows, in the format asked for.", JSON, document);
    rows["content"]["text/csv"] = json!({"schema": {
        "type": "string", "description": "A line of names, and a line a row (RFC 4180, UTF-8).",
    }});
    rows["content"]["application/vnd.apache.arrow.stream"] = json!({"schema": {
        "description": "A stream of Arrow IPC with the same columns, in their own types.",
    }});
    rows
}

/// A problem with one of these codes.
fn problem(what: &str, codes: &[&str]) -> Value {
    let one_of = json!({"properties": {"code": {"enum": codes}}});
    with(what, PROBLEM, json!({"allOf": [reference("Problem"), one_of]}))
}

/// A status whose message begins with one of these codes.
fn status(codes: &[&str]) -> Value {
    let pattern = format!("^({}): ", codes.join("|"));
    json!({"allOf": [reference("RpcStatus"), {"properties": {"message": {"pattern": pattern}}}]})
}

fn in_its_encoding(what: &str, schema: Value) -> Value {
    // Of a message in protobuf the schema describes what it is in JSON.
    let schema = json!({"schema": schema});
    json!({"description": what, "content": {JSON: schema, PROTOBUF: schema}})
}

/// Says when to come again.
fn later(mut response: Value) -> Value {
    let seconds = json!({"type": "integer", "minimum": 1});
    response["headers"]["Retry-After"] = header("Seconds after which it may be tried again.", seconds);
    response
}

fn header(what: &str, schema: Value) -> Value {
    json!({"required": true, "description": what, "schema": schema})
}

fn with(what: &str, media: &str, schema: Value) -> Value {
    json!({"description": what, "content": {media: {"schema": schema}}})
}
