//! The forest plot: every comparison's relative difference with its interval, one line each, on one axis.

use maud::{Markup, html};
use windvane_types::experiment::{Comparison, Effect};

use super::words;
use crate::chart::axis::{Axis, domain};
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
    let foot = height - BOTTOM;
    let said: Vec<String> = drawn
        .iter()
        .map(|(found, relative)| {
            format!("{} on {} {}", words::name(&found.arm), words::metric(found), figures(relative))
        })
        .collect();
    html! {
        div.scroll tabindex="0" role="group" aria-label="Differences" {
            svg.chart role="img" viewBox=(format!("0 0 {WIDTH} {height}")) aria-label=(format!("Difference from the control: {}", said.join("; "))) {
                @for tick in axis.ticks(6) {
                    line.grid x1=(px(axis.at(tick))) x2=(px(axis.at(tick))) y1=(px(TOP)) y2=(px(foot)) {}
                    text.tick x=(px(axis.at(tick))) y=(px(foot + 18.0)) text-anchor="middle" { (signed_percent(tick)) }
                }
                line.zero x1=(px(axis.at(0.0))) x2=(px(axis.at(0.0))) y1=(px(TOP)) y2=(px(foot)) {}
                @for (i, (found, relative)) in drawn.iter().enumerate() {
                    (row(axis, TOP + ROW * (i as f64 + 0.5), (found, relative)))
                }
            }
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
    Axis::new(domain(&values, extents.into_iter().map(|extent| extent * 1.7).collect(), TIMES_MEDIAN), PLOT)
}

fn row(axis: Axis, y: f64, (found, relative): (&Comparison, &Effect)) -> Markup {
    let always = found.sequential.and_then(|sequential| sequential.ci);
    let verdict = found.verdict.as_str();
    html! {
        text.label x="0" y=(px(y + 4.0)) {
            (words::metric(found)) tspan.quiet { " · " (words::name(&found.arm)) }
        }
        @if let Some(margin) = found.margin {
            rect.margin x=(px(axis.at(-margin))) width=(px(axis.at(margin) - axis.at(-margin))) y=(px(y - ROW / 2.0 + 2.0)) height=(px(ROW - 4.0)) {}
        }
        @if let Some(ends) = always { (interval(axis, (y, ends), &format!("always {verdict}"))) }
        @if let Some(ends) = relative.ci { (interval(axis, (y, ends), &format!("fixed {verdict}"))) }
        @if let Some(estimate) = relative.estimate.filter(|estimate| axis.holds(*estimate)) {
            circle class=(format!("point {verdict}")) cx=(px(axis.at(estimate))) cy=(px(y)) r="5.5" {}
        }
        text.figures x=(px(FIGURES)) y=(px(y + 4.0)) { (figures(relative)) }
    }
}

/// A line from end to end; an arrow where it goes on beyond the axis.
fn interval(axis: Axis, (y, [lo, hi]): (f64, [Option<f64>; 2]), class: &str) -> Markup {
    let (first, last) = axis.ends();
    let (lo, hi) = (lo.unwrap_or(f64::NEG_INFINITY), hi.unwrap_or(f64::INFINITY));
    let (from, to) = (axis.at(lo), axis.at(hi));
    // Nothing of it is on the axis.
    if hi < first || lo > last {
        return html! {};
    }
    let arrow = |x: f64, way: f64| {
        format!(
            "M{} {} L{} {} L{} {}",
            px(x + way * 7.0),
            px(y - 5.0),
            px(x),
            px(y),
            px(x + way * 7.0),
            px(y + 5.0)
        )
    };
    html! {
        line class=(class) x1=(px(from)) x2=(px(to)) y1=(px(y)) y2=(px(y)) {}
        @if lo < first { path class=(format!("arrow {class}")) d=(arrow(from, 1.0)) {} }
        @if hi > last { path class=(format!("arrow {class}")) d=(arrow(to, -1.0)) {} }
    }
}

fn figures(relative: &Effect) -> String {
    let estimate = relative.estimate.map_or("–".to_owned(), signed_percent);
    match relative.ci {
        Some(ends) => format!("{estimate} ({})", words::interval(ends, signed_percent)),
        None => estimate,
    }
}
