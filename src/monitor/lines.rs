//! The windows of a backfill, a line each.

use std::collections::BTreeMap;

use comfy_table::{Table, presets};
use serde::Serialize;
use windvane_analyzer::monitor::{Answer, Job, Outcome};
use windvane_types::drift::{Column, Verdict};
use windvane_types::fairness;
use windvane_types::latency::{Group, Objective};
use windvane_types::span::{self, Span};

use crate::drift::words;
use crate::latency::table::{goal, name};

/// One window of a backfill.
#[derive(Serialize)]
pub(super) struct Line {
    window_start: String,
    window_end: String,
    rows_reference: u64,
    rows_current: u64,
    verdict: String,
    findings: u64,
    /// Columns that drifted, the strongest first.
    drifted: Vec<String>,
    segments: usize,
    /// Segments with columns that drifted, the one with the most of them first.
    segments_drifted: Vec<Within>,
    /// Checks of quality, or gaps between groups, that failed, in their order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    failed: Vec<String>,
    /// Groups that are slower than their reference, the largest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    slower: Vec<String>,
    /// Objectives that burn too fast, and how urgent that is.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    burning: Vec<String>,
}

/// A segment that drifted.
#[derive(Serialize)]
struct Within {
    segment: BTreeMap<String, Option<String>>,
    drifted: Vec<String>,
}

/// Columns that a line names, and segments.
const COLUMNS_NAMED: usize = 4;
const SEGMENTS_NAMED: usize = 2;

impl Line {
    pub(super) fn of(window: Span, outcome: &Outcome) -> Self {
        let drift = match &outcome.answer {
            Some(Answer::Drift(document)) => Some(document),
            _ => None,
        };
        let failed = match &outcome.answer {
            Some(Answer::Quality(document)) => document.failed().map(failed_check).collect(),
            Some(Answer::Fairness(document)) => document.groups.iter().flat_map(failed_gaps).collect(),
            _ => Vec::new(),
        };
        let latency = match &outcome.answer {
            Some(Answer::Latency(document)) => Some(document),
            _ => None,
        };
        let segments = drift.map_or(&[][..], |document| &document.segments);
        let mut segments_drifted: Vec<Within> = segments
            .iter()
            .filter(|segment| segment.verdict == Verdict::Drift)
            .map(|segment| Within { segment: segment.segment.clone(), drifted: drifted(&segment.columns) })
            .collect();
        segments_drifted.sort_by_key(|within| std::cmp::Reverse(within.drifted.len()));
        Self {
            window_start: span::shown(window.start_us),
            window_end: span::shown(window.end_us),
            rows_reference: outcome.rows_reference,
            rows_current: outcome.rows_current,
            verdict: outcome.verdict.clone(),
            findings: outcome.findings,
            drifted: drift.map(|document| drifted(&document.columns)).unwrap_or_default(),
            segments: segments.len(),
            segments_drifted,
            failed,
            slower: latency.map(|document| slower(&document.groups)).unwrap_or_default(),
            burning: latency.map(|document| burning(&document.objectives)).unwrap_or_default(),
        }
    }

    /// All windows of a job as a table.
    pub(super) fn render(lines: &[Self], job: &Job) -> String {
        match job {
            Job::Drift(_) => Self::table(lines),
            Job::Experiment(_) => Self::looks(lines),
            Job::Latency(_) => Self::latencies(lines),
            Job::Attribution(_) | Job::Performance(_) => Self::measured(lines),
            Job::Fairness(_) | Job::Quality(_) => Self::checks(lines),
        }
    }

    /// The windows of a quality or a fairness monitor.
    fn checks(lines: &[Self]) -> String {
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        table.set_header(["window (UTC)", "predictions", "verdict", "failed"]);
        for line in lines {
            table.add_row([
                format!("{} to {}", short(&line.window_start), short(&line.window_end)),
                words::grouped(line.rows_current),
                line.verdict.replace('_', " "),
                named(line.failed.iter().cloned(), COLUMNS_NAMED),
            ]);
        }
        trimmed(&table)
    }

    /// The windows of a latency monitor.
    fn latencies(lines: &[Self]) -> String {
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        table.set_header(["window (UTC)", "latencies", "verdict", "slower", "burning"]);
        for line in lines {
            table.add_row([
                format!("{} to {}", short(&line.window_start), short(&line.window_end)),
                words::grouped(line.rows_current),
                line.verdict.replace('_', " "),
                named(line.slower.iter().cloned(), COLUMNS_NAMED),
                named(line.burning.iter().cloned(), COLUMNS_NAMED),
            ]);
        }
        trimmed(&table)
    }

    /// The windows of a performance or an attribution monitor.
    fn measured(lines: &[Self]) -> String {
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        table.set_header(["window (UTC)", "predictions", "verdict"]);
        for line in lines {
            table.add_row([
                format!("{} to {}", short(&line.window_start), short(&line.window_end)),
                words::grouped(line.rows_current),
                line.verdict.replace('_', " "),
            ]);
        }
        trimmed(&table)
    }

    /// The looks at an experiment.
    fn looks(lines: &[Self]) -> String {
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        table.set_header(["as of (UTC)", "units", "verdict"]);
        for line in lines {
            table.add_row([
                short(&line.window_end).to_owned(),
                words::grouped(line.rows_reference + line.rows_current),
                line.verdict.clone(),
            ]);
        }
        trimmed(&table)
    }

    fn table(lines: &[Self]) -> String {
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        table.set_header(["window (UTC)", "predictions", "drifted", "segments drifted"]);
        for line in lines {
            let whole = match line.verdict.as_str() {
                "insufficient_data" => "too few rows".to_owned(),
                _ if line.drifted.is_empty() => "nothing".to_owned(),
                _ => named(line.drifted.iter().cloned(), COLUMNS_NAMED),
            };
            let within = line.segments_drifted.iter().map(|within| {
                let values = within.segment.values().map(|value| value.as_deref().unwrap_or("missing"));
                format!("{} ({})", values.collect::<Vec<_>>().join(" "), within.drifted.join(", "))
            });
            table.add_row([
                format!("{} to {}", short(&line.window_start), short(&line.window_end)),
                words::grouped(line.rows_current),
                whole,
                match line.segments {
                    0 => String::new(),
                    0.. if line.segments_drifted.is_empty() => format!("0 of {}", line.segments),
                    all => {
                        let count = line.segments_drifted.len();
                        format!("{count} of {all}: {}", named(within, SEGMENTS_NAMED))
                    }
                },
            ]);
        }
        trimmed(&table)
    }
}

/// A check that failed: `missing_rate of salary`.
fn failed_check(check: &windvane_types::quality::Check) -> String {
    match &check.column {
        Some(column) => format!("{} of {column}", check.check.as_str()),
        None => check.check.as_str().to_owned(),
    }
}

/// The gaps of a group that failed: `equal_opportunity of region=west`.
fn failed_gaps(group: &fairness::Group) -> Vec<String> {
    let failed = group.gaps.iter().filter(|gap| gap.verdict == fairness::Verdict::Fail);
    failed.map(|gap| format!("{} of {}", gap.metric, words::segment(&group.group))).collect()
}

/// The groups that are slower.
fn slower(groups: &[Group]) -> Vec<String> {
    groups.iter().filter(|group| group.is_slower()).map(name).collect()
}

/// The objectives that burn, each with its urgency: `99.9 % within 250 ms (page)`.
fn burning(objectives: &[Objective]) -> Vec<String> {
    let burning = objectives.iter().filter(|objective| objective.burns());
    burning.map(|objective| format!("{} ({})", goal(objective), objective.verdict)).collect()
}

/// A table without spaces at the ends of its lines.
fn trimmed(table: &Table) -> String {
    let lines: Vec<String> = table.to_string().lines().map(|line| line.trim_end().to_owned()).collect();
    format!("{}\n", lines.join("\n"))
}

/// The columns that drifted, the strongest first, with their direction.
fn drifted(columns: &[Column]) -> Vec<String> {
    let sorted = words::by_strength(columns).into_iter();
    sorted
        .filter(|column| column.verdict == Verdict::Drift)
        .map(|column| format!("{}{}", column.column, words::verdict(column).trim_start_matches("drift")))
        .collect()
}

/// The first few names, and how many more there are.
fn named(names: impl ExactSizeIterator<Item = String>, most: usize) -> String {
    let more = names.len().saturating_sub(most);
    let named = names.take(most).collect::<Vec<_>>().join(", ");
    if more > 0 { format!("{named} and {more} more") } else { named }
}

/// A midnight as its day.
fn short(time: &str) -> &str {
    time.strip_suffix("T00:00:00Z").unwrap_or(time)
}
