//! Matchers of labels, written as Alertmanager writes them: `model="delay"`, `severity!="info"`, `model=~"fraud.*"`, `team!~"a|b"`.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use regex::Regex;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Bytes of a matcher's text.
const BYTES_MAX: usize = 1_000;
/// Bytes that a compiled expression may take.
const REGEX_BYTES_MAX: usize = 100_000;

/// A condition on one label. A label that is not there counts as empty.
#[derive(Debug, Clone)]
pub struct Matcher {
    name: String,
    value: String,
    test: Test,
}

#[derive(Debug, Clone)]
enum Test {
    Equal,
    NotEqual,
    Matches(Regex),
    MatchesNot(Regex),
}

impl Matcher {
    /// `name="value"`.
    #[must_use]
    pub fn equal(name: &str, value: &str) -> Self {
        Self { name: name.to_owned(), value: value.to_owned(), test: Test::Equal }
    }

    /// Whether the labels fulfil it.
    #[must_use]
    pub fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        let found = labels.get(&self.name).map_or("", String::as_str);
        match &self.test {
            Test::Equal => found == self.value,
            Test::NotEqual => found != self.value,
            Test::Matches(regex) => regex.is_match(found),
            Test::MatchesNot(regex) => !regex.is_match(found),
        }
    }

    /// The label that it looks at.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    fn operator(&self) -> &'static str {
        match self.test {
            Test::Equal => "=",
            Test::NotEqual => "!=",
            Test::Matches(_) => "=~",
            Test::MatchesNot(_) => "!~",
        }
    }
}

/// Whether the labels fulfil all of them; none of them asks for nothing.
#[must_use]
pub fn all_match(matchers: &[Matcher], labels: &BTreeMap<String, String>) -> bool {
    matchers.iter().all(|matcher| matcher.matches(labels))
}

impl FromStr for Matcher {
    type Err = String;

    /// The value may stand in double quotes, with `\"`, `\\` and `\n` inside. Expressions are anchored at both ends.
    fn from_str(text: &str) -> Result<Self, String> {
        let refused = |why: &str| {
            format!(
                "`{text}` is no matcher: {why}; allowed is `label=\"value\"` with =, !=, =~ or !~ between"
            )
        };
        if text.len() > BYTES_MAX {
            return Err(format!("a matcher has {} bytes; allowed are {BYTES_MAX}", text.len()));
        }
        let at = text.find(['=', '!']).ok_or_else(|| refused("there is no operator"))?;
        let (name, rest) = (text[..at].trim(), &text[at..]);
        let operator = ["=~", "!~", "!=", "="].into_iter().find(|operator| rest.starts_with(operator));
        let operator = operator.ok_or_else(|| refused("there is no operator"))?;
        let named =
            |c: char, at: usize| c == '_' || c.is_ascii_alphabetic() || (at > 0 && c.is_ascii_digit());
        if name.is_empty() || !name.chars().enumerate().all(|(at, c)| named(c, at)) {
            return Err(refused("a label has letters, digits and underscores"));
        }
        let value =
            unquoted(rest[operator.len()..].trim()).ok_or_else(|| refused("a quote is not closed"))?;
        let regex = || {
            regex::RegexBuilder::new(&format!("^(?:{value})$"))
                .size_limit(REGEX_BYTES_MAX)
                .build()
                .map_err(|error| refused(&error.to_string().replace('\n', " ")))
        };
        let test = match operator {
            "=" => Test::Equal,
            "!=" => Test::NotEqual,
            "=~" => Test::Matches(regex()?),
            _ => Test::MatchesNot(regex()?),
        };
        Ok(Self { name: name.to_owned(), value, test })
    }
}

fn unquoted(text: &str) -> Option<String> {
    let Some(rest) = text.strip_prefix('"') else { return Some(text.to_owned()) };
    let (mut value, mut chars) = (String::new(), rest.chars());
    loop {
        match chars.next()? {
            '"' => return chars.as_str().is_empty().then_some(value),
            '\\' => match chars.next()? {
                'n' => value.push('\n'),
                c => value.push(c),
            },
            c => value.push(c),
        }
    }
}

impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        write!(f, "{}{}\"{value}\"", self.name, self.operator())
    }
}

impl PartialEq for Matcher {
    fn eq(&self, other: &Self) -> bool {
        self.to_string() == other.to_string()
    }
}

impl Eq for Matcher {}

impl Serialize for Matcher {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Matcher {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels() -> BTreeMap<String, String> {
        BTreeMap::from([
            ("model".to_owned(), "fraud-eu".to_owned()),
            ("note".to_owned(), "a \"b\"".to_owned()),
        ])
    }

    #[test]
    fn a_matcher_is_fulfilled_as_alertmanager_does_it() {
        for (text, fulfilled) in [
            ("model=fraud-eu", true),
            ("model = \"fraud-eu\"", true),
            ("model=\"fraud\"", false),
            ("model!=\"fraud\"", true),
            ("model=~\"fraud\"", false),
            ("model=~\"fraud.*|delay\"", true),
            ("model!~\"fraud.*\"", false),
            ("absent=\"\"", true),
            ("absent!=\"\"", false),
            ("absent=~\".+\"", false),
            ("note=\"a \\\"b\\\"\"", true),
        ] {
            assert_eq!(text.parse::<Matcher>().unwrap().matches(&labels()), fulfilled, "{text}");
        }
    }

    #[test]
    fn what_is_no_matcher_says_what_is() {
        for text in ["", "model", "=x", "1a=b", "a b=c", "a=~\"(\"", "a=\"x", "a=\"x\"y"] {
            let told = text.parse::<Matcher>().unwrap_err();
            assert!(told.contains("allowed is `label=\"value\"`"), "{text}: {told}");
        }
        assert!(format!("a={}", "x".repeat(2_000)).parse::<Matcher>().unwrap_err().contains("allowed are"));
    }

    #[test]
    fn a_matcher_is_read_back_from_what_it_prints() {
        for text in ["a=\"b\"", "a!=\"\"", "a=~\"x|y\\\\d\"", "a!~\"line\\nbreak\""] {
            let matcher: Matcher = text.parse().unwrap();
            assert_eq!(matcher.to_string(), text);
            assert_eq!(matcher.to_string().parse::<Matcher>().unwrap(), matcher);
        }
    }
}
