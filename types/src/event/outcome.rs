//! An outcome: the ground truth of a prediction, known later.

use serde::de::MapAccess;

use super::decode::{Event, Field};
use super::reader::{Optional, Reader};
use super::values::{LabelSeed, NumberSeed, TextSeed, TsSeed};
use super::{Kind, Text};
use crate::rejection::{Code, Fault};

/// One outcome, checked.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Outcome<'a> {
    /// The id of the prediction it belongs to; never empty.
    pub event_id: Text<'a>,
    /// When it became known, microseconds since 1970 UTC.
    pub ts_us: i64,
    /// The model's name; never empty.
    pub model: Text<'a>,
    /// The true class, of a classification. Exactly one of `label` and `value` is there.
    pub label: Option<Text<'a>>,
    /// The true number, of a regression; finite.
    pub value: Option<f64>,
}

/// The fields of an outcome's record.
#[derive(Debug, Clone, Copy)]
pub enum OutcomeField {
    EventId,
    Ts,
    Model,
    Label,
    Value,
}

impl<'a> Event<'a> for Outcome<'a> {
    type Field = OutcomeField;

    const KIND: Kind = Kind::Outcome;
    const FIELDS: &'static [(&'static str, OutcomeField)] = &[
        ("model", OutcomeField::Model),
        ("event_id", OutcomeField::EventId),
        ("ts", OutcomeField::Ts),
        ("label", OutcomeField::Label),
        ("value", OutcomeField::Value),
    ];

    fn clear(&mut self, now_us: i64) {
        *self = Self { ts_us: now_us, ..Self::default() };
    }

    fn read<A: MapAccess<'a>>(
        &mut self,
        field: Field<OutcomeField>,
        map: &mut A,
        reader: &Reader<'_>,
    ) -> Result<(), A::Error> {
        match field.field {
            OutcomeField::EventId => reader.event_id(map, &mut self.event_id),
            OutcomeField::Ts => reader.set(map, TsSeed(reader), &mut self.ts_us),
            OutcomeField::Model => {
                reader.set(map, TextSeed::new(reader, reader.limits().name_bytes_max), &mut self.model)
            }
            OutcomeField::Label => {
                self.label = map.next_value_seed(Optional(LabelSeed(reader)))?;
                Ok(())
            }
            OutcomeField::Value => {
                self.value = map.next_value_seed(Optional(NumberSeed(reader)))?;
                Ok(())
            }
        }
    }

    fn finish(&mut self, reader: &Reader<'_>) -> Result<(), Fault> {
        reader.required("model", &self.model)?;
        reader.required("event_id", &self.event_id)?;
        let found = match (&self.label, self.value) {
            (Some(_), None) | (None, Some(_)) => return Ok(()),
            (Some(_), Some(_)) => "both",
            (None, None) => "neither",
        };
        Err(Fault::new(
            Code::OutcomeShape,
            format!(
                "the outcome has {found} of `label` and `value`; accepted is exactly one: `label` (a string) or \
                 `value` (a number)"
            ),
        ))
    }

    fn event_id_mut(&mut self) -> &mut Text<'a> {
        &mut self.event_id
    }

    fn model(&self) -> Option<&str> {
        Some(&self.model)
    }
}
