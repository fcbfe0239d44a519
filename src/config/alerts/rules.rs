//! `[alerts.rules.NAME]`: the usual rules with what the file changes in them, and rules of the user's own.

use std::collections::BTreeMap;
use std::time::Duration;

use windvane_alerts::defaults::{self, Usual};
use windvane_alerts::machine::{NoData, Timing};
use windvane_alerts::rule::{Condition, OWN_MEASURES, Rule, Side, Source, Windows};
use windvane_store::alerts;
use windvane_types::alert::Severity;

use super::matchers;
use crate::config::layers::Layers;
use crate::config::path::KeyPath;

/// Windows that a rule may look at.
const WINDOWS_MAX: u64 = 100;

/// All rules that are enabled, by name.
pub fn rules(layers: &mut Layers, every: Duration) -> Vec<Rule> {
    let usual = layers.flag("alerts.default_rules", true);
    let mut names = layers.names("alerts.rules");
    if usual {
        names.extend(defaults::rules().map(|rule| rule.name.to_owned()));
    }
    names.sort_unstable();
    names.dedup();
    let made = names.into_iter().filter_map(|name| {
        let usual = defaults::rules().find(|rule| usual && rule.name == name);
        rule(layers, (name, usual), every)
    });
    made.collect()
}

fn rule(layers: &mut Layers, (name, usual): (String, Option<&Usual>), every: Duration) -> Option<Rule> {
    let table = KeyPath::from("alerts.rules").join(&name);
    if !layers.flag(table.join("enabled"), true) {
        return None;
    }
    let source = source(layers, &table, usual);
    let condition = condition(layers, &table, usual);
    let (source, condition) = (source?, condition?);
    let windows = windows(layers, &table, &source);
    let hold = |layers: &Layers, key: &str, usual: Option<Duration>| {
        windvane_alerts::group::us(layers.length(table.join(key), usual.unwrap_or_default()))
    };
    let severity = layers.text(table.join("severity"));
    let severity = severity.as_deref().or(usual.map(|usual| usual.severity)).unwrap_or("warning");
    let own = matches!(source, Source::Own { .. });
    let rule = Rule {
        timing: Timing {
            for_us: hold(layers, "for", usual.map(|usual| usual.hold)),
            keep_firing_for_us: hold(layers, "keep_firing_for", usual.map(|usual| usual.keep_firing_for)),
            no_data: match layers.text(table.join("no_data")).as_deref() {
                Some("ok") => NoData::Ok,
                Some("alert") => NoData::Alert,
                Some(_) => NoData::Keep,
                None => usual.map_or(if own { NoData::Ok } else { NoData::Keep }, |usual| usual.no_data),
            },
        },
        evidence_min: layers
            .number(table.join("evidence_min"), usual.map_or(0.0, |usual| usual.evidence_min)),
        every: layers
            .length(table.join("every"), usual.map_or(Duration::ZERO, |usual| usual.every))
            .max(every),
        severity: Severity::from_word(severity).unwrap_or(Severity::Warning),
        labels: texts(layers, &table.join("labels")),
        annotations: annotations(layers, &table, usual),
        select: matchers(layers, &table.join("match")),
        windows,
        source,
        condition,
        name,
    };
    if let Err((annotation, problem)) = rule.check_templates() {
        let key = table.join("annotations").join(&annotation);
        layers.contradiction(key, &format!("the template fails on sample data: {problem}"));
        return None;
    }
    Some(rule)
}

fn source(layers: &mut Layers, table: &KeyPath, usual: Option<&Usual>) -> Option<Source> {
    let word = match layers.text(table.join("source")).or_else(|| usual.map(|usual| usual.source.to_owned()))
    {
        Some(word) => word,
        None => {
            layers.missing(table, "source");
            return None;
        }
    };
    let query = layers.text(table.join("query"));
    let measure = layers.text(table.join("measure"));
    if query.is_some() != (word == "query") {
        let problem = if word == "query" { "`query` is missing" } else { "goes with source = \"query\"" };
        let key = if word == "query" { table.clone() } else { table.join("query") };
        layers.contradiction(key, problem);
        return None;
    }
    if let Some(first) = query.as_deref().and_then(|query| query.split_whitespace().next())
        && !["SELECT", "WITH"].iter().any(|word| first.eq_ignore_ascii_case(word))
    {
        layers.contradiction(
            table.join("query"),
            &format!("begins with `{first}`; allowed is a SELECT, or WITH … SELECT"),
        );
        return None;
    }
    let usual = usual.filter(|usual| usual.source == word).map(|usual| usual.measure);
    let wanted = measure.as_deref().or(usual);
    let (names, found): (Vec<&str>, Option<Source>) = match word.as_str() {
        "query" if measure.is_none() => return query.map(Source::Query),
        "query" => (vec!["none: a query has its `value`"], None),
        "own" => {
            let names = OWN_MEASURES.iter().map(|(name, _)| *name).collect();
            let known = OWN_MEASURES.iter().find(|(name, _)| wanted == Some(*name));
            (names, known.map(|known| Source::Own { measure: known.0 }))
        }
        word => {
            let kind = alerts::sources::kind(word)?;
            let names: Vec<&str> = kind.measures.iter().map(|measure| measure.name).collect();
            let known = names.iter().find(|name| wanted.is_none_or(|wanted| wanted == **name)).copied();
            (names, known.map(|measure| Source::Stored { kind, measure }))
        }
    };
    if found.is_none() {
        let problem = format!("source `{word}` measures {}", names.join(", "));
        layers.contradiction(table.join("measure"), &problem);
    }
    found
}

fn condition(layers: &mut Layers, table: &KeyPath, usual: Option<&Usual>) -> Option<Condition> {
    let (above, below) = (layers.has(table.join("above")), layers.has(table.join("below")));
    let (side, enter, usual_leave) = match (above, below, usual) {
        (true, true, _) => {
            layers.contradiction(table.join("below"), "excludes above; keep one of the two");
            return None;
        }
        (true, false, _) => (Side::Above, layers.number(table.join("above"), 0.0), None),
        (false, true, _) => (Side::Below, layers.number(table.join("below"), 0.0), None),
        (false, false, Some(usual)) => {
            let (side, enter, leave) = usual.condition;
            (side, enter, Some(leave))
        }
        (false, false, None) => {
            layers.contradiction(table.clone(), "`above` or `below` is missing");
            return None;
        }
    };
    let leave = layers.number(table.join("leave"), usual_leave.unwrap_or(enter));
    let wrong = match side {
        Side::Above => leave > enter,
        Side::Below => leave < enter,
    };
    if wrong {
        let problem =
            format!("`{leave}` lies beyond the threshold to enter, {enter}: it would never be right again");
        layers.contradiction(table.join("leave"), &problem);
    }
    Some(Condition { side, enter, leave })
}

/// `2 of 3`.
fn windows(layers: &mut Layers, table: &KeyPath, source: &Source) -> Windows {
    let Some(text) = layers.text(table.join("windows")) else { return Windows { wrong: 1, of: 1 } };
    let read = text.split_once(" of ").and_then(|(wrong, of)| Some((wrong.parse().ok()?, of.parse().ok()?)));
    let read = read.filter(|(wrong, of): &(u64, u64)| *wrong >= 1 && wrong <= of && *of <= WINDOWS_MAX);
    let has_windows = matches!(source, Source::Stored { kind, .. } if kind.windows);
    match read {
        None => {
            let problem =
                format!("`{text}` is not allowed; allowed is such as `2 of 3`, at most {WINDOWS_MAX}");
            layers.contradiction(table.join("windows"), &problem);
        }
        Some(_) if !has_windows => {
            layers.contradiction(
                table.join("windows"),
                "goes with sources that have windows: use `for` instead",
            );
        }
        Some((wrong, of)) => return Windows { wrong, of },
    }
    Windows { wrong: 1, of: 1 }
}

/// The usual annotations, with what the file says in their place.
fn annotations(layers: &Layers, table: &KeyPath, usual: Option<&Usual>) -> BTreeMap<String, String> {
    let usual = usual.into_iter().flat_map(Usual::annotations);
    let mut annotations: BTreeMap<String, String> =
        usual.map(|(name, text)| (name.to_owned(), text.to_owned())).collect();
    annotations.extend(texts(layers, &table.join("annotations")));
    annotations
}

fn texts(layers: &Layers, table: &KeyPath) -> BTreeMap<String, String> {
    let names = layers.names(table.clone()).into_iter();
    names.filter_map(|name| layers.text(table.join(&name)).map(|text| (name, text))).collect()
}
