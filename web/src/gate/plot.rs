//! Plots of a gate as SVG: shares as bars with their intervals, distribution functions of latencies, and rates by size of call.

use maud::{Markup, html};
use windvane_types::gate::BatchRates;

use crate::chart::{cut, px};
use crate::numbers::{latency, number};

const WIDTH: f64 = 880.0;
const LABEL: f64 = 240.0;
const ROW: f64 = 22.0;
const HEIGHT: f64 = 240.0;
const MARGIN: f64 = 44.0;
/// Characters of a label.
const LABEL_MAX: usize = 30;
/// Characters of a name that is heard.
const SAID_MAX: usize = 80;

/// Bars of 0 to 1, each with its interval where it has one.
pub(super) fn shares(title: &str, bars: &[(String, f64, Option<[f64; 2]>)]) -> Markup {
    if bars.is_empty() {
        return html! {};
    }
    let at = |share: f64| LABEL + share.clamp(0.0, 1.0) * (WIDTH - LABEL - 70.0);
    let height = bars.len() as f64 * ROW + 10.0;
    html! {
        figure {
            figcaption { (title) }
            div.scroll tabindex="0" role="group" aria-label=(title) {
                svg.chart viewBox=(format!("0 0 {WIDTH} {height}")) role="img" aria-label=(said(title, bars)) {
                    @for (i, (name, share, ci)) in bars.iter().enumerate() {
                        @let y = i as f64 * ROW + 4.0;
                        text x="0" y=(px(y + 12.0)) { (cut(name, LABEL_MAX)) }
                        rect.reference x=(px(LABEL)) y=(px(y)) width=(px(at(1.0) - LABEL)) height="14" opacity="0.4" {}
                        rect.current x=(px(LABEL)) y=(px(y)) width=(px(at(*share) - LABEL)) height="14" {}
                        @if let Some([lo, hi]) = ci {
                            line x1=(px(at(*lo))) x2=(px(at(*hi))) y1=(px(y + 7.0)) y2=(px(y + 7.0)) stroke="currentColor" stroke-width="2" {}
                        }
                        text.figures x=(px(at(1.0) + 8.0)) y=(px(y + 12.0)) { (format!("{:.2} %", share * 100.0)) }
                    }
                }
            }
        }
    }
}

fn said(title: &str, bars: &[(String, f64, Option<[f64; 2]>)]) -> String {
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
    let (lo, hi) = (lo.log10().floor(), hi.log10().ceil().max(lo.log10().floor() + 1.0));
    let x = |us: f64| MARGIN + (us.max(1e-9).log10() - lo) / (hi - lo) * (WIDTH - 2.0 * MARGIN);
    let y = |share: f64| HEIGHT - MARGIN - share * (HEIGHT - 2.0 * MARGIN);
    let path = |points: &[[f64; 2]]| {
        let one = |point: &[f64; 2]| format!("{},{}", px(x(point[0])), px(y(point[1])));
        points.iter().map(one).collect::<Vec<_>>().join(" ")
    };
    let decades: Vec<f64> = (lo as i32..=hi as i32).map(|decade| 10f64.powi(decade)).collect();
    html! {
        figure {
            figcaption { "Share of requests answered within a time" }
            ul.legend { li { i.key.s5 {} "champion" } li { i.key.s0 {} "candidate" } }
            div.scroll tabindex="0" role="group" aria-label="Distribution of latencies" {
                svg.chart viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) role="img" aria-label="Distribution of latencies; the table has their percentiles" {
                    @for decade in decades {
                        line.grid x1=(px(x(decade))) x2=(px(x(decade))) y1=(px(y(1.0))) y2=(px(y(0.0))) {}
                        text.tick x=(px(x(decade))) y=(px(HEIGHT - 20.0)) text-anchor="middle" { (latency(Some(decade))) }
                    }
                    @for share in [0.0, 0.5, 0.9, 1.0] {
                        line.grid x1=(px(MARGIN)) x2=(px(WIDTH - MARGIN)) y1=(px(y(share))) y2=(px(y(share))) {}
                        text.tick x="0" y=(px(y(share) + 4.0)) { (number(share)) }
                    }
                    polyline.line.s5 points=(path(champion)) {}
                    polyline.line.s0 points=(path(candidate)) {}
                }
            }
        }
    }
}

/// Requests a second of both models by requests in a call; nothing where there is one size alone.
pub(super) fn batches(rates: &[BatchRates]) -> Markup {
    let all = rates.iter().flat_map(|rates| [rates.champion_per_s, rates.candidate_per_s]).flatten();
    let most = all.reduce(f64::max).filter(|most| *most > 0.0 && rates.len() > 1);
    let Some(most) = most else { return html! {} };
    let x = |at: usize| MARGIN * 2.0 + at as f64 / (rates.len() - 1) as f64 * (WIDTH - MARGIN * 3.0);
    let y = |rate: f64| HEIGHT - MARGIN - rate / most * (HEIGHT - 2.0 * MARGIN);
    let path = |of: fn(&BatchRates) -> Option<f64>| {
        let one = |(at, rates): (usize, &BatchRates)| Some(format!("{},{}", px(x(at)), px(y(of(rates)?))));
        rates.iter().enumerate().filter_map(one).collect::<Vec<_>>().join(" ")
    };
    html! {
        figure {
            figcaption { "Requests a second by requests in a call" }
            ul.legend { li { i.key.s5 {} "champion" } li { i.key.s0 {} "candidate" } }
            div.scroll tabindex="0" role="group" aria-label="Throughput by size of call" {
                svg.chart viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) role="img" aria-label=(format!("Throughput by size of call, up to {} requests a second", number(most))) {
                    @for (at, rates) in rates.iter().enumerate() {
                        line.grid x1=(px(x(at))) x2=(px(x(at))) y1=(px(y(most))) y2=(px(y(0.0))) {}
                        text.tick x=(px(x(at))) y=(px(HEIGHT - 20.0)) text-anchor="middle" { (rates.batch) }
                    }
                    @for share in [0.0, 0.5, 1.0] {
                        line.grid x1=(px(MARGIN * 2.0)) x2=(px(WIDTH - MARGIN)) y1=(px(y(share * most))) y2=(px(y(share * most))) {}
                        text.tick x="0" y=(px(y(share * most) + 4.0)) { (number(share * most)) }
                    }
                    polyline.line.s5 points=(path(|rates| rates.champion_per_s)) {}
                    polyline.line.s0 points=(path(|rates| rates.candidate_per_s)) {}
                }
            }
        }
    }
}
