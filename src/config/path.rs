//! The path of a key in a configuration file: its segments, of which some may be names that the user chose.

use std::fmt;

/// Bytes of a name that the user chooses.
const NAME_BYTES_MAX: usize = 128;

/// A path such as `server.listen` or `monitors.hourly.model`. A chosen name may hold any printable character, also a dot.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyPath(Vec<String>);

impl KeyPath {
    /// A path of these segments.
    pub fn of<'a>(segments: impl IntoIterator<Item = &'a str>) -> Self {
        Self(segments.into_iter().map(str::to_owned).collect())
    }

    /// The path of what lies below.
    pub fn join(&self, segment: &str) -> Self {
        let mut segments = self.0.clone();
        segments.push(segment.to_owned());
        Self(segments)
    }

    /// The segment right below `table`, where this path lies in it.
    pub fn below(&self, table: &Self) -> Option<&str> {
        self.0.starts_with(&table.0).then(|| self.0.get(table.0.len()).map(String::as_str)).flatten()
    }

    /// Whether it is `pattern` with a name in the place of each placeholder.
    pub fn is_instance_of(&self, pattern: &str) -> bool {
        self.0.len() == pattern.split('.').count() && self.is_start_of(pattern)
    }

    /// Whether it is a table that holds instances of `pattern`.
    pub fn is_table_of(&self, pattern: &str) -> bool {
        self.0.len() < pattern.split('.').count() && self.is_start_of(pattern)
    }

    /// `pattern` with the placeholders that this path has names for filled in: what the user may have meant.
    pub fn filled_into(&self, pattern: &str) -> String {
        let filled = pattern.split('.').enumerate().map(|(at, segment)| match self.0.get(at) {
            Some(name) if is_placeholder(segment) => name,
            _ => segment,
        });
        filled.collect::<Vec<_>>().join(".")
    }

    fn is_start_of(&self, pattern: &str) -> bool {
        self.0.iter().zip(pattern.split('.')).all(|(own, segment)| match is_placeholder(segment) {
            true => is_name(own),
            false => own == segment,
        })
    }
}

impl From<&str> for KeyPath {
    /// A path without chosen names, written with dots.
    fn from(path: &str) -> Self {
        Self::of(path.split('.'))
    }
}

impl fmt::Display for KeyPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, segment) in self.0.iter().enumerate() {
            let dot = if at == 0 { "" } else { "." };
            match segment.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-') {
                true => write!(f, "{dot}{segment}")?,
                false => write!(f, "{dot}{segment:?}")?,
            }
        }
        Ok(())
    }
}

/// Whether a segment of a pattern stands for a name, as `<NAME>` does.
pub fn is_placeholder(segment: &str) -> bool {
    segment.starts_with('<')
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.len() <= NAME_BYTES_MAX && !text.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::KeyPath;

    #[test]
    fn a_name_stands_in_the_place_of_its_placeholder() {
        let path = KeyPath::of(["monitors", "p99.of \u{e9}", "model"]);
        assert!(path.is_instance_of("monitors.<NAME>.model"));
        assert!(!path.is_instance_of("monitors.<NAME>.window"));
        assert!(!path.is_instance_of("monitors.<NAME>"));
        assert!(KeyPath::of(["monitors", "a"]).is_table_of("monitors.<NAME>.model"));
        assert!(!KeyPath::of(["monitors", ""]).is_table_of("monitors.<NAME>.model"));
        assert_eq!(path.to_string(), "monitors.\"p99.of \u{e9}\".model");
    }

    #[test]
    fn names_below_a_table_are_its_next_segments() {
        let table = KeyPath::from("monitors");
        assert_eq!(KeyPath::from("monitors.a.model").below(&table), Some("a"));
        assert_eq!(KeyPath::from("monitors").below(&table), None);
        assert_eq!(KeyPath::from("server.listen").below(&table), None);
    }
}
