//! The forest plot: every comparison's relative difference with its interval, one line each, on one axis.

use std::ops::Range;

use maud::{Markup, html};
use plotters::coord::ranged1d::Ranged;
use plotters::series::LineSeries;
use windvane_types::experiment::{Comparison, Effect};

use super::words;
use crate::chart::axis::{Axis, domain};
use crate::chart::backend::Ink;
use crate::chart::marks::{Mark, Place, bar};
use crate::chart::plot::{self, Frame};
use crate::chart::px;
use crate::numbers::signed_percent;

const WIDTH: f64 = 880.0;
const ROW: f64 = 32.0;
const TOP: f64 = 8.0;
const BOTTOM: f64 = 30.0;
const PLOT: (f64, f64) = (250.0, 640.0);
const FIGURES: f64 = 656.0;
/// How many times the median interval the axis may reach.
const TIMES_MEDIAN: f64 = 6.0;

/// The plot; nothing where no comparison has a relative difference.
pub fn forest(comparisons: &[&Comparison]) -> Markup {
    let drawn: Vec<(&Comparison, Effect)> = comparisons
        .iter()
        .filter_map(|found| Some((*found, found.relative.filter(|relative| relative.estimate.is_some())?)))
        .collect();
    if drawn.is_empty() {
        return html! {};
    }
    let axis = axis(&drawn);
    let height = TOP + ROW * drawn.len() as f64 + BOTTOM;
    let frame = Frame { size: (WIDTH, height), x: PLOT, y: (height - BOTTOM, TOP) };
    let elements = plot::plot(frame, (axis.clone(), Axis::rows(drawn.len())), |chart| {
        plot::below(chart, (6, true), &|effect| signed_percent(*effect))?;
        chart.draw_series(LineSeries::new([(0.0, 0.0), (0.0, drawn.len() as f64)], Ink::ZERO))?;
        for (i, (found, relative)) in drawn.iter().enumerate() {
            chart.plotting_area().draw(&row(&axis, i as f64 + 0.5, (found, relative)))?;
        }
        Ok(())
    });
    let said: Vec<String> = drawn
        .iter()
        .map(|(found, relative)| {
            format!("{} on {} {}", words::name(&found.arm), words::metric(found), figures(relative))
        })
        .collect();
    html! {
        div.scroll tabindex="0" role="group" aria-label="Differences" {
            svg.chart role="img" viewBox=(frame.view_box()) aria-label=(format!("Difference from the control: {}", said.join("; "))) { (elements) }
        }
        p.quiet {
            "Thick: the interval of one look at a planned end. Thin: the interval that holds however often you look. "
            "Shaded: differences that do not matter, where a margin was given. Arrows go on beyond the axis."
        }
    }
}

fn axis(drawn: &[(&Comparison, Effect)]) -> Axis {
    let mut values = Vec::new();
    let mut extents = Vec::new();
    for (found, relative) in drawn {
        let fixed = relative.ci.unwrap_or_default();
        let always = found.sequential.and_then(|sequential| sequential.ci).unwrap_or_default();
        let margin = found.margin.map(|margin| [Some(-margin), Some(margin)]).unwrap_or_default();
        let own: Vec<f64> = [relative.estimate].into_iter().chain(fixed).flatten().collect();
        extents.push(own.iter().fold(0.0, |most: f64, value| most.max(value.abs())));
        values.extend(own.into_iter().chain(always.into_iter().chain(margin).flatten()));
    }
    // Room for the always-valid intervals, which are wider.
    let (lo, hi) = domain(&values, extents.into_iter().map(|extent| extent * 1.7).collect(), TIMES_MEDIAN);
    Axis::values(lo, hi)
}

/// A comparison: its name, what does not matter, both intervals, the estimate and the figures.
fn row<'w>(axis: &'w Axis, middle: f64, (found, relative): (&'w Comparison, &'w Effect)) -> Mark<'w> {
    let margin = found.margin.unwrap_or(0.0);
    let always = found.sequential.and_then(|sequential| sequential.ci).unwrap_or_default();
    let fixed = relative.ci.unwrap_or_default();
    let at = |value: f64| (value, middle);
    let ends =
        |[lo, hi]: [Option<f64>; 2]| [at(lo.unwrap_or(f64::NEG_INFINITY)), at(hi.unwrap_or(f64::INFINITY))];
    let values =
        [[at(-margin), at(margin)], ends(always), ends(fixed), [at(relative.estimate.unwrap_or(0.0)); 2]];
    Mark::new(values.concat(), move |places| write(axis, places, (found, relative)))
}

fn write(axis: &Axis, places: &[Place], (found, relative): (&Comparison, &Effect)) -> Markup {
    let [low, high, always_low, always_high, fixed_low, fixed_high, estimate, ..] = *places else {
        return html! {};
    };
    let verdict = found.verdict.as_str();
    let (x, y) = estimate;
    let shown = relative.estimate.is_some_and(|estimate| axis.holds(estimate));
    html! {
        text.label x="0" y=(px(y + 4.0)) {
            (words::metric(found)) tspan.quiet { " · " (words::name(&found.arm)) }
        }
        @if found.margin.is_some() { (bar("margin", [low, high], (0.0, ROW - 4.0))) }
        @if let Some(ends) = found.sequential.and_then(|sequential| sequential.ci) {
            (interval(axis, (ends, [always_low, always_high]), &format!("always {verdict}")))
        }
        @if let Some(ends) = relative.ci { (interval(axis, (ends, [fixed_low, fixed_high]), &format!("fixed {verdict}"))) }
        @if shown { circle class=(format!("point {verdict}")) cx=(px(x)) cy=(px(y)) r="5.5" {} }
        text.figures x=(px(FIGURES)) y=(px(y + 4.0)) { (figures(relative)) }
    }
}

/// A line from end to end; an arrow where it goes on beyond the axis.
fn interval(axis: &Axis, ([lo, hi], [from, to]): ([Option<f64>; 2], [Place; 2]), class: &str) -> Markup {
    let (lo, hi) = (lo.unwrap_or(f64::NEG_INFINITY), hi.unwrap_or(f64::INFINITY));
    let Range { start, end } = axis.range();
    // Nothing of it is on the axis.
    if hi < start || lo > end {
        return html! {};
    }
    let arrow = |(x, y): Place, way: f64| {
        let back = px(x + way * 7.0);
        format!("M{back} {} L{} {} L{back} {}", px(y - 5.0), px(x), px(y), px(y + 5.0))
    };
    html! {
        line class=(class) x1=(px(from.0)) x2=(px(to.0)) y1=(px(from.1)) y2=(px(to.1)) {}
        @if lo < start { path class=(format!("arrow {class}")) d=(arrow(from, 1.0)) {} }
        @if hi > end { path class=(format!("arrow {class}")) d=(arrow(to, -1.0)) {} }
    }
}

fn figures(relative: &Effect) -> String {
    let estimate = relative.estimate.map_or("–".to_owned(), signed_percent);
    match relative.ci {
        Some(ends) => format!("{estimate} ({})", words::interval(ends, signed_percent)),
        None => estimate,
    }
}
