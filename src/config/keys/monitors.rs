//! Keys of the analyzer and of monitors.

use super::Key;
use crate::config::kind::Kind;

/// The words of `monitors.<NAME>.kind`.
pub const KINDS: &[&str] = &["drift", "latency", "performance", "quality"];

/// The words of `monitors.<NAME>.task`.
pub const TASKS: &[&str] = &["binary", "multiclass", "regression", "ranking"];

/// The words of `monitors.<NAME>.correction`.
pub const CORRECTIONS: &[&str] = &["bh", "by", "holm", "bonferroni"];

const MIB: u64 = 1024 * 1024;
const GIB: u64 = 1024 * MIB;
const DAY_S: u64 = 86_400;

pub const KEYS: &[Key] = &[
    Key {
        path: "analyzer.runs_max",
        kind: Kind::Integer { min: 1, max: 64 },
        default: "1",
        example: "runs_max = 2",
        about: "Windows of monitors that one analyzer runs at the same time. More keeps ClickHouse busier; raise it where windows wait (`windvane_analyzer_lag_seconds`).",
    },
    Key {
        path: "analyzer.lease",
        kind: Kind::Length { min_s: 3, max_s: DAY_S },
        default: "60s",
        example: "lease = \"60s\"",
        about: "How long a window stays with an analyzer that has died before another one takes it up. Renewed while it runs; shorter notices sooner and writes more.",
    },
    Key {
        path: "analyzer.poll",
        kind: Kind::Length { min_s: 1, max_s: 3_600 },
        default: "15s",
        example: "poll = \"15s\"",
        about: "How often an analyzer looks what is due, at least.",
    },
    Key {
        path: "monitors.<NAME>.kind",
        kind: Kind::Choice(KINDS),
        default: "drift",
        example: "kind = \"performance\"",
        about: "What a monitor looks for: whether windows drift from their reference, how fast the model is and whether objectives burn, how right it is by the outcomes that are known, or whether data are what the reference (or a file of expectations) says they should be.",
    },
    Key {
        path: "monitors.<NAME>.model",
        kind: Kind::Text,
        default: "none: it must be given",
        example: "model = \"delay\"",
        about: "The model whose predictions are watched.",
    },
    Key {
        path: "monitors.<NAME>.version",
        kind: Kind::Text,
        default: "all versions",
        example: "version = \"7\"",
        about: "Only predictions of this version.",
    },
    Key {
        path: "monitors.<NAME>.environment",
        kind: Kind::Text,
        default: "all environments",
        example: "environment = \"prod\"",
        about: "Only predictions of this environment.",
    },
    Key {
        path: "monitors.<NAME>.reference",
        kind: Kind::Text,
        default: "none: it must be given, but for kind = \"latency\"",
        example: "reference = \"baseline:spring\"",
        about: "What each window is compared with: `baseline:NAME` (saved with `windvane baseline save`), `window:START/END`, `previous` (the span right before) or `same_hour_last_week`.",
    },
    Key {
        path: "monitors.<NAME>.expectations",
        kind: Kind::Path,
        default: "none: they are learnt from the reference",
        example: "expectations = \"delay.toml\"",
        about: "For kind = \"quality\": a file that `windvane quality learn` wrote, in place of a reference. It is read when the service starts.",
    },
    Key {
        path: "monitors.<NAME>.tolerance",
        kind: Kind::Number { min: 0.0, max: 10.0 },
        default: "0.1",
        example: "tolerance = 0.1",
        about: "For kind = \"quality\": how far shares may move beyond chance, as a share of themselves.",
    },
    Key {
        path: "monitors.<NAME>.clock_ahead",
        kind: Kind::Length { min_s: 0, max_s: DAY_S },
        default: "5m",
        example: "clock_ahead = \"5m\"",
        about: "For kind = \"quality\": by how much an event's time may lie after the time it came in.",
    },
    Key {
        path: "monitors.<NAME>.window",
        kind: Kind::Text,
        default: "1d",
        example: "window = \"24h\"",
        about: "The length of a window: 15m, 24h, 7d, or 1mo for calendar months, in UTC.",
    },
    Key {
        path: "monitors.<NAME>.every",
        kind: Kind::Text,
        default: "the length of the window",
        example: "every = \"1h\"",
        about: "From the end of one window to the end of the next, as for `window`; less than `window` makes windows overlap. Windows end at multiples of it: at midnight UTC for 1d, on Mondays for 1w, on the first for 1mo.",
    },
    Key {
        path: "monitors.<NAME>.delay",
        kind: Kind::Length { min_s: 0, max_s: 30 * DAY_S },
        default: "10m",
        example: "delay = \"10m\"",
        about: "How long a window waits after its end for events that come late. Later ones are not looked at.",
    },
    Key {
        path: "monitors.<NAME>.catch_up",
        kind: Kind::Integer { min: 1, max: 10_000 },
        default: "24",
        example: "catch_up = 24",
        about: "How many of the latest windows are run after a pause or for a new monitor, newest first. Older ones are left to `windvane monitor backfill`.",
    },
    Key {
        path: "monitors.<NAME>.columns",
        kind: Kind::Texts { max: 10_000 },
        default: "all features and the prediction",
        example: "columns = [\"distance\", \"carrier\"]",
        about: "Only these columns. Fewer columns are fewer tests, and smaller changes are found.",
    },
    Key {
        path: "monitors.<NAME>.methods",
        kind: Kind::Texts { max: 24 },
        default: "the usual ones of each kind of column",
        example: "methods = [\"ks\", \"psi\"]",
        about: "Only these methods, by their names in docs/METHODS.md.",
    },
    Key {
        path: "monitors.<NAME>.text",
        kind: Kind::Texts { max: 10_000 },
        default: "none",
        example: "text = [\"comment\"]",
        about: "For kind = \"drift\": columns that hold free text; they are compared as texts (docs/METHODS.md), not as categories. A baseline's rows are read again for it.",
    },
    Key {
        path: "monitors.<NAME>.segment_by",
        kind: Kind::Texts { max: 4 },
        default: "none",
        example: "segment_by = [\"carrier\"]",
        about: "Tags or features; rows that share their values are compared apart too. For kind = \"latency\" each is a cut of its own, and `version`, `environment`, `arm:EXPERIMENT` and `stage` (by spans) may be given too. A window in which no prediction has the tag or arm is one segment, of predictions without it.",
    },
    Key {
        path: "monitors.<NAME>.segments_max",
        kind: Kind::Integer { min: 1, max: 100 },
        default: "20",
        example: "segments_max = 20",
        about: "How many segments are compared, the largest ones.",
    },
    Key {
        path: "monitors.<NAME>.segment_rows_min",
        kind: Kind::Integer { min: 0, max: 1_000_000_000 },
        default: "100",
        example: "segment_rows_min = 100",
        about: "Rows that a segment needs, in the window or in the reference.",
    },
    Key {
        path: "monitors.<NAME>.bins",
        kind: Kind::Integer { min: 2, max: 1_000 },
        default: "10",
        example: "bins = 10",
        about: "Bins of numeric columns, between quantiles of the reference.",
    },
    Key {
        path: "monitors.<NAME>.alpha",
        kind: Kind::Number { min: 1e-9, max: 0.5 },
        default: "0.05; 0.01 for kind = \"quality\"",
        example: "alpha = 0.01",
        about: "The bound on the chance that a run without any change raises anything at all, over all its columns, methods and segments. An hourly monitor at 0.05 may be wrong once a day; at 0.001 once in six weeks.",
    },
    Key {
        path: "monitors.<NAME>.correction",
        kind: Kind::Choice(CORRECTIONS),
        default: "bh",
        example: "correction = \"holm\"",
        about: "How p-values are corrected for their number; each of these keeps to `alpha`.",
    },
    Key {
        path: "monitors.<NAME>.min_rows",
        kind: Kind::Integer { min: 1, max: 1_000_000_000 },
        default: "30",
        example: "min_rows = 30",
        about: "Values that each side needs before a column, or a group of latencies, is judged.",
    },
    Key {
        path: "monitors.<NAME>.quantiles",
        kind: Kind::Texts { max: 16 },
        default: "p50, p90, p95, p99 and p99.9",
        example: "quantiles = [\"p50\", \"p99\", \"p99.9\"]",
        about: "For kind = \"latency\": the quantiles of `latency_us` that are kept, each with its interval.",
    },
    Key {
        path: "monitors.<NAME>.slo",
        kind: Kind::Texts { max: 16 },
        default: "none",
        example: "slo = [\"99.9%:250ms\"]",
        about: "For kind = \"latency\": objectives, the share of requests and the latency they keep to. Each rule looks as far back from the end of the window as it needs, up to three days. docs/LATENCY.md has the rules.",
    },
    Key {
        path: "monitors.<NAME>.task",
        kind: Kind::Choice(TASKS),
        default: "none: kind = \"performance\" needs it",
        example: "task = \"binary\"",
        about: "For kind = \"performance\": what the model predicts.",
    },
    Key {
        path: "monitors.<NAME>.positive",
        kind: Kind::Text,
        default: "plain of 0 and 1, false and true, no and yes",
        example: "positive = \"late\"",
        about: "For kind = \"performance\": the class that a high score means.",
    },
    Key {
        path: "monitors.<NAME>.threshold",
        kind: Kind::Number { min: f64::MIN, max: f64::MAX },
        default: "0.5",
        example: "threshold = 0.5",
        about: "For kind = \"performance\": the score from which on a prediction counts as positive.",
    },
    Key {
        path: "monitors.<NAME>.estimate",
        kind: Kind::Flag,
        default: "false",
        example: "estimate = true",
        about: "For kind = \"performance\": whether metrics are estimated as long as outcomes are not known. Estimates that were wrong raise no alert.",
    },
    Key {
        path: "monitors.<NAME>.concept_drift",
        kind: Kind::Flag,
        default: "false",
        example: "concept_drift = true",
        about: "For kind = \"performance\": whether each window is asked if the relation between features and target has changed, and what that does to the model. It takes 200 predictions with an outcome in the window and 1,200 in the reference.",
    },
    Key {
        path: "monitors.<NAME>.weakest",
        kind: Kind::Integer { min: 0, max: 100 },
        default: "0",
        example: "weakest = 3",
        about: "For kind = \"performance\": how many of the segments are told on which the model is wrong most, found among all features and corrected for looking; 0 to look for none.",
    },
    Key {
        path: "monitors.<NAME>.group",
        kind: Kind::Text,
        default: "unit_id",
        example: "group = \"query\"",
        about: "For task = \"ranking\": the feature or tag that says which items are ranked together.",
    },
    Key {
        path: "monitors.<NAME>.k",
        kind: Kind::Integer { min: 1, max: 10_000 },
        default: "10",
        example: "k = 10",
        about: "For task = \"ranking\": how many items are looked at.",
    },
    Key {
        path: "monitors.<NAME>.quantile",
        kind: Kind::Number { min: 1e-9, max: 0.999_999_999 },
        default: "0.5",
        example: "quantile = 0.9",
        about: "For task = \"regression\": the quantile of the pinball loss.",
    },
    Key {
        path: "monitors.<NAME>.reopen_for",
        kind: Kind::Length { min_s: 0, max_s: 400 * DAY_S },
        default: "30d",
        example: "reopen_for = \"30d\"",
        about: "For kind = \"performance\": how long after its end a window is measured again when outcomes come for it. Windows beyond `catch_up` are not; so `catch_up` has to reach as far back.",
    },
    Key {
        path: "monitors.<NAME>.reopen_every",
        kind: Kind::Length { min_s: 1, max_s: 30 * DAY_S },
        default: "1h",
        example: "reopen_every = \"1h\"",
        about: "For kind = \"performance\": how often it is looked for outcomes that came late. Shorter is fresher and reads more.",
    },
    Key {
        path: "monitors.<NAME>.timeout",
        kind: Kind::Length { min_s: 1, max_s: DAY_S },
        default: "10m",
        example: "timeout = \"10m\"",
        about: "How long one window may take. It fails then, and is tried again with growing pauses, five times in all.",
    },
    Key {
        path: "monitors.<NAME>.memory_bytes_max",
        kind: Kind::Integer { min: 64 * MIB, max: 1024 * GIB },
        default: "1073741824 (1 GiB)",
        example: "memory_bytes_max = 1073741824",
        about: "Bytes that a statement of this monitor may take in ClickHouse.",
    },
    Key {
        path: "monitors.<NAME>.enabled",
        kind: Kind::Flag,
        default: "true",
        example: "enabled = false",
        about: "Whether it runs by itself. `windvane monitor run` runs it all the same.",
    },
];
