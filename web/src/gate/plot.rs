//! Plots of a gate as SVG: shares as bars with their intervals, and distribution functions of latencies.

use maud::{Markup, html};

const WIDTH: f64 = 720.0;
const LABEL: f64 = 220.0;
const ROW: f64 = 22.0;
const HEIGHT: f64 = 240.0;
const MARGIN: f64 = 34.0;
/// Characters of a label.
const LABEL_MAX: usize = 30;

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
            svg viewBox=(format!("0 0 {WIDTH} {height}")) role="img" aria-label=(title) {
                @for (i, (name, share, ci)) in bars.iter().enumerate() {
                    @let y = i as f64 * ROW + 4.0;
                    text x="0" y=(y + 12.0) font-size="12" fill="currentColor" { (name.chars().take(LABEL_MAX).collect::<String>()) }
                    rect x=(LABEL) y=(y) width=(at(1.0) - LABEL) height="14" fill="currentColor" opacity="0.08" {}
                    rect x=(LABEL) y=(y) width=(format!("{:.1}", at(*share) - LABEL)) height="14" fill="#3b7dd8" {}
                    @if let Some([lo, hi]) = ci {
                        line x1=(format!("{:.1}", at(*lo))) x2=(format!("{:.1}", at(*hi))) y1=(y + 7.0) y2=(y + 7.0) stroke="currentColor" stroke-width="2" {}
                    }
                    text x=(at(1.0) + 8.0) y=(y + 12.0) font-size="12" fill="currentColor" { (format!("{:.2} %", share * 100.0)) }
                }
            }
        }
    }
}

/// The distribution functions of both models' latencies over a logarithmic axis.
pub(super) fn curves(champion: &[[f64; 2]], candidate: &[[f64; 2]]) -> Markup {
    let all = || champion.iter().chain(candidate).map(|point| point[0]).filter(|x| *x > 0.0);
    let (Some(lo), Some(hi)) = (all().reduce(f64::min), all().reduce(f64::max)) else { return html! {} };
    let (lo, hi) = (lo.log10().floor(), hi.log10().ceil().max(lo.log10().floor() + 1.0));
    let x = |us: f64| MARGIN + (us.max(1e-9).log10() - lo) / (hi - lo) * (WIDTH - 2.0 * MARGIN);
    let y = |share: f64| HEIGHT - MARGIN - share * (HEIGHT - 2.0 * MARGIN);
    let path = |points: &[[f64; 2]]| {
        let one = |(i, point): (usize, &[f64; 2])| {
            format!("{}{:.1} {:.1}", if i == 0 { "M" } else { "L" }, x(point[0]), y(point[1]))
        };
        points.iter().enumerate().map(one).collect::<Vec<_>>().join(" ")
    };
    let decades: Vec<f64> = (lo as i32..=hi as i32).map(f64::from).collect();
    html! {
        figure {
            figcaption { "Share of requests answered within a time (µs): " span style="color:#888" { "champion" } ", " span style="color:#3b7dd8" { "candidate" } }
            svg viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) role="img" aria-label="Distribution of latencies" {
                @for decade in decades {
                    @let at = format!("{:.1}", x(10f64.powf(decade)));
                    line x1=(at) x2=(at) y1=(y(1.0)) y2=(y(0.0)) stroke="currentColor" opacity="0.15" {}
                    text x=(at) y=(HEIGHT - 12.0) font-size="12" text-anchor="middle" fill="currentColor" { (10f64.powf(decade)) }
                }
                @for share in [0.0, 0.5, 0.95, 1.0] {
                    line x1=(MARGIN) x2=(WIDTH - MARGIN) y1=(y(share)) y2=(y(share)) stroke="currentColor" opacity="0.15" {}
                    text x="0" y=(y(share) + 4.0) font-size="12" fill="currentColor" { (share) }
                }
                path d=(path(champion)) fill="none" stroke="#888" stroke-width="2" {}
                path d=(path(candidate)) fill="none" stroke="#3b7dd8" stroke-width="2" {}
            }
        }
    }
}
