//! The read API against its own description, and what it sends again.

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::{StatusCode, header};
use serde_json::Value;
use windvane_kit::{Service, eventually_async};

use crate::seeded;

const PATIENCE: Duration = Duration::from_secs(30);

/// Asks for a path, unless its answer is one that is had already.
async fn get(service: &Service, path: &str, had: Option<&str>) -> reqwest::Response {
    let mut request = reqwest::Client::new().get(format!("{}{path}", service.url()));
    if let Some(tag) = had {
        request = request.header(header::IF_NONE_MATCH, tag);
    }
    request.send().await.unwrap()
}

/// A path of the description with names of what was seeded.
fn seeded_path(path: &str) -> String {
    let name = if path.starts_with("/api/v1/experiments/") { "checkout" } else { "delay-8" };
    path.replace("{model}", "delay%20%3C7%3E").replace("{name}", name).replace("{view}", "gates")
}

/// The schema of what a path answers, of the description that the service gives of itself.
fn schema<'a>(interface: &'a Value, path: &str) -> &'a Value {
    &interface["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
}

/// Every document of the read API is as the interface describes it, entry by entry.
pub async fn check_documents(service: &Service) {
    let interface: Value = get(service, "/api/openapi.json", None).await.json().await.unwrap();
    let mut filled = 0;
    for path in interface["paths"].as_object().unwrap().keys() {
        let schema = schema(&interface, path);
        let Some(properties) = schema["properties"].as_object() else { continue };
        let asked = seeded_path(path);
        let document: Value = get(service, &asked, None).await.json().await.unwrap();
        assert_eq!(unlike(&document, schema), Vec::<String>::new(), "{asked}: {document}");
        let lists = properties.keys().filter_map(|key| document[key].as_array());
        filled += usize::from(lists.map(Vec::len).sum::<usize>() > 0);
    }
    // Eleven lists at least, an experiment, a gate, and the rows of a view.
    assert!(filled >= 14, "{filled} documents have entries");
    for (path, list) in
        [("/api/v1/experiments/{name}", "/comparisons/0"), ("/api/v1/gates/{name}", "/agreement/outputs/0")]
    {
        let document: Value = get(service, &seeded_path(path), None).await.json().await.unwrap();
        assert!(document.pointer(list).is_some(), "{document}");
        let schema = schema(&interface, path);
        assert_eq!(untold(&document, schema), Vec::<String>::new(), "{path}");
        // What is there is missed where it is not.
        let mut without = document.clone();
        without.as_object_mut().unwrap().remove("schema");
        assert_eq!(unlike(&without, schema), ["no schema"], "{path}");
    }
}

/// Where a value is not as a schema says: types, words, and fields that there have to be.
fn unlike(value: &Value, schema: &Value) -> Vec<String> {
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let allowed = match &schema["type"] {
        Value::Array(kinds) => kinds.clone(),
        Value::Null => Vec::new(),
        one => vec![one.clone()],
    };
    let fits = |allowed: &Value| *allowed == kind || (*allowed == "number" && kind == "integer");
    let mut found = Vec::new();
    if !allowed.is_empty() && !allowed.iter().any(fits) {
        found.push(format!("{value} is not {}", schema["type"]));
    }
    if !schema["const"].is_null() && schema["const"] != *value {
        found.push(format!("{value} is not {}", schema["const"]));
    }
    if schema["enum"].as_array().is_some_and(|words| !words.contains(value)) {
        found.push(format!("{value} is none of {}", schema["enum"]));
    }
    if let Some(fields) = value.as_object() {
        let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
        found.extend(required.filter(|name| !fields.contains_key(*name)).map(|name| format!("no {name}")));
        for (name, value) in fields {
            let described = &schema["properties"][name];
            let schema = if described.is_null() { &schema["additionalProperties"] } else { described };
            found.extend(unlike(value, schema));
        }
    }
    found.extend(value.as_array().into_iter().flatten().flat_map(|entry| unlike(entry, &schema["items"])));
    found
}

/// Fields of a value that a schema with fields does not name.
fn untold(value: &Value, schema: &Value) -> Vec<String> {
    let mut found = Vec::new();
    if let (Some(fields), Some(described)) = (value.as_object(), schema["properties"].as_object()) {
        for (name, value) in fields {
            match described.get(name) {
                Some(schema) => found.extend(untold(value, schema)),
                None => found.push(name.clone()),
            }
        }
    }
    found.extend(value.as_array().into_iter().flatten().flat_map(|entry| untold(entry, &schema["items"])));
    found
}

/// Whatever of the read API says that it has an `ETag` is not sent again until it has changed, and then it is.
pub async fn check_tags(service: &Service) {
    let interface: Value = get(service, "/api/openapi.json", None).await.json().await.unwrap();
    let paths = interface["paths"].as_object().unwrap().iter().filter(|(path, operations)| {
        path.starts_with("/api/v1/") && operations["get"]["responses"]["304"].is_object()
    });
    let mut tags = BTreeMap::new();
    for (path, _) in paths {
        let path = seeded_path(path);
        // The service itself may write between both requests, such as when a monitor was seen last.
        let tag = eventually_async(PATIENCE, async || {
            let first = get(service, &path, None).await;
            assert_eq!(first.status(), StatusCode::OK, "{path}");
            let tag = first.headers()[header::ETAG].to_str().unwrap().to_owned();
            let again = get(service, &path, Some(&tag)).await;
            match again.status() {
                StatusCode::NOT_MODIFIED => {
                    assert_eq!(again.headers()[header::ETAG], tag.as_str(), "{path}");
                    assert!(again.bytes().await.unwrap().is_empty(), "{path}");
                    Ok(tag)
                }
                status => Err(format!("{path}: {status}")),
            }
        })
        .await;
        tags.insert(path, tag);
    }
    assert!(tags.len() >= 18, "{tags:?}");
    change_everything(service).await;
    for (path, tag) in tags {
        let answer = get(service, &path, Some(&tag)).await;
        // The list of views is the same as long as the binary is.
        if path == "/api/v1/views" {
            assert_eq!(answer.status(), StatusCode::NOT_MODIFIED);
            continue;
        }
        assert_eq!(answer.status(), StatusCode::OK, "{path} has changed");
        assert_ne!(answer.headers()[header::ETAG], tag.as_str(), "{path} has changed");
    }
}

/// One more of everything that is read.
async fn change_everything(service: &Service) {
    let again = "now64(6) AS computed_at, concat(run_id, '+') AS run_id";
    for (table, changed) in [
        ("drift_findings", again),
        ("performance_findings", again),
        ("latency_findings", again),
        ("quality_findings", again),
        ("fairness_findings", again),
        ("attribution_findings", again),
        (
            "gate_findings",
            "computed_at + toIntervalMinute(1) AS computed_at, concat(run_id, '+') AS run_id, \
             replace(document, '\"requests\": 1000', '\"requests\": 1001') AS document",
        ),
        ("experiment_looks", "as_of + toIntervalSecond(1) AS as_of"),
        ("alert_events", "now64(6) AS at"),
        ("monitor_runs", "revision + 4 AS revision, attempt + 1 AS attempt"),
        (
            "alert_state",
            "revision + 1 AS revision, replace(standing, 'temp has moved', 'temp has moved far') AS standing",
        ),
    ] {
        let sql =
            format!("INSERT INTO windvane.{table} SELECT * REPLACE ({changed}) FROM windvane.{table} FINAL");
        seeded::insert(service, &sql).await;
    }
    let silence = serde_json::json!({"matchers": ["model=none"], "for": "2h", "comment": "a story"});
    let made = reqwest::Client::new()
        .post(format!("{}/api/v1/silences", service.url()))
        .json(&silence)
        .send()
        .await
        .unwrap();
    assert_eq!(made.status(), StatusCode::OK, "{}", made.text().await.unwrap());
    let prediction = format!(
        "{{\"model\":\"spam\",\"version\":\"3\",\"ts\":{},\"prediction\":{{\"label\":\"ham\"}}}}\n",
        seeded::START_US
    );
    seeded::send(service, "predictions", prediction).await;
}
