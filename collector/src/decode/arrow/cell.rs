//! One value of a column as serde sees it, so that the rules of events hold for rows as they do for JSON.
//!
//! A key whose value is missing is left out of its object: a column is there for all rows, and null is how a row says that it has
//! no such field.

use std::fmt;
use std::ops::Range;

use serde::de::value::BorrowedStrDeserializer;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;

use super::column::{Column, Values, range};

/// A value: a column and a row of it.
#[derive(Debug, Clone, Copy)]
pub(in crate::decode) struct Cell<'a> {
    pub(in crate::decode) column: &'a Column,
    pub(in crate::decode) row: usize,
}

/// Why a value was refused, in words.
#[derive(Debug)]
pub(in crate::decode) struct Refused(String);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refused {}

impl serde::de::Error for Refused {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

impl<'a> Deserializer<'a> for Cell<'a> {
    type Error = Refused;

    fn deserialize_any<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Refused> {
        if self.column.is_null(self.row) {
            return visitor.visit_unit();
        }
        Present(self).deserialize_any(visitor)
    }

    fn deserialize_option<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Refused> {
        if self.column.is_missing(self.row) { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    forward_to_deserialize_any! {
        <V: Visitor<'a>>
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

/// A value that is known to be there, so that nobody looks once more.
#[derive(Debug, Clone, Copy)]
struct Present<'a>(Cell<'a>);

impl<'a> Deserializer<'a> for Present<'a> {
    type Error = Refused;

    fn deserialize_any<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Refused> {
        let Cell { column, row } = self.0;
        match &column.values {
            Values::Missing => visitor.visit_unit(),
            Values::Flag(flags) => visitor.visit_bool(flags.value(row)),
            Values::Integer(integers) => visitor.visit_i64(integers.values()[row]),
            Values::Unsigned(integers) => visitor.visit_u64(integers.values()[row]),
            Values::Number(numbers) => visitor.visit_f64(numbers.values()[row]),
            Values::Text(texts) => visitor.visit_borrowed_str(texts.value(row)),
            Values::LargeText(texts) => visitor.visit_borrowed_str(texts.value(row)),
            Values::TextView(texts) => visitor.visit_borrowed_str(texts.value(row)),
            Values::Coded { places, values } => {
                Self(Cell { column: values, row: places[row] }).deserialize_any(visitor)
            }
            Values::Struct(fields) => visitor.visit_map(Fields { fields: fields.iter(), row, value: None }),
            Values::Map { ends, keys, values } => {
                visitor.visit_map(Entries { keys, values, left: range(ends, row), value: None })
            }
            Values::List { ends, values } => visitor.visit_seq(Elements { values, left: ends.of(row) }),
            Values::Other(kind) => Err(serde::de::Error::custom(format_args!(
                "a column of Arrow's type {kind}; accepted are booleans, integers, floats, decimals, timestamps, strings, \
                 dictionaries of these, structs, maps and lists"
            ))),
        }
    }

    fn deserialize_option<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Refused> {
        visitor.visit_some(self)
    }

    forward_to_deserialize_any! {
        <V: Visitor<'a>>
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

/// A struct's columns as an object.
struct Fields<'a> {
    fields: std::slice::Iter<'a, (String, Column)>,
    row: usize,
    value: Option<Cell<'a>>,
}

impl<'a> MapAccess<'a> for Fields<'a> {
    type Error = Refused;

    fn next_key_seed<K: DeserializeSeed<'a>>(&mut self, seed: K) -> Result<Option<K::Value>, Refused> {
        let row = self.row;
        let Some((name, column)) = self.fields.find(|(_, column)| !column.is_missing(row)) else {
            return Ok(None);
        };
        self.value = Some(Cell { column, row });
        seed.deserialize(BorrowedStrDeserializer::new(name)).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'a>>(&mut self, seed: S) -> Result<S::Value, Refused> {
        seed.deserialize(taken(&mut self.value))
    }
}

/// A map's entries as an object.
struct Entries<'a> {
    keys: &'a Column,
    values: &'a Column,
    left: Range<usize>,
    value: Option<Cell<'a>>,
}

impl<'a> MapAccess<'a> for Entries<'a> {
    type Error = Refused;

    fn next_key_seed<K: DeserializeSeed<'a>>(&mut self, seed: K) -> Result<Option<K::Value>, Refused> {
        let Some(row) = self.left.find(|row| !self.values.is_missing(*row)) else { return Ok(None) };
        self.value = Some(Cell { column: self.values, row });
        seed.deserialize(Cell { column: self.keys, row }).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'a>>(&mut self, seed: S) -> Result<S::Value, Refused> {
        seed.deserialize(taken(&mut self.value))
    }
}

/// The value of the key that was found by having one.
fn taken<'a>(value: &mut Option<Cell<'a>>) -> Present<'a> {
    Present(value.take().expect("serde asks for a value after its key"))
}

/// A list's elements.
struct Elements<'a> {
    values: &'a Column,
    left: Range<usize>,
}

impl<'a> SeqAccess<'a> for Elements<'a> {
    type Error = Refused;

    fn next_element_seed<S: DeserializeSeed<'a>>(&mut self, seed: S) -> Result<Option<S::Value>, Refused> {
        let next = self.left.next().map(|row| seed.deserialize(Cell { column: self.values, row }));
        next.transpose()
    }
}
