//! A variable of a dashboard: a list that a person chooses from, asked of the tables.

/// A variable.
#[derive(Debug, Clone, Copy)]
pub struct Variable {
    /// Its name in statements.
    pub name: &'static str,
    /// For a person.
    pub label: &'static str,
    /// How much may be chosen.
    pub choice: Choice,
    /// One column: the values. Other variables may be in it.
    pub sql: &'static str,
}

/// How much may be chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// One value.
    One,
    /// Several, or all.
    Several,
}

/// Which model.
pub const MODEL: Variable = Variable {
    name: "model",
    label: "Model",
    choice: Choice::One,
    sql: "SELECT model FROM windvane.predictions GROUP BY model ORDER BY max(ts) DESC, model",
};
/// Which versions of it.
pub const VERSION: Variable = Variable {
    name: "version",
    label: "Version",
    choice: Choice::Several,
    sql: "SELECT version FROM windvane.predictions WHERE model IN (${model:singlequote}) GROUP BY version ORDER BY max(ts) DESC, version",
};
/// Which environments.
pub const ENVIRONMENT: Variable = Variable {
    name: "environment",
    label: "Environment",
    choice: Choice::Several,
    sql: "SELECT environment FROM windvane.predictions WHERE model IN (${model:singlequote}) GROUP BY environment ORDER BY environment",
};
/// Which monitor.
pub const MONITOR: Variable = Variable {
    name: "monitor",
    label: "Monitor",
    choice: Choice::One,
    sql: "SELECT monitor FROM windvane.drift_findings WHERE model IN (${model:singlequote}) GROUP BY monitor ORDER BY max(window_end) DESC, monitor",
};
/// Which column of the findings of drift.
pub const COLUMN: Variable = Variable {
    name: "column",
    label: "Column",
    choice: Choice::One,
    sql: "SELECT column_name FROM windvane.drift_findings WHERE model IN (${model:singlequote}) AND monitor IN (${monitor:singlequote}) AND segment_key = '' GROUP BY column_name ORDER BY max(ifNull(abs(effect) / nullIf(threshold, 0), 0)) DESC, column_name",
};
/// Which segment of the findings of drift; the whole population is empty.
pub const SEGMENT: Variable = Variable {
    name: "segment",
    label: "Segment",
    choice: Choice::One,
    sql: "SELECT segment_value FROM windvane.drift_findings WHERE model IN (${model:singlequote}) AND monitor IN (${monitor:singlequote}) GROUP BY segment_value ORDER BY segment_value = '' DESC, segment_value",
};
/// Which experiment.
pub const EXPERIMENT: Variable = Variable {
    name: "experiment",
    label: "Experiment",
    choice: Choice::One,
    sql: "SELECT experiment FROM windvane.experiment_findings GROUP BY experiment ORDER BY max(as_of) DESC, experiment",
};
/// Which gate.
pub const GATE: Variable = Variable {
    name: "gate",
    label: "Gate",
    choice: Choice::One,
    sql: "SELECT gate FROM windvane.gate_findings GROUP BY gate ORDER BY max(computed_at) DESC, gate",
};
/// Which metric of performance.
pub const METRIC: Variable = Variable {
    name: "metric",
    label: "Metric",
    choice: Choice::One,
    sql: "SELECT metric FROM windvane.performance_findings WHERE model IN (${model:singlequote}) GROUP BY metric ORDER BY max(alert) DESC, countIf(realised IS NOT NULL) DESC, metric",
};
/// Which services that call large language models.
pub const SERVICE: Variable = Variable {
    name: "service",
    label: "Service",
    choice: Choice::Several,
    sql: "SELECT service FROM windvane.llm_calls GROUP BY service ORDER BY max(ts) DESC, service",
};
