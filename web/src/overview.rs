//! The first page: what is recorded, and what drifted last.

use maud::{Markup, html};

use crate::numbers::{latency, short, thousands};
use crate::page::page;
use crate::views::{Finding, Model, Overview};

/// The page as HTML.
pub fn render(overview: &Overview) -> Markup {
    let content = html! {
        h1 { "Models" }
        @if overview.models.is_empty() { (nothing_yet()) } @else { (models(&overview.models)) }
        @if !overview.models.is_empty() {
            h2 { "What drifted" }
            @if overview.findings.is_empty() {
                p.quiet { "No drift is recorded. " code { "windvane drift --model NAME --reference previous --window 24h" } " compares two windows." }
            } @else {
                (findings(&overview.findings))
            }
        }
    };
    page("Models", content)
}

/// What a newcomer does next.
fn nothing_yet() -> Markup {
    html! {
        p { "Nothing is recorded yet. Send a first prediction:" }
        pre {
            "curl -d '{\"model\":\"delay\",\"version\":\"1\",\"ts\":\"2026-01-01T00:00:00Z\",\"features\":{\"distance\":1400},\"prediction\":{\"score\":0.12}}' \\\n"
            "  -H 'content-type: application/json' http://127.0.0.1:8080/v1/predictions"
        }
    }
}

fn models(models: &[Model]) -> Markup {
    html! {
        div.scroll {
            table {
                thead {
                    tr {
                        th scope="col" { "model" } th scope="col" { "version" } th scope="col" { "environment" }
                        th.number scope="col" { "predictions" } th.number scope="col" { "outcomes" }
                        th scope="col" { "first (UTC)" } th scope="col" { "last (UTC)" }
                        th.number scope="col" { "latency p50" } th.number scope="col" { "p99" }
                    }
                }
                tbody {
                    @for model in models {
                        tr {
                            td { (model.model) } td { (model.version) } td { (model.environment) }
                            td.number { (thousands(model.predictions)) } td.number { (thousands(model.outcomes)) }
                            td { time datetime=(model.first_ts) { (short(&model.first_ts)) } }
                            td { time datetime=(model.last_ts) { (short(&model.last_ts)) } }
                            td.number { (latency(model.latency_p50_us)) } td.number { (latency(model.latency_p99_us)) }
                        }
                    }
                }
            }
        }
    }
}

fn findings(findings: &[Finding]) -> Markup {
    html! {
        div.scroll {
            table {
                thead {
                    tr {
                        th scope="col" { "window (UTC)" } th scope="col" { "model" } th scope="col" { "column" }
                        th scope="col" { "direction" } th scope="col" { "effect by method" }
                    }
                }
                tbody {
                    @for finding in findings {
                        tr {
                            td { (finding.window) }
                            td { (finding.model) @if !finding.version.is_empty() { " " (finding.version) } }
                            td { (finding.column) }
                            td { (finding.direction) }
                            td { (finding.effects) }
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_store_says_what_to_do_next() {
        let html = render(&Overview { models: Vec::new(), findings: Vec::new() }).into_string();
        assert!(html.contains("/v1/predictions"), "{html}");
    }

    #[test]
    fn names_are_escaped() {
        let finding = Finding {
            model: "<b>m</b>".to_owned(),
            version: String::new(),
            window: "w".to_owned(),
            column: "<script>".to_owned(),
            direction: "up".to_owned(),
            effects: "ks 0.2".to_owned(),
        };
        let html = super::findings(&[finding]).into_string();
        assert!(!html.contains("<script>") && html.contains("&lt;script&gt;"), "{html}");
    }
}
