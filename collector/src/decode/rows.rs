//! From an event to its RowBinary row: the one place where the words of events meet the columns of tables.

use windvane_store::{exposures, measurements, outcomes, payloads, predictions};
use windvane_types::event::{
    Entries, Event, Exposure, Measurement, Outcome, Payload, Prediction, Tensor, Text,
};
use windvane_types::rejection::Fault;

use crate::limits::Names;
use crate::redact::Redact;

/// An event that a table takes.
pub(crate) trait ToRow<'a>: Event<'a> + Redact {
    /// Holds the event against the bounds on names, and remembers what is new in it.
    fn name(&self, names: &Names) -> Result<(), Fault>;

    /// Appends the event's row.
    fn encode(&self, ingested_at_us: i64, out: &mut Vec<u8>);
}

fn texts<'e>(entries: &'e Entries<'_, Text<'_>>) -> impl Iterator<Item = (&'e str, &'e str)> {
    entries.iter().map(|(key, value)| (key.as_ref(), value.as_ref()))
}

fn numbers<'e>(entries: &'e Entries<'_, f64>) -> impl Iterator<Item = (&'e str, f64)> {
    entries.iter().map(|(key, value)| (key.as_ref(), *value))
}

impl<'a> ToRow<'a> for Prediction<'a> {
    fn name(&self, names: &Names) -> Result<(), Fault> {
        names.prediction(self)
    }

    fn encode(&self, ingested_at_us: i64, out: &mut Vec<u8>) {
        let row = predictions::Row {
            event_id: &self.event_id,
            ts_us: self.ts_us,
            ingested_at_us,
            model: &self.model,
            version: &self.version,
            environment: &self.environment,
            unit_id: &self.unit_id,
            arms: &mut texts(&self.arms),
            num: &mut numbers(&self.num),
            cat: &mut texts(&self.cat),
            embeddings: &mut self.embeddings.iter().map(|(key, vector)| (key.as_ref(), vector.as_slice())),
            kind: self.answer.kind.as_str(),
            score: self.answer.score,
            label: self.answer.label.as_deref(),
            probabilities: &mut numbers(&self.answer.probabilities),
            value: self.answer.value,
            latency_us: self.latency_us,
            status: &self.status,
            trace_id: &self.trace_id,
            span_id: &self.span_id,
            tags: &mut texts(&self.tags),
        };
        row.encode(out);
    }
}

impl<'a> ToRow<'a> for Outcome<'a> {
    fn name(&self, names: &Names) -> Result<(), Fault> {
        names.outcome(self)
    }

    fn encode(&self, ingested_at_us: i64, out: &mut Vec<u8>) {
        let row = outcomes::Row {
            model: &self.model,
            event_id: &self.event_id,
            ts_us: self.ts_us,
            ingested_at_us,
            label: self.label.as_deref(),
            value: self.value,
        };
        row.encode(out);
    }
}

impl<'a> ToRow<'a> for Exposure<'a> {
    fn name(&self, names: &Names) -> Result<(), Fault> {
        names.exposure(self)
    }

    fn encode(&self, ingested_at_us: i64, out: &mut Vec<u8>) {
        let row = exposures::Row {
            experiment: &self.experiment,
            unit_id: &self.unit_id,
            arm: &self.arm,
            ts_us: self.ts_us,
            event_id: &self.event_id,
            ingested_at_us,
        };
        row.encode(out);
    }
}

impl<'a> ToRow<'a> for Measurement<'a> {
    fn name(&self, names: &Names) -> Result<(), Fault> {
        names.measurement(self)
    }

    fn encode(&self, ingested_at_us: i64, out: &mut Vec<u8>) {
        let row = measurements::Row {
            metric: &self.metric,
            unit_id: &self.unit_id,
            ts_us: self.ts_us,
            value: self.value,
            event_id: &self.event_id,
            ingested_at_us,
        };
        row.encode(out);
    }
}

impl<'a> ToRow<'a> for Payload<'a> {
    fn name(&self, names: &Names) -> Result<(), Fault> {
        names.payload(self)
    }

    fn encode(&self, ingested_at_us: i64, out: &mut Vec<u8>) {
        let row = payloads::Row {
            event_id: &self.event_id,
            ts_us: self.ts_us,
            ingested_at_us,
            model: &self.model,
            version: &self.version,
            environment: &self.environment,
            inputs: &json(&self.inputs),
            outputs: &json(&self.outputs),
        };
        row.encode(out);
    }
}

fn json(tensors: &[Tensor<'_>]) -> String {
    if tensors.is_empty() {
        return String::new();
    }
    serde_json::to_string(tensors).expect("tensors of numbers, strings and booleans are JSON")
}
