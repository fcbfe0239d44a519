//! All experiments with what their latest look said.

use maud::{Markup, html};
use windvane_store::findings::experiment_looks::Latest;
use windvane_store::views::{Asked, EXPERIMENTS};
use windvane_types::experiment::{Comparison, Document, Role, SrmVerdict, Verdict};
use windvane_types::span;

use super::{verdict, words};
use crate::address;
use crate::listed::full;
use crate::numbers::thousands;
use crate::page::{Part, empty, page, time};
use crate::pages::EXPERIMENTS_MAX;

/// The page of all experiments.
pub fn list(experiments: &[Latest]) -> Markup {
    let content = html! {
        div.head { h1 { "Experiments" } (address::source_beside("/api/v1/experiments", &EXPERIMENTS, &Asked::new())) }
        @if experiments.is_empty() { (nothing_yet()) } @else {
            section.card {
                (table(experiments))
                (full(experiments.len(), EXPERIMENTS_MAX, "experiments that were looked at last", "/api/v1/experiments"))
            }
        }
    };
    page(Part::Experiments, "Experiments", content)
}

/// What a newcomer does next.
fn nothing_yet() -> Markup {
    empty(&html! {
        h2 { "No look is recorded" }
        p { "Nobody has looked at an experiment yet. Define one in the configuration, send exposures, and look:" }
        pre tabindex="0" aria-label="Configuration" {
            "[experiments.checkout]\ncontrol = \"A\"\nevery = \"1d\"\n[experiments.checkout.metrics.revenue]\n\n"
            "$ windvane experiment checkout"
        }
        p { code { "every" } " lets the service look by itself." }
    })
}

fn table(experiments: &[Latest]) -> Markup {
    html! {
        div.scroll tabindex="0" role="group" aria-label="Experiments" {
            table {
                thead {
                    tr {
                        th scope="col" { "experiment" } th scope="col" { "verdict" } th scope="col" { "what it says" }
                        th.number scope="col" { "units" } th.number scope="col" { "looks" } th scope="col" { "as of" }
                    }
                }
                tbody { @for latest in experiments { (row(latest)) } }
            }
        }
    }
}

fn row(latest: &Latest) -> Markup {
    let document: Option<Document> = serde_json::from_str(&latest.document).ok();
    let as_of = span::shown(latest.as_of_us);
    html! {
        tr {
            th scope="row" { a href=(address::experiment(&latest.experiment)) { (words::name(&latest.experiment)) } }
            @match &document {
                Some(document) => {
                    td {
                        @if document.srm.verdict == SrmVerdict::Mismatch { span.badge.worse { "no verdict" } }
                        @else { (verdict(document.overall())) }
                    }
                    td.words { (foremost(document)) }
                    td.number { (thousands(document.arms.iter().map(|arm| arm.n).sum())) }
                }
                None => { td { (latest.verdict) } td.quiet { "recorded by another version" } td.number { "–" } }
            }
            td.number { (thousands(latest.looks)) }
            td { (time(&as_of)) }
        }
    }
}

/// The sentence that matters most: a mismatch, else what the verdict is about, a primary metric first.
fn foremost(document: &Document) -> String {
    if document.srm.verdict == SrmVerdict::Mismatch {
        return words::headline(document);
    }
    let said = document.overall();
    let primary = |found: &&Comparison| (found.verdict != said, found.role != Role::Primary);
    match document.comparisons.iter().min_by_key(primary) {
        Some(found) if said != Verdict::Inconclusive || document.comparisons.len() == 1 => {
            words::sentence(found, document.alpha)
        }
        _ => words::headline(document),
    }
}
