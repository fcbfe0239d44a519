//! A payload: the tensors that a model was given, captured so that they can be given to another one.

use serde::de::MapAccess;

use super::decode::{Event, Field};
use super::reader::Reader;
use super::tensor::{Tensor, TensorsSeed};
use super::values::{TextSeed, TsSeed};
use super::{Kind, Text};
use crate::rejection::{Code, Fault};

/// One payload, checked.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Payload<'a> {
    /// The id of the prediction that was made of it; empty until the collector has made one, where the client sent none.
    pub event_id: Text<'a>,
    /// When the model was asked, microseconds since 1970 UTC.
    pub ts_us: i64,
    /// The model's name; never empty.
    pub model: Text<'a>,
    /// The model's version; empty if the client sent none.
    pub version: Text<'a>,
    /// Where the model runs; empty if the client sent none.
    pub environment: Text<'a>,
    /// What the model was given; never empty.
    pub inputs: Vec<Tensor<'a>>,
    /// What it answered; empty if the client sent none.
    pub outputs: Vec<Tensor<'a>>,
}

/// The fields of a payload's record.
#[derive(Debug, Clone, Copy)]
pub enum PayloadField {
    EventId,
    Ts,
    Model,
    Version,
    Environment,
    Inputs,
    Outputs,
}

impl<'a> Event<'a> for Payload<'a> {
    type Field = PayloadField;

    const KIND: Kind = Kind::Payload;
    const FIELDS: &'static [(&'static str, PayloadField)] = &[
        ("model", PayloadField::Model),
        ("version", PayloadField::Version),
        ("event_id", PayloadField::EventId),
        ("ts", PayloadField::Ts),
        ("environment", PayloadField::Environment),
        ("inputs", PayloadField::Inputs),
        ("outputs", PayloadField::Outputs),
    ];

    fn clear(&mut self, now_us: i64) {
        let Self { mut inputs, mut outputs, .. } = std::mem::take(self);
        inputs.clear();
        outputs.clear();
        *self = Self { ts_us: now_us, inputs, outputs, ..Self::default() };
    }

    fn read<A: MapAccess<'a>>(
        &mut self,
        field: Field<PayloadField>,
        map: &mut A,
        reader: &Reader<'_>,
    ) -> Result<(), A::Error> {
        let name = TextSeed::new(reader, reader.limits().name_bytes_max);
        match field.field {
            PayloadField::EventId => reader.event_id(map, &mut self.event_id),
            PayloadField::Ts => reader.set(map, TsSeed(reader), &mut self.ts_us),
            PayloadField::Model => reader.set(map, name, &mut self.model),
            PayloadField::Version => reader.set(map, name, &mut self.version),
            PayloadField::Environment => reader.set(map, name, &mut self.environment),
            PayloadField::Inputs => reader.fill(map, TensorsSeed { reader, into: &mut self.inputs }),
            PayloadField::Outputs => reader.fill(map, TensorsSeed { reader, into: &mut self.outputs }),
        }
    }

    fn finish(&mut self, reader: &Reader<'_>) -> Result<(), Fault> {
        reader.required("model", &self.model)?;
        if self.inputs.is_empty() {
            let message = "`inputs` is missing or empty; accepted is an array of tensors, each with `name`, `datatype`, \
                 `shape` and `data`";
            return Err(Fault::new(Code::MissingField, message));
        }
        Ok(())
    }

    fn event_id_mut(&mut self) -> &mut Text<'a> {
        &mut self.event_id
    }

    fn model(&self) -> Option<&str> {
        Some(&self.model)
    }
}
