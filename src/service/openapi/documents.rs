//! The documents of the read API: what each list holds, field by field. A story holds what the service answers against this.

use serde_json::{Map, Value, json};

use super::{changes, single};

/// A field and its type in JSON; `?` behind a type says that it may be null, and `any` stands for all types.
pub type Field = (&'static str, &'static str);

/// A document with a list in it.
struct List {
    path: &'static str,
    schema: &'static str,
    /// The key of the list.
    entries: &'static str,
    /// Of an entry, beside those of a run where it is one.
    fields: &'static [Field],
    is_run: bool,
}

/// What every run of findings says of itself.
const RUN: &[Field] = &[
    ("run_id", "string"),
    ("computed_at", "string"),
    ("monitor", "string"),
    ("version", "string"),
    ("environment", "string"),
    ("reference_kind", "string"),
    ("reference_name", "string"),
    ("window_start", "string"),
    ("window_end", "string"),
    ("granularity", "string"),
];

/// A silence.
pub const SILENCE: &[Field] = &[
    ("id", "string"),
    ("state", "string"),
    ("matchers", "array"),
    ("starts_at", "string"),
    ("ends_at", "string"),
    ("created_by", "string"),
    ("comment", "string"),
];

const fn list(
    path: &'static str,
    schema: &'static str,
    entries: &'static str,
    fields: &'static [Field],
) -> List {
    List { path, schema, entries, fields, is_run: false }
}

const fn runs(path: &'static str, schema: &'static str, fields: &'static [Field]) -> List {
    List { is_run: true, ..list(path, schema, "runs", fields) }
}

const LISTS: &[List] = &[
    list(
        "/api/v1/models",
        "windvane.models/1",
        "models",
        &[
            ("model", "string"),
            ("version", "string"),
            ("environment", "string"),
            ("predictions", "integer"),
            ("outcomes", "integer"),
            ("first_ts", "string"),
            ("last_ts", "string"),
            ("latency_p50_us", "number?"),
            ("latency_p99_us", "number?"),
        ],
    ),
    list(
        "/api/v1/models/{model}/drift",
        "windvane.drift_runs/1",
        "runs",
        &[
            ("run_id", "string"),
            ("computed_at", "string"),
            ("monitor", "string"),
            ("version", "string"),
            ("environment", "string"),
            ("reference", "object"),
            ("window", "object"),
            ("granularity", "string"),
            ("verdict", "string"),
            ("columns", "array"),
            ("segments", "array"),
        ],
    ),
    list(
        "/api/v1/models/{model}/performance",
        "windvane.performance_windows/1",
        "windows",
        &[
            ("run_id", "string"),
            ("computed_at", "string"),
            ("monitor", "string"),
            ("version", "string"),
            ("environment", "string"),
            ("task", "string"),
            ("reference", "object"),
            ("start", "string"),
            ("end", "string"),
            ("granularity", "string"),
            ("verdict", "string"),
            ("n", "integer"),
            ("labelled", "integer"),
            ("coverage", "number?"),
            ("trust", "any"),
            ("concept_drift", "any"),
            ("weakest_segments", "any"),
            ("metrics", "array"),
            ("segments", "array"),
        ],
    ),
    runs(
        "/api/v1/models/{model}/latency",
        "windvane.latency_runs/1",
        &[("groups", "array"), ("objectives", "array")],
    ),
    runs(
        "/api/v1/models/{model}/quality",
        "windvane.quality_runs/1",
        &[
            ("rows_reference", "integer"),
            ("rows_current", "integer"),
            ("verdict", "string"),
            ("checks", "array"),
        ],
    ),
    runs(
        "/api/v1/models/{model}/fairness",
        "windvane.fairness_runs/1",
        &[
            ("group_by", "string"),
            ("reference_group", "string?"),
            ("max_gap", "number?"),
            ("verdict", "string"),
            ("groups", "array"),
        ],
    ),
    runs(
        "/api/v1/models/{model}/attribution",
        "windvane.attribution_runs/1",
        &[
            ("verdict", "string"),
            ("ndcg", "number?"),
            ("ci", "array?"),
            ("threshold", "number?"),
            ("rows_reference", "integer"),
            ("rows_current", "integer"),
            ("features", "array"),
        ],
    ),
    list(
        "/api/v1/experiments",
        "windvane.experiments/1",
        "experiments",
        &[
            ("experiment", "string"),
            ("as_of", "string"),
            ("first_as_of", "string"),
            ("looks", "integer"),
            ("verdict", "string"),
            ("control", "string?"),
            ("srm", "object?"),
            ("arms", "array"),
            ("comparisons", "array"),
        ],
    ),
    list(
        "/api/v1/gates",
        "windvane.gates/1",
        "gates",
        &[
            ("gate", "string"),
            ("run_id", "string"),
            ("computed_at", "string"),
            ("model", "string"),
            ("version", "string"),
            ("candidate_sha256", "string"),
            ("verdict", "string"),
        ],
    ),
    list(
        "/api/v1/alerts",
        "windvane.alerts/1",
        "alerts",
        &[
            ("fingerprint", "string"),
            ("rule", "string"),
            ("state", "string"),
            ("since", "string"),
            ("labels", "object"),
            ("annotations", "object"),
            ("value", "number?"),
            ("link", "string?"),
            ("silenced_by", "string?"),
            ("inhibited_by", "string?"),
            ("acknowledged_by", "string?"),
            ("receivers", "array"),
        ],
    ),
    list(
        "/api/v1/alerts/events",
        "windvane.alert_events/1",
        "events",
        &[
            ("at", "string"),
            ("rule", "string"),
            ("fingerprint", "string"),
            ("from_state", "string"),
            ("to_state", "string"),
            ("reason", "string"),
            ("severity", "string"),
            ("labels", "object"),
            ("value", "number?"),
            ("summary", "string"),
            ("link", "string?"),
        ],
    ),
    list("/api/v1/silences", "windvane.silences/1", "silences", SILENCE),
    list(
        "/api/v1/monitors",
        "windvane.monitors/1",
        "monitors",
        &[
            ("kind", "string"),
            ("monitor", "string"),
            ("model", "string"),
            ("enabled", "boolean"),
            ("state", "string"),
            ("next_due", "string"),
            ("seen_at", "string"),
            ("settings", "any"),
            ("last_run", "object?"),
        ],
    ),
    list(
        "/api/v1/views",
        "windvane.views/1",
        "views",
        &[
            ("view", "string"),
            ("about", "string"),
            ("parameters", "array"),
            ("href", "string"),
            ("sql", "string"),
        ],
    ),
];

/// The schema of what a method of a path answers: of a list, of one thing, of a change, or any object.
pub fn at(method: &str, path: &str) -> Value {
    let found = LISTS.iter().find(|list| method == "get" && list.path == path);
    let Some(list) = found else {
        let found = changes::at(method, path).or_else(|| single::at(path));
        return found.unwrap_or_else(|| json!({"type": "object"}));
    };
    let of_run: &[Field] = if list.is_run { RUN } else { &[] };
    let fields: Vec<Field> = of_run.iter().chain(list.fields).copied().collect();
    let mut properties = Map::new();
    properties.insert("schema".to_owned(), json!({"const": list.schema}));
    properties.insert(list.entries.to_owned(), json!({"type": "array", "items": object(&fields)}));
    // The views are one page.
    if list.entries != "views" {
        let about = "Where the next page starts; null on the last one.";
        properties
            .insert("next_offset".to_owned(), json!({"type": ["integer", "null"], "description": about}));
    }
    let required: Vec<&String> = properties.keys().collect();
    json!({"type": "object", "required": required, "properties": properties})
}

/// An object of which all of these fields are there.
pub fn object(fields: &[Field]) -> Value {
    let properties: Map<String, Value> =
        fields.iter().map(|(name, kind)| ((*name).to_owned(), described(kind))).collect();
    let required: Vec<&str> = fields.iter().map(|(name, _)| *name).collect();
    json!({"type": "object", "required": required, "properties": properties})
}

/// The schema of a kind of field.
pub fn described(kind: &str) -> Value {
    match kind.strip_suffix('?') {
        _ if kind == "any" => json!({}),
        Some(kind) => json!({"type": [kind, "null"]}),
        None => json!({"type": kind}),
    }
}

#[cfg(test)]
mod tests {
    use super::super::paths::{Answers, OPERATIONS, Operation};
    use super::*;

    #[test]
    fn a_list_is_described_to_its_fields() {
        let gates = at("get", "/api/v1/gates");
        assert_eq!(gates["properties"]["schema"]["const"], "windvane.gates/1");
        assert_eq!(gates["required"].as_array().map(Vec::len), Some(3), "schema, gates, next_offset");
        assert_eq!(gates["properties"]["gates"]["items"]["properties"]["verdict"], json!({"type": "string"}));
        let latency = at("get", "/api/v1/models/{model}/latency");
        let entry = &latency["properties"]["runs"]["items"];
        assert!(entry["properties"]["window_start"].is_object() && entry["properties"]["groups"].is_object());
    }

    #[test]
    fn every_document_of_the_read_api_and_every_change_has_fields() {
        let documents = OPERATIONS.iter().filter(|operation| {
            let answers = [Answers::Document, Answers::Permission, Answers::Rows];
            operation.path.starts_with("/api/v1/") && answers.contains(&operation.answers)
        });
        let unknown: Vec<&Operation> = documents
            .filter(|operation| !at(operation.method, operation.path)["properties"].is_object())
            .collect();
        assert!(unknown.is_empty(), "{unknown:?}");
        let gate = at("get", "/api/v1/gates/{name}");
        assert_eq!(gate["properties"]["schema"]["const"], "windvane.gate/1");
        let silence = at("post", "/api/v1/silences");
        assert_eq!(silence["required"].as_array().map(Vec::len), Some(7), "{silence}");
    }

    #[test]
    fn every_list_of_the_read_api_is_described() {
        let pages = OPERATIONS.iter().filter(|operation| {
            let paged =
                operation.parameters.iter().any(|parameter| parameter.described()["name"] == "offset");
            operation.method == "get" && operation.path.starts_with("/api/v1/") && paged
        });
        let missing: Vec<&str> = pages
            .map(|operation| operation.path)
            .filter(|path| LISTS.iter().all(|list| list.path != *path))
            .collect();
        assert!(missing.is_empty(), "{missing:?}");
        for list in LISTS {
            assert!(OPERATIONS.iter().any(|operation| operation.path == list.path), "{}", list.path);
        }
    }
}
