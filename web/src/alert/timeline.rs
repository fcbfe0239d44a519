//! What state each alert was in, over time: a row an alert, a bar a state.

use std::collections::BTreeMap;

use maud::{Markup, html};
use windvane_types::span;

use super::Change;
use crate::chart::axis::Axis;
use crate::chart::marks::{Mark, bar_with};
use crate::chart::plot::{self, Frame};
use crate::chart::{cut, px};
use crate::numbers::short;

const WIDTH: f64 = 880.0;
const PLOT_X: (f64, f64) = (260.0, 868.0);
const ROW: f64 = 22.0;
/// Alerts that are drawn: those that changed last.
const ROWS_MAX: usize = 20;
const NAME_MAX: usize = 36;

/// A span of an alert in one state.
#[derive(Debug, PartialEq)]
struct Bar {
    from_us: i64,
    to_us: i64,
    state: String,
}

/// An alert and its bars, the first one first.
#[derive(Debug)]
struct Row {
    name: String,
    bars: Vec<Bar>,
}

/// The chart of these changes up to now; nothing where there is none.
pub fn chart(changes: &[Change], now_us: i64) -> Markup {
    let rows = rows(changes, now_us);
    let Some(first) = rows.iter().flat_map(|row| &row.bars).map(|bar| bar.from_us).min() else {
        return html! {};
    };
    let height = ROW * rows.len() as f64 + 26.0;
    let frame = Frame { size: (WIDTH, height), x: PLOT_X, y: (height - 26.0, 0.0) };
    let axes = (Axis::times(first as f64, now_us as f64), Axis::rows(rows.len()));
    let elements = plot::plot(frame, axes, |chart| {
        for (i, row) in rows.iter().enumerate() {
            let name = Mark::new(vec![(first as f64, i as f64 + 0.5)], |places| {
                html! { @for (x, y) in places { text.tick x=(px(x - 8.0)) y=(px(y + 4.0)) text-anchor="end" { (cut(&row.name, NAME_MAX)) } } }
            });
            chart.plotting_area().draw(&name)?;
            for bar in &row.bars {
                chart.plotting_area().draw(&mark(&row.name, bar, i as f64))?;
            }
        }
        plot::along(chart)
    });
    html! {
        ul.legend {
            @for state in ["pending", "firing", "recovering"] { li { i class=(format!("key state {state}")) {} (state) } }
        }
        div.scroll tabindex="0" role="group" aria-label="States over time" {
            svg.chart role="img" viewBox=(frame.view_box()) aria-label=(said(&rows)) { (elements) }
        }
    }
}

/// A state of an alert, of two pixels at least.
fn mark<'w>(name: &'w str, bar: &'w Bar, top: f64) -> Mark<'w> {
    let corners = vec![(bar.from_us as f64, top), (bar.to_us as f64, top + 1.0)];
    Mark::new(corners, move |places| {
        let [from, to, ..] = *places else { return html! {} };
        let title = html! {
            title data-times { (name) ": " (bar.state) ", " (short(&span::shown(bar.from_us))) " UTC to " (short(&span::shown(bar.to_us))) " UTC" }
        };
        let to = (to.0.max(from.0 + 2.0), to.1);
        bar_with(&format!("state {}", bar.state), [from, to], (0.0, -8.0), &title)
    })
}

/// The alerts that changed last, each with its bars; changes come the latest first.
fn rows(changes: &[Change], now_us: i64) -> Vec<Row> {
    let mut order: Vec<&str> = Vec::new();
    let mut by: BTreeMap<&str, Vec<&Change>> = BTreeMap::new();
    for change in changes {
        let of = by.entry(&change.fingerprint).or_insert_with(|| {
            order.push(&change.fingerprint);
            Vec::new()
        });
        of.push(change);
    }
    order.iter().take(ROWS_MAX).filter_map(|fingerprint| row(by.get(fingerprint)?, now_us)).collect()
}

fn row(latest_first: &[&Change], now_us: i64) -> Option<Row> {
    let newest = latest_first.first()?;
    let at = |change: &Change| span::instant(&change.changed_at);
    let ends = std::iter::once(Some(now_us)).chain(latest_first.iter().map(|change| at(change)));
    let mut bars: Vec<Bar> = latest_first
        .iter()
        .zip(ends)
        .filter(|(change, _)| !matches!(change.to_state.as_str(), "resolved" | "inactive"))
        .filter_map(|(change, to)| {
            Some(Bar { from_us: at(change)?, to_us: to?, state: change.to_state.clone() })
        })
        .collect();
    bars.reverse();
    let name = match newest.model.is_empty() {
        true => newest.rule.clone(),
        false => format!("{} {}", newest.rule, newest.model),
    };
    Some(Row { name, bars })
}

fn said(rows: &[Row]) -> String {
    let parts = rows.iter().map(|row| match row.bars.last() {
        None => format!("{} over", row.name),
        Some(bar) => format!("{} {} until {} UTC", row.name, bar.state, short(&span::shown(bar.to_us))),
    });
    format!("States of alerts: {}", parts.collect::<Vec<_>>().join("; "))
}
