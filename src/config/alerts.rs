//! `[alerts]`: what is watched, who is told, and when nothing is told, made one plan.

mod receivers;
mod routes;
mod rules;
#[cfg(test)]
mod tests;
mod times;

use std::path::{Path, PathBuf};
use std::time::Duration;

use windvane_alerts::plan::{Heartbeat, Plan};
use windvane_alerts::rate::Cap;
use windvane_alerts::receiver::{HttpSettings, Targets};
use windvane_alerts::{Receiver, Settings};
use windvane_store::Secret;
use windvane_types::matcher::Matcher;

use super::layers::{Layers, Origin};
use super::path::KeyPath;

const HOUR: Duration = Duration::from_secs(3_600);

/// Reads everything about alerts; faults are left in the layers. `data_dir` is where the state goes by default.
pub fn plan(layers: &mut Layers, data_dir: Option<&Path>) -> Plan {
    let receivers = receivers::receivers(layers);
    let every = layers.length("alerts.every", Duration::from_secs(60));
    let intervals = times::intervals(layers);
    let fallback = receiver(layers, KeyPath::from("alerts"), "fallback_receiver");
    let route = routes::root(layers, fallback.as_deref());
    let rules = rules::rules(layers, every);
    let maintenance = times::maintenance(layers);
    let inhibitions = routes::inhibitions(layers);
    let state_dir = layers.path("alerts.state_dir").or_else(|| data_dir.map(|dir| dir.join("alerts")));
    Plan {
        rules,
        route,
        inhibitions,
        maintenance,
        intervals,
        receivers,
        fallback,
        every,
        give_up_after: layers.length("alerts.give_up_after", 24 * HOUR),
        sends_max: layers.size("alerts.sends_max", 2),
        cap: Cap {
            messages: layers.size("alerts.messages_max", 30),
            per: layers.length("alerts.messages_per", HOUR),
        },
        external_url: layers.text("alerts.external_url"),
        heartbeat: heartbeat(layers),
        state_dir: state_dir.unwrap_or_else(|| PathBuf::from("alerts")),
        lease: layers.length("alerts.lease", Duration::from_secs(30)),
    }
}

/// A receiver that a key names; one that is not there is a fault.
fn receiver(layers: &mut Layers, table: KeyPath, key: &str) -> Option<String> {
    let name = layers.text(table.join(key))?;
    known(layers, &table.join(key), &name).then_some(name)
}

/// Whether a receiver is there; a fault where it is not.
fn known(layers: &mut Layers, key: &KeyPath, name: &str) -> bool {
    let names = layers.names("alerts.receivers");
    let found = names.iter().any(|known| known == name);
    if !found {
        let all = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        layers.contradiction(key.clone(), &format!("there is no receiver `{name}`; there are: {all}"));
    }
    found
}

/// Matchers that a key lists; one that is none is a fault.
fn matchers(layers: &mut Layers, key: &KeyPath) -> Vec<Matcher> {
    let texts = layers.texts(key.clone());
    let read = texts.iter().filter_map(|text| match text.parse() {
        Ok(matcher) => Some(matcher),
        Err(problem) => {
            let problem: String = problem;
            layers.contradiction(key.clone(), &problem);
            None
        }
    });
    read.collect()
}

/// Intervals that a key names; one that is not there is a fault.
fn interval_names(layers: &mut Layers, key: &KeyPath) -> Vec<String> {
    let known = layers.names("alerts.intervals");
    let named = layers.texts(key.clone());
    for name in named.iter().filter(|name| !known.contains(name)) {
        let all = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        layers.contradiction(key.clone(), &format!("there is no interval `{name}`; there are: {all}"));
    }
    named
}

/// The line of a table in its file, so that tables keep their order.
fn line(layers: &Layers, table: &KeyPath) -> usize {
    match layers.tables.get(table) {
        Some(Origin::File(_, line)) => *line,
        _ => usize::MAX,
    }
}

/// Which addresses something that is posted to may be at, by a flag that permits those inside a network.
fn targets(layers: &Layers, key: KeyPath) -> Targets {
    match layers.flag(key, false) {
        true => Targets::Any,
        false => Targets::PublicOrLoopback,
    }
}

fn heartbeat(layers: &mut Layers) -> Option<Heartbeat> {
    let table = KeyPath::from("alerts");
    let own = layers.text("alerts.heartbeat_url").map(Secret::new);
    let secret = layers.secret(&table, ["heartbeat_url_env", "heartbeat_url_file"]).ok()?;
    if own.is_some() && secret.is_some() {
        layers.contradiction(
            "alerts.heartbeat_url",
            "excludes heartbeat_url_env and heartbeat_url_file; keep one of the three",
        );
    }
    let targets = targets(layers, "alerts.heartbeat_allow_private_targets".into());
    let http = HttpSettings { url: secret.or(own)?, targets };
    match Receiver::new("heartbeat", &Settings::Webhook { http, key: None }) {
        Ok(receiver) => Some(Heartbeat {
            receiver,
            every: layers.length("alerts.heartbeat_every", Duration::from_secs(60)),
        }),
        Err(fault) => {
            layers.contradiction("alerts.heartbeat_url", &fault.problem);
            None
        }
    }
}
