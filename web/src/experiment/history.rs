//! A comparison over time: estimate, fixed and always-valid interval, look after look.

use maud::{Markup, html};
use plotters::element::Polygon;
use plotters::series::LineSeries;
use windvane_store::findings::experiment::Point;
use windvane_types::span;

use super::words;
use crate::chart::axis::{Axis, domain};
use crate::chart::backend::Ink;
use crate::chart::plot::{self, Frame};
use crate::numbers::{counted, number, optional, short, signed_percent, thousands};
use crate::page::time;

const FRAME: Frame = Frame { size: (880.0, 240.0), x: (72.0, 868.0), y: (206.0, 10.0) };
/// How many times the median interval the axis may reach: the first looks are as wide as they like.
const TIMES_MEDIAN: f64 = 2.5;
/// Looks that a chart draws at the most; of more every so many are drawn, and the last one.
const DRAWN_MAX: usize = 400;
/// Looks that the table lists at the most.
const LISTED_MAX: usize = 100;

/// The points of each comparison, in the order of the answer, which has them together.
pub fn by_comparison(points: &[Point]) -> Vec<&[Point]> {
    let same = |a: &Point, b: &Point| {
        (&a.metric, &a.metric_kind, a.quantile.to_bits(), &a.arm)
            == (&b.metric, &b.metric_kind, b.quantile.to_bits(), &b.arm)
    };
    points.chunk_by(same).collect()
}

/// A chart and a table of one comparison's looks, of so many of them.
pub fn history(points: &[Point], (drawn, listed): (usize, usize)) -> Markup {
    let Some(last) = points.last() else { return html! {} };
    let metric = match last.metric_kind.as_str() {
        "quantile" => format!("{} p{}", words::name(&last.metric), number(last.quantile * 100.0)),
        _ => words::name(&last.metric),
    };
    let said = format!(
        "{metric}, {} against the control, {}; as of {} UTC: {}",
        words::name(&last.arm),
        counted(points.len() as u64, "look", "looks"),
        short(&span::shown(last.as_of_us)),
        estimate(last),
    );
    html! {
        figure {
            figcaption { strong { (metric) } " · " (words::name(&last.arm)) ", " (looks(points.len())) ", the latest " (estimate(last)) }
            @if points.iter().filter(|point| point.relative.is_some()).count() > 1 { (chart(&thinned(points, drawn.clamp(2, DRAWN_MAX)), &said)) }
            details { summary { "The looks as a table" } (table(points, listed.clamp(1, LISTED_MAX))) }
        }
    }
}

fn looks(number: usize) -> String {
    if number == 1 { "one look".to_owned() } else { format!("{} looks", thousands(number as u64)) }
}

fn estimate(point: &Point) -> String {
    let estimate = point.relative.map_or("–".to_owned(), signed_percent);
    match ends(point.relative_low, point.relative_high) {
        Some(ends) => format!("{estimate} ({})", words::interval(ends, signed_percent)),
        None => estimate,
    }
}

fn ends(lo: Option<f64>, hi: Option<f64>) -> Option<[Option<f64>; 2]> {
    (lo.is_some() || hi.is_some()).then_some([lo, hi])
}

fn chart(drawn: &[&Point], said: &str) -> Markup {
    let (first, last) = (drawn[0].as_of_us as f64, drawn[drawn.len() - 1].as_of_us as f64);
    let effects = effects(drawn);
    let always = band(drawn, |point| ends(point.sequential_low, point.sequential_high));
    let fixed = band(drawn, |point| ends(point.relative_low, point.relative_high));
    let line: Vec<(f64, f64)> =
        drawn.iter().filter_map(|point| Some((point.as_of_us as f64, point.relative?))).collect();
    let elements = plot::plot(FRAME, (Axis::times(first, last), effects), |chart| {
        plot::left(chart, 6, &|effect| signed_percent(*effect))?;
        chart.plotting_area().draw(&Polygon::new(always, Ink::ALWAYS))?;
        chart.plotting_area().draw(&Polygon::new(fixed, Ink::FIXED))?;
        let ends = chart.x_range();
        chart.draw_series(LineSeries::new([(ends.start, 0.0), (ends.end, 0.0)], Ink::ZERO))?;
        chart.draw_series(LineSeries::new(line, Ink::ESTIMATE))?;
        plot::along(chart)
    });
    html! {
        div.scroll tabindex="0" role="group" aria-label="Looks" {
            svg.chart role="img" viewBox=(FRAME.view_box()) aria-label=(said) { (elements) }
        }
    }
}

/// The axis of effects: the later looks are shown whole, the first ones may leave it.
fn effects(drawn: &[&Point]) -> Axis {
    let reach =
        |values: &[Option<f64>]| values.iter().flatten().fold(0.0, |most: f64, value| most.max(value.abs()));
    let mut values = Vec::new();
    let mut extents = Vec::new();
    for point in drawn {
        let always = [point.sequential_low, point.sequential_high];
        let fixed = [point.relative, point.relative_low, point.relative_high];
        extents.push(reach(&fixed).max(reach(&always)));
        values.extend(fixed.into_iter().chain(always).flatten());
    }
    let (lo, hi) = domain(&values, extents, TIMES_MEDIAN);
    Axis::values(lo, hi)
}

/// The corners of a band: its upper edge forwards, its lower edge back. A side that is infinite goes along the axis' end.
fn band(drawn: &[&Point], of: fn(&Point) -> Option<[Option<f64>; 2]>) -> Vec<(f64, f64)> {
    let sides = || drawn.iter().filter_map(|point| Some((point.as_of_us as f64, of(point)?)));
    let upper = sides().map(|(at, [_, hi])| (at, hi.unwrap_or(f64::INFINITY)));
    let mut lower: Vec<_> = sides().map(|(at, [lo, _])| (at, lo.unwrap_or(f64::NEG_INFINITY))).collect();
    lower.reverse();
    upper.chain(lower).collect()
}

fn thinned(points: &[Point], most: usize) -> Vec<&Point> {
    let step = points.len().div_ceil(most).max(1);
    let last = points.len() - 1;
    points.iter().enumerate().filter(|(i, _)| i % step == 0 || *i == last).map(|(_, point)| point).collect()
}

fn table(points: &[Point], most: usize) -> Markup {
    let interval =
        |lo, hi| ends(lo, hi).map_or("–".to_owned(), |ends| words::interval(ends, signed_percent));
    html! {
        @if points.len() > most { p.quiet { "The latest " (most) " of " (thousands(points.len() as u64)) " looks; the JSON document of the read API has all." } }
        div.scroll tabindex="0" role="group" aria-label="Looks" {
            table {
                thead {
                    tr {
                        th scope="col" { "as of" } th.number scope="col" { "units" }
                        th.number scope="col" { "change" } th.number scope="col" { "interval" }
                        th.number scope="col" { "at any time" } th.number scope="col" { "p at any time" } th scope="col" { "verdict" }
                    }
                }
                tbody {
                    @for point in points.iter().rev().take(most) {
                        tr {
                            td { (time(&span::shown(point.as_of_us))) }
                            td.number { (thousands(point.n + point.n_control)) }
                            td.number { (point.relative.map_or("–".to_owned(), signed_percent)) }
                            td.number { (interval(point.relative_low, point.relative_high)) }
                            td.number { (interval(point.sequential_low, point.sequential_high)) }
                            td.number { (optional(point.sequential_p_value)) }
                            td { (point.verdict) }
                        }
                    }
                }
            }
        }
    }
}
