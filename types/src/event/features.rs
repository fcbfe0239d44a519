//! `features` and `embeddings`: what the model saw, split by JSON type into numeric and categorical.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::reader::{Optional, Reader};
use super::values::{KeySeed, NumberSeed, TextSeed, check_len, check_unique};
use super::{Entries, Text};
use crate::rejection::Code;

/// Numbers go to `num`, strings and booleans to `cat`, `null` nowhere.
pub(super) struct FeaturesSeed<'s, 'a> {
    pub(super) reader: &'s Reader<'s>,
    pub(super) num: &'s mut Entries<'a, f64>,
    pub(super) cat: &'s mut Entries<'a, Text<'a>>,
}

impl<'a> DeserializeSeed<'a> for FeaturesSeed<'_, 'a> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'a> Visitor<'a> for FeaturesSeed<'_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of numbers, strings, booleans and nulls")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<(), A::Error> {
        let reader = self.reader;
        while let Some(key) = map.next_key_seed(KeySeed(reader))? {
            match map.next_value_seed(ScalarSeed { reader, key: &key })? {
                Scalar::Number(number) => self.num.push((key, number)),
                Scalar::Text(text) => self.cat.push((key, text)),
                Scalar::Missing => {}
            }
            check_len(reader, self.num.len() + self.cat.len(), reader.limits().features_max)?;
        }
        let num = self.num.iter().map(|(key, _)| key.as_ref());
        check_unique(reader, num.chain(self.cat.iter().map(|(key, _)| key.as_ref())))
    }
}

enum Scalar<'a> {
    Number(f64),
    Text(Text<'a>),
    Missing,
}

struct ScalarSeed<'s> {
    reader: &'s Reader<'s>,
    key: &'s str,
}

impl ScalarSeed<'_> {
    fn refuse<X: Error>(&self, found: &str) -> X {
        let message = format!(
            "the feature `{}` is {found}; accepted are a number, a string, a boolean and null",
            self.key
        );
        self.reader.refuse(Code::FeatureNotAScalar, message)
    }

    fn text(&self) -> TextSeed<'_> {
        TextSeed::new(self.reader, self.reader.limits().value_bytes_max)
    }
}

impl<'a> DeserializeSeed<'a> for ScalarSeed<'_> {
    type Value = Scalar<'a>;

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<Scalar<'a>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'a> Visitor<'a> for ScalarSeed<'_> {
    type Value = Scalar<'a>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number, a string, a boolean or null")
    }

    fn visit_f64<X: Error>(self, number: f64) -> Result<Scalar<'a>, X> {
        NumberSeed(self.reader).visit_f64(number).map(Scalar::Number)
    }

    fn visit_u64<X: Error>(self, number: u64) -> Result<Scalar<'a>, X> {
        NumberSeed(self.reader).visit_u64(number).map(Scalar::Number)
    }

    fn visit_i64<X: Error>(self, number: i64) -> Result<Scalar<'a>, X> {
        NumberSeed(self.reader).visit_i64(number).map(Scalar::Number)
    }

    fn visit_bool<X: Error>(self, truth: bool) -> Result<Scalar<'a>, X> {
        Ok(Scalar::Text(Cow::Borrowed(if truth { "true" } else { "false" })))
    }

    fn visit_borrowed_str<X: Error>(self, text: &'a str) -> Result<Scalar<'a>, X> {
        self.text().visit_borrowed_str(text).map(Scalar::Text)
    }

    fn visit_str<X: Error>(self, text: &str) -> Result<Scalar<'a>, X> {
        self.text().visit_str(text).map(Scalar::Text)
    }

    fn visit_unit<X: Error>(self) -> Result<Scalar<'a>, X> {
        Ok(Scalar::Missing)
    }

    fn visit_seq<A: SeqAccess<'a>>(self, _: A) -> Result<Scalar<'a>, A::Error> {
        Err(self.refuse("an array"))
    }

    fn visit_map<A: MapAccess<'a>>(self, _: A) -> Result<Scalar<'a>, A::Error> {
        Err(self.refuse("an object"))
    }
}

/// Named vectors of finite numbers.
pub(super) struct EmbeddingsSeed<'s, 'a> {
    pub(super) reader: &'s Reader<'s>,
    pub(super) into: &'s mut Entries<'a, Vec<f32>>,
}

impl<'a> DeserializeSeed<'a> for EmbeddingsSeed<'_, 'a> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'a> Visitor<'a> for EmbeddingsSeed<'_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of arrays of numbers")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key_seed(KeySeed(self.reader))? {
            if let Some(vector) = map.next_value_seed(Optional(VectorSeed(self.reader)))? {
                self.into.push((key, vector));
            }
            check_len(self.reader, self.into.len(), self.reader.limits().embeddings_max)?;
        }
        check_unique(self.reader, self.into.iter().map(|(key, _)| key.as_ref()))
    }
}

struct VectorSeed<'s>(&'s Reader<'s>);

impl<'a> DeserializeSeed<'a> for VectorSeed<'_> {
    type Value = Vec<f32>;

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<Vec<f32>, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'a> Visitor<'a> for VectorSeed<'_> {
    type Value = Vec<f32>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of numbers")
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut seq: A) -> Result<Vec<f32>, A::Error> {
        let max = self.0.limits().dimensions_max;
        let mut vector = Vec::new();
        while vector.len() < max {
            let Some(number) = seq.next_element_seed(NumberSeed(self.0))? else { return Ok(vector) };
            #[expect(clippy::cast_possible_truncation, reason = "embeddings are stored as 32-bit floats")]
            let narrow = number as f32;
            if !narrow.is_finite() {
                let message =
                    format!("`embeddings`: {number}; accepted are numbers that a 32-bit float holds");
                return Err(self.0.refuse(Code::NumberOutOfRange, message));
            }
            vector.push(narrow);
        }
        match seq.next_element::<IgnoredAny>()? {
            None => Ok(vector),
            Some(_) => {
                let message = format!("an embedding has more than {max} numbers; accepted are up to {max}");
                Err(self.0.refuse(Code::TooManyEntries, message))
            }
        }
    }
}
