//! The rules that are there without a configuration: what everybody wants to know. A table of the same name changes parts.

mod findings;
mod service;

use std::time::Duration;

use crate::machine::NoData;
use crate::rule::Side;

/// A rule as it stands here, before the configuration has had its say.
#[derive(Debug, Clone, Copy)]
pub struct Usual {
    /// Its name.
    pub name: &'static str,
    /// What it looks at.
    pub source: &'static str,
    /// What is measured.
    pub measure: &'static str,
    /// When it is wrong, and when it is right again.
    pub condition: (Side, f64, f64),
    /// How long it has to be wrong.
    pub hold: Duration,
    /// How long it has to be right.
    pub keep_firing_for: Duration,
    /// What no data means.
    pub no_data: NoData,
    /// Less evidence is no data.
    pub evidence_min: f64,
    /// How often it is looked at, at most.
    pub every: Duration,
    /// How urgent it is.
    pub severity: &'static str,
    /// What people read: `summary`, `description`, `next`.
    pub annotations: &'static [(&'static str, &'static str)],
}

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);

/// A verdict of another part: 1 is wrong, and nothing has to be waited for.
const VERDICT: Usual = Usual {
    name: "",
    source: "",
    measure: "",
    condition: (Side::Above, 0.5, 0.5),
    hold: Duration::ZERO,
    keep_firing_for: Duration::ZERO,
    no_data: NoData::Keep,
    evidence_min: 0.0,
    every: Duration::ZERO,
    severity: "warning",
    annotations: &[],
};

/// A measurement of this process: it is there or all is well.
const OWN: Usual = Usual { source: "own", no_data: NoData::Ok, severity: "critical", ..VERDICT };

/// All of them, by name.
pub const RULES: &[Usual] = &[
    findings::ATTRIBUTION_DRIFT,
    findings::DATA_QUALITY,
    service::DEAD_LETTERS,
    findings::EXPERIMENT_WORSE,
    findings::FAIRNESS_GAP,
    findings::FEATURE_DRIFT,
    findings::GATE_FAILED,
    findings::INGESTION_STALLED,
    findings::LATENCY_BUDGET_BURNS,
    findings::LATENCY_BUDGET_WANES,
    findings::MODEL_SLOWER,
    findings::MONITOR_FAILING,
    service::NOTIFICATIONS_UNDELIVERED,
    findings::OUTCOMES_MISSING,
    findings::PERFORMANCE_OFF,
    service::RULE_FAILING,
    findings::SAMPLE_RATIO_MISMATCH,
    service::SPOOL_DAMAGED,
    service::SPOOL_FAILED,
    service::SPOOL_LAGGING,
    service::STORE_UNAVAILABLE,
];

#[cfg(test)]
mod tests;
