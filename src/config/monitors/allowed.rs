//! Which keys say something to which monitors: any other one is refused, rather than read and never looked at.

use crate::config::layers::Layers;
use crate::config::path::KeyPath;

/// Keys that say something to some kinds only, and these.
const OF_KINDS: [(&str, &[&str]); 28] = [
    ("columns", &["attribution", "drift", "quality"]),
    ("methods", &["drift"]),
    ("text", &["drift"]),
    ("segment_by", &["drift", "fairness", "latency", "performance"]),
    ("segments_max", &["drift", "performance"]),
    ("segment_rows_min", &["drift", "performance"]),
    ("bins", &["drift"]),
    ("alpha", &["drift", "fairness", "latency", "quality"]),
    ("correction", &["drift"]),
    ("min_rows", &["attribution", "drift", "fairness", "latency", "performance"]),
    ("expectations", &["quality"]),
    ("tolerance", &["quality"]),
    ("clock_ahead", &["quality"]),
    ("quantiles", &["latency"]),
    ("slo", &["latency"]),
    ("max_gap", &["fairness"]),
    ("reference_group", &["fairness"]),
    ("task", &["performance"]),
    ("positive", &["fairness", "performance"]),
    ("threshold", &["attribution", "fairness", "performance"]),
    ("estimate", &["performance"]),
    ("concept_drift", &["performance"]),
    ("weakest", &["performance"]),
    ("group", &["performance"]),
    ("k", &["performance"]),
    ("quantile", &["performance"]),
    ("reopen_for", &["fairness", "performance"]),
    ("reopen_every", &["fairness", "performance"]),
];
/// Keys of performance monitors that say something to some tasks only, and these.
const OF_TASKS: [(&str, &[&str]); 5] = [
    ("positive", &["binary"]),
    ("threshold", &["binary"]),
    ("group", &["ranking"]),
    ("k", &["ranking"]),
    ("quantile", &["regression"]),
];

/// Refuses what says nothing to a monitor of this kind.
pub(super) fn refuse(layers: &mut Layers, table: &KeyPath, kind: &str) {
    for (key, kinds) in OF_KINDS {
        refuse_one(layers, table, (key, "kind", kinds), kind);
    }
}

/// Refuses what says nothing to a performance monitor of this task.
pub(super) fn refuse_of_task(layers: &mut Layers, table: &KeyPath, task: &str) {
    for (key, tasks) in OF_TASKS {
        refuse_one(layers, table, (key, "task", tasks), task);
    }
    if task == "ranking" && layers.flag(table.join("estimate"), false) {
        layers.contradiction(table.join("estimate"), "is of classes and numbers, not of task = \"ranking\"");
    }
}

/// Refuses what a file of expectations says itself.
pub(super) fn refuse_beside_expectations(layers: &mut Layers, table: &KeyPath) {
    for key in ["columns", "alpha", "tolerance", "clock_ahead"] {
        if layers.has(table.join(key)) {
            layers.contradiction(table.join(key), "says nothing beside expectations: the file has its own");
        }
    }
}

fn refuse_one(layers: &mut Layers, table: &KeyPath, (key, of, words): (&str, &str, &[&str]), word: &str) {
    if layers.has(table.join(key)) && !words.contains(&word) {
        layers.contradiction(table.join(key), &format!("goes with {of} = {} only", listed(words)));
    }
}

/// `"drift" or "quality"`.
fn listed(words: &[&str]) -> String {
    words.iter().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(" or ")
}
