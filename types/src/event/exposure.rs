//! An exposure: a unit was assigned to an arm of an experiment.

use serde::de::MapAccess;

use super::decode::{Event, Field};
use super::reader::Reader;
use super::values::{TextSeed, TsSeed};
use super::{Kind, Text};
use crate::rejection::Fault;

/// One exposure, checked.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Exposure<'a> {
    /// The client's id; empty until the collector has made one, where the client sent none.
    pub event_id: Text<'a>,
    /// When it was assigned, microseconds since 1970 UTC.
    pub ts_us: i64,
    /// The experiment's name; never empty.
    pub experiment: Text<'a>,
    /// Who was assigned; never empty.
    pub unit_id: Text<'a>,
    /// To which arm; never empty.
    pub arm: Text<'a>,
}

/// The fields of an exposure's record.
#[derive(Debug, Clone, Copy)]
pub enum ExposureField {
    EventId,
    Ts,
    Experiment,
    UnitId,
    Arm,
}

impl<'a> Event<'a> for Exposure<'a> {
    type Field = ExposureField;

    const KIND: Kind = Kind::Exposure;
    const FIELDS: &'static [(&'static str, ExposureField)] = &[
        ("experiment", ExposureField::Experiment),
        ("unit_id", ExposureField::UnitId),
        ("arm", ExposureField::Arm),
        ("ts", ExposureField::Ts),
        ("event_id", ExposureField::EventId),
    ];

    fn clear(&mut self, now_us: i64) {
        *self = Self { ts_us: now_us, ..Self::default() };
    }

    fn read<A: MapAccess<'a>>(
        &mut self,
        field: Field<ExposureField>,
        map: &mut A,
        reader: &Reader<'_>,
    ) -> Result<(), A::Error> {
        let limits = reader.limits();
        let name = TextSeed::new(reader, limits.name_bytes_max);
        match field.field {
            ExposureField::EventId => reader.event_id(map, &mut self.event_id),
            ExposureField::Ts => reader.set(map, TsSeed(reader), &mut self.ts_us),
            ExposureField::Experiment => reader.set(map, name, &mut self.experiment),
            ExposureField::Arm => reader.set(map, name, &mut self.arm),
            ExposureField::UnitId => {
                reader.set(map, TextSeed::new(reader, limits.value_bytes_max), &mut self.unit_id)
            }
        }
    }

    fn finish(&mut self, reader: &Reader<'_>) -> Result<(), Fault> {
        reader.required("experiment", &self.experiment)?;
        reader.required("unit_id", &self.unit_id)?;
        reader.required("arm", &self.arm)
    }

    fn event_id_mut(&mut self) -> &mut Text<'a> {
        &mut self.event_id
    }
}
