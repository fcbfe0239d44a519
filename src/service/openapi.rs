//! `/api/openapi.json`: what the service's HTTP interface is, for programs that make clients and tests of it.
//!
//! Written by hand as one table, [`paths::OPERATIONS`], because handlers answer documents that are defined elsewhere
//! and statements cannot be read off types. A test reads every `.route(…)` of the sources and fails where one is missing here.

mod answers;
mod changes;
mod components;
mod documents;
mod events;
mod gate;
mod meanings;
mod paths;
mod requests;
mod single;

use std::sync::Arc;

use axum::Json;
use axum::Router;
use axum::routing::get;
use serde_json::{Map, Value, json};
use windvane_collector::Gate;

use self::meanings::meaning;
use self::paths::{Answers, OPERATIONS, Operation, Parameter};

/// The route; it needs no store. Whether requests need a token is what the gate says when it is asked.
pub fn router(gate: &Arc<Gate>) -> Router {
    let gate = Arc::clone(gate);
    Router::new().route(
        "/api/openapi.json",
        get(move || {
            let is_token_needed = gate.asks_for_tokens();
            async move { Json(document(is_token_needed)) }
        }),
    )
}

/// The whole document.
fn document(is_token_needed: bool) -> Value {
    let mut paths = Map::new();
    for operation in OPERATIONS {
        let path = paths.entry(operation.path).or_insert_with(|| json!({}));
        path[operation.method] = described(operation, is_token_needed);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Windvane",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Ingestion, read API and pages of a Windvane service. Every error is problem+json with a stable `code` (docs/OPERATIONS.md), but those of pages, and of OpenTelemetry's protocol, which has its own.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": components::components(),
    })
}

fn described(operation: &Operation, is_token_needed: bool) -> Value {
    let Operation { path, summary, scope, parameters, answers, .. } = operation;
    let in_path = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let mut all: Vec<Value> = in_path
        .map(|name| {
            let mut described = json!({"name": name, "in": "path", "required": true, "schema": {"type": "string", "minLength": 1, "maxLength": 256}});
            if let Some(meaning) = meaning(name) {
                described["description"] = json!(meaning);
            }
            if matches!(name, "model" | "column" | "name") {
                described["description"] = json!("Names `.` and `..`, which are taken out of paths on their way, are written `~.` and `~..`; a name that is written so has one tilde more.");
            }
            described
        })
        .collect();
    all.extend(parameters.iter().map(Parameter::described));
    if operation.is_tagged() {
        all.push(json!({
            "name": "If-None-Match", "in": "header", "required": false,
            "description": "The ETag of an earlier answer, several of them, or `*`; the answer is 304 where nothing has changed.",
            "schema": {"type": "string", "maxLength": 200, "pattern": "^[!-~]([ -~]*[!-~])?$"},
        }));
    }
    let body = match answers {
        Answers::Ingestion(event) => {
            all.extend(requests::headers(event));
            Some(requests::records(event))
        }
        Answers::Telemetry => Some(requests::telemetry(path)),
        _ => changes::body(operation.method, path),
    };
    if matches!(answers, Answers::Ingestion(_) | Answers::Telemetry) {
        all.push(requests::content_encoding());
    }
    let security = components::security(scope, operation.is_for_browsers(), is_token_needed);
    let responses = answers::of(operation);
    let mut described =
        json!({"summary": summary, "parameters": all, "security": security, "responses": responses});
    if !scope.is_empty() {
        described["description"] = json!(format!("Needs the scope `{scope}`, once there is a token."));
    }
    if let Some(body) = body {
        described["requestBody"] = body;
    }
    described
}

#[cfg(test)]
mod tests;
