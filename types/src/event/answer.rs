//! What a model said: a score, a label with or without probabilities, or a value.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, Visitor};

use super::decode::{nearest, shown};
use super::reader::{Optional, Reader};
use super::values::{KeySeed, LabelSeed, NumberSeed, TextSeed, check_len, check_unique};
use super::{Entries, Text};
use crate::rejection::Code;

/// The shape of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AnswerKind {
    /// The record had no `prediction`: only features are monitored, or the model failed.
    #[default]
    None,
    /// A score of a binary model or a ranking.
    Score,
    /// A class, with or without the probabilities of all.
    Label,
    /// A number of a regression.
    Value,
}

impl AnswerKind {
    /// The word in the table's column `kind`; empty for none.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Score => "score",
            Self::Label => "label",
            Self::Value => "value",
        }
    }
}

/// What a model said. Kept as fields and not as an enum, so that the vector of probabilities is reused.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Answer<'a> {
    /// Which of the following count.
    pub kind: AnswerKind,
    /// Of a score.
    pub score: Option<f64>,
    /// Of a label.
    pub label: Option<Text<'a>>,
    /// Of a label: class → probability in [0, 1]; may be empty.
    pub probabilities: Entries<'a, f64>,
    /// Of a value.
    pub value: Option<f64>,
}

impl Answer<'_> {
    pub(super) fn clear(&mut self) {
        self.kind = AnswerKind::None;
        self.score = None;
        self.label = None;
        self.probabilities.clear();
        self.value = None;
    }
}

const ACCEPTED: &str = "accepted are {\"score\":number}, {\"label\":string}, \
     {\"label\":string,\"probabilities\":{class:number}} and {\"value\":number}";

pub(super) struct AnswerSeed<'s, 'a> {
    pub(super) reader: &'s Reader<'s>,
    pub(super) into: &'s mut Answer<'a>,
}

impl<'a> DeserializeSeed<'a> for AnswerSeed<'_, 'a> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'a> Visitor<'a> for AnswerSeed<'_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with `score`, with `label` and perhaps `probabilities`, or with `value`")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { reader, into } = self;
        let mut seen = Vec::new();
        while let Some(key) = map.next_key_seed(TextSeed::new(reader, reader.limits().name_bytes_max))? {
            match key.as_ref() {
                "score" => into.score = map.next_value_seed(Optional(NumberSeed(reader)))?,
                "value" => into.value = map.next_value_seed(Optional(NumberSeed(reader)))?,
                "label" => into.label = map.next_value_seed(Optional(LabelSeed(reader)))?,
                "probabilities" => {
                    let seed = ProbabilitiesSeed { reader, into: &mut into.probabilities };
                    map.next_value_seed(Optional(seed))?;
                }
                other => {
                    let near = nearest(other, &["score", "label", "probabilities", "value"]);
                    let message =
                        format!("`prediction` has the unknown field `{}`; {near}; {ACCEPTED}", shown(other));
                    return Err(reader.refuse(Code::UnknownField, message));
                }
            }
            seen.push(key);
        }
        check_unique(reader, seen.iter().map(AsRef::as_ref))?;
        into.kind = match (into.score, &into.label, into.value) {
            (Some(_), None, None) if into.probabilities.is_empty() => AnswerKind::Score,
            (None, Some(_), None) => AnswerKind::Label,
            (None, None, Some(_)) if into.probabilities.is_empty() => AnswerKind::Value,
            _ => {
                let found: Vec<String> = seen.iter().map(|key| format!("`{key}`")).collect();
                let found = if found.is_empty() { "nothing".to_owned() } else { found.join(", ") };
                return Err(
                    reader.refuse(Code::PredictionShape, format!("`prediction` has {found}; {ACCEPTED}"))
                );
            }
        };
        Ok(())
    }
}

struct ProbabilitiesSeed<'s, 'a> {
    reader: &'s Reader<'s>,
    into: &'s mut Entries<'a, f64>,
}

impl<'a> DeserializeSeed<'a> for ProbabilitiesSeed<'_, 'a> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'a> Visitor<'a> for ProbabilitiesSeed<'_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object from class to probability")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<(), A::Error> {
        self.into.clear();
        while let Some(class) = map.next_key_seed(KeySeed(self.reader))? {
            let probability = map.next_value_seed(NumberSeed(self.reader))?;
            if !(0.0..=1.0).contains(&probability) {
                let message = format!(
                    "the probability of `{class}` is {probability}; accepted are numbers from 0 to 1"
                );
                return Err(self.reader.refuse(Code::ProbabilityOutOfRange, message));
            }
            self.into.push((class, probability));
            check_len(self.reader, self.into.len(), self.reader.limits().classes_max)?;
        }
        check_unique(self.reader, self.into.iter().map(|(class, _)| class.as_ref()))
    }
}
