//! What a value of the configuration may be, and its reading from TOML and from the text of a variable.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::de::DeValue;

use windvane_types::span::length;

/// What a value may be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// `address:port`; port 0 takes a free one.
    SocketAddress,
    /// A path; a relative one starts at the configuration file's folder.
    Path,
    /// An `http` or `https` address.
    Url,
    /// Any string that is not empty.
    Text,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A list of strings that are not empty, at most this many; or one string, with commas between.
    Texts {
        /// The most entries.
        max: usize,
    },
    /// `true` or `false`.
    Flag,
    /// A whole number within bounds, both included.
    Integer {
        /// The smallest.
        min: u64,
        /// The largest.
        max: u64,
    },
    /// A number within bounds, both included.
    Number {
        /// The smallest.
        min: f64,
        /// The largest.
        max: f64,
    },
    /// A length of time such as `15m`, within bounds in seconds, both included.
    Length {
        /// The shortest, seconds.
        min_s: u64,
        /// The longest, seconds.
        max_s: u64,
    },
}

/// A value that fits its key's kind.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Of [`Kind::SocketAddress`].
    SocketAddress(SocketAddr),
    /// Of [`Kind::Path`], absolute or relative to the working folder.
    Path(PathBuf),
    /// Of [`Kind::Url`], [`Kind::Text`] and [`Kind::Choice`].
    Text(String),
    /// Of [`Kind::Texts`].
    Texts(Vec<String>),
    /// Of [`Kind::Flag`].
    Flag(bool),
    /// Of [`Kind::Integer`].
    Integer(u64),
    /// Of [`Kind::Number`].
    Number(f64),
    /// Of [`Kind::Length`].
    Length(Duration),
}

impl Kind {
    /// What is allowed, in words.
    pub fn allowed(self) -> String {
        match self {
            Self::SocketAddress => "an address and a port, such as 127.0.0.1:8080".to_owned(),
            Self::Path => "a path".to_owned(),
            Self::Url => "an http:// or https:// address".to_owned(),
            Self::Text => "a string that is not empty".to_owned(),
            Self::Choice(words) => match words.split_last() {
                Some((last, [])) => (*last).to_owned(),
                Some((last, others)) => format!("{} or {last}", others.join(", ")),
                None => "nothing".to_owned(),
            },
            Self::Texts { max } => format!(
                "a list of at most {max} strings that are not empty, or one string with commas between"
            ),
            Self::Flag => "true or false".to_owned(),
            Self::Integer { min, max } => format!("a whole number from {min} to {max}"),
            Self::Number { min: f64::MIN, max: f64::MAX } => "a number".to_owned(),
            Self::Number { min, max } => format!("a number from {min} to {max}"),
            Self::Length { min_s, max_s } => {
                format!("a length such as 90s, 15m, 24h, 7d or 2w, from {min_s} to {max_s} seconds")
            }
        }
    }

    /// Reads a value of a file; relative paths start at `base`.
    pub fn of_toml(self, value: &DeValue<'_>, base: &Path) -> Option<Value> {
        match (self, value) {
            (Self::Flag, DeValue::Boolean(flag)) => Some(Value::Flag(*flag)),
            (Self::Integer { .. }, DeValue::Integer(integer)) => {
                self.integer(u64::from_str_radix(integer.as_str(), integer.radix()).ok()?)
            }
            (Self::Number { .. }, DeValue::Integer(integer)) if integer.radix() == 10 => {
                self.number(integer.as_str().parse().ok()?)
            }
            (Self::Number { .. }, DeValue::Float(float)) => self.number(float.as_str().parse().ok()?),
            (Self::Texts { .. }, DeValue::Array(entries)) => {
                let texts = entries.iter().map(|entry| match entry.get_ref() {
                    DeValue::String(text) => Some(text.to_string()),
                    _ => None,
                });
                self.texts(texts.collect::<Option<_>>()?)
            }
            (Self::Texts { .. }, DeValue::String(text)) => self.of_text(text),
            (Self::Flag | Self::Integer { .. } | Self::Number { .. } | Self::Texts { .. }, _) => None,
            (_, DeValue::String(text)) => self.text(text, base),
            _ => None,
        }
    }

    /// Reads the text of a variable.
    pub fn of_text(self, text: &str) -> Option<Value> {
        match self {
            Self::Flag => text.parse().ok().map(Value::Flag),
            Self::Integer { .. } => self.integer(text.parse().ok()?),
            Self::Number { .. } => self.number(text.parse().ok()?),
            Self::Texts { .. } => self.texts(text.split(',').map(|entry| entry.trim().to_owned()).collect()),
            _ => self.text(text, Path::new("")),
        }
    }

    fn text(self, text: &str, base: &Path) -> Option<Value> {
        match self {
            Self::SocketAddress => {
                let address = text.replacen("localhost:", "127.0.0.1:", 1);
                address.parse().ok().map(Value::SocketAddress)
            }
            Self::Path if !text.is_empty() => Some(Value::Path(base.join(text))),
            Self::Url => {
                let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"))?;
                (!rest.is_empty() && !rest.starts_with('/')).then(|| Value::Text(text.to_owned()))
            }
            Self::Text if !text.is_empty() => Some(Value::Text(text.to_owned())),
            Self::Choice(words) => words.contains(&text).then(|| Value::Text(text.to_owned())),
            Self::Length { min_s, max_s } => {
                let read = length(text)?;
                (min_s..=max_s).contains(&read.as_secs()).then_some(Value::Length(read))
            }
            _ => None,
        }
    }

    fn texts(self, texts: Vec<String>) -> Option<Value> {
        match self {
            Self::Texts { max } if texts.len() <= max && texts.iter().all(|text| !text.is_empty()) => {
                Some(Value::Texts(texts))
            }
            _ => None,
        }
    }

    fn integer(self, number: u64) -> Option<Value> {
        match self {
            Self::Integer { min, max } if (min..=max).contains(&number) => Some(Value::Integer(number)),
            _ => None,
        }
    }

    fn number(self, number: f64) -> Option<Value> {
        match self {
            Self::Number { min, max } if (min..=max).contains(&number) => Some(Value::Number(number)),
            _ => None,
        }
    }
}

/// A value as the file wrote it, short.
pub fn shown(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => format!("`{text}`"),
        DeValue::Integer(integer) => format!("`{}`", integer.as_str()),
        DeValue::Float(float) => format!("`{}`", float.as_str()),
        DeValue::Boolean(flag) => format!("`{flag}`"),
        DeValue::Datetime(time) => format!("`{time}`"),
        DeValue::Array(_) => "a list".to_owned(),
        DeValue::Table(_) => "a table".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use toml::de::DeTable;

    use super::{Kind, Value};

    fn read(kind: Kind, text: &str) -> Option<Value> {
        let text = format!("v = {text}");
        let table = DeTable::parse(&text).unwrap();
        kind.of_toml(table.get_ref().values().next().unwrap().get_ref(), Path::new("/etc"))
    }

    #[test]
    fn a_value_is_read_where_its_kind_allows_it() {
        let share = Kind::Number { min: 0.0, max: 1.0 };
        let length = Kind::Length { min_s: 60, max_s: 3_600 };
        let words = Kind::Choice(&["none", "starttls"]);
        let texts = Kind::Texts { max: 2 };
        for (kind, text, read_as) in [
            (share, "0.25", Some(Value::Number(0.25))),
            (share, "1", Some(Value::Number(1.0))),
            (share, "1.5", None),
            (share, "nan", None),
            (share, "\"0.5\"", None),
            (length, "\"15m\"", Some(Value::Length(std::time::Duration::from_secs(900)))),
            (length, "\"2h\"", None),
            (length, "900", None),
            (words, "\"starttls\"", Some(Value::Text("starttls".to_owned()))),
            (words, "\"tls\"", None),
            (texts, "[\"a\", \"b\"]", Some(Value::Texts(vec!["a".to_owned(), "b".to_owned()]))),
            (texts, "[\"a\", \"b\", \"c\"]", None),
            (texts, "[\"a\", 1]", None),
            (texts, "[\"\"]", None),
            (texts, "\"a, b\"", Some(Value::Texts(vec!["a".to_owned(), "b".to_owned()]))),
        ] {
            assert_eq!(read(kind, text), read_as, "{text}");
        }
    }

    #[test]
    fn a_list_in_a_variable_has_commas_between() {
        let both = Value::Texts(vec!["a".to_owned(), "b".to_owned()]);
        assert_eq!(Kind::Texts { max: 2 }.of_text("a, b"), Some(both));
    }

    #[test]
    fn a_choice_names_its_words() {
        assert_eq!(Kind::Choice(&["a", "b", "c"]).allowed(), "a, b or c");
    }
}
