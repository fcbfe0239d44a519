//! Seeds for the values of fields: text, numbers, labels, times, latencies, and maps of text.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, Visitor};

use super::reader::Reader;
use super::{Entries, Text, ts};
use crate::rejection::{Code, Fault};

/// Implements `DeserializeSeed` for a visitor by asking the JSON what it holds.
macro_rules! seed_of_any {
    ($seed:ident < $($life:lifetime),* > => $value:ty) => {
        impl<'a> DeserializeSeed<'a> for $seed<$($life),*> {
            type Value = $value;

            fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<$value, D::Error> {
                deserializer.deserialize_any(self)
            }
        }
    };
}

/// A string of at most so many bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct TextSeed<'s> {
    reader: &'s Reader<'s>,
    bytes_max: usize,
}

impl<'s> TextSeed<'s> {
    pub(super) fn new(reader: &'s Reader<'s>, bytes_max: usize) -> Self {
        Self { reader, bytes_max }
    }

    fn check<X: Error>(&self, text: &str) -> Result<(), X> {
        if text.len() <= self.bytes_max {
            return Ok(());
        }
        let (field, n, max) = (self.reader.field(), text.len(), self.bytes_max);
        let message = format!("`{field}`: a string of {n} bytes; accepted are up to {max}");
        Err(self.reader.refuse(Code::StringTooLong, message))
    }
}

impl<'a> DeserializeSeed<'a> for TextSeed<'_> {
    type Value = Text<'a>;

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<Text<'a>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'a> Visitor<'a> for TextSeed<'_> {
    type Value = Text<'a>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_borrowed_str<X: Error>(self, text: &'a str) -> Result<Text<'a>, X> {
        self.check(text)?;
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<X: Error>(self, text: &str) -> Result<Text<'a>, X> {
        self.check(text)?;
        Ok(Cow::Owned(text.to_owned()))
    }
}

/// A key of a map: a string that is not empty, within the limit of names.
pub(super) struct KeySeed<'s>(pub(super) &'s Reader<'s>);

impl<'a> DeserializeSeed<'a> for KeySeed<'_> {
    type Value = Text<'a>;

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<Text<'a>, D::Error> {
        let key = TextSeed::new(self.0, self.0.limits().name_bytes_max).deserialize(deserializer)?;
        if key.is_empty() {
            let message =
                format!("`{}` has an empty key; accepted are names that are not empty", self.0.field());
            return Err(self.0.refuse(Code::NameEmpty, message));
        }
        Ok(key)
    }
}

/// A number; JSON has none that is not finite.
pub(super) struct NumberSeed<'s>(pub(super) &'s Reader<'s>);
seed_of_any!(NumberSeed<'_> => f64);

impl Visitor<'_> for NumberSeed<'_> {
    type Value = f64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number")
    }

    fn visit_f64<X: Error>(self, number: f64) -> Result<f64, X> {
        if number.is_finite() {
            return Ok(number);
        }
        let field = self.0.field();
        Err(self.0.refuse(
            Code::NumberOutOfRange,
            format!("`{field}`: accepted are numbers that a 64-bit float holds"),
        ))
    }

    #[expect(clippy::cast_precision_loss, reason = "numbers are stored as 64-bit floats")]
    fn visit_u64<X: Error>(self, number: u64) -> Result<f64, X> {
        Ok(number as f64)
    }

    #[expect(clippy::cast_precision_loss, reason = "numbers are stored as 64-bit floats")]
    fn visit_i64<X: Error>(self, number: i64) -> Result<f64, X> {
        Ok(number as f64)
    }
}

/// A class: a string; booleans and integers are taken as their text, because many models number their classes.
pub(super) struct LabelSeed<'s>(pub(super) &'s Reader<'s>);
seed_of_any!(LabelSeed<'_> => Text<'a>);

impl<'a> Visitor<'a> for LabelSeed<'_> {
    type Value = Text<'a>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string, an integer or a boolean")
    }

    fn visit_borrowed_str<X: Error>(self, text: &'a str) -> Result<Text<'a>, X> {
        self.text().visit_borrowed_str(text)
    }

    fn visit_str<X: Error>(self, text: &str) -> Result<Text<'a>, X> {
        self.text().visit_str(text)
    }

    fn visit_bool<X: Error>(self, truth: bool) -> Result<Text<'a>, X> {
        Ok(Cow::Borrowed(if truth { "true" } else { "false" }))
    }

    fn visit_u64<X: Error>(self, number: u64) -> Result<Text<'a>, X> {
        Ok(Cow::Owned(number.to_string()))
    }

    fn visit_i64<X: Error>(self, number: i64) -> Result<Text<'a>, X> {
        Ok(Cow::Owned(number.to_string()))
    }
}

impl<'s> LabelSeed<'s> {
    fn text(&self) -> TextSeed<'s> {
        TextSeed::new(self.0, self.0.limits().value_bytes_max)
    }
}

/// A time, in microseconds since 1970.
pub(super) struct TsSeed<'s>(pub(super) &'s Reader<'s>);
seed_of_any!(TsSeed<'_> => i64);

impl TsSeed<'_> {
    fn stop<X: Error>(&self, fault: Fault) -> X {
        self.0.refuse(fault.code, fault.message)
    }
}

impl Visitor<'_> for TsSeed<'_> {
    type Value = i64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RFC 3339 text with an offset, or integer microseconds since 1970")
    }

    fn visit_str<X: Error>(self, text: &str) -> Result<i64, X> {
        ts::from_text(text).map_err(|fault| self.stop(fault))
    }

    fn visit_u64<X: Error>(self, number: u64) -> Result<i64, X> {
        ts::from_integer(i128::from(number)).map_err(|fault| self.stop(fault))
    }

    fn visit_i64<X: Error>(self, number: i64) -> Result<i64, X> {
        ts::from_integer(i128::from(number)).map_err(|fault| self.stop(fault))
    }

    fn visit_f64<X: Error>(self, number: f64) -> Result<i64, X> {
        Err(self.stop(ts::from_float(number)))
    }
}

/// The longest latency that is taken: a year, in microseconds. More is a clock's fault, no latency.
const LATENCY_MAX_US: u64 = 366 * 24 * 3600 * 1_000_000;

/// A latency in microseconds: a number from 0; a fraction is rounded.
pub(super) struct LatencySeed<'s>(pub(super) &'s Reader<'s>);
seed_of_any!(LatencySeed<'_> => u64);

impl LatencySeed<'_> {
    fn out_of_range<X: Error>(&self, found: impl fmt::Display) -> X {
        let message =
            format!("`latency_us` is {found}; accepted are microseconds from 0 to {LATENCY_MAX_US}");
        self.0.refuse(Code::LatencyOutOfRange, message)
    }
}

impl Visitor<'_> for LatencySeed<'_> {
    type Value = u64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("microseconds, a number from 0")
    }

    fn visit_u64<X: Error>(self, us: u64) -> Result<u64, X> {
        if us <= LATENCY_MAX_US { Ok(us) } else { Err(self.out_of_range(us)) }
    }

    fn visit_i64<X: Error>(self, us: i64) -> Result<u64, X> {
        match u64::try_from(us) {
            Ok(us) => self.visit_u64(us),
            Err(_) => Err(self.out_of_range(us)),
        }
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the range was checked before"
    )]
    #[expect(clippy::cast_precision_loss, reason = "the bound is far below 2^53")]
    fn visit_f64<X: Error>(self, us: f64) -> Result<u64, X> {
        if (0.0..=LATENCY_MAX_US as f64).contains(&us) {
            Ok(us.round() as u64)
        } else {
            Err(self.out_of_range(us))
        }
    }
}

/// A map from names to strings; `null` values count as absent.
pub(super) struct TextMapSeed<'s, 'a> {
    pub(super) reader: &'s Reader<'s>,
    pub(super) into: &'s mut Entries<'a, Text<'a>>,
    pub(super) entries_max: usize,
}

impl<'a> DeserializeSeed<'a> for TextMapSeed<'_, 'a> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'a> Visitor<'a> for TextMapSeed<'_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of strings")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key_seed(KeySeed(self.reader))? {
            let seed = TextSeed::new(self.reader, self.reader.limits().value_bytes_max);
            if let Some(value) = map.next_value_seed(super::reader::Optional(seed))? {
                self.into.push((key, value));
            }
            check_len(self.reader, self.into.len(), self.entries_max)?;
        }
        check_unique(self.reader, self.into.iter().map(|(key, _)| key.as_ref()))
    }
}

/// Refuses a map or an array that has grown past its bound.
pub(super) fn check_len<X: Error>(reader: &Reader<'_>, n: usize, max: usize) -> Result<(), X> {
    if n <= max {
        return Ok(());
    }
    let message = format!("`{}` has more than {max} entries; accepted are up to {max}", reader.field());
    Err(reader.refuse(Code::TooManyEntries, message))
}

/// Up to this many keys, looking only at keys of the same kind beats sorting them.
const COMPARED_MAX: usize = 64;

/// Refuses a key that stands twice.
pub(super) fn check_unique<'k, X: Error>(
    reader: &Reader<'_>,
    keys: impl Iterator<Item = &'k str> + Clone,
) -> Result<(), X> {
    let repeated = if keys.clone().nth(COMPARED_MAX).is_none() {
        repeated_among_few(keys)
    } else {
        let mut sorted: Vec<&str> = keys.collect();
        sorted.sort_unstable();
        sorted.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[0])
    };
    match repeated {
        None => Ok(()),
        Some(key) => {
            let message = format!("`{}` has the key `{key}` twice; accepted is once", reader.field());
            Err(reader.refuse(Code::DuplicateField, message))
        }
    }
}

/// Places of the set that most keys differ in: of 25 keys three in ten events have two at one place.
const PLACES: usize = 1024;

/// Most keys differ already in their place in a small set; only those that do not are compared with the keys before them.
fn repeated_among_few<'k>(keys: impl Iterator<Item = &'k str> + Clone) -> Option<&'k str> {
    let mut seen = [0u64; PLACES / 64];
    for (n, key) in keys.clone().enumerate() {
        let place = place(key.as_bytes());
        let (word, bit) = (&mut seen[place / 64], 1u64 << (place % 64));
        if *word & bit != 0 && keys.clone().take(n).any(|other| other == key) {
            return Some(key);
        }
        *word |= bit;
    }
    None
}

/// A place by a key's length and both of its ends, where numbered names differ.
fn place(key: &[u8]) -> usize {
    let ends = match (key.first_chunk::<8>(), key.last_chunk::<8>()) {
        (Some(first), Some(last)) => u64::from_le_bytes(*first).rotate_left(29) ^ u64::from_le_bytes(*last),
        _ => key.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)),
    };
    let mixed = (ends ^ key.len() as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    usize::try_from(mixed >> (u64::BITS - PLACES.ilog2())).unwrap_or_default()
}
