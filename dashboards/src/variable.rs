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
/// A variable of one table of findings: names differ by table, so that a monitor of drift that is handed over by a link is not
/// looked for among those of latency.
macro_rules! of_findings {
    ($name:literal, $label:literal, $value:literal, $table:literal, $and:expr, $order:literal) => {
        Variable {
            name: $name,
            label: $label,
            choice: Choice::One,
            sql: concat!(
                "SELECT ",
                $value,
                " AS choice FROM windvane.",
                $table,
                " WHERE model IN (${model:singlequote})",
                $and,
                " GROUP BY choice ORDER BY ",
                $order,
                " DESC, choice"
            ),
        }
    };
}

macro_rules! monitor {
    ($name:literal, $label:literal, $table:literal) => {
        of_findings!($name, $label, "monitor", $table, "", "max(window_end)")
    };
}

macro_rules! reference {
    ($name:literal, $label:literal, $table:literal, $monitor:literal) => {
        of_findings!(
            $name,
            $label,
            "trimRight(concat(reference_kind, ' ', reference_name))",
            $table,
            concat!(" AND monitor IN (${", $monitor, ":singlequote})"),
            "max(window_end)"
        )
    };
}

macro_rules! segment {
    ($name:literal, $label:literal, $table:literal, $monitor:literal) => {
        of_findings!(
            $name,
            $label,
            "if(segment_key = '', 'everything', concat(segment_key, '=', segment_value))",
            $table,
            concat!(" AND monitor IN (${", $monitor, ":singlequote})"),
            "(choice = 'everything')"
        )
    };
}

/// Which monitor of drift.
pub const MONITOR: Variable = monitor!("monitor", "Monitor", "drift_findings");
/// Which reference of it.
pub const REFERENCE: Variable = reference!("reference", "Reference", "drift_findings", "monitor");
/// Which segment of the findings of drift: its key and its value, or everything.
pub const SEGMENT: Variable = segment!("segment", "Segment", "drift_findings", "monitor");
/// Which monitor of performance.
pub const PERFORMANCE_MONITOR: Variable = monitor!("performance_monitor", "Monitor", "performance_findings");
/// Which reference of it.
pub const PERFORMANCE_REFERENCE: Variable =
    reference!("performance_reference", "Reference", "performance_findings", "performance_monitor");
/// Which of its segments.
pub const PERFORMANCE_SEGMENT: Variable =
    segment!("performance_segment", "Segment", "performance_findings", "performance_monitor");
/// Which monitor of the quality of data.
pub const QUALITY_MONITOR: Variable = monitor!("quality_monitor", "Monitor of quality", "quality_findings");
/// Which reference of it.
pub const QUALITY_REFERENCE: Variable =
    reference!("quality_reference", "Reference of quality", "quality_findings", "quality_monitor");
/// Which of its segments.
pub const QUALITY_SEGMENT: Variable =
    segment!("quality_segment", "Segment of quality", "quality_findings", "quality_monitor");
/// Which monitor of latency.
pub const LATENCY_MONITOR: Variable = monitor!("latency_monitor", "Monitor of latency", "latency_findings");
/// Which reference of it.
pub const LATENCY_REFERENCE: Variable =
    reference!("latency_reference", "Reference of latency", "latency_findings", "latency_monitor");
/// Which of its groups.
pub const LATENCY_SEGMENT: Variable =
    segment!("latency_segment", "Group of latency", "latency_findings", "latency_monitor");
/// Which monitor of fairness.
pub const FAIRNESS_MONITOR: Variable =
    monitor!("fairness_monitor", "Monitor of fairness", "fairness_findings");
/// Which monitor of attributions.
pub const ATTRIBUTION_MONITOR: Variable =
    monitor!("attribution_monitor", "Monitor of attributions", "attribution_findings");
/// Which reference of it.
pub const ATTRIBUTION_REFERENCE: Variable = reference!(
    "attribution_reference",
    "Reference of attributions",
    "attribution_findings",
    "attribution_monitor"
);
/// Which column of the findings of drift.
pub const COLUMN: Variable = Variable {
    name: "column",
    label: "Column",
    choice: Choice::One,
    sql: "SELECT column_name FROM windvane.drift_findings WHERE model IN (${model:singlequote}) AND monitor IN (${monitor:singlequote}) AND segment_key = '' GROUP BY column_name ORDER BY max(ifNull(abs(effect) / nullIf(threshold, 0), 0)) DESC, column_name",
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
    sql: "SELECT metric FROM windvane.performance_findings WHERE model IN (${model:singlequote}) AND monitor IN (${performance_monitor:singlequote}) GROUP BY metric ORDER BY max(alert) DESC, countIf(realised IS NOT NULL) DESC, metric",
};
/// Which services that call large language models.
pub const SERVICE: Variable = Variable {
    name: "service",
    label: "Service",
    choice: Choice::Several,
    sql: "SELECT service FROM windvane.llm_calls GROUP BY service ORDER BY max(ts) DESC, service",
};
