//! Addresses of pages and of what is behind them.

use maud::{Markup, html};
use windvane_store::views::{Asked, View};
use windvane_types::address::{escaped, segment};

/// The page of a model.
pub fn model(name: &str) -> String {
    format!("/models/{}", segment(name))
}

/// The page of a model's feature.
pub fn feature(model: &str, column: &str) -> String {
    format!("/models/{}/features/{}", segment(model), segment(column))
}

/// The page of an experiment.
pub fn experiment(name: &str) -> String {
    format!("/experiments/{}", segment(name))
}

/// The document of an experiment's latest look.
pub fn experiment_document(name: &str) -> String {
    format!("/api/v1/experiments/{}", segment(name))
}

/// The page of a gate.
pub fn gate(name: &str) -> String {
    format!("/gates/{}", segment(name))
}

/// The document of a gate's latest run.
pub fn gate_document(name: &str) -> String {
    format!("/api/v1/gates/{}", segment(name))
}

/// What a roll-out is told of a gate.
pub fn gate_evaluation(name: &str) -> String {
    format!("{}/evaluate", gate_document(name))
}

/// `?a=1&b=2` without the pairs that have no value.
pub fn query<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let parts: Vec<String> = pairs
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| format!("{name}={}", escaped(value)))
        .collect();
    if parts.is_empty() { String::new() } else { format!("?{}", parts.join("&")) }
}

/// Links to the statement behind some numbers, and to its rows as files.
pub fn source(view: &View, asked: &Asked) -> Markup {
    html! { span.source { (statement(view, asked)) } }
}

/// The same where several statements are behind some numbers, each after what it tells.
pub fn sources(parts: &[(&str, &View, &Asked)]) -> Markup {
    html! {
        span.source {
            @for (i, (what, view, asked)) in parts.iter().enumerate() {
                @if i > 0 { "; " }
                (what) ": " (statement(view, asked))
            }
        }
    }
}

/// A link to the document of the read API that some numbers are taken from, where no row has them.
pub fn document(document: &str) -> Markup {
    html! { span.source { (json(document)) } }
}

fn json(document: &str) -> Markup {
    html! { a href=(document) title="as the read API tells it" { "JSON" } }
}

/// The same behind a link to the document of the read API that tells more than the rows.
pub fn source_beside(document: &str, view: &View, asked: &Asked) -> Markup {
    html! {
        span.source { (json(document)) " · " (statement(view, asked)) }
    }
}

fn statement(view: &View, asked: &Asked) -> Markup {
    let pairs = || asked.iter().map(|(name, value)| (*name, value.as_str()));
    let rows = |format: &'static str| {
        format!("/api/v1/views/{}{}", view.name, query(pairs().chain([("format", format)])))
    };
    html! {
        a href=(format!("/sql/{}{}", view.name, query(pairs()))) title=(view.about) { "show SQL" } " · "
        a href=(rows("csv")) { "CSV" } " · " a href=(rows("arrow")) { "Arrow" }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_lead_to_their_document_statement_and_rows() {
        let asked = Asked::from([("gate", "a/b".to_owned())]);
        let html =
            source_beside(&gate_document("a/b"), &windvane_store::views::GATE_CHECKS, &asked).into_string();
        for href in [
            "/api/v1/gates/a%2Fb",
            "/sql/gate_checks?gate=a%2Fb",
            "/api/v1/views/gate_checks?gate=a%2Fb&amp;format=csv",
            "/api/v1/views/gate_checks?gate=a%2Fb&amp;format=arrow",
        ] {
            assert!(html.contains(&format!("href=\"{href}\"")), "no `{href}` in {html}");
        }
    }

    #[test]
    fn names_are_escaped_in_addresses() {
        assert_eq!(experiment("a b/c?"), "/experiments/a%20b%2Fc%3F");
        assert_eq!(gate("a/b"), "/gates/a%2Fb");
        assert_eq!(gate_evaluation("a/b"), "/api/v1/gates/a%2Fb/evaluate");
        assert_eq!(feature("m/1", "é"), "/models/m%2F1/features/%C3%A9");
        assert_eq!(feature("..", "."), "/models/~../features/~.", "browsers take dots out of a path");
        assert_eq!(query([("a", "1&2"), ("b", "..")]), "?a=1%262&b=..");
        assert_eq!(query([("a", "1&2"), ("b", "")]), "?a=1%262");
        assert_eq!(query([]), "");
    }
}
