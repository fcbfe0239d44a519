//! Values over time: one line a series on one axis, gaps where nothing is known.

use maud::{Markup, html};

use super::axis::Axis;
use super::{minute_at, px, ticks, time_label};
use crate::numbers::short;

const WIDTH: f64 = 880.0;
const HEIGHT: f64 = 220.0;
const PLOT_X: (f64, f64) = (72.0, 868.0);
const PLOT_Y: (f64, f64) = (184.0, 12.0);
/// Lines that are told apart by colour; more are drawn in the last one.
pub const COLOURS: usize = 6;
/// Points of a line; of more, every so many are drawn.
const POINTS_MAX: usize = 600;

/// A line.
#[derive(Debug, Clone)]
pub struct Series {
    /// What it is called in the legend.
    pub name: String,
    /// Microseconds since 1970 UTC, ascending, and the value.
    pub points: Vec<(i64, f64)>,
}

/// How a chart is drawn.
#[derive(Clone, Copy)]
pub struct Look<'a> {
    /// What the chart shows, in words; the figures are added.
    pub title: &'a str,
    /// The value with its unit.
    pub unit: fn(f64) -> String,
    /// A line to compare with, such as a floor.
    pub floor: Option<f64>,
    /// The span of time to draw; that of the points where it is not given.
    pub span: Option<(i64, i64)>,
    /// Whether the area below the first line is filled.
    pub area: bool,
}

impl std::fmt::Debug for Look<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Look").field("title", &self.title).finish_non_exhaustive()
    }
}

/// The chart; nothing where no series has a point.
pub fn lines(series: &[Series], look: Look<'_>) -> Markup {
    draw(series, look, Labels { text: time_label, at: minute_at })
}

/// The same over numbers in the place of times.
pub fn by_number(series: &[Series], look: Look<'_>) -> Markup {
    draw(series, look, Labels { text: |at, _length| crate::numbers::number(at.round()), at: |_, _| None })
}

/// How places of the axis are told: of a place and the length of the axis, the text, and the instant behind it where it is one.
#[derive(Clone, Copy)]
struct Labels {
    text: fn(f64, f64) -> String,
    at: fn(f64, f64) -> Option<String>,
}

fn draw(series: &[Series], look: Look<'_>, labels: Labels) -> Markup {
    let all: Vec<(i64, f64)> = series
        .iter()
        .flat_map(|series| &series.points)
        .copied()
        .filter(|(_, value)| value.is_finite())
        .collect();
    let (Some(first), Some(last)) =
        (all.iter().map(|(at, _)| *at).min(), all.iter().map(|(at, _)| *at).max())
    else {
        return html! {};
    };
    let (first, last) = look.span.unwrap_or((first, last));
    let (first, last) = (first as f64, last as f64);
    let highest = all.iter().map(|(_, value)| *value).chain(look.floor).fold(0.0, f64::max);
    let lowest = all.iter().map(|(_, value)| *value).fold(0.0, f64::min);
    let x = Axis::new((first, last), PLOT_X);
    let y = Axis::new((lowest, if highest > lowest { highest * 1.06 } else { lowest + 1.0 }), PLOT_Y);
    html! {
        @if series.len() > 1 { (legend(series)) }
        div.scroll tabindex="0" role="group" aria-label=(look.title) {
            svg.chart role="img" viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) aria-label=(said(series, look)) {
                @for tick in y.ticks(4) {
                    line.grid x1=(px(PLOT_X.0)) x2=(px(PLOT_X.1)) y1=(px(y.at(tick))) y2=(px(y.at(tick))) {}
                    text.tick x=(px(PLOT_X.0 - 8.0)) y=(px(y.at(tick) + 4.0)) text-anchor="end" { ((look.unit)(tick)) }
                }
                @for (i, series) in series.iter().enumerate() { (line(series, (x, y), (i, look, labels))) }
                @if let Some(floor) = look.floor {
                    line.floor x1=(px(PLOT_X.0)) x2=(px(PLOT_X.1)) y1=(px(y.at(floor))) y2=(px(y.at(floor))) {}
                }
                @for (time, anchor) in ticks(first, last) {
                    text.tick x=(px(x.at(time))) y=(px(HEIGHT - 12.0)) text-anchor=(anchor) data-at=[(labels.at)(time, last - first)] { ((labels.text)(time, last - first)) }
                }
            }
        }
    }
}

fn line(series: &Series, (x, y): (Axis, Axis), (i, look, labels): (usize, Look<'_>, Labels)) -> Markup {
    let step = series.points.len().div_ceil(POINTS_MAX).max(1);
    let drawn: Vec<(f64, f64, i64, f64)> = series
        .points
        .iter()
        .step_by(step)
        .filter(|(_, value)| value.is_finite())
        .map(|(at, value)| (x.at(*at as f64), y.at(*value), *at, *value))
        .collect();
    let path: Vec<String> = drawn.iter().map(|(x, y, ..)| format!("{},{}", px(*x), px(*y))).collect();
    let colour = format!("s{}", i.min(COLOURS - 1));
    let length = look.span.map_or(super::DAY_US * 30.0, |(from, to)| (to - from) as f64);
    html! {
        @if look.area && i == 0 && drawn.len() > 1 {
            @let (from, to) = (drawn[0].0, drawn[drawn.len() - 1].0);
            polygon class=(format!("area {colour}")) points=(format!("{},{} {} {},{}", px(from), px(y.at(0.0)), path.join(" "), px(to), px(y.at(0.0)))) {}
        }
        polyline class=(format!("line {colour}")) points=(path.join(" ")) {}
        @for (x, y, at, value) in &drawn {
            circle class=(format!("dot {colour}")) cx=(px(*x)) cy=(px(*y)) r=(if drawn.len() > 80 { "1.5" } else { "2.6" }) {
                @match (labels.at)(*at as f64, length) {
                    Some(instant) => { title data-times { (series.name) " " ((look.unit)(*value)) ", " (short(&instant)) " UTC" } }
                    None => { title { (series.name) " " ((look.unit)(*value)) ", " ((labels.text)(*at as f64, length)) } }
                }
            }
        }
    }
}

fn legend(series: &[Series]) -> Markup {
    html! {
        ul.legend {
            @for (i, series) in series.iter().enumerate() {
                li { i class=(format!("key s{}", i.min(COLOURS - 1))) {} (series.name) }
            }
        }
    }
}

fn said(series: &[Series], look: Look<'_>) -> String {
    let parts = series.iter().filter_map(|series| {
        let last = series.points.last()?;
        Some(format!("{} {} at last", series.name, (look.unit)(last.1)))
    });
    format!("{}: {}", look.title, parts.collect::<Vec<_>>().join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(title: &str) -> Look<'_> {
        Look { title, unit: crate::numbers::number, floor: None, span: None, area: true }
    }

    #[test]
    fn a_chart_is_drawn_of_any_points() {
        let series = |points: Vec<(i64, f64)>| Series { name: "<b>".to_owned(), points };
        for points in [
            vec![(0, 0.0)],
            vec![(0, 1.0), (1, f64::NAN), (2, -3.0)],
            vec![(0, 1e300), (1, 0.0)],
            (0..5_000).map(|i| (i, 1.0)).collect(),
        ] {
            let html = lines(&[series(points)], look("traffic")).into_string();
            assert!(html.contains("<svg") && !html.contains("NaN") && !html.contains("<b>"), "{html}");
            assert!(html.len() < 150_000, "{}", html.len());
        }
        assert_eq!(lines(&[series(Vec::new())], look("traffic")).into_string(), "");
    }

    #[test]
    fn a_mark_tells_its_minute_for_the_script_to_rewrite_and_its_day_as_it_is() {
        let points = vec![(0, 1.0), (3_600_000_000, 2.0)];
        let series = [Series { name: "p50".to_owned(), points }];
        let drawn = |days: i64| {
            let span = Some((0, days * 86_400_000_000));
            lines(&series, Look { span, ..look("latency") }).into_string()
        };
        assert!(drawn(1).contains("<title data-times>p50 2, 1970-01-01 01:00 UTC</title>"), "{}", drawn(1));
        assert!(drawn(7).contains("<title>p50 2, 1970-01-01</title>"), "{}", drawn(7));
    }
}
