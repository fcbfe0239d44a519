//! The OpenTelemetry-native way in: attributes `windvane.*` of a span or a log record are a prediction or an outcome.
//!
//! The attributes become a record with the fields of the JSON one, which is read by the same rules.

use opentelemetry_proto::tonic::common::v1::KeyValue;
use serde_json::{Map, Value, json};
use windvane_store::Table;
use windvane_types::event::{Outcome, Prediction, decode_record};

use super::Context;
use super::attributes::{self, Origin};
use super::intake::Intake;
use super::spans::Checked;
use crate::decode::ToRow;

/// Of the names of attributes that are events.
pub(super) const PREFIX: &str = "windvane.";
/// The attribute that makes a span or a log record an event.
pub(super) const MODEL: &str = "windvane.model";

/// What a span or a log record says of an event without being asked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source<'a> {
    pub(super) ts_us: i64,
    pub(super) duration_us: Option<u64>,
    pub(super) failed: bool,
    pub(super) origin: &'a Origin<'a>,
    /// Trace and span, hex; empty without.
    pub(super) ids: (&'a str, &'a str),
}

impl<'a> Source<'a> {
    pub(super) fn span(checked: &Checked<'a>) -> Self {
        Self {
            ts_us: checked.ts_ns / 1000,
            duration_us: Some(checked.duration_ns / 1000),
            failed: checked.failed(),
            origin: checked.origin,
            ids: (checked.trace_id, checked.span_id),
        }
    }

    /// Stays the same when the span is sent again.
    fn event_id(&self) -> Option<String> {
        let (trace_id, span_id) = self.ids;
        (!trace_id.is_empty() && !span_id.is_empty()).then(|| format!("{trace_id}-{span_id}"))
    }
}

/// Attributes whose names go on with a name of the user's, and the objects that these are gathered in.
const NAMED: [(&str, &str); 4] =
    [("feature.", "features"), ("tag.", "tags"), ("arm.", "arms"), ("embedding.", "embeddings")];
const PROBABILITY: &str = "prediction.probability.";

/// The records that attributes are gathered into.
#[derive(Debug, Default)]
struct Records {
    /// Fields of both.
    common: Map<String, Value>,
    prediction: Map<String, Value>,
    outcome: Map<String, Value>,
}

/// Adds the events that the attributes are, if they are any.
pub(super) fn events(
    attributes: &[KeyValue],
    source: &Source<'_>,
    context: &Context<'_>,
    intake: &mut Intake,
) {
    let Some(mut records) = gather(attributes) else { return };
    records.common.entry("ts").or_insert_with(|| json!(source.ts_us));
    if let Some(id) = source.event_id() {
        records.common.entry("event_id").or_insert_with(|| json!(id));
    }
    let Records { common, prediction, outcome } = records;
    // An outcome alone comes later than its prediction; both on one span is a prediction whose truth was known at once.
    if !outcome.is_empty() {
        let mut record = common.clone();
        record.extend(outcome);
        take::<Outcome<'_>>(&Value::Object(record), Table::Outcomes, context, intake);
        if prediction.is_empty() {
            return;
        }
    }
    let mut record = common;
    record.extend(prediction);
    complete(&mut record, source);
    take::<Prediction<'_>>(&Value::Object(record), Table::Predictions, context, intake);
}

fn take<'a, E: ToRow<'a>>(record: &'a Value, table: Table, context: &Context<'_>, intake: &mut Intake) {
    let mut event = E::default();
    let read = decode_record(record, &mut event, context.limits, context.now_us);
    if let Err(fault) = read.and_then(|()| context.door.admit_redacted(&mut event)) {
        return intake.refuse_event(table, fault, event.model());
    }
    if event.event_id_mut().is_empty() {
        *event.event_id_mut() = context.ids.make(context.now_us).to_string().into();
    }
    let added = intake.add_event((table, context), event.model(), |out| event.encode(context.now_us, out));
    if let Err(fault) = added {
        intake.refuse_event(table, fault, event.model());
    }
}

/// What the span itself knows of a prediction.
fn complete(record: &mut Map<String, Value>, source: &Source<'_>) {
    let (trace_id, span_id) = source.ids;
    let mut default = |field: &str, value: Option<Value>| {
        if let Some(value) = value {
            record.entry(field).or_insert(value);
        }
    };
    let text = |text: &str| (!text.is_empty()).then(|| json!(text));
    default("latency_us", source.duration_us.map(Value::from));
    default("status", source.failed.then(|| json!("error")));
    default("environment", text(source.origin.environment));
    default("trace_id", text(trace_id));
    default("span_id", text(span_id));
}

/// The attributes by record; nothing where none says which model.
fn gather(attributes: &[KeyValue]) -> Option<Records> {
    if !attributes.iter().any(|attribute| attribute.key == MODEL) {
        return None;
    }
    let mut records = Records::default();
    for attribute in attributes {
        let Some(name) = attribute.key.strip_prefix(PREFIX) else { continue };
        let value = attribute.value.as_ref().map_or(Value::Null, attributes::json);
        records.put(name, value);
    }
    Some(records)
}

impl Records {
    fn put(&mut self, name: &str, value: Value) {
        let named = NAMED.iter().find_map(|(prefix, object)| Some((*object, name.strip_prefix(prefix)?)));
        if let Some((object, key)) = named {
            insert(&mut self.prediction, object, (key, value));
        } else if let Some(class) = name.strip_prefix(PROBABILITY) {
            let answer = self.prediction.entry("prediction").or_insert_with(|| json!({}));
            if let Value::Object(answer) = answer {
                insert(answer, "probabilities", (class, value));
            }
        } else if let Some(key) = name.strip_prefix("prediction.") {
            insert(&mut self.prediction, "prediction", (key, value));
        } else if let Some(key) = name.strip_prefix("outcome.") {
            self.outcome.insert(key.to_owned(), value);
        } else if matches!(name, "model" | "event_id" | "ts") {
            self.common.insert(name.to_owned(), value);
        } else {
            // A name that no field has is refused by the record's reader, which names the nearest.
            self.prediction.insert(name.to_owned(), value);
        }
    }
}

fn insert(record: &mut Map<String, Value>, object: &str, (key, value): (&str, Value)) {
    let object = record.entry(object).or_insert_with(|| json!({}));
    if let Value::Object(object) = object {
        object.insert(key.to_owned(), value);
    }
}
