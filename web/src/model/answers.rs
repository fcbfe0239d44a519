//! What a model answered in the last day of the span: its classes, its scores or its values.

use maud::{Markup, html};
use plotters::series::LineSeries;
use windvane_store::views::{ANSWERS, NUMBERS};

use super::read::{Answer, Bin, Model};
use crate::address;
use crate::chart::axis::Axis;
use crate::chart::backend::Ink;
use crate::chart::marks::{Mark, bar_with};
use crate::chart::plot::{self, Frame};
use crate::numbers::{number, percent, thousands};
use crate::page;

/// Classes that are listed.
const CLASSES_MAX: usize = 20;
const FRAME: Frame = Frame { size: (460.0, 170.0), x: (44.0, 452.0), y: (136.0, 8.0) };

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
    let (Some(first), Some(last)) = (wide.first(), wide.last()) else { return constant(bins) };
    let kind = if first.kind == "score" { "Scores" } else { "Values" };
    let said = format!("{kind} from {} to {}", number(first.low), number(last.high));
    let highest = wide.iter().map(|bin| density(bin)).fold(0.0, f64::max);
    let axes = (Axis::values(first.low, last.high), Axis::values(0.0, highest * 1.05));
    let elements = plot::plot(FRAME, axes, |chart| {
        for bin in &wide {
            let title = html! {
                title { (number(bin.low)) " to " (number(bin.high)) ": about " (number(bin.predictions)) " predictions" }
            };
            let corners = vec![(bin.low, 0.0), (bin.high, density(bin))];
            let bar = Mark::new(corners, |places| match *places {
                // Half a pixel on both sides parts it from its neighbours.
                [from, to, ..] => bar_with("current", [from, to], (-1.0, 0.0), &title),
                _ => html! {},
            });
            chart.plotting_area().draw(&bar)?;
        }
        let ends = chart.x_range();
        chart.draw_series(LineSeries::new([(ends.start, 0.0), (ends.end, 0.0)], Ink::BASE))?;
        plot::below(chart, (6, false), &|value| number(*value))
    });
    html! {
        svg.chart.small role="img" viewBox=(FRAME.view_box()) aria-label=(said) { (elements) }
    }
}

/// What is said in the place of a histogram where every answer is the same number.
fn constant(bins: &[Bin]) -> Markup {
    let all: f64 = bins.iter().map(|bin| bin.predictions).sum();
    html! {
        @if let Some(bin) = bins.first() {
            p { "Every " (if bin.kind == "score" { "score" } else { "value" }) " is " (number(bin.low)) " (" (number(all)) " predictions)." }
        }
    }
}

fn classes(answers: &[Answer]) -> Markup {
    let all = answers.first().map_or(0, |found| found.classes);
    html! {
        div.scroll tabindex="0" role="group" aria-label="Classes" {
            table.narrow {
                thead { tr { th scope="col" { "class" } th scope="col" { "version" } th.number scope="col" { "predictions" } th.number scope="col" { "share" } } }
                tbody {
                    @for found in answers.iter().take(CLASSES_MAX) {
                        tr {
                            th scope="row" { (found.answer) } td { (found.version) }
                            td.number { (thousands(found.predictions)) }
                            td.number { (percent(found.share)) }
                        }
                    }
                }
            }
        }
        @if all > CLASSES_MAX as u64 {
            p.quiet { "Shown are the most frequent " (CLASSES_MAX) " of " (thousands(all)) "." }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bin(low: f64, high: f64) -> Bin {
        Bin { kind: "score".to_owned(), low, high, predictions: 40.0 }
    }

    #[test]
    fn one_number_alone_is_told_in_words() {
        let html = numbers(&[bin(0.5, 0.5)]).into_string();
        assert!(html.contains("Every score is 0.5 (40 predictions)."), "{html}");
        let html = numbers(&[bin(0.0, 0.5), bin(0.5, 1.0)]).into_string();
        assert!(html.contains("Scores from 0 to 1") && html.matches("<rect").count() == 2, "{html}");
    }

    #[test]
    fn shares_are_of_all_answers_and_classes_that_are_left_out_are_counted() {
        let answer = |i: u64| Answer {
            version: "1".to_owned(),
            answer: format!("class {i}"),
            predictions: 10,
            share: 0.001,
            classes: 1_000,
        };
        let html = classes(&(0..60).map(answer).collect::<Vec<_>>()).into_string();
        assert!(
            html.contains("0.1 %") && html.contains("Shown are the most frequent 20 of 1,000."),
            "{html}"
        );
        assert_eq!(html.matches("<tr>").count(), 21);
    }
}
