//! What SDKs of every language send is read as they meant it: `sdk/vectors/events.json`, written by `sdk/vectors/events.py`.

use serde_json::{Map, Value, json};

use super::{Entries, Event, Exposure, Limits, Measurement, Outcome, Prediction, Text, decode};

fn vectors() -> Vec<Value> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../sdk/vectors/events.json");
    let document: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    document["vectors"].as_array().unwrap().clone()
}

fn read<'a, E: Event<'a>>(record: &'a [u8]) -> E {
    let mut event = E::default();
    decode(record, &mut event, &Limits::default(), 0).unwrap();
    event
}

fn map<V: Clone + Into<Value>>(entries: &Entries<'_, V>) -> Value {
    let pair = |(key, value): &(Text<'_>, V)| (key.to_string(), value.clone().into());
    Value::Object(entries.iter().map(pair).collect())
}

fn texts(entries: &Entries<'_, Text<'_>>) -> Value {
    Value::Object(entries.iter().map(|(key, text)| (key.to_string(), json!(text))).collect())
}

fn prediction(record: &[u8]) -> Value {
    let event: Prediction<'_> = read(record);
    let embeddings: Map<String, Value> =
        event.embeddings.iter().map(|(key, vector)| (key.to_string(), json!(vector))).collect();
    json!({
        "event_id": event.event_id, "ts_us": event.ts_us, "model": event.model, "version": event.version,
        "environment": event.environment, "unit_id": event.unit_id, "arms": texts(&event.arms), "num": map(&event.num),
        "cat": texts(&event.cat), "embeddings": embeddings, "kind": event.answer.kind.as_str(), "score": event.answer.score,
        "label": event.answer.label, "probabilities": map(&event.answer.probabilities), "value": event.answer.value,
        "latency_us": event.latency_us, "status": event.status, "trace_id": event.trace_id, "span_id": event.span_id,
        "tags": texts(&event.tags),
    })
}

fn outcome(record: &[u8]) -> Value {
    let event: Outcome<'_> = read(record);
    let (label, value) = (&event.label, event.value);
    json!({"model": event.model, "event_id": event.event_id, "ts_us": event.ts_us, "label": label, "value": value})
}

fn exposure(record: &[u8]) -> Value {
    let event: Exposure<'_> = read(record);
    let (experiment, arm) = (&event.experiment, &event.arm);
    json!({"experiment": experiment, "unit_id": event.unit_id, "arm": arm, "ts_us": event.ts_us, "event_id": event.event_id})
}

fn measurement(record: &[u8]) -> Value {
    let event: Measurement<'_> = read(record);
    let (metric, value) = (&event.metric, event.value);
    json!({"unit_id": event.unit_id, "metric": metric, "value": value, "ts_us": event.ts_us, "event_id": event.event_id})
}

#[test]
fn what_an_sdk_sends_is_read_as_it_was_meant() {
    for vector in vectors() {
        let record = vector["record"].to_string();
        let read = match vector["kind"].as_str().unwrap() {
            "predictions" => prediction(record.as_bytes()),
            "outcomes" => outcome(record.as_bytes()),
            "exposures" => exposure(record.as_bytes()),
            "measurements" => measurement(record.as_bytes()),
            other => panic!("{other} is no kind"),
        };
        for (field, expected) in vector["row"].as_object().unwrap() {
            assert_eq!(read[field], *expected, "{}: {field}", vector["name"]);
        }
    }
}
