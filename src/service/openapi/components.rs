//! What operations refer to: schemas of answers and of events, and how a request says who sends it.

use serde_json::{Map, Value, json};
use windvane_types::rejection::Code;

use super::events;

/// The components of the document.
pub fn components() -> Value {
    let mut schemas = Map::new();
    schemas.insert("Problem".to_owned(), problem());
    schemas.insert("Accepted".to_owned(), accepted());
    schemas.insert("RpcStatus".to_owned(), rpc_status());
    schemas.extend(events::schemas().map(|(name, schema)| (name.to_owned(), schema)));
    json!({"schemas": schemas, "securitySchemes": security_schemes()})
}

/// A reference to a schema of this name.
pub fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

/// Who may use an operation: a token of the scope, or nobody in particular while the service has no token at all.
pub fn security(scope: &str, by_password: bool, is_token_needed: bool) -> Value {
    if scope.is_empty() {
        return json!([]);
    }
    let mut ways = vec![json!({"token": [scope]})];
    if by_password {
        ways.push(json!({"password": [scope]}));
    }
    if !is_token_needed {
        ways.push(json!({}));
    }
    Value::Array(ways)
}

fn security_schemes() -> Value {
    json!({
        "token": {
            "type": "http", "scheme": "bearer",
            "description": "A token of `windvane token create`; needed once there is one. Its scopes are the roles that operations name: `ingest` (all under /v1/), `read` (pages, /api/ by GET, /metrics), `admin` (everything, and all that changes something).",
        },
        "password": {
            "type": "http", "scheme": "basic",
            "description": "The token as password with any user name, for browsers: for GET, and for forms of the service's own pages.",
        },
    })
}

fn problem() -> Value {
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
                "properties": {
                    "index": {"type": "integer", "minimum": 0},
                    "code": {"type": "string", "enum": Code::ALL.map(Code::as_str)},
                    "message": {"type": "string"},
                },
            }},
            "rejected_not_shown": {"type": "integer"},
            "event_ids": {"type": "array", "items": {"type": "string"}},
            "code": {"const": "no_event_accepted", "description": "Where nothing was accepted."},
        },
    })
}

/// `google.rpc.Status`, as OpenTelemetry's protocol has it in JSON.
fn rpc_status() -> Value {
    json!({
        "type": "object",
        "required": ["code", "message"],
        "properties": {
            "code": {"type": "integer", "description": "gRPC's number."},
            "message": {"type": "string", "description": "The stable word of the refusal, a colon, and what would have been accepted."},
        },
    })
}
