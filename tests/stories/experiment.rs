//! `windvane experiment` over files, sums and the store, its plans, its pages, and what it says of real traffic.

mod again;
mod checks;
mod inference;
mod kept;
mod looks;
mod pages;
mod parquet;
mod parts;
mod plan;
mod real_traffic;
mod rows;
mod schedule;
mod store;
mod sums;

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

/// A finished run.
pub(super) struct Ran {
    pub(super) code: i32,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

impl Ran {
    pub(super) fn document(&self) -> Value {
        assert!(self.code < 64, "{}", self.stderr);
        serde_json::from_str(&self.stdout).unwrap()
    }
}

pub(super) fn experiment(words: &[&str]) -> Ran {
    let output = Command::new(env!("CARGO_BIN_EXE_windvane")).arg("experiment").args(words).output().unwrap();
    Ran {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

pub(super) struct Folder(tempfile::TempDir);

impl Folder {
    pub(super) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(super) fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// The document of a summary with these metrics.
    pub(super) fn summary(&self, metrics: &Value, more: &[&str]) -> Ran {
        let text = json!({"schema": "windvane.experiment_summary/1", "control": "a", "metrics": metrics})
            .to_string();
        let path = self.file("summary.json", &text);
        experiment(&[&["--summary", path.to_str().unwrap(), "--format", "json"], more].concat())
    }
}

/// Runs over rows of a file with the columns `unit`, `arm` and more.
pub(super) fn over(file: &Path, more: &[&str]) -> Ran {
    let columns = [file.to_str().unwrap(), "--unit", "unit", "--arm", "arm", "--control", "A"];
    experiment(&[&columns, more].concat())
}

pub(super) fn comparison<'a>(document: &'a Value, metric: &str, arm: &str) -> &'a Value {
    let comparisons = document["comparisons"].as_array().unwrap();
    comparisons
        .iter()
        .find(|found| found["metric"] == metric && found["arm"] == arm)
        .unwrap_or_else(|| panic!("no {metric} of {arm}: {document}"))
}

/// Every number of `expected` is in `found` under the same path.
pub(super) fn agrees(found: &Value, expected: &Value, tolerance: f64, path: &str) {
    match expected {
        Value::Object(fields) => {
            fields
                .iter()
                .for_each(|(name, value)| agrees(&found[name], value, tolerance, &format!("{path}.{name}")));
        }
        Value::Array(items) => {
            items
                .iter()
                .enumerate()
                .for_each(|(i, item)| agrees(&found[i], item, tolerance, &format!("{path}[{i}]")));
        }
        expected => {
            let (found, expected) = (found.as_f64(), expected.as_f64().unwrap());
            let close =
                found.is_some_and(|found| (found - expected).abs() <= tolerance * expected.abs().max(1e-300));
            assert!(close, "{path}: {found:?} instead of {expected}");
        }
    }
}

pub(super) fn near(found: &Value, expected: f64, printed: f64) {
    let number = found.as_f64().unwrap_or_else(|| panic!("{found} instead of {expected}"));
    assert!((number - expected).abs() <= printed, "{number} instead of {expected}");
}
