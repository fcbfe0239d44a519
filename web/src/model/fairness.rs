//! Whether a model treats groups alike: the latest recorded run, the groups that differ in words, then every gap with its interval.

use maud::{Markup, html};
use windvane_store::views::FAIRNESS_GAPS;
use windvane_types::fairness::{Gap, Group, Verdict};

use super::findings::{Whose, in_toml, nothing_yet, quoted, source};
use super::read::Model;
use crate::api::fairness::Run;
use crate::numbers::{p_value, percent, signed_percent, thousands};
use crate::page;

/// Groups that are listed.
const GROUPS_MAX: usize = 50;

/// The card.
pub fn card(model: &Model) -> Markup {
    let name = &model.chosen.model;
    let content = match &model.fairness {
        None => nothing_yet(
            "No comparison of groups is recorded",
            &format!(
                "windvane fairness --model {} --window 30d --group-by region --positive late",
                quoted(name)
            ),
            Some(&format!(
                "[monitors.fairness]\nkind = \"fairness\"\nmodel = {model}\nwindow = \"7d\"\nsegment_by = [\"region\"]\npositive = \"late\"",
                model = in_toml(name)
            )),
        ),
        Some(run) => latest(run),
    };
    let asked = model.fairness.as_ref().map(|run| Whose::from(&run.key).asked(name, 1));
    page::card("Fairness", &source(name, "fairness", (&FAIRNESS_GAPS, asked)), &content)
}

fn latest(run: &Run) -> Markup {
    let class = match run.verdict {
        Verdict::Fail => "fail",
        Verdict::Pass => "pass",
        Verdict::InsufficientData => "",
    };
    html! {
        p class=(format!("answer {class}")) { (headline(run)) }
        p.quiet { (Whose::from(&run.key).told()) " " (compared(run)) }
        (gaps(&run.groups))
    }
}

fn headline(run: &Run) -> String {
    let failed = |group: &&Group| group.gaps.iter().any(|gap| gap.verdict == Verdict::Fail);
    let names: Vec<String> = run.groups.iter().filter(failed).map(name).collect();
    match run.verdict {
        Verdict::Fail => format!("Treated unlike the others: {}", names.join("; ")),
        Verdict::Pass => "No group is treated unlike the others".to_owned(),
        Verdict::InsufficientData => "Too few rows, or too few groups, to tell".to_owned(),
    }
}

fn compared(run: &Run) -> String {
    let mut parts = vec![format!("Groups by {}", run.group_by.replace(',', ", "))];
    if let Some(reference) = &run.reference_group {
        parts.push(format!("compared with {reference}"));
    }
    if let Some(gap) = run.max_gap {
        parts.push(format!("a gap of up to {} is none", percent(gap)));
    }
    format!("{}.", parts.join("; "))
}

/// `region east, sex (missing)`.
pub fn name(group: &Group) -> String {
    let parts: Vec<String> = group
        .group
        .iter()
        .map(|(key, value)| format!("{key} {}", value.as_deref().unwrap_or("(missing)")))
        .collect();
    if parts.is_empty() { "all".to_owned() } else { parts.join(", ") }
}

fn gaps(groups: &[Group]) -> Markup {
    html! {
        div.scroll tabindex="0" role="group" aria-label="Gaps between groups" {
            table {
                thead {
                    tr {
                        th scope="col" { "group" } th.number scope="col" { "predictions" } th scope="col" { "metric" } th scope="col" { "verdict" }
                        th.number scope="col" { "group" } th.number scope="col" { "reference" } th.number scope="col" { "gap" } th.number scope="col" { "rows" }
                    }
                }
                tbody {
                    @for group in groups.iter().take(GROUPS_MAX) {
                        @for gap in &group.gaps { (row(group, gap)) }
                    }
                }
            }
        }
        p.quiet { "Beneath each gap is its interval. Of calibration the two numbers are the share of positive outcomes and the mean score." }
        @if groups.len() > GROUPS_MAX { p.quiet { "The first " (GROUPS_MAX) " of " (groups.len()) " groups." } }
    }
}

fn row(group: &Group, gap: &Gap) -> Markup {
    let verdict = gap.verdict.as_str();
    html! {
        tr {
            th scope="row" { (name(group)) } td.number { (thousands(group.n)) }
            td { (gap.metric.replace('_', " ")) }
            td { span class=(format!("badge {verdict}")) { (verdict.replace('_', " ")) } " " span.quiet { (p_value(gap.p_adjusted)) } }
            td.number { (share(gap.value)) } td.number { (share(gap.reference)) }
            td.number {
                (gap.gap.map_or("–".to_owned(), signed_percent))
                @if let Some([low, high]) = gap.ci { br; span.quiet { (signed_percent(low)) " to " (signed_percent(high)) } }
            }
            td.number { (thousands(gap.n)) " and " (thousands(gap.n_reference)) }
        }
    }
}

fn share(value: Option<f64>) -> String {
    value.map_or("–".to_owned(), percent)
}
