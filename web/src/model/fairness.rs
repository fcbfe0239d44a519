//! Whether a model treats groups alike: the latest recorded run, the groups that differ in words, then every gap with its interval.

use maud::{Markup, html};
use windvane_store::views::FAIRNESS_GAPS;
use windvane_types::fairness::{Gap, Group, Verdict};

use super::findings::{Whose, in_toml, nothing_yet, quoted, source};
use super::read::Model;
use crate::api::fairness::Run;
use crate::chart::cut;
use crate::listed::most_important;
use crate::numbers::{p_value, percent, points, signed_points, thousands};
use crate::page;

/// Groups that are listed.
const GROUPS_MAX: usize = 50;
/// Groups that the line before the table names.
const NAMED_MAX: usize = 5;
/// Characters of a group's or a segment's value that a sentence or a table tells: features and tags have up to 4,096 bytes.
pub const VALUE_MAX: usize = 80;

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
    let mut names: Vec<String> =
        run.groups.iter().filter(|group| has(group, Verdict::Fail)).map(name).collect();
    let more = names.len().saturating_sub(NAMED_MAX);
    names.truncate(NAMED_MAX);
    match run.verdict {
        Verdict::Fail if more > 0 => {
            format!("Treated unlike the others: {}; and {more} more", names.join("; "))
        }
        Verdict::Fail => format!("Treated unlike the others: {}", names.join("; ")),
        Verdict::Pass if run.groups.iter().any(|group| has(group, Verdict::InsufficientData)) => {
            "No group is treated unlike the others, as far as there are enough rows to tell".to_owned()
        }
        Verdict::Pass => "No group is treated unlike the others".to_owned(),
        Verdict::InsufficientData => "Too few rows, or too few groups, to tell".to_owned(),
    }
}

fn has(group: &Group, verdict: Verdict) -> bool {
    group.gaps.iter().any(|gap| gap.verdict == verdict)
}

fn compared(run: &Run) -> String {
    let mut parts = vec![format!("Groups by {}", run.group_by.replace(',', ", "))];
    if let Some(reference) = &run.reference_group {
        parts.push(format!("compared with {}", cut(reference, VALUE_MAX)));
    }
    if let Some(gap) = run.max_gap {
        parts.push(format!("a gap of up to {} is none", points(gap)));
    }
    format!("{}.", parts.join("; "))
}

/// `region east, sex (missing)`.
pub fn name(group: &Group) -> String {
    let parts: Vec<String> = group
        .group
        .iter()
        .map(|(key, value)| format!("{key} {}", cut(value.as_deref().unwrap_or("(missing)"), VALUE_MAX)))
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
                    @for group in most_important(groups, GROUPS_MAX, |group| !has(group, Verdict::Fail)) {
                        @for gap in &group.gaps { (row(group, gap)) }
                    }
                }
            }
        }
        p.quiet { "Beneath each gap is its interval. Of calibration the two numbers are the share of positive outcomes and the mean score." }
        @if groups.len() > GROUPS_MAX { p.quiet { "Shown are " (GROUPS_MAX) " of " (groups.len()) " groups, those that are treated unlike the others first." } }
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
                (gap.gap.map_or("–".to_owned(), signed_points))
                @if let Some([low, high]) = gap.ci { br; span.quiet { (signed_points(low)) " to " (signed_points(high)) } }
            }
            td.number { (thousands(gap.n)) " and " (thousands(gap.n_reference)) }
        }
    }
}

fn share(value: Option<f64>) -> String {
    value.map_or("–".to_owned(), percent)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(name: &str, verdict: &str) -> Group {
        serde_json::from_value(serde_json::json!({"group": {"region": name}, "n": 100, "labelled": 0, "gaps": [
            {"metric": "demographic_parity", "value": 0.3, "reference": 0.5, "gap": -0.2, "ci": [-0.3, -0.1], "p_value": 0.001,
             "p_adjusted": 0.002, "n": 60, "n_reference": 80, "verdict": verdict}]}))
        .unwrap()
    }

    fn run(verdict: Verdict, groups: Vec<Group>) -> Run {
        Run {
            run_id: "r".to_owned(),
            computed_at: String::new(),
            key: serde_json::from_value(
                serde_json::json!({"monitor": "m", "version": "", "environment": "", "reference_kind": "",
                "reference_name": "", "window_start": "", "window_end": "", "granularity": "1d"}),
            )
            .unwrap(),
            group_by: "region".to_owned(),
            reference_group: None,
            max_gap: None,
            verdict,
            groups,
        }
    }

    #[test]
    fn groups_that_fail_are_shown_before_others_and_the_line_names_a_few() {
        let passing = (0..60).map(|i| group(&format!("p{i}"), "pass"));
        let all: Vec<Group> = passing.chain((0..7).map(|i| group(&format!("f{i}"), "fail"))).collect();
        let html = latest(&run(Verdict::Fail, all)).into_string();
        assert!(html.contains("Treated unlike the others: region f0; region f1; region f2; region f3; region f4; and 2 more<"), "{html}");
        assert_eq!(html.matches("badge fail").count(), 7, "{html}");
        assert!(html.contains("Shown are 50 of 67 groups"), "{html}");
    }

    #[test]
    fn a_long_value_is_cut() {
        assert_eq!(
            name(&group(&"é".repeat(4_000), "fail")),
            format!("region {}…", "é".repeat(VALUE_MAX - 1))
        );
    }

    #[test]
    fn what_could_not_be_judged_is_not_called_alike() {
        let said = |verdicts: &[&str]| {
            headline(&run(Verdict::Pass, verdicts.iter().map(|verdict| group("a", verdict)).collect()))
        };
        assert_eq!(said(&["pass"]), "No group is treated unlike the others");
        assert!(said(&["pass", "insufficient_data"]).ends_with("as far as there are enough rows to tell"));
    }
}
