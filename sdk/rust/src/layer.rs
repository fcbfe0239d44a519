//! A layer of `tracing-subscriber`: events with the target `windvane` are predictions.
//!
//! ```ignore
//! tracing::info!(target: "windvane", model = "delay", score = 0.12, distance = 1400, carrier = "UA");
//! ```
//!
//! The fields `model`, `version`, `event_id`, `environment`, `unit_id`, `score`, `label`, `value`, `latency_us`, `status`, `trace_id` and `span_id` are
//! those of a prediction; every other field is a feature.

use std::fmt;

use tracing_core::field::{Field, Visit};
use tracing_core::{Event, Subscriber};
use tracing_subscriber::layer::Context;

use crate::client::Client;
use crate::event::{Answer, Prediction, Value};

/// The target of events that are predictions.
pub const TARGET: &str = "windvane";

/// Logs events with the target `windvane`.
#[derive(Debug)]
pub struct Layer {
    client: Client,
}

impl Layer {
    /// A layer that logs to this client.
    pub fn new(client: Client) -> Self {
        Self { client }
    }
}

impl<S: Subscriber> tracing_subscriber::Layer<S> for Layer {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() != TARGET {
            return;
        }
        let mut seen = Seen::default();
        event.record(&mut seen);
        seen.log(&self.client);
    }
}

/// A value of a field.
#[derive(Debug, Clone)]
enum Held {
    Number(f64),
    Integer(i64),
    Text(String),
    Bool(bool),
}

impl Held {
    fn text(&self) -> &str {
        match self {
            Self::Text(text) => text,
            _ => "",
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "answers are stored as 64-bit floats")]
    fn number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Integer(number) => Some(*number as f64),
            _ => None,
        }
    }
}

/// The fields of one event, in order.
#[derive(Debug, Default)]
struct Seen(Vec<(&'static str, Held)>);

const KNOWN: [&str; 12] = [
    "model",
    "version",
    "event_id",
    "environment",
    "unit_id",
    "score",
    "label",
    "value",
    "latency_us",
    "status",
    "trace_id",
    "span_id",
];

impl Seen {
    fn of(&self, name: &str) -> Option<&Held> {
        self.0.iter().find(|(known, _)| *known == name).map(|(_, held)| held)
    }

    fn log(&self, client: &Client) {
        let text = |name| self.of(name).map_or("", Held::text);
        let number = |name| self.of(name).and_then(Held::number);
        let features: Vec<(&str, Value<'_>)> = self
            .0
            .iter()
            .filter(|(name, _)| !KNOWN.contains(name) && *name != "message")
            .map(|(name, held)| {
                let value = match held {
                    Held::Number(number) => Value::Number(*number),
                    Held::Integer(number) => Value::Integer(*number),
                    Held::Text(text) => Value::Text(text),
                    Held::Bool(truth) => Value::Bool(*truth),
                };
                (*name, value)
            })
            .collect();
        let answer = match (number("score"), text("label"), number("value")) {
            (Some(score), _, _) => Answer::Score(score),
            (None, "", Some(value)) => Answer::Value(value),
            (None, "", None) => Answer::None,
            (None, label, _) => Answer::Label(label, &[]),
        };
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range is checked")]
        let latency_us = number("latency_us").filter(|us| (0.0..1e15).contains(us)).map(|us| us as u64);
        client.log_prediction(&Prediction {
            model: text("model"),
            version: text("version"),
            event_id: text("event_id"),
            environment: text("environment"),
            unit_id: text("unit_id"),
            features: &features,
            answer,
            latency_us,
            status: text("status"),
            trace_id: text("trace_id"),
            span_id: text("span_id"),
            ..Prediction::default()
        });
    }
}

impl Visit for Seen {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.0.push((field.name(), Held::Number(value)));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.0.push((field.name(), Held::Integer(value)));
    }

    #[expect(clippy::cast_precision_loss, reason = "beyond 63 bits a feature is a 64-bit float")]
    fn record_u64(&mut self, field: &Field, value: u64) {
        let held = i64::try_from(value).map_or(Held::Number(value as f64), Held::Integer);
        self.0.push((field.name(), held));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.0.push((field.name(), Held::Bool(value)));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.push((field.name(), Held::Text(value.to_owned())));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.push((field.name(), Held::Text(format!("{value:?}"))));
    }
}
