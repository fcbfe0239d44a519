//! Values over time: one line a series on one axis, gaps where nothing is known.

use maud::{Markup, html};
use plotters::series::{AreaSeries, LineSeries};

use super::axis::Axis;
use super::backend::Ink;
use super::marks::{Mark, Place};
use super::plot::{self, Chart, Drawn, Frame};
use super::{minute_at, px, time_label};
use crate::numbers::short;

const FRAME: Frame = Frame { size: (880.0, 220.0), x: (72.0, 868.0), y: (184.0, 12.0) };
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
    draw(series, look, Labels { axis: Axis::times, text: time_label, at: minute_at })
}

/// The same over numbers in the place of times.
pub fn by_number(series: &[Series], look: Look<'_>) -> Markup {
    let text = |at: f64, _length| crate::numbers::number(at.round());
    draw(series, look, Labels { axis: Axis::whole, text, at: |_, _| None })
}

/// How places of the axis are told: of a place and the length of the axis, the text, and the instant behind it where it is one.
#[derive(Clone, Copy)]
struct Labels {
    axis: fn(f64, f64) -> Axis,
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
    let highest = all.iter().map(|(_, value)| *value).chain(look.floor).fold(0.0, f64::max);
    let lowest = all.iter().map(|(_, value)| *value).fold(0.0, f64::min);
    let x = (labels.axis)(first as f64, last as f64);
    let y = Axis::values(lowest, if highest > lowest { highest * 1.06 } else { lowest + 1.0 });
    let elements = plot::plot(FRAME, (x, y), |chart| {
        plot::left(chart, 5, &|value| (look.unit)(*value))?;
        for (i, series) in series.iter().enumerate() {
            line(chart, series, (i, look, labels))?;
        }
        if let Some(floor) = look.floor {
            let ends = chart.x_range();
            chart.draw_series(LineSeries::new([(ends.start, floor), (ends.end, floor)], Ink::FLOOR))?;
        }
        plot::along(chart)
    });
    html! {
        @if known(series).count() > 1 { (legend(series)) }
        div.scroll tabindex="0" role="group" aria-label=(look.title) {
            svg.chart role="img" viewBox=(FRAME.view_box()) aria-label=(said(series, look)) { (elements) }
        }
    }
}

/// The line with its points, in pieces: it stops where a value is not known.
fn line(chart: &mut Chart<Axis>, series: &Series, (i, look, labels): (usize, Look<'_>, Labels)) -> Drawn {
    let step = series.points.len().div_ceil(POINTS_MAX).max(1);
    let drawn: Vec<(i64, f64)> = series.points.iter().step_by(step).copied().collect();
    let ends = chart.x_range();
    let length = ends.end - ends.start;
    for piece in drawn.split(|(_, value)| !value.is_finite()).filter(|piece| piece.len() > 1) {
        let places = piece.iter().map(|(at, value)| (*at as f64, *value));
        if look.area && i == 0 {
            chart.draw_series(AreaSeries::new(places.clone(), 0.0, Ink::AREA))?;
        }
        chart.draw_series(LineSeries::new(places, Ink::line(i)))?;
    }
    let radius = if drawn.len() > 80 { "1.5" } else { "2.6" };
    let colour = format!("dot s{}", i.min(COLOURS - 1));
    for (at, value) in drawn.iter().filter(|(_, value)| value.is_finite()) {
        let at = *at as f64;
        let said = format!("{} {}", series.name, (look.unit)(*value));
        let title = match (labels.at)(at, length) {
            Some(instant) => html! { title data-times { (said) ", " (short(&instant)) " UTC" } },
            None => html! { title { (said) ", " ((labels.text)(at, length)) } },
        };
        let dot = Mark::new(vec![(at, *value)], |places: &[Place]| {
            html! { @for (x, y) in places { circle class=(colour) cx=(px(*x)) cy=(px(*y)) r=(radius) { (title) } } }
        });
        chart.plotting_area().draw(&dot)?;
    }
    Ok(())
}

/// The lines that have a point, each with the place that its colour goes by.
fn known(series: &[Series]) -> impl Iterator<Item = (usize, &Series)> {
    series.iter().enumerate().filter(|(_, series)| !series.points.is_empty())
}

fn legend(series: &[Series]) -> Markup {
    html! {
        ul.legend {
            @for (i, series) in known(series) {
                li { i class=(format!("key s{}", i.min(COLOURS - 1))) {} (series.name) }
            }
        }
    }
}

fn said(series: &[Series], look: Look<'_>) -> String {
    let parts = series.iter().filter_map(|series| {
        let last = series.points.iter().rfind(|(_, value)| value.is_finite())?;
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
            vec![(i64::MIN, f64::MAX), (i64::MAX, f64::MIN)],
            (0..5_000).map(|i| (i, 1.0)).collect(),
        ] {
            let html = lines(&[series(points)], look("traffic")).into_string();
            assert!(html.contains("<svg") && !html.contains("NaN") && !html.contains("<b>"), "{html}");
            assert!(html.len() < 150_000, "{}", html.len());
        }
        assert_eq!(lines(&[series(Vec::new())], look("traffic")).into_string(), "");
        assert_eq!(lines(&[series(vec![(0, f64::NAN)])], look("traffic")).into_string(), "");
    }

    #[test]
    fn a_line_stops_where_a_value_is_not_known() {
        let drawn = |values: [f64; 5]| {
            let points = (0..).zip(values).collect();
            let html =
                by_number(&[Series { name: "auc".to_owned(), points }], look("performance")).into_string();
            ["<polyline", "<polygon", "<circle"].map(|element| html.matches(element).count())
        };
        assert_eq!(drawn([1.0, 2.0, 3.0, 4.0, 5.0]), [1, 1, 5]);
        assert_eq!(drawn([1.0, 2.0, f64::NAN, 4.0, 5.0]), [2, 2, 4]);
        assert_eq!(drawn([1.0, f64::NAN, 3.0, f64::INFINITY, 5.0]), [0, 0, 3]);
        let points = vec![(0, 1.0), (1, 2.0), (2, f64::NAN)];
        let said = lines(&[Series { name: "auc".to_owned(), points }], look("performance")).into_string();
        assert!(said.contains("auc 2 at last") && !said.contains("NaN"), "{said}");
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
        let alone = lines(&series, look("latency")).into_string();
        assert!(alone.contains("<title data-times>p50 2, 1970-01-01 01:00 UTC</title>"), "{alone}");
    }
}
