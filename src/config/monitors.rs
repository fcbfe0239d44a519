//! `[analyzer]` and `[monitors.<NAME>]`: what runs by itself, and when.

use std::time::Duration;

use windvane_analyzer::drift::{Deployment, Method, Rule, SegmentBounds};
use windvane_analyzer::monitor::{DriftMonitor, Period, Schedule, jitter_us};
use windvane_stats::correction::Correction;
use windvane_types::span::ReferenceKind;
use windvane_types::{Clock, SystemClock};

use super::layers::Layers;
use super::path::KeyPath;

/// The analyzer.
#[derive(Debug, Clone)]
pub struct Analyzer {
    /// Windows that run at the same time.
    pub runs_max: usize,
    /// How long a lease lives without being renewed.
    pub lease: Duration,
    /// How often it looks what is due, at least.
    pub poll: Duration,
}

impl Default for Analyzer {
    fn default() -> Self {
        Self { runs_max: 1, lease: Duration::from_secs(60), poll: Duration::from_secs(15) }
    }
}

/// Reads `[analyzer]`.
pub fn analyzer(layers: &Layers) -> Analyzer {
    let Analyzer { runs_max, lease, poll } = Analyzer::default();
    Analyzer {
        runs_max: layers.size("analyzer.runs_max", runs_max),
        lease: layers.length("analyzer.lease", lease),
        poll: layers.length("analyzer.poll", poll),
    }
}

/// Reads every `[monitors.<NAME>]`, by name; faults are left in the layers.
pub fn monitors(layers: &mut Layers) -> Vec<DriftMonitor> {
    layers.names("monitors").into_iter().filter_map(|name| monitor(layers, name)).collect()
}

fn monitor(layers: &mut Layers, name: String) -> Option<DriftMonitor> {
    let table = KeyPath::from("monitors").join(&name);
    let model = layers.required_text(&table, "model");
    let reference = layers.required_text(&table, "reference").and_then(|text| {
        // A length back from now would mean another span after each start.
        if text.starts_with("window:") && !text.contains('/') {
            layers.contradiction(table.join("reference"), &format!("`{text}` has no START/END"));
            return None;
        }
        let kind = ReferenceKind::parse(&text, SystemClock.now());
        kind.map_err(|problem| layers.contradiction(table.join("reference"), &problem)).ok()
    });
    let window = period(layers, table.join("window"));
    let every = if layers.has(table.join("every")) { period(layers, table.join("every")) } else { window };
    let methods = methods(layers, table.join("methods"));
    let (window, every) = (window?, every?);
    let delay = layers.length(table.join("delay"), Duration::from_secs(600));
    let catch_up = layers.integer(table.join("catch_up"), 24);
    let list = |key: &str| Some(layers.texts(table.join(key))).filter(|list| !list.is_empty());
    let correction = layers.text(table.join("correction"));
    Some(DriftMonitor {
        deployment: Deployment {
            model: model?,
            version: layers.text(table.join("version")),
            environment: layers.text(table.join("environment")),
        },
        reference: reference?,
        columns: list("columns"),
        methods: methods?,
        segment_by: list("segment_by").unwrap_or_default(),
        segments: SegmentBounds {
            number_max: layers.size(table.join("segments_max"), 20),
            rows_min: layers.integer(table.join("segment_rows_min"), 100),
        },
        bins: u32::try_from(layers.integer(table.join("bins"), 10)).unwrap_or(10),
        rule: Rule {
            alpha: layers.number(table.join("alpha"), 0.05),
            correction: correction.map_or_else(Correction::default, |word| self::correction(&word)),
            min_rows: layers.integer(table.join("min_rows"), 30),
            compat: None,
        },
        schedule: Schedule {
            window,
            every,
            delay_us: i64::try_from(delay.as_micros()).unwrap_or(i64::MAX),
            jitter_us: jitter_us(&name, every),
            catch_up: u32::try_from(catch_up).unwrap_or(u32::MAX),
        },
        timeout: layers.length(table.join("timeout"), Duration::from_secs(600)),
        memory_bytes_max: layers.integer(table.join("memory_bytes_max"), 1 << 30),
        enabled: layers.flag(table.join("enabled"), true),
        name,
    })
}

/// A length of windows; a day where the key is absent, `None` where it was refused.
pub fn period(layers: &mut Layers, path: KeyPath) -> Option<Period> {
    let text = layers.text(path.clone()).unwrap_or_else(|| "1d".to_owned());
    let read = Period::parse(&text);
    if read.is_none() {
        let problem = format!(
            "`{text}` is not allowed; allowed is a length such as 15m, 24h or 7d, or calendar months such as 1mo"
        );
        layers.contradiction(path, &problem);
    }
    read
}

/// The methods; `Some(None)` for the usual ones, `None` where one is not known.
fn methods(layers: &mut Layers, path: KeyPath) -> Option<Option<Vec<Method>>> {
    let names = layers.texts(path.clone());
    let mut methods = Vec::new();
    for name in &names {
        match Method::parse(name) {
            Some(method) => methods.push(method),
            None => {
                let all: Vec<&str> = Method::ALL.into_iter().map(Method::as_str).collect();
                let problem = format!("there is no method `{name}`; all methods: {}", all.join(", "));
                layers.contradiction(path.clone(), &problem);
            }
        }
    }
    (methods.len() == names.len()).then(|| Some(methods).filter(|methods| !methods.is_empty()))
}

/// The correction of a word that the table of keys allows.
fn correction(word: &str) -> Correction {
    match word {
        "by" => Correction::By,
        "holm" => Correction::Holm,
        "bonferroni" => Correction::Bonferroni,
        _ => Correction::Bh,
    }
}
