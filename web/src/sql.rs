//! `GET /sql` and `GET /sql/{view}`: the statement behind a number, with its values filled in.

use maud::{Markup, html};
use windvane_store::views::{self, Asked, View};

use crate::address;
use crate::page::{Part, page};

/// All views.
pub fn list() -> Markup {
    let content = html! {
        h1 { "Queries" }
        p { "Every number on these pages comes from one of these statements. Each can be read with its values filled in, run by " code { "windvane query" } ", in Grafana or with any ClickHouse client, and fetched as JSON, CSV or Arrow." }
        section.card {
            div.scroll tabindex="0" role="group" aria-label="Queries" {
                table {
                    thead { tr { th scope="col" { "query" } th scope="col" { "answers" } th scope="col" { "parameters" } th scope="col" { "rows" } } }
                    tbody {
                        @for view in views::ALL {
                            tr {
                                th scope="row" { a href=(format!("/sql/{}", view.name)) { (view.name) } }
                                td { (view.about) }
                                td { @for (i, parameter) in view.parameters.iter().enumerate() { @if i > 0 { ", " } code { (parameter.name) } } @if view.parameters.is_empty() { span.quiet { "none" } } }
                                td { (address::source(view, &Asked::new())) }
                            }
                        }
                    }
                }
            }
        }
    };
    page(Part::Elsewhere, "Queries", content)
}

/// One view with these values.
pub fn one(view: &View, asked: &Asked) -> Markup {
    let sql = view.spelled_out(asked);
    let content = html! {
        p.crumbs { a href="/sql" { "Queries" } }
        h1 { (view.name) }
        p { "Answers: " (view.about) "." }
        section.card {
            header { h2 { "The statement" } (address::source(view, asked)) }
            pre tabindex="0" aria-label="SQL" { (sql) }
        }
        section.card {
            h2 { "Run it yourself" }
            p { "On the machine of the service; with a " code { "FORMAT" } " clause at its end the statement prints what ClickHouse answers." }
            pre tabindex="0" aria-label="Command" { "windvane query --config windvane.toml \"$(cat <<'SQL'\n" (sql) "\nSQL\n)\"" }
            @if !view.parameters.is_empty() {
                h3 { "Parameters" }
                div.scroll tabindex="0" role="group" aria-label="Parameters" {
                    table.narrow {
                        thead { tr { th scope="col" { "name" } th scope="col" { "value here" } th scope="col" { "allowed" } } }
                        tbody {
                            @for parameter in view.parameters {
                                tr {
                                    th scope="row" { code { (parameter.name) } }
                                    td { @match asked.get(parameter.name) { Some(value) => { (value) } None if parameter.default.is_empty() => { span.quiet { "(empty)" } } None => { (parameter.default) span.quiet { " by default" } } } }
                                    td { (parameter.kind.allowed()) }
                                }
                            }
                        }
                    }
                }
            }
        }
    };
    page(Part::Elsewhere, view.name, content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_query_is_listed_and_shown() {
        let html = list().into_string();
        for view in views::ALL {
            assert!(html.contains(&format!("href=\"/sql/{}\"", view.name)), "{}", view.name);
            assert!(one(view, &Asked::new()).into_string().contains("SELECT"), "{}", view.name);
        }
    }
}
