//! Drift of a model: its series of comparisons, the map of columns and windows, and the columns that drifted most.

use maud::{Markup, html};
use serde::Deserialize;
use windvane_store::views::Asked;
use windvane_types::drift::missing_moved;
use windvane_types::span;

use crate::address;
use crate::chart::heatmap::{Cell, Row, heatmap, times};
use crate::numbers::{counted, ends, number, optional, p_value, percent, short, thousands};

/// Columns that the map draws: those that drifted most.
const COLUMNS_MAX: usize = 60;
/// Columns that the table lists.
const LISTED_MAX: usize = 100;

/// The windows of one monitor against one kind of reference.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct DriftSeries {
    pub monitor: String,
    pub granularity: String,
    pub version: String,
    pub environment: String,
    pub reference_kind: String,
    pub reference_name: String,
    pub windows: u64,
}

/// A column in a window.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct DriftRow {
    pub start_us: i64,
    pub end_us: i64,
    pub column: String,
    pub verdict: String,
    pub direction: String,
    pub method: String,
    pub effect: Option<f64>,
    pub strength: f64,
    pub p_adjusted: Option<f64>,
    pub n_reference: u64,
    pub n_current: u64,
    pub missing_reference: u64,
    pub missing_current: u64,
    pub mean_reference: Option<f64>,
    pub mean_current: Option<f64>,
}

impl DriftSeries {
    /// What tells it from the others of its model, in addresses.
    pub fn key(&self) -> String {
        [
            &self.monitor,
            &self.granularity,
            &self.version,
            &self.environment,
            &self.reference_kind,
            &self.reference_name,
        ]
        .map(|part| part.replace('~', "~~").replace('|', "~p"))
        .join("|")
    }

    /// For a person.
    pub fn name(&self) -> String {
        let who =
            if self.monitor.is_empty() { "by hand".to_owned() } else { format!("monitor {}", self.monitor) };
        let deployment: Vec<&str> = [self.version.as_str(), self.environment.as_str()]
            .into_iter()
            .filter(|part| !part.is_empty())
            .collect();
        let deployment =
            if deployment.is_empty() { String::new() } else { format!(", {}", deployment.join(" ")) };
        format!(
            "{who}{deployment}, against {} ({})",
            self.reference(),
            counted(self.windows, "window", "windows")
        )
    }

    fn reference(&self) -> String {
        reference(&self.reference_kind, &self.reference_name)
    }

    /// What the map shows, in words.
    pub fn sentence(&self) -> String {
        let who = if self.monitor.is_empty() {
            "Runs by hand".to_owned()
        } else {
            format!("Monitor {}", self.monitor)
        };
        format!(
            "{who}: each window against {}. The colour tells how many times the effect passes the floor of its method; only what is significant after correction counts as drift.",
            self.reference()
        )
    }

    /// As parameters of the views of drift.
    pub fn asked(&self, model: &str) -> Asked {
        Asked::from([
            ("model", model.to_owned()),
            ("monitor", self.monitor.clone()),
            ("granularity", self.granularity.clone()),
            ("version", self.version.clone()),
            ("environment", self.environment.clone()),
            ("reference_kind", self.reference_kind.clone()),
            ("reference_name", self.reference_name.clone()),
        ])
    }
}

impl DriftRow {
    pub fn drifted(&self) -> bool {
        self.verdict == "drift"
    }

    /// `mean 40 → 80`, `missing 1 % → 9 %`.
    pub fn change(&self) -> String {
        let mut parts = Vec::new();
        if let (Some(before), Some(now)) = (self.mean_reference, self.mean_current) {
            parts.push(format!("mean {} → {}", number(before), number(now)));
        }
        let reference = (self.missing_reference, self.n_reference);
        if let Some((before, now)) = missing_moved(reference, (self.missing_current, self.n_current)) {
            parts.push(format!("missing {} → {}", percent(before), percent(now)));
        }
        parts.join(", ")
    }

    /// Which way, as an arrow with a space before it.
    pub fn arrow(&self) -> &'static str {
        arrow(&self.direction)
    }

    fn said(&self) -> String {
        let [start, end] = ends(&span::shown(self.start_us), &span::shown(self.end_us));
        let window = format!("{start} UTC – {end} UTC");
        let verdict = self.verdict.replace('_', " ");
        let p = self.p_adjusted.map_or(String::new(), |p| format!(", {} after correction", p_value(Some(p))));
        format!(
            "{}, {window}: {verdict}{}. {} {}{p}. {}",
            self.column,
            self.arrow(),
            self.method,
            times(self.strength),
            self.change()
        )
    }
}

/// A direction as an arrow with a space before it.
pub fn arrow(direction: &str) -> &'static str {
    match direction {
        "up" => " ↑",
        "down" => " ↓",
        "mixed" => " ↕",
        _ => "",
    }
}

/// A direction as a table tells it: categories have none.
pub fn direction(direction: &str) -> &str {
    match direction {
        "none" => "–",
        direction => direction,
    }
}

/// What windows are compared with, in words.
pub fn reference(kind: &str, name: &str) -> String {
    match kind {
        "baseline" => format!("baseline {name}"),
        "previous" => "the span before".to_owned(),
        "same_hour_last_week" => "the same hour a week before".to_owned(),
        "window" => "a fixed span".to_owned(),
        "expectations" => "a file of expectations".to_owned(),
        other => other.to_owned(),
    }
}

/// The windows of some rows, from the oldest.
pub fn windows(rows: &[DriftRow]) -> Vec<(i64, i64)> {
    let mut windows: Vec<(i64, i64)> = rows.iter().map(|row| (row.start_us, row.end_us)).collect();
    windows.sort_unstable();
    windows.dedup();
    windows
}

/// The columns of some rows, those first that drifted in most windows and then furthest.
fn columns(rows: &[DriftRow]) -> Vec<&str> {
    let mut columns: Vec<(&str, usize, f64)> = Vec::new();
    for row in rows {
        let drifted = usize::from(row.drifted());
        match columns.iter_mut().find(|(column, ..)| *column == row.column) {
            Some((_, windows, strength)) => {
                *windows += drifted;
                *strength = strength.max(row.strength);
            }
            None => columns.push((&row.column, drifted, row.strength)),
        }
    }
    columns.sort_by(|a, b| b.1.cmp(&a.1).then(b.2.total_cmp(&a.2)).then(a.0.cmp(b.0)));
    columns.into_iter().map(|(column, ..)| column).collect()
}

/// The map.
pub fn map(model: &str, series: &DriftSeries, rows: &[DriftRow]) -> Markup {
    let windows = windows(rows);
    let columns = columns(rows);
    let suffix = address::query([("series", series.key().as_str())]);
    let drawn: Vec<Row> = columns
        .iter()
        .take(COLUMNS_MAX)
        .map(|column| Row {
            name: (*column).to_owned(),
            href: format!("{}{suffix}", address::feature(model, column)),
            cells: windows.iter().map(|window| cell(rows, column, *window)).collect(),
        })
        .collect();
    html! {
        (heatmap(&drawn, &windows))
        @if columns.len() > drawn.len() { p.quiet { "The map shows the " (drawn.len()) " columns that drifted most, of " (thousands(columns.len() as u64)) "." } }
    }
}

fn cell(rows: &[DriftRow], column: &str, window: (i64, i64)) -> Option<Cell> {
    let row = rows.iter().find(|row| row.column == column && (row.start_us, row.end_us) == window)?;
    Some(Cell {
        verdict: row.verdict.clone(),
        direction: row.direction.clone(),
        strength: row.strength,
        said: row.said(),
    })
}

/// The newest window's columns as a table, the furthest first.
pub fn top(model: &str, series: &DriftSeries, rows: &[DriftRow]) -> Markup {
    let Some(newest) = windows(rows).last().copied() else { return html! {} };
    let mut sorted: Vec<&DriftRow> = rows.iter().filter(|row| (row.start_us, row.end_us) == newest).collect();
    sorted.sort_by(|a, b| {
        b.drifted().cmp(&a.drifted()).then(b.strength.total_cmp(&a.strength)).then(a.column.cmp(&b.column))
    });
    let drifted = sorted.iter().filter(|row| row.drifted()).count();
    let suffix = address::query([("series", series.key().as_str())]);
    html! {
        h3 { "The newest window, until " time datetime=(span::shown(newest.1)) { (short(&span::shown(newest.1))) } ": " (drifted) " of " (thousands(sorted.len() as u64)) " columns drifted" }
        div.scroll tabindex="0" role="group" aria-label="Columns of the newest window" {
            table {
                thead {
                    tr {
                        th scope="col" { "column" } th scope="col" { "verdict" } th scope="col" { "what changed" }
                        th scope="col" { "method" } th.number scope="col" { "effect" } th.number scope="col" { "times its floor" } th.number scope="col" { "p, corrected" }
                    }
                }
                tbody {
                    @for row in sorted.iter().take(LISTED_MAX) {
                        tr {
                            th.name scope="row" { a href=(format!("{}{suffix}", address::feature(model, &row.column))) { (row.column) } }
                            td { span class=(format!("badge {}", row.verdict)) { (row.verdict.replace('_', " ")) (row.arrow()) } }
                            td.words { (row.change()) }
                            td { (row.method) }
                            td.number { (optional(row.effect)) }
                            td.number { (number(row.strength)) }
                            td.number { (p_value(row.p_adjusted).trim_start_matches("p ")) }
                        }
                    }
                }
            }
        }
    }
}
