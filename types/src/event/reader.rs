//! What the visitors of one record share: the limits, the field they are in, and the fault they stopped at.
//!
//! serde's errors carry only text. A visitor that refuses a value leaves its fault here and stops with an empty serde
//! error; whatever serde itself refuses is translated once, in [`Reader::fault`].

use std::cell::{Cell, RefCell};
use std::fmt;
use std::marker::PhantomData;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, Visitor};
use serde_json::error::Category;

use super::Text;
use super::limits::Limits;
use super::values::TextSeed;
use crate::rejection::{Code, Fault};

/// The state of reading one record.
#[derive(Debug)]
pub struct Reader<'l> {
    limits: &'l Limits,
    field: Cell<&'static str>,
    fault: RefCell<Option<Fault>>,
}

impl<'l> Reader<'l> {
    pub(super) fn new(limits: &'l Limits) -> Self {
        Self { limits, field: Cell::new(""), fault: RefCell::new(None) }
    }

    /// The bounds in force.
    pub(super) fn limits(&self) -> &'l Limits {
        self.limits
    }

    /// The field being read, for messages; empty between fields.
    pub(super) fn field(&self) -> &'static str {
        self.field.get()
    }

    pub(super) fn enter(&self, field: &'static str) {
        self.field.set(field);
    }

    pub(super) fn leave(&self) {
        self.field.set("");
    }

    /// Remembers the fault and gives the serde error that stops the walk.
    pub(super) fn refuse<X: Error>(&self, code: Code, message: impl Into<String>) -> X {
        let mut fault = self.fault.borrow_mut();
        if fault.is_none() {
            *fault = Some(Fault::new(code, message));
        }
        X::custom("")
    }

    /// The fault behind a serde error.
    pub(super) fn fault(&self, error: &serde_json::Error) -> Fault {
        if let Some(fault) = self.fault.borrow_mut().take() {
            return fault;
        }
        let text = error.to_string();
        let text = text.rsplit_once(" at line ").map_or(text.as_str(), |(text, _)| text);
        if text.starts_with("number out of range") {
            let found = "a number out of range; accepted are numbers that a 64-bit float holds";
            return self.in_field(Code::NumberOutOfRange, found);
        }
        if error.classify() != Category::Data {
            let place = format!("column {}", error.column());
            return Fault::new(
                Code::InvalidJson,
                format!(
                    "invalid JSON at {place}: {text}; accepted is one JSON object a record (no NaN, no Infinity)"
                ),
            );
        }
        self.of_another_type(text)
    }

    /// The fault behind the error of a record that is no JSON text.
    pub(super) fn refused(&self, error: String) -> Fault {
        self.fault.borrow_mut().take().unwrap_or_else(|| self.of_another_type(&error))
    }

    fn of_another_type(&self, found: &str) -> Fault {
        let code = if self.field.get().is_empty() { Code::NotAnObject } else { Code::InvalidType };
        self.in_field(code, found)
    }

    fn in_field(&self, code: Code, found: &str) -> Fault {
        match self.field.get() {
            "" => Fault::new(code, found),
            field => Fault::new(code, format!("`{field}`: {found}")),
        }
    }

    /// Reads a value that may be `null` and overwrites `into` if it is not.
    pub(super) fn set<'a, A: MapAccess<'a>, S: DeserializeSeed<'a>>(
        &self,
        map: &mut A,
        seed: S,
        into: &mut S::Value,
    ) -> Result<(), A::Error> {
        if let Some(value) = map.next_value_seed(Optional(seed))? {
            *into = value;
        }
        Ok(())
    }

    /// Reads a value that may be `null` with a seed that writes where it was told.
    pub(super) fn fill<'a, A: MapAccess<'a>, S: DeserializeSeed<'a, Value = ()>>(
        &self,
        map: &mut A,
        seed: S,
    ) -> Result<(), A::Error> {
        map.next_value_seed(Optional(seed)).map(|_| ())
    }

    /// Reads `event_id`: a string that is not empty, within its limit.
    pub(super) fn event_id<'a, A: MapAccess<'a>>(
        &self,
        map: &mut A,
        into: &mut Text<'a>,
    ) -> Result<(), A::Error> {
        let max = self.limits.event_id_bytes_max;
        let Some(id) = map.next_value_seed(Optional(TextSeed::new(self, usize::MAX)))? else {
            return Ok(());
        };
        if id.len() > max {
            let message = format!("`event_id` has {} bytes; accepted are 1 to {max}", id.len());
            return Err(self.refuse(Code::EventIdTooLong, message));
        }
        if id.is_empty() {
            let message = format!(
                "`event_id` is empty; accepted are 1 to {max} bytes, or no `event_id` to get one made"
            );
            return Err(self.refuse(Code::MissingField, message));
        }
        *into = id;
        Ok(())
    }

    /// Refuses an empty text of a field that must be there.
    pub(super) fn required(&self, field: &str, text: &str) -> Result<(), Fault> {
        if text.is_empty() {
            let message = format!("`{field}` is missing or empty; accepted is a string that is not empty");
            return Err(Fault::new(Code::MissingField, message));
        }
        Ok(())
    }
}

/// A seed whose value may be `null`, which counts as absent.
#[derive(Debug)]
pub(super) struct Optional<S>(pub(super) S);

impl<'a, S: DeserializeSeed<'a>> DeserializeSeed<'a> for Optional<S> {
    type Value = Option<S::Value>;

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_option(OptionalVisitor(self.0, PhantomData))
    }
}

struct OptionalVisitor<'a, S>(S, PhantomData<&'a ()>);

impl<'a, S: DeserializeSeed<'a>> Visitor<'a> for OptionalVisitor<'a, S> {
    type Value = Option<S::Value>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value or null")
    }

    fn visit_none<X: Error>(self) -> Result<Self::Value, X> {
        Ok(None)
    }

    fn visit_unit<X: Error>(self) -> Result<Self::Value, X> {
        Ok(None)
    }

    fn visit_some<D: Deserializer<'a>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        self.0.deserialize(deserializer).map(Some)
    }
}
