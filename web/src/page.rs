//! The frame of every page: title, style, no script and no request to anywhere else.

use maud::{DOCTYPE, Markup, PreEscaped, html};

const STYLE: &str = include_str!("page.css");

/// A page with this title and content.
pub fn page(title: &str, content: Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                link rel="icon" href="data:,";
                title { (title) " · Windvane" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                header { a href="/" { strong { "Windvane" } } span { "which way does the model drift?" } }
                main { (content) }
                footer {
                    a href="/api/v1/models" { "models as JSON" }
                    " · "
                    a href="/api/v1/monitors" { "monitors" }
                    " · "
                    a href="/metrics" { "metrics" }
                    " · "
                    a href="/readyz" { "ready?" }
                }
            }
        }
    }
}

/// The page shown while ClickHouse does not answer.
pub fn unavailable() -> Markup {
    page(
        "Store unavailable",
        html! {
            h1 { "The store does not answer" }
            p { "Ingestion goes on: acknowledged events wait in the spool. This page is back when ClickHouse is; " a href="/readyz" { "readyz" } " says what is missing." }
        },
    )
}
