//! `[alerts.route]`, `[alerts.routes.NAME]` and `[alerts.inhibitions.NAME]`: who is told of what.

use std::time::Duration;

use windvane_alerts::group::REPEAT_USUAL;
use windvane_alerts::route::{Escalation, GroupBy, Pace, Route};
use windvane_alerts::suppress::Inhibition;

use super::{interval_names, known, line, matchers, receiver};
use crate::config::layers::Layers;
use crate::config::path::KeyPath;

/// The name of the root among the routes.
const ROOT: &str = "root";
/// How deep routes may lie.
const DEPTH_MAX: usize = 10;

/// Alertmanager's usual pace; how often the same is told again goes by what fires.
const PACE: Pace = Pace {
    group_wait: Duration::from_secs(30),
    group_interval: Duration::from_secs(300),
    repeat_interval: None,
};

/// The tree of routes.
pub fn root(layers: &mut Layers, fallback: Option<&str>) -> Route {
    let everybody = everybody(layers, fallback);
    let top = Route {
        name: ROOT.to_owned(),
        matchers: Vec::new(),
        goes_on: false,
        receivers: everybody,
        group_by: GroupBy::Labels(vec!["alertname".to_owned(), "model".to_owned()]),
        pace: PACE,
        mute_in: Vec::new(),
        active_in: Vec::new(),
        escalation: None,
        send_resolved: true,
        routes: Vec::new(),
    };
    let mut root = filled(layers, &KeyPath::from("alerts.route"), &top);
    let tables = KeyPath::from("alerts.routes");
    let mut names = layers.names(tables.clone());
    names.sort_by_key(|name| (line(layers, &tables.join(name)), name.clone()));
    for name in &names {
        let parent = layers.text(tables.join(name).join("parent"));
        if let Some(parent) = parent.filter(|parent| !names.contains(parent)) {
            let problem = format!("there is no route `{parent}`; there are: {}", names.join(", "));
            layers.contradiction(tables.join(name).join("parent"), &problem);
        }
    }
    let placed = below(layers, (&mut root, None), &names, DEPTH_MAX);
    if placed < names.len() && layers.faults.is_empty() {
        let problem = format!(
            "{} routes lie below each other in a circle, or deeper than {DEPTH_MAX}",
            names.len() - placed
        );
        layers.contradiction(tables, &problem);
    }
    repeat_to_alertmanagers(layers, &mut root);
    root
}

/// An Alertmanager forgets what is not sent again within a day, however long the windows are.
fn repeat_to_alertmanagers(layers: &Layers, route: &mut Route) {
    let kind = |name: &String| layers.text(KeyPath::from("alerts.receivers").join(name).join("type"));
    if route.receivers.iter().any(|name| kind(name).as_deref() == Some("alertmanager")) {
        route.pace.repeat_interval.get_or_insert(REPEAT_USUAL);
    }
    for below in &mut route.routes {
        repeat_to_alertmanagers(layers, below);
    }
}

/// Hangs the routes whose parent this one is below it, and says how many were placed in all.
fn below(
    layers: &mut Layers,
    (route, name): (&mut Route, Option<&str>),
    names: &[String],
    depth: usize,
) -> usize {
    let tables = KeyPath::from("alerts.routes");
    let mut placed = 0;
    let own = names.iter().filter(|child| layers.text(tables.join(child).join("parent")).as_deref() == name);
    let own: Vec<String> = own.cloned().collect();
    for child in own.into_iter().filter(|_| depth > 0) {
        let table = tables.join(&child);
        let matchers = matchers(layers, &table.join("match"));
        if matchers.is_empty() {
            layers.missing(&table, "match");
        }
        let above = Route {
            name: child.clone(),
            matchers,
            goes_on: layers.flag(table.join("continue"), false),
            mute_in: Vec::new(),
            active_in: Vec::new(),
            routes: Vec::new(),
            ..route.clone()
        };
        let mut made = filled(layers, &table, &above);
        placed += 1 + below(layers, (&mut made, Some(&child)), names, depth - 1);
        route.routes.push(made);
    }
    placed
}

/// A route with what its table says in place of what it has from above.
fn filled(layers: &mut Layers, table: &KeyPath, above: &Route) -> Route {
    let named = layers.texts(table.join("receiver"));
    let receivers: Vec<String> =
        named.into_iter().filter(|name| known(layers, &table.join("receiver"), name)).collect();
    let group_by = layers.texts(table.join("group_by"));
    let to = receiver(layers, table.clone(), "escalate_to");
    let after = layers.has(table.join("escalate_after"));
    if to.is_some() != after {
        let key = if after { "escalate_after" } else { "escalate_to" };
        if layers.has(table.join(key)) {
            layers.contradiction(table.join(key), "escalate_after and escalate_to go together");
        }
    }
    let escalation = to
        .filter(|_| after)
        .map(|to| Escalation { after: layers.length(table.join("escalate_after"), Duration::ZERO), to });
    let length = |layers: &Layers, key: &str, usual| layers.length(table.join(key), usual);
    Route {
        receivers: if receivers.is_empty() { above.receivers.clone() } else { receivers },
        group_by: match group_by.as_slice() {
            [] => above.group_by.clone(),
            [all] if all == "..." => GroupBy::All,
            _ => GroupBy::Labels(group_by),
        },
        pace: Pace {
            group_wait: length(layers, "group_wait", above.pace.group_wait),
            group_interval: length(layers, "group_interval", above.pace.group_interval),
            repeat_interval: match layers.has(table.join("repeat_interval")) {
                true => Some(length(layers, "repeat_interval", REPEAT_USUAL)),
                false => above.pace.repeat_interval,
            },
        },
        mute_in: interval_names(layers, &table.join("mute_in")),
        active_in: interval_names(layers, &table.join("active_in")),
        escalation: escalation.or_else(|| above.escalation.clone()),
        send_resolved: layers.flag(table.join("send_resolved"), above.send_resolved),
        ..above.clone()
    }
}

/// All receivers but the fallback and those that others escalate to.
fn everybody(layers: &Layers, fallback: Option<&str>) -> Vec<String> {
    let tables = KeyPath::from("alerts.routes");
    let routes = layers.names(tables.clone()).into_iter().map(|name| tables.join(&name));
    let routes = routes.chain([KeyPath::from("alerts.route")]);
    let escalated: Vec<String> = routes.filter_map(|route| layers.text(route.join("escalate_to"))).collect();
    let names = layers.names("alerts.receivers").into_iter();
    names.filter(|name| fallback != Some(name) && !escalated.contains(name)).collect()
}

/// Inhibitions: those of the file, and two that go with the usual rules.
pub fn inhibitions(layers: &mut Layers) -> Vec<Inhibition> {
    let tables = KeyPath::from("alerts.inhibitions");
    let mut made = Vec::new();
    if layers.flag("alerts.default_rules", true) {
        made.push(usual("store", "StoreUnavailable", ("SpoolLagging", &[])));
        made.push(usual("ingestion", "IngestionStalled", ("OutcomesMissing", &["model"])));
    }
    for name in layers.names(tables.clone()) {
        let table = tables.join(&name);
        let source = matchers(layers, &table.join("source"));
        let target = matchers(layers, &table.join("target"));
        for (key, found) in [("source", &source), ("target", &target)] {
            if found.is_empty() {
                layers.missing(&table, key);
            }
        }
        made.push(Inhibition { equal: layers.texts(table.join("equal")), name, source, target });
    }
    made
}

fn usual(name: &str, source: &str, (target, equal): (&str, &[&str])) -> Inhibition {
    let alertname = |name: &str| vec![windvane_types::matcher::Matcher::equal("alertname", name)];
    Inhibition {
        name: name.to_owned(),
        source: alertname(source),
        target: alertname(target),
        equal: equal.iter().map(|label| (*label).to_owned()).collect(),
    }
}
