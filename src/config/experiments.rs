//! `[experiments.<NAME>]`: which units, which arms, which metrics.

use std::time::Duration;

use windvane_analyzer::experiment::{
    FamilyCorrection, Limits, LookedAt, Measured, Metric, PRIMARY_SHARE, Rule, SequenceMethod, StoredChecks,
    StoredExperiment, StoredMetric, TUNING,
    inference::{self, Belief, Earlier, Inference, Looks, Progress, Rope},
};
use windvane_analyzer::monitor::{ExperimentMonitor, Schedule, jitter_us};
use windvane_stats::{
    correction::Correction,
    experiment::{effect::Alternative, group_sequential::Spending},
};
use windvane_store::experiment::{Exposed, ExposedBy, RecordTable};
use windvane_types::experiment::{Better, Role};
use windvane_types::span;

use super::layers::Layers;
use super::monitors::period;
use super::path::KeyPath;

/// An experiment's definition.
#[derive(Debug, Clone)]
pub struct Experiment {
    /// Its name, as in exposures.
    pub name: String,
    /// Where exposures are recorded.
    pub exposed_by: ExposedBy,
    /// Exposures from this time on, microseconds since 1970 UTC.
    pub start_us: Option<i64>,
    /// How long after a unit's first exposure its records count.
    pub window: Duration,
    /// Means, proportions and ratios are adjusted by the unit's own value this long before its first exposure.
    pub covariate_window: Option<Duration>,
    /// Its metrics by name.
    pub metrics: Vec<StoredMetric>,
    /// What units are cut into segments by.
    pub segment_by: Vec<String>,
    /// The least units of a segment.
    pub segment_units_min: u64,
    /// Within what means and proportions are compared.
    pub stratify: Option<String>,
    /// Which checks are made that take another scan of the records.
    pub checks: StoredChecks,
    /// How answers become verdicts.
    pub rule: Rule,
    /// When it is looked at.
    pub schedule: Schedule,
    /// Whether it is looked at without being asked.
    pub scheduled: bool,
    /// How long one scheduled look may take.
    pub timeout: Duration,
    /// Bytes that a statement of a scheduled look may take in ClickHouse.
    pub memory_bytes_max: u64,
}

impl Experiment {
    /// The experiment as of a time, microseconds since 1970 UTC.
    pub fn as_of(&self, us: i64) -> StoredExperiment {
        StoredExperiment {
            exposed: Exposed {
                experiment: self.name.clone(),
                by: self.exposed_by,
                start_us: self.start_us,
                end_us: us,
                window_us: i64::try_from(self.window.as_micros()).unwrap_or(i64::MAX),
                segment_by: self.segment_by.clone(),
            },
            metrics: self.metrics.clone(),
            covariate_us: self
                .covariate_window
                .map(|window| i64::try_from(window.as_micros()).unwrap_or(i64::MAX)),
            segment_units_min: self.segment_units_min,
            stratify: self.stratify.clone(),
            checks: self.checks,
            rule: self.rule.clone(),
        }
    }

    /// The job that looks at it by schedule.
    pub fn monitor(&self) -> ExperimentMonitor {
        ExperimentMonitor {
            experiment: self.as_of(0),
            schedule: self.schedule,
            timeout: self.timeout,
            memory_bytes_max: self.memory_bytes_max,
            enabled: self.scheduled,
        }
    }
}

/// Reads every `[experiments.<NAME>]`, by name; faults are left in the layers.
pub fn experiments(layers: &mut Layers) -> Vec<Experiment> {
    let found: Vec<Experiment> =
        layers.names("experiments").into_iter().filter_map(|name| experiment(layers, name)).collect();
    for experiment in &found {
        if let Some(refused) = experiment.as_of(0).strata_refused() {
            let key = KeyPath::from("experiments").join(&experiment.name).join("stratify");
            layers.contradiction(key, refused);
        }
    }
    found
}

fn experiment(layers: &mut Layers, name: String) -> Option<Experiment> {
    let table = KeyPath::from("experiments").join(&name);
    let control = layers.required_text(&table, "control");
    let arms = table.join("arms");
    let weights: Vec<(String, f64)> = layers
        .names(arms.clone())
        .into_iter()
        .map(|arm| (arm.clone(), layers.number(arms.join(&arm), 0.0)))
        .collect();
    if let Some(control) = control.as_ref().filter(|_| !weights.is_empty()) {
        if weights.iter().all(|(arm, _)| arm != control) {
            layers.contradiction(arms.clone(), &format!("has no share for the control `{control}`"));
        }
        if weights.iter().all(|(_, share)| *share == 0.0) {
            layers.contradiction(arms, "all shares are 0");
        }
    }
    let start_us = start_us(layers, &table);
    let below = table.join("metrics");
    let names = layers.names(below.clone());
    if names.is_empty() {
        layers.contradiction(table.clone(), "has no metrics; add a table [experiments.NAME.metrics.METRIC]");
    }
    let metrics = names.into_iter().filter_map(|name| metric(layers, &below.join(&name), &name)).collect();
    let exposed_by = match layers.text(table.join("exposures")).as_deref() {
        Some("predictions") => ExposedBy::Predictions,
        _ => ExposedBy::Exposures,
    };
    let scheduled = layers.has(table.join("every"));
    let every = period(layers, table.join("every"))?;
    let delay = layers.length(table.join("delay"), Duration::from_secs(600));
    let catch_up = layers.integer(table.join("catch_up"), 24);
    Some(Experiment {
        exposed_by,
        start_us,
        window: layers.length(table.join("window"), Duration::from_secs(14 * 86_400)),
        covariate_window: layers
            .has(table.join("covariate_window"))
            .then(|| layers.length(table.join("covariate_window"), Duration::from_secs(14 * 86_400))),
        metrics,
        segment_by: layers.distinct(table.join("segment_by")),
        stratify: layers.text(table.join("stratify")),
        segment_units_min: layers.integer(table.join("segment_units_min"), 100),
        checks: checks(layers, &table),
        rule: Rule {
            alpha: layers.number(table.join("alpha"), 0.05),
            tuning: layers.number(table.join("sequential_tuning"), TUNING),
            sequence: sequence(layers, &table),
            weights,
            correction: correction(layers, &table),
            advice: layers.flag(table.join("advice"), false),
            looked_at: if scheduled { LookedAt::Scheduled } else { LookedAt::Asked },
            ..inferred(layers, &table, Rule::against(&control?))
        },
        schedule: Schedule {
            window: every,
            every,
            delay_us: i64::try_from(delay.as_micros()).unwrap_or(i64::MAX),
            jitter_us: jitter_us(&name, every),
            catch_up: u32::try_from(catch_up).unwrap_or(u32::MAX),
        },
        scheduled,
        timeout: layers.length(table.join("timeout"), Duration::from_secs(600)),
        memory_bytes_max: layers.integer(table.join("memory_bytes_max"), 1 << 30),
        name,
    })
}

fn checks(layers: &mut Layers, table: &KeyPath) -> StoredChecks {
    let timing = layers.flag(table.join("timing"), false);
    if layers.has(table.join("late_after")) && !timing {
        layers.contradiction(table.join("late_after"), "goes with timing = true only");
    }
    let late_after = layers.length(table.join("late_after"), Duration::from_secs(86_400));
    StoredChecks {
        novelty: layers.flag(table.join("novelty"), false),
        outliers: layers.flag(table.join("outliers"), false),
        late_after_us: timing.then(|| i64::try_from(late_after.as_micros()).unwrap_or(i64::MAX)),
    }
}

fn start_us(layers: &mut Layers, table: &KeyPath) -> Option<i64> {
    let text = layers.text(table.join("start"))?;
    let time = span::instant(&text);
    if time.is_none() {
        let problem = format!("`{text}` is no time; give one such as 2013-01-01 or 2013-01-01T05:00:00Z");
        layers.contradiction(table.join("start"), &problem);
    }
    time
}

/// By what the interval that holds at every look is made.
fn sequence(layers: &mut Layers, table: &KeyPath) -> SequenceMethod {
    let key = table.join("sequential_method");
    let Some(text) = layers.text(key.clone()) else { return SequenceMethod::default() };
    let method = SequenceMethod::parse(&text).map_err(|problem| layers.contradiction(key, &problem));
    method.unwrap_or_default()
}

fn correction(layers: &Layers, table: &KeyPath) -> FamilyCorrection {
    FamilyCorrection::Alike(match layers.text(table.join("correction")).as_deref() {
        Some("bh") => Correction::Bh,
        Some("by") => Correction::By,
        Some("bonferroni") => Correction::Bonferroni,
        Some("none") => Correction::None,
        Some("preferential_bonferroni") => {
            let primary_share = layers.number(table.join("primary_share"), PRIMARY_SHARE);
            return FamilyCorrection::Preferential { primary_share };
        }
        _ => Correction::Holm,
    })
}

/// Keys that only one way of inference has, and levels that one side does not.
fn contradictions(layers: &mut Layers, table: &KeyPath) {
    let chosen = layers.text(table.join("inference")).unwrap_or_else(|| "fixed".to_owned());
    for (key, inference) in [
        ("looks", "group_sequential"),
        ("planned_units", "group_sequential"),
        ("spending", "group_sequential"),
        ("loss_max", "bayesian"),
    ] {
        if layers.has(table.join(key)) && chosen != inference {
            layers.contradiction(table.join(key), &format!("goes with inference = \"{inference}\" only"));
        }
    }
    let one_sided = layers.text(table.join("alternative")).is_some_and(|side| side != "two_sided");
    if one_sided && layers.number(table.join("alpha"), 0.05) >= 0.5 {
        layers.contradiction(table.join("alpha"), "is out of range with one side: below 0.5");
    }
    let preferential = layers.text(table.join("correction")).as_deref() == Some("preferential_bonferroni");
    if layers.has(table.join("primary_share")) && !preferential {
        let problem = "goes with correction = \"preferential_bonferroni\" only";
        layers.contradiction(table.join("primary_share"), problem);
    }
}

/// The rule with the way of inference that the table names.
fn inferred(layers: &mut Layers, table: &KeyPath, rule: Rule) -> Rule {
    contradictions(layers, table);
    let parsed = |key: &'static str| Some((layers.text(table.join(key))?, key));
    let texts = [parsed("spending"), parsed("prior"), parsed("rope")];
    let [spending, belief, rope] = texts;
    let mut refused = |(problem, key): (String, &'static str)| {
        layers.contradiction(table.join(key), &problem);
    };
    let spending = spending
        .and_then(|(text, key)| inference::spending(&text).map_err(|problem| refused((problem, key))).ok());
    let belief = belief
        .and_then(|(text, key)| Belief::parse(&text).map_err(|problem| refused((problem, key))).ok())
        .unwrap_or_default();
    let rope =
        rope.and_then(|(text, key)| Rope::parse(&text).map_err(|problem| refused((problem, key))).ok());
    let planned = layers.integer(table.join("planned_units"), 0);
    let looks = u32::try_from(layers.integer(table.join("looks"), 1)).unwrap_or(1);
    let inference = match layers.text(table.join("inference")).as_deref() {
        Some("sequential") => Inference::Sequential,
        Some("group_sequential") if planned == 0 => {
            layers.contradiction(table.join("inference"), "group_sequential needs `planned_units`");
            Inference::Fixed
        }
        Some("group_sequential") => Inference::GroupSequential(Looks {
            spending: spending.unwrap_or(Spending::ObrienFleming),
            now: Progress::OfUnits(planned as f64),
            before: Earlier::Every(looks),
        }),
        Some("bayesian") => {
            let loss_max = layers.number(table.join("loss_max"), 0.0);
            Inference::Bayesian { loss_max: (loss_max > 0.0).then_some(loss_max) }
        }
        _ => Inference::Fixed,
    };
    let alternative = match layers.text(table.join("alternative")).as_deref() {
        Some("greater") => Alternative::Greater,
        Some("less") => Alternative::Less,
        _ => Alternative::TwoSided,
    };
    Rule { inference, alternative, belief, rope, ..rule }
}

/// Keys that only some types and sources of a metric have. Where they are left unread, a `quantile` without a type is a mean.
fn metric_contradictions(layers: &mut Layers, table: &KeyPath) {
    let kind = layers.text(table.join("type")).unwrap_or_else(|| "mean".to_owned());
    for (key, of_kind) in
        [("quantile", "quantile"), ("denominator", "ratio"), ("cap", "mean"), ("floor", "mean")]
    {
        if layers.has(table.join(key)) && kind != of_kind {
            layers.contradiction(table.join(key), &format!("goes with type = \"{of_kind}\" only"));
        }
    }
    let of_model = layers.text(table.join("source")).is_some_and(|source| source != "measurements");
    if layers.has(table.join("model")) && !of_model {
        let problem = "goes with source = \"predictions\" or source = \"outcomes\" only";
        layers.contradiction(table.join("model"), problem);
    }
}

fn metric(layers: &mut Layers, table: &KeyPath, name: &str) -> Option<StoredMetric> {
    metric_contradictions(layers, table);
    let kind = layers.text(table.join("type"));
    let measured = match kind.as_deref() {
        Some("proportion") => Measured::Proportion,
        Some("ratio") => Measured::Ratio {
            denominator: layers.text(table.join("denominator")).unwrap_or_else(|| "rows".to_owned()),
        },
        Some("quantile") => Measured::Quantile { q: layers.number(table.join("quantile"), 0.99) },
        _ => Measured::Mean,
    };
    let source = layers.text(table.join("source"));
    let records = match source.as_deref() {
        Some("predictions") => RecordTable::Predictions { model: layers.required_text(table, "model")? },
        Some("outcomes") => RecordTable::Outcomes { model: layers.required_text(table, "model")? },
        _ => RecordTable::Measurements,
    };
    let limits = limits(layers, table, &measured);
    let margin = layers.number(table.join("margin"), 0.0);
    let metric = StoredMetric {
        metric: Metric {
            better: match layers.text(table.join("better")).as_deref() {
                Some("lower") => Better::Lower,
                _ => Better::Higher,
            },
            role: match layers.text(table.join("role")).as_deref() {
                Some("secondary") => Role::Secondary,
                Some("guardrail") => Role::Guardrail,
                _ => Role::Primary,
            },
            margin: (margin > 0.0).then_some(margin),
            cap: limits.cap,
            floor: limits.floor,
            ..Metric::new(name, measured)
        },
        table: records,
        column: layers.text(table.join("column")).unwrap_or_else(|| name.to_owned()),
    };
    if let Some(column) = metric.unknown_column().map(str::to_owned) {
        let problem = format!(
            "`{column}` is no column of its source; predictions have score, value, latency_us, errors, rows, num.FEATURE and label=CLASS, outcomes have value, rows and label=CLASS"
        );
        layers.contradiction(table.join("column"), &problem);
        return None;
    }
    Some(metric)
}

/// Where values are cut; those of other metrics than means are not.
fn limits(layers: &mut Layers, table: &KeyPath, measured: &Measured) -> Limits {
    let [cap, floor] = ["cap", "floor"].map(|key| layers.text(table.join(key)));
    let parsed = Limits::parse(cap.as_deref(), floor.as_deref());
    let limits = parsed.map_err(|problem| {
        let key = if Limits::parse(cap.as_deref(), None).is_err() { "cap" } else { "floor" };
        layers.contradiction(table.join(key), &problem);
    });
    limits.ok().filter(|_| *measured == Measured::Mean).unwrap_or_default()
}
