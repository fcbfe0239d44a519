//! From one JSON record to one event: the walk over its fields, the same for every kind.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, Visitor};

use super::limits::Limits;
use super::reader::Reader;
use super::{Kind, Text};
use crate::rejection::{Code, Fault};

/// A kind of event: which fields its record has, and what each does to it.
pub trait Event<'a>: Default {
    /// One of the fields.
    type Field: Copy + 'static;

    /// Which kind.
    const KIND: Kind;
    /// The fields by name; at most 32, the usual order first.
    const FIELDS: &'static [(&'static str, Self::Field)];

    /// Forgets the last record, keeps its vectors; an event without `ts` happened at `now_us`.
    fn clear(&mut self, now_us: i64);

    /// Reads the value of one field.
    ///
    /// # Errors
    /// What JSON or the field's rules refuse; the fault is left in `reader`.
    fn read<A: MapAccess<'a>>(
        &mut self,
        field: Field<Self::Field>,
        map: &mut A,
        reader: &Reader<'_>,
    ) -> Result<(), A::Error>;

    /// Checks what can be checked only when every field was seen.
    ///
    /// # Errors
    /// The rule that the whole record breaks.
    fn finish(&mut self, reader: &Reader<'_>) -> Result<(), Fault>;

    /// The id, for the caller who makes one where it is empty.
    fn event_id_mut(&mut self) -> &mut Text<'a>;

    /// The model that it is of; `None` for kinds that belong to none.
    fn model(&self) -> Option<&str> {
        None
    }
}

/// A field that was found, with its name for messages.
#[derive(Debug, Clone, Copy)]
pub struct Field<F> {
    /// Its place in [`Event::FIELDS`].
    index: usize,
    /// Which.
    pub field: F,
}

/// Reads a record that is no JSON text, such as a row of columns, into `event`, by the same rules as [`decode()`].
///
/// # Errors
/// The first rule that the record breaks.
pub fn decode_record<'a, E: Event<'a>, D: Deserializer<'a>>(
    record: D,
    event: &mut E,
    limits: &Limits,
    now_us: i64,
) -> Result<(), Fault> {
    event.clear(now_us);
    let reader = Reader::new(limits);
    RecordSeed { event: &mut *event, reader: &reader }
        .deserialize(record)
        .map_err(|error| reader.refused(error.to_string()))?;
    event.finish(&reader)
}

/// Decodes one JSON record into `event`, which is cleared first. `now_us` (microseconds since 1970) stands in for a
/// missing `ts`. An id that the client did not send stays empty.
///
/// # Errors
/// The first rule that the record breaks.
pub fn decode<'a, E: Event<'a>>(
    record: &'a [u8],
    event: &mut E,
    limits: &Limits,
    now_us: i64,
) -> Result<(), Fault> {
    if record.len() > limits.record_bytes_max(E::KIND) {
        let (n, max) = (record.len(), limits.record_bytes_max(E::KIND));
        return Err(Fault::new(
            Code::RecordTooLarge,
            format!("the record has {n} bytes; accepted are up to {max}"),
        ));
    }
    event.clear(now_us);
    // Looked at once and as a whole: serde_json would look at each of some seventy strings again.
    let text = std::str::from_utf8(record).map_err(|error| not_text(&error))?;
    let reader = Reader::new(limits);
    let mut json = serde_json::Deserializer::from_str(text);
    RecordSeed { event: &mut *event, reader: &reader }
        .deserialize(&mut json)
        .and_then(|()| json.end())
        .map_err(|error| reader.fault(&error))?;
    event.finish(&reader)
}

fn not_text(error: &std::str::Utf8Error) -> Fault {
    let column = error.valid_up_to() + 1;
    Fault::new(
        Code::InvalidJson,
        format!(
            "invalid JSON at column {column}: a byte that is no UTF-8; accepted is one JSON object a record (no NaN, no Infinity)"
        ),
    )
}

struct RecordSeed<'s, E> {
    event: &'s mut E,
    reader: &'s Reader<'s>,
}

impl<'a, E: Event<'a>> DeserializeSeed<'a> for RecordSeed<'_, E> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<(), D::Error> {
        // `deserialize_any`, because a scalar or an array is to be told apart from broken JSON.
        deserializer.deserialize_any(self)
    }
}

impl<'a, E: Event<'a>> Visitor<'a> for RecordSeed<'_, E> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<(), A::Error> {
        let mut seen = 0u32;
        while let Some(field) = map.next_key_seed(FieldSeed::<E> { reader: self.reader, of: E::FIELDS })? {
            let name = E::FIELDS[field.index].0;
            let bit = 1u32 << field.index;
            if seen & bit != 0 {
                let message = format!("the field `{name}` stands twice; accepted is once");
                return Err(self.reader.refuse(Code::DuplicateField, message));
            }
            seen |= bit;
            self.reader.enter(name);
            self.event.read(field, &mut map, self.reader)?;
            self.reader.leave();
        }
        Ok(())
    }
}

struct FieldSeed<'s, 'a, E: Event<'a>> {
    reader: &'s Reader<'s>,
    of: &'static [(&'static str, E::Field)],
}

impl<'a, E: Event<'a>> DeserializeSeed<'a> for FieldSeed<'_, 'a, E> {
    type Value = Field<E::Field>;

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'a, E: Event<'a>> Visitor<'a> for FieldSeed<'_, 'a, E> {
    type Value = Field<E::Field>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a field's name")
    }

    fn visit_str<X: serde::de::Error>(self, name: &str) -> Result<Self::Value, X> {
        match self.of.iter().position(|(known, _)| *known == name) {
            Some(index) => Ok(Field { index, field: self.of[index].1 }),
            None => Err(self.reader.refuse(Code::UnknownField, unknown_field::<E>(name))),
        }
    }
}

/// Names the nearest known field, and lists them all.
fn unknown_field<'a, E: Event<'a>>(name: &str) -> String {
    let known: Vec<&str> = E::FIELDS.iter().map(|(known, _)| *known).collect();
    format!("unknown field `{}`; {}; accepted are {}", shown(name), nearest(name, &known), known.join(", "))
}

/// The start of a name that may be long.
pub(super) fn shown(name: &str) -> String {
    name.chars().take(64).collect()
}

/// Says which known name is nearest.
pub(super) fn nearest(name: &str, known: &[&str]) -> String {
    let name = shown(name);
    let similarity = |known: &str| strsim::jaro_winkler(known, &name);
    let nearest = known.iter().max_by(|a, b| similarity(a).total_cmp(&similarity(b)));
    format!("the nearest known one is `{}`", nearest.unwrap_or(&""))
}
