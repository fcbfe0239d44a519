//! Columns × windows: how far each column is from its reference, in times of the floor that its method has to pass.

use maud::{Markup, html};

use super::axis::Axis;
use super::marks::{Mark, bar};
use super::plot::{self, Frame};
use super::{cut, minute_at, px, time_label};
use crate::numbers::{counted, number};

const LABEL: f64 = 168.0;
const WIDTH: f64 = 880.0;
const ROW: f64 = 26.0;
const FOOT: f64 = 34.0;
/// The widest a cell may be.
const CELL_MAX: f64 = 62.0;
/// What the label of a window takes.
const TICK: f64 = 76.0;
/// The narrowest that holds an arrow.
const ARROW_MIN: f64 = 16.0;

/// A row of the map.
#[derive(Debug, Clone)]
pub struct Row {
    /// The column.
    pub name: String,
    /// Where its label leads.
    pub href: String,
    /// One a window; `None` where the window does not have the column.
    pub cells: Vec<Option<Cell>>,
}

/// A column in a window.
#[derive(Debug, Clone)]
pub struct Cell {
    /// `drift`, `no_drift` or `insufficient_data`.
    pub verdict: String,
    /// `up`, `down`, `mixed` or `none`.
    pub direction: String,
    /// The effect of the method that says it loudest, over its floor.
    pub strength: f64,
    /// The same with names and figures.
    pub said: String,
}

/// The map; `windows` are the spans from the oldest to the newest.
pub fn heatmap(rows: &[Row], windows: &[(i64, i64)]) -> Markup {
    if rows.is_empty() || windows.is_empty() {
        return html! {};
    }
    let cell = ((WIDTH - LABEL - 4.0) / windows.len() as f64).min(CELL_MAX);
    let height = ROW * rows.len() as f64 + FOOT;
    let drifted: usize = rows.iter().filter(|row| row.cells.iter().flatten().any(Cell::drifted)).count();
    let said = format!(
        "Drift of {} in {}; {drifted} of them drifted in at least one",
        counted(rows.len() as u64, "column", "columns"),
        counted(windows.len() as u64, "window", "windows")
    );
    let frame = Frame {
        size: (WIDTH, height),
        x: (LABEL, LABEL + cell * windows.len() as f64),
        y: (height - FOOT, 0.0),
    };
    let axes = (Axis::whole(0.0, windows.len() as f64), Axis::rows(rows.len()));
    let elements = plot::plot(frame, axes, |chart| {
        for (i, row) in rows.iter().enumerate() {
            chart.plotting_area().draw(&name(row, i as f64))?;
            for (j, found) in row.cells.iter().enumerate() {
                let Some(found) = found else { continue };
                chart.plotting_area().draw(&mark(found, (j as f64, i as f64), cell >= ARROW_MIN))?;
            }
        }
        foot(windows, rows.len() as f64).iter().try_for_each(|label| chart.plotting_area().draw(label))
    });
    html! {
        div.scroll tabindex="0" role="group" aria-label="Drift by column and window" {
            svg.chart.heatmap role="group" viewBox=(frame.view_box()) aria-label=(said) { (elements) }
        }
        ul.legend {
            li { i.key.h0 {} "below half its floor" }
            li { i.key.h1 {} "near its floor, or chance explains it" }
            li { i.key.h2 {} "drift" }
            li { i.key.h3 {} "twice the floor" }
            li { i.key.h4 {} "four times" }
            li { i.key.hx {} "too few rows" }
        }
    }
}

/// The name of a row, which leads to its column.
fn name(row: &Row, top: f64) -> Mark<'_> {
    Mark::new(vec![(0.0, top + 0.5)], |places| {
        html! {
            @for (x, y) in places {
                a href=(row.href) { text.label x=(px(x - 10.0)) y=(px(y + 4.7)) text-anchor="end" { (cut(&row.name, 22)) } }
            }
        }
    })
}

fn mark(found: &Cell, (left, top): (f64, f64), arrow: bool) -> Mark<'_> {
    Mark::new(vec![(left, top), (left + 1.0, top + 1.0)], move |places| {
        let [from, to, ..] = *places else { return html! {} };
        html! {
            g {
                title data-times { (found.said) }
                (bar(&format!("cell {}", found.class()), [from, to], (-2.0, -3.0)))
                @if arrow && found.drifted() {
                    text.arrow-word x=(px((from.0 + to.0) / 2.0)) y=(px((from.1 + to.1) / 2.0 + 4.7)) text-anchor="middle" aria-hidden="true" { (found.arrow()) }
                }
            }
        }
    })
}

/// The start of every so many windows, below its column.
fn foot(windows: &[(i64, i64)], below: f64) -> Vec<Mark<'static>> {
    let first = windows.first().map_or(0, |window| window.0);
    let last = windows.last().map_or(0, |window| window.1);
    let length = (last - first) as f64;
    // Nine labels fit, and a cell is never as wide as one; that of a last cell would be cut off at the edge.
    let every = windows.len().div_ceil(9).max(2);
    let shown = windows.iter().enumerate().filter(|(i, _)| i.is_multiple_of(every));
    shown
        .map(|(i, (start, _))| {
            let at = *start as f64;
            Mark::new(vec![(i as f64, below)], move |places| {
                html! {
                    @for (x, y) in places.iter().filter(|(x, _)| x + TICK <= WIDTH) {
                        text.tick x=(px(x + 1.0)) y=(px(y + 20.0)) data-at=[minute_at(at, length)] { (time_label(at, length)) }
                    }
                }
            })
        })
        .collect()
}

impl Cell {
    fn drifted(&self) -> bool {
        self.verdict == "drift"
    }

    /// The shade: what a person must look at stands out, chance and small effects do not.
    fn class(&self) -> &'static str {
        match (self.verdict.as_str(), self.strength) {
            ("insufficient_data", _) => "hx",
            ("drift", strength) if strength >= 4.0 => "h4",
            ("drift", strength) if strength >= 2.0 => "h3",
            ("drift", _) => "h2",
            (_, strength) if strength >= 0.5 => "h1",
            _ => "h0",
        }
    }

    fn arrow(&self) -> &'static str {
        match self.direction.as_str() {
            "up" => "↑",
            "down" => "↓",
            "mixed" => "↕",
            _ => "•",
        }
    }
}

/// `4.2 times its floor`.
pub fn times(strength: f64) -> String {
    format!("{} times its floor", number(strength))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chart::DAY_US;

    fn cell(verdict: &str, strength: f64) -> Cell {
        Cell { verdict: verdict.to_owned(), direction: "up".to_owned(), strength, said: "<said>".to_owned() }
    }

    #[test]
    fn shades_follow_the_verdict_before_the_effect() {
        for (verdict, strength, class) in [
            ("no_drift", 9.0, "h1"),
            ("no_drift", 0.1, "h0"),
            ("drift", 1.0, "h2"),
            ("drift", 2.0, "h3"),
            ("drift", 40.0, "h4"),
            ("insufficient_data", 40.0, "hx"),
        ] {
            assert_eq!(cell(verdict, strength).class(), class);
        }
    }

    // Of fifteen days the last label was `2026-11-`.
    #[test]
    fn no_label_of_a_window_is_cut_off_at_the_edge() {
        let cells = vec![Some(cell("drift", 3.0)); 15];
        let row = Row { name: "x".to_owned(), href: "/".to_owned(), cells };
        let day_us = DAY_US as i64;
        let windows: Vec<(i64, i64)> = (0..15).map(|day| (day * day_us, (day + 1) * day_us)).collect();
        let html = heatmap(&[row], &windows).into_string();
        assert_eq!(html.matches(">1970-01-").count(), 7, "{html}");
        assert!(html.contains(">1970-01-13<") && !html.contains(">1970-01-15<"), "{html}");
    }

    #[test]
    fn a_map_has_a_cell_a_window_and_leaves_gaps() {
        let row = Row {
            name: "<x>".to_owned(),
            href: "/models/m/features/x".to_owned(),
            cells: vec![Some(cell("drift", 3.0)), None, Some(cell("no_drift", 0.0))],
        };
        let html = heatmap(&[row], &[(0, 1), (1, 2), (2, 3)]).into_string();
        assert_eq!(html.matches("class=\"cell").count(), 2);
        assert!(
            html.contains("1 of them drifted") && html.contains("&lt;said&gt;") && !html.contains("<x>"),
            "{html}"
        );
        assert_eq!(heatmap(&[], &[]).into_string(), "");
    }
}
