//! All gates with what their latest run said.

use maud::{Markup, html};
use windvane_store::findings::gate::Latest;
use windvane_store::views::{Asked, GATES};
use windvane_types::gate::{Document, Model};
use windvane_types::span;

use super::{NAME_MAX, answer, badge, model};
use crate::address;
use crate::chart::cut;
use crate::listed::full;
use crate::numbers::thousands;
use crate::page::{Part, empty, page, time};
use crate::pages::GATES_MAX;

/// The page of all gates.
pub fn list(gates: &[Latest]) -> Markup {
    let content = html! {
        div.head { h1 { "Gates" } (address::source_beside("/api/v1/gates", &GATES, &Asked::new())) }
        @if gates.is_empty() { (nothing_yet()) } @else {
            section.card {
                (table(gates))
                (full(gates.len(), GATES_MAX, "gates that ran last", "/api/v1/gates"))
            }
        }
    };
    page(Part::Gates, "Gates", content)
}

/// What a newcomer does next.
fn nothing_yet() -> Markup {
    empty(&html! {
        h2 { "No run of a gate is recorded" }
        p { "May a new model take the place of the one that answers now? Ask both what was asked before, and keep the verdict under a name:" }
        pre tabindex="0" aria-label="Commands" {
            "$ windvane shadow policy > gate.toml\n"
            "$ windvane shadow run --champion NOW.onnx --candidate NEW.onnx --traffic store --model MODEL --window 7d \\\n"
            "    --policy gate.toml --record NAME"
        }
        p { code { "/api/v1/gates/NAME/evaluate" } " then tells a roll-out whether to go on." }
    })
}

fn table(gates: &[Latest]) -> Markup {
    html! {
        div.scroll tabindex="0" role="group" aria-label="Gates" {
            table {
                thead {
                    tr {
                        th scope="col" { "gate" } th scope="col" { "verdict" } th scope="col" { "what it says" }
                        th scope="col" { "champion" } th scope="col" { "candidate" }
                        th.number scope="col" { "requests" } th scope="col" { "ran" }
                    }
                }
                tbody { @for latest in gates { (row(latest)) } }
            }
        }
    }
}

fn row(latest: &Latest) -> Markup {
    let document: Option<Document> = serde_json::from_str(&latest.document).ok();
    html! {
        tr {
            th scope="row" { a href=(address::gate(&latest.gate)) { (cut(&latest.gate, NAME_MAX)) } @if !latest.model.is_empty() { br; span.quiet { (model(latest)) } } }
            @match &document {
                Some(document) => {
                    td { (badge(document.verdict)) }
                    td.words { (answer(document)) }
                    td { (file(&document.provenance.champion)) }
                    td { (file(&document.provenance.candidate)) }
                    td.number { (thousands(document.requests)) }
                }
                None => { td { (latest.verdict) } td.quiet { "recorded by another version" } td { "–" } td { "–" } td.number { "–" } }
            }
            td { (time(&span::shown(latest.computed_at_us))) }
        }
    }
}

/// A model's file without its folders; which file it was says its hash.
fn file(model: &Model) -> Markup {
    let name = model.path.rsplit(['/', '\\']).next().unwrap_or_default();
    html! { span title=(format!("SHA-256 {}", model.sha256)) { (cut(name, NAME_MAX)) } }
}
