//! The frame of every page and report: title, style, no script and no request to anywhere else.

use maud::{DOCTYPE, Markup, PreEscaped, html};

const STYLE: &str = include_str!("page.css");

/// A page of the service with this title and content.
pub fn page(title: &str, content: Markup) -> Markup {
    let header = html! {
        header {
            a href="/" { strong { "Windvane" } }
            span { "which way does the model drift?" }
            nav aria-label="Pages" { a href="/" { "Models" } " " a href="/experiments" { "Experiments" } }
        }
    };
    let footer = html! {
        footer {
            a href="/api/v1/models" { "models as JSON" }
            " · "
            a href="/api/v1/experiments" { "experiments" }
            " · "
            a href="/api/v1/monitors" { "monitors" }
            " · "
            a href="/metrics" { "metrics" }
            " · "
            a href="/readyz" { "ready?" }
        }
    };
    document(title, header, content, footer)
}

/// A file of its own with this title and content: nothing in it leads anywhere.
pub fn report(title: &str, content: Markup) -> Markup {
    let header = html! { header { strong { "Windvane" } span { "report" } } };
    let footer = html! { footer { "Made by windvane " (env!("CARGO_PKG_VERSION")) "." } };
    document(title, header, content, footer)
}

fn document(title: &str, header: Markup, content: Markup, footer: Markup) -> Markup {
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
            body { (header) main { (content) } (footer) }
        }
    }
}

/// The page of something that is not there.
pub fn missing(what: &str) -> Markup {
    page(
        "Not found",
        html! { h1 { "Not found" } p { (what) } p { a href="/experiments" { "All experiments" } } },
    )
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
