//! Bounds that are no bound of one record: nesting, names, categories, models; and what is redacted at the door.

use serde_json::json;
use windvane_types::event::Limits;

use super::*;
use crate::{Keep, NameLimits, Redaction, Rule};

/// Codes of the rejections of a body.
async fn codes(service: &Service, path: &str, body: String) -> (u64, Vec<String>) {
    let reply = service.post(path, &[], body).await;
    let rejected = reply.body["rejected"].as_array().cloned().unwrap_or_default();
    let codes = rejected.iter().map(|one| one["code"].as_str().unwrap().to_owned()).collect();
    (reply.body["accepted"].as_u64().unwrap_or_default(), codes)
}

#[tokio::test]
async fn depth_costs_nothing_wherever_it_stands() {
    let folder = tempfile::tempdir().unwrap();
    let service = start(folder.path(), &Arc::default());
    let (open, close) = ("[".repeat(200_000), "]".repeat(200_000));
    let objects = "{\"a\":".repeat(100_000) + "1" + &"}".repeat(100_000);
    for body in [
        format!("{open}{close}"),
        format!("[{open}{close}]"),
        open.clone(),
        objects.clone(),
        format!("{{\"model\":{objects}}}"),
        format!("{{\"model\":\"m\",\"features\":{{\"a\":{open}{close}}}}}"),
        format!("{{\"model\":\"m\",\"embeddings\":{{\"a\":{open}{close}}}}}"),
        format!("{{\"model\":\"m\",\"prediction\":{{\"probabilities\":{objects}}}}}"),
        format!("[{{\"model\":\"m\",\"tags\":{objects}}}]"),
    ] {
        let (accepted, codes) = codes(&service, "/v1/predictions", body.clone()).await;
        assert!(accepted == 0 && codes.len() == 1, "{}: {codes:?}", &body[..40]);
    }
    service.assert_nothing_is_lost().await;
}

#[tokio::test]
async fn tensors_nested_beyond_the_bound_are_rejected_alone() {
    let folder = tempfile::tempdir().unwrap();
    let limits = Limits { nesting_max: 2, ..Limits::default() };
    let service = start_with(CollectorOptions { limits, ..options(folder.path()) }, &Arc::default());
    let payload = |tensor: &str| {
        format!("{{\"model\":\"m\",\"inputs\":[{{\"name\":\"x\",\"datatype\":\"FP32\",{tensor}}}]}}\n")
    };
    let body = [
        payload("\"data\":[1]"),
        payload("\"data\":[[[1]]]"),
        payload("\"data\":[1],\"shape\":[1,1,1]"),
        payload("\"data\":[[1]]"),
    ]
    .concat();
    let (accepted, told) = codes(&service, "/v1/payloads", body).await;
    assert_eq!(told, ["tensor_invalid", "too_many_entries"]);
    assert_eq!(accepted, 2);
    assert_eq!(service.metric("windvane_collector_rejected_records_total").await, 2);
    service.assert_nothing_is_lost().await;
}

#[tokio::test]
async fn names_and_categories_beyond_the_bounds_are_rejected_alone() {
    let folder = tempfile::tempdir().unwrap();
    let names =
        NameLimits { models_max: 2, feature_names_max: 3, categories_max: 2, ..NameLimits::default() };
    let service = start_with(CollectorOptions { names, ..options(folder.path()) }, &Arc::default());
    let event =
        |model: &str, features: &str| format!("{{\"model\":\"{model}\",\"features\":{{{features}}}}}\n");
    let body = [
        event("m", r#""a":1,"b":"x""#),
        event("m", r#""c":1,"d":1"#),
        event("m", r#""b":"y""#),
        event("m", r#""b":"z""#),
        event("n", r#""e":"x""#),
        event("o", ""),
        event("m", r#""a":2,"b":"x""#),
    ]
    .concat();
    let (accepted, told) = codes(&service, "/v1/predictions", body).await;
    assert_eq!(told, ["too_many_feature_names", "too_many_categories", "too_many_models"]);
    assert_eq!(accepted, 4);
    let labels: String = ["a", "b", "c"]
        .iter()
        .map(|label| format!("{{\"model\":\"m\",\"event_id\":\"{label}\",\"label\":\"{label}\"}}\n"))
        .collect();
    let (accepted, told) = codes(&service, "/v1/outcomes", labels).await;
    assert_eq!((accepted, told), (2, vec!["too_many_categories".to_owned()]));
    assert_eq!(service.metric("windvane_collector_rejected_records_total").await, 4);
    let Value::String(text) = service.get("/metrics").await.body else { panic!("metrics are text") };
    assert!(text.contains("\nwindvane_collector_models 2\n"), "{text}");
    // Of m the names a, b, c and that of labels, the values x and y, the labels a and b, and a status; of n a name, a value and a status.
    assert!(text.contains("\nwindvane_collector_names_remembered 12\n"), "{text}");
    service.assert_nothing_is_lost().await;
}

#[tokio::test]
async fn labels_beyond_the_bound_are_rejected_alone_whatever_they_label() {
    let names = NameLimits { labels_max: 2, ..NameLimits::default() };
    let mut metrics = Vec::new();
    for (path, record) in [
        ("/v1/predictions", r#"{"model":"m","version":"LABEL"}"#),
        ("/v1/predictions", r#"{"model":"m","environment":"LABEL"}"#),
        ("/v1/predictions", r#"{"model":"m","status":"LABEL"}"#),
        ("/v1/predictions", r#"{"model":"m","status":"a","arms":{"LABEL":"A"}}"#),
        ("/v1/predictions", r#"{"model":"m","status":"a","arms":{"x":"LABEL"}}"#),
        ("/v1/predictions", r#"{"model":"m","status":"a","embeddings":{"LABEL":[0.5]}}"#),
        (
            "/v1/payloads",
            r#"{"model":"m","version":"LABEL","inputs":[{"name":"x","datatype":"FP32","data":[1]}]}"#,
        ),
        (
            "/v1/payloads",
            r#"{"model":"m","environment":"LABEL","inputs":[{"name":"x","datatype":"FP32","data":[1]}]}"#,
        ),
        ("/v1/exposures", r#"{"experiment":"LABEL","unit_id":"u","arm":"A"}"#),
        ("/v1/exposures", r#"{"experiment":"x","unit_id":"u","arm":"LABEL"}"#),
        ("/v1/measurements", r#"{"unit_id":"u","metric":"LABEL","value":1}"#),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let service = start_with(CollectorOptions { names, ..options(folder.path()) }, &Arc::default());
        let body: String = ["a", "b", "c", "a"].map(|label| record.replace("LABEL", label) + "\n").concat();
        let (accepted, told) = codes(&service, path, body).await;
        assert_eq!((accepted, told), (3, vec!["too_many_categories".to_owned()]), "{record}");
        metrics.push(service.metric("windvane_collector_rejected_records_total").await);
        service.assert_nothing_is_lost().await;
    }
    assert!(metrics.iter().all(|rejected| *rejected == 1), "{metrics:?}");
}

#[tokio::test]
async fn words_of_telemetry_beyond_the_bound_are_replaced_counted_and_told() {
    let folder = tempfile::tempdir().unwrap();
    let names = NameLimits { words_max: 2, ..NameLimits::default() };
    let service = start_with(CollectorOptions { names, ..options(folder.path()) }, &Arc::default());
    let message = |name: &str| {
        let span = json!({
            "traceId": "ab".repeat(16), "spanId": "cd".repeat(8), "name": name,
            "startTimeUnixNano": "1700000000000000000", "endTimeUnixNano": "1700000000000000000",
        });
        json!({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}).to_string()
    };
    let json = [("content-type", "application/json")];
    // The last one is the one before it once more, which is known.
    for (name, told) in [("a", false), ("b", false), ("a/7", true), ("a/7", true)] {
        let reply = service.post("/v1/traces", &json, message(name)).await;
        assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
        let partial = &reply.body["partialSuccess"];
        assert_eq!(!partial.is_null(), told, "{name}: {reply:?}");
        if told {
            assert_eq!(partial["rejectedSpans"], "0");
            let why = partial["errorMessage"].as_str().unwrap();
            assert!(why.contains("(span) beyond limits.words_max is written _OTHER"), "{why}");
        }
    }
    assert_eq!(service.metric("windvane_collector_replaced_words_total").await, 1);
    let Value::String(text) = service.get("/metrics").await.body else { panic!("metrics are text") };
    assert!(text.contains("\nwindvane_collector_replaced_words_total{word=\"span\"} 1\n"), "{text}");
    assert!(text.contains("\nwindvane_collector_services 1\n"), "{text}");
    assert!(text.contains("\nwindvane_collector_names_remembered 2\n"), "{text}");
    until(3, async || service.sink.rows("spans")).await;
    service.assert_nothing_is_lost().await;
}

#[tokio::test]
async fn what_is_redacted_is_written_nowhere() {
    let folder = tempfile::tempdir().unwrap();
    let rule = Rule {
        features: Keep::AllBut(vec!["email".to_owned()]),
        tags: Keep::Only(Vec::new()),
        unit_key: Some(windvane_store::Secret::new("key")),
        ..Rule::default()
    };
    let redaction = Redaction::new(vec![("*".to_owned(), rule)]);
    let service = start_with(CollectorOptions { redaction, ..options(folder.path()) }, &Arc::default());
    let event = json!({
        "model": "m", "event_id": "kept-id", "unit_id": "alice-unit",
        "features": {"email": "secret-mail", "plan": "kept-plan"}, "tags": {"note": "secret-note"},
    });
    let reply = service.post("/v1/predictions", &[], event.to_string()).await;
    assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
    let spooled: Vec<u8> = walk(&folder.path().join("spool"));
    service.stored(1).await;
    for bytes in [spooled, service.sink.stored().concat()] {
        let holds = |text: &str| memchr::memmem::find(&bytes, text.as_bytes()).is_some();
        assert!(holds("kept-id") && holds("kept-plan"));
        assert!(!holds("secret-mail") && !holds("secret-note") && !holds("email") && !holds("alice-unit"));
    }
    service.assert_nothing_is_lost().await;
}

/// Elements of an input are features by names of their own, which no list has: `email.0`, `email.1`.
#[tokio::test]
async fn an_input_that_is_denied_is_no_features_either() {
    let tensors = json!({"inputs": [
        {"name": "email", "datatype": "BYTES", "shape": [1, 2], "data": ["secret-mail", "secret-too"]},
        {"name": "plan", "datatype": "BYTES", "shape": [1, 2], "data": ["kept-plan", "kept-too"]},
    ]});
    let instances = json!({"instances": [{"email": ["secret-mail", "secret-too"], "plan": ["kept-plan"]}]});
    for request in [tensors, instances] {
        let folder = tempfile::tempdir().unwrap();
        let rule = Rule { features: Keep::AllBut(vec!["email".to_owned()]), ..Rule::default() };
        let redaction = Redaction::new(vec![("m".to_owned(), rule)]);
        let service = start_with(CollectorOptions { redaction, ..options(folder.path()) }, &Arc::default());
        let response = json!({"predictions": ["late"]});
        for (side, body) in [("request", &request), ("response", &response)] {
            let event = json!({
                "specversion": "1.0", "id": "r", "source": "s", "inferenceservicename": "m", "data": body,
                "type": format!("org.kubeflow.serving.inference.{side}"),
            });
            let headers = [("content-type", "application/cloudevents+json")];
            let reply = service.post("/v1/cloudevents", &headers, event.to_string()).await;
            assert_eq!(reply.status, StatusCode::OK, "{reply:?}");
        }
        service.stored(1).await;
        for bytes in [walk(&folder.path().join("spool")), service.sink.stored().concat()] {
            let holds = |text: &str| memchr::memmem::find(&bytes, text.as_bytes()).is_some();
            assert!(holds("kept-plan") && holds("late"), "{request}");
            assert!(!holds("secret-mail") && !holds("secret-too") && !holds("email"), "{request}");
        }
    }
}

/// The bytes of all files of a folder.
fn walk(folder: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        bytes.extend(if path.is_dir() { walk(&path) } else { std::fs::read(&path).unwrap() });
    }
    bytes
}

/// A resource is in each row of its records, so that a message within the bound may become much more.
#[tokio::test]
async fn a_message_that_becomes_too_many_bytes_is_too_large() {
    let folder = tempfile::tempdir().unwrap();
    let options = CollectorOptions { body_bytes_max: 100_000, ..options(folder.path()) };
    let service = start_with(options, &Arc::default());
    let message = |records: usize| {
        let resource = json!({"attributes": [{"key": "a", "value": {"stringValue": "x".repeat(10_000)}}]});
        let records = vec![json!({}); records];
        json!({"resourceLogs": [{"resource": resource, "scopeLogs": [{"logRecords": records}]}]}).to_string()
    };
    let json = [("content-type", "application/json")];
    let reply = service.post("/v1/logs", &json, message(50)).await;
    assert_eq!(reply.status, StatusCode::PAYLOAD_TOO_LARGE, "{reply:?}");
    assert!(reply.body["message"].as_str().unwrap().contains("send smaller batches"), "{reply:?}");
    assert_eq!(service.metric("windvane_collector_received_records_total").await, 0);
    assert_eq!(service.post("/v1/logs", &json, message(30)).await.status, StatusCode::OK);
    assert_eq!(service.metric("windvane_collector_received_records_total").await, 30);
    service.assert_nothing_is_lost().await;
}
