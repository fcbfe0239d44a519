//! What a model answered in the last day of the span: its classes, its scores or its values.

use maud::{Markup, html};
use windvane_store::views::{ANSWERS, NUMBERS};

use super::read::{Answer, Bin, Model};
use crate::address;
use crate::chart::axis::Axis;
use crate::chart::px;
use crate::numbers::{number, percent, thousands};
use crate::page;

const WIDTH: f64 = 460.0;
const HEIGHT: f64 = 170.0;
const PLOT_X: (f64, f64) = (44.0, 452.0);
const PLOT_Y: (f64, f64) = (136.0, 8.0);

/// The card; nothing where the day has no answers.
pub fn card(model: &Model) -> Markup {
    if model.answers.is_empty() && model.numbers.is_empty() {
        return html! {};
    }
    html! {
        div.columns {
            @if !model.numbers.is_empty() {
                (page::card("Scores and values, last 24 hours", &address::source(&NUMBERS, &model.day), &numbers(&model.numbers)))
            }
            @if !model.answers.is_empty() {
                (page::card("Classes, last 24 hours", &address::source(&ANSWERS, &model.day), &classes(&model.answers)))
            }
        }
    }
}

fn numbers(bins: &[Bin]) -> Markup {
    html! {
        @for bins in bins.chunk_by(|a, b| a.kind == b.kind) { (histogram(bins)) }
    }
}

/// Bins of the engine's choice: they are as wide as they have to be, so their areas are the counts.
fn histogram(bins: &[Bin]) -> Markup {
    let density = |bin: &Bin| bin.predictions / (bin.high - bin.low).max(f64::MIN_POSITIVE);
    let wide: Vec<&Bin> = bins.iter().filter(|bin| bin.high > bin.low).collect();
    let (Some(first), Some(last)) = (wide.first(), wide.last()) else { return html! {} };
    let x = Axis::new((first.low, last.high), PLOT_X);
    let y = Axis::new((0.0, wide.iter().map(|bin| density(bin)).fold(0.0, f64::max) * 1.05), PLOT_Y);
    let kind = if first.kind == "score" { "Scores" } else { "Values" };
    let said = format!("{kind} from {} to {}", number(first.low), number(last.high));
    html! {
        svg.chart.small role="img" viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) aria-label=(said) {
            @for bin in &wide {
                rect.current x=(px(x.at(bin.low))) width=(px((x.at(bin.high) - x.at(bin.low) - 1.0).max(0.5))) y=(px(y.at(density(bin)))) height=(px(PLOT_Y.0 - y.at(density(bin)))) {
                    title { (number(bin.low)) " to " (number(bin.high)) ": about " (number(bin.predictions)) " predictions" }
                }
            }
            line.base x1=(px(PLOT_X.0)) x2=(px(PLOT_X.1)) y1=(px(PLOT_Y.0)) y2=(px(PLOT_Y.0)) {}
            @for tick in x.ticks(5) { text.tick x=(px(x.at(tick))) y=(px(PLOT_Y.0 + 18.0)) text-anchor="middle" { (number(tick)) } }
        }
    }
}

fn classes(answers: &[Answer]) -> Markup {
    let all: u64 = answers.iter().map(|found| found.predictions).sum();
    html! {
        div.scroll tabindex="0" role="group" aria-label="Classes" {
            table.narrow {
                thead { tr { th scope="col" { "class" } th scope="col" { "version" } th.number scope="col" { "predictions" } th.number scope="col" { "share" } } }
                tbody {
                    @for found in answers.iter().take(20) {
                        tr {
                            th scope="row" { (found.answer) } td { (found.version) }
                            td.number { (thousands(found.predictions)) }
                            td.number { (percent(found.predictions as f64 / all.max(1) as f64)) }
                        }
                    }
                }
            }
        }
    }
}
