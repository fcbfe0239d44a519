//! A measurement: one value of a metric of a unit.

use serde::de::MapAccess;

use super::decode::{Event, Field};
use super::reader::{Optional, Reader};
use super::values::{NumberSeed, TextSeed, TsSeed};
use super::{Kind, Text};
use crate::rejection::{Code, Fault};

/// One measurement, checked.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Measurement<'a> {
    /// The client's id; empty until the collector has made one, where the client sent none.
    pub event_id: Text<'a>,
    /// When it was measured, microseconds since 1970 UTC.
    pub ts_us: i64,
    /// Whose metric; never empty.
    pub unit_id: Text<'a>,
    /// The metric's name; never empty.
    pub metric: Text<'a>,
    /// Its value; finite.
    pub value: f64,
}

/// The fields of a measurement's record.
#[derive(Debug, Clone, Copy)]
pub enum MeasurementField {
    EventId,
    Ts,
    UnitId,
    Metric,
    Value,
}

impl<'a> Event<'a> for Measurement<'a> {
    type Field = MeasurementField;

    const KIND: Kind = Kind::Measurement;
    const FIELDS: &'static [(&'static str, MeasurementField)] = &[
        ("unit_id", MeasurementField::UnitId),
        ("metric", MeasurementField::Metric),
        ("value", MeasurementField::Value),
        ("ts", MeasurementField::Ts),
        ("event_id", MeasurementField::EventId),
    ];

    fn clear(&mut self, now_us: i64) {
        // No JSON number is NaN, so NaN says that none was read yet; `finish` refuses it.
        *self = Self { ts_us: now_us, value: f64::NAN, ..Self::default() };
    }

    fn read<A: MapAccess<'a>>(
        &mut self,
        field: Field<MeasurementField>,
        map: &mut A,
        reader: &Reader<'_>,
    ) -> Result<(), A::Error> {
        let limits = reader.limits();
        match field.field {
            MeasurementField::EventId => reader.event_id(map, &mut self.event_id),
            MeasurementField::Ts => reader.set(map, TsSeed(reader), &mut self.ts_us),
            MeasurementField::Metric => {
                reader.set(map, TextSeed::new(reader, limits.name_bytes_max), &mut self.metric)
            }
            MeasurementField::UnitId => {
                reader.set(map, TextSeed::new(reader, limits.value_bytes_max), &mut self.unit_id)
            }
            MeasurementField::Value => {
                self.value = map.next_value_seed(Optional(NumberSeed(reader)))?.unwrap_or(f64::NAN);
                Ok(())
            }
        }
    }

    fn finish(&mut self, reader: &Reader<'_>) -> Result<(), Fault> {
        reader.required("unit_id", &self.unit_id)?;
        reader.required("metric", &self.metric)?;
        if self.value.is_nan() {
            return Err(Fault::new(Code::MissingField, "`value` is missing; accepted is a number"));
        }
        Ok(())
    }

    fn event_id_mut(&mut self) -> &mut Text<'a> {
        &mut self.event_id
    }
}
