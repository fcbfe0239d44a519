//! Attributes: asked for by name, and written as the text that the exporter's tables hold, with what of the words about them is beyond a
//! bound.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use serde_json::{Map, Number, Value as Json};
use windvane_store::Attributes;

use crate::limits::{OTHER, OfService, Replaced, Word, Words};

/// What the spans, log records or data points of a resource share.
#[derive(Debug)]
pub(super) struct Origin<'r> {
    pub(super) encoded: Encoded,
    /// The name of the service, as it is written.
    pub(super) service: &'r str,
    pub(super) environment: &'r str,
    pub(super) schema_url: &'r str,
    /// The words of the service.
    pub(super) words: OfService<'r>,
}

impl<'r> Origin<'r> {
    /// A resource, and its schema where that is written.
    pub(super) fn of(resource: Option<&'r Resource>, schema_url: &'r str, words: &'r Words) -> Self {
        let attributes = resource.map(|resource| resource.attributes.as_slice()).unwrap_or_default();
        let words = words.of(string(attributes, &["service.name"]));
        let mut encoded = Encoded::default();
        encoded.read(attributes, &words);
        encoded.replaced = encoded.replaced.and(words.replaced());
        let schema_url = encoded.word(&words, Word::ResourceSchema, schema_url);
        let environment = ["deployment.environment.name", "deployment.environment"];
        Self {
            encoded,
            service: words.name(),
            environment: string(attributes, &environment),
            schema_url,
            words,
        }
    }
}

/// What the log records or data points of a scope share.
#[derive(Debug)]
pub(super) struct Scope<'s> {
    pub(super) encoded: Encoded,
    pub(super) name: &'s str,
    pub(super) version: &'s str,
    pub(super) schema_url: &'s str,
}

impl<'s> Scope<'s> {
    pub(super) fn of(
        scope: Option<&'s InstrumentationScope>,
        schema_url: &'s str,
        words: &OfService<'_>,
    ) -> Self {
        let mut encoded = Encoded::default();
        encoded.read(scope.map(|scope| scope.attributes.as_slice()).unwrap_or_default(), words);
        Self {
            name: scope.map_or("", |scope| &scope.name),
            version: encoded.word(words, Word::ScopeVersion, scope.map_or("", |scope| &scope.version)),
            schema_url: encoded.word(words, Word::ScopeSchema, schema_url),
            encoded,
        }
    }
}

/// Attributes as a map of texts, and what was replaced in them and in the words beside them.
#[derive(Debug, Default)]
pub(super) struct Encoded {
    pub(super) attributes: Attributes,
    pub(super) replaced: Replaced,
}

impl Encoded {
    /// Takes these attributes in place of others. Those whose keys are beyond the bound are one entry together, as JSON.
    pub(super) fn read(&mut self, attributes: &[KeyValue], words: &OfService<'_>) {
        self.attributes.clear();
        self.replaced = Replaced::default();
        let are_all_taken = words.takes_keys(attributes.iter().map(|attribute| attribute.key.as_str()));
        let mut others = Map::new();
        for KeyValue { key, value, .. } in attributes {
            if are_all_taken || words.takes(Word::Key, key) {
                self.attributes.push(key, &value.as_ref().map(text).unwrap_or_default());
            } else {
                others.insert(key.clone(), value.as_ref().map_or(Json::Null, json));
            }
        }
        if !others.is_empty() {
            self.attributes.push(OTHER, &Json::Object(others).to_string());
            self.replaced.add(Word::Key);
        }
    }

    /// A word that these attributes stand beside, as it is written. One beyond the bound becomes an attribute.
    pub(super) fn word<'v>(&mut self, words: &OfService<'_>, word: Word, value: &'v str) -> &'v str {
        if words.takes(word, value) {
            return value;
        }
        self.replaced.add(word);
        if let Some(name) = word.kept_as() {
            self.attributes.push(name, value);
        }
        OTHER
    }
}

/// A value as text: strings as they are, lists and maps as JSON, bytes in base64.
pub(super) fn text(value: &AnyValue) -> Cow<'_, str> {
    match &value.value {
        None | Some(Value::StringValueStrindex(_)) => Cow::Borrowed(""),
        Some(Value::StringValue(text)) => Cow::Borrowed(text),
        Some(Value::BoolValue(flag)) => Cow::Borrowed(if *flag { "true" } else { "false" }),
        Some(Value::IntValue(n)) => Cow::Owned(n.to_string()),
        Some(Value::DoubleValue(n)) => Cow::Owned(n.to_string()),
        Some(Value::BytesValue(bytes)) => Cow::Owned(STANDARD.encode(bytes)),
        Some(Value::ArrayValue(_) | Value::KvlistValue(_)) => Cow::Owned(json(value).to_string()),
    }
}

/// A value as JSON. Numbers that JSON cannot write are null.
pub(super) fn json(value: &AnyValue) -> Json {
    match &value.value {
        None | Some(Value::StringValueStrindex(_)) => Json::Null,
        Some(Value::StringValue(text)) => Json::String(text.clone()),
        Some(Value::BoolValue(flag)) => Json::Bool(*flag),
        Some(Value::IntValue(n)) => Json::from(*n),
        Some(Value::DoubleValue(n)) => Number::from_f64(*n).map_or(Json::Null, Json::Number),
        Some(Value::BytesValue(bytes)) => Json::String(STANDARD.encode(bytes)),
        Some(Value::ArrayValue(array)) => Json::Array(array.values.iter().map(json).collect()),
        Some(Value::KvlistValue(list)) => {
            let entry = |entry: &KeyValue| (entry.key.clone(), entry.value.as_ref().map_or(Json::Null, json));
            Json::Object(list.values.iter().map(entry).collect::<Map<_, _>>())
        }
    }
}

/// The value of the first of these names that is there.
pub(super) fn find<'a>(attributes: &'a [KeyValue], names: &[&str]) -> Option<&'a Value> {
    names.iter().find_map(|name| {
        let attribute = attributes.iter().find(|attribute| attribute.key == *name)?;
        attribute.value.as_ref()?.value.as_ref()
    })
}

/// The text of the first of these names that has one; empty if none.
pub(super) fn string<'a>(attributes: &'a [KeyValue], names: &[&str]) -> &'a str {
    let found = names.iter().find_map(|name| match find(attributes, &[name])? {
        Value::StringValue(text) if !text.is_empty() => Some(text.as_str()),
        _ => None,
    });
    found.unwrap_or_default()
}

/// The number of the first of these names that has one; digits in a string count.
pub(super) fn number(attributes: &[KeyValue], names: &[&str]) -> Option<f64> {
    names
        .iter()
        .find_map(|name| match find(attributes, &[name])? {
            #[expect(clippy::cast_precision_loss, reason = "counts and seconds far below 2^53")]
            Value::IntValue(n) => Some(*n as f64),
            Value::DoubleValue(n) => Some(*n),
            Value::StringValue(text) => text.trim().parse().ok(),
            _ => None,
        })
        .filter(|n| n.is_finite())
}

/// The same as a count from 0.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range is checked")]
pub(super) fn count(attributes: &[KeyValue], names: &[&str]) -> Option<u64> {
    number(attributes, names).filter(|n| (0.0..1e15).contains(n)).map(|n| n as u64)
}
