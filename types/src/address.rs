//! Names in the paths of pages and of the read API, so that any name can be linked to.
//!
//! Browsers and proxies take the segments `.` and `..` out of a path, also where their dots are escaped. These two names are written with
//! a tilde before them, `~.` and `~..`; and so that every segment is one name's, a name that is written like that has one tilde more.

use serde::Deserialize;

/// A name as a segment of a path: escaped, and never one that is taken out on its way.
#[must_use]
pub fn segment(name: &str) -> String {
    let mark = if is_of_dots(name) { "~" } else { "" };
    format!("{mark}{}", escaped(name))
}

/// A text as a part of an address: all but letters, digits and `-_.~` of ASCII is escaped.
#[must_use]
pub fn escaped(text: &str) -> String {
    let mut part = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                part.push(char::from(byte));
            }
            other => part.push_str(&format!("%{other:02X}")),
        }
    }
    part
}

/// The name that a segment of a path is of, once what was escaped in it is read. Names of dots are taken without a tilde, too, from
/// clients that send them.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "String")]
pub struct Named(pub String);

impl From<String> for Named {
    fn from(segment: String) -> Self {
        match segment.strip_prefix('~') {
            Some(name) if is_of_dots(name) => Self(name.to_owned()),
            _ => Self(segment),
        }
    }
}

/// Whether a name is `.` or `..`, or one of these after tildes.
fn is_of_dots(name: &str) -> bool {
    matches!(name.trim_start_matches('~'), "." | "..")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_segment_is_one_names_and_none_is_of_dots_alone() {
        for (name, written) in [
            (".", "~."),
            ("..", "~.."),
            ("~.", "~~."),
            ("~~..", "~~~.."),
            ("~", "~"),
            ("...", "..."),
            (".a", ".a"),
            ("a b/c?", "a%20b%2Fc%3F"),
            ("%2E", "%252E"),
            ("é", "%C3%A9"),
            ("", ""),
        ] {
            assert_eq!(segment(name), written);
            // Nothing is escaped in those that begin with a tilde.
            let read = if written.contains('%') { name } else { written };
            assert_eq!(Named::from(read.to_owned()), Named(name.to_owned()), "{written}");
        }
        assert_eq!(Named::from("..".to_owned()), Named("..".to_owned()), "as a client sends it");
    }
}
