//! The configuration for a person to read: each key with its value and where it comes from.

use windvane_web::Setting;

use super::keys::{Key, key, keys};
use super::kind::Value;
use super::layers::Layers;
use super::path::{KeyPath, is_placeholder};

impl Layers {
    /// Every given key in the order of the documentation, and every other one of the fixed tables with what holds without it.
    pub fn settings(&self) -> Vec<Setting> {
        keys().flat_map(|key| self.of_key(key)).collect()
    }

    fn of_key(&self, described: &'static Key) -> Vec<Setting> {
        let named = described.path.split('.').any(is_placeholder);
        let given: Vec<Setting> = self
            .values
            .iter()
            // By name: a constant may stand at several places of an optimised binary.
            .filter(|(path, _)| key(path).is_some_and(|found| found.path == described.path))
            .map(|(path, (value, origin))| Setting {
                key: path.to_string(),
                value: written(path, value),
                origin: Some(origin.to_string()),
                about: described.about,
            })
            .collect();
        if !given.is_empty() || named {
            return given;
        }
        let (key, value) = (described.path.to_owned(), described.default.to_owned());
        vec![Setting { key, value, origin: None, about: described.about }]
    }
}

/// The value as text. Secrets are in files and variables that keys name; an address may carry one all the same, so that of a
/// receiver is not shown, and any other one without user and password.
fn written(path: &KeyPath, value: &Value) -> String {
    let key = path.to_string();
    match value {
        Value::Text(_) if key.starts_with("alerts.receivers.") && key.ends_with(".url") => {
            "(not shown)".to_owned()
        }
        Value::Text(text) => without_user(text),
        Value::SocketAddress(address) => address.to_string(),
        Value::Path(path) => path.display().to_string(),
        Value::Texts(texts) => texts.join(", "),
        Value::Flag(flag) => flag.to_string(),
        Value::Integer(integer) => integer.to_string(),
        Value::Number(number) => number.to_string(),
        Value::Length(length) => format!("{} s", length.as_secs()),
    }
}

fn without_user(text: &str) -> String {
    match text.split_once("://") {
        Some((scheme, rest)) => {
            let host_end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
            match rest[..host_end].rfind('@') {
                Some(at) => format!("{scheme}://{}", &rest[at + 1..]),
                None => text.to_owned(),
            }
        }
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn what_may_be_secret_is_not_shown() {
        let mut layers = Layers::default();
        let file = "[store]\nurl = \"http://me:hidden@ch:8123/\"\n[alerts.receivers.team]\ntype = \"slack\"\nurl = \"http://hooks/hidden\"\n";
        layers.add_file(Path::new("w.toml"), file);
        let settings = layers.settings();
        let of = |key: &str| {
            settings.iter().find(|setting| setting.key == key).map(|setting| setting.value.as_str())
        };
        assert_eq!(of("store.url"), Some("http://ch:8123/"));
        assert_eq!(of("alerts.receivers.team.url"), Some("(not shown)"));
        assert_eq!(of("alerts.receivers.team.type"), Some("slack"));
        assert!(settings.iter().all(|setting| !setting.value.contains("hidden")));
        assert!(settings.iter().any(|setting| setting.key == "server.listen" && setting.origin.is_none()));
    }
}
