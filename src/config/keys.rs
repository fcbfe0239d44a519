//! Every configuration key: what it does, its unit, its default, what is allowed, and who should change it.
//!
//! The tables are what the loader checks a file against and what docs/CONFIGURATION.md is generated from, so a key that is
//! not here does not exist.

mod alerts;
mod alerts_routes;
mod alerts_rules;
mod experiments;
mod gates;
mod limits;
mod llm;
mod monitors;
mod redaction;
mod service;
mod telemetry;

use super::kind::Kind;
use super::path::{KeyPath, is_placeholder};

/// The tables, in the order of the documentation; a part of the service that reads keys has one.
const TABLES: &[&[Key]] = &[
    service::KEYS,
    limits::KEYS,
    redaction::KEYS,
    monitors::KEYS,
    experiments::KEYS,
    gates::KEYS,
    alerts_rules::KEYS,
    alerts_routes::KEYS,
    alerts::KEYS,
    llm::KEYS,
    telemetry::KEYS,
];

/// One key of the configuration file.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// The table and the key, `server.listen`. A segment in angle brackets stands for a name that the user chooses, as in
    /// `monitors.<NAME>.model`.
    pub path: &'static str,
    /// What a value may be.
    pub kind: Kind,
    /// What holds when the key is absent, in words.
    pub default: &'static str,
    /// A correct line for this key.
    pub example: &'static str,
    /// What it does, with its unit, and who should change it.
    pub about: &'static str,
}

impl Key {
    /// The environment variable that overrides the file: `WINDVANE_SERVER_LISTEN`. Keys of named tables have none, because
    /// the name could not be told from the key.
    pub fn variable(&self) -> Option<String> {
        let fixed = self.path.split('.').all(|segment| !is_placeholder(segment));
        fixed.then(|| format!("WINDVANE_{}", self.path.replace('.', "_").to_ascii_uppercase()))
    }
}

/// All keys.
pub fn keys() -> impl Iterator<Item = &'static Key> {
    TABLES.iter().copied().flatten()
}

/// The key that a path of a file is an instance of.
pub fn key(path: &KeyPath) -> Option<&'static Key> {
    keys().find(|key| path.is_instance_of(key.path))
}

/// The documentation of every key, as Markdown.
pub fn documentation() -> String {
    let mut text = String::from(
        "# Configuration\n\nOne TOML file, named by `--config FILE`; every key with a variable can be overridden by it. Unknown keys are errors, and all\nfaults are reported at once. `windvane check-config --config FILE` checks a file without starting anything. `<NAME>` stands for\na name of your choice.\n\nGenerated from `src/config/keys.rs` by `windvane check-config --document`; a test compares the two.\n",
    );
    let mut table = "";
    for key in keys() {
        let (section, name) = key.path.rsplit_once('.').unwrap_or(("", key.path));
        if section != table {
            text.push_str(&format!(
                "\n## [{section}]\n\n| key | effect | allowed | default | variable |\n|---|---|---|---|---|\n"
            ));
            table = section;
        }
        let variable = key.variable().map_or_else(|| "none".to_owned(), |variable| format!("`{variable}`"));
        text.push_str(&format!(
            "| `{name}` | {} | {} | {} | {variable} |\n",
            key.about,
            key.kind.allowed(),
            key.default,
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::layers::Layers;
    use super::super::resolve;
    use super::*;

    /// What comes of one variable, or of none.
    fn resolved(variable: Option<(String, &str)>) -> String {
        let mut layers = Layers::default();
        layers.add_file(Path::new("w.toml"), "[telemetry]\notlp_endpoint = \"http://otel:4318\"\n");
        layers.add_environment(variable.into_iter().map(|(name, value)| (name.into(), value.into())));
        let mut config = resolve(layers).unwrap();
        // Whether a key was given is no part of what holds.
        config.settings.clear();
        config.otlp.is_asked_for = false;
        format!("{config:?}")
    }

    #[test]
    fn a_default_is_what_holds_without_the_key() {
        let usual = resolved(None);
        let mut compared = 0;
        for key in keys() {
            let in_words = matches!(key.kind, Kind::Path | Kind::Url | Kind::Text | Kind::Texts { .. });
            // Without the key it is 4h for some of what fires, with it for all.
            let depends = key.path == "alerts.route.repeat_interval" || key.default == "none";
            let (false, false, Some(variable)) = (in_words, depends, key.variable()) else { continue };
            // Behind the value it may be said in other words: `2147483648 (2 GiB)`, `0: no bound`.
            let value = key.default.split(' ').next().unwrap_or_default().trim_end_matches(':');
            assert_eq!(resolved(Some((variable, value))), usual, "{}", key.path);
            compared += 1;
        }
        assert!(compared > 40, "{compared} keys were compared");
        let other = resolved(Some(("WINDVANE_COLLECTOR_REQUESTS_MAX".to_owned(), "65")));
        assert_ne!(other, usual, "the comparison sees a value that is another one");
    }

    #[test]
    fn keys_are_unique_and_lie_in_a_table() {
        let all: Vec<&Key> = keys().collect();
        for (i, key) in all.iter().enumerate() {
            assert!(key.path.contains('.'), "{}", key.path);
            assert!(all[i + 1..].iter().all(|other| other.path != key.path), "{}", key.path);
        }
    }

    #[test]
    fn keys_of_a_table_stand_together() {
        let mut seen: Vec<&str> = Vec::new();
        for key in keys() {
            let (table, _) = key.path.rsplit_once('.').unwrap();
            if seen.last() != Some(&table) {
                assert!(!seen.contains(&table), "{}", key.path);
                seen.push(table);
            }
        }
    }

    #[test]
    fn the_committed_documentation_is_the_generated_one() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/CONFIGURATION.md");
        let committed = std::fs::read_to_string(path).unwrap();
        assert!(
            committed == documentation(),
            "run `cargo run -- check-config --document > docs/CONFIGURATION.md`"
        );
    }
}
