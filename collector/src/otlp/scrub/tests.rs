//! Messages with a secret in every place that redaction reaches: no row of any table holds it.

use serde_json::{Map, Value as Json, json};
use windvane_store::{Table, read_rows};

use super::super::intake::Intake;
use super::super::{Signal, tests};
use super::*;
use crate::door::Door;
use crate::redact::Telemetry;

/// Stands in every value that is not to be written.
const HIDDEN: &str = "hidden-words";
const TIME: &str = "1700000000000000000";

fn taken(signal: Signal, message: &Json, redaction: &Redaction) -> Intake {
    tests::taken_behind(Door { redaction, ..Door::open() }, signal, message)
}

/// Attributes of strings, and of maps of strings.
fn listed(attributes: &Json) -> Json {
    let value = |value: &Json| match value {
        Json::Object(_) => json!({"kvlistValue": {"values": listed(value)}}),
        other => json!({"stringValue": other}),
    };
    let entries = attributes.as_object().unwrap().iter();
    entries.map(|(key, of)| json!({"key": key, "value": value(of)})).collect()
}

fn traces(attributes: &Json, events: &Json) -> Json {
    let events: Vec<Json> = events
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, of)| json!({"timeUnixNano": TIME, "name": name, "attributes": listed(of)}))
        .collect();
    let link =
        json!({"traceId": "ab".repeat(16), "spanId": "ef".repeat(8), "attributes": listed(attributes)});
    let span = json!({
        "traceId": "ab".repeat(16), "spanId": "cd".repeat(8), "name": "call", "startTimeUnixNano": TIME,
        "endTimeUnixNano": TIME, "attributes": listed(attributes), "events": events, "links": [link],
    });
    json!({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]})
}

fn holds(intake: &Intake, text: &str) -> bool {
    intake.parts.iter().any(|part| memchr::memmem::find(&part.bytes, text.as_bytes()).is_some())
}

/// The only row of a table.
fn row(intake: &Intake, table: Table) -> Map<String, Json> {
    let part = intake.parts.iter().find(|part| part.table == table).unwrap();
    let mut rows = read_rows(table.columns(table.layout()).unwrap(), &part.bytes).unwrap();
    assert_eq!(rows.len(), 1, "{table}");
    rows.remove(0)
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn only(telemetry: Telemetry) -> Redaction {
    Redaction::new(Vec::new()).with_telemetry(telemetry)
}

fn of_models(model: &str, rule: Rule) -> Redaction {
    Redaction::new(vec![(model.to_owned(), rule)])
}

#[test]
fn without_rules_everything_is_written_as_it_came() {
    let attributes = json!({"gen_ai.prompt": HIDDEN, "windvane.feature.email": HIDDEN, "user.id": "alice"});
    let intake = taken(Signal::Traces, &traces(&attributes, &json!({})), &Redaction::default());
    assert_eq!(row(&intake, Table::Spans)["SpanAttributes"], attributes);
}

#[test]
fn attributes_go_by_the_lists_wherever_they_stand() {
    let secret = json!({"user.email": HIDDEN, "kept.n": "kept-words"});
    let shared = json!({"attributes": listed(&secret)});
    let mut spans = traces(&secret, &json!({"happened": secret}));
    spans["resourceSpans"][0]["resource"] = shared.clone();
    spans["resourceSpans"][0]["scopeSpans"][0]["scope"] = shared.clone();
    let body = json!({"kvlistValue": {"values": listed(&secret)}});
    let record = json!({"timeUnixNano": TIME, "attributes": listed(&secret), "body": body});
    let scoped = json!([{"scope": shared, "logRecords": [record]}]);
    let logs = json!({"resourceLogs": [{"resource": shared, "scopeLogs": scoped}]});
    let points = json!({"dataPoints": [{"timeUnixNano": TIME, "attributes": listed(&secret)}]});
    let metrics: Vec<Json> = ["gauge", "sum", "histogram", "exponentialHistogram", "summary"]
        .map(|kind| json!({"name": kind, kind: points}))
        .into();
    let scoped = json!([{"scope": shared, "metrics": metrics}]);
    let metrics = json!({"resourceMetrics": [{"resource": shared, "scopeMetrics": scoped}]});
    for attributes in [Keep::AllBut(names(&["user.*"])), Keep::Only(names(&["kept.n"]))] {
        let redaction = only(Telemetry { attributes, ..Telemetry::default() });
        for (signal, message) in
            [(Signal::Traces, &spans), (Signal::Logs, &logs), (Signal::Metrics, &metrics)]
        {
            assert!(holds(&taken(signal, message, &Redaction::default()), HIDDEN), "{signal:?}");
            let intake = taken(signal, message, &redaction);
            assert!(!holds(&intake, HIDDEN), "{signal:?}");
            assert!(
                intake.parts.iter().all(|part| memchr::memmem::find(&part.bytes, b"kept-words").is_some())
            );
        }
    }
}

#[test]
fn hashed_attributes_are_the_units_that_they_name() {
    let rule = Rule { unit_key: Some(Secret::new("key")), ..Rule::default() };
    let hashing = Telemetry { hashed: names(&["user.*", "session.id"]), ..Telemetry::default() };
    let attributes = json!({
        "user.id": "alice", "session.id": "alice", "windvane.model": "m", "windvane.unit_id": "alice",
        "windvane.feature.plan": "gold", "gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o",
    });
    let message = traces(&attributes, &json!({}));
    let intake = taken(Signal::Traces, &message, &of_models("*", rule).with_telemetry(hashing.clone()));
    // printf alice | openssl dgst -sha256 -hmac key
    let expected = json!("76fb55e929c06b97b01c35950ee5f72f");
    let span = &row(&intake, Table::Spans)["SpanAttributes"];
    assert_eq!([&span["user.id"], &span["windvane.unit_id"]], [&expected, &expected]);
    assert_eq!(row(&intake, Table::Predictions)["unit_id"], expected, "hashed once");
    assert!(!holds(&intake, "alice"), "what is read out of attributes has the hash, too");
    let without_key = taken(Signal::Traces, &message, &only(hashing));
    assert_eq!(row(&without_key, Table::Spans)["SpanAttributes"].get("user.id"), None);
}

#[test]
fn messages_are_dropped_and_what_they_cost_is_kept() {
    let attributes = json!({
        "gen_ai.prompt": HIDDEN, "gen_ai.prompt.0.content": HIDDEN, "gen_ai.completion": HIDDEN,
        "gen_ai.completion.0.content": HIDDEN, "gen_ai.input.messages": HIDDEN, "gen_ai.output.messages": HIDDEN,
        "gen_ai.system_instructions": HIDDEN, "gen_ai.tool.definitions": HIDDEN, "gen_ai.tool.call.arguments": HIDDEN,
        "gen_ai.tool.call.result": HIDDEN, "input.value": HIDDEN, "output.value": HIDDEN, "llm.prompts": HIDDEN,
        "llm.input_messages.0.message.content": HIDDEN, "llm.output_messages.0.message.content": HIDDEN,
        "llm.tools.0.tool.json_schema": HIDDEN, "retrieval.documents.0.document.content": HIDDEN,
        "embedding.embeddings.0.embedding.text": HIDDEN, "reranker.query": HIDDEN, "traceloop.entity.input": HIDDEN,
        "llm.prompt_template.variables": HIDDEN, "tool.parameters": HIDDEN,
        "gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o", "gen_ai.usage.input_tokens": "7",
    });
    let events = json!({
        "gen_ai.choice": {"message": HIDDEN, "gen_ai.event.content": HIDDEN, "index": "0"},
        "gen_ai.user.message": {"content": HIDDEN, "role": "user"},
    });
    let dropping = only(Telemetry { drop_messages: true, ..Telemetry::default() });
    let intake = taken(Signal::Traces, &traces(&attributes, &events), &dropping);
    assert!(!holds(&intake, HIDDEN), "{:?}", row(&intake, Table::Spans));
    assert_eq!(row(&intake, Table::Spans)["Events.Attributes"], json!([{"index": "0"}, {"role": "user"}]));
    let call = row(&intake, Table::LlmCalls);
    assert_eq!((&call["request_model"], &call["input_tokens"]), (&json!("gpt-4o"), &json!(7)));
}

#[test]
fn bodies_of_messages_are_dropped_and_others_only_where_that_is_asked_for() {
    let body = json!({"stringValue": HIDDEN});
    let logs = |record: Json| {
        let mut record = record;
        record["timeUnixNano"] = json!(TIME);
        record["body"] = body.clone();
        json!({"resourceLogs": [{"scopeLogs": [{"logRecords": [record]}]}]})
    };
    let by_attribute = json!({"attributes": listed(&json!({"event.name": "gen_ai.user.message"}))});
    let plain = json!({"eventName": "started"});
    let messages = Telemetry { drop_messages: true, ..Telemetry::default() };
    let bodies = Telemetry { drop_log_bodies: true, ..Telemetry::default() };
    for (record, telemetry, is_kept) in [
        (json!({"eventName": "gen_ai.choice"}), &messages, false),
        (by_attribute, &messages, false),
        (plain.clone(), &messages, true),
        (plain, &bodies, false),
    ] {
        let intake = taken(Signal::Logs, &logs(record.clone()), &only(telemetry.clone()));
        assert_eq!(holds(&intake, HIDDEN), is_kept, "{record}");
    }
}

#[test]
fn a_span_keeps_no_feature_that_its_prediction_does_not() {
    let rule = Rule {
        features: Keep::AllBut(names(&["email"])),
        tags: Keep::Only(names(&["region"])),
        drop_embeddings: true,
        ..Rule::default()
    };
    let redaction = of_models("fraud*", rule);
    let attributes = |model: &str| {
        json!({
            "windvane.model": model, "windvane.feature.email": HIDDEN, "windvane.feature.plan": "gold",
            "windvane.tag.note": HIDDEN, "windvane.tag.region": "east", "email": "another",
        })
    };
    let event = json!({"copied": {"windvane.feature.email": HIDDEN}});
    let intake = taken(Signal::Traces, &traces(&attributes("fraud-eu"), &event), &redaction);
    assert!(!holds(&intake, HIDDEN));
    let kept = json!({
        "windvane.model": "fraud-eu", "windvane.feature.plan": "gold", "windvane.tag.region": "east", "email": "another",
    });
    assert_eq!(row(&intake, Table::Spans)["SpanAttributes"], kept);
    let prediction = row(&intake, Table::Predictions);
    assert_eq!(
        (&prediction["cat"], &prediction["tags"]),
        (&json!({"plan": "gold"}), &json!({"region": "east"}))
    );
    let other = taken(Signal::Traces, &traces(&attributes("delay"), &event), &redaction);
    assert!(holds(&other, HIDDEN), "the rule is of other models");

    let record = json!({"timeUnixNano": TIME, "attributes": listed(&json!({
        "windvane.model": "fraud", "windvane.features": {"email": HIDDEN, "plan": "gold"}, "windvane.tags": {"note": HIDDEN},
    }))});
    let logs = json!({"resourceLogs": [{"scopeLogs": [{"logRecords": [record]}]}]});
    let intake = taken(Signal::Logs, &logs, &redaction);
    assert!(!holds(&intake, HIDDEN));
    assert_eq!(row(&intake, Table::Predictions)["cat"], json!({"plan": "gold"}));
}
