//! The raw layers of a configuration: a TOML file, then the environment over it, every key checked against the table.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use super::fault::Fault;
use super::keys::{KEYS, Key, Kind, key};

/// The prefix of the variables that override keys.
const PREFIX: &str = "WINDVANE_";

/// Variables with the prefix that are no configuration keys: each has its own reader.
const OTHER_VARIABLES: &[&str] = &[
    "WINDVANE_LOG",
    "WINDVANE_LOG_FORMAT",
    "WINDVANE_CONFIG",
    "WINDVANE_RUNTIME_DIR",
    "WINDVANE_LIBCHDB",
    "WINDVANE_SOAK_ROUNDS",
];

/// A value that fits its key's kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Of [`Kind::SocketAddress`].
    SocketAddress(std::net::SocketAddr),
    /// Of [`Kind::Path`], absolute or relative to the working folder.
    Path(PathBuf),
    /// Of [`Kind::Url`] and [`Kind::Text`].
    Text(String),
    /// Of [`Kind::Flag`].
    Flag(bool),
    /// Of [`Kind::Integer`].
    Integer(u64),
}

/// Where a value came from.
#[derive(Debug, Clone)]
pub enum Origin {
    /// A line of a file, counted from 1.
    File(PathBuf, usize),
    /// An environment variable.
    Variable(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path, line) => write!(f, "{}:{line}", path.display()),
            Self::Variable(name) => write!(f, "environment variable {name}"),
        }
    }
}

/// The values that were given, and the faults met on the way.
#[derive(Debug, Default)]
pub struct Layers {
    /// By key path.
    pub values: BTreeMap<&'static str, (Value, Origin)>,
    /// In the order they were met.
    pub faults: Vec<Fault>,
}

impl Layers {
    /// Adds a TOML document; `path` names it in faults, and its folder is where relative paths start.
    pub fn add_file(&mut self, path: &Path, text: &str) {
        let table = match DeTable::parse(text) {
            Ok(table) => table,
            Err(error) => {
                let line = error.span().map_or(1, |span| line_of(text, span.start));
                let origin = Origin::File(path.to_owned(), line).to_string();
                let problem = format!("is not TOML: {}", error.message());
                self.faults.push(Fault { origin, key: String::new(), problem, example: None });
                return;
            }
        };
        let mut entries: Vec<(usize, String, Option<&DeValue<'_>>)> = Vec::new();
        for (section, value) in table.get_ref() {
            match value.get_ref() {
                DeValue::Table(keys) if is_section(section.get_ref()) => {
                    entries.extend(keys.iter().map(|(name, value)| {
                        let path = format!("{}.{}", section.get_ref(), name.get_ref());
                        (line_of(text, name.span().start), path, Some(value.get_ref()))
                    }));
                }
                _ => entries.push((line_of(text, section.span().start), section.get_ref().to_string(), None)),
            }
        }
        // In the order of the file, so that faults read from top to bottom.
        entries.sort_by_key(|(line, ..)| *line);
        for (line, entry_path, value) in entries {
            let origin = Origin::File(path.to_owned(), line);
            match (key(&entry_path), value) {
                (Some(key), Some(value)) => self.add_toml(key, value, origin),
                _ => self.unknown(&entry_path, &origin),
            }
        }
    }

    /// Adds the variables that override keys; other variables are left alone, a `WINDVANE_` one that fits nothing is a fault.
    pub fn add_environment(&mut self, variables: impl Iterator<Item = (String, String)>) {
        for (name, text) in variables {
            if !name.starts_with(PREFIX) || OTHER_VARIABLES.contains(&name.as_str()) {
                continue;
            }
            let origin = Origin::Variable(name.clone());
            match KEYS.iter().find(|key| key.variable() == name) {
                Some(key) => self.add_text(key, &text, origin),
                None => {
                    let nearest = nearest(&name, KEYS.iter().map(Key::variable));
                    let problem = format!("is no variable of the configuration{nearest}");
                    self.faults.push(Fault {
                        origin: origin.to_string(),
                        key: String::new(),
                        problem,
                        example: None,
                    });
                }
            }
        }
    }

    fn add_toml(&mut self, key: &'static Key, value: &DeValue<'_>, origin: Origin) {
        let base = match &origin {
            Origin::File(path, _) => path.parent().unwrap_or(Path::new("")).to_owned(),
            Origin::Variable(_) => PathBuf::new(),
        };
        let parsed = match (key.kind, value) {
            (Kind::Flag, DeValue::Boolean(flag)) => Some(Value::Flag(*flag)),
            (Kind::Integer { .. }, DeValue::Integer(integer)) => {
                u64::from_str_radix(integer.as_str(), integer.radix())
                    .ok()
                    .and_then(|n| integer_value(key.kind, n))
            }
            (Kind::Flag | Kind::Integer { .. }, _) => None,
            (_, DeValue::String(text)) => text_value(key.kind, text, &base),
            _ => None,
        };
        match parsed {
            Some(value) => {
                self.values.insert(key.path, (value, origin));
            }
            None => self.not_allowed(key, &shown(value), &origin),
        }
    }

    fn add_text(&mut self, key: &'static Key, text: &str, origin: Origin) {
        let parsed = match key.kind {
            Kind::Flag => text.parse().ok().map(Value::Flag),
            Kind::Integer { .. } => text.parse().ok().and_then(|n| integer_value(key.kind, n)),
            _ => text_value(key.kind, text, Path::new("")),
        };
        match parsed {
            Some(value) => {
                self.values.insert(key.path, (value, origin));
            }
            None => self.not_allowed(key, &format!("`{text}`"), &origin),
        }
    }

    fn unknown(&mut self, path: &str, origin: &Origin) {
        let known = KEYS.iter().map(|key| key.path.to_owned());
        let sections = KEYS.iter().filter_map(|key| key.path.split('.').next()).map(str::to_owned);
        let nearest = match path.contains('.') {
            true => nearest(path, known),
            false => nearest(path, sections),
        };
        let problem = format!("unknown key{nearest}");
        self.faults.push(Fault { origin: origin.to_string(), key: path.to_owned(), problem, example: None });
    }

    /// Records a value that its key does not allow.
    pub fn not_allowed(&mut self, key: &Key, shown: &str, origin: &Origin) {
        self.faults.push(Fault {
            origin: origin.to_string(),
            key: key.path.to_owned(),
            problem: format!("{shown} is not allowed; allowed is {}", key.kind.allowed()),
            example: Some(key.example),
        });
    }
}

/// Is this the name of a table of the configuration?
fn is_section(name: &str) -> bool {
    KEYS.iter().any(|key| key.path.split('.').next() == Some(name))
}

fn text_value(kind: Kind, text: &str, base: &Path) -> Option<Value> {
    match kind {
        Kind::SocketAddress => {
            let address = text.replacen("localhost:", "127.0.0.1:", 1);
            address.parse().ok().map(Value::SocketAddress)
        }
        Kind::Path if !text.is_empty() => Some(Value::Path(base.join(text))),
        Kind::Url => {
            let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"))?;
            (!rest.is_empty() && !rest.starts_with('/')).then(|| Value::Text(text.to_owned()))
        }
        Kind::Text if !text.is_empty() => Some(Value::Text(text.to_owned())),
        _ => None,
    }
}

fn integer_value(kind: Kind, number: u64) -> Option<Value> {
    match kind {
        Kind::Integer { min, max } if (min..=max).contains(&number) => Some(Value::Integer(number)),
        _ => None,
    }
}

/// A value as the file wrote it, short.
fn shown(value: &DeValue<'_>) -> String {
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

fn nearest(name: &str, known: impl Iterator<Item = String>) -> String {
    let best = known
        .map(|candidate| (strsim::jaro_winkler(name, &candidate), candidate))
        .max_by(|a, b| a.0.total_cmp(&b.0));
    match best {
        Some((closeness, candidate)) if closeness > 0.8 => {
            format!("; the nearest known one is `{candidate}`")
        }
        _ => String::new(),
    }
}

/// The line of a byte offset, counted from 1.
fn line_of(text: &str, offset: usize) -> usize {
    text.as_bytes().iter().take(offset).filter(|byte| **byte == b'\n').count() + 1
}
