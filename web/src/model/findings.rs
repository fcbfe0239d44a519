//! Whose findings a section of a model's page shows, in words, and what fills it where there are none.

use maud::{Markup, html};
use windvane_store::views::{Asked, View};

use super::drift::reference;
use crate::address;
use crate::api::run::Key;
use crate::numbers::ends;
use crate::page::{empty, told};

/// Who looked, at which rows, against what.
#[derive(Debug, Clone, Copy)]
pub struct Whose<'a> {
    pub monitor: &'a str,
    pub version: &'a str,
    pub environment: &'a str,
    pub start: &'a str,
    pub end: &'a str,
    pub reference_kind: &'a str,
    pub reference_name: &'a str,
    pub granularity: &'a str,
}

impl<'a> From<&'a Key> for Whose<'a> {
    fn from(key: &'a Key) -> Self {
        Self {
            monitor: &key.monitor,
            version: &key.version,
            environment: &key.environment,
            start: &key.window_start,
            end: &key.window_end,
            reference_kind: &key.reference_kind,
            reference_name: &key.reference_name,
            granularity: &key.granularity,
        }
    }
}

impl Whose<'_> {
    /// `Monitor daily, version 8 in prod, 2026-01-01 00:00 UTC to 2026-01-02 00:00 UTC, against the span before.`
    fn sentence(self) -> String {
        let mut parts = vec![match self.monitor {
            "" => "By hand".to_owned(),
            monitor => format!("Monitor {monitor}"),
        }];
        match (self.version, self.environment) {
            ("", "") => {}
            ("", environment) => parts.push(format!("in {environment}")),
            (version, "") => parts.push(format!("version {version}")),
            (version, environment) => parts.push(format!("version {version} in {environment}")),
        }
        let [start, end] = ends(self.start, self.end);
        parts.push(format!("{start} UTC to {end} UTC"));
        if !self.reference_kind.is_empty() {
            parts.push(format!("against {}", reference(self.reference_kind, self.reference_name)));
        }
        format!("{}.", parts.join(", "))
    }

    /// The same with times of the viewer's zone where there is a script.
    pub fn told(self) -> Markup {
        told(&self.sentence())
    }

    /// As parameters of the views of findings: this window and those of its kind before it, so many in all.
    pub fn asked(self, model: &str, windows: u64) -> Asked {
        Asked::from([
            ("model", model.to_owned()),
            ("monitor", self.monitor.to_owned()),
            ("granularity", self.granularity.to_owned()),
            ("version", self.version.to_owned()),
            ("environment", self.environment.to_owned()),
            ("reference_kind", self.reference_kind.to_owned()),
            ("reference_name", self.reference_name.to_owned()),
            ("windows", windows.to_string()),
        ])
    }
}

/// The findings as the read API gives them, and as the statement behind them; before there are any, of the model alone.
pub fn source(model: &str, kind: &str, (view, asked): (&View, Option<Asked>)) -> Markup {
    let runs = format!("/api/v1{}/{kind}", address::model(model));
    let asked = asked.unwrap_or_else(|| Asked::from([("model", model.to_owned())]));
    address::source_beside(&runs, view, &asked)
}

/// Where nothing is found yet: the command that looks once, and the monitor that looks by schedule, where there is one.
pub fn nothing_yet(heading: &str, command: &str, monitor: Option<&str>) -> Markup {
    empty(&html! {
        h3 { (heading) }
        p { "Look once:" }
        pre tabindex="0" aria-label="Command" { "$ " (command) }
        @if let Some(monitor) = monitor {
            p { "or let a monitor look by schedule:" }
            pre tabindex="0" aria-label="Configuration" { (monitor) }
        }
    })
}

/// A name as a word of a shell.
pub fn quoted(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@".contains(c);
    match !name.is_empty() && name.chars().all(plain) {
        true => name.to_owned(),
        false => format!("'{}'", name.replace('\'', r"'\''")),
    }
}

/// A name as a text of the configuration: TOML reads texts as JSON writes them.
pub fn in_toml(name: &str) -> String {
    serde_json::Value::from(name).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_text_of_the_configuration() {
        for (name, text) in [
            ("delay", "\"delay\""),
            ("a\"b\\", r#""a\"b\\""#),
            ("a\u{202e}b", "\"a\u{202e}b\""),
            ("\u{7}", r#""\u0007""#),
        ] {
            assert_eq!(in_toml(name), text);
        }
    }

    #[test]
    fn a_name_is_one_word_of_a_shell() {
        for (name, word) in
            [("delay", "delay"), ("delay <7>", "'delay <7>'"), ("it's", r"'it'\''s'"), ("", "''")]
        {
            assert_eq!(quoted(name), word);
        }
    }
}
