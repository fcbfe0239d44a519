//! `[gates.<NAME>]`: which candidate is held against which champion by stored traffic, and how often.

use std::path::PathBuf;
use std::time::Duration;

use super::layers::Layers;
use super::path::KeyPath;

/// A gate that the service runs by itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Gate {
    /// The name under which its verdicts are kept.
    pub name: String,
    /// The model in place.
    pub champion: PathBuf,
    /// The model that is to take its place.
    pub candidate: PathBuf,
    /// The checks; `None` for the shipped ones.
    pub policy: Option<PathBuf>,
    /// `store`, `store:payloads` or `store:features`.
    pub traffic: String,
    /// The model whose predictions are asked again.
    pub model: String,
    /// Only of this version.
    pub version: Option<String>,
    /// Only of this environment.
    pub environment: Option<String>,
    /// Only those whose features and tags have these values, each as `NAME=VALUE`.
    pub segment: Vec<String>,
    /// How far back from now they reach.
    pub window: Duration,
    /// From one verdict to the next.
    pub every: Duration,
    /// Requests that are drawn.
    pub sample: u64,
    /// Columns whose values make segments.
    pub segment_by: Vec<String>,
    /// Requests in one call of a model.
    pub batch_max: u64,
    /// Where models run.
    pub device: String,
    /// Threads inside one operator.
    pub threads: u64,
    /// How long a run may take.
    pub timeout: Duration,
    /// Bytes that the process with the models may take.
    pub memory_bytes_max: u64,
}

/// Reads every `[gates.<NAME>]`, by name; faults are left in the layers.
pub fn gates(layers: &mut Layers) -> Vec<Gate> {
    layers.names("gates").into_iter().filter_map(|name| gate(layers, name)).collect()
}

fn gate(layers: &mut Layers, name: String) -> Option<Gate> {
    let table = KeyPath::from("gates").join(&name);
    let mut file = |key: &'static str| {
        let path = layers.path(table.join(key));
        if path.is_none() {
            layers.missing(&table, key);
        }
        path
    };
    let (champion, candidate) = (file("champion"), file("candidate"));
    let model = layers.required_text(&table, "model");
    let segment = layers.texts(table.join("segment"));
    if segment.iter().any(|word| word.split_once('=').is_none_or(|(name, _)| name.is_empty())) {
        layers.contradiction(
            table.join("segment"),
            "each is a feature or a tag and its value, such as `carrier=UA`",
        );
    }
    Some(Gate {
        champion: champion?,
        candidate: candidate?,
        policy: layers.path(table.join("policy")),
        traffic: layers.text(table.join("traffic")).unwrap_or_else(|| "store".to_owned()),
        model: model?,
        version: layers.text(table.join("version")),
        environment: layers.text(table.join("environment")),
        segment,
        window: layers.length(table.join("window"), Duration::from_secs(86_400)),
        every: layers.length(table.join("every"), Duration::from_secs(3_600)),
        sample: layers.integer(table.join("sample"), 5_000),
        segment_by: layers.distinct(table.join("segment_by")),
        batch_max: layers.integer(table.join("batch_max"), 1),
        device: layers.text(table.join("device")).unwrap_or_else(|| "cpu".to_owned()),
        threads: layers.integer(table.join("threads"), 1),
        timeout: layers.length(table.join("timeout"), Duration::from_secs(600)),
        memory_bytes_max: layers.integer(table.join("memory_bytes_max"), 4 << 30),
        name,
    })
}
