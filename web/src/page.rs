//! The frame of every page and report: title, style, navigation. Nothing in it leads to another host.
//!
//! A page takes style and script from the service, so that they are fetched once; a report carries its style and has no
//! script.

use maud::{DOCTYPE, Markup, PreEscaped, html};

pub const STYLE: &str = include_str!("page.css");
pub const SCRIPT: &str = include_str!("page.js");
pub const THEME: &str = include_str!("theme.js");

/// A part of the service that the navigation leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Models and their features.
    Models,
    /// Experiments.
    Experiments,
    /// Gates.
    Gates,
    /// Alerts, silences.
    Alerts,
    /// Monitors, tables, collector.
    Pipeline,
    /// The configuration.
    Settings,
    /// None of them.
    Elsewhere,
}

const PARTS: [(Part, &str, &str); 6] = [
    (Part::Models, "/", "Models"),
    (Part::Experiments, "/experiments", "Experiments"),
    (Part::Gates, "/gates", "Gates"),
    (Part::Alerts, "/alerts", "Alerts"),
    (Part::Pipeline, "/pipeline", "Pipeline"),
    (Part::Settings, "/settings", "Settings"),
];

/// A page of the service with this title and content, which is shown again when something changes.
pub fn page(part: Part, title: &str, content: Markup) -> Markup {
    let head = html! {
        link rel="stylesheet" href=(crate::assets::style_path());
        script src=(crate::assets::theme_path()) {}
        script src=(crate::assets::script_path()) defer {}
    };
    let header = html! {
        a.skip href="#content" { "To the content" }
        header.bar {
            div {
                a.brand href="/" { (mark()) "Windvane" }
                nav aria-label="Pages" {
                    @for (other, href, name) in PARTS {
                        a href=(href) aria-current=[(other == part).then_some("page")] { (name) }
                    }
                }
                div.tools {
                    span #live .live hidden role="status" { "live" }
                    button #theme .plain type="button" hidden { "Dark" }
                }
            }
        }
    };
    let footer = html! {
        footer {
            "Times are those of " span data-zone { "UTC" } "; days, of windows and on the axes of charts, are those of UTC. "
            a href="/api/v1/models" { "Read API" } " · " a href="/sql" { "Queries" } " · "
            a href="/metrics" { "Metrics" } " · " a href="/readyz" { "Readiness" }
        }
    };
    document(title, head, html! { (header) main #content data-live { (content) } (footer) })
}

/// A file of its own with this title and content: nothing in it leads anywhere.
pub fn report(title: &str, content: Markup) -> Markup {
    let head = html! { style { (PreEscaped(STYLE)) } };
    let body = html! {
        header.bar { div { span.brand { (mark()) "Windvane" } span.quiet { "report" } } }
        main #content { (content) }
        footer { "Made by windvane " (env!("CARGO_PKG_VERSION")) ". Times are UTC." }
    };
    document(title, head, body)
}

/// The vane.
fn mark() -> Markup {
    html! {
        svg viewBox="0 0 24 24" aria-hidden="true" {
            path d="M12 21V9 M8 21h8 M3 9h13 M16 5l5 4-5 4 M3 6v6" {}
        }
    }
}

fn document(title: &str, head: Markup, body: Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                link rel="icon" href="data:,";
                title { (title) " · Windvane" }
                (head)
            }
            body { (body) }
        }
    }
}

/// A document of at most so many bytes in a data block, which no browser runs; of a larger one, where it is, and of one that could not be
/// written, which is empty, that it is missing.
pub fn embedded(json: &str, most: usize) -> Markup {
    // `<` could end the block; JSON may have it escaped.
    let text = json.replace('<', "\\u003c");
    html! {
        @if text.is_empty() {
            p.quiet { "The document could not be written as JSON, so that this file is without it; the figures above are whole." }
        } @else if text.len() > most {
            p.quiet { "The document is too large to be kept in this file; " code { "--format json" } " prints it." }
        } @else { script type="application/json" id="document" { (PreEscaped(text)) } }
    }
}

/// A part of a page with a heading, and where its numbers come from.
pub fn card(heading: &str, source: &Markup, content: &Markup) -> Markup {
    html! {
        section.card { header { h2 { (heading) } (source) } (content) }
    }
}

/// Where there is nothing yet: why, and what to do next.
pub fn empty(content: &Markup) -> Markup {
    html! { div.empty { (content) } }
}

/// A time for a person: of the viewer's zone with a script, else UTC.
pub fn time(at: &str) -> Markup {
    html! { @if at.is_empty() { span.quiet { "–" } } @else { time datetime=(at) { (crate::numbers::short(at)) } } }
}

/// A window for a person, as [`time`]; to the second where it is short.
pub fn window(start: &str, end: &str) -> Markup {
    let [from, to] = crate::numbers::ends(start, end);
    let form = crate::numbers::has_seconds(start, end).then_some("second");
    html! { time datetime=(start) data-form=[form] { (from) } " – " time datetime=(end) data-form=[form] { (to) } }
}

/// How a sentence writes a time; `0` is any digit.
const WRITTEN: [&str; 2] = ["0000-00-00 00:00 UTC", "0000-00-00 00:00:00 UTC"];

/// A sentence whose times, written as `2026-01-01 00:00 UTC` or `2026-01-01 00:00:00 UTC`, are of the viewer's zone with a script.
pub fn told(sentence: &str) -> Markup {
    let mut pieces = Vec::new();
    let mut rest = sentence;
    while let Some((at, written)) = first_time(rest) {
        let (before, found) = rest.split_at(at);
        let (time, after) = found.split_at(written.len());
        pieces.push((before, time));
        rest = after;
    }
    let to_second = |time: &str| time.len() > WRITTEN[0].len();
    let instant =
        |time: &str| time.replacen(' ', "T", 1).replace(" UTC", if to_second(time) { "Z" } else { ":00Z" });
    let form = |time: &str| to_second(time).then_some("second");
    html! {
        @for (before, time) in pieces { (before) time datetime=(instant(time)) data-form=[form(time)] { (time) } }
        (rest)
    }
}

/// Where the first written time begins, and how it is written.
fn first_time(text: &str) -> Option<(usize, &'static str)> {
    let alike = |(byte, form): (u8, u8)| if form == b'0' { byte.is_ascii_digit() } else { byte == form };
    let is_at = |at: usize, written: &str| {
        let part = text.get(at..at + written.len());
        part.is_some_and(|part| part.bytes().zip(written.bytes()).all(alike))
    };
    let mut places = text.char_indices().map(|(at, _)| at);
    places.find_map(|at| Some((at, WRITTEN.into_iter().find(|written| is_at(at, written))?)))
}

/// The page of something that is not there.
pub fn missing(what: &str) -> Markup {
    page(
        Part::Elsewhere,
        "Not found",
        html! { h1 { "Not found" } p { (what) } p { a href="/" { "All models" } " · " a href="/experiments" { "All experiments" } " · " a href="/gates" { "All gates" } } },
    )
}

/// The page of an address that asks for what cannot be.
pub fn refused(why: &str) -> Markup {
    page(
        Part::Elsewhere,
        "Not understood",
        html! { h1 { "Not understood" } p { (why) } p { a href="/sql" { "All queries" } } },
    )
}

/// The page in place of one that would be too large.
pub fn too_large(why: &str) -> Markup {
    page(
        Part::Elsewhere,
        "Too large",
        html! { h1 { "Too large" } p { (why) } p { a href="/sql" { "All queries" } } },
    )
}

/// The page of a form that could not be taken: why, and the way back.
pub fn not_taken(why: &str, back: &str) -> Markup {
    page(
        Part::Elsewhere,
        "Not taken",
        html! { h1 { "Not taken" } p { (why) } p { a href=(back) { "Back" } } },
    )
}

/// The page shown while ClickHouse does not answer.
pub fn unavailable() -> Markup {
    page(
        Part::Elsewhere,
        "Store unavailable",
        html! {
            h1 { "The store does not answer" }
            p { "Ingestion goes on: acknowledged events wait in the spool. This page is back when ClickHouse is; " a href="/readyz" { "readyz" } " says what is missing." }
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_in_a_sentence_are_elements_and_the_rest_is_escaped() {
        for (sentence, html) in [
            ("", ""),
            ("<é>, until 2026-01-01", "&lt;é&gt;, until 2026-01-01"),
            (
                "é 2026-01-01 00:00 UTC to 2026-01-02 06:30 UTC.",
                "é <time datetime=\"2026-01-01T00:00:00Z\">2026-01-01 00:00 UTC</time> to <time datetime=\"2026-01-02T06:30:00Z\">2026-01-02 06:30 UTC</time>.",
            ),
            (
                "at 2026-01-01 00:00:30 UTC",
                "at <time datetime=\"2026-01-01T00:00:30Z\" data-form=\"second\">2026-01-01 00:00:30 UTC</time>",
            ),
        ] {
            assert_eq!(told(sentence).into_string(), html);
        }
    }

    #[test]
    fn a_document_is_embedded_or_it_is_said_why_it_is_not() {
        let shown = |json: &str| embedded(json, 20).into_string();
        let block = "<script type=\"application/json\" id=\"document\">{\"a\":\"\\u003c/\"}</script>";
        assert_eq!(shown("{\"a\":\"</\"}"), block);
        let (large, unwritten) = (shown("{\"a\":\"0123456789abc\"}"), shown(""));
        assert!(large.contains("too large") && large.contains("--format json"), "{large}");
        assert!(
            unwritten.contains("could not be written") && !unwritten.contains("too large"),
            "{unwritten}"
        );
        assert!(!large.contains("<script") && !unwritten.contains("<script"), "{large} {unwritten}");
    }
}
