//! Fingerprints of learnt values: by them a value that a person has edited is told from one that is as it was learnt.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};
use toml_edit::{Item, Table};
use windvane_types::hex;

use super::LEARNT;

/// Hexadecimal digits of a fingerprint: of a million edits one is mistaken for no edit in sixteen files.
const DIGITS: usize = 6;

/// The fingerprint of a value, whatever blanks and comments stand around it.
pub(super) fn of(item: &Item) -> String {
    let mut text = String::new();
    match item {
        Item::Table(table) => {
            let mut lines: Vec<String> =
                table.iter().map(|(key, item)| format!("{key}={}", plain(item))).collect();
            lines.sort_unstable();
            text.push_str(&lines.join("\n"));
        }
        other => text = plain(other),
    }
    let digest = Sha256::digest(text.as_bytes());
    hex::encode(&digest)[..DIGITS].to_owned()
}

/// A value without blanks and comments.
fn plain(item: &Item) -> String {
    match item.as_value() {
        Some(toml_edit::Value::InlineTable(table)) => {
            let parts: Vec<String> =
                table.iter().map(|(key, value)| format!("{key}={}", bare(value))).collect();
            format!("{{{}}}", parts.join(","))
        }
        Some(value) => bare(value),
        None => String::new(),
    }
}

fn bare(value: &toml_edit::Value) -> String {
    let mut value = value.clone();
    value.decor_mut().clear();
    value.to_string()
}

/// The fingerprints that a table keeps.
pub(super) fn kept(table: &Table) -> BTreeMap<String, String> {
    let text = table.get(LEARNT).and_then(Item::as_str).unwrap_or_default();
    text.split_whitespace()
        .filter_map(|part| part.split_once(':'))
        .map(|(key, fingerprint)| (key.to_owned(), fingerprint.to_owned()))
        .collect()
}

/// The line that keeps fingerprints.
pub(super) fn line(fingerprints: &BTreeMap<String, String>) -> String {
    let parts: Vec<String> =
        fingerprints.iter().map(|(key, fingerprint)| format!("{key}:{fingerprint}")).collect();
    parts.join(" ")
}
