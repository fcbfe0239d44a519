//! Reading values out of the layers: each by its path, with the default where the key is absent.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use windvane_store::Secret;
use windvane_types::distinct::distinct;

use super::fault::Fault;
use super::kind::Value;
use super::layers::{Layers, Origin};
use super::path::KeyPath;

impl Layers {
    pub fn has(&self, path: impl Into<KeyPath>) -> bool {
        self.values.contains_key(&path.into())
    }

    pub fn address(&self, path: impl Into<KeyPath>, default: SocketAddr) -> SocketAddr {
        match self.value(path) {
            Some(Value::SocketAddress(address)) => *address,
            _ => default,
        }
    }

    pub fn flag(&self, path: impl Into<KeyPath>, default: bool) -> bool {
        match self.value(path) {
            Some(Value::Flag(flag)) => *flag,
            _ => default,
        }
    }

    pub fn integer(&self, path: impl Into<KeyPath>, default: u64) -> u64 {
        match self.value(path) {
            Some(Value::Integer(integer)) => *integer,
            _ => default,
        }
    }

    pub fn size(&self, path: impl Into<KeyPath>, default: usize) -> usize {
        // The bounds of the keys are far below what a size holds.
        usize::try_from(self.integer(path, default as u64)).unwrap_or(default)
    }

    pub fn path(&self, path: impl Into<KeyPath>) -> Option<PathBuf> {
        match self.value(path) {
            Some(Value::Path(path)) => Some(path.clone()),
            _ => None,
        }
    }

    pub fn text(&self, path: impl Into<KeyPath>) -> Option<String> {
        match self.value(path) {
            Some(Value::Text(text)) => Some(text.clone()),
            _ => None,
        }
    }

    pub fn texts(&self, path: impl Into<KeyPath>) -> Vec<String> {
        match self.value(path) {
            Some(Value::Texts(texts)) => texts.clone(),
            _ => Vec::new(),
        }
    }

    /// The same of a list that is a set, such as one of columns: what is named twice is there once.
    pub fn distinct(&self, path: impl Into<KeyPath>) -> Vec<String> {
        distinct(self.texts(path))
    }

    /// The names that the user chose below `table`: `[monitors.hourly]` and `[monitors.daily]` have two below `monitors`.
    pub fn names(&self, table: impl Into<KeyPath>) -> Vec<String> {
        let table = table.into();
        let paths = self.values.keys().chain(self.tables.keys());
        let mut names: Vec<String> = paths.filter_map(|path| path.below(&table)).map(str::to_owned).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// A key of a named table without which the table says nothing; its absence is a fault.
    pub fn required_text(&mut self, table: &KeyPath, key: &'static str) -> Option<String> {
        let text = self.text(table.join(key));
        if text.is_none() {
            self.missing(table, key);
        }
        text
    }

    /// Records that a key is missing, unless it is there with a value that is a fault already.
    pub fn missing(&mut self, table: &KeyPath, key: &'static str) {
        let path = table.join(key).to_string();
        if !self.faults.iter().any(|fault| fault.key == path) {
            self.contradiction(table.clone(), &format!("`{key}` is missing"));
        }
    }

    /// A secret from the environment variable or the file that one of two keys names; never from the file of the configuration.
    ///
    /// # Errors
    /// It is named and not there, which is a fault of the layers.
    pub fn secret(&mut self, table: &KeyPath, [env, file]: [&str; 2]) -> Result<Option<Secret>, ()> {
        let (variable, path) = (self.text(table.join(env)), self.path(table.join(file)));
        let (key, problem) = match (variable, path) {
            (None, None) => return Ok(None),
            (Some(_), Some(_)) => (env, format!("excludes {file}; keep one of the two")),
            (Some(variable), None) => match std::env::var(&variable) {
                Ok(secret) if !secret.is_empty() => return Ok(Some(Secret::new(secret))),
                // Who takes the key for that of the secret is not shown it.
                _ if !is_variable(&variable) => {
                    (env, "is no name of an environment variable; allowed is such as SLACK_URL".to_owned())
                }
                _ => (env, format!("the environment variable `{variable}` is not set")),
            },
            (None, Some(path)) => match std::fs::read_to_string(&path) {
                Ok(text) => return Ok(Some(Secret::new(text.trim_end_matches(['\r', '\n'])))),
                Err(error) => (file, format!("cannot read `{}`: {error}", path.display())),
            },
        };
        self.contradiction(table.join(key), &problem);
        Err(())
    }

    /// Records that a value, allowed by itself, does not go with the rest.
    pub fn contradiction(&mut self, path: impl Into<KeyPath>, problem: &str) {
        let path = path.into();
        let origin = self.values.get(&path).map(|(_, origin)| origin).or_else(|| self.tables.get(&path));
        let origin = origin.map_or_else(|| "default".to_owned(), Origin::to_string);
        self.faults.push(Fault { origin, key: path.to_string(), problem: problem.to_owned(), example: None });
    }

    fn value(&self, path: impl Into<KeyPath>) -> Option<&Value> {
        self.values.get(&path.into()).map(|(value, _)| value)
    }
}

/// Whether a text may be the name of an environment variable, as shells have them.
fn is_variable(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[allow(dead_code, reason = "kinds of monitors and experiments, which come with the parts that read them")]
impl Layers {
    pub fn number(&self, path: impl Into<KeyPath>, default: f64) -> f64 {
        match self.value(path) {
            Some(Value::Number(number)) => *number,
            _ => default,
        }
    }

    pub fn length(&self, path: impl Into<KeyPath>, default: Duration) -> Duration {
        match self.value(path) {
            Some(Value::Length(length)) => *length,
            _ => default,
        }
    }
}
