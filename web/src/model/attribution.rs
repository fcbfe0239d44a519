//! Whether a model still decides by the same features: the latest recorded ranking against the reference's.

use maud::{Markup, html};
use windvane_store::views::ATTRIBUTION_FEATURES;
use windvane_types::attribution::{Feature, one_sided};
use windvane_types::drift::Verdict;

use super::findings::{Whose, in_toml, nothing_yet, quoted, source};
use super::read::Model;
use crate::api::attribution::Run;
use crate::numbers::{interval, number, optional, thousands};
use crate::page;

/// Features that are listed.
const FEATURES_MAX: usize = 30;

/// The card.
pub fn card(model: &Model) -> Markup {
    let name = &model.chosen.model;
    let content = match &model.attribution {
        None => nothing_yet(
            "No ranking of features by their attributions is recorded",
            &format!("windvane attribution --model {} --reference previous --window 24h", quoted(name)),
            Some(&format!(
                "[monitors.attribution]\nkind = \"attribution\"\nmodel = {model}\nreference = \"previous\"\nwindow = \"1d\"",
                model = in_toml(name)
            )),
        ),
        Some(run) => latest(run),
    };
    let asked = model.attribution.as_ref().map(|run| Whose::from(&run.key).asked(name, 1));
    page::card("Attributions", &source(name, "attribution", (&ATTRIBUTION_FEATURES, asked)), &content)
}

fn latest(run: &Run) -> Markup {
    let (class, said) = match run.verdict {
        Verdict::Drift => ("drift", "The model decides by other features than the reference"),
        Verdict::NoDrift => ("pass", "Features rank as in the reference"),
        Verdict::InsufficientData => ("", "Too few attributions to tell"),
    };
    let is_below = run.ndcg.zip(run.threshold).is_some_and(|(kept, least)| kept < least);
    html! {
        p class=(format!("answer {class}")) { (said) }
        p.quiet {
            (Whose::from(&run.key).told())
            " The ranking is kept by " (optional(run.ndcg)) " (nDCG; " (interval(run.ci)) "); below " (optional(run.threshold)) " it has drifted. "
            @if is_below && run.verdict == Verdict::NoDrift { "Here chance alone explains that it is. " }
            (thousands(run.rows_current)) " predictions against " (thousands(run.rows_reference)) "."
        }
        @if run.verdict != Verdict::InsufficientData { (only(&run.features)) }
        @if !run.features.is_empty() { (features(&run.features)) }
    }
}

/// Features that only one side has attributions of.
fn only(features: &[Feature]) -> Markup {
    let [vanished, new] = one_sided(features);
    html! {
        @if !vanished.is_empty() { p { "Attributed in the reference only: " (vanished.join(", ")) "." } }
        @if !new.is_empty() { p { "Attributed in this window only: " (new.join(", ")) "." } }
    }
}

fn features(features: &[Feature]) -> Markup {
    html! {
        div.scroll tabindex="0" role="group" aria-label="Features by their attributions" {
            table {
                thead {
                    tr {
                        th scope="col" { "feature" } th.number scope="col" { "place" } th.number scope="col" { "was" }
                        th.number scope="col" { "mean attribution" } th.number scope="col" { "was" }
                    }
                }
                tbody {
                    @for feature in features.iter().take(FEATURES_MAX) {
                        tr {
                            th scope="row" { (feature.feature) }
                            td.number { (feature.rank_current) (moved(feature)) } td.number { (feature.rank_reference) }
                            td.number { (number(feature.importance_current)) } td.number { (number(feature.importance_reference)) }
                        }
                    }
                }
            }
        }
        p.quiet { "Attributions count without their sign." }
        @if features.len() > FEATURES_MAX { p.quiet { "The first " (FEATURES_MAX) " of " (features.len()) " features." } }
    }
}

/// Up is towards the first place.
fn moved(feature: &Feature) -> &'static str {
    match feature.rank_current.cmp(&feature.rank_reference) {
        std::cmp::Ordering::Less => " ↑",
        std::cmp::Ordering::Greater => " ↓",
        std::cmp::Ordering::Equal => "",
    }
}
