//! Claims about the document: that it holds all that there is, and says of each who may do it.

use std::path::Path;

use windvane_types::event::Kind;

use super::*;

/// The paths of every route of the files below a folder.
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
    let document = document(true);
    let drift = &document["paths"]["/api/v1/models/{model}/drift"]["get"];
    assert!(drift["responses"]["200"]["headers"]["ETag"].is_object(), "{drift}");
    assert!(drift["responses"]["304"]["content"].is_null(), "{drift}");
    let rows = &document["paths"]["/api/v1/views/{view}"]["get"]["responses"]["422"];
    assert!(rows.to_string().contains("page_too_large"), "any answer may be too large: {rows}");
    let is_header = |parameter: &Value| parameter["name"] == "If-None-Match";
    assert!(drift["parameters"].as_array().unwrap().iter().any(is_header), "{drift}");
    for (path, method) in
        [("/events", "get"), ("/metrics", "get"), ("/api/openapi.json", "get"), ("/api/v1/silences", "post")]
    {
        assert!(document["paths"][path][method]["responses"]["304"].is_null(), "{method} {path}");
    }
    let rows = &document["paths"]["/api/v1/views/{view}"]["get"]["responses"]["200"]["content"];
    assert_eq!(rows.as_object().map(Map::len), Some(3), "{rows}");
}

#[test]
fn every_parameter_says_what_it_means() {
    let document = document(true);
    let paths = document["paths"].as_object().unwrap();
    for (path, methods) in paths {
        for (method, operation) in methods.as_object().unwrap() {
            for parameter in operation["parameters"].as_array().unwrap() {
                let means = parameter["description"].as_str().unwrap_or_default();
                assert!(!means.is_empty(), "add the meaning of {parameter} of {method} {path}");
            }
        }
    }
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
    let document = document(true);
    let text = document.to_string();
    for reference in text.split("\"$ref\":\"#").skip(1) {
        let pointer = reference.split('"').next().unwrap();
        assert!(document.pointer(pointer).is_some(), "{pointer}");
    }
}

#[test]
fn whoever_needs_a_token_is_told_which_one_and_only_where_there_is_one() {
    let of = |is_token_needed: bool| document(is_token_needed)["paths"].clone();
    let (closed, open) = (of(true), of(false));
    let security = |paths: &Value, path: &str, method: &str| paths[path][method]["security"].clone();
    for (path, method, expected) in [
        ("/v1/predictions", "post", json!([{"token": ["ingest"]}])),
        ("/api/v1/models", "get", json!([{"token": ["read"]}, {"password": ["read"]}])),
        ("/api/v1/silences", "post", json!([{"token": ["admin"]}])),
        ("/alerts/silences", "post", json!([{"token": ["admin"]}, {"password": ["admin"]}])),
        ("/healthz", "get", json!([])),
    ] {
        assert_eq!(security(&closed, path, method), expected, "{path}");
    }
    assert_eq!(security(&open, "/v1/predictions", "post"), json!([{"token": ["ingest"]}, {}]));
}

#[test]
fn what_is_taken_is_described_in_every_format_and_refused_with_codes() {
    let document = document(true);
    for kind in Kind::ALL {
        let post = &document["paths"][format!("/v1/{}", kind.plural())]["post"];
        assert_eq!(post["requestBody"]["content"].as_object().map(Map::len), Some(4), "{post}");
        let has =
            |name: &str| post["parameters"].as_array().unwrap().iter().any(|header| header["name"] == name);
        assert!(has("Idempotency-Key") && has("Content-Encoding"), "{post}");
        let again = &post["responses"]["200"]["headers"]["Idempotent-Replayed"];
        let reused = &post["responses"]["422"];
        let key =
            post["parameters"].as_array().unwrap().iter().find(|header| header["name"] == "Idempotency-Key");
        for said in [key.unwrap(), again, reused] {
            assert!(said["description"].as_str().unwrap().contains("token"), "whose a key is: {said}");
        }
    }
    let events = &document["paths"]["/v1/cloudevents"]["post"]["requestBody"]["content"];
    assert_eq!(events.as_object().map(Map::len), Some(3), "{events}");
    let spans = &document["paths"]["/v1/traces"]["post"]["requestBody"]["content"];
    assert!(spans["application/x-protobuf"].is_object() && spans["application/json"].is_object(), "{spans}");
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            for (status, answer) in operation["responses"].as_object().unwrap() {
                let comes_again = matches!(status.as_str(), "429" | "503") && path != "/readyz";
                let says_when = answer["headers"]["Retry-After"].is_object();
                assert_eq!(says_when, comes_again, "{method} {path} {status}");
                let problem = &answer["content"]["application/problem+json"]["schema"];
                let codes = problem["allOf"][1]["properties"]["code"]["enum"].as_array();
                assert!(
                    problem.is_null() || codes.is_some_and(|codes| !codes.is_empty()),
                    "{method} {path} {status}"
                );
            }
        }
    }
}

#[test]
fn every_code_of_the_operators_table_is_in_the_document() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = document(true).to_string();
    let table = std::fs::read_to_string(root.join("docs/OPERATIONS.md")).unwrap();
    let refusals = table.split("## Refusals").nth(1).unwrap().split("\n## ").next().unwrap();
    let rows = refusals.lines().filter(|line| line.starts_with("| `"));
    let codes: Vec<&str> =
        rows.flat_map(|row| row.split('|').nth(1).unwrap().split('`').skip(1).step_by(2)).collect();
    assert!(codes.len() > 15, "{codes:?}");
    for code in codes {
        // OpenTelemetry's refusals have theirs in a pattern.
        let is_there = text.contains(&format!("\"{code}\"")) || text.contains(&format!("|{code})"));
        assert!(is_there, "{code}");
    }
}
