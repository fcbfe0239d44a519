//! SQL text with bound parameters: what both a ClickHouse URL and a local engine execute.

use std::borrow::Cow;

/// A statement, its parameters (`{name:Type}` in the text) and the settings it runs with.
#[derive(Debug, Clone)]
pub struct Statement {
    sql: Cow<'static, str>,
    params: Vec<(&'static str, String)>,
    settings: Vec<(&'static str, String)>,
}

impl Statement {
    /// A statement without parameters. The text has no `FORMAT` clause: the caller's method chooses the format.
    pub fn new(sql: impl Into<Cow<'static, str>>) -> Self {
        Self { sql: sql.into(), params: Vec::new(), settings: Vec::new() }
    }

    /// Binds `{name:Type}` to a value.
    #[must_use]
    pub fn param(mut self, name: &'static str, value: impl Into<Param>) -> Self {
        self.params.push((name, value.into().0));
        self
    }

    /// Runs the statement with a ClickHouse setting.
    #[must_use]
    pub fn setting(mut self, name: &'static str, value: impl ToString) -> Self {
        self.settings.push((name, value.to_string()));
        self
    }

    /// The text.
    #[must_use]
    pub fn sql(&self) -> &str {
        &self.sql
    }

    /// The parameters: name without `param_`, and value in ClickHouse's escaped text as its HTTP interface takes it.
    pub fn params(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.params.iter().map(|(name, value)| (*name, value.as_str()))
    }

    /// The settings, name and value.
    pub fn settings(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.settings.iter().map(|(name, value)| (*name, value.as_str()))
    }
}

/// The value of a parameter in ClickHouse's escaped text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Param(String);

impl From<&str> for Param {
    fn from(text: &str) -> Self {
        let mut escaped = String::with_capacity(text.len());
        for c in text.chars() {
            match c {
                '\\' => escaped.push_str("\\\\"),
                '\t' => escaped.push_str("\\t"),
                '\n' => escaped.push_str("\\n"),
                '\r' => escaped.push_str("\\r"),
                '\0' => escaped.push_str("\\0"),
                c => escaped.push(c),
            }
        }
        Self(escaped)
    }
}

impl From<&String> for Param {
    fn from(text: &String) -> Self {
        Self::from(text.as_str())
    }
}

macro_rules! plain {
    ($($t:ty),*) => {$(
        impl From<$t> for Param {
            fn from(value: $t) -> Self {
                Self(value.to_string())
            }
        }
    )*};
}
plain!(i64, u64, u32, u16, bool);

impl From<f64> for Param {
    fn from(x: f64) -> Self {
        Self(float(x))
    }
}

impl Param {
    /// An `Array(Float64)`.
    #[must_use]
    pub fn floats(xs: &[f64]) -> Self {
        Self(list(xs.iter().map(|x| float(*x))))
    }

    /// An `Array(String)`.
    #[must_use]
    pub fn texts<S: AsRef<str>>(texts: &[S]) -> Self {
        Self(list(texts.iter().map(|text| quoted(text.as_ref()))))
    }
}

fn float(x: f64) -> String {
    if x.is_nan() { "nan".to_owned() } else { format!("{x:?}") }
}

fn list(items: impl Iterator<Item = String>) -> String {
    format!("[{}]", items.collect::<Vec<_>>().join(","))
}

fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('\'');
    for c in text.chars() {
        match c {
            '\\' => quoted.push_str("\\\\"),
            '\'' => quoted.push_str("\\'"),
            '\0' => quoted.push_str("\\0"),
            c => quoted.push(c),
        }
    }
    quoted.push('\'');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_written_in_escaped_text() {
        assert_eq!(Param::from("a\tb\\c\n'é"), Param("a\\tb\\\\c\\n'é".to_owned()));
        assert_eq!(Param::texts(&["it's", "\\"]), Param("['it\\'s','\\\\']".to_owned()));
        assert_eq!(Param::floats(&[0.1, f64::INFINITY, f64::NAN]), Param("[0.1,inf,nan]".to_owned()));
        assert_eq!(Param::from(-3_i64), Param("-3".to_owned()));
    }
}
