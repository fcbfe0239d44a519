//! `/api/openapi.json`: what the service's HTTP interface is, for programs that make clients and tests of it.
//!
//! Written by hand as one table, [`paths::OPERATIONS`], because handlers answer documents that are defined elsewhere
//! and statements cannot be read off types. A test reads every `.route(…)` of the sources and fails where one is missing here.

mod changes;
mod documents;
mod events;
mod gate;
mod paths;
mod single;

use axum::Json;
use axum::Router;
use axum::routing::get;
use serde_json::{Map, Value, json};

use self::paths::{Answers, OPERATIONS, Operation, Parameter};

/// The route; it needs no store.
pub fn router() -> Router {
    Router::new().route("/api/openapi.json", get(|| async { Json(document()) }))
}

/// The whole document.
fn document() -> Value {
    let mut paths = Map::new();
    for operation in OPERATIONS {
        let path = paths.entry(operation.path).or_insert_with(|| json!({}));
        path[operation.method] = described(operation);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Windvane",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Ingestion, read API and pages of a Windvane service. Every error is problem+json with a stable `code` (docs/OPERATIONS.md).",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "schemas": schemas(),
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "A token of `windvane token create`; needed once there is one."},
                "password": {"type": "http", "scheme": "basic", "description": "The token as password, for GET in browsers."},
            },
        },
    })
}

fn schemas() -> Value {
    let mut schemas = Map::new();
    schemas.insert("Problem".to_owned(), problem_schema());
    schemas.insert("Accepted".to_owned(), accepted());
    schemas.extend(events::schemas().map(|(name, schema)| (name.to_owned(), schema)));
    Value::Object(schemas)
}

fn described(operation: &Operation) -> Value {
    let Operation { path, summary, scope, parameters, answers, .. } = operation;
    let in_path = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let mut all: Vec<Value> = in_path
        .map(|name| {
            json!({"name": name, "in": "path", "required": true, "schema": {"type": "string", "minLength": 1, "maxLength": 256}})
        })
        .collect();
    all.extend(parameters.iter().map(Parameter::described));
    if is_tagged(operation) {
        all.push(json!({
            "name": "If-None-Match", "in": "header", "required": false,
            "description": "The ETag of an earlier answer, several of them, or `*`; the answer is 304 where nothing has changed.",
            "schema": {"type": "string", "maxLength": 200, "pattern": "^[!-~]([ -~]*[!-~])?$"},
        }));
    }
    let mut described = json!({"summary": summary, "parameters": all, "responses": responses(operation)});
    if !scope.is_empty() {
        described["description"] = json!(format!("Needs the scope `{scope}`, once there is a token."));
        // The empty entry: without tokens nobody needs one.
        described["security"] = json!([{"token": []}, {"password": []}, {}]);
    }
    if let Some(body) = changes::body(operation.method, operation.path) {
        described["requestBody"] = body;
    }
    if *answers == Answers::Telemetry {
        described["requestBody"] = json!({
            "required": true,
            "description": "An export request of the protocol; gzip and zstd are taken.",
            "content": {"application/json": {"schema": {"type": "object"}}},
        });
    }
    if let Answers::Ingestion(event) = answers {
        let (media, schema) = (events::media_type(event), events::body(event));
        described["requestBody"] = json!({
            "required": true,
            "description": "An object, an array of objects, or an object a line (application/x-ndjson); gzip and zstd are taken.",
            "content": {media: {"schema": schema}},
        });
        let key = json!({
            "name": "Idempotency-Key", "in": "header", "required": false,
            "description": "A batch that comes again under its key is stored once.",
            "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[A-Za-z0-9-]+$"},
        });
        if let Some(parameters) = described["parameters"].as_array_mut() {
            parameters.push(key);
        }
    }
    described
}

fn responses(operation: &Operation) -> Value {
    let Operation { method, path, scope, answers, .. } = *operation;
    let mut responses = Map::new();
    let mut add = |status: &str, response: Value| {
        responses.insert(status.to_owned(), response);
    };
    match answers {
        Answers::Document | Answers::Permission => {
            if answers == Answers::Permission {
                add("409", with("The answer is no.", "application/json", documents::at(method, path)));
            }
            add("200", with("The document.", "application/json", documents::at(method, path)));
            add("400", problem("A parameter is not known or not allowed."));
            add("404", problem("There is no such thing."));
            add("422", problem("The answer would be too large."));
            add("503", problem("The store does not answer."));
        }
        Answers::Page => {
            for (status, what) in [
                ("200", "The page."),
                ("404", "There is no such thing."),
                ("503", "The store does not answer."),
            ] {
                add(status, with(what, "text/html", json!({"type": "string"})));
            }
        }
        Answers::Form => {
            add("303", json!({"description": "Taken; the page is at Location."}));
            for (status, what) in [
                ("400", "A field is missing or not allowed; the page says which."),
                ("415", "The content type is not that of a form."),
                ("422", "A field is missing."),
                ("503", "The store does not answer."),
            ] {
                add(status, with(what, "text/html", json!({"type": "string"})));
            }
        }
        Answers::Ingestion(_) => ingestion(&mut add),
        Answers::Telemetry => telemetry(&mut add),
        Answers::Rows => {
            add("200", rows(documents::at(method, path)));
            add("400", problem("A parameter is not known or not allowed."));
            add("404", problem("There is no such view."));
            add("503", problem("The store does not answer."));
        }
        Answers::Asset => {
            add("200", with("The file.", "*/*", json!({})));
            add("404", json!({"description": "There is no such file."}));
        }
        Answers::Stream => {
            add("200", with("A stream of events.", "text/event-stream", json!({"type": "string"})));
            add("503", json!({"description": "As many connections as allowed are open."}));
        }
        Answers::Health => {
            add("200", with("All is well.", "application/json", json!({"type": "object"})));
            add(
                "503",
                with("Something is missing; it is named.", "application/json", json!({"type": "object"})),
            );
        }
        Answers::Metrics => {
            add("200", with("Prometheus's text format.", "text/plain", json!({"type": "string"})))
        }
    }
    if !scope.is_empty() {
        add("401", problem("No token, or not an active one."));
        add("403", problem("The token has not the scope."));
        add("429", problem("Too many requests, or the spool is full; see Retry-After."));
    }
    if is_tagged(operation) {
        add("304", json!({"description": "Nothing has changed since the answer that If-None-Match names."}));
        responses["200"]["headers"] = json!({
            "ETag": {
                "required": true,
                "description": "Names this answer, for If-None-Match.",
                "schema": {"type": "string", "pattern": "^\"[0-9a-f]{32}\"$"},
            },
        });
    }
    Value::Object(responses)
}

/// Whether the answers of an operation carry an ETag: all that is read of the store does, streams and files do not.
fn is_tagged(operation: &Operation) -> bool {
    let reads = matches!(operation.answers, Answers::Document | Answers::Page | Answers::Rows);
    reads && operation.method == "get" && operation.path != "/api/openapi.json"
}

/// The rows of a view, in the format that `format` or `Accept` asks for.
fn rows(document: Value) -> Value {
    let mut rows = with("The rows, in the format asked for.", "application/json", document);
    rows["content"]["text/csv"] = json!({"schema": {
        "type": "string", "description": "A line of names, and a line a row (RFC 4180, UTF-8).",
    }});
    rows["content"]["application/vnd.apache.arrow.stream"] = json!({"schema": {
        "description": "A stream of Arrow IPC with the same columns, in their own types.",
    }});
    rows
}

fn problem(what: &str) -> Value {
    with(what, "application/problem+json", json!({"$ref": "#/components/schemas/Problem"}))
}

fn with(what: &str, media: &str, schema: Value) -> Value {
    json!({"description": what, "content": {media: {"schema": schema}}})
}

fn ingestion(add: &mut impl FnMut(&str, Value)) {
    let reference = json!({"$ref": "#/components/schemas/Accepted"});
    add(
        "200",
        with("Some of the batch is durable; the rest is listed.", "application/json", reference.clone()),
    );
    let mut none = problem("Nothing of the batch was taken.");
    none["content"]["application/json"] = json!({"schema": reference});
    add("400", none);
    for (status, what) in [
        ("408", "The body did not arrive."),
        ("413", "The body is too large, also after decompression."),
        ("415", "The content type or encoding is not taken."),
        ("422", "The Idempotency-Key came with another body before."),
        ("503", "The service cannot take it now; see Retry-After."),
    ] {
        add(status, problem(what));
    }
}

/// Answers in the encoding of the request; a refusal is a `google.rpc.Status`.
fn telemetry(add: &mut impl FnMut(&str, Value)) {
    for (status, what) in [
        ("200", "Taken; what was not is counted in the partial success."),
        ("400", "The message cannot be read."),
        ("408", "The body did not arrive."),
        ("413", "The message is too large."),
        ("415", "The content type or encoding is not taken."),
        ("503", "The service cannot take it now; see Retry-After."),
    ] {
        let content = json!({"application/json": {"schema": {"type": "object"}}, "application/x-protobuf": {"schema": {}}});
        add(status, json!({"description": what, "content": content}));
    }
}

fn problem_schema() -> Value {
    json!({
        "type": "object",
        "required": ["type", "title", "status", "code", "detail"],
        "properties": {
            "type": {"type": "string"}, "title": {"type": "string"}, "status": {"type": "integer"},
            "code": {"type": "string", "description": "Stable; programs may branch on it."},
            "detail": {"type": "string", "description": "What was found, and what would have been accepted."},
        },
    })
}

fn accepted() -> Value {
    json!({
        "type": "object",
        "required": ["accepted", "rejected"],
        "properties": {
            "accepted": {"type": "integer", "minimum": 0},
            "rejected": {"type": "array", "items": {
                "type": "object",
                "required": ["index", "code", "message"],
                "properties": {"index": {"type": "integer", "minimum": 0}, "code": {"type": "string"}, "message": {"type": "string"}},
            }},
            "rejected_not_shown": {"type": "integer"},
            "event_ids": {"type": "array", "items": {"type": "string"}},
            "code": {"type": "string"},
        },
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use windvane_types::event::Kind;

    use super::*;

    /// The paths of every `.route("…")` below a folder, and every file there.
    fn routes(folder: &Path, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                routes(&path, found);
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            let code = text.split("#[cfg(test)]").next().unwrap_or_default();
            let pieces = code.split(".route(").skip(1).map(str::trim_start);
            let literals = pieces.filter_map(|piece| piece.strip_prefix('"')?.split_once('"'));
            found.extend(literals.map(|(path, _)| path.to_owned()));
        }
    }

    #[test]
    fn every_route_of_the_sources_is_described() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let signals = ["traces", "logs", "metrics"].into_iter();
        let words = Kind::ALL.iter().map(|kind| kind.plural()).chain(signals);
        let mut found: Vec<String> = words.map(|word| format!("/v1/{word}")).collect();
        for folder in ["collector/src/http", "web/src", "src/service"] {
            routes(&root.join(folder), &mut found);
        }
        assert!(found.len() > 12, "{found:?}");
        let is_described = |path: &String| OPERATIONS.iter().any(|operation| operation.path == path);
        let missing: Vec<&String> = found.iter().filter(|path| !is_described(path)).collect();
        assert!(missing.is_empty(), "add these to src/service/openapi/paths.rs: {missing:?}");
    }

    #[test]
    fn what_is_read_may_be_asked_for_if_it_has_changed() {
        let document = document();
        let drift = &document["paths"]["/api/v1/models/{model}/drift"]["get"];
        assert!(drift["responses"]["200"]["headers"]["ETag"].is_object(), "{drift}");
        assert!(drift["responses"]["304"]["content"].is_null(), "{drift}");
        let is_header = |parameter: &Value| parameter["name"] == "If-None-Match";
        assert!(drift["parameters"].as_array().unwrap().iter().any(is_header), "{drift}");
        for (path, method) in [
            ("/events", "get"),
            ("/metrics", "get"),
            ("/api/openapi.json", "get"),
            ("/api/v1/silences", "post"),
        ] {
            assert!(document["paths"][path][method]["responses"]["304"].is_null(), "{method} {path}");
        }
        let rows = &document["paths"]["/api/v1/views/{view}"]["get"]["responses"]["200"]["content"];
        assert_eq!(rows.as_object().map(Map::len), Some(3), "{rows}");
    }

    #[test]
    fn each_operation_stands_once_and_its_references_resolve() {
        for (at, operation) in OPERATIONS.iter().enumerate() {
            let same = |other: &&Operation| other.path == operation.path && other.method == operation.method;
            assert_eq!(
                OPERATIONS[at..].iter().filter(same).count(),
                1,
                "{} {}",
                operation.method,
                operation.path
            );
        }
        let document = document();
        let text = document.to_string();
        for reference in text.split("\"$ref\":\"#").skip(1) {
            let pointer = reference.split('"').next().unwrap();
            assert!(document.pointer(pointer).is_some(), "{pointer}");
        }
    }
}
