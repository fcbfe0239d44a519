//! What changes something: the bodies that are taken, and what is answered.

use serde_json::{Map, Value, json};

use super::documents::{SILENCE, object};

/// The body of a request, where one is taken.
pub fn body(method: &str, path: &str) -> Option<Value> {
    let fields = match path {
        "/alerts/acknowledge" => Some(&["fingerprint", "by", "comment"][..]),
        "/alerts/silences" => Some(&["matchers", "for", "created_by", "comment"][..]),
        "/alerts/silences/end" => Some(&["id"][..]),
        _ => None,
    };
    if let Some(fields) = fields {
        return Some(form(fields));
    }
    let (required, about, schema) = match (method, path) {
        ("post", "/api/v1/silences") => (
            true,
            "What is silenced, for how long, and why. One of `ends_at` and `for` is needed.",
            silence(),
        ),
        ("post", "/api/v1/alerts/{fingerprint}/acknowledge") => {
            (true, "Who looks after the alert.", acknowledgement())
        }
        ("post", "/api/v1/gates/{name}/evaluate") => (
            false,
            "As Flagger's webhooks send it; `metadata` may hold the parameters of the query.",
            webhook(),
        ),
        _ => return None,
    };
    Some(json!({
        "required": required, "description": about, "content": {"application/json": {"schema": schema}},
    }))
}

/// The schema of what a change answers.
pub fn at(method: &str, path: &str) -> Option<Value> {
    match (method, path) {
        ("post", "/api/v1/silences") | ("delete", "/api/v1/silences/{id}") => {
            let mut shown = object(SILENCE);
            shown["properties"]["state"]["enum"] = json!(["pending", "active", "expired"]);
            shown["properties"]["matchers"]["items"] = json!({"type": "string"});
            Some(shown)
        }
        ("post", "/api/v1/alerts/{fingerprint}/acknowledge") => {
            Some(object(&[("fingerprint", "string"), ("acknowledged_by", "string"), ("comment", "string")]))
        }
        _ => None,
    }
}

/// The form of a page, with a text in each of its fields.
fn form(fields: &[&str]) -> Value {
    let properties: Map<String, Value> = fields
        .iter()
        .map(|name| ((*name).to_owned(), json!({"type": "string", "maxLength": 1000})))
        .collect();
    let schema = json!({"type": "object", "required": fields, "properties": properties});
    json!({
        "required": true, "description": "The form of the page.",
        "content": {"application/x-www-form-urlencoded": {"schema": schema}},
    })
}

fn silence() -> Value {
    let time = json!({"type": "string", "description": "RFC 3339.", "examples": ["2026-03-01T22:00:00Z"]});
    json!({
        "type": "object",
        "required": ["matchers", "comment"],
        "oneOf": [{"required": ["ends_at"]}, {"required": ["for"]}],
        "additionalProperties": false,
        "properties": {
            "matchers": {
                "type": "array", "minItems": 1, "maxItems": 20,
                "items": {"type": "string", "minLength": 3, "maxLength": 250},
                "description": "Alerts that fulfil all of them are not told: `model=delay`, `rule=~Feature.*`, also `!=` and `!~`.",
                "examples": [["model=delay"]],
            },
            "starts_at": time,
            "ends_at": time,
            "for": {"type": "string", "description": "A length such as 90m, 4h or 2d.", "examples": ["2h"]},
            "created_by": {"type": "string", "maxLength": 1000, "description": "Who makes it; `api` where it is left out."},
            "comment": {"type": "string", "minLength": 1, "maxLength": 1000, "description": "Why."},
        },
    })
}

fn acknowledgement() -> Value {
    json!({
        "type": "object",
        "required": ["by"],
        "properties": {
            "by": {"type": "string", "minLength": 1, "maxLength": 1000, "description": "Who looks after it."},
            "comment": {"type": "string", "maxLength": 1000},
        },
    })
}

fn webhook() -> Value {
    let word = json!({"type": ["string", "number"]});
    json!({
        "type": "object",
        "properties": {"metadata": {
            "type": ["object", "null"],
            "properties": {
                "candidate_sha256": word, "max_age_s": word, "weight": word, "experiment": word,
            },
        }},
    })
}
