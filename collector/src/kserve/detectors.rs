//! What detectors of Alibi Detect say, as Seldon's server of them sends it: `{"data": {…}, "meta": {"name": …}}`, with the attributes of
//! the event that was looked at.

use serde_json::{Map, Value, json};
use windvane_store::metrics::Point;
use windvane_store::{Attributes, Table};
use windvane_types::event::Measurement;
use windvane_types::rejection::{Code, Fault};

use super::event::Event;
use super::inference::flat;
use super::{Taking, id_of_row, number};
use crate::otlp::time;

/// Fields of a drift, the gauges that they become, and what those say.
const GAUGES: [(&str, &str, &str); 4] = [
    ("is_drift", "detector.is_drift", "1 where the detector says that there is drift, else 0"),
    ("distance", "detector.distance", "Statistic of the detector's test"),
    ("p_val", "detector.p_value", "p of the detector's test"),
    ("threshold", "detector.threshold", "Below which p, or above which distance, there is drift"),
];

/// One value of a gauge, and of which feature it is.
struct Reading {
    gauge: (&'static str, &'static str),
    feature: Option<usize>,
    value: f64,
}

impl Taking<'_> {
    /// A measurement an instance: whether it is an outlier, and its score where the detector was asked for scores.
    pub(super) fn outliers(&mut self, event: &Event) -> Result<(), Fault> {
        let ts_us = event.ts_us(self.context.now_us)?;
        let data = event.body.get("data");
        let list = |field: &str| data.and_then(|data| data.get(field)).and_then(Value::as_array);
        let Some(verdicts) = list("is_outlier") else {
            let message =
                "the outliers have no `data.is_outlier`; accepted is an array with a number an instance";
            return Err(Fault::new(Code::MissingField, message));
        };
        let scores = list("instance_score");
        if let Some(scores) = scores.filter(|scores| scores.len() != verdicts.len()) {
            let message = format!(
                "the outliers have {} scores for {} instances; accepted is an `instance_score` an instance",
                scores.len(),
                verdicts.len()
            );
            return Err(Fault::new(Code::InvalidType, message));
        }
        for (row, verdict) in verdicts.iter().enumerate() {
            let (id, place) = (id_of_row(&event.id, row, verdicts.len()), number(row, verdicts.len()));
            self.measure((id.as_str(), "outlier", ts_us), any(verdict), place);
            let score = scores.and_then(|scores| scores.get(row)).filter(|score| !score.is_null());
            if let Some(score) = score {
                self.measure((id.as_str(), "outlier_score", ts_us), score.clone(), place);
            }
            if self.logged.intake.too_large.is_some() {
                break;
            }
        }
        Ok(())
    }

    /// A measurement whose unit is a prediction. Its id stands twice, as keys of units may be hashed.
    pub(super) fn measure(&mut self, (id, metric, ts_us): (&str, &str, i64), value: Value, row: Option<u64>) {
        let mut record = Map::new();
        record.insert("event_id".to_owned(), json!(id));
        record.insert("unit_id".to_owned(), json!(id));
        record.insert("metric".to_owned(), json!(metric));
        record.insert("ts".to_owned(), json!(ts_us));
        record.insert("value".to_owned(), value);
        self.add::<Measurement<'_>>(&Value::Object(record), (Table::Measurements, row));
    }

    /// Gauges of the model: a drift is of many predictions and of none of them.
    pub(super) fn drift(&mut self, event: &Event) -> Result<(), Fault> {
        let ts_us = event.ts_us(self.context.now_us)?;
        let ns = u64::try_from(ts_us).unwrap_or_default().saturating_mul(1000);
        let ts_ns = time(ns, "time of the event")?;
        let values = values(&event.body, self.context.limits.features_max)?;
        let detector = event.body.get("meta").and_then(|meta| meta.get("name")?.as_str()).unwrap_or_default();
        let (mut resource, scope) = (Attributes::default(), Attributes::default());
        resource.push("service.name", &event.origin.model);
        let words = self.context.door.words.of(&event.origin.model);
        for Reading { gauge: (name, description), feature, value } in values {
            let mut attributes = Attributes::default();
            event.origin.words().for_each(|(key, word)| attributes.push(key, word));
            if let Some(feature) = feature {
                attributes.push("feature", &feature.to_string());
            }
            let point = Point {
                resource: &resource,
                resource_schema_url: "",
                scope_name: detector,
                scope_version: "",
                scope: &scope,
                scope_schema_url: "",
                service: words.name(),
                name,
                description,
                unit: "1",
                attributes: &attributes,
                start_ns: 0,
                ts_ns,
                flags: 0,
                ingested_at_us: self.context.now_us,
            };
            let table = Table::MetricsGauge;
            match self.logged.intake.add(table, self.context, |out| point.encode_gauge(value, out)) {
                Ok(()) => {
                    self.logged.intake.note(table, words.replaced());
                    self.kept += 1;
                }
                Err(fault) => self.refuse(fault, (table, None)),
            }
        }
        Ok(())
    }
}

/// Whether any feature of an instance is an outlier; what is no verdict stays what it is, to be refused as a value.
fn any(verdict: &Value) -> Value {
    let flags: Option<Vec<f64>> = flat(verdict).into_iter().map(as_number).collect();
    match flags {
        Some(flags) => json!(u8::from(flags.iter().any(|flag| *flag != 0.0))),
        None => verdict.clone(),
    }
}

fn as_number(value: &Value) -> Option<f64> {
    value.as_bool().map(|flag| f64::from(u8::from(flag))).or_else(|| value.as_f64())
}

/// What a drift says, of the whole or feature by feature.
fn values(body: &Value, features_max: usize) -> Result<Vec<Reading>, Fault> {
    let data = body.get("data");
    let said = |field: &str| data.and_then(|data| data.get(field)).filter(|value| !value.is_null());
    if said("is_drift").is_none() {
        let message =
            "the drift has no `data.is_drift`; accepted is a number, or an array with a number a feature";
        return Err(Fault::new(Code::MissingField, message));
    }
    let mut values = Vec::new();
    for (field, name, description) in GAUGES {
        let Some(value) = said(field) else { continue };
        let (elements, is_list) = match value {
            Value::Array(elements) => (elements.as_slice(), true),
            one => (std::slice::from_ref(one), false),
        };
        if elements.len() > features_max {
            let message = format!(
                "the drift has `{field}` of more than {features_max} features; accepted are up to that many"
            );
            return Err(Fault::new(Code::TooManyEntries, message));
        }
        for (at, element) in elements.iter().enumerate().filter(|(_, element)| !element.is_null()) {
            let Some(value) = as_number(element) else {
                let message = format!(
                    "the drift has a `{field}` that is no number; accepted is a number, or an array with a number a feature"
                );
                return Err(Fault::new(Code::InvalidType, message));
            };
            values.push(Reading { gauge: (name, description), feature: is_list.then_some(at), value });
        }
    }
    Ok(values)
}
