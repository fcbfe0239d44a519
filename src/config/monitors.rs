//! `[analyzer]` and `[monitors.<NAME>]`: what runs by itself, and when.

mod allowed;
mod groups;

use std::sync::Arc;
use std::time::Duration;

use windvane_analyzer::drift::{Deployment, FixedReference, Method, Rule, SegmentBounds};
use windvane_analyzer::latency::{Objective, level_of};
use windvane_analyzer::monitor::{
    DriftMonitor, Expected, Job, LatencyMonitor, PerformanceMonitor, Period, QualityMonitor, Reopen,
    Schedule, Watched, jitter_us,
};
use windvane_analyzer::performance::{self, Cut, Question};
use windvane_stats::correction::Correction;
use windvane_stats::performance::ranking::WithoutRelevant;
use windvane_store::performance::{Incomplete, Roles};
use windvane_types::performance::Task;
use windvane_types::span::ReferenceKind;
use windvane_types::{Clock, SystemClock};

use super::layers::Layers;
use super::path::KeyPath;
use allowed::{refuse, refuse_beside_expectations, refuse_of_task};

/// The analyzer.
#[derive(Debug, Clone)]
pub struct Analyzer {
    /// Windows that run at the same time.
    pub runs_max: usize,
    /// How long a lease lives without being renewed.
    pub lease: Duration,
    /// How often it looks what is due, at least.
    pub poll: Duration,
    /// How often sums of experiments are brought up to date.
    pub sums_every: Duration,
}

impl Default for Analyzer {
    fn default() -> Self {
        Self {
            runs_max: 1,
            lease: Duration::from_secs(60),
            poll: Duration::from_secs(15),
            sums_every: Duration::from_secs(60),
        }
    }
}

/// Reads `[analyzer]`.
pub fn analyzer(layers: &Layers) -> Analyzer {
    let Analyzer { runs_max, lease, poll, sums_every } = Analyzer::default();
    Analyzer {
        runs_max: layers.size("analyzer.runs_max", runs_max),
        lease: layers.length("analyzer.lease", lease),
        poll: layers.length("analyzer.poll", poll),
        sums_every: layers.length("analyzer.sums_every", sums_every),
    }
}

/// Reads every `[monitors.<NAME>]`, by name; faults are left in the layers.
pub fn monitors(layers: &mut Layers) -> Vec<Job> {
    layers.names("monitors").into_iter().filter_map(|name| monitor(layers, &name)).collect()
}

fn monitor(layers: &mut Layers, name: &str) -> Option<Job> {
    let kind = layers.text(KeyPath::from("monitors").join(name).join("kind"));
    match kind.as_deref() {
        Some("attribution") => groups::attribution(layers, name).map(Job::Attribution),
        Some("fairness") => groups::fairness(layers, name).map(Job::Fairness),
        Some("latency") => latency(layers, name).map(Job::Latency),
        Some("performance") => performance(layers, name).map(Job::Performance),
        Some("quality") => quality(layers, name).map(Job::Quality),
        _ => drift(layers, name).map(Job::Drift),
    }
}

/// What all kinds of monitors have.
fn watched(layers: &mut Layers, name: &str) -> Option<Watched> {
    let table = KeyPath::from("monitors").join(name);
    let model = layers.required_text(&table, "model");
    let window = period(layers, table.join("window"));
    let every = if layers.has(table.join("every")) { period(layers, table.join("every")) } else { window };
    let (window, every) = (window?, every?);
    if let (Period::Months(_), Period::Fixed(_)) = (window, every) {
        let problem = format!(
            "`{every}` does not go with window = \"{window}\": calendar months end on the first of a month. Give months, or a window such as 30d"
        );
        layers.contradiction(table.join("every"), &problem);
    }
    let delay = layers.length(table.join("delay"), Duration::from_secs(600));
    let catch_up = layers.integer(table.join("catch_up"), 24);
    Some(Watched {
        name: name.to_owned(),
        deployment: Deployment {
            model: model?,
            version: layers.text(table.join("version")),
            environment: layers.text(table.join("environment")),
        },
        schedule: Schedule {
            window,
            every,
            delay_us: i64::try_from(delay.as_micros()).unwrap_or(i64::MAX),
            jitter_us: jitter_us(name, every),
            catch_up: u32::try_from(catch_up).unwrap_or(u32::MAX),
        },
        timeout: layers.length(table.join("timeout"), Duration::from_secs(600)),
        memory_bytes_max: layers.integer(table.join("memory_bytes_max"), 1 << 30),
        enabled: layers.flag(table.join("enabled"), true),
    })
}

fn reference(layers: &mut Layers, table: &KeyPath) -> Option<ReferenceKind> {
    let text = layers.required_text(table, "reference")?;
    // A length back from now would mean another span after each start.
    if text.starts_with("window:") && !text.contains('/') {
        layers.contradiction(table.join("reference"), &format!("`{text}` has no START/END"));
        return None;
    }
    let window = layers.text(table.join("window")).and_then(|text| Period::parse(&text));
    let length_us = window.map_or(0, Period::about_us);
    let kind = ReferenceKind::parse(&text, SystemClock.now()).and_then(|kind| kind.of_windows(length_us));
    kind.map_err(|problem| layers.contradiction(table.join("reference"), &problem)).ok()
}

fn performance(layers: &mut Layers, name: &str) -> Option<PerformanceMonitor> {
    let table = KeyPath::from("monitors").join(name);
    refuse(layers, &table, "performance");
    let watched = watched(layers, name);
    let reference = reference(layers, &table);
    let task = match layers.required_text(&table, "task").as_deref() {
        Some("binary") => Some(Task::Binary),
        Some("multiclass") => Some(Task::Multiclass),
        Some("regression") => Some(Task::Regression),
        Some("ranking") => Some(Task::Ranking),
        _ => None,
    };
    if let Some(task) = task {
        refuse_of_task(layers, &table, task.as_str());
    }
    let roles = Roles { group: layers.text(table.join("group")), ..Roles::default() };
    let question = Question {
        task: task?,
        roles,
        positive: layers.text(table.join("positive")),
        threshold: layers.number(table.join("threshold"), 0.5),
        // Follows from each window.
        cut: Cut::Chunks(1),
        incomplete: Incomplete::default(),
        segment_by: layers.distinct(table.join("segment_by")),
        segments: SegmentBounds {
            number_max: layers.size(table.join("segments_max"), 20),
            rows_min: layers.integer(table.join("segment_rows_min"), 100),
        },
        rule: performance::Rule {
            min_rows: layers.integer(table.join("min_rows"), 30),
            ..performance::Rule::default()
        },
        k: layers.size(table.join("k"), 10),
        without_relevant: WithoutRelevant::default(),
        quantile: layers.number(table.join("quantile"), 0.5),
        estimate: layers.flag(table.join("estimate"), false),
        concept_drift: layers.flag(table.join("concept_drift"), false),
        weakest: layers.size(table.join("weakest"), 0),
        features: None,
    };
    Some(PerformanceMonitor {
        watched: watched?,
        reference: reference?,
        question,
        reopen: reopen(layers, &table),
    })
}

/// How long and how often windows are measured again when outcomes come late.
fn reopen(layers: &mut Layers, table: &KeyPath) -> Reopen {
    let us = |length: Duration| i64::try_from(length.as_micros()).unwrap_or(i64::MAX);
    Reopen {
        for_us: us(layers.length(table.join("reopen_for"), Duration::from_secs(30 * 86_400))),
        every: layers.length(table.join("reopen_every"), Duration::from_secs(3_600)),
    }
}

fn quality(layers: &mut Layers, name: &str) -> Option<QualityMonitor> {
    let table = KeyPath::from("monitors").join(name);
    refuse(layers, &table, "quality");
    let watched = watched(layers, name);
    if layers.has(table.join("expectations")) {
        refuse_beside_expectations(layers, &table);
    }
    let expected = match layers.path(table.join("expectations")) {
        None => reference(layers, &table).map(Expected::Reference),
        Some(_) if layers.has(table.join("reference")) => {
            layers.contradiction(table.join("expectations"), "excludes reference; keep one of the two");
            None
        }
        Some(path) => match crate::quality::load(&path) {
            Ok(expectations) => {
                let expectations = Arc::new(expectations);
                Some(Expected::File { path: path.display().to_string(), expectations })
            }
            Err(failure) => {
                layers.contradiction(table.join("expectations"), &failure.to_string());
                None
            }
        },
    };
    let ahead = layers.length(table.join("clock_ahead"), Duration::from_secs(300));
    Some(QualityMonitor {
        watched: watched?,
        expected: expected?,
        columns: Some(layers.distinct(table.join("columns"))).filter(|list| !list.is_empty()),
        alpha: layers.number(table.join("alpha"), 0.01),
        tolerance: layers.number(table.join("tolerance"), 0.1),
        ahead_us: i64::try_from(ahead.as_micros()).unwrap_or(i64::MAX),
    })
}

/// The quantiles of a latency monitor that names none.
const QUANTILES: [&str; 5] = ["p50", "p90", "p95", "p99", "p99.9"];

fn latency(layers: &mut Layers, name: &str) -> Option<LatencyMonitor> {
    let table = KeyPath::from("monitors").join(name);
    refuse(layers, &table, "latency");
    let watched = watched(layers, name);
    let reference = match layers.has(table.join("reference")) {
        true => reference(layers, &table).map(Some),
        false => Some(None),
    };
    let levels = levels(layers, table.join("quantiles"));
    let objectives = objectives(layers, table.join("slo"));
    Some(LatencyMonitor {
        watched: watched?,
        reference: reference?,
        by: layers.distinct(table.join("segment_by")),
        levels: levels?,
        objectives: objectives?,
        alpha: layers.number(table.join("alpha"), 0.05),
        rows_min: layers.integer(table.join("min_rows"), 30),
    })
}

/// The levels of quantiles, ascending; `None` where one is no quantile.
fn levels(layers: &mut Layers, path: KeyPath) -> Option<Vec<f64>> {
    let mut names = layers.texts(path.clone());
    if names.is_empty() {
        names = QUANTILES.map(str::to_owned).to_vec();
    }
    let mut levels = Vec::new();
    for name in &names {
        match level_of(name) {
            Some(level) => levels.push(level),
            None => {
                let problem =
                    format!("`{name}` is no quantile: give one above p0 and below p100, such as p99.9");
                layers.contradiction(path.clone(), &problem);
            }
        }
    }
    let is_read = levels.len() == names.len();
    levels.sort_by(f64::total_cmp);
    levels.dedup();
    is_read.then_some(levels)
}

/// The objectives; `None` where a text is none.
fn objectives(layers: &mut Layers, path: KeyPath) -> Option<Vec<Objective>> {
    let texts = layers.distinct(path.clone());
    let mut objectives = Vec::new();
    for text in &texts {
        match text.parse::<Objective>() {
            Ok(objective) => objectives.push(objective),
            Err(error) => layers.contradiction(path.clone(), &error.to_string()),
        }
    }
    (objectives.len() == texts.len()).then_some(objectives)
}

fn drift(layers: &mut Layers, name: &str) -> Option<DriftMonitor> {
    let table = KeyPath::from("monitors").join(name);
    refuse(layers, &table, "drift");
    let watched = watched(layers, name);
    let reference = reference(layers, &table);
    let methods = methods(layers, table.join("methods"));
    let list = |key: &str| Some(layers.distinct(table.join(key))).filter(|list| !list.is_empty());
    let correction = layers.text(table.join("correction"));
    Some(DriftMonitor {
        watched: watched?,
        reference: reference?,
        fixed: FixedReference::default(),
        columns: list("columns"),
        methods: methods?,
        text: list("text").unwrap_or_default(),
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
    })
}

/// A length of windows; a day where the key is absent, `None` where it was refused.
pub fn period(layers: &mut Layers, path: KeyPath) -> Option<Period> {
    let text = layers.text(path.clone()).unwrap_or_else(|| "1d".to_owned());
    let read = Period::parse(&text);
    if read.is_none() {
        let problem = format!(
            "`{text}` is not allowed; allowed is a length such as 15m, 24h or 7d, or calendar months such as 1mo, of ten years at most"
        );
        layers.contradiction(path, &problem);
    }
    read
}

/// The methods; `Some(None)` for the usual ones, `None` where one is not known.
fn methods(layers: &mut Layers, path: KeyPath) -> Option<Option<Vec<Method>>> {
    let names = layers.distinct(path.clone());
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
