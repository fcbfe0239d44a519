//! Keys of experiments.

use super::Key;
use crate::config::kind::Kind;

/// The words of `experiments.<NAME>.correction`.
const CORRECTIONS: &[&str] = &["holm", "bh", "by", "bonferroni", "none"];

const DAY_S: u64 = 86_400;

pub const KEYS: &[Key] = &[
    Key {
        path: "experiments.<NAME>.control",
        kind: Kind::Text,
        default: "none: it must be given",
        example: "control = \"A\"",
        about: "The arm that the others are compared with.",
    },
    Key {
        path: "experiments.<NAME>.exposures",
        kind: Kind::Choice(&["exposures", "predictions"]),
        default: "exposures",
        example: "exposures = \"predictions\"",
        about: "Where it is recorded which unit saw which arm: in the table `exposures`, or in `arms` of predictions with a unit.",
    },
    Key {
        path: "experiments.<NAME>.start",
        kind: Kind::Text,
        default: "none: all exposures",
        example: "start = \"2013-01-01T00:00:00Z\"",
        about: "Exposures from this time on count, UTC.",
    },
    Key {
        path: "experiments.<NAME>.window",
        kind: Kind::Length { min_s: 60, max_s: 400 * DAY_S },
        default: "14d",
        example: "window = \"7d\"",
        about: "How long after a unit's first exposure its records count. Long enough for what you want to see, and the same for all units.",
    },
    Key {
        path: "experiments.<NAME>.alpha",
        kind: Kind::Number { min: 0.0001, max: 0.5 },
        default: "0.05",
        example: "alpha = 0.05",
        about: "The accepted chance of a false verdict.",
    },
    Key {
        path: "experiments.<NAME>.correction",
        kind: Kind::Choice(CORRECTIONS),
        default: "holm",
        example: "correction = \"bh\"",
        about: "How p-values are corrected over metrics and arms.",
    },
    Key {
        path: "experiments.<NAME>.sequential_tuning",
        kind: Kind::Number { min: 10.0, max: 1e12 },
        default: "5000",
        example: "sequential_tuning = 20000",
        about: "The units of both arms at which the always-valid interval is narrowest: those that you plan for.",
    },
    Key {
        path: "experiments.<NAME>.arms.<ARM>",
        kind: Kind::Number { min: 0.0, max: 1e6 },
        default: "equal shares",
        example: "A = 0.5",
        about: "The share of units that this arm should get; 0 for one that is switched off. Give it for all arms or for none.",
    },
    Key {
        path: "experiments.<NAME>.metrics.<METRIC>.type",
        kind: Kind::Choice(&["mean", "proportion", "ratio", "quantile"]),
        default: "mean",
        example: "type = \"ratio\"",
        about: "How the records of units become a number: the mean of their sums, the share with 1, a sum over a sum, a quantile of the records.",
    },
    Key {
        path: "experiments.<NAME>.metrics.<METRIC>.source",
        kind: Kind::Choice(&["measurements", "predictions", "outcomes"]),
        default: "measurements",
        example: "source = \"predictions\"",
        about: "Where the records are.",
    },
    Key {
        path: "experiments.<NAME>.metrics.<METRIC>.model",
        kind: Kind::Text,
        default: "none: it must be given for predictions and outcomes",
        example: "model = \"delay\"",
        about: "The model whose predictions or outcomes are meant.",
    },
    Key {
        path: "experiments.<NAME>.metrics.<METRIC>.column",
        kind: Kind::Text,
        default: "the metric's name",
        example: "column = \"latency_us\"",
        about: "Which number: a metric of measurements; score, value, latency_us, errors, num.FEATURE or label=CLASS of predictions; value or label=CLASS of outcomes; `rows` counts records.",
    },
    Key {
        path: "experiments.<NAME>.metrics.<METRIC>.denominator",
        kind: Kind::Text,
        default: "rows",
        example: "denominator = \"rows\"",
        about: "The column below the line of a ratio, of the same source.",
    },
    Key {
        path: "experiments.<NAME>.metrics.<METRIC>.quantile",
        kind: Kind::Number { min: 0.0001, max: 0.9999 },
        default: "0.99",
        example: "quantile = 0.99",
        about: "The level of a quantile.",
    },
    Key {
        path: "experiments.<NAME>.metrics.<METRIC>.better",
        kind: Kind::Choice(&["higher", "lower"]),
        default: "higher",
        example: "better = \"lower\"",
        about: "Which way is better.",
    },
    Key {
        path: "experiments.<NAME>.metrics.<METRIC>.role",
        kind: Kind::Choice(&["primary", "secondary", "guardrail"]),
        default: "primary",
        example: "role = \"guardrail\"",
        about: "What the metric is for; it is told with the result.",
    },
    Key {
        path: "experiments.<NAME>.metrics.<METRIC>.margin",
        kind: Kind::Number { min: 0.000_001, max: 100.0 },
        default: "none: equivalence is never said",
        example: "margin = 0.01",
        about: "Differences within this share of the control's value do not matter.",
    },
    Key {
        path: "experiments.<NAME>.metrics.<METRIC>.cap",
        kind: Kind::Text,
        default: "none",
        example: "cap = \"p99.9\"",
        about: "Values of units above this count as this: a number, or a percentile of the units of all arms. For means.",
    },
];
