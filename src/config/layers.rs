//! The raw layers of a configuration: a TOML file, then the environment over it, every key checked against the table.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use super::fault::Fault;
use super::keys::{Key, key, keys};
use super::kind::{Kind, Value, shown};
use super::path::KeyPath;

/// The prefix of the variables that override keys.
const PREFIX: &str = "WINDVANE_";

/// Variables with the prefix that are no configuration keys: each has its own reader.
const OTHER_VARIABLES: &[&str] = &[
    "WINDVANE_LOG",
    "WINDVANE_LOG_FORMAT",
    "WINDVANE_CONFIG",
    "WINDVANE_RUNTIME_DIR",
    "WINDVANE_LIBCHDB",
    "WINDVANE_TOKEN",
    "WINDVANE_SOAK_ROUNDS",
    // Of a process that has begun itself again.
    "WINDVANE_BEGUN_AGAIN",
    // Of the telemetry hooks: a machine may run a model server beside the service.
    "WINDVANE_SDK_URL",
    "WINDVANE_SDK_TOKEN",
    "WINDVANE_SDK_DISABLED",
];

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
    /// By path.
    pub values: BTreeMap<KeyPath, (Value, Origin)>,
    /// The named tables of the file, also those without a key.
    pub tables: BTreeMap<KeyPath, Origin>,
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
        let mut entries = Vec::new();
        flatten(&KeyPath::of([]), table.get_ref(), &mut entries);
        // In the order of the file, so that faults read from top to bottom.
        entries.sort_by_key(|entry| entry.offset);
        for Entry { offset, key_path, value } in entries {
            let origin = Origin::File(path.to_owned(), line_of(text, offset));
            match (key(&key_path), value) {
                (_, DeValue::Table(_)) if is_table(&key_path) => {
                    self.tables.insert(key_path, origin);
                }
                (Some(key), value) => self.add_toml(key, key_path, (value, origin)),
                _ => self.unknown(&key_path, &origin),
            }
        }
    }

    /// Adds the variables that override keys; other variables are left alone, a `WINDVANE_` one that fits nothing is a fault.
    pub fn add_environment(&mut self, variables: impl Iterator<Item = (OsString, OsString)>) {
        for (name, text) in variables {
            // Variables of others need not be text.
            let Ok(name) = name.into_string() else { continue };
            if !name.starts_with(PREFIX) || OTHER_VARIABLES.contains(&name.as_str()) {
                continue;
            }
            let origin = Origin::Variable(name.clone());
            let Ok(text) = text.into_string() else {
                let problem = "is not allowed; allowed is text in UTF-8".to_owned();
                self.faults.push(Fault {
                    origin: origin.to_string(),
                    key: String::new(),
                    problem,
                    example: None,
                });
                continue;
            };
            match keys().find(|key| key.variable().as_ref() == Some(&name)) {
                Some(key) => self.add_text(key, &text, origin),
                None => {
                    let nearest = nearest(&name, keys().filter_map(Key::variable));
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

    fn add_toml(&mut self, key: &'static Key, path: KeyPath, (value, origin): (&DeValue<'_>, Origin)) {
        let base = match &origin {
            Origin::File(path, _) => path.parent().unwrap_or(Path::new("")).to_owned(),
            Origin::Variable(_) => PathBuf::new(),
        };
        match key.kind.of_toml(value, &base) {
            Some(value) => {
                self.values.insert(path, (value, origin));
            }
            None => self.not_allowed(key, &path, (&shown(value), &origin)),
        }
    }

    fn add_text(&mut self, key: &'static Key, text: &str, origin: Origin) {
        let path = KeyPath::from(key.path);
        match key.kind.of_text(text) {
            Some(value) => {
                self.values.insert(path, (value, origin));
            }
            None => self.not_allowed(key, &path, (&format!("`{text}`"), &origin)),
        }
    }

    fn unknown(&mut self, path: &KeyPath, origin: &Origin) {
        let shown = path.to_string();
        let nearest = match shown.contains('.') {
            true => nearest(&shown, keys().map(|key| path.filled_into(key.path))),
            false => nearest(&shown, keys().filter_map(|key| key.path.split('.').next()).map(str::to_owned)),
        };
        let problem = format!("unknown key{nearest}");
        self.faults.push(Fault { origin: origin.to_string(), key: shown, problem, example: None });
    }

    fn not_allowed(&mut self, key: &Key, path: &KeyPath, (shown, origin): (&str, &Origin)) {
        // Addresses of receivers are secrets, and others may have a password in them; faults are logged.
        let is_secret = key.kind == Kind::Url && (key.path.starts_with("alerts.") || shown.contains('@'));
        let shown = if is_secret { "its value, which may be a secret," } else { shown };
        self.faults.push(Fault {
            origin: origin.to_string(),
            key: path.to_string(),
            problem: format!("{shown} is not allowed; allowed is {}", key.kind.allowed()),
            example: Some(key.example),
        });
    }
}

/// A key or a table of a file.
struct Entry<'a> {
    offset: usize,
    key_path: KeyPath,
    value: &'a DeValue<'a>,
}

/// Every key below `path`, and every table that keys may lie in.
fn flatten<'a>(path: &KeyPath, table: &'a DeTable<'a>, entries: &mut Vec<Entry<'a>>) {
    for (name, value) in table {
        let key_path = path.join(name.get_ref());
        let entry = Entry { offset: name.span().start, key_path, value: value.get_ref() };
        if let (DeValue::Table(below), true) = (value.get_ref(), is_table(&entry.key_path)) {
            flatten(&entry.key_path, below, entries);
        }
        entries.push(entry);
    }
}

/// Is this the path of a table of the configuration?
fn is_table(path: &KeyPath) -> bool {
    keys().any(|key| path.is_table_of(key.path))
}

fn nearest(name: &str, known: impl Iterator<Item = String>) -> String {
    let known: Vec<String> = known.collect();
    windvane_types::nearest::nearest(name, known.iter().map(String::as_str))
        .map_or(String::new(), |nearest| format!("; the nearest known one is `{nearest}`"))
}

/// The line of a byte offset, counted from 1.
fn line_of(text: &str, offset: usize) -> usize {
    text.as_bytes().iter().take(offset).filter(|byte| **byte == b'\n').count() + 1
}
