//! A prediction: one answer of a model in production, with the features it saw.

use serde::de::MapAccess;

use super::answer::{Answer, AnswerSeed};
use super::decode::{Event, Field};
use super::features::{EmbeddingsSeed, FeaturesSeed};
use super::reader::{Optional, Reader};
use super::values::{LatencySeed, TextMapSeed, TextSeed, TsSeed};
use super::{Entries, Kind, Text};
use crate::rejection::Fault;

/// One prediction, checked.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Prediction<'a> {
    /// The client's id; empty until the collector has made one, where the client sent none.
    pub event_id: Text<'a>,
    /// When it was made, microseconds since 1970 UTC.
    pub ts_us: i64,
    /// The model's name; never empty.
    pub model: Text<'a>,
    /// The model's version; empty if the client sent none.
    pub version: Text<'a>,
    /// Where the model runs, such as `prod`; empty if the client sent none.
    pub environment: Text<'a>,
    /// Who or what the prediction is about; empty if the client sent none.
    pub unit_id: Text<'a>,
    /// Experiment → arm; never empty.
    pub arms: Entries<'a, Text<'a>>,
    /// Numeric features that are present.
    pub num: Entries<'a, f64>,
    /// Categorical features that are present; booleans as `true` and `false`.
    pub cat: Entries<'a, Text<'a>>,
    /// Named vectors of finite numbers.
    pub embeddings: Entries<'a, Vec<f32>>,
    /// What the model said.
    pub answer: Answer<'a>,
    /// How long the model took, microseconds.
    pub latency_us: Option<u64>,
    /// `ok` if the client sent none.
    pub status: Text<'a>,
    /// The trace that the prediction belongs to; empty if none.
    pub trace_id: Text<'a>,
    /// The span that the prediction belongs to; empty if none.
    pub span_id: Text<'a>,
    /// Free tags, for segments.
    pub tags: Entries<'a, Text<'a>>,
}

/// The fields of a prediction's record.
#[derive(Debug, Clone, Copy)]
pub enum PredictionField {
    EventId,
    Ts,
    Model,
    Version,
    Environment,
    UnitId,
    Arms,
    Features,
    Embeddings,
    Prediction,
    LatencyUs,
    Status,
    TraceId,
    SpanId,
    Tags,
}

impl<'a> Event<'a> for Prediction<'a> {
    type Field = PredictionField;

    const KIND: Kind = Kind::Prediction;
    const FIELDS: &'static [(&'static str, PredictionField)] = &[
        ("model", PredictionField::Model),
        ("version", PredictionField::Version),
        ("event_id", PredictionField::EventId),
        ("ts", PredictionField::Ts),
        ("environment", PredictionField::Environment),
        ("unit_id", PredictionField::UnitId),
        ("arms", PredictionField::Arms),
        ("features", PredictionField::Features),
        ("embeddings", PredictionField::Embeddings),
        ("prediction", PredictionField::Prediction),
        ("latency_us", PredictionField::LatencyUs),
        ("status", PredictionField::Status),
        ("trace_id", PredictionField::TraceId),
        ("span_id", PredictionField::SpanId),
        ("tags", PredictionField::Tags),
    ];

    fn clear(&mut self, now_us: i64) {
        self.event_id = Text::Borrowed("");
        self.ts_us = now_us;
        self.model = Text::Borrowed("");
        self.version = Text::Borrowed("");
        self.environment = Text::Borrowed("");
        self.unit_id = Text::Borrowed("");
        self.arms.clear();
        self.num.clear();
        self.cat.clear();
        self.embeddings.clear();
        self.answer.clear();
        self.latency_us = None;
        self.status = Text::Borrowed("ok");
        self.trace_id = Text::Borrowed("");
        self.span_id = Text::Borrowed("");
        self.tags.clear();
    }

    fn read<A: MapAccess<'a>>(
        &mut self,
        field: Field<PredictionField>,
        map: &mut A,
        reader: &Reader<'_>,
    ) -> Result<(), A::Error> {
        let limits = reader.limits();
        let name = TextSeed::new(reader, limits.name_bytes_max);
        let value = TextSeed::new(reader, limits.value_bytes_max);
        let tags_max = limits.tags_max;
        let text = match field.field {
            PredictionField::EventId => return reader.event_id(map, &mut self.event_id),
            PredictionField::Ts => return reader.set(map, TsSeed(reader), &mut self.ts_us),
            PredictionField::LatencyUs => {
                self.latency_us = map.next_value_seed(Optional(LatencySeed(reader)))?;
                return Ok(());
            }
            PredictionField::Arms => {
                let into = &mut self.arms;
                reader.fill(map, TextMapSeed { reader, into, entries_max: tags_max })?;
                // No unit is in an arm without a name: exposures have none either.
                self.arms.retain(|(_, arm)| !arm.is_empty());
                return Ok(());
            }
            PredictionField::Tags => {
                let into = &mut self.tags;
                return reader.fill(map, TextMapSeed { reader, into, entries_max: tags_max });
            }
            PredictionField::Features => {
                return reader.fill(map, FeaturesSeed { reader, num: &mut self.num, cat: &mut self.cat });
            }
            PredictionField::Embeddings => {
                return reader.fill(map, EmbeddingsSeed { reader, into: &mut self.embeddings });
            }
            PredictionField::Prediction => {
                return reader.fill(map, AnswerSeed { reader, into: &mut self.answer });
            }
            PredictionField::Model => (name, &mut self.model),
            PredictionField::Version => (name, &mut self.version),
            PredictionField::Environment => (name, &mut self.environment),
            PredictionField::Status => (name, &mut self.status),
            PredictionField::TraceId => (name, &mut self.trace_id),
            PredictionField::SpanId => (name, &mut self.span_id),
            PredictionField::UnitId => (value, &mut self.unit_id),
        };
        reader.set(map, text.0, text.1)
    }

    fn finish(&mut self, reader: &Reader<'_>) -> Result<(), Fault> {
        reader.required("model", &self.model)
    }

    fn event_id_mut(&mut self) -> &mut Text<'a> {
        &mut self.event_id
    }

    fn model(&self) -> Option<&str> {
        Some(&self.model)
    }
}
