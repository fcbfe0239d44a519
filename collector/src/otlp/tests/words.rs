//! Words beyond their bounds: what is written in their place, and where they themselves are.

use serde_json::{Map, Value as Json, json};
use windvane_store::read_rows;

use super::*;
use crate::limits::{NameLimits, Word, Words};

const TIME: &str = "1700000000000000000";

fn words(services_max: usize, words_max: usize) -> Words {
    Words::new(NameLimits { services_max, words_max, ..NameLimits::default() })
}

/// What a message becomes after those that brought these words.
fn taken_after(words: &Words, signal: Signal, message: &Json) -> Intake {
    taken_behind(Door { words, ..Door::open() }, signal, message)
}

/// The rows of a table, by column.
fn table(intake: &Intake, table: Table) -> Vec<Map<String, Json>> {
    let part = intake.parts.iter().find(|part| part.table == table).unwrap();
    read_rows(table.columns(table.layout()).unwrap(), &part.bytes).unwrap()
}

/// The rows of a table in which words were replaced, by what these are.
fn replaced(intake: &Intake, table: Table) -> Vec<(Word, u64)> {
    let parts = intake.parts.iter().filter(|part| part.table == table);
    parts.flat_map(|part| part.replaced.clone()).collect()
}

fn columns<const N: usize>(row: &Map<String, Json>, names: [&str; N]) -> [Json; N] {
    names.map(|name| row[name].clone())
}

fn listed(attributes: &[(&str, &str)]) -> Json {
    attributes.iter().map(|(key, value)| json!({"key": key, "value": {"stringValue": value}})).collect()
}

fn traces(service: &str, spans: &[Json]) -> Json {
    let resource = json!({"attributes": listed(&[("service.name", service)])});
    json!({"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": spans}]}]})
}

/// A span of this name, with more fields.
fn named(name: &str, more: Json) -> Json {
    let mut span = json!({
        "traceId": "ab".repeat(16), "spanId": "cd".repeat(8), "name": name,
        "startTimeUnixNano": TIME, "endTimeUnixNano": TIME,
    });
    let (Json::Object(fields), Json::Object(more)) = (&mut span, more) else { panic!("both are objects") };
    fields.extend(more);
    span
}

#[test]
fn a_span_whose_words_are_beyond_their_bounds_is_kept_and_so_are_they() {
    let span = |name: &str, event: &str, key: &str| {
        let events = json!([{"timeUnixNano": TIME, "name": event, "attributes": listed(&[(key, "3")])}]);
        let of_link = listed(&[(key, "4"), ("a", "5")]);
        let links = json!([{"traceId": "ab".repeat(16), "spanId": "ef".repeat(8), "attributes": of_link}]);
        let number = json!({"key": key, "value": {"intValue": 2}});
        let attributes = json!([{"key": "a", "value": {"stringValue": "1"}}, number]);
        named(name, json!({"attributes": attributes, "events": events, "links": links}))
    };
    let words = words(10, 3);
    let spans = [
        span("GET /", "one", "b"),
        span("PUT /", "two", "b"),
        span("POST /", "three", "b"),
        span("GET /users/7", "seven", "user.7"),
        span("GET /", "one", "b"),
    ];
    let intake = taken_after(&words, Signal::Traces, &traces("shop", &spans));
    let rows = table(&intake, Table::Spans);
    let names = ["SpanName", "SpanAttributes", "Events.Name", "Events.Attributes", "Links.Attributes"];
    let within = [
        json!("GET /"),
        json!({"a": "1", "b": "2"}),
        json!(["one"]),
        json!([{"b": "3"}]),
        json!([{"b": "4", "a": "5"}]),
    ];
    let beyond = [
        json!("_OTHER"),
        json!({"a": "1", "_OTHER": r#"{"user.7":2}"#, "span.name_original": "GET /users/7"}),
        json!(["_OTHER"]),
        json!([{"_OTHER": r#"{"user.7":"3"}"#, "event.name_original": "seven"}]),
        json!([{"a": "5", "_OTHER": r#"{"user.7":"4"}"#}]),
    ];
    assert_eq!(columns(&rows[0], names), within);
    assert_eq!(columns(&rows[3], names), beyond);
    assert_eq!(columns(&rows[4], names), within, "what is known goes on");
    assert_eq!(
        replaced(&intake, Table::Spans),
        [(Word::Key, 1), (Word::Span, 1), (Word::SpanEvent, 1)],
        "one row"
    );
    assert!(intake.warning.unwrap().contains("(attribute_key) beyond limits.words_max is written _OTHER"));

    let others = taken_after(&words, Signal::Traces, &traces("cart", &spans[3..4]));
    assert_eq!(table(&others, Table::Spans)[0]["SpanName"], "GET /users/7", "another service has its own");
    assert_eq!((replaced(&others, Table::Spans), others.warning), (Vec::new(), None));
}

#[test]
fn services_beyond_the_bound_have_their_names_in_their_resources() {
    let words = words(1, 10);
    let call =
        json!({"attributes": listed(&[("gen_ai.system", "openai"), ("gen_ai.request.model", "gpt-4o")])});
    let span = [named("chat", call)];
    for (service, written) in [("shop", "shop"), ("cart", "_OTHER"), ("shop", "shop")] {
        let intake = taken_after(&words, Signal::Traces, &traces(service, &span));
        let row = &table(&intake, Table::Spans)[0];
        let expected = [json!(written), json!({"service.name": service})];
        assert_eq!(columns(row, ["ServiceName", "ResourceAttributes"]), expected);
        assert_eq!(table(&intake, Table::LlmCalls)[0]["service"], written);
        let counted = if written == service { vec![] } else { vec![(Word::Service, 1)] };
        assert_eq!(replaced(&intake, Table::Spans), counted);
        assert_eq!(replaced(&intake, Table::LlmCalls), counted);
        assert_eq!(intake.warning.is_some_and(|why| why.contains("limits.services_max")), written != service);
    }
}

#[test]
fn words_of_a_call_are_in_the_attributes_of_its_span() {
    let words = words(10, 1);
    let call = |model: &str, more: &[(&str, &str)]| {
        let of = [("gen_ai.operation.name", "chat"), ("gen_ai.request.model", model)];
        named("chat", json!({"attributes": listed(&[&of[..], more].concat())}))
    };
    let reason = |reason| ("llm.finish_reason", reason);
    let spans = [
        call("m-1", &[("gen_ai.provider.name", "openai"), reason("stop")]),
        call("m-2", &[("gen_ai.provider.name", "other"), ("error.type", "timeout"), reason("length")]),
    ];
    let intake = taken_after(&words, Signal::Traces, &traces("shop", &spans));
    let rows = table(&intake, Table::LlmCalls);
    let names = ["operation", "provider", "request_model", "response_model", "finish_reasons", "status"];
    let first = [json!("chat"), json!("openai"), json!("m-1"), json!("m-1"), json!(["stop"]), json!("ok")];
    let other = json!("_OTHER");
    let second = [json!("chat"), other.clone(), other.clone(), other.clone(), json!(["_OTHER"]), other];
    assert_eq!((columns(&rows[0], names), columns(&rows[1], names)), (first, second));
    let kinds = [Word::Provider, Word::Model, Word::FinishReason, Word::Status];
    assert_eq!(replaced(&intake, Table::LlmCalls), kinds.map(|kind| (kind, 1)));
    // `service.name` is the one key that there may be.
    let kept = table(&intake, Table::Spans)[1]["SpanAttributes"]["_OTHER"].as_str().unwrap().to_owned();
    let kept: Json = serde_json::from_str(&kept).unwrap();
    assert_eq!((&kept["gen_ai.request.model"], &kept["error.type"]), (&json!("m-2"), &json!("timeout")));
}

#[test]
fn words_of_logs_and_metrics_beyond_their_bounds_are_kept_beside_them() {
    let words = words(10, 1);
    let resource = json!({"attributes": listed(&[("service.name", "shop")])});
    let scope = |n: u8| json!({"name": format!("lib{n}"), "version": format!("v{n}")});
    let kept_of_resource = json!({"service.name": "shop", "resource.schema_url_original": "r2"});
    let kept_of_scope = json!({"scope.version_original": "v2", "scope.schema_url_original": "s2"});
    let shared = |row: &Map<String, Json>| {
        columns(row, ["ResourceSchemaUrl", "ScopeName", "ScopeVersion", "ScopeSchemaUrl"])
    };
    let kept = |row: &Map<String, Json>| columns(row, ["ResourceAttributes", "ScopeAttributes"]);
    let beyond = [json!("_OTHER"), json!("lib2"), json!("_OTHER"), json!("_OTHER")];

    let of_scopes = |n: u8, fields: Json| {
        let mut scopes = json!({"scope": scope(n), "schemaUrl": format!("s{n}")});
        let (Json::Object(into), Json::Object(fields)) = (&mut scopes, fields) else { panic!("objects") };
        into.extend(fields);
        scopes
    };
    let logs = |n: u8| {
        let records = json!({"logRecords": [{"timeUnixNano": TIME, "severityText": format!("t{n}")}]});
        let scopes = [of_scopes(n, records)];
        json!({"resource": resource, "schemaUrl": format!("r{n}"), "scopeLogs": scopes})
    };
    let intake = taken_after(&words, Signal::Logs, &json!({"resourceLogs": [logs(1), logs(2)]}));
    let rows = table(&intake, Table::Logs);
    assert_eq!(shared(&rows[0]), [json!("r1"), json!("lib1"), json!("v1"), json!("s1")]);
    assert_eq!(
        (shared(&rows[1]), kept(&rows[1])),
        (beyond.clone(), [kept_of_resource.clone(), kept_of_scope.clone()])
    );
    let severity = [json!("_OTHER"), json!({"severity.text_original": "t2"})];
    assert_eq!(columns(&rows[1], ["SeverityText", "LogAttributes"]), severity);
    let kinds = [Word::Severity, Word::ResourceSchema, Word::ScopeSchema, Word::ScopeVersion];
    assert_eq!(replaced(&intake, Table::Logs), kinds.map(|kind| (kind, 1)));

    let metrics = |n: u8| {
        let gauge = json!({"dataPoints": [{"timeUnixNano": TIME, "asDouble": 1.5}]});
        let (name, description, unit) = (format!("m{n}"), format!("d{n}"), format!("u{n}"));
        let metric = json!({"name": name, "description": description, "unit": unit, "gauge": gauge});
        let scopes = [of_scopes(n, json!({"metrics": [metric]}))];
        json!({"resource": resource, "schemaUrl": format!("r{n}"), "scopeMetrics": scopes})
    };
    let intake = taken_after(&words, Signal::Metrics, &json!({"resourceMetrics": [metrics(1), metrics(2)]}));
    let rows = table(&intake, Table::MetricsGauge);
    let names = ["MetricName", "MetricDescription", "MetricUnit", "Attributes"];
    assert_eq!(columns(&rows[0], names), [json!("m1"), json!("d1"), json!("u1"), json!({})]);
    let originals = json!({"metric.name_original": "m2", "metric.description_original": "d2", "metric.unit_original": "u2"});
    assert_eq!(columns(&rows[1], names), [json!("_OTHER"), json!("_OTHER"), json!("_OTHER"), originals]);
    assert_eq!((shared(&rows[1]), kept(&rows[1])), (beyond, [kept_of_resource, kept_of_scope]));
}

#[test]
fn an_event_has_the_features_whose_attributes_are_beyond_the_bound() {
    let words = words(10, 1);
    let attributes = listed(&[("windvane.model", "m"), ("windvane.feature.plan", "gold")]);
    let spans = [named("predict", json!({"attributes": attributes}))];
    let intake = taken_after(&words, Signal::Traces, &traces("shop", &spans));
    let told = table(&intake, Table::Spans)[0]["SpanAttributes"]["_OTHER"].as_str().unwrap().to_owned();
    assert!(told.contains("windvane.feature.plan"), "{told}");
    assert_eq!(table(&intake, Table::Predictions)[0]["cat"], json!({"plan": "gold"}));
}
