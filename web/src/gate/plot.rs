//! Plots of a gate as SVG: shares as bars with their intervals, distribution functions of latencies, and rates by size of call.

use maud::{Markup, html};
use plotters::series::LineSeries;
use windvane_types::gate::BatchRates;

use crate::chart::axis::Axis;
use crate::chart::backend::Ink;
use crate::chart::marks::{Mark, bar};
use crate::chart::plot::{self, Frame};
use crate::chart::{cut, px};
use crate::numbers::{latency, number};

/// The bars of shares, beside their names.
const BARS_X: (f64, f64) = (240.0, 810.0);
const ROW: f64 = 22.0;
const CURVES: Frame = Frame { size: (880.0, 240.0), x: (44.0, 836.0), y: (196.0, 44.0) };
const RATES: Frame = Frame { size: (880.0, 240.0), x: (88.0, 836.0), y: (196.0, 44.0) };
/// Decades of microseconds on both sides of one that are drawn at the most; the longest are some ten thousand years.
const DECADES_MAX: f64 = 18.0;
/// The lines of the champion and of the candidate.
const CHAMPION: usize = 5;
const CANDIDATE: usize = 0;
/// A bar of a gate: its name, its share and the interval around it.
type Bar = (String, f64, Option<[f64; 2]>);
/// Characters of a label.
const LABEL_MAX: usize = 30;
/// Characters of a name that is heard.
const SAID_MAX: usize = 80;

/// Bars of 0 to 1, each with its interval where it has one.
pub(super) fn shares(title: &str, bars: &[Bar]) -> Markup {
    if bars.is_empty() {
        return html! {};
    }
    let height = bars.len() as f64 * ROW + 10.0;
    let frame = Frame { size: (CURVES.size.0, height), x: BARS_X, y: (height - 10.0, 0.0) };
    let axes = (Axis::values(0.0, 1.0), Axis::rows(bars.len()));
    let elements = plot::plot(frame, axes, |chart| {
        for (i, bar) in bars.iter().enumerate() {
            chart.plotting_area().draw(&row(i as f64, bar))?;
        }
        Ok(())
    });
    html! {
        figure {
            figcaption { (title) }
            div.scroll tabindex="0" role="group" aria-label=(title) {
                svg.chart viewBox=(frame.view_box()) role="img" aria-label=(said(title, bars)) { (elements) }
            }
        }
    }
}

fn row(top: f64, (name, share, ci): &Bar) -> Mark<'_> {
    let [lo, hi] = ci.unwrap_or_default();
    let values = vec![
        (0.0, top + 4.0 / ROW),
        (1.0, top + 18.0 / ROW),
        (*share, top + 18.0 / ROW),
        (lo, top + 11.0 / ROW),
        (hi, top + 11.0 / ROW),
    ];
    Mark::new(values, move |places| {
        let [from, all, to, low, high, ..] = *places else { return html! {} };
        let (end, y) = (all.0, low.1 + 5.0);
        html! {
            text x="0" y=(px(y)) { (cut(name, LABEL_MAX)) }
            (bar("reference whole", [from, all], (0.0, 0.0)))
            (bar("current", [from, to], (0.0, 0.0)))
            @if ci.is_some() { line.ci x1=(px(low.0)) x2=(px(high.0)) y1=(px(low.1)) y2=(px(high.1)) {} }
            text.figures x=(px(end + 8.0)) y=(px(y)) { (format!("{:.2} %", share * 100.0)) }
        }
    })
}

fn said(title: &str, bars: &[Bar]) -> String {
    let parts: Vec<String> = bars
        .iter()
        .map(|(name, share, _)| format!("{} {:.2} %", cut(name, SAID_MAX), share * 100.0))
        .collect();
    format!("{title}: {}", parts.join("; "))
}

/// The distribution functions of both models' latencies over a logarithmic axis.
pub(super) fn curves(champion: &[[f64; 2]], candidate: &[[f64; 2]]) -> Markup {
    let all = || champion.iter().chain(candidate).map(|point| point[0]).filter(|x| *x > 0.0);
    let (Some(lo), Some(hi)) = (all().reduce(f64::min), all().reduce(f64::max)) else { return html! {} };
    let lo = lo.log10().floor().clamp(-DECADES_MAX, DECADES_MAX - 1.0);
    let hi = hi.log10().ceil().clamp(lo + 1.0, DECADES_MAX);
    let times = Axis::decades(10f64.powf(lo), 10f64.powf(hi));
    let path = |points: &[[f64; 2]]| points.iter().map(|[us, share]| (*us, *share)).collect::<Vec<_>>();
    let (champion, candidate) = (path(champion), path(candidate));
    let elements = plot::plot(CURVES, (times, Axis::values(0.0, 1.0)), |chart| {
        plot::below(chart, (8, true), &|us| latency(Some(*us)))?;
        plot::left(chart, 11, &|share| number(*share))?;
        chart.draw_series(LineSeries::new(champion, Ink::line(CHAMPION)))?;
        chart.draw_series(LineSeries::new(candidate, Ink::line(CANDIDATE)))?;
        Ok(())
    });
    html! {
        figure {
            figcaption { "Share of requests answered within a time" }
            (legend())
            div.scroll tabindex="0" role="group" aria-label="Distribution of latencies" {
                svg.chart viewBox=(CURVES.view_box()) role="img" aria-label="Distribution of latencies; the table has their percentiles" { (elements) }
            }
        }
    }
}

fn legend() -> Markup {
    html! { ul.legend { li { i.key.s5 {} "champion" } li { i.key.s0 {} "candidate" } } }
}

/// Requests a second of both models by requests in a call; nothing where there is one size alone.
pub(super) fn batches(rates: &[BatchRates]) -> Markup {
    let all = rates.iter().flat_map(|rates| [rates.champion_per_s, rates.candidate_per_s]).flatten();
    let most = all.reduce(f64::max).filter(|most| *most > 0.0 && rates.len() > 1);
    let Some(most) = most else { return html! {} };
    let path = |of: fn(&BatchRates) -> Option<f64>| {
        let one = |(at, rates): (usize, &BatchRates)| Some((at as f64, of(rates)?));
        rates.iter().enumerate().filter_map(one).collect::<Vec<_>>()
    };
    let size = |at: &f64| {
        let rates = usize::try_from(*at as i64).ok().and_then(|at| rates.get(at));
        rates.map_or_else(String::new, |rates| rates.batch.to_string())
    };
    let axes = (Axis::whole(0.0, (rates.len() - 1) as f64), Axis::values(0.0, most));
    let elements = plot::plot(RATES, axes, |chart| {
        plot::below(chart, (rates.len(), true), &size)?;
        plot::left(chart, 5, &|rate| number(*rate))?;
        chart.draw_series(LineSeries::new(path(|rates| rates.champion_per_s), Ink::line(CHAMPION)))?;
        chart.draw_series(LineSeries::new(path(|rates| rates.candidate_per_s), Ink::line(CANDIDATE)))?;
        Ok(())
    });
    html! {
        figure {
            figcaption { "Requests a second by requests in a call" }
            (legend())
            div.scroll tabindex="0" role="group" aria-label="Throughput by size of call" {
                svg.chart viewBox=(RATES.view_box()) role="img" aria-label=(format!("Throughput by size of call, up to {} requests a second", number(most))) { (elements) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_have_their_interval_and_stay_on_the_axis() {
        let bars = [("<a>".to_owned(), 0.5, Some([0.25, 7.0])), ("b".to_owned(), 1.0, None)];
        let html = shares("agreement", &bars).into_string();
        assert!(
            html.contains("<line class=\"ci\" x1=\"382.5\" x2=\"810\"") && html.contains("&lt;a&gt;"),
            "{html}"
        );
        assert_eq!(html.matches("class=\"ci\"").count(), 1);
    }

    #[test]
    fn latencies_have_labels_a_decade_and_more_within_few() {
        for (most, labels) in [(30.0, 4), (9_000.0, 4), (1_000_000.0, 6), (1e8, 8)] {
            let html = curves(&[[12.0, 0.5], [most, 1.0]], &[[0.0, 0.0], [15.0, 1.0]]).into_string();
            let below = html.matches("text-anchor=\"middle\"").count();
            assert_eq!(below, labels, "{most}: {html}");
            assert_eq!(html.matches("<polyline").count(), 2);
        }
        assert_eq!(curves(&[], &[]).into_string(), "");
        let html = curves(&[[1e-300, 0.5], [f64::MAX, 1.0]], &[[f64::MAX, 2.0]]).into_string();
        assert!(html.contains("<polyline") && !html.contains("inf") && !html.contains("NaN"), "{html}");
    }
}
