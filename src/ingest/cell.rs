//! The values of a file, whatever its format: columns with a kind, cells with a value.

use std::borrow::Cow;

use serde::Serialize;

/// What the values of a column are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Numbers.
    Number,
    /// `true` and `false`.
    #[serde(rename = "boolean")]
    Flag,
    /// Text.
    Text,
    /// Instants.
    Time,
    /// Lists of numbers.
    Numbers,
    /// Nothing but missing values, as far as was looked.
    Unknown,
    /// Anything else: lists of texts, maps, binary.
    Other,
}

impl Kind {
    /// The kind in a word, for people.
    pub fn word(self) -> &'static str {
        match self {
            Self::Number => "number",
            Self::Flag => "true/false",
            Self::Text => "text",
            Self::Time => "time",
            Self::Numbers => "list of numbers",
            Self::Unknown => "all missing",
            Self::Other => "other",
        }
    }
}

/// A column of a file. Fields of nested objects have dotted names, `prediction.score`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// What its values are.
    pub kind: Kind,
}

/// One value.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell<'a> {
    /// Null, NaN, an empty CSV field, `NA`, or an absent key.
    Missing,
    /// A whole number.
    Integer(i64),
    /// Another number; not NaN.
    Number(f64),
    /// A boolean.
    Flag(bool),
    /// A text; in CSV any value.
    Text(Cow<'a, str>),
    /// Microseconds since 1970 UTC.
    Instant(i64),
    /// A list of numbers.
    Numbers(Vec<f64>),
    /// Something that no event can hold.
    Other,
}

impl Cell<'_> {
    /// A number that may be NaN, which is a missing value.
    pub fn number(value: f64) -> Self {
        if value.is_nan() { Self::Missing } else { Self::Number(value) }
    }
}
