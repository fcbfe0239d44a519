//! Which parts of a model's rows stand out: segments in which columns drifted, and segments in which a metric left what is usual.

use maud::{Markup, html};
use serde::Deserialize;
use windvane_store::views::{Asked, DRIFT_SEGMENTS, PERFORMANCE_SEGMENTS};

use super::drift::direction;
use super::fairness::VALUE_MAX;
use super::read::Model;
use crate::address;
use crate::chart::cut;
use crate::numbers::{number, thousands};
use crate::{page, performance};

/// A column that drifted in a segment.
#[derive(Debug, Clone, Deserialize)]
pub struct Drifted {
    pub segment_key: String,
    pub segment_value: String,
    pub column: String,
    pub direction: String,
    pub strength: f64,
    pub n_reference: u64,
    pub n_current: u64,
}

/// A metric of a segment.
#[derive(Debug, Clone, Deserialize)]
pub struct Measured {
    pub segment_key: String,
    pub segment_value: String,
    pub metric: String,
    pub alert: bool,
    pub realised: Option<f64>,
    pub estimated: Option<f64>,
    pub threshold_low: Option<f64>,
    pub threshold_high: Option<f64>,
    pub n: u64,
    pub labelled: u64,
}

/// The cards.
pub fn cards(model: &Model) -> Markup {
    let asked = Asked::from([("model", model.chosen.model.clone())]);
    if model.drifted.is_empty() && model.measured.is_empty() {
        let content = html! {
            p.quiet { "No segment stands out, or none is looked at: " code { "segment_by = [\"region\"]" } " of a monitor says what segments are cut by." }
        };
        return page::card("Segments", &address::source(&DRIFT_SEGMENTS, &asked), &content);
    }
    html! {
        div.columns {
            @if !model.drifted.is_empty() {
                (page::card("Segments that drifted", &address::source(&DRIFT_SEGMENTS, &asked), &drifted(model)))
            }
            @if !model.measured.is_empty() {
                (page::card("Performance by segment", &address::source(&PERFORMANCE_SEGMENTS, &asked), &measured(&model.measured)))
            }
        }
    }
}

fn drifted(model: &Model) -> Markup {
    html! {
        div.scroll tabindex="0" role="group" aria-label="Segments that drifted" {
            table {
                thead { tr { th scope="col" { "segment" } th scope="col" { "column" } th scope="col" { "direction" } th.number scope="col" { "times its floor" } th.number scope="col" { "reference" } th.number scope="col" { "current" } } }
                tbody {
                    @for row in &model.drifted {
                        tr {
                            th scope="row" { (row.segment_key) " " (cut(&row.segment_value, VALUE_MAX)) }
                            td { a href=(address::feature(&model.chosen.model, &row.column)) { (row.column) } }
                            td { (direction(&row.direction)) } td.number { (number(row.strength)) }
                            td.number { (thousands(row.n_reference)) } td.number { (thousands(row.n_current)) }
                        }
                    }
                }
            }
        }
    }
}

fn measured(rows: &[Measured]) -> Markup {
    let unusual: Vec<&Measured> = rows.iter().filter(|row| row.alert).collect();
    html! {
        @if unusual.is_empty() {
            p.quiet { "Every metric of each segment of the newest window is within what is usual, as far as it has outcomes enough." }
        } @else {
            div.scroll tabindex="0" role="group" aria-label="Metrics of segments that left what is usual" {
                table {
                    thead { tr { th scope="col" { "segment" } th scope="col" { "metric" } th.number scope="col" { "realised" } th.number scope="col" { "estimated" } th.number scope="col" { "usual" } th.number scope="col" { "with an outcome" } } }
                    tbody {
                        @for row in unusual {
                            tr {
                                th scope="row" { (row.segment_key) " " (cut(&row.segment_value, VALUE_MAX)) } td { (row.metric) }
                                td.number { (row.realised.map_or("–".to_owned(), number)) }
                                td.number { (row.estimated.map_or("–".to_owned(), number)) }
                                td.number { (performance::usual(Some([row.threshold_low, row.threshold_high]))) }
                                td.number { (thousands(row.labelled)) " of " (thousands(row.n)) }
                            }
                        }
                    }
                }
            }
        }
    }
}
